"""Copying a volume: what is declared and no more, whole on its medium before the manifest has its name."""

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from issmedia.base import files
from issmedia.base.errors import DepotError, FormatError, NoSpaceError, NotIntactError, UsageError
from issmedia.base.events import Advanced, Event, Finished, Note, Started
from issmedia.base.mounts import kind_at
from issmedia.base.readback import Means
from issmedia.bundle import copying, layout
from issmedia.bundle.copying import copy_to, original, read_back
from issmedia.bundle.placing import finish_volume
from issmedia.bundle.reader import read
from tests.makers.bundles import bundle_of, content_of
from tests.makers.sticks import ext4_stick, memory_stick
from tests.makers.stops import stopped_at

BIG = b"".join(number.to_bytes(4, "big") for number in range(400_000))
ZOO = {"a.rpm": b"a" * 5000, "b.rpm": b"same", "big.rpm": BIG, "c.rpm": b"same"}
A = "repos/p/zoo/a.rpm"


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    """A volume with a blob at three paths and one that takes several readings."""
    return bundle_of(tmp_path, zoo=ZOO, farm={"d.rpm": b"same"}).write(tmp_path / "volume")


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    """An empty directory."""
    (tmp_path / "stick").mkdir()
    return tmp_path / "stick"


def copied(volume: Path, stick: Path, *, report: Callable[[Event], object] = lambda _event: None) -> tuple[int, Means]:
    """Copy, read back, and finish, as the operation does."""

    def reported(event: Event) -> None:
        report(event)

    with read([volume]) as bundle:
        one = original(bundle)
        kept = copy_to(one, stick, workers=2, report=reported)
        means = read_back(one, stick, workers=2, report=reported)
        finish_volume(stick)
    return kept, means


def when_reading_back(act: Callable[[], object]) -> Callable[[Event], None]:
    """Give a report that does something between the copying and the reading back."""

    def report(event: Event) -> None:
        if isinstance(event, Started) and event.phase == "reading back":
            act()

    return report


def test_a_copy_is_the_volume_and_nothing_beside(volume: Path, stick: Path) -> None:
    original_content = content_of(volume)
    (volume / "report.html").write_bytes(b"beside")
    (volume / "photo.jpg").write_bytes(b"a cat")
    (volume / "repos/p/zoo/stray.rpm").write_bytes(b"stray")

    kept, _ = copied(volume, stick)

    assert (kept, content_of(stick)) == (0, original_content)


def test_modes_are_ours_whatever_the_source_has(volume: Path, stick: Path) -> None:
    (volume / A).chmod(0o4777)

    copied(volume, stick)

    assert {oct(path.stat().st_mode & 0o7777) for path in stick.rglob("*") if path.is_file()} == {"0o644"}


def test_links_stay_links(volume: Path, stick: Path) -> None:
    copied(volume, stick)

    inodes = {(stick / f"repos/p/{name}").stat().st_ino for name in ("zoo/b.rpm", "zoo/c.rpm", "farm/d.rpm")}

    assert len(inodes) == 1


def test_a_medium_without_links_gets_copies(volume: Path, stick: Path) -> None:
    def refuse(kind: str, name: str) -> None:
        if kind == "link":
            raise OSError(errno.EPERM, "Operation not permitted")

    with files.observing(refuse):
        copied(volume, stick)

    assert content_of(stick) == content_of(volume)


def test_a_volume_without_signatures_is_copied_without(volume: Path, stick: Path) -> None:
    (volume / layout.SIGNATURES).unlink()

    copied(volume, stick)

    assert content_of(stick) == content_of(volume)


def test_the_manifest_gets_its_name_after_all_was_flushed_and_read_back(volume: Path, stick: Path) -> None:
    steps: list[tuple[str, str]] = []

    def note(kind: str, name: str) -> None:
        steps.append((kind, name))

    with files.observing(note):
        copied(volume, stick, report=when_reading_back(lambda: note("read back", "")))

    assert steps[-4:] == [("syncfs", "stick"), ("read back", ""), ("rename", "manifest.json"), ("fsync", "stick")]
    assert steps.index(("rename", "manifest.json.partial")) < steps.index(("rename", "a.rpm"))


def test_progress_of_both_passes_comes_to_the_whole(volume: Path, stick: Path) -> None:
    events: list[Event] = []

    copied(volume, stick, report=events.append)

    started = [event for event in events if isinstance(event, Started)]
    done = [event for event in events if isinstance(event, Advanced)]
    assert [event.phase for event in started] == ["copying", "reading back"]
    assert [event.phase for event in events if isinstance(event, Finished)] == ["copying", "reading back"]
    assert sum(event.size or 0 for event in started) == sum(event.size for event in done)
    assert sum(event.files or 0 for event in started) == sum(event.files for event in done)


@pytest.mark.parametrize("bad", [b"", b"A" * 5000, b"a" * 4999, b"a" * 5001])
def test_a_bad_source_is_named_and_the_good_files_stay_for_the_next_run(
    volume: Path, stick: Path, tmp_path: Path, bad: bytes
) -> None:
    shutil.copytree(volume, tmp_path / "scratched")
    (tmp_path / "scratched" / A).write_bytes(bad)

    with pytest.raises(NotIntactError) as caught:
        copied(tmp_path / "scratched", stick)
    half_made = (stick / "manifest.json").exists()
    kept, _ = copied(volume, stick)

    assert [problem.where for problem in caught.value.problems] == [A]
    assert not half_made
    assert content_of(stick) == content_of(volume)
    assert kept > 3


def test_a_bad_duplicate_is_taken_from_where_it_is_good(volume: Path, stick: Path) -> None:
    (volume / "repos/p/zoo/b.rpm").unlink()
    (volume / "repos/p/zoo/b.rpm").write_bytes(b"EVIL")

    copied(volume, stick)

    assert (stick / "repos/p/zoo/b.rpm").read_bytes() == b"same"


def test_missing_files_are_named_before_anything_is_written(volume: Path, stick: Path) -> None:
    for name in (A, "README.txt"):
        (volume / name).unlink()

    with pytest.raises(NotIntactError, match="2 files not intact") as caught:
        copied(volume, stick)

    assert [problem.where for problem in caught.value.problems] == ["README.txt", A]
    assert list(stick.iterdir()) == []


def test_sums_that_the_manifest_does_not_list_are_refused(volume: Path, stick: Path) -> None:
    lines = (volume / layout.SUMS).read_bytes().splitlines(keepends=True)
    (volume / layout.SUMS).write_bytes(b"".join(lines[1:]))

    with pytest.raises(NotIntactError, match=r"expected sha256 [0-9a-f]{64}, read [0-9a-f]{64}") as caught:
        copied(volume, stick)

    assert caught.value.where == f"{volume}: SHA256SUMS"
    assert list(stick.iterdir()) == []


@pytest.mark.parametrize("name", ["photo.jpg", ".hidden", "repos", "README.txt", "SHA256SUMS"])
def test_a_target_that_holds_anything_else_is_refused_and_left(volume: Path, stick: Path, name: str) -> None:
    (stick / name).write_bytes(b"mine")

    with pytest.raises(UsageError, match="nothing that a copy began"):
        copied(volume, stick)

    assert content_of(stick) == {name: b"mine"}


@pytest.mark.parametrize("mark", [layout.MANIFEST, layout.PARTIAL])
def test_a_target_that_holds_another_bundle_is_refused_and_left(
    volume: Path, stick: Path, tmp_path: Path, mark: str
) -> None:
    other = bundle_of(tmp_path / "other", zoo={"x.rpm": b"x"}).write(stick)
    (other / layout.MANIFEST).rename(other / mark)
    before = content_of(stick)

    with pytest.raises(UsageError, match="holds another bundle"):
        copied(volume, stick)

    assert before == content_of(stick)


def test_a_target_that_holds_another_volume_of_the_bundle_is_refused_and_left(volume: Path, stick: Path) -> None:
    copied(volume, stick)
    (stick / layout.SUMS).write_bytes(b"of another volume")
    before = content_of(stick)

    with pytest.raises(UsageError, match="holds another volume of this bundle"):
        copied(volume, stick)

    assert before == content_of(stick)


@pytest.mark.parametrize("make", [lambda path: None, lambda path: path.write_bytes(b"")], ids=["absent", "a file"])
def test_a_target_that_is_no_directory_is_refused(volume: Path, tmp_path: Path, make: Callable[[Path], object]) -> None:
    make(tmp_path / "target")
    before = set(tmp_path.iterdir())

    with pytest.raises(UsageError, match="is no directory"):
        copied(volume, tmp_path / "target")

    assert before == set(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["lost+found", "System Volume Information"])
def test_what_file_systems_put_there_themselves_is_left(volume: Path, stick: Path, name: str) -> None:
    (stick / name).mkdir()
    (stick / name / "x").write_bytes(b"theirs")

    copied(volume, stick)

    assert (stick / name / "x").read_bytes() == b"theirs"


@pytest.mark.parametrize(
    ("kind", "name"),
    [("rename", "a.rpm"), ("rename", "SHA256SUMS"), ("syncfs", "stick"), ("rename", "manifest.json")],
)
def test_a_stopped_copy_does_not_look_whole_and_goes_on(volume: Path, stick: Path, kind: str, name: str) -> None:
    with stopped_at(kind, name):
        copied(volume, stick)
    with pytest.raises(FormatError, match="unfinished"), read([stick]):
        pass

    copied(volume, stick)

    assert content_of(stick) == content_of(volume)


def test_going_on_keeps_what_is_whole_and_says_how_much(volume: Path, stick: Path) -> None:
    events: list[Event] = []
    with stopped_at("rename", "SHA256SUMS"):
        copied(volume, stick)
    (stick / A).write_bytes(b"A" * 5000)

    kept, _ = copied(volume, stick, report=events.append)

    notes = [event.message for event in events if isinstance(event, Note)]
    assert notes[0] == "going on with a copy that was begun here: what lies there is hashed again"
    assert f"kept {kept} files of an earlier run, after re-hashing" in notes
    assert content_of(stick) == content_of(volume)


def test_a_finished_copy_is_read_back_again(volume: Path, stick: Path) -> None:
    copied(volume, stick)
    before = (stick / A).stat().st_ino

    copied(volume, stick)

    assert before == (stick / A).stat().st_ino


def test_files_that_the_medium_gives_back_otherwise_are_all_named_and_written_again(volume: Path, stick: Path) -> None:
    def rot() -> None:
        (stick / A).write_bytes(b"A" * 5000)
        (stick / "repos/p/zoo/big.rpm").write_bytes(BIG[:-1])
        (stick / "README.txt").unlink()

    with pytest.raises(NotIntactError, match="3 files written, but not given back") as caught:
        copied(volume, stick, report=when_reading_back(rot))
    left = content_of(stick)
    copied(volume, stick)

    said = {problem.where: problem.message for problem in caught.value.problems}
    assert list(said) == ["README.txt", A, "repos/p/zoo/big.rpm"]
    assert said["README.txt"] == "is missing"
    assert ("expected sha256" in said[A], "expected 1600000 bytes" in said["repos/p/zoo/big.rpm"]) == (True, True)
    assert left.keys() & {*said, layout.MANIFEST} == set()
    assert content_of(stick) == content_of(volume)


@pytest.mark.parametrize("name", [layout.SUMS, layout.SIGNATURES, layout.PARTIAL])
def test_what_declares_the_files_is_read_back_too(volume: Path, stick: Path, name: str) -> None:
    def rot() -> None:
        with (stick / name).open("ab") as file:
            file.write(b"!")

    with pytest.raises(NotIntactError) as caught:
        copied(volume, stick, report=when_reading_back(rot))

    assert [problem.where for problem in caught.value.problems] == [name]
    assert not (stick / layout.MANIFEST).exists()


def test_a_file_that_the_file_system_cannot_hold_is_named_before_anything_is_written(
    volume: Path, stick: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(copying.LARGEST, kind_at(stick), len(BIG) - 1)

    with pytest.raises(UsageError, match="holds at most 1,599,999 bytes in a file") as caught:
        copied(volume, stick)

    assert [problem.where for problem in caught.value.problems] == ["repos/p/zoo/big.rpm"]
    assert list(stick.iterdir()) == []


def test_a_file_system_that_folds_case_is_said(volume: Path, stick: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copying, "FOLDING", {kind_at(stick)})
    events: list[Event] = []

    copied(volume, stick, report=events.append)

    said = [event.message for event in events if isinstance(event, Note)]
    assert said == [f"{kind_at(stick)} takes names that differ in case for one; none of this volume's do"]


def test_a_disk_that_fails_is_ours_and_named(volume: Path, stick: Path) -> None:
    def fail(kind: str, name: str) -> None:
        if name == "SHA256SUMS":
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(DepotError, match="the disk is full") as caught, files.observing(fail):
        copied(volume, stick)

    assert caught.value.where == str(stick)


@pytest.mark.root
@pytest.mark.system("mount")
def test_a_stick_that_is_too_small_is_refused_before_anything_is_written(volume: Path, tmp_path: Path) -> None:
    with memory_stick(tmp_path, size=1 << 20) as memory:
        with pytest.raises(NoSpaceError, match="bytes are needed"):
            copied(volume, memory)

        assert list(memory.iterdir()) == []


@pytest.mark.root
@pytest.mark.system("mkfs.ext4", "mount", "findmnt")
def test_a_bit_that_flips_on_the_medium_is_found_though_memory_has_it_right(volume: Path, tmp_path: Path) -> None:
    with ext4_stick(tmp_path) as stick:
        with pytest.raises(NotIntactError, match="not given back by the medium as written") as caught:
            copied(volume, stick.path, report=when_reading_back(lambda: stick.rot(b"a" * 5000)))
        first = [problem.where for problem in caught.value.problems]
        kept, means = copied(volume, stick.path)
        whole = {name: data for name, data in content_of(stick.path).items() if "lost+found" not in name}

    assert first == [A]
    assert (whole, means) == (content_of(volume), Means.DIRECT)
    assert kept > 3


@pytest.mark.root
@pytest.mark.system("mkfs.ext4", "mount")
def test_an_error_of_the_medium_when_it_is_read_back_is_named(
    volume: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(fd: int, buffers: object) -> int:
        raise OSError(errno.EIO, "Input/output error")

    with ext4_stick(tmp_path) as stick, pytest.raises(NotIntactError) as caught:
        copied(volume, stick.path, report=when_reading_back(lambda: monkeypatch.setattr(os, "readv", fail)))

    assert {problem.message for problem in caught.value.problems} == {"cannot be read: Input/output error"}
