"""What we sync over HTTP is what `dnf reposync --download-metadata` makes of the same repository.

By nature we keep more: reposync leaves out the kickstart tree, `.treeinfo` with its images, and the signature of
repomd.xml with its key, unless it checks that itself. Of the rest there are the same files, byte for byte, and nothing
beside them.
"""

import hashlib
from pathlib import Path

import pytest

from tests.makers.clients import DnfClient
from tests.makers.http_server import serving
from tests.makers.openpgp import OpenPGPKey
from tests.makers.programs import require_command
from tests.makers.repos import build_repo, many_specs, sample_repo
from tests.makers.sites import Site, connected_site

pytestmark = [pytest.mark.system("dnf"), pytest.mark.root]

OURS_ALONE = {".treeinfo", "images/boot.img", "repodata/repomd.xml.asc", "repodata/repomd.xml.key"}


@pytest.fixture(autouse=True)
def reposync() -> None:
    """Require dnf's plugin."""
    require_command("dnf", "reposync")


def digests(directory: Path) -> dict[str, str]:
    """Give the sha256 of each file below a directory."""
    files = [path for path in directory.rglob("*") if path.is_file()]
    return {str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def mirrored(root: Path, url: str) -> dict[str, str]:
    """Mirror a repository by reposync; give the digests of its files."""
    client = DnfClient(root, plugins=True)
    client.use("zoo", url)
    options = ("--download-metadata", "--norepopath", "--repoid", "zoo", "--download-path", str(root / "mirror"))
    client.dnf("reposync", *options)
    return digests(root / "mirror")


def synced(site: Site) -> dict[str, str]:
    """Sync and publish; give the digests of the files of `p/zoo`."""
    site.do("sync")
    site.do("publish")
    return digests(site.root / "published/p/zoo")


def following(root: Path, url: str) -> Site:
    """Make a site that syncs a repository as `p/zoo`."""
    site = connected_site(root)
    site.do("repo", "add", "p/zoo", url)
    return site


@pytest.mark.parametrize("compression", ["gz", "zstd"])
def test_the_files_that_both_keep_are_the_same(tmp_path: Path, key: OpenPGPKey, compression: str) -> None:
    repo = sample_repo(tmp_path / "upstream", key=key, compression=compression)

    with serving(repo.path) as server:
        theirs = mirrored(tmp_path / "dnf", server.url)
        ours = synced(following(tmp_path / "hq", server.url))

    assert {path: digest for path, digest in ours.items() if path not in OURS_ALONE} == theirs
    assert {one.sha256 for one in repo.packages} <= set(theirs.values())
    assert set(ours) >= OURS_ALONE


def test_they_are_after_a_change_too(tmp_path: Path) -> None:
    upstream = tmp_path / "upstream"
    first = build_repo(upstream, many_specs(5))
    with serving(upstream) as server:
        site = following(tmp_path / "hq", server.url)
        before = synced(site)
        second = build_repo(upstream, many_specs(5, newer=2))

        ours = synced(site)
        theirs = mirrored(tmp_path / "dnf", server.url)

    assert ours == theirs
    assert ours != before
    assert first.packages != second.packages
