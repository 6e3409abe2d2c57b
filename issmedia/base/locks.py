"""A lock that one process holds at a time, and that says who."""

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path

from issmedia.base.errors import BusyError


@contextlib.contextmanager
def locked(path: Path, purpose: str, *, since: str) -> Iterator[None]:
    """Hold the lock file exclusively, or raise `BusyError` saying who holds it. The kernel frees it at any death."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as cause:
            message, look = _holder(fd)
            again = f"wait until it has ended, then run the same command again{look}"
            raise BusyError(message, where=str(path.parent), hint=again) from cause
        os.ftruncate(fd, 0)
        os.pwrite(fd, json.dumps({"pid": os.getpid(), "purpose": purpose, "since": since}).encode(), 0)
        yield
    finally:
        os.close(fd)


def _holder(fd: int) -> tuple[str, str]:
    """Say who holds a lock, and how to look at that process, where it is known."""
    try:
        facts = json.loads(os.pread(fd, 4096, 0))
        pid = int(facts["pid"])
        return f"busy: {facts['purpose']} since {facts['since']} by pid {pid}", f"; ps -fp {pid} shows it"
    except (ValueError, KeyError, TypeError):
        return "busy: another process holds the depot", ""
