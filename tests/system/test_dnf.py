"""The real dnf uses the volume itself, and the published tree."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.makers.clients import DnfClient
from tests.makers.openpgp import openpgp_key
from tests.makers.programs import run
from tests.system.conftest import Crossed

pytestmark = [pytest.mark.system("dnf", "rpm"), pytest.mark.root]

QUERY = ("repoquery", "--disable-modular-filtering", "--qf", "%{name}-%{epoch}:%{version}-%{release}.%{arch}\n")
INSTALLED = ["app-1.0-1.noarch", "base-1:1.0-1.noarch", "library-2.0-1.noarch"]

Url = Callable[[Crossed, str], str]
everywhere = pytest.mark.parametrize("url", [Crossed.on_volume, Crossed.on_site], ids=["volume", "published"])


@pytest.fixture
def client(tmp_path: Path) -> DnfClient:
    """A host."""
    return DnfClient(tmp_path / "client")


def tampered(crossed: Crossed, target: Path, change: Callable[[Path], object]) -> str:
    """Copy the published signed repository, change it, and give its URL."""
    shutil.copytree(crossed.published / "p/signed", target)
    change(target / "repodata")
    return target.as_uri()


def revise(repodata: Path) -> None:
    """Change repomd.xml so that it still parses."""
    repomd = repodata / "repomd.xml"
    text = repomd.read_text()
    repomd.unlink()
    repomd.write_text(text.replace("<revision>1700000000<", "<revision>1700000001<"))


@everywhere
@pytest.mark.parametrize("label", ["signed", "plain"])
def test_it_lists_every_package(crossed: Crossed, client: DnfClient, url: Url, label: str) -> None:
    client.use("test", url(crossed, label))

    listed = client.dnf(*QUERY).split()

    assert sorted(listed) == sorted(one.nevra for one in crossed.signed.packages)


@everywhere
def test_it_installs_with_dependencies_and_both_checks_on(crossed: Crossed, client: DnfClient, url: Url) -> None:
    client.use("test", url(crossed, "signed"), key=crossed.key)

    client.dnf("install", "app")

    assert client.installed() == INSTALLED


@everywhere
def test_it_sees_groups_advisories_and_module_streams(crossed: Crossed, client: DnfClient, url: Url) -> None:
    client.use("test", url(crossed, "signed"), key=crossed.key)

    client.dnf("install", "library-1.0")

    assert "tools" in client.dnf("group", "list", "--available")
    assert "TEST-2023:0001" in client.dnf("updateinfo", "list")
    assert "streamed" in client.dnf("module", "list")
    client.dnf("group", "install", "tools")
    assert client.installed() == INSTALLED
    assert client.try_dnf("install", "streamed").returncode != 0
    client.dnf("module", "install", "streamed:5/default")
    assert "streamed-5.1-1.noarch" in client.installed()


@everywhere
def test_it_refuses_unsigned_packages_while_the_check_is_on(crossed: Crossed, client: DnfClient, url: Url) -> None:
    client.use("test", url(crossed, "plain"), key=crossed.key, metadata_signed=False)

    refused = client.try_dnf("install", "app")

    assert refused.returncode != 0
    assert "not signed" in (refused.stdout + refused.stderr).lower()
    assert client.installed() == []


@everywhere
def test_it_refuses_packages_of_another_key(crossed: Crossed, client: DnfClient, url: Url) -> None:
    client.use("test", url(crossed, "signed"), key=openpgp_key("stranger"), metadata_signed=False)

    assert client.try_dnf("install", "app").returncode != 0
    assert client.installed() == []


def test_the_published_client_file_works_as_it_is(crossed: Crossed, client: DnfClient) -> None:
    client.repositories.append((crossed.published / "issmedia.repo").read_text())

    client.dnf("install", "app", "--repo", "p:signed")

    assert client.installed() == INSTALLED


def test_a_host_without_the_pinned_key_refuses_what_the_client_file_offers(crossed: Crossed, client: DnfClient) -> None:
    client.repositories.append((crossed.published / "issmedia.repo").read_text())

    refused = client.try_dnf("install", "app", "--repo", "p:plain")

    assert refused.returncode != 0
    assert client.installed() == []


@pytest.mark.parametrize(
    "change",
    [revise, lambda repodata: (repodata / "repomd.xml.asc").unlink()],
    ids=["changed", "signature removed"],
)
def test_it_refuses_published_metadata_that_were_tampered_with(
    crossed: Crossed, client: DnfClient, tmp_path: Path, change: Callable[[Path], object]
) -> None:
    client.use("test", tampered(crossed, tmp_path / "tampered", change), key=crossed.key)

    assert client.try_dnf("install", "app").returncode != 0
    assert client.installed() == []


def test_an_untouched_copy_is_taken(crossed: Crossed, client: DnfClient, tmp_path: Path) -> None:
    client.use("test", tampered(crossed, tmp_path / "copy", lambda repodata: None), key=crossed.key)

    client.dnf("install", "app")

    assert client.installed() == INSTALLED


def test_the_volumes_client_file_works_with_its_path_changed_and_a_key_given(
    crossed: Crossed, client: DnfClient
) -> None:
    text = (crossed.stick / "issmedia.repo").read_text()
    assert "mounted elsewhere, change baseurl" in text
    key = client.root / "vendor.asc"
    key.parent.mkdir()
    key.write_bytes(crossed.key.public)
    moved = text.replace("file:///mnt/issmedia/", f"{crossed.stick.as_uri()}/")
    client.repositories.append(moved.replace("[p:signed]\n", f"[p:signed]\ngpgkey={key.as_uri()}\n"))

    client.dnf("install", "app", "--repo", "p:signed")

    assert client.installed() == INSTALLED


@pytest.mark.system("unshare", "mount")
def test_the_readmes_command_lists_the_repositories_where_the_volume_is_mounted(crossed: Crossed) -> None:
    readme = (crossed.stick / "README.txt").read_text()
    (command,) = (line.strip() for line in readme.splitlines() if line.strip().startswith("dnf "))
    apart = "-q --setopt=cachedir=/mnt/cache --setopt=logdir=/mnt/log"
    script = (
        'mount -t tmpfs none /mnt && mkdir /mnt/issmedia && mount --bind "$1" /mnt/issmedia && cd /mnt/issmedia'
        f" && {command} {apart} && dnf {apart} -c issmedia.repo --setopt=reposdir=/nowhere repoquery --repo p:plain"
    )

    output = run("unshare", "--mount", "sh", "-c", script, "sh", crossed.stick)

    assert {"p:plain", "p:signed"} <= set(output.split())
    assert "app-0:1.0-1.noarch" in output
