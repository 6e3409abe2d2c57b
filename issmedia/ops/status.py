"""status, log, search: what this site holds and did. Nothing is changed."""

from collections.abc import Sequence
from dataclasses import dataclass

from issmedia.base.digest import Digest
from issmedia.depot.catalog_history import BundleRecord
from issmedia.depot.catalog_ledger import LedgerEntry
from issmedia.depot.catalog_search import FoundAdvisory, FoundPackage
from issmedia.depot.depot import Depot
from issmedia.depot.publish import Publications
from issmedia.model.documents import Repository, Snapshot
from issmedia.model.manifest import SiteName


@dataclass(frozen=True, slots=True)
class RepositoryStatus:
    """A repository: its current snapshot (None before the first), and which tree clients see."""

    repository: Repository
    snapshot: Snapshot | None
    published: Digest | None


@dataclass(frozen=True, slots=True)
class Status:
    """A site at a glance."""

    site: SiteName
    depot: str
    repositories: tuple[RepositoryStatus, ...]
    bundles: tuple[BundleRecord, ...]
    ledger_entries: int
    ledger_head: Digest


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found in current snapshots."""

    packages: tuple[FoundPackage, ...]
    advisories: tuple[FoundAdvisory, ...]


def status(depot: Depot, what: Sequence[str] = ()) -> Status:
    """Look at the site: repositories of `what` (nothing: all), bundles that crossed, the ledger's head."""
    published = Publications(depot.root, depot.store).current_trees()
    site = depot.site()
    with depot.catalog.reading() as db:
        entries, head = db.ledger.head()
        repositories = tuple(
            RepositoryStatus(repo, db.names.current(repo.path), published.get(repo.path))
            for repo in db.names.select(what)
        )
        return Status(site, str(depot.root), repositories, tuple(db.history.all()), entries, head)


def log(depot: Depot) -> tuple[LedgerEntry, ...]:
    """Read the ledger, oldest first."""
    with depot.catalog.reading() as db:
        return tuple(db.ledger.entries())


def search(depot: Depot, term: str) -> Found:
    """Find packages by name or summary, advisories by id, title or CVE."""
    with depot.catalog.reading() as db:
        return Found(tuple(db.search.packages(term)), tuple(db.search.advisories(term)))
