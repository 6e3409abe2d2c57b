"""Row 73, for the process that receives: little can be done there, and what it says is not believed."""

import contextlib
import sys
from pathlib import Path

import pytest

from issmedia.base.errors import IssmediaError
from issmedia.net.handle import Handle
from issmedia.net.identity import Identity
from issmedia.net.messages import TransferError
from issmedia.net.wire import Wire
from tests.makers.raw_server import saying

_BEGIN = """
import json
import socket
from issmedia.base.sockets import our_line

line = socket.socket(fileno=socket.recv_fds(our_line(), 1, 2)[1][0])
line.recv(1 << 20)
"""

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"


@pytest.mark.parametrize(
    "said",
    ["b'what?'", "told(ROOM + 1)", "told(-1)", "told('1')", "bytes(LONGEST + 1)", "failed(-1)", "failed(1 << 64)"],
)
def test_073_a_receiver_that_says_what_cannot_be_is_not_believed(said: str) -> None:
    """A receiver that a server has taken over answers with what is no message, or more bytes than there is room for."""
    with pytest.raises(TransferError, match="the receiver said what cannot be"):
        ask_of(
            f"""
import json
import socket
from issmedia.base.sockets import our_line
from issmedia.net.messages import LONGEST, ROOM

def told(size):
    return json.dumps([size, False]).encode()

def failed(errno):
    return json.dumps([0, False, None, -1, [7, "refused", errno]]).encode()

line = socket.socket(fileno=socket.recv_fds(our_line(), 1, 2)[1][0])
line.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
line.recv(1 << 20)
line.send({said})
line.recv(1 << 20)
"""
        )


def test_073_memory_that_is_shared_cannot_be_made_smaller() -> None:
    """It shrinks the memory that both share: whoever read there would die."""
    with pytest.raises(IssmediaError, match="PermissionError"):
        ask_of(
            """
import os, socket
from issmedia.base.sockets import our_line

os.ftruncate(socket.recv_fds(our_line(), 1, 2)[1][1], 0)
"""
        )


def test_073_the_receiver_can_write_no_file_and_has_nothing_of_our_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """It writes files, and looks for secrets in the environment."""
    monkeypatch.setenv("SECRET", "s3cret")
    with contextlib.closing(Wire()) as wire, saying(HEAD) as url:
        ask(wire, url)
        process = Path(f"/proc/{wire.pid}")

        assert "Max file size             0                    0" in (process / "limits").read_text()
        assert b"s3cret" not in (process / "environ").read_bytes()


def test_073_a_receiver_that_gives_nothing_without_end_is_not_listened_to() -> None:
    """It says again and again that there is more to come."""
    script = f"""
{_BEGIN}
line.send(json.dumps([0, True, [200, "", "", ""]]).encode())
while line.recv(1 << 20):
    line.send(json.dumps([0, True]).encode())
"""
    with (
        contextlib.closing(Wire((sys.executable, "-c", script))) as wire,
        contextlib.closing(Handle(Identity("http"), wire)) as handle,
    ):
        handle.ask("http://127.0.0.1:9/", [], timeout_s=10, steady=True)
        with pytest.raises(TransferError, match="the receiver said what cannot be"):
            handle.readinto(memoryview(bytearray(10)))


def test_073_what_a_receiver_leaves_behind_holds_up_nobody() -> None:
    """It leaves a process of its own session, which holds what the receiver could say."""
    script = f"""
{_BEGIN}
import os, time
if os.fork() == 0:
    os.setsid()
    time.sleep(5)
line.send(json.dumps([0, False, [200, "", "", ""]]).encode())
line.recv(1 << 20)
"""
    with contextlib.closing(Wire((sys.executable, "-c", script))) as wire:
        ask(wire, "http://127.0.0.1:9/")


def ask(wire: Wire, url: str) -> None:
    """Ask for a URL, and close the connection."""
    with contextlib.closing(Handle(Identity("http"), wire)) as handle:
        handle.ask(url, [], timeout_s=10, steady=True)


def ask_of(script: str) -> None:
    """Ask a receiver that is no more than a script."""
    with contextlib.closing(Wire((sys.executable, "-c", script))) as wire:
        ask(wire, "http://127.0.0.1:9/")
