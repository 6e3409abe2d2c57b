"""The real dnf uses a selection, at the site that selected it and behind the gap."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.makers.clients import DnfClient
from tests.makers.extras import AdvisorySpec, ModuleSpec
from tests.makers.openpgp import OpenPGPKey
from tests.makers.repos import PackageSpec, build_repo
from tests.makers.sites import Site, connected_site, disconnected_site

pytestmark = [pytest.mark.system("dnf", "rpm"), pytest.mark.root]

QUERY = ("repoquery", "--disable-modular-filtering", "--qf", "%{name}-%{version}\n")


@dataclass(frozen=True)
class Crossed:
    """Two sites that publish the same, and the vendor's key."""

    hq: Site
    lab: Site
    key: OpenPGPKey


@pytest.fixture
def crossed(tmp_path: Path, key: OpenPGPKey) -> Crossed:
    """A signed upstream, selected, exported and imported."""
    upstream = build_repo(
        tmp_path / "upstream",
        [
            PackageSpec("app", requires=("library >= 2.0",)),
            PackageSpec("library", version="1.0"),
            PackageSpec("library", version="2.0", requires=("base",)),
            PackageSpec("base", epoch=1),
            PackageSpec("unwanted"),
            PackageSpec("node", version="18.1"),
            PackageSpec("node", version="18.2", requires=("npm",)),
            PackageSpec("npm"),
        ],
        advisories=[
            AdvisorySpec("TEST-1", ("library",), cves=("CVE-2023-0001",)),
            AdvisorySpec("TEST-2", ("unwanted",)),
        ],
        groups={"tools": ["app", "unwanted"], "rest": ["unwanted"]},
        modules=[
            ModuleSpec("node", "18", ("node-18.1",), version=1),
            ModuleSpec("node", "18", ("node-18.2", "npm"), version=2),
        ],
        sign_with=key,
    )
    hq = connected_site(tmp_path / "hq")
    wanted = ("--newest", "1", "--include", "app", "--include", "node", "--with-dependencies", "--packing", "zstd")
    hq.do("repo", "add", "p/zoo", upstream.path, *wanted)
    hq.do("sync")
    hq.do("publish")
    hq.do("export", "--to", tmp_path / "stick")
    lab = disconnected_site(tmp_path / "lab", hq)
    lab.do("import", tmp_path / "stick")
    return Crossed(hq, lab, key)


def test_dnf_sees_and_installs_what_was_selected(crossed: Crossed, tmp_path: Path) -> None:
    for label, site in (("hq", crossed.hq), ("lab", crossed.lab)):
        client = DnfClient(tmp_path / f"client-{label}")
        client.use("zoo", (site.root / "published/p/zoo").as_uri(), key=crossed.key, metadata_signed=False)

        assert sorted(client.dnf(*QUERY).split()) == ["app-1.0", "base-1.0", "library-2.0", "node-18.2", "npm-1.0"]
        groups = client.dnf("group", "list", "--available")
        assert ("tools" in groups, "rest" in groups) == (True, False)
        client.dnf("install", "app")
        client.dnf("module", "install", "node:18/default")
        assert client.installed() == [
            "app-1.0-1.noarch", "base-1:1.0-1.noarch", "library-2.0-1.noarch", "node-18.2-1.noarch", "npm-1.0-1.noarch",
        ]  # fmt: skip


def test_dnf_sees_streams_and_advisories_of_what_is_there(crossed: Crossed, tmp_path: Path) -> None:
    client = DnfClient(tmp_path / "client")
    client.use("zoo", (crossed.lab.root / "published/p/zoo").as_uri(), key=crossed.key, metadata_signed=False)

    assert "node" in client.dnf("module", "list")
    assert client.dnf("repoquery", "--advisory", "TEST-1", "--qf", "%{name}\n").split() == ["library"]
    assert client.dnf("repoquery", "--advisory", "TEST-2", "--qf", "%{name}\n").split() == []


def test_what_crossed_is_what_was_selected(crossed: Crossed) -> None:
    assert crossed.lab.trees() == crossed.hq.trees()
    assert crossed.lab.do("check").out == "5 packages of p/zoo: all would install\n"
