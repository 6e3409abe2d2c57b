import pytest

from issmedia.base.digest import digest_of
from issmedia.base.errors import UpstreamError
from issmedia.model.mirrors import MAX_MIRRORS, read_metalink, read_mirrorlist
from tests.makers.mirrors import metalink


def test_a_mirrorlist_has_a_base_url_a_line() -> None:
    data = b"# comment\nhttps://a/9/\r\nrsync://b/\nhttp://c/9\nhttps://a/9\nhttps://u:p@d/\nhttps://e/?x\nnonsense\n"

    assert read_mirrorlist(data, where="x").urls == ("https://a/9/", "http://c/9/")


def test_a_metalink_names_mirrors_by_preference_and_the_newest_checksum_only() -> None:
    data = metalink(["https://b", "https://a/x"], b"new", older=b"older")

    found = read_metalink(data, where="x")

    assert found.urls == ("https://b/", "https://a/x/")
    assert found.checksums == (("sha256", digest_of(b"new")),)
    assert found.size == 3


def test_the_preferred_mirror_comes_first() -> None:
    data = metalink(["https://b", "https://a"], b"x").replace(b'preference="100"', b'preference="1"')

    assert read_metalink(data, where="x").urls == ("https://a/", "https://b/")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<html>",
        b"<metalink/>",
        metalink(["https://a"], b"x").replace(b"sha256", b"sha1"),
        metalink(["ftp://a"], b"x"),
        metalink(["https://a"], b"x").replace(b"repomd.xml</url>", b"other.xml</url>"),
        b'<!DOCTYPE m [<!ENTITY a "aaaa">]>' + metalink(["https://a"], b"x").partition(b"\n")[2],
        b"<a>" * 100_000,
        b"\xff\xfe<",
    ],
)
def test_what_is_no_metalink_of_a_repository_is_refused(data: bytes) -> None:
    with pytest.raises(UpstreamError):
        read_metalink(data, where="x")


def test_a_list_of_any_length_gives_so_many_mirrors() -> None:
    urls = [f"https://m{number}" for number in range(3000)]

    assert len(read_mirrorlist("\n".join(urls).encode(), where="x").urls) == MAX_MIRRORS
    assert len(read_metalink(metalink(urls, b"x"), where="x").urls) == MAX_MIRRORS
