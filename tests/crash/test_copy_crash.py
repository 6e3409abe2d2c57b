"""Rows 63, 65 and 66 for copies: killed, full or broken at any change, a copy never looks whole before it is."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.conftest import Eve
from tests.makers.bundles import content_of
from tests.makers.crash import KINDS, Facts, Fault, Scene, Trial, copy_tree, fail_at, full_from, kill_at
from tests.makers.programs import run
from tests.makers.sticks import ext4_stick, memory_stick

STICK = "stick/"


@pytest.fixture(scope="module")
def scene(eve: Eve) -> Scene:
    """A copy of the newest bundle to an empty stick, by a site that is about to import it."""
    copy_tree(eve.root / "unimported", eve.root / "uncopied")
    (eve.root / "uncopied/stick").mkdir()
    return eve.scene("uncopied", "copy", eve.bundle, "--to", "@stick")


def require_no_false_copy(trial: Trial, left: Facts, old: Facts, new: Facts) -> None:
    """Killed, or one clean error; the site is as it was but for the ledger; with a manifest, whole and recorded."""
    clean = trial.ended.err.startswith(("error: ", "warning: ")) and "Traceback" not in trial.ended.err
    assert trial.ended.code in (None, 0) or (trial.ended.code in (4, 6) and clean), f"{trial}: {trial.ended.err}"
    assert (left.published, left.names) == (old.published, old.names), str(trial)
    if f"{STICK}manifest.json" in left.disk:
        assert left.disk == new.disk, f"{trial}: looks whole, and is not"
        assert left.events[-1].startswith("copy"), f"{trial}: is not recorded"


def require_completion(trial: Trial, new: Facts) -> None:
    """The same command again ends with the same copy."""
    again = trial.scene.call()
    assert again.code == 0, f"{trial}: {again.err}"
    found = trial.scene.facts()
    assert found.disk == new.disk, str(trial)
    assert found.events[-1].startswith('copy {"bundle"'), str(trial)


@pytest.mark.parametrize("fault", [kill_at, full_from, fail_at], ids=["063-killed", "065-full", "066-broken"])
def test_a_copy_that_is_struck_anywhere_does_not_look_whole_and_goes_on(scene: Scene, fault: Fault) -> None:
    old, new = scene.before, scene.after
    struck, seen = set[str](), set[str]()

    for trial in scene.trials(fault):
        struck.add(trial.kind)
        left = scene.facts()
        require_no_false_copy(trial, left, old, new)
        if left.key not in seen:
            seen.add(left.key)
            require_completion(trial, new)

    assert struck == KINDS


def test_063_what_a_killed_copy_brought_is_kept(scene: Scene) -> None:
    kept = [trial.scene.call().err for trial in scene.trials(kill_at) if trial.what.endswith("rename SHA256SUMS")]

    assert len(kept) == 1
    assert "going on with a copy that was begun here" in kept[0]
    assert "files of an earlier run, after re-hashing" in kept[0]


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """Mount a file system in memory, to be sized by the test."""
    with memory_stick(tmp_path, size=64 << 20) as memory:
        yield memory


@pytest.mark.root
@pytest.mark.system("mount")
@pytest.mark.parametrize("limit", ["nr_inodes", "nr_blocks"])
def test_065_a_stick_that_runs_out_anywhere_is_said_and_the_copy_goes_on_with_more_room(
    eve: Eve, small: Path, limit: str
) -> None:
    scene = eve.scene("unimported", "copy", eve.bundle, "--to", small)
    scene.fresh()
    said = set()
    free = os.statvfs(small)
    used = free.f_files - free.f_ffree if limit == "nr_inodes" else free.f_blocks - free.f_bfree

    for room in range(2, 40, 3):
        run("mount", "-o", f"remount,{limit}={used + room}", small)
        outcome = scene.call()
        said.add(outcome.err.splitlines()[-2] if outcome.code else "done")
        assert outcome.code in (0, 4), outcome.err
        assert (small / "manifest.json").exists() == (outcome.code == 0)
    run("mount", "-o", "remount,size=64m,nr_inodes=100k", small)
    again = scene.call()

    assert again.code == 0, again.err
    assert any("the disk is full" in text or "are needed" in text for text in said)
    assert verified(scene, small)


@pytest.mark.root
@pytest.mark.system("mkfs.ext4", "mount", "strace")
def test_066_a_file_that_the_medium_cannot_give_back_is_named_and_written_again(eve: Eve, tmp_path: Path) -> None:
    with ext4_stick(tmp_path) as stick:
        scene = eve.scene("unimported", "copy", eve.bundle, "--to", stick.path)
        ended = scene.straced("-f", "-P", stick.path / "README.txt", "-e", "inject=readv:error=EIO:when=1")
        half_made = (stick.path / "manifest.json").exists()
        again = scene.call()
        whole = verified(scene, stick.path)

    assert (ended.code, half_made) == (6, False)
    assert "1 file written, but not given back by the medium as written" in ended.err
    assert "cannot be read: Input/output error" in ended.err
    assert (again.code, whole) == (0, True), again.err


def verified(scene: Scene, stick: Path) -> bool:
    """Say whether a copy is genuine and whole, with nothing beside it but what its file system made."""
    beside = [name for name in content_of(stick) if ".tmp-" in name or name.endswith(".partial")]
    return scene.site.call("verify", stick).code == 0 and beside == []
