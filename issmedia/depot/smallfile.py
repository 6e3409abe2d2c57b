"""The few small files that say whom a site trusts and who it is: read whole, under a cap, never through a link."""

import errno
import os
import stat
from pathlib import Path

from issmedia.base.beneath import BeneathFile, Root
from issmedia.base.digest import take_all
from issmedia.base.errors import DepotError
from issmedia.base.files import sweep, system_error, write_atomic

MAX_BYTES = 1 << 20
"""The longest such file, in bytes."""


def read_small(path: Path, *, forbidden: int) -> bytes | None:
    """Read a file, or None where there is none.

    `DepotError` for a link, for what is no regular file, for more than 1 MiB, and for a mode with any bit of
    `forbidden`: a file that others can write says nothing, a private key that others can read is theirs.
    """
    try:
        with Root(path.parent) as root, root.open(path.name) as file:
            _require_mode(file, path, forbidden)
            return _content(file, path)
    except FileNotFoundError:
        return None
    except OSError as cause:
        if cause.errno == errno.ELOOP:
            raise DepotError("expected a file, found a symbolic link", where=str(path)) from cause
        raise system_error(cause, str(path)) from cause


def write_small(path: Path, data: bytes, mode: int) -> None:
    """Put `data` at `path` in one step; a disk that refuses is a `DepotError`.

    Sweeps what a killed writer left beside it: only under the depot's lock.
    """
    try:
        sweep(path.parent)
        write_atomic(path, data, mode)
    except OSError as cause:
        raise system_error(cause, str(path)) from cause


def _require_mode(file: BeneathFile, path: Path, forbidden: int) -> None:
    mode = stat.S_IMODE(os.fstat(file.fd).st_mode)
    if mode & forbidden:
        raise DepotError(
            f"mode {mode:04o} lets others at it",
            where=str(path),
            hint=f"see who has been there, then: chmod {mode & ~forbidden:04o} {path}",
        )


def _content(file: BeneathFile, path: Path) -> bytes:
    data, _ = take_all(file.readinto, limit=MAX_BYTES)
    if len(data) > MAX_BYTES:
        raise DepotError(f"expected at most {MAX_BYTES} bytes, found more", where=str(path))
    return data
