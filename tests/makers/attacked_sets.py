"""Sets of volumes under attack: two bundles of one chain, and what must hold after each refusal."""

from dataclasses import dataclass
from pathlib import Path

from issmedia.depot.keys import FileKey
from tests.makers.forge import release_key
from tests.makers.shelves import MEDIUM, Shelf, shelve, zoo
from tests.makers.sites import Outcome, Site

DONE, FORMAT, NOT_INTACT, WAITING = 0, 5, 6, 7


@dataclass(frozen=True)
class Sets:
    """Two bundles of one chain, of three and four volumes, and the key that signed them; nobody changes them."""

    older: Shelf
    newer: Shelf
    key: FileKey


def build_sets(root: Path) -> Sets:
    """Export a bundle, let upstream go on, and export the next."""
    older = shelve(root, "--notes", "older", volumes=3)
    kept = zoo(root / "next", 3, version="2.0")
    older.hq.do("repo", "set", "p/zoo", "--source", kept.path)
    older.hq.do("sync")
    older.hq.do("export", "--to", root / "newer", "--medium", MEDIUM)
    return Sets(older, Shelf(older.hq, kept, root / "newer"), release_key(older.hq))


def refused(site: Site, code: int, *volumes: Path, says: tuple[str, ...] = ()) -> Outcome:
    """See that `import` refuses these volumes with this exit code and these words, and that nothing changed."""
    before = site.state()

    outcome = site.call("import", *volumes)

    assert (outcome.code, site.state()) == (code, before), outcome.out + outcome.err
    assert "error: " in outcome.err
    assert "Traceback" not in outcome.err
    assert [word for word in says if word not in outcome.err] == [], outcome.err
    assert list((site.root / "store/incoming").iterdir()) == []
    site.do("audit")
    return outcome


def nothing_begun(site: Site) -> bool:
    """Say whether no import is unfinished."""
    return bool(site.do("import", "--status", "--json").document == {"pending": []})


def assert_imported(site: Site, shelf: Shelf) -> None:
    """See that clients see what a bundle carries, and that nothing is left of its coming."""
    for one in shelf.zoo.packages:
        assert (site.root / "published/p/zoo" / one.href).read_bytes() == (shelf.zoo.path / one.href).read_bytes()
    assert nothing_begun(site)
    site.do("audit")
