from pathlib import Path

import pytest

from issmedia.base.errors import UsageError
from issmedia.net.secrets import Secrets, read_secrets
from tests.makers.webs import secret_file


def test_names_and_values_are_read(tmp_path: Path) -> None:
    path = secret_file(
        tmp_path / "s", "# ours\n\nusername = a b\npassword=x=y \nproxy_username=p\nproxy_password = q\n"
    )

    assert read_secrets(Path(path)) == Secrets("a b", "x=y", "", "p", "q")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o644])
def test_a_file_that_others_can_reach_is_refused(tmp_path: Path, mode: int) -> None:
    path = secret_file(tmp_path / "s", "bearer = x\n", mode)

    with pytest.raises(UsageError, match=f"mode {mode:04o} lets others at it") as caught:
        read_secrets(Path(path))
    assert caught.value.hint == f"chmod 0600 {path}"


@pytest.mark.parametrize(
    "text",
    [
        "s3cret",
        "pass = s3cret",
        "bearer = a\nbearer = s3cret",
        "bearer = s3cret\x01",
        "bearer = s3crét",
        "password = s3cret",
        "username = s3cret",
        "username = a\npassword = s3cret\nbearer = c",
        "#" * (65 << 10),
    ],
)
def test_what_is_no_such_file_is_refused_and_never_repeated(tmp_path: Path, text: str) -> None:
    path = secret_file(tmp_path / "s", text)

    with pytest.raises(UsageError) as caught:
        read_secrets(Path(path))

    assert "s3cr" not in f"{caught.value} {caught.value.where} {caught.value.hint} {caught.value.problems}"


def test_a_directory_or_nothing_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    for path in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(UsageError):
            read_secrets(path)


def test_secrets_are_in_no_repr() -> None:
    assert "s3cret" not in repr(Secrets("alice", "s3cret", "s3cret", "p", "s3cret"))
