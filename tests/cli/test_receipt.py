"""issmedia receipt: the forms it comes in, and what its acceptance says."""

import io
import json
import shutil
import sys
from pathlib import Path

import pytest

from issmedia.base.digest import digest_of
from issmedia.model.receipt import split_receipt
from issmedia.model.spoken import parse_spoken
from tests.cli.conftest import World
from tests.makers.sites import Site
from tests.makers.sshkeys import needs_ssh_keygen, ssh_keygen


@pytest.fixture
def lab(lab: Site) -> Site:
    """A disconnected site that can sign."""
    lab.do("keys", "generate", "release")
    return lab


@pytest.fixture
def hq(hq: Site, lab: Site) -> Site:
    """A connected site that knows the other's key."""
    hq.do("site", "add", "lab", "--key", lab.public_key)
    return hq


def test_without_a_command_the_receipts_bytes_go_to_stdout(lab: Site) -> None:
    plain, named = (lab.do("receipt", *more).out for more in ((), ("show",)))

    for text in (plain, named):
        document, _ = split_receipt(text.encode())
        assert json.loads(document)["format"] == "issmedia-receipt"


def test_a_receipt_is_written_to_a_file_whole(lab: Site, hq: Site, tmp_path: Path) -> None:
    told = lab.do("receipt", "--to", tmp_path / "r", "--json").document

    document, _ = split_receipt((tmp_path / "r").read_bytes())
    assert digest_of(document) == told["id"]
    assert json.loads(document) == told["receipt"]
    assert [path.name for path in tmp_path.glob("*tmp*")] == []


@needs_ssh_keygen
def test_openssh_checks_a_receipt(lab: Site, tmp_path: Path) -> None:
    document, signatures = split_receipt(lab.do("receipt").out.encode())
    (tmp_path / "sig").write_bytes(signatures)
    (tmp_path / "signers").write_text(f"lab {lab.public_key}\n")

    told = ssh_keygen(
        *("-Y", "verify", "-f", tmp_path / "signers", "-I", "lab", "-n", "issmedia-receipt", "-s", tmp_path / "sig"),
        data=document,
    )

    assert told.stdout.startswith(b'Good "issmedia-receipt" signature for lab')


def test_text_and_codes_are_asked_for(lab: Site, tmp_path: Path) -> None:
    text = lab.do("receipt", "--text").out
    drawn = lab.do("receipt", "--qr").out
    image = lab.do("receipt", "--qr", tmp_path / "r.png").out

    assert split_receipt(parse_spoken(text))
    assert drawn.startswith("QR code 1 of ")
    assert image.endswith(f"is in {tmp_path}/r.png\n")
    assert (tmp_path / "r.png").read_bytes().startswith(b"\x89PNG")


def test_a_place_that_cannot_be_written_is_named(lab: Site, tmp_path: Path) -> None:
    outcome = lab.call("receipt", "--to", tmp_path / "none" / "r")

    assert outcome.code == 4
    assert outcome.err.startswith(f"error: {tmp_path}/none/r: ")


def test_without_a_key_the_hint_says_how_to_make_one(world: World, tmp_path: Path) -> None:
    site = Site(shutil.copytree(world.root / "lab", tmp_path / "unsigned", symlinks=True))
    before = site.state()

    outcome = site.call("receipt")

    assert (outcome.code, site.state()) == (2, before)
    assert "hint: issmedia keys generate NAME" in outcome.err


def test_accepting_says_what_the_site_lacks_and_what_comes_next(lab: Site, hq: Site, tmp_path: Path) -> None:
    lab.do("receipt", "--to", tmp_path / "r")

    told = hq.do("receipt", "accept", tmp_path / "r").out

    assert "of lab, made " in told
    assert "accepted: the base of the next delta" in told
    assert "p/zoo       up to date" in told
    assert told.endswith("next: issmedia export --to-site lab --to DIR\n")


def test_a_receipt_comes_by_a_pipe(lab: Site, hq: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    data = lab.do("receipt").out.encode()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))

    accepted = hq.do("receipt", "accept", "-", "--json").document

    assert accepted["site"] == "lab"
    assert [one["standing"] for one in accepted["repositories"]] == ["up to date", "up to date"]


def test_a_refused_import_stands_in_the_next_receipt(lab: Site, hq: Site, stick: Path, tmp_path: Path) -> None:
    (stick / "manifest.json").write_bytes(b"{}")
    before = lab.state()
    refused = lab.call("import", stick)
    unchanged = lab.state()
    lab.do("receipt", "--to", tmp_path / "r")

    told = hq.do("receipt", "accept", tmp_path / "r").out

    assert (refused.code, unchanged) == (6, before)
    assert f": manifest.json.sig, {stick}: expected 1 valid signature by trusted keys" in told


def test_a_refusal_that_cannot_be_kept_is_still_the_refusal(lab: Site, stick: Path) -> None:
    (stick / "manifest.json").write_bytes(b"{}")
    (lab.root / "refusals.jsonl").mkdir()

    outcome = lab.call("import", stick)

    assert outcome.code == 6
    assert "warning: " in outcome.err
    assert "the next receipt will not tell of this refusal" in outcome.err


def test_a_dry_run_that_is_refused_writes_nothing(lab: Site, stick: Path) -> None:
    (stick / "manifest.json").write_bytes(b"{}")

    outcome = lab.call("import", stick, "--dry-run")

    assert outcome.code == 6
    assert not (lab.root / "refusals.jsonl").exists()
