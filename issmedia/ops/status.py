"""status, log, search: what this site holds and did. Nothing is changed."""

from collections.abc import Iterator, Mapping, Sequence

import msgspec

from issmedia.base.digest import Digest
from issmedia.base.events import Note, Report, Warned
from issmedia.base.units import count_text, days_between
from issmedia.depot.catalog import Session
from issmedia.depot.catalog_history import BundleRecord
from issmedia.depot.catalog_ledger import LedgerEntry
from issmedia.depot.catalog_search import FoundAdvisory, FoundPackage
from issmedia.depot.depot import Depot
from issmedia.depot.publish import Publications
from issmedia.model.documents import Repository, Snapshot
from issmedia.model.manifest import SiteName


class RepositoryStatus(msgspec.Struct, frozen=True):
    """A repository: its current snapshot, and which tree clients see.

    `snapshot` is None before the first, and where the repository was `rolled_back` to the time before it.
    """

    repository: Repository
    snapshot: Snapshot | None
    rolled_back: bool
    published: Digest | None


class ChainStatus(msgspec.Struct, frozen=True):
    """The newest imported bundle of a chain, named as `hq → lab #7`; how many days ago it was made."""

    chain: str
    bundle: Digest
    created: str
    age_days: int
    too_old: bool


class DestinationStatus(msgspec.Struct, frozen=True):
    """A site that bundles are made for: when its newest receipt was made, and how many days ago that is."""

    label: str
    receipt: str | None
    age_days: int | None


class Status(msgspec.Struct, frozen=True):
    """A site at a glance. `unknown` are repositories of which clients see a tree that the catalog never knew."""

    site: SiteName
    depot: str
    repositories: tuple[RepositoryStatus, ...]
    bundles: tuple[BundleRecord, ...]
    chains: tuple[ChainStatus, ...]
    sites: tuple[DestinationStatus, ...]
    unknown: tuple[str, ...]
    ledger_entries: int
    ledger_head: Digest


class Found(msgspec.Struct, frozen=True):
    """What a search found in current snapshots."""

    packages: tuple[FoundPackage, ...]
    advisories: tuple[FoundAdvisory, ...]


def status(
    depot: Depot, what: Sequence[str] = (), *, now: str, report: Report, max_age_days: int | None = None
) -> Status:
    """Look at the site: repositories of `what` (nothing: all), bundles that crossed, the ledger's head.

    Warns of chains whose newest bundle is older than `max_age_days`, and of a catalog older than what clients see.
    """
    publications = Publications(depot.root, depot.store)
    published = publications.current_trees()
    site = depot.site()
    with depot.catalog.reading() as db:
        entries, head = db.ledger.head()
        repositories = tuple(_repository(db, repo, published) for repo in db.names.select(what))
        found = Status(
            site=site,
            depot=str(depot.root),
            repositories=repositories,
            bundles=tuple(db.history.all()),
            chains=tuple(_chain(one, max_age_days, now=now) for one in db.history.newest("import")),
            sites=tuple(_destination(db, one.label, now=now) for one in db.sites.all()),
            unknown=tuple(_unknown(db, published, publications.current())),
            ledger_entries=entries,
            ledger_head=head,
        )
    _warn(found, max_age_days, report)
    if begun := depot.pending.all():
        report(Note(f"{count_text(len(begun), 'import')} unfinished: issmedia import --status says what is to come"))
    return found


def log(depot: Depot) -> tuple[LedgerEntry, ...]:
    """Read the ledger, oldest first."""
    with depot.catalog.reading() as db:
        return tuple(db.ledger.entries())


def search(depot: Depot, term: str) -> Found:
    """Find packages by name or summary, advisories by id, title or CVE."""
    with depot.catalog.reading() as db:
        return Found(tuple(db.search.packages(term)), tuple(db.search.advisories(term)))


def _repository(db: Session, repository: Repository, published: Mapping[str, Digest]) -> RepositoryStatus:
    path = repository.path
    snapshot = db.names.current(path)
    rolled_back = snapshot is None and bool(db.names.snapshots(path))
    return RepositoryStatus(repository, snapshot, rolled_back, published.get(path))


def _chain(newest: BundleRecord, max_age_days: int | None, *, now: str) -> ChainStatus:
    age = days_between(newest.created, now)
    return ChainStatus(newest.chain, newest.id, newest.created, age, max_age_days is not None and age > max_age_days)


def _destination(db: Session, label: str, *, now: str) -> DestinationStatus:
    newest = db.sites.newest_receipt(label)
    if newest is None:
        return DestinationStatus(label, None, None)
    return DestinationStatus(label, newest.created, days_between(newest.created, now))


def _unknown(db: Session, published: Mapping[str, Digest], generation: Digest | None) -> Iterator[str]:
    """Find what clients see and no snapshot ever named; a repository that was removed since was published by us."""
    known = set(db.names.trees())
    strange = [path for path, tree in published.items() if tree not in known]
    if not strange:
        return
    last = db.ledger.newest("publish")
    if last is None or last.facts["generation"] != generation:
        yield from strange


def _warn(found: Status, max_age_days: int | None, report: Report) -> None:
    for chain in found.chains:
        if chain.too_old:
            report(Warned(f"made {chain.age_days} days ago, expected at most {max_age_days}", where=chain.chain))
    if found.unknown:
        report(
            Warned(
                f"clients see trees that the catalog never knew ({', '.join(found.unknown)}): was it restored from an "
                "older backup? Carry `issmedia receipt` to the sender and ask for a bundle from it"
            )
        )
