"""A connected and a disconnected site, and a stick between them: made once, copied for each test that changes them."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.makers.openpgp import openpgp_key
from tests.makers.programs import run
from tests.makers.repos import sample_repo
from tests.makers.sites import Site, connected_site, disconnected_site


@dataclass(frozen=True)
class World:
    """Where everything lies; nobody changes it. `zoo` is a signed repository whose key both sides pinned.

    `set` holds the same bundle as `stick` in several volumes, one of parity.
    """

    root: Path
    zoo: Path
    farm: Path
    stick: Path
    set: Path


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """`hq` synced p/zoo and p/farm and exported them; `lab` imported them."""
    root = tmp_path_factory.mktemp("world")
    key = root / "vendor.asc"
    key.write_bytes(openpgp_key("vendor").public)
    zoo = sample_repo(root / "zoo", key=openpgp_key("vendor"))
    farm = sample_repo(root / "farm", compression="zstd")
    hq = connected_site(root / "hq")
    hq.do("repo", "add", "p/zoo", zoo.path, "--gpg-key", key)
    hq.do("repo", "add", "p/farm", farm.path)
    hq.do("sync")
    _copy(hq.root, root / "elsewhere").do("export", "--to", root / "set", "--medium", "1M", "--parity", "1")
    hq.do("export", "--to", root / "stick")
    lab = disconnected_site(root / "lab", hq)
    lab.do("import", root / "stick")
    lab.do("repo", "set", "p/zoo", "--gpg-key", key)
    lab.do("publish")
    return World(root, zoo.path, farm.path, root / "stick", root / "set")


@pytest.fixture
def hq(world: World, tmp_path: Path) -> Site:
    """A copy of the connected site."""
    return _copy(world.root / "hq", tmp_path)


@pytest.fixture
def lab(world: World, tmp_path: Path) -> Site:
    """A copy of the disconnected site."""
    site = _copy(world.root / "lab", tmp_path)
    site.do("publish")  # its client file names the directory
    return site


@pytest.fixture
def stick(world: World, tmp_path: Path) -> Path:
    """A copy of the stick, to be damaged."""
    return shutil.copytree(world.stick, tmp_path / "stick")


def _copy(depot: Path, target: Path) -> Site:
    target.mkdir(exist_ok=True)
    run("cp", "-a", depot, target)  # hard links stay hard links
    return Site(target / depot.name)
