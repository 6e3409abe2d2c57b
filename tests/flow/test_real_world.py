"""The whole way from upstreams as the world has them: metalink, TLS, signatures, filters, a delta, a host."""

import json
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.makers.clients import DnfClient
from tests.makers.extras import AdvisorySpec
from tests.makers.http_server import HttpServer, serving
from tests.makers.mirrors import metalink
from tests.makers.openpgp import openpgp_key
from tests.makers.repos import PackageSpec, build_repo
from tests.makers.sites import Site, connected_site, disconnected_site
from tests.makers.tls import Authority

VENDOR, STRANGER = openpgp_key("vendor"), openpgp_key("stranger")
REPOMD = "repodata/repomd.xml"


@dataclass(frozen=True)
class World:
    """Two upstreams behind TLS, and both sites: `whole` is found by a metalink, of `large` a part is wanted."""

    root: Path
    hq: Site
    lab: Site
    lists: HttpServer

    def publish(self, week: int) -> None:
        """Make upstreams be as they are in a week."""
        app = PackageSpec("app", f"{week}.0", requires=("library",))
        fix = AdvisorySpec(f"FIX-{week}", ("app",), title="Fix app", cves=(f"CVE-2027-{week:04}",))
        _rebuild(self.root / "whole", [app, PackageSpec("library")], [fix])
        versions = [PackageSpec("tool", f"{number}.0") for number in range(1, week + 2)]
        _rebuild(self.root / "large", [*versions, PackageSpec("tool-debuginfo"), PackageSpec("unwanted")], [])

    def carry(self, *options: str) -> dict[str, Any]:
        """Sync, export and import; give the manifest."""
        stick = self.root / "stick"
        shutil.rmtree(stick, ignore_errors=True)
        self.hq.do("sync", "--tries", "1")
        self.hq.do("export", "--to", stick, *options)
        self.lab.do("import", stick)
        manifest: dict[str, Any] = json.loads((stick / "manifest.json").read_bytes())
        return manifest

    def published(self, path: str) -> list[str]:
        """List the packages that clients behind the gap see of a repository."""
        return sorted(one.name for one in (self.lab.root / "published" / path).rglob("*.rpm"))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    """Add both upstreams at one site, and pin the vendor's key at both: `hq` fetches it."""
    authority = Authority(tmp_path / "ca")
    for name in ("whole", "large", "lists"):
        (tmp_path / name).mkdir()
    with ExitStack() as stack:
        whole, large, lists = (
            stack.enter_context(serving(tmp_path / name, tls=authority.server()))
            for name in ("whole", "large", "lists")
        )
        hq = connected_site(tmp_path / "hq")
        found = World(tmp_path, hq, disconnected_site(tmp_path / "lab", hq), lists)
        (tmp_path / "lists/key.asc").write_bytes(VENDOR.public)
        ca, key = ("--ca-bundle", authority.bundle), ("--gpg-key", f"{lists.url}/key.asc")
        hq.do("repo", "add", "v/whole", f"{lists.url}/metalink?repo=whole", "--metalink", *ca, *key)
        wanted = ("--newest", "1", "--no-debug", "--exclude", "unwanted")
        hq.do("repo", "add", "v/large", large.url, *ca, *key, *wanted)
        found.publish(1)
        _list(found, whole)
        yield found


def test_signed_upstreams_cross_the_gap_first_whole_then_as_what_changed(world: World) -> None:
    first = world.carry()
    before = world.published("v/whole"), world.published("v/large")
    world.publish(2)
    _list(world)
    second = world.carry("--since-last")

    assert before == (["app-1.0-1.noarch.rpm", "library-1.0-1.noarch.rpm"], ["tool-2.0-1.noarch.rpm"])
    assert world.published("v/whole") == ["app-2.0-1.noarch.rpm", "library-1.0-1.noarch.rpm"]
    assert world.published("v/large") == ["tool-3.0-1.noarch.rpm"]
    assert world.lab.trees() == world.hq.trees()
    assert ("bases" in first and bool(first["bases"]), bool(second["bases"])) == (False, True)
    published = world.lab.root / "published/v/whole"
    assert (published / REPOMD).read_bytes() == (world.root / "whole" / REPOMD).read_bytes()
    assert (published / f"{REPOMD}.asc").exists()


def test_what_was_judged_is_told_and_kept(world: World) -> None:
    said = world.hq.do("sync", "--tries", "1").out

    snapshots = {
        label: world.hq.do("repo", "show", f"v/{label}", "--json").document["snapshots"][-1]["trust"]
        for label in ("whole", "large")
    }
    assert "v/whole: synced: 2 packages" in said
    assert "; signed: 2 good; tree" in said
    assert "; signed: 1 good; tree" in said
    assert {label: one["metadata"]["verdict"] for label, one in snapshots.items()} == {"whole": "good", "large": "good"}
    assert {one["keys"][0] for one in snapshots.values()} == {VENDOR.fingerprint}


def test_an_upstream_that_is_taken_over_reaches_nobody_behind_the_gap(world: World) -> None:
    world.carry()
    before, published = world.lab.state(), world.published("v/whole")
    build_repo(world.root / "whole", [PackageSpec("app", "9.0")], sign_with=STRANGER)
    _list(world)

    refused = world.hq.call("sync", "v/whole", "--tries", "1")

    assert (refused.code, "expected a good signature by a pinned key" in refused.err) == (6, True)
    assert world.lab.state() == before
    assert world.published("v/whole") == published


@pytest.mark.system("dnf", "rpm")
@pytest.mark.root
def test_a_host_installs_and_updates_with_both_checks_on(world: World, tmp_path: Path) -> None:
    key = tmp_path / "vendor.asc"
    key.write_bytes(VENDOR.public)
    world.carry()
    for label in ("whole", "large"):
        world.lab.do("repo", "set", f"v/{label}", "--gpg-key", key)
    world.lab.do("publish")
    client = DnfClient(tmp_path / "client")
    client.repositories.append((world.lab.root / "published/issmedia.repo").read_text())

    client.dnf("install", "app", "tool")
    first = client.installed()
    world.publish(2)
    _list(world)
    world.carry("--since-last")
    client.dnf("upgrade")

    text = client.repositories[0]
    whole = text[text.index("[v:whole]") :]
    assert "gpgcheck=1\nrepo_gpgcheck=1\ngpgkey=" in whole
    assert first == ["app-1.0-1.noarch", "library-1.0-1.noarch", "tool-2.0-1.noarch"]
    assert client.installed() == ["app-2.0-1.noarch", "library-1.0-1.noarch", "tool-3.0-1.noarch"]


def _rebuild(directory: Path, specs: list[PackageSpec], advisories: list[AdvisorySpec]) -> None:
    for path in directory.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    build_repo(directory, specs, advisories=advisories, sign_with=VENDOR)


def _list(world: World, mirror: HttpServer | None = None) -> None:
    """Write the metalink of the repository as it is now; at its mirror, the one of before where none is given."""
    place = world.root / "mirror.url"
    if mirror is not None:
        place.write_text(mirror.url)
    repomd = (world.root / "whole" / REPOMD).read_bytes()
    (world.root / "lists/metalink").write_bytes(metalink([place.read_text()], repomd))
