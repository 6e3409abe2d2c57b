"""What a child may use, once and for all: memory, time, descriptors, and files of how many bytes."""

import os
import resource


def limit_resources(*, memory: int, seconds: int, written: int, descriptors: int) -> None:
    """Bound this process for good: address space in bytes, time on a processor, bytes of each file it writes.

    It can start no process and no thread, and leaves no dump. Pipes are no files.
    """
    for what, value in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, written),
        (resource.RLIMIT_NOFILE, descriptors),
        (resource.RLIMIT_NPROC, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(what)[1]
        least = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(what, (least, least))


def silence() -> None:
    """Send what libraries print to nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
