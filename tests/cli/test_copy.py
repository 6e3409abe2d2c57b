"""issmedia copy: what people and programs read of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from issmedia.base.readback import Means
from issmedia.bundle.reader import volumes_in
from issmedia.cli.copy import read_back_line
from tests.cli.conftest import World
from tests.makers.bundles import content_of
from tests.makers.sites import Site
from tests.makers.sticks import Stick, ext4_stick, memory_stick


@pytest.fixture
def blank(tmp_path: Path) -> Iterator[Stick]:
    """A mounted stick; its file system put `lost+found` there."""
    (tmp_path / "mnt").mkdir()
    with ext4_stick(tmp_path / "mnt") as stick:
        yield stick


@pytest.mark.root
@pytest.mark.system("mkfs.ext4", "mount", "findmnt")
def test_people_read_what_was_copied_how_it_was_read_back_and_what_to_do_next(
    hq: Site, stick: Path, blank: Stick
) -> None:
    outcome = hq.do("copy", stick, "--to", blank.path)

    lines = outcome.out.splitlines()
    assert lines[0].startswith("hq #1: volume 1 of 1, ISSM_")
    assert lines[1].startswith(f"copied to {blank.path} (ext4")
    assert lines[2] == "read back, every byte as it was written: O_DIRECT"
    assert lines[3].startswith("id ")
    assert lines[4].startswith("signed by release (SHA256:")
    assert lines[5] == f"umount {blank.path}; it can be removed now"


@pytest.mark.root
@pytest.mark.system("mkfs.ext4", "mount", "findmnt")
def test_the_copy_is_imported_like_the_original(lab: Site, hq: Site, stick: Path, blank: Stick) -> None:
    hq.do("copy", stick, "--to", blank.path)

    assert lab.call("verify", blank.path).code == 0


def test_a_program_reads_the_same(lab: Site, stick: Path, tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()

    found = lab.do("copy", stick, "--to", tmp_path / "target", "--json").document

    assert set(found) == {"bundle", "volume", "medium", "kept", "read_back", "signers"}
    assert (found["volume"]["number"], found["medium"]["directory"]) == (1, str(tmp_path / "target"))
    assert list(found["signers"].values()) == ["hq"]


@pytest.mark.root
@pytest.mark.system("mount")
def test_what_lies_in_memory_is_not_said_to_be_read_back(hq: Site, stick: Path, tmp_path: Path) -> None:
    with memory_stick(tmp_path, size=64 << 20) as memory:
        outcome = hq.do("copy", stick, "--to", memory)

    assert "compared with what was written; reading it back from a medium is not possible: memory file" in outcome.out


def test_a_bad_file_ends_in_6_and_its_name(lab: Site, stick: Path, tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()
    bad = next(stick.rglob("*.rpm"))
    bad.write_bytes(b"evil")

    outcome = lab.call("copy", stick, "--to", tmp_path / "target")

    assert outcome.code == 6
    assert bad.relative_to(stick).as_posix() in outcome.err
    assert "hint: " in outcome.err


def test_a_medium_that_is_not_mounted_ends_in_2(lab: Site, stick: Path, tmp_path: Path) -> None:
    outcome = lab.call("copy", stick, "--to", tmp_path / "absent")

    assert (outcome.code, (tmp_path / "absent").exists()) == (2, False)
    assert "is no directory" in outcome.err


def test_an_image_or_a_package_is_no_volume_to_copy(lab: Site, stick: Path, tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()

    outcome = lab.call("copy", next(stick.rglob("*.rpm")), "--to", tmp_path / "target")

    assert outcome.code in {5, 6}
    assert content_of(tmp_path / "target") == {}


def test_the_same_command_again_keeps_all_and_reads_it_back(lab: Site, stick: Path, tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()
    first = lab.do("copy", stick, "--to", tmp_path / "target", "--json").document

    again = lab.do("copy", stick, "--to", tmp_path / "target", "--json").document

    assert (first["kept"], again["kept"] > 0, again["bundle"]) == (0, True, first["bundle"])
    assert "copy" in lab.do("log").out


def test_a_directory_of_several_volumes_is_refused_with_their_names(lab: Site, world: World, tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()

    outcome = lab.call("copy", world.set, "--to", tmp_path / "target")

    assert outcome.code == 2
    assert "volumes lie here, and a medium takes one" in outcome.err
    assert all(str(volume) in outcome.err for volume in volumes_in(world.set))
    assert "hint: name one of them" in outcome.err
    assert list((tmp_path / "target").iterdir()) == []


@pytest.mark.parametrize("means", Means)
def test_only_what_was_read_from_a_medium_is_said_to_be_read_back(means: Means) -> None:
    assert read_back_line(means).startswith("read back, ") == (means is not Means.NONE)
