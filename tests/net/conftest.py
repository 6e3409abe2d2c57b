"""What is served, and an authority for TLS."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from issmedia.net.wire import Wire
from tests.makers.tls import Authority


@pytest.fixture
def served(tmp_path: Path) -> Path:
    """A directory with a small file, a big one and a repomd.xml."""
    directory = tmp_path / "served"
    (directory / "repodata").mkdir(parents=True)
    (directory / "small").write_bytes(b"a package")
    (directory / "big").write_bytes(bytes(range(256)) * 400)
    (directory / "repodata/repomd.xml").write_bytes(b"<repomd/>")
    return directory


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """A CA that no system knows."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def wire() -> Iterator[Wire]:
    """A wire of this test's own."""
    with closing(Wire()) as wire:
        yield wire
