"""What a sync says is new since the last one."""

import shutil
from pathlib import Path

import pytest

from tests.makers.changes import new_state, old_state
from tests.makers.extras import AdvisorySpec
from tests.makers.repos import build_repo
from tests.makers.sites import Site, connected_site


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A site that synced p/zoo in its first state, and p/farm."""
    return connected_site(tmp_path / "hq", zoo=old_state(tmp_path / "zoo"), farm=old_state(tmp_path / "farm"))


def test_the_text_counts_packages_and_names_security_advisories(site: Site, tmp_path: Path) -> None:
    new_state(tmp_path / "zoo")

    lines = site.do("sync").out.splitlines()

    assert lines[0].startswith("p/farm: unchanged: ")
    assert lines[1].startswith("p/zoo: synced: ")
    assert lines[2].startswith("  new: 1 DOWNGRADED, 2 upgraded, 1 added, 1 removed, 1 replaced, 2 advisories")
    assert lines[3] == "  security: T-3 (critical): An update for a test"
    assert lines[-1].startswith("2 repositories: 1 changed, 1 unchanged, 3 packages new or upgraded")


def test_as_json_all_advisories_stand(site: Site, tmp_path: Path) -> None:
    new_state(tmp_path / "zoo")

    (news,) = site.do("sync", "--json").document["news"]

    assert {name: value for name, value in news.items() if name != "advisories"} == {
        "repository": "p/zoo",
        "added": 1,
        "downgraded": 1,
        "removed": 1,
        "replaced": 1,
        "upgraded": 2,
    }
    assert [(one["id"], one["severity"], one["cves"]) for one in news["advisories"]] == [
        ("T-3", "Critical", ["CVE-2024-10000", "CVE-2024-2222"]),
        ("T-2", "Low", []),
    ]


def test_many_advisories_are_named_by_json_alone(site: Site, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "zoo")
    advisories = [AdvisorySpec(f"N-{number}", ("app",), severity="Important") for number in range(9)]
    build_repo(tmp_path / "zoo", ["app"], advisories=advisories)

    text = site.call("sync", "p/zoo").out

    assert text.count("security: N-") == 4
    assert "… and 5 more security advisories (--json names all)" in text


def test_what_an_advisory_says_is_shown_harmless(site: Site, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "zoo")
    build_repo(tmp_path / "zoo", ["app"], advisories=[AdvisorySpec("N-1", ("app",), title="a\x9b31mred")])

    text = site.do("sync", "p/zoo").out

    assert "\x9b" not in text
    assert "security: N-1" in text


def test_a_first_sync_and_an_unchanged_one_have_no_news(tmp_path: Path) -> None:
    site = Site(tmp_path / "hq")
    site.do("init", "--name", "hq")
    site.do("repo", "add", "p/zoo", old_state(tmp_path / "zoo"))

    assert [site.do("sync", "--json").document["news"] for _ in range(2)] == [[], []]


def test_a_listing_that_is_damaged_costs_the_news_alone(site: Site, tmp_path: Path) -> None:
    tree = site.trees()["p/zoo"]
    listing = site.root / "store" / tree[:2] / tree
    new_state(tmp_path / "zoo")
    data = listing.read_bytes()
    listing.chmod(0o644)
    listing.write_bytes(data[:-2] + b"x\n")

    document = site.do("sync", "p/zoo", "--json").document

    assert (document["repositories"][0]["changed"], document["news"]) == (True, [])
