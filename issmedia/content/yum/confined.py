"""What a child may use, once and for all: memory, time, descriptors, and files of how many bytes; how it refuses."""

import os
import resource
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from issmedia.base.errors import FormatError
from issmedia.base.limits import bound, fall_silent
from issmedia.content.yum.parsed import MARK, REFUSED

_REASON = 2000
"""Bytes of a refusal."""


def limit_resources(*, memory: int, seconds: int, written: int, descriptors: int) -> None:
    """Bound this process for good: address space in bytes, time on a processor, bytes of each file it writes.

    It can start no process and no thread, and leaves no dump. Pipes are no files.
    """
    bound(
        {
            resource.RLIMIT_AS: memory,
            resource.RLIMIT_CPU: seconds,
            resource.RLIMIT_FSIZE: written,
            resource.RLIMIT_NOFILE: descriptors,
            resource.RLIMIT_NPROC: 0,
            resource.RLIMIT_CORE: 0,
        }
    )


@contextmanager
def refusing(*others: type[Exception], text: Callable[[Exception], str] = str) -> Iterator[None]:
    """Say on descriptor 2 why a `FormatError`, or one of the others, ends the block, and exit with `REFUSED`.

    Nothing else is heard there from now on: what libraries print goes nowhere. `text` puts an error into words.
    """
    refusals = os.dup(2)
    fall_silent()
    refused: tuple[type[Exception], ...] = (FormatError, *others)
    try:
        yield
    except refused as refusal:
        os.write(refusals, MARK + text(refusal).encode("utf-8", "backslashreplace")[:_REASON])
        sys.exit(REFUSED)
