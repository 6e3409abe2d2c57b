"""The file for dnf: checks are always written on, keys only where pinned."""

import configparser

import pytest

from issmedia.model.clientfile import ClientRepository, file_url, render_client_file


def parsed(*repositories: ClientRepository) -> configparser.ConfigParser:
    """Write a file and read it as dnf does."""
    found = configparser.ConfigParser(interpolation=None)
    found.read_string(render_client_file(repositories, comment="one\ntwo").decode())
    return found


@pytest.mark.parametrize(("signed", "written"), [(False, "0"), (True, "1")])
def test_checks_are_always_written(signed: bool, written: str) -> None:
    found = parsed(ClientRepository("p/zoo", "The zoo", "file:///x/", signed))

    assert dict(found["p:zoo"]) == {
        "name": "The zoo",
        "baseurl": "file:///x/",
        "enabled": "1",
        "gpgcheck": "1",
        "repo_gpgcheck": written,
    }


def test_pinned_keys_are_named_one_a_line() -> None:
    found = parsed(ClientRepository("p/zoo", "zoo", "file:///x/", False, ("file:///k1", "file:///k2")))

    assert found["p:zoo"]["gpgkey"].split() == ["file:///k1", "file:///k2"]


@pytest.mark.parametrize("name", ["zoo\ngpgcheck=0", "zoo\r\n[evil]", "zoo\u2028x", "zoo\x85gpgcheck=0"])
def test_a_name_cannot_write_a_line_of_its_own(name: str) -> None:
    found = parsed(ClientRepository("p/zoo", name, "file:///x/", False))

    assert (found.sections(), found["p:zoo"]["gpgcheck"]) == (["p:zoo"], "1")


def test_no_two_repositories_share_a_section() -> None:
    one, other = (ClientRepository(path, "x", "file:///x/", False) for path in ("a-b/c", "a/b-c"))

    assert one.id != other.id


def test_the_comment_stands_at_the_top() -> None:
    assert render_client_file([], comment="one\ntwo") == b"# one\n# two\n"


@pytest.mark.parametrize(
    ("path", "url"),
    [("/srv/a", "file:///srv/a"), ("/srv/a b#%?", "file:///srv/a%20b%23%25%3F"), ("/é", "file:///%C3%A9")],
)
def test_paths_are_quoted_in_urls(path: str, url: str) -> None:
    assert url == file_url(path)
