"""A disconnected site with a history: tiny bundles of one chain, imported and published one after another."""

from dataclasses import dataclass
from pathlib import Path

from issmedia.base.digest import Digest
from issmedia.base.events import ignore
from issmedia.bundle.planning import plan_bundle
from issmedia.content.yum.recheck import recheck
from issmedia.depot.catalog_ledger import LedgerEntry
from issmedia.depot.depot import Depot
from issmedia.depot.publish import Publications
from issmedia.depot.store import Store
from issmedia.model.package import Inventory, Package
from issmedia.model.tree import Tree
from issmedia.ops import setup
from issmedia.ops.imports import Imported, import_bundle
from issmedia.ops.publish import publish
from issmedia.ops.rollback import Rollback, plan_rollback, roll_back
from tests.makers.bundles import Bundle, verified
from tests.makers.documents import NOW, header, target

PACKAGE = "a.rpm"
"""The one package of every repository; what it holds tells versions apart."""


def read_inventory(tree: Tree, open_blob: object) -> Inventory:
    """Name a package after its first eight digits, where a real content type would read metadata."""
    found = ((one.sha256, _package(one.sha256, one.size)) for one in tree.entries)
    return Inventory(tuple(found), ())


def _package(digest: Digest, size: int) -> Package:
    return Package(f"pkg-{digest[:8]}", "0", "1", "1", "noarch", PACKAGE, "sha256", digest, size, "")


@dataclass
class Lab:
    """A site below `root`, and how many bundles it was brought."""

    root: Path
    brought: int = 0

    @property
    def depot(self) -> Depot:
        """Give its depot."""
        return Depot(self.root / "lab")

    def bundle(self, **repositories: str) -> Bundle:
        """Plan the next bundle: label → content of its one package."""
        self.brought += 1
        store = Store(self.root / "store")
        content = {label: {PACKAGE: text.encode()} for label, text in repositories.items()}
        with store.writing() as writing:
            for files in content.values():
                writing.add_bytes(files[PACKAGE])
        targets = tuple(target(f"p/{label}", files) for label, files in content.items())
        return Bundle(plan_bundle(header(sequence=self.brought), targets), store)

    def bring(self, **repositories: str) -> Path:
        """Import the next bundle on its day, publish it, and give the volume."""
        stick = self.bundle(**repositories).write(self.root / f"stick-{self.brought}")
        self.take(stick)
        return stick

    def take(self, stick: Path) -> Imported:
        """Import and publish a volume."""
        day = f"2026-06-{self.brought:02d}T12:00:00Z"
        with self.depot.owned("import", now=day) as owned, verified(self.root, stick) as bundle:
            done = import_bundle(
                bundle, owned, inventory=read_inventory, judge=recheck, now=day, workers=1, report=ignore
            )
            publish(owned, [one.path for one in bundle.manifest.repositories], now=day, report=ignore)
        return done

    def back(self, *what: str, to: int | None = None, shows: bool = True, dies: bool = False) -> Rollback:
        """Roll back and publish as the command does; `dies` leaves the second half undone."""
        with self.depot.owned("rollback", now=NOW) as owned:
            plan = plan_rollback(owned, what, to=to, publish=shows)
            roll_back(plan, owned, publish=shows, now=NOW)
            if shows and not dies:
                publish(owned, plan.repositories, now=NOW, report=ignore)
        return plan

    def names(self) -> dict[str, Digest]:
        """Map PRODUCT/REPO → tree of the current snapshot."""
        with self.depot.catalog.reading() as db:
            found = [db.names.current(repo.path) for repo in db.names.repositories()]
        return {one.repository: one.tree for one in found if one}

    def seen(self) -> dict[str, bytes]:
        """Map path → bytes of what clients see."""
        root = self.depot.published
        links = [root / path for path in Publications(self.depot.root, self.depot.store).current_trees()]
        files = [root / "issmedia.repo", *(path / PACKAGE for path in links)]
        return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}

    def entries(self) -> list[LedgerEntry]:
        """Read the ledger."""
        with self.depot.catalog.reading() as db:
            return list(db.ledger.entries())


def lab_at(root: Path) -> Lab:
    """Make a site that clients see, with nothing in it."""
    lab = Lab(root)
    setup.init(lab.depot.root, name="lab", site_id="f" * 32, now=NOW)
    with lab.depot.owned("publish", now=NOW) as owned:
        publish(owned, now=NOW, report=ignore)
    return lab
