"""Bundles of several volumes on a shelf: three animals on each, by initials, so that a test knows what lies where.

shelf = shelve(root)                    # 5 data volumes and 2 parity volumes in directories
lab = shelf.lab(tmp_path / "lab")       # a site that trusts the sender
lab.do("import", *shelf.but(2, 6))
"""

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from issmedia.bundle.reader import volumes_in
from tests.makers.extras import AdvisorySpec, ModuleSpec
from tests.makers.repos import BuiltRepo, PackageSpec, build_repo
from tests.makers.sites import Outcome, Site, connected_site, disconnected_site

ANIMALS = (
    ("ant", "ape", "asp"),
    ("bat", "bee", "bug"),
    ("cat", "cow", "cub"),
    ("doe", "dog", "dun"),
    ("eel", "elk", "emu"),
)
"""The packages of volume 1, of volume 2, …; `cow` needs `cat`, `cub` is a module's, `ant` is in both repositories."""

MEDIUM, IMAGE = "1400k", "1500k"
"""Media that three of these packages fill: as a directory, as an image."""

_SIZE = 300_000
"""Bytes of a package, about."""


@dataclass(frozen=True)
class Shelf:
    """A sender, its upstream `p/zoo`, and the volumes of one bundle below `directory`; nobody changes them."""

    hq: Site
    zoo: BuiltRepo
    directory: Path

    @property
    def volumes(self) -> list[Path]:
        """List all volumes in order."""
        return volumes_in(self.directory)

    @property
    def labels(self) -> list[str]:
        """Name them."""
        return [path.name.removesuffix(".iso") for path in self.volumes]

    def volume(self, number: int) -> Path:
        """Say where a volume lies."""
        return self.volumes[number - 1]

    def label(self, number: int) -> str:
        """Name a volume."""
        return self.labels[number - 1]

    def but(self, *lost: int) -> list[Path]:
        """List all volumes but these."""
        return [path for number, path in enumerate(self.volumes, 1) if number not in lost]

    def lab(self, root: Path) -> Site:
        """Make a site that trusts the sender and imported nothing."""
        return disconnected_site(root, self.hq)

    def copied(self, root: Path) -> "Shelf":
        """Copy the volumes, to be spoiled."""
        return Shelf(self.hq, self.zoo, Path(shutil.copytree(self.directory, root)))


def zoo(directory: Path, volumes: int = 5, *, version: str = "1.0") -> BuiltRepo:
    """Write a repository that fills so many volumes; each animal has an advisory, each third is in the group `herd`."""
    names = [name for group in ANIMALS[:volumes] for name in group]
    return build_repo(
        directory,
        [_animal(name, version) for name in names],
        advisories=[AdvisorySpec(f"TEST-{name}", (name,)) for name in names],
        groups={"herd": names[1::3]},
        modules=[ModuleSpec("cub", "5", ("cub",))] if "cub" in names else [],
    )


def shelve(root: Path, *options: str, volumes: int = 5, medium: str = MEDIUM) -> Shelf:
    """Export such a repository, and a small one: with 2 parity volumes unless `options` are given."""
    built = zoo(root / "upstream", volumes)
    extra = build_repo(root / "extra", [_animal("ant", "1.0"), "hen"])
    hq = connected_site(root / "hq")
    hq.do("repo", "add", "p/zoo", built.path)
    hq.do("repo", "add", "p/zoo-extra", extra.path)
    hq.do("sync")
    hq.do("export", "--to", root / "set", "--medium", medium, *(options or ("--parity", "2")))
    return Shelf(hq, built, root / "set")


def shelve_whale(root: Path, *options: str, medium: str = "2500k") -> Shelf:
    """Export a repository of which one package, `whale`, is larger than the medium: it is cut."""
    built = build_repo(root / "upstream", [PackageSpec("whale", size=4_000_000), "krill"])
    hq = connected_site(root / "hq", zoo=built.path)
    hq.do("export", "--to", root / "set", "--medium", medium, *options)
    return Shelf(hq, built, root / "set")


def labels_in(outcome: Outcome, labels: Iterable[str]) -> list[str]:
    """List the labels that the last line of an answer names: what an import still asks for."""
    last = outcome.out.splitlines()[-1] if outcome.out else ""
    return [label for label in labels if label in last]


def _animal(name: str, version: str) -> PackageSpec:
    return PackageSpec(name, version, size=_SIZE, requires=("cat",) if name == "cow" else ())
