"""What crossed the gap once, for real clients to look at; nobody changes it."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.makers.openpgp import OpenPGPKey, openpgp_key
from tests.makers.repos import BuiltRepo, sample_repo
from tests.makers.sites import Site, connected_site, disconnected_site


@dataclass(frozen=True)
class Crossed:
    """A signed and an unsigned repository that crossed: `p/signed` with its key pinned on the far side, `p/plain`."""

    hq: Site
    lab: Site
    stick: Path
    signed: BuiltRepo
    plain: BuiltRepo
    key: OpenPGPKey

    @property
    def published(self) -> Path:
        """Say where clients look."""
        return self.lab.root / "published"

    def on_volume(self, label: str) -> str:
        """Give the URL of a repository on the volume itself."""
        return (self.stick / "repos/p" / label).as_uri()

    def on_site(self, label: str) -> str:
        """Give the URL of a repository as it is published."""
        return (self.published / "p" / label).as_uri()


@pytest.fixture(scope="session")
def crossed(tmp_path_factory: pytest.TempPathFactory) -> Crossed:
    """Take two repositories across."""
    root, key = tmp_path_factory.mktemp("crossed"), openpgp_key("vendor")
    signed = sample_repo(root / "upstream/signed", key=key)
    plain = sample_repo(root / "upstream/plain", compression="zstd")
    hq = connected_site(root / "hq", signed=signed.path, plain=plain.path)
    hq.do("export", "--to", root / "stick")
    lab = disconnected_site(root / "lab", hq)
    lab.do("import", root / "stick")
    (root / "vendor.asc").write_bytes(key.public)
    lab.do("repo", "set", "p/signed", "--gpg-key", root / "vendor.asc")
    lab.do("publish")
    return Crossed(hq, lab, root / "stick", signed, plain, key)
