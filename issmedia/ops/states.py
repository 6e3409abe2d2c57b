"""What an operator names as a state: a bundle, a receipt, a snapshot, what is current → `State`."""

import re
from collections.abc import Sequence
from pathlib import Path

from issmedia.base.digest import digest_of
from issmedia.base.errors import FormatError, UsageError
from issmedia.bundle.reader import read
from issmedia.bundle.sets import unfinished
from issmedia.depot.catalog import Session
from issmedia.depot.catalog_history import BundleRecord
from issmedia.depot.depot import Depot
from issmedia.model.documents import ReceiptRecord
from issmedia.model.manifest import BaseEntry, LedgerHead, Manifest
from issmedia.model.names import shown
from issmedia.model.receipt import MAX_RECEIPT, split_receipt
from issmedia.model.state import State, snapshot_state
from issmedia.model.trust import chain_of

CURRENT = "current"

FORMS = "a bundle (its path or id), a receipt (its file or id), PRODUCT/REPO, PRODUCT/REPO@N or `current`"

_ID = re.compile(r"[0-9a-fA-F]{8,64}")
_SNAPSHOT = re.compile(r"(?P<path>[^/@]+/[^/@]+)(?:@(?P<number>[1-9][0-9]{0,8}))?")


def find_state(depot: Depot, text: str) -> State:
    """Give the state that a text names; `UsageError` where this site knows none of that name.

    A path names what lies there by its digest; what it says is not believed.
    """
    with depot.catalog.reading() as db:
        if text == CURRENT:
            return _current(db)
        if (match := _SNAPSHOT.fullmatch(text)) and db.names.repository(match["path"]):
            return _snapshot(db, match["path"], match["number"])
        found = _by_id(db, _id_of(text))
    if len(found) != 1:
        problem = "more than one bundle or receipt begins with" if found else "this site knows no state"
        raise UsageError(f"{problem} {shown(text)}", hint=_hint(text))
    return found[0]


def known_site(depot: Depot, label: str) -> str:
    """Give a destination's label as it was added, or raise `UsageError`."""
    with depot.catalog.reading() as db:
        return db.sites.get(label).label


def receipt_state(depot: Depot, site: str) -> State | None:
    """Give what a destination said it holds in its newest receipt, or None before the first."""
    with depot.catalog.reading() as db:
        known = db.sites.get(site)
        receipt = db.sites.newest_receipt(known.label)
        return None if receipt is None else _of_receipt(db, receipt)


def exported_state(depot: Depot, site: str, directory: Path | None = None) -> State | None:
    """Give what was exported to a destination last, or None; whether it arrived, nobody knows.

    An export that was begun in `directory` goes on from what was the last before it.
    """
    begun = unfinished(directory, depot.site()) if directory is not None else None
    with depot.catalog.reading() as db:
        newest = db.history.newest_export(depot.site().id, site)
        if newest and begun and _is_in_place_of(begun.manifest, site, newest):
            newest = db.history.newest_export(depot.site().id, site, before=newest.sequence)
        return None if newest is None else _of_bundle(db, newest)


def require_trees(states: Sequence[State]) -> None:
    """Refuse a state of which this site does not know what it consists of."""
    for state in states:
        if not state.trees:
            raise UsageError(
                f"nothing here says which trees {state.name} consists of",
                hint="an older issmedia recorded it, or a prune forgot it; name another base, or --full",
            )


def _is_in_place_of(begun: Manifest, site: str, newest: BundleRecord) -> bool:
    return chain_of(begun)[1] == site.casefold() and begun.sequence == newest.sequence


def _current(db: Session) -> State:
    found = db.names.current_snapshots()
    if not found:
        raise UsageError("no repository has a snapshot yet", hint="issmedia sync, or issmedia import")
    created = max(one.taken for one in found)
    return snapshot_state(CURRENT, created, {one.repository: one.tree for one in found})


def _snapshot(db: Session, path: str, number: str | None) -> State:
    one = db.names.numbered(path, int(number)) if number else db.names.current(path)
    if one is None:
        raise UsageError(f"{path} has no snapshot yet", hint=f"issmedia sync {path}")
    return snapshot_state(f"{path}@{number}" if number else path, one.taken, {path: one.tree})


def _id_of(text: str) -> str:
    """Give (the beginning of) an id: of the text itself, or of what lies at the path."""
    path = Path(text)
    if path.is_dir():
        with read([path]) as bundle:
            return bundle.id
    if path.is_file():
        return digest_of(split_receipt(_receipt_bytes(path))[0])
    if not _ID.fullmatch(text):
        raise UsageError(f"no bundle, receipt or snapshot {shown(text)}", hint=f"name {FORMS}")
    return text.lower()


def _hint(text: str) -> str:
    accept = f"issmedia receipt accept {shown(text)} makes this receipt known"
    return accept if Path(text).is_file() else f"name {FORMS}"


def _receipt_bytes(path: Path) -> bytes:
    with path.open("rb") as file:
        data = file.read(MAX_RECEIPT + 1)
    if len(data) > MAX_RECEIPT:
        raise FormatError(
            f"is longer than {MAX_RECEIPT} bytes: no receipt",
            where=shown(str(path)),
            hint="name the file that issmedia receipt show --to wrote on the other side",
        )
    return data


def _by_id(db: Session, prefix: str) -> list[State]:
    bundles = {one.id: one for one in db.history.starting_with(prefix)}
    labels = [None, *(site.label for site in db.sites.all())]
    receipts = [one for label in labels for one in db.sites.receipts(label) if one.id.startswith(prefix)]
    return [_of_bundle(db, one) for one in bundles.values()] + [_of_receipt(db, one) for one in receipts]


def _of_bundle(db: Session, one: BundleRecord) -> State:
    entry = BaseEntry("bundle", one.chain, one.created, one.id, one.sequence, None, None)
    return State(entry, db.history.trees(one.id))


def _of_receipt(db: Session, one: ReceiptRecord) -> State:
    number, head = one.ledger
    site = db.sites.get(one.site).site if one.site else db.names.setting("site_id")
    name = f"receipt {one.id[:8]} of {one.site or db.names.setting('site_name')}"
    entry = BaseEntry("receipt", name, one.created, one.id, None, site, LedgerHead(number, head))
    return State(entry, one.trees)
