"""receipt accept: a receipt that was carried or typed → the base of the next delta to the site that wrote it.

Signatures first, by the keys pinned here; then the document, strictly; then the rules of `model.acceptance`. What is
refused changes nothing.
"""

from collections.abc import Iterator, Mapping
from typing import Literal

import msgspec

from issmedia.base.digest import Digest, digest_of
from issmedia.base.errors import FormatError, UntrustedError
from issmedia.base.events import Report, Warned
from issmedia.depot.catalog import Session
from issmedia.depot.depot import OwnedDepot
from issmedia.depot.signatures import Verdict, check_signatures
from issmedia.depot.store import Store
from issmedia.model import plan
from issmedia.model.acceptance import owner_of, require_news, require_possible, steps_back
from issmedia.model.documents import Destination, ReceiptRecord, Snapshot
from issmedia.model.receipt import (
    NAMESPACE_RECEIPT,
    Receipt,
    Refusal,
    held_trees,
    parse_receipt,
    split_receipt,
)
from issmedia.model.signers import TrustedKey
from issmedia.model.spoken import parse_spoken
from issmedia.model.sshsig import parse_public_line

_WHERE = "receipt"
_PIN = "compare the fingerprint with the site by another way, then: issmedia site add NAME --key FILE"

Standing = Literal["up to date", "behind", "unknown tree", "never imported"]


class Lack(msgspec.Struct, frozen=True):
    """What a site lacks of a repository's current snapshot: packages, blobs and their bytes.

    Where it never imported the repository, or holds a tree of which this site has no listing, that is all of it.
    """

    repository: str
    standing: Standing
    packages: int
    blobs: int
    bytes: int


class Accepted(msgspec.Struct, frozen=True):
    """A receipt and whose it is. `again`: it was accepted before, and nothing changed.

    `restored` says what shows that the site was put back to an older state; `refused` is what it refused, newest first.
    """

    site: str
    site_id: str
    receipt: Digest
    created: str
    ledger_entries: int
    again: bool
    restored: tuple[str, ...]
    repositories: tuple[Lack, ...]
    refused: tuple[Refusal, ...]


def accept_receipt(depot: OwnedDepot, data: bytes, *, now: str, report: Report) -> Accepted:
    """Accept the signed file, or the lines that a person typed; record it, and say what its site lacks.

    `FormatError` for what is neither, `UntrustedError` unless a key signed it that is pinned for its site,
    `RollbackError` for one older than the newest accepted, `FutureError` for one that cannot have been made yet.
    """
    document, signatures = split_receipt(_carried(data))
    with depot.catalog.changing() as db:
        receipt, owner = _opened(document, signatures, db.sites.all(), now=now)
        held = held_trees(receipt, {*db.names.trees(), *db.history.known_trees()})
        newest = db.sites.newest_receipt(owner.label)
        again = newest is not None and newest.id == digest_of(document)
        require_news(receipt, newest)
        restored = () if again else tuple(_restored(db, receipt, newest, held))
        if not again:
            _record(db, owner, receipt, document, held, restored, now=now)
        lacks = tuple(_lacks(db, depot.store, receipt, held))
    _warn(owner, receipt, restored, report)
    return Accepted(
        site=owner.label,
        site_id=receipt.site.id,
        receipt=digest_of(document),
        created=receipt.created,
        ledger_entries=receipt.ledger.number,
        again=again,
        restored=restored,
        repositories=lacks,
        refused=receipt.refused,
    )


def _carried(data: bytes) -> bytes:
    """Give the receipt's file, as it is or from typed lines."""
    if data.startswith(b"{"):
        return data
    try:
        return parse_spoken(data.decode("utf-8"))
    except UnicodeDecodeError as cause:
        raise FormatError(
            "expected a receipt, or its lines as text",
            where=_WHERE,
            hint="issmedia receipt writes it on the other side",
        ) from cause


def _opened(document: bytes, signatures: bytes, sites: list[Destination], *, now: str) -> tuple[Receipt, Destination]:
    """Check the signatures, then parse the document, then say whose it is."""
    signed_for = _signed_for(document, signatures, sites, now=now)
    receipt = parse_receipt(document)
    owner = owner_of(receipt, sites, signed_for)
    require_possible(receipt, now)
    return receipt, owner


def _signed_for(document: bytes, signatures: bytes, sites: list[Destination], *, now: str) -> set[str]:
    """Give the labels of the destinations whose pinned keys signed exactly these bytes; nothing was parsed yet."""
    keys = [TrustedKey(site.label, parse_public_line(key), (NAMESPACE_RECEIPT,)) for site in sites for key in site.keys]
    try:
        verdict = check_signatures(document, signatures, keys, namespace=NAMESPACE_RECEIPT, now=now)
    except FormatError as cause:
        raise UntrustedError(cause.message, where=_WHERE, hint="carry the file as it is") from cause
    if not verdict.signers:
        raise UntrustedError(
            f"expected a signature by a key pinned for a site, found {_found(verdict)}",
            where=_WHERE,
            hint=_PIN if verdict.untrusted else "carry it again, as it is",
        )
    return set(verdict.signers.values())


def _found(verdict: Verdict) -> str:
    strangers = [f"{fingerprint}, pinned for none" for fingerprint in verdict.untrusted]
    return "; ".join((*strangers, *verdict.invalid)) or "none"


def _restored(db: Session, receipt: Receipt, newest: ReceiptRecord | None, held: Mapping[str, Digest]) -> Iterator[str]:
    """Say what does not fit the receipt before, or what this site remembers."""
    if newest is not None:
        yield from steps_back(receipt, parse_receipt(newest.document))
    for one in receipt.repositories:
        if one.path not in held and db.names.repository(one.path) is not None:
            yield f"its tree of {one.path} was never known here"
    for end in receipt.chains:
        ours = end.site.id == db.names.setting("site_id")
        if ours and db.history.find(end.bundle, "export") is None:
            yield f"it imported #{end.sequence} of this site ({end.bundle[:16]}), which knows no such export"


def _record(
    db: Session,
    owner: Destination,
    receipt: Receipt,
    document: bytes,
    held: Mapping[str, Digest],
    restored: tuple[str, ...],
    *,
    now: str,
) -> None:
    head, digest = receipt.ledger, digest_of(document)
    facts = {
        "site": {"id": receipt.site.id, "label": owner.label},
        "receipt": digest,
        "created": receipt.created,
        "ledger": {"number": head.number, "hash": head.hash},
        "restored": list(restored),
    }
    db.sites.identify(owner.label, receipt.site.id)
    db.sites.add_receipt(
        ReceiptRecord(digest, owner.label, receipt.created, (head.number, head.hash), now, document, dict(held))
    )
    db.ledger.append("receipt-accepted", facts, now=now)


def _lacks(db: Session, store: Store, receipt: Receipt, held: Mapping[str, Digest]) -> Iterator[Lack]:
    named = {one.path for one in receipt.repositories}
    for current in db.names.current_snapshots():
        path = current.repository
        yield _lack(db, store, current, held.get(path), named=path in named)


def _lack(db: Session, store: Store, current: Snapshot, held: Digest | None, *, named: bool) -> Lack:
    if held == current.tree:
        return Lack(current.repository, "up to date", 0, 0, 0)
    base = held if held is not None and store.holds(held) else None
    blobs = plan.needed(store.tree(current.tree), [] if base is None else [store.tree(base)])
    packages = {one.blob for one in db.search.builds(current.tree)} & blobs.keys()
    standing: Standing = "behind" if base else "unknown tree" if named else "never imported"
    return Lack(current.repository, standing, len(packages), len(blobs), sum(blobs.values()))


def _warn(owner: Destination, receipt: Receipt, restored: tuple[str, ...], report: Report) -> None:
    if owner.label.casefold() != receipt.site.name.casefold():
        report(Warned(f"the site calls itself {receipt.site.name}: it refuses bundles for {owner.label}", owner.label))
    for sign in restored:
        report(Warned(f"{sign}: one of the two sites was restored from an older backup", owner.label))
