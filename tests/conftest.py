"""Fixtures that every test may use, and the rules for tests that need programs or root.

`@pytest.mark.system("dnf", "rpm")` names the programs a test needs; `@pytest.mark.root` says that it needs root.
"""

import os
from pathlib import Path

import pytest
from hypothesis import settings

from tests.makers.openpgp import OpenPGPKey, openpgp_key
from tests.makers.programs import require, require_root
from tests.makers.repos import BuiltRepo, sample_repo

settings.register_profile("issmedia", derandomize=True, deadline=None, database=None)
settings.load_profile("issmedia")

_CORPUS = Path(os.environ.get("ISSMEDIA_TESTS_CORPUS", Path(__file__).parents[2] / "shared/corpus"))


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip, or where everything must run fail, a test whose programs or rights are missing."""
    for marker in item.iter_markers("system"):
        require(*marker.args)
    if item.get_closest_marker("root"):
        require_root()


@pytest.fixture(autouse=True)
def without_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no proxy of whoever runs the tests stand between them and their own servers."""
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)


@pytest.fixture
def key() -> OpenPGPKey:
    """The OpenPGP key of a vendor."""
    return openpgp_key("vendor")


@pytest.fixture
def repo(tmp_path: Path) -> BuiltRepo:
    """A small real repository with packages, an advisory, a group, a module, a product id and `.treeinfo`."""
    return sample_repo(tmp_path / "upstream")


@pytest.fixture
def signed_repo(tmp_path: Path, key: OpenPGPKey) -> BuiltRepo:
    """The same, packages and metadata signed by `key`."""
    return sample_repo(tmp_path / "signed-upstream", key=key)


@pytest.fixture(scope="session")
def corpus() -> Path:
    """Repositories that others made, where they lie beside the checkout or where ISSMEDIA_TESTS_CORPUS says."""
    if not _CORPUS.is_dir():
        pytest.skip("no corpus of foreign repositories beside the checkout")
    return _CORPUS
