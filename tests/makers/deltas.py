"""Two sites without a command line: one plans bundles of small trees, full ones and deltas, the other imports them.

sender, lab = Sender(root), receiver(root, "lab")
first = sender.export({"a.rpm": b"a"})
second = sender.export({"b.rpm": b"b"}, first)      # a delta
lab.take(first), lab.take(second)
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from issmedia.base.digest import Digest
from issmedia.base.errors import VerifyError
from issmedia.base.events import ignore
from issmedia.bundle.planning import plan_bundle
from issmedia.content.yum.recheck import recheck
from issmedia.depot.depot import Depot
from issmedia.depot.store import Store
from issmedia.model.manifest import BaseEntry
from issmedia.ops import setup
from issmedia.ops.imports import Imported, import_bundle
from issmedia.ops.publish import publish
from tests.makers.bundles import Bundle, verified
from tests.makers.documents import NOW, header, target
from tests.makers.history import read_inventory
from tests.makers.sites import Site

Content = Mapping[str, bytes]
"""A repository `p/zoo`: path → bytes."""


@dataclass(frozen=True)
class Sent:
    """A bundle that was written, and what it shall make of a site."""

    content: Content
    entry: BaseEntry
    volume: Path


@dataclass
class Sender:
    """The exporting site; its store and its volumes lie below `root`."""

    root: Path
    sent: list[Sent] = field(default_factory=list)

    def export(self, content: Content, *bases: Sent) -> Sent:
        """Write the next bundle of the chain: a delta where bases are given."""
        store, number = Store(self.root / "store"), len(self.sent) + 1
        with store.writing() as writing:
            for data in content.values():
                writing.add_bytes(data)
        facts = header(sequence=number, bases=tuple(base.entry for base in bases))
        plan = plan_bundle(facts, (target("p/zoo", content, bases=[base.content for base in bases]),))
        entry = BaseEntry("bundle", plan.manifest.chain, NOW, plan.id, number, None, None)
        self.sent.append(Sent(content, entry, Bundle(plan, store).write(self.root / f"volume-{number}")))
        return self.sent[-1]


@dataclass(frozen=True)
class Receiver:
    """The importing site."""

    depot: Depot

    def take(self, sent: Sent) -> Imported:
        """Verify, import and publish."""
        state = self.depot.state()
        with (
            self.depot.owned("import", now=NOW) as owned,
            verified(self.depot.root.parent, sent.volume, state=state) as bundle,
        ):
            done = import_bundle(
                bundle, owned, inventory=read_inventory, judge=recheck, now=NOW, workers=1, report=ignore
            )
            publish(owned, now=NOW, report=ignore)
        return done

    def refuses(self, sent: Sent) -> bool:
        """Say whether a bundle is refused; then neither state nor store may have changed."""
        before = self.state(), self.blobs()
        try:
            self.take(sent)
        except VerifyError:
            assert (self.state(), self.blobs()) == before
            return True
        return False

    def state(self) -> dict[str, str]:
        """Give everything that a refusal must leave as it is."""
        return dict(Site(self.depot.root).state())

    def blobs(self) -> list[tuple[Digest, int]]:
        """List the store."""
        return list(self.depot.store.walk())

    def seen(self) -> dict[str, bytes]:
        """Map path → bytes of what clients see of `p/zoo`."""
        root = self.depot.published / "p" / "zoo"
        files = (path for path in root.rglob("*") if path.is_file())
        return {path.relative_to(root).as_posix(): path.read_bytes() for path in files}

    def tree(self) -> Digest | None:
        """Give the tree of `p/zoo`, or None."""
        with self.depot.catalog.reading() as db:
            found = db.names.current("p/zoo") if db.names.repository("p/zoo") else None
        return found.tree if found else None


def receiver(root: Path, name: str) -> Receiver:
    """Make a site below `root` that imported nothing."""
    return Receiver(setup.init(root / name, name=name, site_id="f" * 32, now=NOW))
