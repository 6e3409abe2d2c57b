"""xorriso, run as a child: what it is given of our environment, how it ends, and what it says where it fails.

It ends with us however we end: when the block that runs it is left it is stopped and reaped. Killed with no time for
that, we leave it a closed pipe, at which it ends by itself; where it writes to a file, the kernel kills it then.
"""

import contextlib
import errno
import fcntl
import os
import re
import signal
import subprocess
import threading
from collections.abc import Iterator, Sequence
from typing import IO

import msgspec

from issmedia.base.digest import CHUNK
from issmedia.base.errors import IssmediaError, MiscountedError
from issmedia.model.names import shown

PROGRAM = "xorriso"

PIPE = subprocess.PIPE
NOWHERE = subprocess.DEVNULL

_ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LC_ALL": "C.UTF-8",
    "TZ": "UTC",
}
"""All that it sees: what an image holds may not depend on who makes it."""

_SAID = 64 << 10
"""How much of its messages is kept, in bytes: the newest."""

_WIDE = 1 << 20
"""Bytes that wait in a pipe."""

_TROUBLE = ("FATAL", "FAILURE", "MISHAP", "SORRY", "ABORT", "WARNING")
"""Words by which it tells what is wrong, the worst first."""

_LINE = re.compile(r"\w+ ?: ((\w+) : .*)")
"""What is said, and how bad it is: `xorriso : FAILURE : …`, `libisofs: FATAL : …`."""

_FULL = (os.strerror(errno.ENOSPC), os.strerror(errno.EDQUOT))
_NO_ROOM = "exceeds free space on media"
_MISCOUNTED = "Image is most likely damaged"


class Call(msgspec.Struct, frozen=True):
    """One call: its `arguments`; `epoch` is the time it takes for now, in seconds since 1970, where that matters.

    `patience_s` is how long it has to end when it is stopped, before it is killed: a drive wants to end what it does.
    What it gives on stdout can be `read` from a PIPE, goes NOWHERE, or into the file that is open as `output`.
    """

    arguments: Sequence[str]
    program: str = PROGRAM
    epoch: int | None = None
    patience_s: float = 0
    output: int = PIPE

    @property
    def environment(self) -> dict[str, str]:
        """Give what it sees of an environment."""
        return _ENVIRONMENT if self.epoch is None else {**_ENVIRONMENT, "SOURCE_DATE_EPOCH": str(self.epoch)}


class Running:
    """A xorriso that runs. What it says on stderr is kept, the newest 64 KiB of it."""

    def __init__(self, call: Call) -> None:
        self._process = _started(call) if call.output < 0 else _bound(call)
        self._said = b""
        self._call = call
        self._listener = threading.Thread(target=self._listen, name="xorriso's messages", daemon=True)
        self._listener.start()
        if self._process.stdout is not None:
            _widen(self._process.stdout)

    def feed(self, data: bytes) -> None:
        """Give it input; `BrokenPipeError` where it takes no more."""
        view = memoryview(data)
        while view:
            view = view[_pipe(self._process.stdin).write(view) :]

    def end_feeding(self) -> None:
        """Tell it that no input follows."""
        _pipe(self._process.stdin).close()

    def read(self, size: int = CHUNK) -> bytes:
        """Read up to `size` bytes of what it gives; empty at the end."""
        return _pipe(self._process.stdout).read(size)

    def has_ended_within(self, seconds: float) -> bool:
        """Wait so long at most; say whether it has ended."""
        self._listener.join(seconds)
        return not self._listener.is_alive()

    def wait(self) -> None:
        """Wait until it ends; an `IssmediaError` with its own words where it did not end well.

        `OSError`, ENOSPC, where a disk was full; `MiscountedError`.
        """
        code = self._process.wait()
        self._listener.join()
        if code != 0:
            self._refuse(code)

    def stop(self) -> None:
        """See to it that it has ended, and let go of it; what it was doing is lost."""
        with contextlib.suppress(OSError):
            _pipe(self._process.stdin).close()
        if self._process.poll() is None:
            self._end()
        self._process.wait()
        self._listener.join()
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()

    def _end(self) -> None:
        if self._call.patience_s:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(self._call.patience_s)
        self._process.kill()

    def _refuse(self, code: int) -> None:
        text = self._said.decode("utf-8", "replace")
        full = (*_FULL, _NO_ROOM) if self._call.output >= 0 else _FULL
        if any(words in text for words in full):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        error = MiscountedError if _MISCOUNTED in text else IssmediaError
        raise error(f"xorriso ended with code {code}: {said(self._said)}")

    def _listen(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            while data := _pipe(self._process.stderr).read(CHUNK):
                self._said = (self._said + data)[-_SAID:]


@contextlib.contextmanager
def running(call: Call) -> Iterator[Running]:
    """Run xorriso while the block runs; left early, it is stopped."""
    child = Running(call)
    try:
        yield child
    finally:
        child.stop()


def answer(call: Call, *, limit: int = 1 << 20) -> str:
    """Run it to its end; give what it wrote to stdout, at most `limit` bytes."""
    with running(call) as child:
        parts = [child.read()]
        while parts[-1] and sum(map(len, parts)) < limit:
            parts.append(child.read())
        child.wait()
    return b"".join(parts).decode("utf-8", "replace")


def said(messages: bytes) -> str:
    """Find the line that tells what was wrong, safe to print."""
    lines = messages.decode("utf-8", "replace").strip().splitlines()
    found = [match for match in map(_LINE.match, lines) if match]
    told = [match[1] for word in _TROUBLE for match in found if match[2] == word]
    line = told[0] if told else lines[-1] if lines else "it did not say why"
    return shown(line.strip())


def _bound(call: Call) -> subprocess.Popen[bytes]:
    """Start it so that it is killed when its input ends, for nothing else would tell it that we were killed."""
    inner, outer = os.pipe()
    with contextlib.ExitStack() as unless_started:
        unless_started.callback(os.close, outer)
        try:
            process = _started(call, inner)
            with contextlib.suppress(OSError):  # where that is not allowed, it writes on until it is done
                fcntl.fcntl(inner, fcntl.F_SETOWN, process.pid)
                fcntl.fcntl(inner, fcntl.F_SETSIG, signal.SIGKILL)
                fcntl.fcntl(inner, fcntl.F_SETFL, os.O_ASYNC)
        finally:
            os.close(inner)
        unless_started.pop_all()
    process.stdin = os.fdopen(outer, "wb", 0)
    return process


def _started(call: Call, source: int = PIPE) -> subprocess.Popen[bytes]:
    """Start it; in a session of its own, so that an interruption reaches it through us only."""
    try:
        return subprocess.Popen(
            [call.program, *call.arguments],
            stdin=source,
            stdout=call.output,
            stderr=PIPE,
            env=call.environment,
            bufsize=0,
            start_new_session=True,
        )
    except FileNotFoundError as cause:
        raise IssmediaError(
            "xorriso is not installed",
            hint="dnf install xorriso; or: apt install xorriso, zypper install xorriso",
        ) from cause


def _widen(pipe: IO[bytes]) -> None:
    """Let more wait in a pipe, where the system allows: each end is woken less often."""
    with contextlib.suppress(OSError):
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _WIDE)


def _pipe(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None
    return pipe
