"""Row 65 on a real file system that runs out: of bytes, and of inodes, earlier each time."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.conftest import Eve
from tests.crash.sweeps import require_completion, require_old_or_new
from tests.makers.crash import Scene, Trial, forked
from tests.makers.programs import all_must_run, run, try_run

pytestmark = pytest.mark.root


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Mount a tmpfs, to be sized by each test."""
    path = tmp_path_factory.mktemp("small")
    mounted = try_run("mount", "-t", "tmpfs", "-o", "size=64m", "issmedia-test", path)
    if mounted.returncode != 0 and not all_must_run():
        pytest.skip(f"cannot mount: {mounted.stderr.strip()}")
    assert mounted.returncode == 0, mounted.stderr
    yield path
    run("umount", path)


@pytest.mark.parametrize("limit", ["nr_inodes", "nr_blocks"])
@pytest.mark.parametrize(
    ("state", "arguments", "most"),
    [("unimported", ("import", "bundle"), 60), ("unexported", ("export", "--to", "@stick"), 40)],
)
def test_065_a_file_system_that_runs_out_keeps_the_old_state_and_then_completes(
    eve: Eve,
    small: Path,
    monkeypatch: pytest.MonkeyPatch,
    limit: str,
    state: str,
    arguments: tuple[str, ...],
    most: int,
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    command = tuple(str(eve.bundle) if one == "bundle" else one for one in arguments)
    scene = Scene(eve.root / state, small / "place", command)
    old, new, refusals = scene.before, scene.after, set[str]()

    for room in range(0, most, 6):
        scene.fresh()
        _leave(small, limit, room)
        ended = forked(scene.call, lambda _kind, _name: None)
        trial = Trial(scene, ended, limit, f"{command[0]} with {room} of {limit} left")
        require_old_or_new(trial, scene.facts(), old, new)
        _leave(small, limit, None)
        require_completion(trial, new)
        refusals.add(ended.err)

    assert any("the disk is full" in refusal or " are free" in refusal for refusal in refusals)


def _leave(small: Path, limit: str, room: int | None) -> None:
    """Limit the file system to what it holds and `room` more, or lift the limit."""
    run("mount", "-o", "remount,size=64m,nr_inodes=100k", small)
    if room is not None:
        facts = os.statvfs(small)
        used = facts.f_files - facts.f_ffree if limit == "nr_inodes" else facts.f_blocks - facts.f_bfree
        run("mount", "-o", f"remount,{limit}={used + room}", small)
