"""What names a package."""

import pytest

from issmedia.model.package import Nevra, nevra_of_path


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("Packages/a/abc-1.0-1.el9.x86_64.rpm", Nevra("abc", "0", "1.0", "1.el9", "x86_64")),
        ("python3-dnf-4.3~rc1^git1-2.noarch.rpm", Nevra("python3-dnf", "0", "4.3~rc1^git1", "2", "noarch")),
        ("abc-1.0-1.src.rpm", Nevra("abc", "0", "1.0", "1", "src")),
    ],
)
def test_a_file_name_tells_a_package(path: str, expected: Nevra) -> None:
    assert nevra_of_path(path) == expected


@pytest.mark.parametrize(
    "path",
    [
        "repodata/repomd.xml",
        "abc.rpm",
        "abc-1.0.noarch.rpm",
        "-1.0-1.noarch.rpm",
        "a-1-1.x86_64.drpm",
        "a-1-1.",
        ".rpm",
    ],
)
def test_other_files_tell_none(path: str) -> None:
    assert nevra_of_path(path) is None


def test_a_nevra_is_written_without_an_epoch_of_zero() -> None:
    assert str(Nevra("abc", "0", "1", "2", "noarch")) == "abc-1-2.noarch"
    assert str(Nevra("abc", "3", "1", "2", "noarch")) == "abc-3:1-2.noarch"
