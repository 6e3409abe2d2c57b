"""Moves of names from tree to tree, as the ledger tells of them."""

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from issmedia.base.digest import Digest, is_digest


class Move(msgspec.Struct, frozen=True):
    """A repository whose name moves from one tree to another; None stands for no snapshot at all."""

    repository: str
    old: Digest | None
    new: Digest | None


def moved_facts(moves: Iterable[Move]) -> list[dict[str, str | None]]:
    """Write moves as the fact `moved` of a ledger entry."""
    return [{"repository": one.repository, "old": one.old, "new": one.new} for one in moves]


def moves_in(facts: Mapping[str, object]) -> Iterator[Move]:
    """Yield what an entry says it moved; whoever can write the catalog's file can write anything."""
    moved = facts.get("moved")
    for one in moved if isinstance(moved, list) else ():
        match one:
            case {"repository": str(path), "old": old, "new": new} if _is_tree(old) and _is_tree(new):
                yield Move(path, old, new)


def _is_tree(value: object) -> bool:
    return value is None or (isinstance(value, str) and is_digest(value))
