"""Rows 63 and 70 for images and discs: killed at any change of the disk, or while xorriso runs."""

import itertools
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from issmedia.base.errors import NoSpaceError
from issmedia.base.events import Advanced, Event, ignore
from issmedia.bundle.iso import ImageFacts, finish_image, write_image
from tests.makers.bundles import Bundle, bundle_of
from tests.makers.crash import Ended, forked, kill_at
from tests.makers.programs import run
from tests.makers.sites import Outcome, Site

pytestmark = pytest.mark.system("xorriso")

FACTS = ImageFacts("ISSM_1234ABCD_V01OF01", "2026-06-01T12:00:00Z")


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    """A bundle of a few files."""
    return bundle_of(tmp_path, zoo={"a.rpm": b"a" * 5000, "b.rpm": b"same", "c.rpm": b"same"})


def write(bundle: Bundle, target: Path) -> Outcome:
    """Write the bundle's image, and give it its name."""
    extra = (("manifest.json", bundle.plan.manifest_bytes),)
    write_image(bundle.plan.volumes[0], extra, bundle.store, target, facts=FACTS, workers=1, report=ignore)
    finish_image(target)
    return Outcome(0, "", "")


def killed(call: Callable[[], Outcome], number: int) -> Ended:
    """Run until the n-th change of the disk."""
    return forked(call, kill_at(number))


def test_063_an_image_killed_anywhere_is_whole_or_has_no_name_and_completes(bundle: Bundle, tmp_path: Path) -> None:
    whole = tmp_path / "whole.iso"
    write(bundle, whole)
    kinds: set[str] = set()

    for number in itertools.count(1):
        target = tmp_path / str(number) / "x.iso"
        ended = killed(lambda target=target: write(bundle, target), number)  # type: ignore[misc]
        left = target.read_bytes() if target.exists() else None
        if ended.code == 0:
            break
        kinds.add(ended.steps[-1][0])
        assert ended.code is None, ended.err
        assert left in (None, whole.read_bytes()), f"change {number}: a half has the final name"
        write(bundle, target)
        assert target.read_bytes() == whole.read_bytes(), f"change {number}"
        assert os.listdir(target.parent) == ["x.iso"], f"change {number}"
        assert os.listdir(bundle.store.root / "incoming") == [], f"change {number}"

    assert kinds == {"mkdir", "create", "write", "fsync", "link", "rename", "unlink"}


@pytest.mark.parametrize("also", ["", "echo x; exec sleep 600"], ids=["done soon", "would write on"])
def test_063_killed_while_xorriso_writes_no_image_has_a_name_and_xorriso_ends(
    bundle: Bundle, tmp_path: Path, also: str
) -> None:
    target, pids = tmp_path / "out/x.iso", tmp_path / "pids"
    facts = replaced_xorriso(tmp_path / "program", f"echo $$ >> {pids}; {also}")

    def die(event: Event) -> None:
        if isinstance(event, Advanced):
            os.kill(os.getpid(), signal.SIGKILL)

    def call() -> Outcome:
        write_image(bundle.plan.volumes[0], (), bundle.store, target, facts=facts, workers=1, report=die)
        return Outcome(0, "", "")

    ended = forked(call, lambda kind, name: None)

    assert ended.code is None
    assert not target.exists()
    assert ended_within(int(pids.read_text()), seconds=20)
    write(bundle, target)
    assert os.listdir(target.parent) == ["x.iso"]


@pytest.mark.root
def test_065_an_image_on_a_file_system_that_fills_up_is_one_clean_error_and_completes(
    bundle: Bundle, tmp_path: Path
) -> None:
    (tmp_path / "small").mkdir()
    target, hog = tmp_path / "small/x.iso", tmp_path / "small/hog"
    facts = replaced_xorriso(tmp_path / "beside a hog", f"dd if=/dev/zero of={hog} 2>/dev/null")
    run("mount", "-t", "tmpfs", "-o", "size=4m", "issmedia-test", target.parent)
    try:
        with pytest.raises(NoSpaceError, match="the disk is full"):
            write_image(bundle.plan.volumes[0], (), bundle.store, target, facts=facts, workers=1, report=ignore)
        assert os.listdir(target.parent) == ["hog"]
        hog.unlink()
        write(bundle, target)
        assert os.listdir(target.parent) == ["x.iso"]
    finally:
        run("umount", target.parent)


def test_063_a_burn_killed_anywhere_leaves_no_half_disc_and_completes(bundle: Bundle, tmp_path: Path) -> None:
    stick, site = bundle.write(tmp_path / "stick"), Site(tmp_path / "depot")
    site.do("init", "--name", "lab")
    site.do("burn", stick, "--device", f"stdio:{tmp_path}/whole.iso")
    whole = (tmp_path / "whole.iso").read_bytes()

    for number in itertools.count(1):
        discs = tmp_path / str(number)
        discs.mkdir()
        command = ("burn", stick, "--device", f"stdio:{discs}/disc.iso")
        ended = killed(lambda command=command: site.call(*command), number)  # type: ignore[misc]
        disc = discs / "disc.iso"
        if ended.code == 0:
            break
        assert ended.code is None, ended.err
        assert not disc.exists() or disc.read_bytes() == whole, f"change {number}: a half has the final name"
        site.do(*command)
        assert disc.read_bytes() == whole, f"change {number}"
        assert os.listdir(discs) == ["disc.iso"], f"change {number}"
        assert site.call("audit").code == 0


def replaced_xorriso(program: Path, script: str) -> ImageFacts:
    """Make a program that runs a script and then is xorriso; where it is only asked for a size, it is at once."""
    program.write_text(
        f'#!/bin/sh\ncase "$*" in *-print-size*) exec xorriso "$@";; esac\n{script}\nexec xorriso "$@"\n'
    )
    program.chmod(0o755)
    return ImageFacts(FACTS.label, FACTS.moment, str(program))


def ended_within(pid: int, *, seconds: float) -> bool:
    """Say whether a process that is not our child ends: it is told by a pipe that was closed."""
    with subprocess.Popen(["tail", f"--pid={pid}", "-f", "/dev/null"]) as waiting:
        try:
            waiting.wait(seconds)
        except subprocess.TimeoutExpired:
            waiting.kill()
            return False
    return True
