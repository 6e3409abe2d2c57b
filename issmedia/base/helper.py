"""A helper: another Python of ours, and a line to it. It imports what this one does, and has nothing else of it.

What strangers wrote is read there. A helper takes a tenth of a second to load; one that will be wanted may be begun
before who wants it is loaded itself.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import issmedia

_LENGTH = 8
"""Bytes of the number that says how long a job is."""

_WORDS = 1 << 20
"""Bytes of what one says that could not start."""


def command(module: str) -> tuple[str, ...]:
    """Say how a module is run as a helper."""
    return (sys.executable, "-P", "-s", "-m", module)


class Helper:
    """Our end: the process, in a session of its own, and `line`, a stream of bytes and descriptors. `OSError` for none.

    Its last argument is the descriptor of its end (`our_line`). Threads may use this at once.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self.line, theirs = socket.socketpair()
        self._guard = threading.Lock()
        self._words: bytes | None = None
        try:
            self._process = subprocess.Popen(
                [*command, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                pass_fds=[theirs.fileno()],
                env=_environment(),
                cwd="/",
                start_new_session=True,
            )
        except OSError:
            self.line.close()
            raise
        finally:
            theirs.close()
        self.pid = self._process.pid

    @property
    def alive(self) -> bool:
        """Say whether it runs: somebody may have ended it, say for want of memory."""
        return self._process.poll() is None

    def exit_code(self, *, within_s: float) -> int | None:
        """Wait until it has ended; give its exit code, negative for a signal, or None where that takes too long."""
        try:
            return self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            return None

    def last_words(self) -> bytes:
        """End it, and give what it said when it could not start, or go on."""
        self.kill()
        with self._guard:
            if self._words is None:
                assert self._process.stderr
                with self._process.stderr as said:
                    self._words = said.read(_WORDS)
            return self._words

    def kill(self) -> None:
        """End it, and its children, at once."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()

    def close(self) -> None:
        """End it; once more does nothing."""
        self.last_words()
        self.line.close()


def our_line() -> socket.socket:
    """Give the helper's end of the line, in the helper."""
    return socket.socket(fileno=int(sys.argv[-1]))


def send_job(line: socket.socket, job: bytes, fds: Sequence[int]) -> None:
    """Say a job of any length, with descriptors."""
    socket.send_fds(line, [len(job).to_bytes(_LENGTH)], fds)
    line.sendall(job)


def receive_job(line: socket.socket, most: int, count: int) -> tuple[bytes, list[int]] | None:
    """Receive a job of at most so many bytes, with so many descriptors; None where there is no other any more."""
    try:
        said, fds, _, _ = socket.recv_fds(line, _LENGTH, count)
        if not said or (length := int.from_bytes(said)) > most:
            return None
        job = bytearray(length)
        room = memoryview(job)
        while room:
            if not (came := line.recv_into(room)):
                return None
            room = room[came:]
    except OSError:
        return None
    return bytes(job), fds


_begun: dict[tuple[str, ...], Helper] = {}


def begin(command: tuple[str, ...]) -> None:
    """Start a helper for whoever wants it next. One that nobody takes ends with this process."""
    with contextlib.suppress(OSError):  # who wants it will say so
        _begun[command] = Helper(command)


def taken(command: tuple[str, ...]) -> Helper:
    """Give the helper that was begun, else a new one; `OSError` where none can be started."""
    return _begun.pop(command, None) or Helper(command)


def last_line(said: bytes) -> str:
    """Give the last line of what a helper said: of a traceback, the error. It is not to be trusted."""
    lines = said.decode("utf-8", "replace").split("\n")
    return next((line for line in reversed(lines) if line.strip()), "it said nothing")[:300]


def _environment() -> dict[str, str]:
    """Say where to import from as this process does, but where a `:` cannot be written; there is no more."""
    ours = str(Path(issmedia.__file__).parents[1])
    path = [one for one in dict.fromkeys([*sys.path, ours]) if one.startswith("/") and ":" not in one]
    return {"PYTHONPATH": ":".join(path), "LC_ALL": "C.UTF-8"}
