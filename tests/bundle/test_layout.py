"""`SHA256SUMS`: coreutils' format, read strictly."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from issmedia.base.digest import Digest, digest_of
from issmedia.base.errors import FormatError
from issmedia.bundle.layout import blob_path, encode_sums, parse_sums, repo_path, tree_path
from issmedia.model.names import MAX_VOLUME_PATH, collisions, path_fault
from tests.makers.programs import run

A, B = "a" * 64, "b" * 64


def test_names_on_a_volume() -> None:
    digest = Digest(A)

    assert repo_path("p/zoo", "d/a.rpm") == "repos/p/zoo/d/a.rpm"
    assert blob_path(digest) == f"blobs/aa/{A}"
    assert tree_path(digest) == f"trees/{A}.jsonl.zst"


def test_sums_are_written_sorted_by_path() -> None:
    assert encode_sums([("b", Digest(A)), ("a", Digest(B))]) == f"{B}  a\n{A}  b\n".encode()


@given(
    st.lists(
        st.text(alphabet="abcé ~/", min_size=1, max_size=6).filter(lambda path: path_fault(path) is None), unique=True
    ).filter(lambda paths: not list(collisions(paths)))
)
def test_what_is_written_is_read_back(paths: list[str]) -> None:
    index = {path: digest_of(path.encode()) for path in sorted(paths)}

    assert parse_sums(encode_sums(index.items()), where="here") == index


@pytest.mark.parametrize(
    "text",
    [
        f"{A}  a",
        f"{A}  a\r\n",
        f"{A} *a\n",
        f"{A} a\n",
        f"{A}\ta\n",
        f"{A.upper()}  a\n",
        f"{A[:-1]}  a\n",
        f"{A}a  a\n",
        f"\\{A}  a\\nb\n",
        f"{A}  \n",
        "\n",
        f"{A}  a\n\n",
        f" {A}  a\n",
        f"# comment\n{A}  a\n",
        f"\ufeff{A}  a\n",
        f"{A}  b\n{A}  a\n",
        f"{A}  a\n{B}  a\n",
        f"{A}  a\n{A}  a\n",
        f"{A}  /a\n",
        f"{A}  ../a\n",
        f"{A}  ./a\n",
        f"{A}  a//b\n",
        f"{A}  -a\n",
        f"{A}  a\0\n",
        f"{A}  a\x1b[2J\n",
        f"{A}  A\n{A}  a\n",
        f"{A}  a\n{A}  a/b\n",
        f"{A}  manifest.json\n",
        f"{A}  MANIFEST.json.sig\n",
        f"{A}  SHA256SUMS\n",
        f"{A}  SHA256SUMS/x\n",
        f"{A}  {'/'.join(['a' * 200] * 7)}\n",
    ],
    ids=ascii,
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(FormatError):
        parse_sums(text.encode(), where="SHA256SUMS")


def test_a_name_that_is_not_utf_8_is_refused() -> None:
    with pytest.raises(FormatError, match="not UTF-8"):
        parse_sums(f"{A}  ".encode() + b"\xff\n", where="SHA256SUMS")


def test_the_line_is_named() -> None:
    with pytest.raises(FormatError, match="line 2 is not") as caught:
        parse_sums(f"{A}  a\nbad\n".encode(), where="volume 3: SHA256SUMS")

    assert caught.value.where == "volume 3: SHA256SUMS"


def test_the_longest_path_of_a_tree_fits_below_the_longest_labels() -> None:
    longest = repo_path("p" * 128 + "/" + "r" * 128, "/".join(["a" * 204] * 5))

    assert len(longest) == MAX_VOLUME_PATH
    assert list(parse_sums(encode_sums([(longest, Digest(A))]), where="here")) == [longest]


@pytest.mark.system("sha256sum")
def test_coreutils_reads_what_is_written(tmp_path: Path) -> None:
    names = ("a b", "é", "d/x~1^2+3%=@,.rpm", "d/{[(x)]}$'&;#!.rpm")
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "SHA256SUMS").write_bytes(encode_sums((name, digest_of(name.encode())) for name in names))

    output = run("sha256sum", "--strict", "-c", "SHA256SUMS", cwd=tmp_path)

    assert output.count(": OK\n") == len(names)
