"""sync: what the next sync of a repository remembers of the one before, and what it writes."""

import hashlib
import os
import shutil
from pathlib import Path

import pytest

from issmedia.base import files
from issmedia.base.errors import NoSpaceError
from tests.makers.http_server import FOR_EVER, Answer, serving
from tests.makers.openpgp import OpenPGPKey
from tests.makers.repos import BuiltRepo, sample_repo
from tests.makers.sites import Site

SIGNATURE = "repodata/repomd.xml.asc"
STRIPPED = "upstream signed its metadata before and does not now"


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A site without repositories."""
    site = Site(tmp_path / "hq")
    site.do("init", "--name", "hq")
    return site


def resigned_without_signature(repo: BuiltRepo) -> None:
    """Make upstream another repository at the same place, with nothing signed."""
    shutil.rmtree(repo.path)
    sample_repo(repo.path, compression="zstd")


def client_files(site: Site) -> str:
    """Publish, and give the text that clients are configured by."""
    site.do("publish")
    return "".join(path.read_text() for path in (site.root / "published").rglob("*.repo"))


@pytest.mark.parametrize("status", [403, 404])
def test_a_metadata_signature_that_is_gone_is_left_out_and_still_asked_of_clients(
    site: Site, signed_repo: BuiltRepo, status: int
) -> None:
    with serving(signed_repo.path) as server:
        site.do("repo", "add", "p/zoo", server.url)
        site.do("sync")
        resigned_without_signature(signed_repo)
        server.behave(SIGNATURE, Answer(status, times=FOR_EVER))

        stripped = site.call("sync", "--json")
        again = site.call("sync", "--json")

    (result,) = stripped.document["repositories"]
    assert (stripped.code, again.code) == (7, 7)
    assert [one["path"] for one in result["incomplete"]] == [SIGNATURE]
    assert result["incomplete"][0]["reason"].startswith(STRIPPED)
    assert [one["changed"] for one in again.document["repositories"]] == [False]
    assert "repo_gpgcheck=1" in client_files(site)


def test_a_signature_that_cannot_be_had_for_now_is_named_once_and_still_asked_of_clients(
    site: Site, signed_repo: BuiltRepo
) -> None:
    with serving(signed_repo.path) as server:
        site.do("repo", "add", "p/zoo", server.url)
        site.do("sync")
        resigned_without_signature(signed_repo)
        server.behave(SIGNATURE, Answer(500, times=FOR_EVER))

        result = site.call("sync", "--json").document["repositories"][0]

    assert [(one["path"], one["reason"]) for one in result["incomplete"]] == [
        (SIGNATURE, "the server answered 500 Internal Server Error")
    ]
    assert "repo_gpgcheck=1" in client_files(site)


def test_a_listing_that_an_audit_set_aside_does_not_make_the_signature_forgotten(
    site: Site, signed_repo: BuiltRepo
) -> None:
    site.do("repo", "add", "p/zoo", signed_repo.path)
    site.do("sync")
    tree = site.trees()["p/zoo"]
    (site.root / "store" / tree[:2] / tree).unlink()
    resigned_without_signature(signed_repo)

    assert site.call("sync").code == 7

    assert "repo_gpgcheck=1" in client_files(site)


def test_it_is_remembered_through_a_selection(site: Site, signed_repo: BuiltRepo) -> None:
    site.do("repo", "add", "p/zoo", signed_repo.path)
    site.do("sync")
    site.do("repo", "set", "p/zoo", "--newest", "1")
    site.do("sync")
    resigned_without_signature(signed_repo)
    site.do("repo", "set", "p/zoo", "--everything")

    stripped = site.call("sync", "--json")

    (result,) = stripped.document["repositories"]
    assert stripped.code == 7
    assert [one["path"] for one in result["incomplete"]] == [SIGNATURE]
    assert "repo_gpgcheck=1" in client_files(site)


def test_a_signature_that_comes_back_ends_it(site: Site, signed_repo: BuiltRepo, key: OpenPGPKey) -> None:
    site.do("repo", "add", "p/zoo", signed_repo.path)
    site.do("sync")
    resigned_without_signature(signed_repo)
    site.call("sync")
    shutil.rmtree(signed_repo.path)
    sample_repo(signed_repo.path, key=key)

    assert site.do("sync", "--json").document["repositories"][0]["incomplete"] == []


def test_removing_and_adding_the_repository_accepts_metadata_without_a_signature(
    site: Site, signed_repo: BuiltRepo
) -> None:
    site.do("repo", "add", "p/zoo", signed_repo.path)
    site.do("sync")
    resigned_without_signature(signed_repo)
    site.call("sync")

    site.do("repo", "remove", "p/zoo", "--yes")
    site.do("repo", "add", "p/zoo", signed_repo.path)
    site.do("sync")

    assert "repo_gpgcheck=0" in client_files(site)


@pytest.mark.parametrize("whole", [True, False])
def test_a_second_sync_of_an_unchanged_repository_writes_nothing(site: Site, repo: BuiltRepo, whole: bool) -> None:
    if not whole:
        (repo.path / repo.packages[0].href).unlink()
    site.do("repo", "add", "p/zoo", repo.path)
    site.call("sync")
    written: list[tuple[str, str]] = []

    with files.observing(lambda kind, name: written.append((kind, name))):
        site.call("sync")

    assert written == []


@pytest.mark.parametrize("remote", [False, True])
def test_too_little_room_is_told_before_a_package_is_copied(
    site: Site, repo: BuiltRepo, monkeypatch: pytest.MonkeyPatch, remote: bool
) -> None:
    def full(path: Path, needed: int) -> None:
        raise NoSpaceError(f"{needed} bytes are needed", where=str(path))

    monkeypatch.setattr(files, "require_space", full)
    monkeypatch.setattr(files, "reflink", lambda source, target: False)
    packages = {repo.path / one.href for one in repo.packages}
    with serving(repo.path) as server:
        site.do("repo", "add", "p/zoo", server.url if remote else repo.path)

        outcome = site.call("sync")

    blobs = {path.name for path in (site.root / "store").glob("??/*")}
    assert (outcome.code, "bytes are needed" in outcome.err) == (4, True)
    assert blobs.isdisjoint(hashlib.sha256(path.read_bytes()).hexdigest() for path in packages)
    assert list((site.root / "store/incoming").iterdir()) == []


def test_what_shares_the_extents_of_its_source_needs_no_room(
    site: Site, repo: BuiltRepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, needed: int) -> None:
        raise NoSpaceError(f"{needed} bytes are needed", where=str(path))

    monkeypatch.setattr(files, "require_space", full)
    monkeypatch.setattr(files, "reflink", shares)
    site.do("repo", "add", "p/zoo", repo.path)

    site.do("sync")


def shares(source: int, target: int) -> bool:
    """Be a file system that can share extents."""
    os.pwrite(target, os.pread(source, os.fstat(source).st_size, 0), 0)
    return True
