"""receipt: what this site holds now → a signed document, to be carried back. Accepting one is `ops.accept`."""

import contextlib
from collections.abc import Callable

import msgspec

from issmedia.base.digest import Digest, digest_of
from issmedia.base.errors import DamagedBlobError, UsageError
from issmedia.base.events import Report, Warned
from issmedia.depot.catalog import Session
from issmedia.depot.catalog_history import BundleRecord
from issmedia.depot.depot import OwnedDepot
from issmedia.depot.refusals import Refusals
from issmedia.depot.store import Store
from issmedia.model.documents import ReceiptRecord, Snapshot
from issmedia.model.manifest import LedgerHead, SiteName, Tool
from issmedia.model.receipt import (
    MAX_RECEIPT,
    MAX_REFUSED,
    ChainEnd,
    Held,
    Receipt,
    Refusal,
    fitted,
    render_receipt,
    tree_mark,
)
from issmedia.model.tree import blobs_of


class Made(msgspec.Struct, frozen=True):
    """A receipt that was made: its id, what it says, and the bytes of its file."""

    id: Digest
    receipt: Receipt
    data: bytes


def make_receipt(depot: OwnedDepot, *, tool: Tool, now: str, sign: Callable[[bytes], bytes], report: Report) -> Made:
    """Make and sign this site's receipt, and record it; the ledger's head in it is the one before that record.

    A repository that is not whole here is left out with a warning: a delta from it could not be imported, and named in
    no receipt it comes whole. `UsageError` for more repositories than a receipt has room for.
    """
    site, refused = depot.site(), Refusals(depot.root).newest(MAX_REFUSED)
    with depot.catalog.reading() as db:
        held = [one for one in db.names.current_snapshots() if _is_whole(depot.store, one, report)]
        receipt = _receipt(db, site, held, refused, tool=tool, now=now)
    document = render_receipt(receipt)
    data = document + sign(document)
    if len(data) > MAX_RECEIPT:
        raise UsageError(
            f"{len(held):,} repositories make a receipt of {len(data):,} bytes, at most {MAX_RECEIPT:,}",
            hint="forget those that are no longer used: issmedia repo remove PRODUCT/REPO --yes",
        )
    made = Made(digest_of(document), receipt, data)
    with depot.catalog.changing() as db:
        db.sites.add_receipt(_record(made, document, held, now=now))
        db.ledger.append("receipt", {"receipt": made.id, "repositories": len(held)}, now=now)
    return made


def _is_whole(store: Store, one: Snapshot, report: Report) -> bool:
    """Say whether the listing and every blob of a snapshot are here; no blob's content is read."""
    with contextlib.suppress(DamagedBlobError):
        if not store.missing(blobs_of([store.tree(one.tree)])):
            return True
    report(Warned("is not whole here: the receipt leaves it out (issmedia audit tells more)", where=one.repository))
    return False


def _receipt(
    db: Session, site: SiteName, held: list[Snapshot], refused: tuple[Refusal, ...], *, tool: Tool, now: str
) -> Receipt:
    receipt = Receipt(
        format="issmedia-receipt",
        version=1,
        site=site,
        created=now,
        tool=tool,
        ledger=LedgerHead(*db.ledger.head()),
        chains=tuple(map(_end, db.history.newest("import"))),
        repositories=tuple(Held(one.repository, tree_mark(one.tree), one.packages) for one in held),
        refused=refused,
    )
    return fitted(receipt)


def _end(one: BundleRecord) -> ChainEnd:
    return ChainEnd(SiteName(one.site, one.site_name), one.destination or None, one.sequence, one.id, one.created)


def _record(made: Made, document: bytes, held: list[Snapshot], *, now: str) -> ReceiptRecord:
    head = made.receipt.ledger
    trees = {one.repository: one.tree for one in held}
    return ReceiptRecord(made.id, None, made.receipt.created, (head.number, head.hash), now, document, trees)
