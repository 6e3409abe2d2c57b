"""Pure rules for a receipt that was carried here: whose it is, whether it is news, what it shows of a restored backup.

Its signatures were checked before it was parsed: `signed_for` are the labels of the destinations whose keys signed it.
All times are RFC 3339 UTC texts of one form, so they compare as text. Each rule raises; none returns False.
"""

from collections.abc import Iterator, Sequence, Set

from issmedia.base.errors import FutureError, RollbackError, UntrustedError
from issmedia.model.documents import Destination, ReceiptRecord
from issmedia.model.receipt import ChainEnd, Receipt
from issmedia.model.trust import chain_key, is_plausible

_WHERE = "receipt"


def owner_of(receipt: Receipt, sites: Sequence[Destination], signed_for: Set[str]) -> Destination:
    """Say which destination wrote a receipt: the one of its site id, else of its name, else whose key signed it.

    `UntrustedError` where a key of exactly that one did not sign, and where its site id is known to be another.
    """
    owner = _named(receipt, sites) or _signing(receipt, sites, signed_for)
    if owner.label not in signed_for:
        raise UntrustedError(
            f"says it is of site {owner.label}, is signed by a key pinned for {', '.join(sorted(signed_for))}",
            where=_WHERE,
            hint=f"issmedia site show {owner.label} lists the keys pinned for it",
        )
    if owner.site not in (None, receipt.site.id):
        raise UntrustedError(
            f"expected site id {owner.site} of {owner.label}, found {receipt.site.id}",
            where=_WHERE,
            hint=f"was the site set up anew? issmedia site remove {owner.label} --yes, then add it again",
        )
    return owner


def require_possible(receipt: Receipt, now: str) -> None:
    """Refuse a receipt made more than 400 days after `now`: believed, every later one would look old."""
    if not is_plausible(receipt.created, now):
        raise FutureError(
            f"made at {receipt.created}, it is {now}: one of two clocks is wrong",
            where=_WHERE,
            hint="set the clock that is wrong; on the other side write another receipt",
        )


def require_news(receipt: Receipt, newest: ReceiptRecord | None) -> None:
    """Refuse a receipt that is older than the newest accepted of its site: a replay would move the base back."""
    if newest is None or receipt.created >= newest.created:
        return
    raise RollbackError(
        f"made at {receipt.created}, already accepted is one made at {newest.created}",
        where=_WHERE,
        hint=f"ask for a new receipt; issmedia site remove {newest.site} --yes forgets all of them, and its keys",
    )


def steps_back(receipt: Receipt, before: Receipt) -> Iterator[str]:
    """Say what a site had by its receipt before and has no longer: it was put back to an older state."""
    if receipt.ledger.number < before.ledger.number:
        yield f"its ledger has {receipt.ledger.number} entries, at {before.created} it had {before.ledger.number}"
    elif receipt.ledger.number == before.ledger.number and receipt.ledger.hash != before.ledger.hash:
        yield f"entry {receipt.ledger.number} of its ledger is not the one of {before.created}"
    now = {_chain(end): end.sequence for end in receipt.chains}
    for end in before.chains:
        if now.get(_chain(end), 0) < end.sequence:
            place = f"#{now[_chain(end)]}" if _chain(end) in now else "nothing"
            yield f"of the chain of {end.site.name} it has {place}, at {before.created} it had #{end.sequence}"


def _named(receipt: Receipt, sites: Sequence[Destination]) -> Destination | None:
    by_id = (site for site in sites if site.site == receipt.site.id)
    by_name = (site for site in sites if site.label.casefold() == receipt.site.name.casefold())
    return next(by_id, None) or next(by_name, None)


def _signing(receipt: Receipt, sites: Sequence[Destination], signed_for: Set[str]) -> Destination:
    signing = [site for site in sites if site.label in signed_for]
    if len(signing) != 1:
        raise UntrustedError(
            f"is of a site {receipt.site.name!r} that is not known, and signed for {', '.join(sorted(signed_for))}",
            where=_WHERE,
            hint="issmedia site add NAME --key FILE",
        )
    return signing[0]


def _chain(end: ChainEnd) -> tuple[str, str]:
    return chain_key(end.site.id, end.destination)
