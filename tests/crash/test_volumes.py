"""Rows 63 and 70 for sets of volumes: killed at any change while they are written, imported one by one, or repaired."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.sweeps import require_old_or_new
from tests.makers.crash import Facts, Scene, Trial, copy_tree, forked, kill_at, quick_directory
from tests.makers.repos import FLAT, PackageSpec, build_repo
from tests.makers.sites import Site, connected_site, disconnected_site

EPOCH = "1700000000"
MEDIUM = ("--medium", "500k")
IMAGE = ("--medium", "640k", "--fs", "iso", "--iso")
WAITING = 7
_HALF = re.compile(r"/\.tmp-|\.partial$")


class Sea:
    """A sender and a site that trusts it, before a bundle of some volumes is made; all below `root`."""

    def __init__(self, root: Path, packages: list[PackageSpec]) -> None:
        self.root = root
        build_repo(root / "upstream", packages, layout=FLAT)
        hq = connected_site(root / "hq", zoo=root / "upstream")
        self.keep(hq, "unexported")
        self.hq = hq
        self.lab = disconnected_site(root / "lab", hq)

    def keep(self, site: Site, state: str) -> Path:
        """Keep a site as it is now under the name of a state."""
        (self.root / state).mkdir()
        copy_tree(site.root, self.root / state / "depot")
        return self.root / state

    def scene(self, state: str, *arguments: str | Path) -> Scene:
        """Set a command in one of the states."""
        return Scene(self.root / state, self.root / "place", tuple(map(str, arguments)))

    def export(self, *options: str) -> list[Path]:
        """Export a set, and list its volumes."""
        directory = self.root / f"set{len(list(self.root.glob('set*')))}"
        self.hq.do("export", "--to", directory, *MEDIUM, *options)
        return sorted(directory.glob("ISSM_*"))

    def begun(self, state: str, *volumes: Path) -> None:
        """Keep the site as it is after these volumes came, and go back to before."""
        site = Site(self.keep(self.lab, state) / "depot")
        for volume in volumes:
            assert site.call("import", volume).code == WAITING


@pytest.fixture(scope="module", autouse=True)
def fixed() -> Iterator[None]:
    """Fix the moment of creation, so that an export gives the same bytes each time."""
    before = os.environ.get("SOURCE_DATE_EPOCH")
    os.environ["SOURCE_DATE_EPOCH"] = EPOCH
    yield
    os.environ.pop("SOURCE_DATE_EPOCH")
    if before is not None:
        os.environ["SOURCE_DATE_EPOCH"] = before


@pytest.fixture(scope="module")
def sea() -> Iterator[Sea]:
    """A repository of two packages that no two of fit on a volume."""
    with quick_directory() as root:
        yield Sea(root, [PackageSpec("cod", size=200_000), PackageSpec("eel", size=200_000)])


PAYLOAD = frozenset({"create", "write", "mkdir"})
"""Changes that are passed by: a file's temporary name is there too when it is struck at its rename."""

LINKS = PAYLOAD | {"link", "unlink"}
"""What an image is laid out by before it is written, too; the tests of single images are killed there."""


def trials(scene: Scene, passing: frozenset[str]) -> Iterator[Trial]:
    """Kill at each change in turn, but those whose kind may be passed by."""
    scene.fresh()
    steps = forked(scene.call, lambda kind, name: None).steps
    for number, (kind, name) in enumerate(steps, 1):
        if kind not in passing:
            scene.fresh()
            ended = forked(scene.call, kill_at(number))
            yield Trial(scene, ended, kind, f"{scene.arguments[0]}: change {number}, {kind} {name}")


def sweep_set(scene: Scene, reader: Site, final: re.Pattern[str], *, passing: frozenset[str]) -> set[str]:
    """Kill an export at each change: no `final` name is there before the whole set is; the command again completes."""
    old, new = scene.before, scene.after
    whole = {path: what for path, what in new.disk.items() if final.search(path)}
    kinds, seen = set[str](), set[str]()
    assert whole
    for trial in trials(scene, passing):
        kinds.add(trial.kind)
        left = scene.facts()
        require_old_or_new(trial, left, old, new)
        for path, what in left.disk.items():
            assert not final.search(path) or what == whole[path], f"{trial}: {path} is half-made"
        if any(final.search(path) for path in left.disk):
            assert left.bundles == new.bundles, f"{trial}: a volume has its last name before the catalog knows of it"
        if (key := outline(left)) not in seen:
            seen.add(key)
            require_not_believed(trial, reader, done=left.bundles == new.bundles)
            require_same(trial, new)
    return kinds


def outline(left: Facts) -> str:
    """Tell states apart, but for files of the payload: how far each volume has come, and what lies beside them."""
    return str(sorted(path for path in left.disk if path.count("/") <= 2)) + str(left.bundles)


def require_not_believed(trial: Trial, reader: Site, *, done: bool) -> None:
    """Until the catalog knows of the bundle, nobody takes what is there for a bundle, or a volume for whole."""
    if not done and (trial.scene.place / "set").is_dir():
        found = reader.call("import", trial.scene.place / "set")
        assert found.code in (5, 6), f"{trial}: {found.code} {found.err}"


def require_same(trial: Trial, new: Facts, code: int = 0) -> None:
    """The same command again ends as if uninterrupted, and leaves nothing half-made."""
    again = trial.scene.call()
    assert again.code == code, f"{trial}: {again.code}\n{again.err}"
    found = trial.scene.facts()
    assert changed(found, new) == [], str(trial)
    assert (found.names, found.events) == (new.names, new.events), str(trial)
    assert [path for path in found.disk if _HALF.search(path) or "/incoming/" in path] == [], str(trial)
    assert trial.scene.site.call("audit").code == 0, str(trial)


def changed(found: Facts, expected: Facts) -> list[str]:
    """List the paths in which two disks differ."""
    paths = found.disk.keys() | expected.disk.keys()
    return sorted(path for path in paths if found.disk.get(path) != expected.disk.get(path))


def test_063_an_export_of_several_volumes_killed_anywhere_completes_to_the_same_bytes(sea: Sea) -> None:
    scene = sea.scene("unexported", "export", "--to", "@set", *MEDIUM, "--parity", "1")

    struck = sweep_set(scene, sea.lab, re.compile(r"^set/ISSM_[^/]*/manifest\.json$"), passing=PAYLOAD)

    assert struck == {"fsync", "rename", "unlink", "link", "syncfs", "commit"}
    assert len({path.split("/")[1] for path in scene.after.disk if path.startswith("set/ISSM_")}) == 3


@pytest.mark.system("xorriso")
def test_063_an_export_of_images_killed_anywhere_completes_to_the_same_bytes(sea: Sea) -> None:
    scene = sea.scene("unexported", "export", "--to", "@set", *IMAGE)

    struck = sweep_set(scene, sea.lab, re.compile(r"^set/ISSM_[^/]*\.iso$"), passing=LINKS)

    assert {"rename", "fsync", "commit"} <= struck
    assert len([path for path in scene.after.disk if path.endswith(".iso")]) == 2


@pytest.mark.parametrize("place", [0, 1], ids=["first", "last"])
def test_063_an_import_volume_by_volume_killed_anywhere_goes_on(sea: Sea, place: int) -> None:
    volumes = sea.export("--notes", f"in {place}")
    sea.begun(f"volume-{place}", *volumes[:place])
    scene = sea.scene(f"volume-{place}", "import", volumes[place])

    struck = sweep_import(scene, 0 if place else WAITING)

    assert {"create", "rename", "syncfs", "link"} <= struck


def test_063_a_repair_during_an_import_killed_anywhere_goes_on(sea: Sea) -> None:
    volumes = sea.export("--parity", "1", "--notes", "repair")
    sea.begun("one-lost", volumes[2])
    scene = sea.scene("one-lost", "import", volumes[1])

    struck = sweep_import(scene, 0)

    assert {"link", "unlink", "commit"} <= struck
    assert not any("/pending/" in path for path in scene.after.disk)


def test_063_joining_parts_killed_anywhere_goes_on() -> None:
    with quick_directory() as root:
        sea = Sea(root, [PackageSpec("whale", size=2_300_000)])
        sea.hq.do("export", "--to", root / "set", "--medium", "2M")
        volumes = sorted((root / "set").glob("ISSM_*"))
        sea.begun("parts", *volumes[1:])
        scene = sea.scene("parts", "import", volumes[0])

        struck = sweep_import(scene, 0)

        assert len(volumes) == 2
        assert {"link", "unlink", "commit"} <= struck


def sweep_import(scene: Scene, code: int) -> set[str]:
    """Kill an import at each change: old or new is served, and the command again ends as uninterrupted, with `code`."""
    old = scene.before
    scene.fresh()
    assert scene.call().code == code
    new = scene.facts()
    kinds, seen = set[str](), set[str]()
    for trial in scene.trials(kill_at):
        kinds.add(trial.kind)
        left = scene.facts()
        assert trial.ended.code in (None, code), f"{trial}: {trial.ended.err}"
        assert left.published in (old.published, new.published), f"{trial}: clients see something between"
        assert left.names in (old.names, new.names), f"{trial}: names stand between"
        assert scene.site.call("import", "--status").code == 0, str(trial)
        if left.key not in seen:
            seen.add(left.key)
            require_same(trial, new, code)
    return kinds
