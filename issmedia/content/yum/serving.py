"""The nursery's own end: it forks a child for each document, which is limited and dies with it.

Loaded by each child, so it imports little.
"""

import contextlib
import os
import sys
from collections.abc import Callable

from issmedia.base.sockets import our_line, receive_job

_JOB = 256 << 20
"""Bytes of the longest job: it may name all packages that are wanted."""


def serve(work: Callable[[bytes], None]) -> None:
    """Be the nursery: fork a child for each request on the descriptor that the last argument names."""
    with our_line() as line:
        while found := receive_job(line, most=_JOB, count=3):
            job, handles = found
            child = os.fork()
            if child == 0:
                _be_child(work, job, handles)
            for fd in handles:
                os.close(fd)
            _, status = os.waitpid(child, 0)
            line.sendall(b"%d" % os.waitstatus_to_exitcode(status))


def _be_child(work: Callable[[bytes], None], job: bytes, handles: list[int]) -> None:
    """Do the work with document, output and refusals as descriptors 0, 1 and 2, and nothing else; never returns."""
    code = 1
    try:
        for standard, fd in enumerate(handles):
            os.dup2(fd, standard)
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))
        work(job)
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)
