"""Keys of upstreams on the command line: shown, pinned, renewed, unpinned; and what a sync says of signatures."""

from pathlib import Path

import pytest

from tests.cli.conftest import World
from tests.makers.http_server import serving
from tests.makers.openpgp import openpgp_key
from tests.makers.repos import BuiltRepo, PackageSpec, build_repo
from tests.makers.sites import Site
from tests.makers.tls import Authority

VENDOR, OTHER = openpgp_key("vendor"), openpgp_key("other")
SHOWN = "6490 B895 28EC 3AC8 7713  C1E7 79A2 783B 3703 2608  vendor <vendor@example.com>"


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """A file with another key."""
    path = tmp_path / "other.asc"
    path.write_bytes(OTHER.public)
    return path


def test_keys_are_shown_before_and_after_they_are_pinned(hq: Site, other: Path) -> None:
    done = hq.do("repo", "set", "p/farm", "--gpg-key", other)

    (before,) = done.err.splitlines()
    assert before.startswith("pinning 8ABC D763 B04B 4B75 8CA5  79E4 5732 4212 EBCD 3DE6  other <other@example.com>")
    assert done.out.splitlines()[0] == "p/farm: 1 key(s) pinned"
    assert before.removeprefix("pinning ") in done.out


def test_a_key_is_added_and_taken_away_by_its_fingerprint(hq: Site, other: Path) -> None:
    hq.do("repo", "set", "p/zoo", "--gpg-key", other)
    both = hq.do("repo", "show", "p/zoo")
    hq.do("repo", "set", "p/zoo", "--unpin", OTHER.fingerprint)
    one = hq.do("repo", "show", "p/zoo", "--json").document["pinned"]

    assert f"  key {SHOWN}  does not expire\n  key 8ABC D763" in both.out
    assert [(key["fingerprint"], key["user_ids"], key["expires"]) for key in one] == [
        (VENDOR.fingerprint, [VENDOR.user_id], None)
    ]


def test_a_key_is_fetched_with_the_repositorys_own_certificates(hq: Site, tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    (tmp_path / "web").mkdir()
    (tmp_path / "web/key").write_bytes(OTHER.public)
    with serving(tmp_path / "web", tls=authority.server()) as server:
        where = ("--gpg-key", f"{server.url}/key", "--ca-bundle", authority.bundle)

        added = hq.do("repo", "add", "q/web", f"{server.url}/repo", *where, "--json").document

    assert [key["fingerprint"] for key in added["pinned"]] == [OTHER.fingerprint]


def test_a_key_that_cannot_be_had_adds_nothing(hq: Site) -> None:
    before = hq.state()

    outcomes = [
        hq.call("repo", "add", "q/web", "/srv", "--gpg-key", key).code
        for key in ("http://host.example/key", "/nowhere/key", "https://127.0.0.1:1/key")
    ]

    assert outcomes == [2, 2, 3]
    assert hq.state() == before


def test_policies_are_shown_and_taken_back(hq: Site) -> None:
    said = hq.do("repo", "set", "p/zoo", "--gpgcheck", "warn", "--repo-gpgcheck", "off")
    back = hq.do("repo", "set", "p/zoo", "--gpgcheck", "default", "--repo-gpgcheck", "default")

    assert "  gpgcheck warn, repo_gpgcheck off" in said.out
    assert "gpgcheck" not in back.out


@pytest.mark.parametrize(
    ("policy", "code", "says"),
    [
        ("require", 7, "; signed: 1 good, 1 left out; tree"),
        ("warn", 0, "; signed: 1 good, 1 unsigned; tree"),
        ("off", 0, "packages, "),
    ],
)
def test_a_sync_says_what_signatures_gave(
    hq: Site, world: World, tmp_path: Path, policy: str, code: int, says: str
) -> None:
    packages = [PackageSpec("app").build(VENDOR), PackageSpec("base").build()]
    upstream = build_repo(tmp_path / "mixed", packages)
    key = ("--gpg-key", world.root / "vendor.asc", "--gpgcheck", policy)
    hq.do("repo", "add", "q/mixed", upstream.path, *key)

    outcome = hq.call("sync", "q")

    assert outcome.code == code
    assert says in outcome.out
    assert ("signed" in outcome.out) == (policy != "off")


def test_metadata_alone_may_be_judged(hq: Site, world: World, signed_repo: BuiltRepo) -> None:
    key = ("--gpg-key", world.root / "vendor.asc", "--gpgcheck", "off")
    hq.do("repo", "add", "q/zoo", signed_repo.path, *key)

    assert "; signed: repomd.xml good; tree" in hq.do("sync", "q").out


def test_a_repository_without_a_key_says_so_where_upstream_signs(hq: Site, signed_repo: BuiltRepo) -> None:
    hq.do("repo", "add", "q/zoo", signed_repo.path)

    done = hq.do("sync", "q")

    assert "upstream signs its metadata, but no key is pinned, so nothing is judged" in done.err
    assert "signed:" not in done.out
