"""site: the destinations that bundles are made for, and the keys that sign their receipts."""

from collections.abc import Sequence

import msgspec

from issmedia.base.digest import Digest
from issmedia.base.errors import UsageError
from issmedia.base.units import days_between
from issmedia.depot.catalog import Session
from issmedia.depot.catalog_history import BundleRecord
from issmedia.depot.depot import Depot, OwnedDepot
from issmedia.depot.keys import require_sound
from issmedia.model.documents import Destination, ReceiptRecord
from issmedia.model.names import checked_label
from issmedia.model.sshsig import PublicKey, parse_public_line


class SiteKey(msgspec.Struct, frozen=True):
    """A key that signs a destination's receipts."""

    fingerprint: str
    public: str


class ReceiptFacts(msgspec.Struct, frozen=True):
    """An accepted receipt: when it was made, how many days ago, and how many entries the site's ledger had."""

    id: Digest
    created: str
    age_days: int
    ledger_entries: int


class SiteFacts(msgspec.Struct, frozen=True):
    """A destination, its chain's last export and its newest receipt; None before the first. `site` is its id."""

    label: str
    site: str | None
    added: str
    keys: tuple[SiteKey, ...]
    last_export: BundleRecord | None
    receipts: int
    receipt: ReceiptFacts | None


def add_site(depot: OwnedDepot, label: str, lines: Sequence[str], *, now: str) -> SiteFacts:
    """Add a destination with the keys of these OpenSSH lines; one that is there gets those that it lacks.

    `UsageError` where it is there and no key is given, or a key is pinned for another: a key tells who signed.
    """
    keys = {public.line: public for public in map(_sound, lines)}
    with depot.catalog.changing() as db:
        known = db.sites.find(checked_label(label))
        if known is None or known.label != label or not keys:
            db.sites.add(Destination(label, (), now))
            db.ledger.append("site added", {"site": label}, now=now)
        for public in keys.values():
            _pin(db, label, public, now=now)
        return _facts(db, db.sites.get(label), now=now)


def remove_site(depot: OwnedDepot, label: str, *, now: str) -> str:
    """Forget a destination, its keys and its receipts; gives its label. Bundles and ledger stay."""
    with depot.catalog.changing() as db:
        known = db.sites.get(label).label
        db.sites.remove(known)
        db.ledger.append("site removed", {"site": known}, now=now)
    return known


def list_sites(depot: Depot, *, now: str) -> tuple[SiteFacts, ...]:
    """List the destinations, sorted by label."""
    with depot.catalog.reading() as db:
        return tuple(_facts(db, site, now=now) for site in db.sites.all())


def show_site(depot: Depot, label: str, *, now: str) -> SiteFacts:
    """Show one destination."""
    with depot.catalog.reading() as db:
        return _facts(db, db.sites.get(label), now=now)


def _sound(line: str) -> PublicKey:
    public = parse_public_line(line)
    require_sound(public)
    return public


def _pin(db: Session, label: str, public: PublicKey, *, now: str) -> None:
    """Pin a key; one that is pinned for this destination already changes nothing."""
    owner = db.sites.owner_of(public.line)
    if owner == label:
        return
    if owner is not None:
        raise UsageError(
            f"the key {public.fingerprint} is pinned for site {owner}",
            hint="each site signs its receipts with a key of its own",
        )
    db.sites.add_key(label, public.line)
    db.ledger.append("site key pinned", {"site": label, "fingerprint": public.fingerprint}, now=now)


def _facts(db: Session, site: Destination, *, now: str) -> SiteFacts:
    receipts = db.sites.receipts(site.label)
    return SiteFacts(
        site.label,
        site.site,
        site.added,
        tuple(SiteKey(parse_public_line(key).fingerprint, key) for key in site.keys),
        db.history.newest_export(db.names.setting("site_id") or "", site.label),
        len(receipts),
        _receipt(receipts[-1], now=now) if receipts else None,
    )


def _receipt(one: ReceiptRecord, *, now: str) -> ReceiptFacts:
    return ReceiptFacts(one.id, one.created, days_between(one.created, now), one.ledger[0])
