"""issmedia sync over several repositories: each stands alone, and the exit code says how it went."""

import json
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.conftest import World
from tests.makers.http_server import Silence, serving
from tests.makers.repos import PackageSpec, build_repo
from tests.makers.sites import Site


def test_a_second_sync_changes_nothing(hq: Site) -> None:
    before = hq.state()

    done = hq.do("sync", "--json").document

    assert [one["changed"] for one in done["repositories"]] == [False, False]
    assert before == hq.state()


def test_the_text_says_what_is_unchanged(hq: Site) -> None:
    assert "p/farm: unchanged: 5 packages, " in hq.do("sync", "p/farm").out


def test_a_changed_repository_gets_a_new_snapshot(hq: Site, tmp_path: Path) -> None:
    changed = build_repo(tmp_path / "farm", [PackageSpec("app", version="9")])
    hq.do("repo", "set", "p/farm", "--source", changed.path)

    done = hq.do("sync", "p/farm", "--json").document["repositories"][0]

    assert (done["changed"], done["packages"]) == (True, 1)
    assert len(hq.do("repo", "show", "p/farm", "--json").document["snapshots"]) == 2


def test_one_that_fails_does_not_stop_the_others(hq: Site, world: World, tmp_path: Path) -> None:
    hq.do("repo", "add", "a/bad", tmp_path / "nowhere")
    hq.do("repo", "add", "z/good", world.farm)

    outcome = hq.call("sync", "a", "z", "--json")

    assert outcome.code == 7
    assert [one["repository"] for one in outcome.document["repositories"]] == ["z/good"]
    assert [one["where"].split(":")[0] for one in outcome.document["failed"]] == ["a/bad"]


def test_each_failure_tells_its_own_exit_code(hq: Site, world: World, tmp_path: Path) -> None:
    broken = shutil.copytree(world.farm, tmp_path / "broken")
    (broken / "repodata/repomd.xml").write_bytes(b"<repomd>")
    hq.do("repo", "add", "a/broken", broken)
    hq.do("repo", "add", "a/gone", tmp_path / "nowhere")

    failed = hq.call("sync", "--json").document["failed"]

    assert [(one["where"].split(":")[0], one["exit_code"]) for one in failed] == [("a/broken", 5), ("a/gone", 3)]


def test_only_failures_are_an_upstream_error(hq: Site, tmp_path: Path) -> None:
    for label in ("one", "two"):
        hq.do("repo", "add", f"a/{label}", tmp_path / "nowhere")

    outcome = hq.call("sync", "a")

    assert outcome.code == 3
    assert [line for line in outcome.err.splitlines() if line.startswith("error: a/")] != []
    assert outcome.err.count("error: ") == 2


def test_metadata_that_cannot_be_read_do_not_stop_the_others(hq: Site, world: World, tmp_path: Path) -> None:
    broken = shutil.copytree(world.farm, tmp_path / "broken")
    (broken / "repodata/repomd.xml").write_bytes(b"<repomd>")
    hq.do("repo", "add", "a/bad", broken)
    hq.do("repo", "add", "z/good", world.farm)

    outcome = hq.call("sync", "a", "z")

    assert outcome.code == 7
    assert "z/good: synced" in outcome.out
    assert "error: a/bad: " in outcome.err


def test_a_stored_source_that_is_none_does_not_stop_the_others(hq: Site, world: World) -> None:
    hq.do("repo", "add", "a/bad", world.zoo)
    hq.do("repo", "add", "z/good", world.farm)
    with closing(sqlite3.connect(hq.root / "catalog.sqlite")) as db, db:
        assert db.execute("UPDATE repositories SET source = 'ftp://host/x' WHERE label = 'bad'").rowcount == 1

    both, alone = hq.call("sync", "a", "z"), hq.call("sync", "a", "--json")

    assert (both.code, alone.code) == (7, 3)
    assert "z/good: synced" in both.out
    assert "error: a/bad: ftp:// with this host is no source" in both.err
    assert json.loads(alone.err)["error"]["exit_code"] == 3


def test_a_depot_that_fails_stops_everything(hq: Site, world: World, tmp_path: Path) -> None:
    hq.do("repo", "add", "a/new", build_repo(tmp_path / "new", ["fresh"]).path)
    (hq.root / "store/incoming").rmdir()
    (hq.root / "store/incoming").write_bytes(b"")

    outcome = hq.call("sync", "--json")

    assert (outcome.code, outcome.out) == (4, "")


INTERRUPTIBLE = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from issmedia.cli.main import main
main()
"""


def test_an_interruption_ends_a_sync_of_a_silent_server_soon(hq: Site, world: World) -> None:
    silence = Silence(threading.Event())
    with serving(world.farm) as server:
        for path in world.farm.rglob("*.rpm"):
            server.behave(path.relative_to(world.farm).as_posix(), silence)
        hq.do("repo", "add", "a/silent", server.url)
        for path in (hq.root / "store").glob("??/*"):
            path.unlink()
        command = [sys.executable, "-c", INTERRUPTIBLE, "--depot", str(hq.root), "sync", "a"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            assert silence.reached.wait(30)
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=15)

    assert process.returncode == 130
    assert said.endswith(b"interrupted: the same command again goes on where this stopped\n")


def test_an_imported_repository_has_no_source(lab: Site) -> None:
    everything, named = lab.call("sync"), lab.call("sync", "p/zoo")

    assert (everything.code, named.code) == (2, 2)
    assert "no repository to sync" in everything.err
    assert "p/zoo: came by import and has no source" in named.err


@pytest.mark.parametrize("form", ["{path}", "file://{path}", "file://{path}/"])
def test_each_form_of_a_local_source_gives_the_same_tree(hq: Site, world: World, form: str) -> None:
    hq.do("repo", "add", "q/again", form.format(path=world.zoo))

    hq.do("sync", "q")

    assert hq.trees()["q/again"] == hq.trees()["p/zoo"]


def test_search_finds_packages_and_cves_on_both_sides(hq: Site, lab: Site) -> None:
    for site in (hq, lab):
        found = site.do("search", "CVE-2023-0001", "--json").document
        packages = site.do("search", "streamed", "--json").document["packages"]

        assert [(one["repository"], one["id"]) for one in found["advisories"]] == [
            ("p/farm", "TEST-2023:0001"),
            ("p/zoo", "TEST-2023:0001"),
        ]
        assert {one["nevra"] for one in packages} == {"streamed-5.1-1.noarch"}


def test_searching_for_what_is_not_there_says_so(hq: Site) -> None:
    assert hq.do("search", "nothing-like-this").out == "nothing found\n"
