"""The real dnf uses a part of a repository as it lies on a volume."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.makers.clients import DnfClient
from tests.makers.extras import AdvisorySpec
from tests.makers.parts import parts_of, share_of, write_part
from tests.makers.repos import BuiltRepo, PackageSpec, build_repo
from tests.makers.sink import MemorySink
from tests.makers.syncs import sync

pytestmark = [pytest.mark.system("dnf", "rpm"), pytest.mark.root]

QUERY = ("repoquery", "--disable-modular-filtering", "--qf", "%{name}-%{version}\n")


@pytest.fixture
def client(tmp_path: Path) -> DnfClient:
    """A host."""
    return DnfClient(tmp_path / "client")


def lay_out(volume: Path, repo: BuiltRepo, share: Mapping[str, str]) -> str:
    """Write a part of a repository to `repos/p/r` of a volume, and give its URL."""
    sink = MemorySink()
    (files,) = parts_of(sync(repo.path, sink).tree, sink, [share])
    packages = {href: (repo.path / path).read_bytes() for path, href in share.items()}
    return write_part(volume / "repos/p/r", files, packages).resolve().as_uri()


def test_it_lists_what_is_there_and_nothing_else(client: DnfClient, repo: BuiltRepo, tmp_path: Path) -> None:
    client.use("part", lay_out(tmp_path / "volume", repo, share_of(repo, "library", "base")))

    assert sorted(client.dnf(*QUERY).split()) == ["base-1.0", "library-1.0", "library-2.0"]
    assert "library" in client.dnf("repoquery", "--whatprovides", "/usr/share/library/about")
    assert "tools" not in client.try_dnf("group", "list", "--available").stdout


def test_it_installs_and_sees_groups_advisories_and_streams(client: DnfClient, repo: BuiltRepo, tmp_path: Path) -> None:
    client.use("part", lay_out(tmp_path / "volume", repo, share_of(repo, "app", "library", "base", "streamed")))

    client.dnf("install", "library-1.0")

    assert "tools" in client.dnf("group", "list", "--available")
    assert "TEST-2023:0001" in client.dnf("updateinfo", "list")
    assert "streamed" in client.dnf("module", "list")
    client.dnf("group", "install", "tools")
    client.dnf("module", "install", "streamed:5/default")
    assert client.installed() == [
        "app-1.0-1.noarch", "base-1:1.0-1.noarch", "library-2.0-1.noarch", "streamed-5.1-1.noarch",
    ]  # fmt: skip


def test_it_installs_a_package_that_lies_in_another_repository(
    client: DnfClient, repo: BuiltRepo, tmp_path: Path
) -> None:
    share = {repo.package("base").href: "../../q/other/Packages/base.rpm"}
    client.use("part", lay_out(tmp_path / "volume", repo, share))

    client.dnf("install", "base")

    assert client.installed() == ["base-1:1.0-1.noarch"]
    assert (tmp_path / "volume/repos/q/other/Packages/base.rpm").is_file()


def test_an_advisory_of_which_a_part_is_there_updates_that_part(client: DnfClient, tmp_path: Path) -> None:
    specs = [PackageSpec("one"), PackageSpec("two"), PackageSpec("two", version="2.0")]
    repo = build_repo(tmp_path / "up", specs, advisories=[AdvisorySpec("A-1", ("one", "two"))])
    client.use("part", lay_out(tmp_path / "volume", repo, share_of(repo, "two")))
    client.dnf("install", "two-1.0")

    client.dnf("update", "--advisory", "A-1")

    assert client.installed() == ["two-2.0-1.noarch"]
