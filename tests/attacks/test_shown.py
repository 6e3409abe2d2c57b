"""Attacks on the eyes of the operator: row 42 of the threats. Terminals and logs show what is there, a line a line."""

import json
import os
import unicodedata
from pathlib import Path

import pytest

from issmedia.depot.keys import FileKey
from tests.makers.forge import Document, edit_manifest, manifest_of, put_manifest
from tests.makers.repos import FLAT, build_repo
from tests.makers.sites import Outcome, Site, connected_site, disconnected_site
from tests.makers.sshkeys import Token, ed25519_key

EVIL = (
    "evil\x1b[2J\x1b]0;title\x07\x9b31m\u202e\u2066\u200b\x7f\x85\u2028\u2029\r\nsigned by: SHA256:forged\nerror: none"
)
"""Clears the screen, sets the title, colours, turns the text around, and begins lines of its own."""

UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def assert_plain(outcome: Outcome) -> None:
    """See that a terminal can do nothing with the output but show it, and that no line was forged."""
    text = outcome.out + outcome.err

    assert {ascii(character) for character in text if unicodedata.category(character) in UNSEEN} <= {"'\\n'"}
    assert [line for line in text.splitlines() if line.startswith(("signed by: SHA256:forged", "error: none"))] == []


def _dress_up(document: Document) -> None:
    document["notes"] = document["site"]["name"] = EVIL
    document["tool"] = {"name": EVIL, "version": EVIL}
    document["products"][0]["name"] = document["repositories"][0]["name"] = EVIL
    document["repositories"][0]["upstream"] = EVIL
    document["volumes"][0] |= {"label": EVIL, "medium": EVIL}
    document["incomplete"] = [{"repository": EVIL, "path": EVIL, "reason": EVIL}]
    document["incomplete"] += [{"repository": "p/zoo", "path": EVIL, "reason": EVIL}]


@pytest.fixture
def dressed(volume: Path, release: FileKey) -> Path:
    """Give a bundle of a trusted sender whose every text is hostile."""
    edit_manifest(volume, _dress_up, release)
    return volume


@pytest.mark.parametrize("options", [(), ("--json",), ("--verbose",)], ids=["text", "json", "verbose"])
def test_042_texts_of_a_bundle_are_shown_escaped(lab: Site, dressed: Path, options: tuple[str, ...]) -> None:
    """Site, repository, notes, labels and reasons clear the screen and write lines of their own."""
    for command in (("inspect", dressed), ("verify", dressed), ("import", "--dry-run", dressed), ("import", dressed)):
        outcome = lab.call(*command, *options)
        assert outcome.code in (0, 7), outcome.err
        assert_plain(outcome)
    for look in (("status",), ("log",), ("repo", "list"), ("repo", "show", "p/zoo"), ("product", "list"), ("publish",)):
        assert_plain(lab.do(*look, *options))

    client_file = (lab.root / "published/issmedia.repo").read_text()
    assert_plain(Outcome(0, client_file, ""))
    assert client_file.count("name=") == client_file.count("baseurl=") == 1


def test_042_json_gives_the_texts_back_as_they_are(lab: Site, dressed: Path) -> None:
    """What is escaped for eyes is whole for programs."""
    found = lab.do("inspect", dressed, "--json").document

    assert found["manifest"]["notes"] == EVIL


@pytest.mark.parametrize("options", [(), ("--json",)], ids=["text", "json"])
def test_042_refusals_are_shown_escaped(lab: Site, dressed: Path, release: FileKey, options: tuple[str, ...]) -> None:
    """The refusal itself quotes the attacker: a stranger's bundle, an old one, one for another site, an expired one."""
    good = manifest_of(dressed)
    changes: list[Document] = [{"expires": "2001-01-01T00:00:00Z"}, {"sequence": 1}, {"destination": "other"}]

    for change in (*changes, {"format": EVIL}, {"kind": EVIL}, {EVIL: EVIL}, {"version": 10**400}, {"created": EVIL}):
        put_manifest(dressed, good | change, release)
        outcome = lab.call("import", dressed, *options)
        assert outcome.code in {5, 6}, outcome.err
        assert_plain(outcome)


@pytest.mark.parametrize("options", [(), ("--json",)], ids=["text", "json"])
def test_042_signatures_are_shown_escaped(lab: Site, dressed: Path, options: tuple[str, ...]) -> None:
    """A stranger signs, under a namespace and for a key application that are made of control characters."""
    token = Token(ed25519_key(42), EVIL)
    data = (dressed / "manifest.json").read_bytes()
    (dressed / "manifest.json.sig").write_bytes(token.sign(data, EVIL) + ed25519_key(43).sign(data, EVIL))

    for command in ("inspect", "verify", "import"):
        assert_plain(lab.call(command, dressed, *options))


@pytest.mark.parametrize("options", [(), ("--json",)], ids=["text", "json"])
def test_042_names_on_the_medium_are_shown_escaped(lab: Site, volume: Path, options: tuple[str, ...]) -> None:
    """Files that nobody declared have hostile names, some of them no text at all; so has the mount point."""
    (volume / EVIL.replace("/", "")[:80]).write_bytes(b"x")
    Path(os.fsdecode(os.fsencode(volume) + b"/\xff\x9b\xed\xa0\x80")).write_bytes(b"x")
    mount = volume.rename(volume.with_name(EVIL[:60]))

    for command in ("inspect", "verify", "import"):
        outcome = lab.do(command, mount, *options)
        assert_plain(outcome)
    assert lab.call("verify", "--strict", mount).code == 6
    assert_plain(lab.call("verify", "--strict", mount, *options))
    assert_plain(lab.call("verify", mount / "missing", *options))


@pytest.mark.parametrize("options", [(), ("--json",)], ids=["text", "json"])
def test_042_texts_of_upstream_are_shown_escaped(tmp_path: Path, options: tuple[str, ...]) -> None:
    """Upstream has files with hostile names, and packages that describe themselves with hostile words."""
    upstream = build_repo(tmp_path / "upstream", ["alpha"], layout=FLAT).path
    (upstream / EVIL.replace("/", "")[:80]).write_bytes(b"x")
    (upstream / os.fsdecode(b"\xff\x9b")).write_bytes(b"x")
    hq = connected_site(tmp_path / "hq")
    hq.do("repo", "add", "p/zoo", upstream, "--name", EVIL)

    synced = hq.call("sync", *options)
    exported = hq.call("export", "--to", tmp_path / "stick", "--notes", EVIL, *options)
    imported = disconnected_site(tmp_path / "lab", hq).call("import", tmp_path / "stick", *options)

    assert [one.code for one in (synced, exported, imported)] == [7, 7, 7]
    for outcome in (synced, exported, imported, hq.do("search", "alpha", *options), hq.do("status", *options)):
        assert_plain(outcome)
    for name in ("README.txt", "issmedia.repo"):
        assert_plain(Outcome(0, (tmp_path / "stick" / name).read_text(), ""))


def test_042_the_ledger_stays_one_line_an_entry(lab: Site, dressed: Path) -> None:
    """A name with newlines writes entries that never were."""
    assert lab.call("import", dressed).code == 7

    entries = lab.do("log", "--json").out.splitlines()

    assert [json.loads(entry)["number"] for entry in entries] == list(range(1, len(entries) + 1))
    assert len(lab.do("log").out.splitlines()) == len(entries)
