"""A world made once for each test process, and copies of it to spoil."""

from pathlib import Path

import pytest

from issmedia.depot.keys import FileKey
from tests.makers.attacked import World, build_world
from tests.makers.attacked_sets import Sets, build_sets
from tests.makers.forge import copied
from tests.makers.shelves import Shelf, shelve
from tests.makers.sites import Site


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Two sites and two bundles; nobody changes them."""
    return build_world(tmp_path_factory.mktemp("world"))


@pytest.fixture
def lab(world: World, tmp_path: Path) -> Site:
    """Copy the site that is attacked: it trusts `hq` and imported its first bundle."""
    return Site(copied(world.lab.root, tmp_path / "lab"))


@pytest.fixture
def volume(world: World, tmp_path: Path) -> Path:
    """Copy the volume of the second bundle, good as it is."""
    return copied(world.newer, tmp_path / "volume")


@pytest.fixture
def release(world: World) -> FileKey:
    """Give the key that the attacked site trusts."""
    return world.key


@pytest.fixture(scope="session")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Sets:
    """Two bundles of several volumes; nobody changes them."""
    return build_sets(tmp_path_factory.mktemp("sets"))


@pytest.fixture(scope="session")
def parity(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    """Two data volumes and one of parity; nobody changes them."""
    return shelve(tmp_path_factory.mktemp("parity"), "--parity", "1", volumes=2)
