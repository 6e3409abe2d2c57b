"""What is served, and an authority for TLS."""

from pathlib import Path

import pytest

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
