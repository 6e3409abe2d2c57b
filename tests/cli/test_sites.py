"""issmedia site: destinations on the command line."""

from pathlib import Path

import pytest

from tests.cli.conftest import World
from tests.makers.sites import Site
from tests.makers.sshkeys import ed25519_key

KEY = ed25519_key(5).public


def test_a_key_is_given_as_a_file_or_a_line_and_shown_by_its_fingerprint(hq: Site, tmp_path: Path) -> None:
    (tmp_path / "lab.pub").write_text(f"{KEY.line} release@lab\n")
    other = ed25519_key(6).public

    added = hq.do("site", "add", "lab", "--key", tmp_path / "lab.pub", "--key", other.line).out

    assert added.startswith("site lab: 2 keys\n")
    assert KEY.fingerprint in added
    assert other.fingerprint in hq.do("site", "show", "lab").out


def test_a_site_that_is_there_already_is_refused_and_says_how_to_add_a_key(hq: Site) -> None:
    hq.do("site", "add", "lab")
    before = hq.state()

    outcome = hq.call("site", "add", "lab")

    assert (outcome.code, hq.state()) == (2, before)
    assert "site lab is there already\nhint: to pin one more key: issmedia site add lab --key" in outcome.err


def test_a_site_shows_its_chain_and_its_newest_receipt(hq: Site, lab: Site, tmp_path: Path) -> None:
    lab.do("keys", "generate", "release")
    hq.do("site", "add", "lab", "--key", lab.public_key)
    before = hq.do("site", "show", "lab").out
    hq.do("export", "--to-site", "lab", "--full", "--to", tmp_path / "out")
    lab.do("receipt", "--to", tmp_path / "receipt")
    hq.do("receipt", "accept", tmp_path / "receipt")

    after = hq.do("site", "show", "LAB", "--json").document

    assert "last export: nothing yet\nnewest receipt: none yet\n" in before
    assert (after["last_export"]["sequence"], after["receipts"], after["receipt"]["age_days"]) == (1, 1, 0)
    assert after["site"] == lab.do("status", "--json").document["site"]["id"]
    assert "#1 of 20" in hq.do("site", "list").out


def test_removing_a_site_wants_yes(hq: Site, world: World) -> None:
    hq.do("site", "add", "lab", "--key", KEY.line)
    before = hq.state()

    refused = hq.call("site", "remove", "lab")
    unchanged = hq.state()
    hq.do("site", "remove", "lab", "--yes")

    assert (refused.code, unchanged) == (2, before)
    assert hq.do("site", "list", "--json").document == []


@pytest.mark.parametrize("key", ["nothing-there", "ssh-ed25519 AAAA"])
def test_what_is_no_key_is_refused(hq: Site, key: str) -> None:
    before = hq.state()

    outcome = hq.call("site", "add", "lab", "--key", key)

    assert (outcome.code in {2, 5}, hq.state()) == (True, before)
