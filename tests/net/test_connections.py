"""Connections that several repositories share: how many, and who never gets whose."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from issmedia.base.errors import UpstreamError
from issmedia.model.transport import Transport
from issmedia.net.connections import Connections
from issmedia.net.manners import Manners
from issmedia.net.upstream import open_upstream
from issmedia.net.web import HttpUpstream
from tests.makers.http_server import FOR_EVER, Answer, Before, HttpServer, Silence, serving
from tests.makers.streams import some
from tests.makers.tls import Authority
from tests.makers.webs import read, secret_file


@pytest.fixture
def served(tmp_path: Path) -> Path:
    """Files to serve, in three repositories."""
    for label in "abc":
        (tmp_path / "web" / label).mkdir(parents=True)
        (tmp_path / "web" / label / "file").write_bytes(label.encode() * 1000)
    return tmp_path / "web"


@pytest.fixture
def server(served: Path) -> Iterator[HttpServer]:
    """Serve them."""
    with serving(served) as server:
        yield server


def opened(url: str, connections: Connections, **said: str) -> HttpUpstream:
    """Open a repository over shared connections."""
    manners = Manners(timeout_s=10, backoff_s=0)
    upstream = open_upstream(url, Transport(**said), manners=manners, connections=connections)  # type: ignore[arg-type]
    assert isinstance(upstream, HttpUpstream)
    return upstream


def test_repositories_on_one_host_share_a_connection(server: HttpServer) -> None:
    with Connections() as connections:
        for label in "abc":
            with opened(f"{server.url}/{label}", connections) as upstream:
                assert read(upstream, "file") == label.encode() * 1000

    assert server.connections == 1


def test_a_file_that_is_absent_does_not_cost_the_connection(server: HttpServer) -> None:
    with Connections() as connections, opened(server.url, connections) as upstream:
        for path in ("nothing", "a/file", "nothing", "b/file"):
            with suppress(UpstreamError):
                read(upstream, path)

    assert server.connections == 1


def test_a_long_refusal_is_not_read(server: HttpServer, served: Path) -> None:
    with Connections() as connections, opened(server.url, connections) as upstream:
        server.behave("a/file", Answer(403, headers={"Content-Length": "1000000"}))
        with pytest.raises(UpstreamError, match="403"):
            read(upstream, "a/file")
        read(upstream, "b/file")

    assert server.connections == 2


def test_no_more_are_in_use_at_a_time_than_were_allowed(server: HttpServer) -> None:
    under_way, most, guard = [0], [0], threading.Lock()

    def enter() -> None:
        with guard:
            under_way[0] += 1
            most[0] = max(most[0], under_way[0])

    class Leaving:
        def __enter__(self) -> None: ...

        def __exit__(self, *_: object) -> None:
            with guard:
                under_way[0] -= 1

    server.behave("a/file", Before(enter, times=FOR_EVER))

    def fetch(upstream: HttpUpstream) -> None:
        with upstream.open("file") as stream, Leaving():
            some(stream, 10)

    with Connections(2) as connections, ThreadPoolExecutor(6) as pool:
        upstreams = [opened(f"{server.url}/a", connections) for _ in range(6)]
        list(pool.map(fetch, upstreams * 5))

    assert most[0] <= 2


def test_a_certificate_is_shown_for_the_repository_that_names_it_alone(served: Path, tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    client = authority.issue("client")
    names = {"client_cert": str(client.certificate), "client_key": str(client.key)}
    with serving(served, tls=authority.server(asks_clients=True)) as server, Connections() as connections:
        with opened(f"{server.url}/a", connections, ca_bundle=str(authority.bundle), **names) as entitled:
            assert read(entitled, "file") == b"a" * 1000
        stranger = opened(f"{server.url}/a", connections, ca_bundle=str(authority.bundle))

        with pytest.raises(UpstreamError):
            read(stranger, "file")

    assert server.requests == ["a/file"]


def test_a_connection_that_trusts_one_authority_is_not_used_where_another_is_demanded(
    served: Path, tmp_path: Path
) -> None:
    ours, theirs = Authority(tmp_path / "ca"), Authority(tmp_path / "other", "other")
    with serving(served, tls=ours.server()) as server, Connections() as connections:
        with opened(f"{server.url}/a", connections, ca_bundle=str(ours.bundle)) as good:
            read(good, "file")
        other = opened(f"{server.url}/a", connections, ca_bundle=str(theirs.bundle))

        with pytest.raises(UpstreamError, match="TLS"):
            read(other, "file")


def test_a_password_is_sent_for_the_repository_that_names_it_alone_and_over_its_own_connection(
    served: Path, tmp_path: Path
) -> None:
    authority = Authority(tmp_path / "ca")
    secret = secret_file(tmp_path / "secret", "bearer = t0ken\n")
    with serving(served, tls=authority.server()) as server, Connections() as connections:
        for label, more in (("a", {"credentials": secret}), ("b", {}), ("c", {"credentials": secret})):
            with opened(f"{server.url}/{label}", connections, ca_bundle=str(authority.bundle), **more) as upstream:
                read(upstream, "file")

    sent = {path: headers.get("Authorization") for path, headers in server.headers}
    assert sent == {"a/file": "Bearer t0ken", "b/file": None, "c/file": "Bearer t0ken"}
    assert server.connections == 2


def test_an_interruption_of_one_repository_ends_none_of_another(server: HttpServer) -> None:
    silence, gate = Silence(threading.Event()), threading.Event()
    server.behave("a/file", silence)
    server.behave("b/file", Before(lambda: gate.wait(10)))
    with Connections() as connections, ThreadPoolExecutor(2) as pool:
        a, b = (opened(f"{server.url}/{label}", connections) for label in "ab")
        blocked, other = pool.submit(read, a, "file"), pool.submit(read, b, "file")
        assert silence.reached.wait(10)

        a.interrupt()

        assert isinstance(blocked.exception(10), UpstreamError)
        gate.set()
        assert other.result(10) == b"b" * 1000


def test_an_interruption_ends_a_request_over_a_connection_that_served_before(server: HttpServer) -> None:
    silence = Silence(threading.Event())
    server.behave("b/file", silence)
    with Connections() as connections, opened(server.url, connections) as upstream, ThreadPoolExecutor(1) as pool:
        read(upstream, "a/file")
        blocked = pool.submit(read, upstream, "b/file")
        assert silence.reached.wait(10)

        upstream.interrupt()

        assert isinstance(blocked.exception(10), UpstreamError)
    assert server.connections == 1


def test_the_rate_of_the_run_holds_for_all_repositories_together(server: HttpServer) -> None:
    waited: list[float] = []
    with Connections(rate=1000, wait=waited.append) as connections:
        for label in "ab":
            with opened(f"{server.url}/{label}", connections) as upstream:
                read(upstream, "file")

    assert sum(waited) == pytest.approx(2.0)
