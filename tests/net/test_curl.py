"""libcurl does what is said here, and takes nothing from its surroundings."""

import contextlib
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pycurl
import pytest

from issmedia.base.errors import UpstreamError
from issmedia.model.transport import Transport
from issmedia.net import messages
from issmedia.net.handle import Handle
from issmedia.net.identity import Identity
from issmedia.net.messages import Failure, TransferError
from issmedia.net.upstream import open_upstream
from issmedia.net.wire import Wire
from tests.makers.http_server import Answer, serving
from tests.makers.raw_server import answering, endless
from tests.makers.streams import whole
from tests.makers.tls import Authority
from tests.makers.webs import read, web

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"


def asked(handle: Handle, url: str) -> bytes:
    """Ask for a URL, and read the body to its end."""
    handle.ask(url, [], timeout_s=10, steady=True)
    buffer, data = memoryview(bytearray(1000)), bytearray()
    while count := handle.readinto(buffer):
        data += buffer[:count]
    return bytes(data)


def test_the_codes_of_failures_are_libcurls() -> None:
    named = (messages.REFUSED, messages.CUT_SHORT, messages.TIMED_OUT, messages.NO_HOST, messages.NO_PROXY)
    others = (messages.NOT_TRUSTED, messages.CLOSED, messages.NO_HTTP)
    of_tls = (pycurl.E_SSL_CERTPROBLEM, pycurl.E_SSL_CIPHER, pycurl.E_SSL_CACERT_BADFILE, pycurl.E_SSL_ISSUER_ERROR)
    may_be = (pycurl.E_SSL_CONNECT_ERROR, pycurl.E_RECV_ERROR, pycurl.E_SEND_ERROR)

    assert named == (
        pycurl.E_COULDNT_CONNECT,
        pycurl.E_PARTIAL_FILE,
        pycurl.E_OPERATION_TIMEDOUT,
        pycurl.E_COULDNT_RESOLVE_HOST,
        pycurl.E_COULDNT_RESOLVE_PROXY,
    )
    assert others == (pycurl.E_PEER_FAILED_VERIFICATION, pycurl.E_GOT_NOTHING, pycurl.E_FTP_WEIRD_SERVER_REPLY)
    assert all(Failure(code, "").is_tls for code in (*of_tls, pycurl.E_SSL_INVALIDCERTSTATUS))
    assert [Failure(code, text).is_tls for code in may_be for text in ("SSL routines", "")] == [True, False] * 3


def test_a_handle_keeps_its_connection(served: Path, wire: Wire) -> None:
    handle = Handle(Identity("http"), wire)
    with serving(served) as server:
        bodies = [asked(handle, f"{server.url}/{path}") for path in ("big", "small", "big")]
        handle.close()

    assert bodies == [(served / path).read_bytes() for path in ("big", "small", "big")]
    assert server.connections == 1


def test_what_was_not_read_to_its_end_leaves_a_handle_that_is_not_free(served: Path, wire: Wire) -> None:
    handle = Handle(Identity("http"), wire)
    with serving(served) as server:
        handle.ask(f"{server.url}/big", [], timeout_s=10, steady=True)
        handle.readinto(memoryview(bytearray(10)))

        assert not handle.is_free
        handle.close()


def test_a_connection_that_the_server_closed_is_made_again(served: Path, wire: Wire) -> None:
    handle = Handle(Identity("http"), wire)
    with serving(served) as server:
        asked(handle, f"{server.url}/small")
        server.hang_up()

        assert asked(handle, f"{server.url}/small") == b"a package"
        handle.close()


def test_a_server_that_is_silent_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        with (
            open_upstream(url, Transport(tries=1, timeout_s=0.1)) as upstream,
            pytest.raises(UpstreamError, match="no answer: the host is silent"),
            upstream.open("x"),
        ):
            pass


def test_a_server_that_only_trickles_is_given_up_as_a_silent_one() -> None:
    gone = threading.Event()

    def trickle(client: socket.socket) -> None:
        client.sendall(HEAD)
        while not gone.wait(0.1):
            client.sendall(b"x")

    with answering(trickle) as url, open_upstream(url, Transport(tries=1, timeout_s=1)) as upstream:
        with pytest.raises(UpstreamError, match="broke off: the host is silent"), upstream.open("x") as stream:
            whole(stream)
        gone.set()


def test_a_host_that_only_connects_is_ended_by_an_interruption() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        ThreadPoolExecutor(1) as pool,
        web(f"https://127.0.0.1:{server.getsockname()[1]}") as upstream,
    ):
        blocked = pool.submit(read, upstream, "x")
        with server.accept()[0] as accepted:
            accepted.recv(1)  # what begins TLS

            upstream.interrupt()

            assert isinstance(blocked.exception(5), UpstreamError)


def test_the_environment_names_no_proxy_and_a_netrc_no_password(
    served: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".netrc").write_text("default login alice password s3cret\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("http_proxy", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    with serving(served) as server, web(server.url) as upstream:
        assert read(upstream, "small") == b"a package"

    assert "Authorization" not in server.headers[0][1]


def test_a_chosen_proxy_is_asked_whatever_the_environment_excepts(
    served: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "*")

    with serving(served) as proxy, web("http://mirror.invalid/", proxy=proxy.url) as upstream:
        assert read(upstream, "small") == b"a package"


def test_a_proxy_may_speak_tls(served: Path, authority: Authority) -> None:
    with serving(served, tls=authority.server()) as proxy:
        with web("http://mirror.invalid/", proxy=proxy.url, ca_bundle=str(authority.bundle)) as upstream:
            assert read(upstream, "small") == b"a package"
        with (
            web("http://mirror.invalid/", proxy=proxy.url) as upstream,
            pytest.raises(UpstreamError, match="no answer: TLS: "),
        ):
            read(upstream, "small")


def test_a_proxy_that_grants_no_tunnel_is_told_from_the_server() -> None:
    refused = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"

    with (
        answering(lambda client: client.sendall(refused)) as proxy,
        web("https://mirror.invalid/", proxy=proxy, tries=1) as upstream,
        pytest.raises(UpstreamError, match="no answer: the proxy answered 407 Proxy Authentication") as caught,
    ):
        read(upstream, "small")

    assert "proxy_password" in str(caught.value.hint)


def test_the_systems_authorities_are_those_that_openssl_is_told(
    served: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.bundle))

    with serving(served, tls=authority.server()) as server, web(server.url) as upstream:
        assert read(upstream, "small") == b"a package"


def test_a_chosen_authority_takes_the_place_of_the_systems(
    served: Path, tmp_path: Path, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.bundle))
    other = Authority(tmp_path / "other", "other")

    with (
        serving(served, tls=authority.server()) as server,
        web(server.url, ca_bundle=str(other.bundle)) as upstream,
        pytest.raises(UpstreamError, match="certificate verify failed"),
    ):
        read(upstream, "small")


def test_a_cookie_and_another_service_are_forgotten(served: Path) -> None:
    said = {"Set-Cookie": "a=b", "Alt-Svc": 'h2="127.0.0.1:9"', "Strict-Transport-Security": "max-age=1000"}
    with serving(served) as server, web(server.url) as upstream:
        server.behave("small", Answer(404, headers=said))
        with pytest.raises(UpstreamError, match="404"):
            read(upstream, "small")

        read(upstream, "small")

    assert "Cookie" not in server.headers[1][1]


@pytest.mark.parametrize("reply", [b"<html>no head</html>", b"HTTP/1.1 OK\r\n\r\nx"])
def test_an_answer_without_a_head_is_none(reply: bytes, wire: Wire) -> None:
    with answering(lambda client: client.sendall(reply)) as url:
        handle = Handle(Identity("http"), wire)
        with pytest.raises(TransferError):
            handle.ask(url, [], timeout_s=10, steady=True)
        handle.close()


def test_an_answer_after_too_many_announcements_is_none_though_all_comes_at_once(wire: Wire) -> None:
    said = b"HTTP/1.1 100 Continue\r\n\r\n" * 9 + b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx"
    with answering(lambda client: client.sendall(said)) as url:
        handle = Handle(Identity("http"), wire)
        with pytest.raises(TransferError, match="it announces answers and gives none"):
            handle.ask(url, [], timeout_s=10, steady=True)
        handle.close()


@pytest.mark.parametrize("byte", [b"\xff", b"\x01", b"/"])
def test_an_answer_with_a_location_without_end_is_none(byte: bytes, wire: Wire) -> None:
    said = b"HTTP/1.1 302 Found\r\nLocation: /" + byte * 90_000 + b"\r\nContent-Length: 0\r\n\r\n"
    with answering(lambda client: client.sendall(said)) as url:
        handle = Handle(Identity("http"), wire)
        with pytest.raises(TransferError, match="a line of its head has no end"):
            handle.ask(url, [], timeout_s=10, steady=True)
        handle.close()


def test_what_is_asked_for_has_an_end(wire: Wire) -> None:
    with contextlib.closing(Handle(Identity("http"), wire)) as handle, pytest.raises(TransferError, match="too long"):
        handle.ask("http://127.0.0.1:9/" + "x" * 200_000, [], timeout_s=10, steady=True)


def test_no_more_waits_in_memory_than_one_step_receives(wire: Wire) -> None:
    with answering(endless(b"HTTP/1.1 200 OK\r\n\r\n")) as url:
        handle = Handle(Identity("http"), wire)
        handle.ask(url, [], timeout_s=10, steady=True)
        before = most_memory(wire)
        buffer = memoryview(bytearray(100_000))
        for _ in range(1000):
            handle.readinto(buffer)
        most = most_memory(wire) - before
        handle.close()

    assert most <= 4 << 20


def most_memory(wire: Wire) -> int:
    """Give the most bytes of memory that the receiver had."""
    status = Path(f"/proc/{wire.pid}/status").read_text()
    return 1024 * int(status.partition("VmHWM:")[2].split()[0])
