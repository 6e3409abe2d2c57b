"""Sites on the eve of each command: made once, copied for every run."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from issmedia.base.digest import Digest
from issmedia.model.package import Inventory
from tests.makers.crash import Scene, copy_tree, quick_directory
from tests.makers.repos import FLAT, PackageSpec, build_repo
from tests.makers.sites import Site, connected_site, disconnected_site


@dataclass(frozen=True)
class Eve:
    """Two sites that crossed twice; upstream has changed since.

    The connected one (`unsynced`, `unexported`) and the disconnected one (`unimported`, `unpublished`) both show
    clients an older state, and have an older one yet to remove. `bundle` is what the disconnected one shall import.
    """

    root: Path

    @property
    def bundle(self) -> Path:
        """Say where the bundle lies that carries the newest state."""
        return self.root / "bundle"

    def scene(self, state: str, *arguments: str | Path) -> Scene:
        """Set a command in one of the states."""
        return Scene(self.root / state, self.root / "place", tuple(map(str, arguments)))

    def keep(self, site: Site, state: str) -> None:
        """Keep a site as it is now under the name of a state."""
        (self.root / state).mkdir()
        copy_tree(site.root, self.root / state / "depot")


@pytest.fixture(scope="package")
def eve() -> Iterator[Eve]:
    """Two repositories of one package each, two older bundles imported and published, a third on its way."""
    with quick_directory() as root:
        yield _prepared(Eve(root))


def _prepared(eve: Eve) -> Eve:
    upstream = {label: eve.root / "upstream" / label for label in ("one", "two")}
    _release(upstream, one="1.0", two="1.0")
    hq = connected_site(eve.root / "hq", **upstream)
    lab = disconnected_site(eve.root / "lab", hq)
    _cross(hq, lab, eve.root / "first")
    _release(upstream, one="2.0")
    hq.do("sync", "p/one")
    _cross(hq, lab, eve.root / "second")
    _release(upstream, one="3.0", two="3.0")
    _store_some(hq, upstream["one"])
    eve.keep(hq, "unsynced")
    hq.do("sync")
    eve.keep(hq, "unexported")
    hq.do("export", "--to", eve.bundle)
    _list_for_search(lab, hq)
    eve.keep(lab, "unimported")
    lab.do("import", eve.bundle, "--no-publish")
    eve.keep(lab, "unpublished")
    (eve.root / "nothing").mkdir()
    return eve


def _release(upstream: dict[str, Path], **versions: str) -> None:
    for label, version in versions.items():
        build_repo(upstream[label], [PackageSpec(f"{label}-package", version)], layout=FLAT)


def _cross(hq: Site, lab: Site, stick: Path) -> None:
    hq.do("publish", "--base-url", "http://repos.example/")
    hq.do("export", "--to", stick)
    lab.do("import", stick, "--no-publish")
    lab.do("publish", "--base-url", "http://repos.example/")


def _store_some(hq: Site, upstream: Path) -> None:
    """Store what an earlier sync, which died, brought already: fewer changes are left to strike."""
    with hq.depot.store.writing() as writing:
        for path in sorted(upstream.glob("repodata/*-[fo]*.xml.gz")):
            writing.add_bytes(path.read_bytes())


def _list_for_search(lab: Site, hq: Site) -> None:
    """Say that the newest trees are listed for search, so that hundreds of imports need not parse metadata again."""
    with lab.depot.catalog.changing() as db:
        for tree in hq.trees().values():
            db.search.index(Digest(tree), Inventory((), ()))
