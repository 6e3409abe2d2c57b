"""rollback: names move back to trees they had before. The ledger tells where from.

A rollback is a move of names like an import or a sync, so another one undoes it. One that died before clients saw it
is not undone by the same command again, but finished.
"""

from collections.abc import Iterator, Sequence

import msgspec

from issmedia.base.digest import Digest
from issmedia.base.errors import DamagedBlobError, DepotError, Problem, UsageError
from issmedia.depot.catalog import Session
from issmedia.depot.depot import Depot, OwnedDepot
from issmedia.depot.publish import Publications
from issmedia.depot.store import Store
from issmedia.model.move import Move, moved_facts, moves_in
from issmedia.model.names import shown
from issmedia.model.tree import blobs_of

_MOVING = ("import", "sync", "rollback")
"""Events of the ledger that move names."""


class Cause(msgspec.Struct, frozen=True):
    """An entry of the ledger that moved names."""

    number: int
    event: str
    time: str


class Rollback(msgspec.Struct, frozen=True):
    """What a rollback does: which names it moves, and which entries of the ledger that undoes.

    `finishes` are earlier rollbacks that moved their names and died before clients saw it. `repositories` are all that
    clients shall see anew.
    """

    moved: tuple[Move, ...]
    undoes: tuple[Cause, ...]
    finishes: tuple[Cause, ...]
    repositories: tuple[str, ...]


class _Moving(msgspec.Struct, frozen=True):
    """Moves of one entry of the ledger whose repositories still stand where it brought them."""

    cause: Cause
    published: bool
    moves: tuple[Move, ...]


def plan_rollback(depot: Depot, what: Sequence[str] = (), *, to: int | None = None, publish: bool = True) -> Rollback:
    """Say what a rollback would do; changes nothing.

    Nothing named: what the newest move moved. PRODUCT/REPO named: each to the tree before its own newest move. `to` is
    the number of a snapshot of the one repository that is named, 1 the oldest. `DepotError` names every tree that is
    not whole here any more.
    """
    with depot.catalog.reading() as db:
        _require_known(db, what)
        plan = _undoing(depot, _newest(db, what), publish=publish) if to is None else _numbered(db, what, to)
        _require_whole(db, depot.store, plan.moved)
        return plan


def roll_back(plan: Rollback, depot: OwnedDepot, *, publish: bool, now: str) -> None:
    """Move the names, all or none. `publish` says that the caller will show clients next."""
    if not plan.moved:
        return
    facts = {
        "moved": moved_facts(plan.moved),
        "of": [one.number for one in plan.undoes],
        "publish": publish,
    }
    with depot.catalog.changing() as db:
        for one in plan.moved:
            db.names.set_current(one.repository, one.new)
        db.ledger.append("rollback", facts, now=now)


def _require_known(db: Session, what: Sequence[str]) -> None:
    for path in what:
        if db.names.repository(path) is None:
            raise UsageError(f"no repository {shown(path)}", hint="issmedia repo list")


def _newest(db: Session, what: Sequence[str]) -> list[_Moving]:
    """Find the newest moves: of each repository named, or of any."""
    found: list[_Moving] = []
    wanted = set(what)
    for moving in _movings(db):
        moves = tuple(one for one in moving.moves if one.repository in wanted or not what)
        if moves:
            found.append(_Moving(moving.cause, moving.published, moves))
            wanted.difference_update(one.repository for one in moves)
            if not wanted:
                break
    if wanted or not found:
        name = ", ".join(sorted(wanted)) or "no repository"
        raise UsageError(f"{name}: the ledger knows no move that could be undone", hint="issmedia log")
    return found


def _movings(db: Session) -> Iterator[_Moving]:
    """Yield the entries that moved names, newest first. A repository that was removed since stands nowhere."""
    for entry in db.ledger.newest_first():
        moves = tuple(one for one in moves_in(entry.facts) if _stands(db, one))
        if entry.event in _MOVING and moves:
            cause = Cause(entry.number, entry.event, entry.time)
            yield _Moving(cause, entry.event == "rollback" and entry.facts.get("publish") is True, moves)


def _stands(db: Session, move: Move) -> bool:
    return db.names.repository(move.repository) is not None and _current(db, move.repository) == move.new


def _current(db: Session, path: str) -> Digest | None:
    snapshot = db.names.current(path)
    return None if snapshot is None else snapshot.tree


def _undoing(depot: Depot, found: Sequence[_Moving], *, publish: bool) -> Rollback:
    """Undo what was found, save the rollbacks that this one finishes."""
    finishes = [one for one in found if publish and one.published and not _is_seen(depot, one.moves)]
    undone = [one for one in found if one not in finishes]
    moved = [Move(one.repository, one.new, one.old) for moving in undone for one in moving.moves]
    return Rollback(
        moved=tuple(sorted(moved, key=lambda one: one.repository)),
        undoes=tuple(one.cause for one in undone),
        finishes=tuple(one.cause for one in finishes),
        repositories=tuple(sorted(one.repository for moving in found for one in moving.moves)),
    )


def _is_seen(depot: Depot, moves: Sequence[Move]) -> bool:
    """Say whether clients see where these names stand, and the ledger knows it."""
    publications = Publications(depot.root, depot.store)
    seen = publications.current_trees()
    with depot.catalog.reading() as db:
        recorded = db.ledger.newest("publish")
    known = recorded is not None and recorded.facts.get("generation") == publications.current()
    return known and all(seen.get(one.repository) == one.new for one in moves)


def _numbered(db: Session, what: Sequence[str], to: int) -> Rollback:
    """Go to a repository's n-th snapshot; where it stands there already, nothing moves."""
    if len(what) != 1:
        raise UsageError(
            "the number of a snapshot needs exactly one repository", hint="issmedia rollback PRODUCT/REPO --to N"
        )
    (path,) = what
    old, new = _current(db, path), db.names.numbered(path, to).tree
    return Rollback((Move(path, old, new),) if old != new else (), (), (), (path,))


def _require_whole(db: Session, store: Store, moves: Sequence[Move]) -> None:
    """Refuse to go back to what is not all here: pruned, or set aside by an audit."""
    problems = [
        Problem(one.repository, problem)
        for one in moves
        if one.new is not None
        for problem in _missing(db, store, one.repository, one.new)
    ]
    if problems:
        raise DepotError(
            "what to go back to is not all here any more; nothing was changed",
            where=problems[0].where,
            hint="import the bundle that brought it again, or choose another snapshot: issmedia repo show",
            problems=problems,
        )


def _missing(db: Session, store: Store, path: str, tree: Digest) -> Iterator[str]:
    """Say what is missing of a tree."""
    if all(one.tree != tree for one in db.names.snapshots(path)):
        yield f"no snapshot has tree {tree} any more"
        return
    try:
        blobs = blobs_of([store.tree(tree)])
    except DamagedBlobError as cause:
        yield f"tree {tree}: {cause.message}"
        return
    for digest in store.missing(blobs):
        yield f"tree {tree}: its blob {digest} is not in the store"
