"""A bundle on a shelf: made once for each test process, and changed by nobody."""

from pathlib import Path

import pytest

from tests.makers.shelves import Shelf, shelve
from tests.makers.sites import Site


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    """Five data volumes and two parity volumes."""
    return shelve(tmp_path_factory.mktemp("shelf"))


@pytest.fixture
def lab(shelf: Shelf, tmp_path: Path) -> Site:
    """A site that trusts the sender of `shelf`, and imported nothing."""
    return shelf.lab(tmp_path / "lab")
