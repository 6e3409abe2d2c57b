"""One exit code a branch of the error tree; `error:` and `hint:`, never a traceback."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from issmedia.base import files
from issmedia.base.locks import locked
from issmedia.cli.main import run
from tests.cli.conftest import World
from tests.makers.sites import Outcome, Site

NOW = "2026-06-01T12:00:00Z"


def require_error(outcome: Outcome, code: int, message: str) -> None:
    """Expect an error in its form: one line, then what was wrong with each item, then what to do next."""
    lines = outcome.err.splitlines()
    errors = [line for line in lines if line.startswith("error: ")]

    assert outcome.code == code
    assert len(errors) == 1
    assert message in errors[0]
    assert "Traceback" not in outcome.err + outcome.out
    assert all(line.startswith(("error: ", "hint: ", "warning: ", "  ")) for line in lines)
    assert lines[-1].startswith("hint: "), f"no next step: {lines}"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("nothing", "No such command 'nothing'"),
        ("sync --nope", "No such option '--nope'"),
        ("export", "name the directory to write to"),
        ("keys generate", "Missing argument 'NAME'"),
        ("keys threshold x", "'x' is not a valid integer"),
        ("keys generate k --type rsa", "'rsa' is not one of"),
        ("repo add p/x /srv --gpg-key /nowhere/key", "No such file"),
        ("repo remove p/zoo", "say --yes"),
        ("repo add x /srv", "is not PRODUCT/REPO"),
        ("repo add p/zoo /srv", "is there already"),
        ("repo add p/-x /srv", "is not a label"),
        ("repo show p", "no repository p"),
        ("repo set p/none --name x", "no repository p/none"),
        ("product add p", "is there already"),
        ("repo add q/x https://a/$v --var v=9 --mirrorlist --metalink", "a list is a mirrorlist or a metalink"),
        ("site show none", "no site none"),
        ("product show none", "no product none"),
        ("product remove p", "still has repositories"),
        ("status none", "no product or repository none"),
        ("sync none", "no product or repository none"),
        ("export p --to {out} --expires soon", "is not a moment"),
        ("export p --to {out} --key nobody", "nobody"),
        ("export p --to {out} --to-site a/b", "is not a label"),
        ("keys show nobody", "no signing key"),
        ("keys revoke nobody", "no trusted key"),
        ("keys threshold 5", "expected a threshold"),
        ("keys trust x /nowhere", "neither a public key line nor a small file"),
        ("keys trust x {stick}", "neither a public key line nor a small file"),
        ("init --name a/b", "is not a label"),
        ("\udcff", "not UTF-8"),
    ],
)
def test_2_asked_for_something_that_cannot_be(hq: Site, world: World, tmp_path: Path, line: str, message: str) -> None:
    outcome = hq.call(*line.format(out=tmp_path / "out", stick=world.stick).split())

    require_error(outcome, 2, message)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("source", ["/nowhere", "file:///nowhere", "{empty}"])
def test_3_upstream_gave_nothing(hq: Site, tmp_path: Path, source: str) -> None:
    (tmp_path / "empty").mkdir()
    hq.do("repo", "add", "q/bad", source.format(empty=tmp_path / "empty"))
    before = hq.state()

    outcome = hq.call("sync", "q")

    require_error(outcome, 3, "q/bad")
    assert outcome.out == ""
    assert before == hq.state()


def test_4_a_place_where_no_depot_is(tmp_path: Path) -> None:
    for line in ("status", "sync", "export --dry-run"):
        outcome = Site(tmp_path / "nowhere").call(*line.split())

        require_error(outcome, 4, "no depot here")
        assert f"hint: make one: issmedia --depot {tmp_path / 'nowhere'} init" in outcome.err


def test_4_a_depot_that_is_there_already(hq: Site) -> None:
    require_error(hq.call("init"), 4, "there is a depot already")


def test_4_a_directory_that_is_none_of_ours(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    require_error(Site(tmp_path).call("init"), 4, "not empty")


def test_4_a_catalog_of_a_newer_issmedia(hq: Site) -> None:
    with closing(sqlite3.connect(hq.root / "catalog.sqlite")) as db:
        db.execute("UPDATE schema_version SET number = 99")
        db.commit()

    require_error(hq.call("status"), 4, "schema 99")


def test_4_a_catalog_that_is_damaged(hq: Site) -> None:
    (hq.root / "catalog.sqlite").write_bytes(b"no database" * 1000)

    require_error(hq.call("status"), 4, "the catalog cannot be used")


def test_4_a_blob_that_rotted(hq: Site, world: World, tmp_path: Path) -> None:
    package = next(world.zoo.rglob("app-*.rpm"))
    blob = next(
        path for path in (hq.root / "store").rglob("*") if path.is_file() and path.read_bytes() == package.read_bytes()
    )
    blob.chmod(0o644)
    blob.write_bytes(b"rotten")

    require_error(hq.call("export", "--to", tmp_path / "out"), 4, package.name)
    require_error(hq.call("audit"), 4, "the audit found")


def test_4_an_export_into_the_depot_or_around_it(hq: Site, world: World) -> None:
    before = sorted(hq.root.rglob("*"))

    require_error(hq.call("export", "--to", hq.root / "stick"), 4, "lies in the depot")
    require_error(hq.call("export", "--to", hq.root.parent), 2, "nothing that an export of ours began")

    assert before == sorted(hq.root.rglob("*"))


def test_5_what_is_no_volume(lab: Site, tmp_path: Path) -> None:
    for command in ("inspect", "verify", "import"):
        require_error(lab.call(command, tmp_path), 5, "not a volume of a bundle")


def test_5_a_manifest_that_is_none(lab: Site, stick: Path) -> None:
    (stick / "manifest.json").write_bytes(b"{}")

    require_error(lab.call("inspect", stick), 5, "manifest.json")


def test_6_a_bundle_of_a_stranger(world: World, tmp_path: Path) -> None:
    site = Site(tmp_path / "site")
    site.do("init")
    before = site.state()

    for command in ("verify", "import"):
        require_error(site.call(command, world.stick), 6, "not trusted here")

    assert before == site.state()


def test_6_every_damaged_file_is_named(lab: Site, stick: Path) -> None:
    for name in ("README.txt", "issmedia.repo"):
        (stick / name).write_bytes(b"damaged")

    outcome = lab.call("verify", stick)

    require_error(outcome, 6, "2 files not intact")
    assert [line.split(": ")[1] for line in outcome.err.splitlines() if line.startswith("  ")] == [
        "README.txt",
        "issmedia.repo",
    ]


def test_7_done_but_something_was_left_out(hq: Site, world: World, tmp_path: Path) -> None:
    partly = shutil.copytree(world.farm, tmp_path / "partly")
    next(partly.rglob("app-*.rpm")).unlink()
    hq.do("repo", "add", "q/partly", partly)

    synced = hq.call("sync", "q", "--json")
    exported = hq.call("export", "q", "--to", tmp_path / "out")
    quiet = hq.call("export", "q", "--to", tmp_path / "again", "--quiet")

    assert (synced.code, exported.code, quiet.code) == (7, 7, 7)
    assert [one["path"] for one in synced.document["repositories"][0]["incomplete"]] == [
        "Packages/a/app-1.0-1.noarch.rpm"
    ]
    assert "left out: q/partly: Packages/a/app-1.0-1.noarch.rpm" in exported.out
    assert quiet.err.startswith("warning: left out: q/partly: Packages/a/app-1.0-1.noarch.rpm: ")


def test_8_another_process_holds_the_depot(hq: Site) -> None:
    with locked(hq.root / "lock", "import of /mnt/stick", since=NOW):
        outcome = hq.call("sync")
        reading = hq.call("status")

    require_error(outcome, 8, f"busy: import of /mnt/stick since {NOW} by pid {os.getpid()}")
    assert f"hint: wait until it has ended, then run the same command again; ps -fp {os.getpid()}" in outcome.err
    assert reading.code == 0


def test_130_interrupted(hq: Site, tmp_path: Path) -> None:
    def interrupt(kind: str, name: str) -> None:
        if name == "README.txt":
            raise KeyboardInterrupt

    with files.observing(interrupt):
        outcome = hq.call("export", "--to", tmp_path / "out")

    assert outcome.code == 130
    assert outcome.err.endswith("interrupted: the same command again goes on where this stopped\n")
    assert hq.do("export", "--to", tmp_path / "out")


def test_errors_are_json_where_asked(hq: Site) -> None:
    for line, kind in (
        (("status", "none"), "UsageError"),
        (("sync", "--nope"), "UsageError"),
        (("init",), "DepotError"),
    ):
        outcome = hq.call(*line, "--json")

        error = json.loads(outcome.err)["error"]
        assert set(error) == {"exit_code", "kind", "message", "where", "hint", "problems"}
        assert (error["exit_code"], error["kind"], outcome.out) == (outcome.code, kind, "")


def test_hostile_text_in_an_error_stays_on_its_line(hq: Site) -> None:
    outcome = hq.call("status", "\x1b[31mred\nhint: rm -rf /")

    assert "\x1b" not in outcome.err
    assert outcome.err.splitlines()[0] == "error: no product or repository \\x1b[31mred\\nhint: rm -rf /"


def test_a_reader_that_goes_away_is_no_traceback(hq: Site) -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    command = [sys.executable, "-c", "from issmedia.cli.main import main; main()", "--depot", str(hq.root), "log"]

    done = subprocess.run(command, stdout=write_end, stderr=subprocess.PIPE, check=False)
    os.close(write_end)

    assert (done.returncode, done.stderr) == (1, b"")


def test_run_gives_the_code_back(hq: Site) -> None:
    assert run(["--depot", str(hq.root), "status", "--quiet"]) == 0
