"""Writing a volume: nothing half-made looks whole, and the same call goes on."""

import errno
import os
from pathlib import Path

import pytest

from issmedia.base import files
from issmedia.base.digest import digest_of
from issmedia.base.errors import DepotError, FormatError, UsageError
from issmedia.base.events import Event, Note
from issmedia.bundle.planning import plan_bundle
from issmedia.bundle.sets import BegunExport, unfinished
from tests.makers.bundles import Bundle, bundle_of, content_of
from tests.makers.documents import SITE, header, target
from tests.makers.stops import stopped_at


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    """A bundle with a blob that lies at three paths."""
    return bundle_of(tmp_path, zoo={"a.rpm": b"a" * 5000, "b.rpm": b"same", "c.rpm": b"same"}, farm={"d.rpm": b"same"})


def notes(events: list[Event]) -> list[str]:
    """List what was noted."""
    return [event.message for event in events if isinstance(event, Note)]


def rot(bundle: Bundle, content: bytes, rotten: bytes) -> None:
    """Let a blob of the store rot."""
    path = Path(bundle.store.path(digest_of(content)))
    path.chmod(0o644)
    path.write_bytes(rotten)


def test_a_written_volume_holds_nothing_of_the_work(bundle: Bundle, tmp_path: Path) -> None:
    found = content_of(bundle.write(tmp_path / "stick"))

    assert not [path for path in found if ".tmp" in path or "partial" in path]
    assert [path for path in (tmp_path / "stick").iterdir() if path.name.startswith(".")] == []


def test_two_writes_are_the_same_whatever_the_umask(bundle: Bundle, tmp_path: Path) -> None:
    modes = []
    for name, umask in (("one", 0o022), ("two", 0o077)):
        before = os.umask(umask)
        bundle.write(tmp_path / name)
        os.umask(before)
        modes.append({path.name: path.stat().st_mode for path in (tmp_path / name).rglob("*")})

    assert content_of(tmp_path / "one") == content_of(tmp_path / "two")
    assert modes[0] == modes[1]


def test_the_manifest_gets_its_name_last(bundle: Bundle, tmp_path: Path) -> None:
    steps: list[tuple[str, str]] = []

    with files.observing(lambda kind, name: steps.append((kind, name))):
        bundle.write(tmp_path / "stick")

    assert steps[-2:] == [("rename", "manifest.json"), ("fsync", "stick")]
    assert steps.index(("syncfs", "stick")) > steps.index(("rename", "manifest.json.sig"))
    assert steps.index(("rename", "manifest.json.partial")) < steps.index(("rename", "a.rpm"))


@pytest.mark.parametrize(
    ("kind", "name"),
    [("rename", "a.rpm"), ("rename", "SHA256SUMS"), ("rename", "manifest.json.sig"), ("rename", "manifest.json")],
)
def test_a_stopped_write_does_not_look_whole_and_goes_on(bundle: Bundle, tmp_path: Path, kind: str, name: str) -> None:
    stick = tmp_path / "stick"
    with stopped_at(kind, name):
        bundle.write(stick)
    half_made = (stick / "manifest.json").exists()

    bundle.write(stick)

    assert not half_made
    assert content_of(stick) == content_of(bundle.write(tmp_path / "other"))


def test_going_on_keeps_what_is_whole_and_says_how_much(bundle: Bundle, tmp_path: Path) -> None:
    stick, events = tmp_path / "stick", list[Event]()
    with stopped_at("rename", "SHA256SUMS"):
        bundle.write(stick)
    before = (stick / "repos/p/zoo/a.rpm").stat().st_ino

    bundle.write(stick, events=events)

    assert before == (stick / "repos/p/zoo/a.rpm").stat().st_ino
    assert any("going on with an export that was begun here" in note for note in notes(events))
    assert [note for note in notes(events) if note.startswith("kept ")]


@pytest.mark.parametrize("content", [b"", b"A" * 5000, b"a" * 4999, b"a" * 5001])
def test_what_is_kept_is_hashed_again(bundle: Bundle, tmp_path: Path, content: bytes) -> None:
    stick = tmp_path / "stick"
    with stopped_at("rename", "SHA256SUMS"):
        bundle.write(stick)
    (stick / "repos/p/zoo/a.rpm").write_bytes(content)

    bundle.write(stick)

    assert (stick / "repos/p/zoo/a.rpm").read_bytes() == b"a" * 5000


def test_a_duplicate_that_rotted_with_its_link_is_written_again_everywhere(bundle: Bundle, tmp_path: Path) -> None:
    stick = tmp_path / "stick"
    with stopped_at("rename", "SHA256SUMS"):
        bundle.write(stick)
    (stick / "repos/p/zoo/b.rpm").write_bytes(b"SAME")

    bundle.write(stick)

    assert {(stick / f"repos/p/{name}").read_bytes() for name in ("zoo/b.rpm", "zoo/c.rpm", "farm/d.rpm")} == {b"same"}


def test_what_an_earlier_plan_wrote_and_this_one_does_not_want_goes(bundle: Bundle, tmp_path: Path) -> None:
    stick = tmp_path / "stick"
    with stopped_at("rename", "SHA256SUMS"):
        bundle.write(stick)
    smaller = Bundle(plan_bundle(header(), (target("p/zoo", {"a.rpm": b"a" * 5000}),)), bundle.store)

    smaller.write(stick)

    assert content_of(stick) == content_of(smaller.write(tmp_path / "other"))


def test_a_blob_at_several_paths_is_written_once_and_linked(bundle: Bundle, tmp_path: Path) -> None:
    stick = bundle.write(tmp_path / "stick")

    inodes = {(stick / f"repos/p/{name}").stat().st_ino for name in ("zoo/b.rpm", "zoo/c.rpm", "farm/d.rpm")}

    assert len(inodes) == 1
    assert (stick / "repos/p/zoo/b.rpm").stat().st_nlink == 3


def test_it_is_copied_where_the_medium_has_no_links(bundle: Bundle, tmp_path: Path) -> None:
    def refuse(kind: str, name: str) -> None:
        if kind == "link":
            raise OSError(errno.EPERM, "Operation not permitted")

    with files.observing(refuse):
        stick = bundle.write(tmp_path / "stick")

    found = [(stick / f"repos/p/{name}") for name in ("zoo/b.rpm", "zoo/c.rpm", "farm/d.rpm")]
    assert [(path.read_bytes(), path.stat().st_nlink) for path in found] == [(b"same", 1)] * 3
    assert content_of(stick) == content_of(bundle.write(tmp_path / "other"))


@pytest.mark.parametrize("rotten", [b"", b"A" * 5000, b"a" * 4999, b"a" * 5001])
def test_a_blob_that_rotted_stops_the_export_by_name(bundle: Bundle, tmp_path: Path, rotten: bytes) -> None:
    rot(bundle, b"a" * 5000, rotten)

    with pytest.raises(DepotError, match="expected sha256") as caught:
        bundle.write(tmp_path / "stick")

    assert caught.value.where is not None
    assert caught.value.where.startswith("repos/p/zoo/a.rpm (store/")
    assert not (tmp_path / "stick/manifest.json").exists()
    assert not (tmp_path / "stick/repos/p/zoo/a.rpm").exists()


@pytest.mark.parametrize("name", ["photo.jpg", ".hidden", "repos", "README.txt", "SHA256SUMS"])
def test_a_directory_that_holds_anything_else_is_refused_and_left(bundle: Bundle, tmp_path: Path, name: str) -> None:
    stick = tmp_path / "stick"
    stick.mkdir()
    (stick / name).write_bytes(b"mine")

    with pytest.raises(UsageError, match="nothing that an export of ours began") as caught:
        bundle.write(stick)

    assert caught.value.where == str(stick)
    assert content_of(stick) == {name: b"mine"}


@pytest.mark.parametrize("name", ["lost+found", "System Volume Information"])
def test_what_file_systems_put_there_themselves_is_left(bundle: Bundle, tmp_path: Path, name: str) -> None:
    (tmp_path / "stick" / name).mkdir(parents=True)
    (tmp_path / "stick" / name / "x").write_bytes(b"theirs")

    bundle.write(tmp_path / "stick")

    assert (tmp_path / "stick" / name / "x").read_bytes() == b"theirs"


def test_a_finished_bundle_is_not_overwritten_by_another(bundle: Bundle, tmp_path: Path) -> None:
    stick = bundle.write(tmp_path / "stick")
    before = content_of(stick)
    other = Bundle(plan_bundle(header(sequence=2), (target("p/zoo", {"a.rpm": b"a" * 5000}),)), bundle.store)

    with pytest.raises(UsageError, match="holds a finished bundle"):
        other.write(stick)

    assert before == content_of(stick)


def test_a_bundle_of_another_site_is_not_overwritten(bundle: Bundle, tmp_path: Path) -> None:
    stick = bundle.write(tmp_path / "stick")

    with pytest.raises(UsageError, match="of another site: hq #1"):
        unfinished(stick, type(SITE)("f" * 32, "hq"))


def test_an_unfinished_export_is_recognised(bundle: Bundle, tmp_path: Path) -> None:
    with stopped_at("rename", "SHA256SUMS"):
        bundle.write(tmp_path / "stick")

    assert unfinished(tmp_path / "stick", SITE) == BegunExport(bundle.plan.id, bundle.plan.manifest)
    assert unfinished(tmp_path / "absent", SITE) is None


def test_a_marker_that_is_no_manifest_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "stick").mkdir()
    (tmp_path / "stick/manifest.json.partial").write_bytes(b"{}")

    with pytest.raises(FormatError):
        bundle.write(tmp_path / "stick")


def test_a_disk_that_fails_is_ours_and_named(bundle: Bundle, tmp_path: Path) -> None:
    def fail(kind: str, name: str) -> None:
        if name == "SHA256SUMS":
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(DepotError, match="the disk is full") as caught, files.observing(fail):
        bundle.write(tmp_path / "stick")

    assert caught.value.where == str(tmp_path / "stick")
