"""What imports refused, for the receipt: DEPOT/refusals.jsonl, one `Refusal` a line, oldest first.

It stands beside the catalog because a refusal leaves catalog, ledger and what clients see as they were (decision 015).
Nothing is decided by it. Whoever made a medium chose what a refusal says, so the texts are short, and there are few.
"""

from pathlib import Path

import msgspec

from issmedia.depot.smallfile import read_small, write_small
from issmedia.model.receipt import Refusal

MOST = 100
"""Refusals that are kept, the newest."""


class Refusals:
    """The file of a depot; add to it only under the depot's lock."""

    def __init__(self, depot: Path) -> None:
        self._path = depot / "refusals.jsonl"

    def newest(self, most: int) -> tuple[Refusal, ...]:
        """Give the newest refusals, newest first; lines that are damaged are passed over."""
        return tuple(reversed(self._kept()))[:most]

    def add(self, refusal: Refusal) -> None:
        """Keep one more, and the newest before it, in one step; one that says the same as another replaces it."""
        others = [one for one in self._kept() if (one.what, one.reason) != (refusal.what, refusal.reason)]
        kept = [*others, refusal][-MOST:]
        write_small(self._path, msgspec.json.Encoder().encode_lines(kept), 0o644)

    def _kept(self) -> list[Refusal]:
        lines = (read_small(self._path, forbidden=0o022) or b"").splitlines()
        return [one for one in map(_refusal, lines) if one is not None]


def _refusal(line: bytes) -> Refusal | None:
    try:
        return msgspec.json.decode(line, type=Refusal)
    except msgspec.MsgspecError:
        return None
