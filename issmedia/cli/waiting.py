"""Asking for the next volume, on a terminal: it is noticed when it is there, or when Enter is pressed."""

import contextlib
import select
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from issmedia.base.digest import Digest, digest_of
from issmedia.base.errors import FormatError, NotIntactError
from issmedia.bundle import layout
from issmedia.bundle.reader import expanded, open_volume, read_capped
from issmedia.model.arrivals import Arrival
from issmedia.model.names import shown

_EVERY_S = 1.0

Marks = frozenset[Digest]
"""What lies at the paths now: digests of the README found, each of which names its bundle and volume."""

_MAX_README = 1 << 20


def can_ask() -> bool:
    """Say whether somebody is there to be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def marks(paths: Sequence[Path]) -> Marks:
    """Look which volumes are there; what cannot be read is none."""
    return frozenset(_mark(path) for path in expanded(paths) if _is_there(path))


def ask(waiting: Sequence[Arrival], paths: Sequence[Path], before: Marks, chain: str) -> None:
    """Ask for any of these volumes, and return once something else is there, or at Enter.

    Where all that was there is gone, the same volume again is something else: it may be another copy.
    """
    sys.stderr.write(question(waiting, paths, chain) + "\n")
    sys.stderr.flush()
    while (found := marks(paths)) == before or not any(found):
        before = before if any(found) else found
        if select.select([sys.stdin], [], [], _EVERY_S)[0]:
            sys.stdin.readline()
            return


def question(waiting: Sequence[Arrival], paths: Sequence[Path], chain: str) -> str:
    """Say which volumes to bring where; while nothing of a bundle came, any of it."""
    wanted = "volume " + _or(f"{one.volume.number} ({one.volume.label})" for one in waiting) if waiting else "a volume"
    at = _or(shown(str(path)) for path in paths)
    of = f"{shown(chain)}: " if waiting else ""
    return f"{of}put {wanted} at {at}; it is noticed, or press Enter. Ctrl-C stops, nothing is lost."


def _or(items: Iterable[str]) -> str:
    *first, last = items
    return f"{', '.join(first)} or {last}" if first else last


def _is_there(path: Path) -> bool:
    with contextlib.suppress(OSError):
        return path.exists()
    return False


def _mark(path: Path) -> Digest:
    with contextlib.suppress(FormatError, NotIntactError), open_volume(path) as volume:
        return digest_of(read_capped(volume, layout.README, _MAX_README))
    return Digest("")
