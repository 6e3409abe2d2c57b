"""The wire: one thread that drives every transfer, and whom it wakes when."""

import os
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from issmedia.net.curl import TIMED_OUT, Handle, TransferError
from issmedia.net.identity import Identity
from issmedia.net.wire import Wire
from tests.makers.raw_server import answering, endless, saying

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"


def asked(wire: Wire, url: str) -> Handle:
    """Ask for a URL over a connection of its own."""
    handle = Handle(Identity("http"), wire)
    handle.ask(url, [], timeout_s=10, steady=True)
    return handle


def test_a_head_is_given_before_there_is_a_body(wire: Wire) -> None:
    with saying(HEAD) as url:
        assert asked(wire, url).length == 1_000_000
        wire.close()


def test_what_came_is_given_before_there_is_more(wire: Wire) -> None:
    with saying(HEAD + b"begin") as url:
        buffer = memoryview(bytearray(100))
        count = asked(wire, url).readinto(buffer)
        wire.close()

    assert bytes(buffer[:count]) == b"begin"


def test_what_came_is_given_before_the_failure_that_followed(wire: Wire) -> None:
    with answering(lambda client: client.sendall(HEAD + b"begin")) as url:
        handle, buffer = asked(wire, url), memoryview(bytearray(100))
        count = handle.readinto(buffer)
        with pytest.raises(TransferError):
            handle.readinto(buffer)
        wire.close()

    assert bytes(buffer[:count]) == b"begin"


@pytest.mark.parametrize("steady", [False, True])
def test_a_server_that_is_silent_within_a_trailer_is_given_up(wire: Wire, steady: bool) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    with saying(head + b"3\r\nabc\r\n0\r\nX-A: b\r\n") as url:
        handle = Handle(Identity("http"), wire)
        handle.ask(url, [], timeout_s=0.5, steady=steady)
        buffer = memoryview(bytearray(100))
        with pytest.raises(TransferError) as caught:
            while handle.readinto(buffer):
                pass

    assert caught.value.failure.code == TIMED_OUT


def test_a_body_that_is_cut_by_closing_is_not_taken_as_whole(wire: Wire) -> None:
    with saying(HEAD + b"begin") as url:
        handle, buffer = asked(wire, url), memoryview(bytearray(100))
        assert handle.readinto(buffer) == 5
        wire.close()

        with pytest.raises(TransferError):
            handle.readinto(buffer)
        assert handle.length == -1


def test_a_wire_that_is_closed_fails_who_waits_and_who_comes_later(wire: Wire) -> None:
    begun, gone = threading.Event(), threading.Event()

    def silent(client: socket.socket) -> None:
        begun.set()
        gone.wait(10)
        client.close()

    with answering(silent) as url, ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(asked, wire, url)
        assert begun.wait(10)

        wire.close()

        assert isinstance(waiting.exception(10), TransferError)
        with pytest.raises(TransferError):
            asked(wire, url)
        gone.set()


def test_a_transfer_that_nobody_reads_holds_up_no_other(wire: Wire) -> None:
    with (
        answering(endless(b"HTTP/1.1 200 OK\r\n\r\n")) as busy,
        answering(lambda client: client.sendall(HEAD)) as other,
    ):
        asked(wire, busy)
        for _ in range(20):
            asked(wire, other).close()
        wire.close()


def test_a_wire_leaves_neither_a_file_open_nor_its_thread(wire: Wire) -> None:
    before = waited_on()
    with answering(lambda client: client.sendall(HEAD)) as url:
        handle = asked(wire, url)
        (thread,) = (one for one in threading.enumerate() if one.name == "wire")
        assert waited_on() > before
        wire.close()
        handle.close()

    assert waited_on() == before
    assert not thread.is_alive()


def waited_on() -> list[str]:
    """List what is open to wait for sockets, and to be woken."""
    links = [Path(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")]
    kinds = [os.readlink(link) for link in links if link.is_symlink()]
    return sorted(kind for kind in kinds if kind in ("anon_inode:[eventpoll]", "anon_inode:[eventfd]"))
