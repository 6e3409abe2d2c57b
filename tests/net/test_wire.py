"""The wire: one thread that drives every transfer, and whom it wakes when."""

import os
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from issmedia.net.curl import Handle, TransferError
from issmedia.net.identity import Identity
from issmedia.net.wire import Wire
from tests.makers.raw_server import answering

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"


def asked(wire: Wire, url: str) -> Handle:
    """Ask for a URL over a connection of its own."""
    handle = Handle(Identity("http"), wire)
    handle.ask(url, [], timeout_s=10, steady=True)
    return handle


def test_a_head_is_given_before_there_is_a_body() -> None:
    gone, wire = threading.Event(), Wire()

    def only_a_head(client: socket.socket) -> None:
        client.sendall(HEAD)
        gone.wait(10)

    with answering(only_a_head) as url:
        assert asked(wire, url).length == 1_000_000
        wire.close()
        gone.set()


def test_what_came_is_given_before_there_is_more() -> None:
    gone, wire = threading.Event(), Wire()

    def a_beginning(client: socket.socket) -> None:
        client.sendall(HEAD + b"begin")
        gone.wait(10)

    with answering(a_beginning) as url:
        buffer = memoryview(bytearray(100))
        count = asked(wire, url).readinto(buffer)
        wire.close()
        gone.set()

    assert bytes(buffer[:count]) == b"begin"


def test_what_came_is_given_before_the_failure_that_followed() -> None:
    wire = Wire()
    with answering(lambda client: client.sendall(HEAD + b"begin")) as url:
        handle, buffer = asked(wire, url), memoryview(bytearray(100))
        count = handle.readinto(buffer)
        with pytest.raises(TransferError):
            handle.readinto(buffer)
        wire.close()

    assert bytes(buffer[:count]) == b"begin"


def test_a_wire_that_is_closed_fails_who_waits_and_who_comes_later() -> None:
    begun, gone, wire = threading.Event(), threading.Event(), Wire()

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


def test_a_transfer_that_nobody_reads_holds_up_no_other() -> None:
    gone, wire = threading.Event(), Wire()

    def endless(client: socket.socket) -> None:
        client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while not gone.is_set():
            client.sendall(bytes(1 << 16))

    with answering(endless) as busy, answering(lambda client: client.sendall(HEAD)) as other:
        asked(wire, busy)
        for _ in range(20):
            asked(wire, other).close()
        gone.set()
        wire.close()


def test_a_wire_leaves_no_file_open_and_no_thread() -> None:
    wire = Wire()
    with answering(lambda client: client.sendall(HEAD)) as url:
        handle = asked(wire, url)
        open_files = set(os.listdir("/proc/self/fd"))
        wire.close()
        handle.close()
        closed = open_files - set(os.listdir("/proc/self/fd"))

    assert len(closed) >= 3  # epoll, the bell, the connection
    assert "wire" not in [thread.name for thread in threading.enumerate()]
