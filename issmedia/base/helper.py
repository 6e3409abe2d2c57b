"""A helper: another Python of ours, and a line to it. It imports what this one does, and has nothing else of it.

What strangers wrote is read there.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import issmedia
from issmedia.base import sockets

_WORDS = 64 << 10
"""Bytes of what one says that could not start."""

_LOOK_S = 0.02
"""How often to look whether one has ended."""


def command(module: str) -> tuple[str, ...]:
    """Say how a module is run as a helper."""
    return (sys.executable, "-P", "-s", "-m", module)


class Helper:
    """Our end: the process, in a session of its own, and `line`, a stream of bytes and descriptors. `OSError` for none.

    Its last argument is the descriptor of its end (`sockets.our_line`). Threads may use this at once.
    """

    def __init__(self, command: Sequence[str]) -> None:
        self.line, theirs = sockets.pair()
        self._guard = threading.Lock()
        self._never = threading.Event()
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
        with self._guard:
            return not self.was_ended and not self._has_ended()

    @property
    def was_ended(self) -> bool:
        """Say whether it is known to have ended; nobody looks."""
        return self._process.returncode is not None

    def exit_code(self, *, within_s: float) -> int | None:
        """Wait until it has ended; give its exit code, negative for a signal, or None where that takes too long."""
        for _ in range(int(within_s / _LOOK_S) + 1):
            if not self.alive:
                self.kill()
                return self._process.returncode
            self._never.wait(_LOOK_S)
        return None

    def last_words(self) -> bytes:
        """End it, and give what it said when it could not start, or go on."""
        self.kill()
        with self._guard:
            if self._words is None:
                assert self._process.stderr
                with self._process.stderr as said:
                    self._words = _what_is_there(said.fileno())
            return self._words

    def kill(self) -> None:
        """End it, and its children, at once. Until it was waited for, its number is nobody else's."""
        with self._guard:
            if not self.was_ended:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self.pid, signal.SIGKILL)
                self._process.wait()

    def _has_ended(self) -> bool:
        """Look without waiting for it: then its children can still be ended with it."""
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def close(self) -> None:
        """End it; once more does nothing."""
        self.last_words()
        self.line.close()


def _what_is_there(fd: int) -> bytes:
    """Read from a pipe, but wait for nobody: whoever outlived the process may hold its other end."""
    os.set_blocking(fd, False)
    try:
        return os.read(fd, _WORDS)
    except BlockingIOError:
        return b""


def last_line(said: bytes) -> str:
    """Give the last line of what a helper said: of a traceback, the error. It is not to be trusted."""
    lines = said.decode("utf-8", "replace").split("\n")
    return next((line for line in reversed(lines) if line.strip()), "it said nothing")[:300]


def _environment() -> dict[str, str]:
    """Say where to import from as this process does, but where a `:` cannot be written; there is no more."""
    ours = str(Path(issmedia.__file__).parents[1])
    path = [one for one in dict.fromkeys([*sys.path, ours]) if one.startswith("/") and ":" not in one]
    return {"PYTHONPATH": ":".join(path), "LC_ALL": "C.UTF-8"}
