"""Lists of mirrors: ranked by answer, judged by checksums, passed over where they fail."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from issmedia.base.errors import AbsentError, UpstreamError
from tests.makers.http_server import FOR_EVER, Answer, Body, Cut, HttpServer, Redirect, Silence, serving
from tests.makers.mirrors import metalink
from tests.makers.tls import Authority
from tests.makers.webs import read, web

REPOMD = "repodata/repomd.xml"


@dataclass(frozen=True)
class Lists:
    """Two mirrors of the same files, and a server with lists of them."""

    server: HttpServer
    one: HttpServer
    two: HttpServer
    directory: Path

    @property
    def url(self) -> str:
        """Give the URL of the list."""
        return f"{self.server.url}/list?repo=x&arch=y"

    def write(self, *, repomd: bytes = b"<repomd/>") -> str:
        """Write a metalink, and give its URL."""
        (self.directory / "list").write_bytes(metalink([self.one.url, self.two.url], repomd))
        return self.url


@pytest.fixture
def lists(served: Path, tmp_path: Path) -> Iterator[Lists]:
    with ExitStack() as stack:
        directory = tmp_path / "lists"
        directory.mkdir()
        server, one, two = (stack.enter_context(serving(path)) for path in (directory, served, served))
        (directory / "list").write_text(f"# mirrors\n{one.url}/\n\nrsync://x/y\nftp://z/\n{two.url}\n")
        yield Lists(server, one, two, directory)


def test_a_mirrorlist_gives_a_repository(lists: Lists) -> None:
    with web(lists.url, kind="mirrorlist") as upstream:
        assert read(upstream, "small") == b"a package"
        assert read(upstream, REPOMD) == b"<repomd/>"


def test_who_is_silent_is_ranked_behind_who_answers(lists: Lists) -> None:
    reached = threading.Event()
    lists.one.behave(REPOMD, Silence(reached))
    with web(lists.url, kind="mirrorlist") as upstream:
        assert read(upstream, "small") == b"a package"

    assert (lists.one.requests, lists.two.requests) == ([REPOMD], [REPOMD, "small"])


def test_a_mirror_that_lags_behind_the_metalink_is_passed_over(lists: Lists) -> None:
    lists.one.behave(REPOMD, Body(b"<old/>", times=FOR_EVER))
    with web(lists.write(), kind="metalink") as upstream:
        assert read(upstream, REPOMD) == b"<repomd/>"
        assert read(upstream, "small") == b"a package"

    assert "small" not in lists.one.requests


def test_where_all_lag_the_error_names_each(lists: Lists) -> None:
    with (
        web(lists.write(repomd=b"<newest/>"), kind="metalink") as upstream,
        pytest.raises(UpstreamError, match="2 mirrors were asked") as caught,
    ):
        read(upstream, REPOMD)

    assert [one.message.split(":")[0] for one in caught.value.problems] == ["a mirror that lags, or lies"] * 2


def test_a_metalink_that_changed_is_read_again(lists: Lists, served: Path) -> None:
    with web(lists.write(), kind="metalink") as upstream:
        assert read(upstream, REPOMD) == b"<repomd/>"
        (served / REPOMD).write_bytes(b"<newer/>")
        lists.write(repomd=b"<newer/>")

        assert read(upstream, REPOMD) == b"<newer/>"


def test_a_file_that_one_mirror_has_not_comes_from_the_next(lists: Lists) -> None:
    for server in (lists.one, lists.two):
        server.behave("small", Answer(404))
    with web(lists.url, kind="mirrorlist") as upstream:
        with pytest.raises(AbsentError, match="2 mirrors"):
            read(upstream, "small")
        lists.one.behave("small", Answer(404))

        assert read(upstream, "small") == b"a package"


def test_a_file_that_came_broken_is_asked_for_elsewhere(lists: Lists) -> None:
    for server in (lists.one, lists.two):
        server.behave("big", Cut(10))
    with web(lists.url, kind="mirrorlist") as upstream:
        for _ in range(2):
            with pytest.raises(UpstreamError, match="broke off"):
                read(upstream, "big")

        assert len(read(upstream, "big")) == 102400
    assert sorted([lists.one.requests.count("big"), lists.two.requests.count("big")]) == [1, 2]


def test_a_list_that_came_by_https_leads_to_no_http(lists: Lists, authority: Authority) -> None:
    with (
        serving(lists.directory, tls=authority.server()) as safe,
        web(f"{safe.url}/list", kind="mirrorlist", ca_bundle=str(authority.bundle)) as upstream,
        pytest.raises(UpstreamError, match="no mirror by https"),
    ):
        read(upstream, "small")

    assert lists.one.requests == []


def test_a_list_is_not_read_without_end(lists: Lists) -> None:
    (lists.directory / "list").write_bytes(b"#" * (5 << 20))
    with web(lists.url, kind="mirrorlist") as upstream, pytest.raises(UpstreamError, match="at most 4,194,304 bytes"):
        read(upstream, "small")


def test_a_list_may_be_redirected(lists: Lists) -> None:
    lists.server.behave("old", Redirect("/list"))
    with web(f"{lists.server.url}/old", kind="mirrorlist") as upstream:
        assert read(upstream, "small") == b"a package"


def test_variables_are_put_into_the_url(served: Path) -> None:
    with (
        serving(served.parent) as server,
        web(server.url + "/$name", variables={"name": "served"}) as upstream,
    ):
        assert read(upstream, "small") == b"a package"
        assert upstream.url == f"{server.url}/served"
