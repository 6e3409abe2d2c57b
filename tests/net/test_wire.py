"""The wire: a process that receives, what it hands over, and when."""

import contextlib
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from issmedia.base.errors import IssmediaError
from issmedia.net.handle import Handle
from issmedia.net.identity import Identity
from issmedia.net.messages import ROOM, TIMED_OUT, TransferError
from issmedia.net.wire import Wire
from tests.makers.raw_server import answering, endless, saying

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"


@contextlib.contextmanager
def asked(wire: Wire, url: str) -> Iterator[Handle]:
    """Ask for a URL over a connection of its own."""
    with contextlib.closing(Handle(Identity("http"), wire)) as handle:
        handle.ask(url, [], timeout_s=10, steady=True)
        yield handle


def test_a_head_is_given_before_there_is_a_body(wire: Wire) -> None:
    with saying(HEAD) as url, asked(wire, url) as handle:
        assert handle.length == 1_000_000


def test_what_came_is_given_before_there_is_more(wire: Wire) -> None:
    buffer = memoryview(bytearray(100))
    with saying(HEAD + b"begin") as url, asked(wire, url) as handle:
        assert bytes(buffer[: handle.readinto(buffer)]) == b"begin"


def test_what_came_is_given_before_the_failure_that_followed(wire: Wire) -> None:
    buffer = memoryview(bytearray(100))
    with answering(lambda client: client.sendall(HEAD + b"begin")) as url, asked(wire, url) as handle:
        assert bytes(buffer[: handle.readinto(buffer)]) == b"begin"
        with pytest.raises(TransferError):
            handle.readinto(buffer)


def test_a_body_of_many_turns_comes_in_order(wire: Wire) -> None:
    body = bytes(range(251)) * 20_000
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
    found, buffer = bytearray(), memoryview(bytearray(ROOM // 3))
    with answering(lambda client: client.sendall(head + body)) as url, asked(wire, url) as handle:
        while count := handle.readinto(buffer):
            found += buffer[:count]

        assert found == body
        assert handle.is_free


@pytest.mark.parametrize("steady", [False, True])
def test_a_server_that_is_silent_within_a_trailer_is_given_up(wire: Wire, steady: bool) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    with saying(head + b"3\r\nabc\r\n0\r\nX-A: b\r\n") as url:
        handle, buffer = Handle(Identity("http"), wire), memoryview(bytearray(100))
        handle.ask(url, [], timeout_s=0.5, steady=steady)
        with pytest.raises(TransferError) as caught:
            while handle.readinto(buffer):
                pass
        handle.close()

    assert caught.value.failure.code == TIMED_OUT


def test_a_body_that_is_cut_by_closing_is_not_taken_as_whole(wire: Wire) -> None:
    buffer = memoryview(bytearray(100))
    with saying(HEAD + b"begin") as url, asked(wire, url) as handle:
        assert handle.readinto(buffer) == 5
        wire.close()

        with pytest.raises(TransferError):
            handle.readinto(buffer)


def test_a_handle_that_was_closed_gives_nothing(wire: Wire) -> None:
    with saying(HEAD + b"begin") as url, asked(wire, url) as handle:
        handle.close()

        assert not handle.is_free
        with pytest.raises(TransferError):
            handle.readinto(memoryview(bytearray(100)))


def test_a_wire_that_is_closed_fails_who_waits_and_who_comes_later(wire: Wire) -> None:
    begun, gone = threading.Event(), threading.Event()

    def silent(client: socket.socket) -> None:
        begun.set()
        gone.wait(10)
        client.close()

    with answering(silent) as url, ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(ask, wire, url)
        assert begun.wait(10)

        wire.close()

        assert isinstance(waiting.exception(10), TransferError)
        with pytest.raises(TransferError):
            ask(wire, url)
        gone.set()


def test_a_transfer_that_nobody_reads_holds_up_no_other(wire: Wire) -> None:
    with (
        answering(endless(b"HTTP/1.1 200 OK\r\n\r\n")) as busy,
        answering(lambda client: client.sendall(HEAD)) as other,
        asked(wire, busy),
    ):
        for _ in range(20):
            ask(wire, other)


def test_a_wire_leaves_no_file_open_and_no_process(wire: Wire) -> None:
    before = os.listdir("/proc/self/fd")
    with saying(HEAD) as url:
        ask(wire, url)
        assert len(os.listdir("/proc/self/fd")) > len(before)
        wire.close()

    assert os.listdir("/proc/self/fd") == before
    assert not Path(f"/proc/{wire.pid}").exists()


def test_a_receiver_that_was_killed_fails_who_waits_and_is_replaced(wire: Wire) -> None:
    with saying(HEAD) as url, saying(HEAD) as other:
        with asked(wire, url) as handle:
            killed = wire.pid
            assert killed
            os.kill(killed, signal.SIGKILL)
            with pytest.raises(TransferError, match="the receiver was ended"):
                handle.readinto(memoryview(bytearray(100)))
        ask(wire, other)

    assert wire.pid != killed


def test_a_connection_is_free_no_more_when_it_was_ended_or_its_receiver_was(wire: Wire) -> None:
    whole = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    with (
        answering(lambda client: client.sendall(whole)) as url,
        asked(wire, url) as one,
        asked(wire, url) as other,
        asked(wire, url) as third,
    ):
        one.end()
        assert [handle.is_free for handle in (one, other, third)] == [False, True, True]

        assert wire.pid
        os.kill(wire.pid, signal.SIGKILL)
        with pytest.raises(TransferError):
            other.ask(url, [], timeout_s=10, steady=True)

        assert not third.is_free


def test_a_host_that_is_no_text_fails_its_own_transfer_alone(wire: Wire) -> None:
    buffer = memoryview(bytearray(100))
    with saying(HEAD + b"begin") as url, asked(wire, url) as handle:
        with pytest.raises(TransferError):
            ask(wire, "http://%ff%fe.invalid/")

        assert bytes(buffer[: handle.readinto(buffer)]) == b"begin"


def test_a_receiver_that_is_stuck_is_given_up_and_replaced() -> None:
    with saying(HEAD) as url, contextlib.closing(Wire(spare_s=0)) as wire:
        with contextlib.closing(Handle(Identity("http"), wire)) as handle:
            assert wire.pid
            os.kill(wire.pid, signal.SIGSTOP)
            with pytest.raises(TransferError, match="the receiver is stuck"):
                handle.ask(url, [], timeout_s=0.1, steady=True)
        ask(wire, url)


def test_a_head_that_trickles_without_end_is_silence(wire: Wire) -> None:
    gone = threading.Event()

    def trickle(client: socket.socket) -> None:
        client.sendall(b"HTTP/1.1 200 OK\r\nX: ")
        while not gone.wait(0.1):
            client.sendall(b"x")

    with answering(trickle) as url, contextlib.closing(Handle(Identity("http"), wire)) as handle:
        with pytest.raises(TransferError) as caught:
            handle.ask(url, [], timeout_s=0.2, steady=False)
        gone.set()

    assert caught.value.failure.code == TIMED_OUT


def test_a_receiver_that_does_not_start_is_no_fault_of_upstream() -> None:
    with pytest.raises(IssmediaError, match="the receiver failed: ModuleNotFoundError: No module named 'nothing'"):
        ask_of("import nothing")


def test_a_receiver_that_is_not_there_is_no_fault_of_upstream() -> None:
    with contextlib.closing(Wire(("/nothing/python",))) as wire, pytest.raises(IssmediaError, match="No such file"):
        ask(wire, "http://127.0.0.1:9/")


def ask(wire: Wire, url: str) -> None:
    """Ask for a URL, and close the connection."""
    with asked(wire, url):
        pass


def ask_of(script: str) -> None:
    """Ask a receiver that is no more than a script."""
    with contextlib.closing(Wire((sys.executable, "-c", script))) as wire:
        ask(wire, "http://127.0.0.1:9/")
