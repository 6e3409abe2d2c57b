import os
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from issmedia.base.errors import AbsentError, UpstreamError, UsageError
from issmedia.net.client import redirect_target
from issmedia.net.directory import DirectoryUpstream
from issmedia.net.upstream import checked_source, open_upstream
from issmedia.net.web import HttpUpstream
from tests.makers.http_server import FOR_EVER, Answer, Cut, HangUp, Redirect, WrongLength, serving
from tests.makers.streams import some, whole


def read(upstream: DirectoryUpstream | HttpUpstream, path: str) -> bytes:
    with upstream.open(path) as stream:
        return whole(stream)


def web(url: str) -> HttpUpstream:
    upstream = open_upstream(url, timeout_s=10, backoff_s=0)
    assert isinstance(upstream, HttpUpstream)
    return upstream


@pytest.fixture
def served(tmp_path: Path) -> Path:
    directory = tmp_path / "served"
    (directory / "Packages").mkdir(parents=True)
    (directory / "Packages/a.rpm").write_bytes(b"a package")
    (directory / "big").write_bytes(bytes(range(256)) * 400)
    return directory


def test_a_directory_gives_bytes_and_a_descriptor(served: Path) -> None:
    with open_upstream(str(served)) as upstream, upstream.open("Packages/a.rpm") as stream:
        assert stream.fileno is not None
        assert os.fstat(stream.fileno).st_size == 9
        assert some(stream, 100) == b"a package"
        assert some(stream, 100) == b""


def test_a_directory_lists_files_with_sizes_and_links_with_minus_one(served: Path) -> None:
    (served / "link").symlink_to("big")

    with open_upstream(str(served)) as upstream:
        assert upstream.listing() == {"Packages/a.rpm": 9, "big": 102400, "link": -1}


def test_a_file_url_is_read_and_not_listed(tmp_path: Path) -> None:
    (tmp_path / "with blank").mkdir()
    (tmp_path / "with blank/a").write_bytes(b"1")

    with open_upstream(f"file://{tmp_path}/with%20blank") as upstream:
        assert read(upstream, "a") == b"1"
        assert upstream.listing() is None


def test_a_source_that_is_a_link_to_a_directory_is_followed(served: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(served)

    with open_upstream(str(tmp_path / "link")) as upstream:
        assert read(upstream, "Packages/a.rpm") == b"a package"


@pytest.mark.parametrize("path", ["nothing", "Packages/nothing", "big/below-a-file"])
def test_a_missing_file_of_a_directory_is_absent(served: Path, path: str) -> None:
    with (
        open_upstream(str(served)) as upstream,
        pytest.raises(AbsentError, match="is not there") as caught,
        upstream.open(path),
    ):
        pass
    assert caught.value.where == f"{served}/{path}"


@pytest.mark.parametrize("path", ["../secret", "/etc/passwd", "a//b", "", "./a", "a\0b"])
def test_a_name_outside_the_grammar_is_not_opened(served: Path, path: str) -> None:
    (served.parent / "secret").write_bytes(b"secret")

    with (
        open_upstream(str(served)) as upstream,
        pytest.raises(UpstreamError, match="the name"),
        upstream.open(path),
    ):
        pass


def test_links_and_fifos_of_a_directory_are_refused_without_waiting(served: Path) -> None:
    (served / "link").symlink_to("big")
    (served / "linked").symlink_to("Packages")
    os.mkfifo(served / "fifo")

    with open_upstream(str(served)) as upstream:
        for path, reason in {
            "link": "symbolic link",
            "linked/a.rpm": "symbolic link",
            "fifo": "not a regular file",
        }.items():
            with pytest.raises(UpstreamError, match=reason), upstream.open(path):
                pass


def test_a_missing_directory_is_named_with_a_hint(tmp_path: Path) -> None:
    with pytest.raises(UpstreamError, match="No such file") as caught:
        open_upstream(str(tmp_path / "nothing"))

    assert caught.value.where == str(tmp_path / "nothing")
    assert caught.value.hint is not None


@pytest.mark.parametrize("host", ["host", "host:8080", "[::1]"])
def test_a_password_in_the_source_is_refused_and_never_repeated(host: str) -> None:
    with pytest.raises(UsageError) as caught:
        open_upstream(f"https://alice:s3cret@{host}/repo")

    said = f"{caught.value} {caught.value.where} {caught.value.hint}"
    assert "user name or password" in said
    assert "s3cret" not in said
    assert "alice" not in said


@pytest.mark.parametrize(
    "source",
    [
        "ftp://host/repo",
        "rsync://host/repo",
        "http://",
        "https:///path",
        "http://[bad/repo",
        "http://host:port/repo",
        "http://host/repo?token=1",
        "http://host/repo#part",
        "http://host/a b",
        "http://host/\x1b[31m",
        "file://other/repo",
    ],
)
def test_what_is_no_source_is_refused(source: str) -> None:
    with pytest.raises(UsageError):
        open_upstream(source)
    with pytest.raises(UsageError):
        checked_source(source)


@pytest.mark.parametrize("source", ["/srv/repo", "file:///srv/repo", "http://host:80/repo/", "https://[::1]/repo"])
def test_a_source_that_can_be_opened_is_kept_as_it_is(source: str) -> None:
    assert checked_source(source) == source


def test_an_interruption_ends_a_read_that_is_blocked_and_all_further_tries() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        web(f"http://127.0.0.1:{server.getsockname()[1]}") as upstream,
    ):
        with ThreadPoolExecutor(1) as pool:
            reading = pool.submit(read, upstream, "silent")
            with server.accept()[0] as accepted:
                accepted.recv(1)
                upstream.interrupt()
                failure = reading.exception(timeout=5)

        assert isinstance(failure, UpstreamError)
        assert str(failure) == "fetching was given up"
        with pytest.raises(UpstreamError, match="given up"):
            read(upstream, "another")


def test_a_web_server_gives_bytes_over_one_connection(served: Path) -> None:
    with serving(served) as server, web(server.url + "/") as upstream:
        bodies = [read(upstream, path) for path in ("Packages/a.rpm", "big", "Packages/a.rpm")]

        assert bodies == [b"a package", (served / "big").read_bytes(), b"a package"]
        assert server.connections == 1
        assert upstream.listing() is None


def test_a_stream_of_the_web_has_no_descriptor(served: Path) -> None:
    with serving(served) as server, web(server.url) as upstream, upstream.open("big") as stream:
        assert stream.fileno is None


def test_a_body_left_unread_does_not_spoil_the_next_answer(served: Path) -> None:
    with serving(served) as server, web(server.url) as upstream:
        with upstream.open("big") as stream:
            some(stream, 10)

        assert read(upstream, "Packages/a.rpm") == b"a package"


@pytest.mark.parametrize("name", ["a b.rpm", "c++~1^2%3.rpm", "ünïcode.rpm", "#1;x=1&y.rpm"])
def test_names_are_escaped_for_the_web(served: Path, name: str) -> None:
    (served / name).write_bytes(b"1")

    with serving(served) as server, web(server.url) as upstream:
        assert read(upstream, name) == b"1"


def test_an_escape_in_a_name_is_left_as_upstream_wrote_it(served: Path) -> None:
    (served / "a+b.rpm").write_bytes(b"1")

    with serving(served) as server, web(server.url) as upstream:
        assert read(upstream, "a%2Bb.rpm") == b"1"


@pytest.mark.parametrize("status", [403, 404, 410])
def test_what_a_server_has_not_is_absent(served: Path, status: int) -> None:
    with serving(served) as server, web(server.url) as upstream:
        server.behave("big", Answer(status))

        with pytest.raises(AbsentError, match=f"the server answered {status}") as caught, upstream.open("big"):
            pass

        assert caught.value.where == f"{server.url}/big"
        assert server.requests == ["big"]


@pytest.mark.parametrize("status", [401, 402, 418, 204, 206, 304, 599])
def test_another_answer_is_an_error_at_once(served: Path, status: int) -> None:
    with serving(served) as server, web(server.url) as upstream:
        server.behave("big", Answer(status, headers={"Content-Length": "0"} if status in (204, 304) else {}))

        with pytest.raises(UpstreamError, match=f"the server answered {status}") as caught, upstream.open("big"):
            pass

        assert not isinstance(caught.value, AbsentError)
        assert server.requests == ["big"]


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_an_answer_that_may_pass_is_asked_for_again(served: Path, status: int) -> None:
    with serving(served) as server, web(server.url) as upstream:
        server.behave("big", Answer(status, times=3, headers={"Retry-After": "86400"}))

        assert read(upstream, "big") == (served / "big").read_bytes()
        assert server.requests == ["big"] * 4


def test_asking_again_has_an_end(served: Path) -> None:
    with serving(served) as server, web(server.url) as upstream:
        server.behave("big", Answer(503, times=FOR_EVER))

        with pytest.raises(UpstreamError, match="503 Service Unavailable"), upstream.open("big"):
            pass

        assert server.requests == ["big"] * 4


def test_a_connection_that_is_dropped_is_made_again(served: Path) -> None:
    with serving(served) as server, web(server.url) as upstream:
        server.behave("big", HangUp(times=2))

        assert len(read(upstream, "big")) == 102400


def test_a_body_that_is_cut_short_is_an_error(served: Path) -> None:
    with serving(served) as server, web(server.url) as upstream:
        server.behave("big", Cut(2500))

        with pytest.raises(UpstreamError, match="broke off") as caught:
            read(upstream, "big")

        assert caught.value.where == f"{server.url}/big"
        assert read(upstream, "big") == (served / "big").read_bytes()


def test_a_body_shorter_than_announced_is_an_error(served: Path) -> None:
    with serving(served) as server, web(server.url) as upstream:
        server.behave("Packages/a.rpm", WrongLength(10))

        with pytest.raises(UpstreamError, match="9 bytes came, 1 more"):
            read(upstream, "Packages/a.rpm")


def test_a_redirect_is_followed(served: Path) -> None:
    with serving(served) as mirror, serving(served) as server, web(server.url) as upstream:
        server.behave("moved", Redirect(f"{mirror.url}/Packages/a.rpm"))

        assert read(upstream, "moved") == b"a package"


def test_redirects_in_a_circle_have_an_end(served: Path) -> None:
    with serving(served) as server, web(server.url) as upstream:
        server.behave("big", Redirect("/big", times=FOR_EVER))

        with pytest.raises(UpstreamError, match="more than 5 redirects"), upstream.open("big"):
            pass


@pytest.mark.parametrize(
    "location", ["file:///etc/passwd", "ftp://127.0.0.1/x", "http://user:s3cret@127.0.0.1/x", "http://[bad/"]
)
def test_a_redirect_to_elsewhere_is_not_followed(served: Path, location: str) -> None:
    with serving(served) as server, web(server.url) as upstream:
        server.behave("big", Redirect(location))

        with pytest.raises(UpstreamError, match="redirected to") as caught, upstream.open("big"):
            pass

        assert "s3cret" not in f"{caught.value} {caught.value.where}"


def test_no_redirect_leads_from_https_to_http() -> None:
    assert redirect_target("https://a/x", "https://b/y", where="x") == "https://b/y"
    assert redirect_target("http://a/x", "https://b/y", where="x") == "https://b/y"

    with pytest.raises(UpstreamError, match="http://b, which is not followed"):
        redirect_target("https://a/x", "http://b/y", where="x")


def test_a_server_that_is_gone_is_soon_not_asked_any_more(served: Path) -> None:
    with serving(served) as server:
        url = server.url

    with web(url) as upstream:
        for number in range(8):
            with pytest.raises(UpstreamError, match="no answer: Connection refused"), upstream.open(f"file{number}"):
                pass
        with pytest.raises(UpstreamError, match="not asked for"), upstream.open("file8"):
            pass
