"""Images are written by xorriso, straight from the store: the same bytes each time, whole or not there at all."""

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pycdlib
import pytest
from msgspec.structs import replace

from issmedia.base import files
from issmedia.base.digest import digest_of
from issmedia.base.errors import DepotError, FormatError, IssmediaError, NoSpaceError, UsageError
from issmedia.base.events import Advanced, Event, Finished, Note, Started, ignore
from issmedia.bundle.comparison import differences
from issmedia.bundle.image import ImageVolume
from issmedia.bundle.iso import SECTOR, ImageFacts, finish_image, partial, planned_files, predicted_size, write_image
from issmedia.bundle.volume import Part, PlannedFile, PlannedVolume
from issmedia.depot.store import Store
from tests.makers.bundles import Bundle, bundle_of
from tests.makers.programs import run

pytestmark = pytest.mark.system("xorriso")

FACTS = ImageFacts("ISSM_1234ABCD_V01OF01", "2026-06-01T12:00:00Z")
EXTRA = (("manifest.json", b"{}\n"), ("SHA256SUMS", b"sums\n"))
ODD = {
    "a=b.rpm": b"equals",
    "lib~c^1+git%2@x,y.rpm": b"tilde",
    "[brackets] {braces} (round).rpm": b"brackets",
    "quo'te $HOME `x` & ; # !.rpm": b"shell",
    "größe/日本語.rpm": b"letters",
    "trailing=": b"trailing",
    "=leading": b"leading",
    "/".join("d" * 12) + "/deep.rpm": b"deep",
    "n" * 236 + ".rpm": b"long",
    "empty": b"",
}
"""Names that mean something to xorriso, to a shell, or to the limits of ISO 9660; with their content."""


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    """A bundle with a large blob that lies at three paths."""
    large = os.urandom(300_000)
    return bundle_of(tmp_path, zoo={"a.rpm": b"a" * 5000, "b.rpm": large, "c.rpm": large}, farm={"d.rpm": large})


def write(bundle: Bundle, target: Path, *, events: list[Event] | None = None, facts: ImageFacts = FACTS) -> Path:
    """Write the bundle's image, and give it its name."""
    (volume,) = bundle.plan.volumes
    report = ignore if events is None else events.append
    write_image(volume, EXTRA, bundle.store, target, facts=facts, workers=2, report=report)
    finish_image(target)
    return target


def volume_of(bundle: Bundle, *more: PlannedFile, capacity: int | None = None) -> PlannedVolume:
    """Give the bundle's volume with further files, for a medium of this capacity."""
    (volume,) = bundle.plan.volumes
    entry = msgspec.structs.replace(volume.entry, capacity=capacity)
    return replace(volume, files=(*volume.files, *more), entry=entry)


def content_of(bundle: Bundle) -> dict[str, bytes]:
    """Give what an image of the bundle must hold: path → bytes."""
    planned = planned_files(bundle.plan.volumes[0], EXTRA)
    return {
        one.path: bundle.store.read(one.sha256, one.size) if one.content is None else one.content for one in planned
    }


def read_image(path: Path) -> dict[str, bytes]:
    """Read an image with a library that is not ours: path → bytes."""
    image, found = pycdlib.PyCdlib(), dict[str, bytes]()
    image.open(str(path))
    for folder, _, names in image.walk(rr_path="/"):
        for name in names:
            rock_ridge = f"{folder.rstrip('/')}/{name}"
            with image.open_file_from_iso(rr_path=rock_ridge) as file:
                found[rock_ridge[1:]] = file.read()
    image.close()
    return found


@contextlib.contextmanager
def stopped_at(kind: str) -> Iterator[None]:
    """Stop before the first change of this kind whose name is that of an image."""

    def stop(step: str, name: str) -> None:
        if step == kind and (".iso" in name or step == "write"):
            raise KeyboardInterrupt

    with files.observing(stop), pytest.raises(KeyboardInterrupt):
        yield


def rot(bundle: Bundle, path: str, rotten: bytes) -> None:
    """Let the blob that lies at a path of the volume rot in the store."""
    digest = next(one.sha256 for one in bundle.plan.volumes[0].files if one.path == path)
    blob = Path(bundle.store.path(digest))
    blob.chmod(0o644)
    blob.write_bytes(rotten)


def test_an_image_holds_every_file_of_the_plan_and_nothing_else(bundle: Bundle, tmp_path: Path) -> None:
    image = write(bundle, tmp_path / "out/x.iso")

    assert content_of(bundle) == read_image(image)
    assert os.listdir(tmp_path / "out") == ["x.iso"]


def test_xorriso_extracts_what_was_planned_under_every_odd_name(tmp_path: Path) -> None:
    bundle = bundle_of(tmp_path, zoo=ODD)
    image = write(bundle, tmp_path / "x.iso")

    run("xorriso", "-no_rc", "-osirrox", "on", "-indev", f"stdio:{image}", "-extract", "/", tmp_path / "found")

    assert content_of(bundle) == {
        path.relative_to(tmp_path / "found").as_posix(): path.read_bytes()
        for path in (tmp_path / "found").rglob("*")
        if path.is_file()
    }


def test_a_depot_may_lie_below_odd_names_too(tmp_path: Path) -> None:
    place = tmp_path / "a=b \\ größe [x] *\nline"
    place.mkdir()
    bundle = bundle_of(place, zoo={"a.rpm": b"a"})

    image = write(bundle, place / "out=\\" / "x.iso")

    assert content_of(bundle) == read_image(image)


def test_two_images_have_the_same_bytes_whatever_the_environment(
    bundle: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = write(bundle, tmp_path / "one/x.iso")
    for blob in (tmp_path / "store").rglob("*"):
        os.utime(blob, (1, 1))
    for name, value in (("SOURCE_DATE_EPOCH", "7"), ("TZ", "Asia/Tokyo"), ("HOME", str(tmp_path))):
        monkeypatch.setenv(name, value)

    second = write(bundle, tmp_path / "two/x.iso")

    assert first.read_bytes() == second.read_bytes()


def test_everything_in_an_image_bears_the_bundles_moment_and_belongs_to_root(bundle: Bundle, tmp_path: Path) -> None:
    image = write(bundle, tmp_path / "x.iso")

    listed = run("xorriso", "-no_rc", "-indev", f"stdio:{image}", "-find", "/", "-exec", "lsdl").splitlines()

    files_of = [line.split() for line in listed if line.startswith(("-", "d"))]
    assert len(files_of) > len(content_of(bundle))
    assert {(line[0], line[2], line[3]) for line in files_of} == {
        ("dr-xr-xr-x", "0", "0"),
        ("-r--r--r--", "0", "0"),
    }
    assert {(line[5], line[6]) for line in files_of} == {("Jun", "1")}
    assert b"2026060112000000" in image.read_bytes()[16 * SECTOR : 17 * SECTOR]


def test_the_volume_id_is_the_label(bundle: Bundle, tmp_path: Path) -> None:
    with ImageVolume(write(bundle, tmp_path / "x.iso")) as image:
        assert image.label == FACTS.label


def test_windows_finds_long_names_through_joliet(bundle: Bundle, tmp_path: Path) -> None:
    image = pycdlib.PyCdlib()
    image.open(str(write(bundle, tmp_path / "x.iso")))

    names = {child.file_identifier().decode("utf-16-be") for child in image.list_children(joliet_path="/schemas")}

    image.close()
    assert any(name.endswith(".json") and len(name) > 12 for name in names)


def test_a_blob_at_several_paths_has_one_extent(bundle: Bundle, tmp_path: Path) -> None:
    path = write(bundle, tmp_path / "x.iso")

    with ImageVolume(path) as image:
        places = [image.open(f"repos/p/{name}").extents for name in ("zoo/b.rpm", "zoo/c.rpm", "farm/d.rpm")]

    assert places[0] == places[1] == places[2]
    assert path.stat().st_size < 2 * 300_000


def test_a_file_that_lies_on_disk_already_is_taken_from_there(bundle: Bundle, tmp_path: Path) -> None:
    data, target = os.urandom(50_000), tmp_path / "out/x.iso"
    (tmp_path / "parity").write_bytes(data)
    more = PlannedFile("parity/0001", digest_of(data), len(data), None, tmp_path / "parity")

    write_image(volume_of(bundle, more), EXTRA, bundle.store, target, facts=FACTS, workers=1, report=ignore)
    finish_image(target)

    assert read_image(target)["parity/0001"] == data


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_part_of_a_split_blob_holds_its_own_bytes(tmp_path: Path, number: int) -> None:
    data, target = os.urandom(250_000), tmp_path / "out/x.iso"
    bundle = bundle_of(tmp_path, zoo={"a.rpm": data})
    offset = (number - 1) * 100_000
    piece = data[offset : offset + 100_000]
    part = PlannedFile("blobs/x.001", digest_of(piece), len(piece), part=Part(digest_of(data), number, offset))

    write_image(volume_of(bundle, part), EXTRA, bundle.store, target, facts=FACTS, workers=1, report=ignore)

    assert read_image(partial(target))["blobs/x.001"] == piece
    assert os.listdir(tmp_path / "store/incoming") == []


def test_the_size_is_predicted_to_the_byte_before_anything_is_written(bundle: Bundle, tmp_path: Path) -> None:
    (volume,) = bundle.plan.volumes

    size = predicted_size(volume, EXTRA, bundle.store, facts=FACTS)

    assert os.listdir(tmp_path) == ["store"]
    assert size == write(bundle, tmp_path / "x.iso").stat().st_size


def test_an_image_that_fills_its_medium_is_written(bundle: Bundle, tmp_path: Path) -> None:
    size = predicted_size(bundle.plan.volumes[0], EXTRA, bundle.store, facts=FACTS)
    volume, target = volume_of(bundle, capacity=size), tmp_path / "x.iso"

    write_image(volume, EXTRA, bundle.store, target, facts=FACTS, workers=1, report=ignore)

    assert partial(target).stat().st_size == size


def test_an_image_one_sector_too_large_is_refused_before_it_is_written(bundle: Bundle, tmp_path: Path) -> None:
    size = predicted_size(bundle.plan.volumes[0], EXTRA, bundle.store, facts=FACTS)
    volume = volume_of(bundle, capacity=size - SECTOR)

    with pytest.raises(UsageError, match=f"would have {size:,} bytes, the medium has {size - SECTOR:,}"):
        write_image(volume, EXTRA, bundle.store, tmp_path / "out/x.iso", facts=FACTS, workers=1, report=ignore)

    assert os.listdir(tmp_path / "out") == []


def test_progress_counts_every_byte(bundle: Bundle, tmp_path: Path) -> None:
    events: list[Event] = []

    image = write(bundle, tmp_path / "x.iso", events=events)

    size = image.stat().st_size
    assert [events[0], events[-1]] == [Started("writing the image", None, size), Finished("writing the image")]
    assert sum(event.size for event in events if isinstance(event, Advanced)) == size


@pytest.mark.parametrize("rotten", [b"A" * 5000, b"a" * 4999, b"a" * 5001, b""])
def test_a_blob_that_rotted_in_the_store_stops_the_export_by_name(
    bundle: Bundle, tmp_path: Path, rotten: bytes
) -> None:
    rot(bundle, "repos/p/zoo/a.rpm", rotten)

    with pytest.raises(DepotError) as caught:
        write(bundle, tmp_path / "out/x.iso")

    assert caught.value.where is not None
    assert caught.value.where.startswith("repos/p/zoo/a.rpm (store/")
    assert caught.value.hint == "issmedia audit sets it aside; then sync or import again"
    assert os.listdir(tmp_path / "out") == []


def test_a_blob_that_is_gone_is_named(bundle: Bundle, tmp_path: Path) -> None:
    rot(bundle, "repos/p/zoo/a.rpm", b"")
    digest = next(one.sha256 for one in bundle.plan.volumes[0].files if one.path == "repos/p/zoo/a.rpm")
    Path(bundle.store.path(digest)).unlink()

    with pytest.raises(DepotError, match="its source is gone"):
        write(bundle, tmp_path / "x.iso")


def test_a_link_in_place_of_a_blob_is_not_followed(bundle: Bundle, tmp_path: Path) -> None:
    digest = next(one.sha256 for one in bundle.plan.volumes[0].files if one.path == "repos/p/zoo/a.rpm")
    blob = Path(bundle.store.path(digest))
    (tmp_path / "other").write_bytes(b"a" * 5000)
    blob.unlink()
    blob.symlink_to(tmp_path / "other")

    with pytest.raises(DepotError, match="its source is no regular file"):
        write(bundle, tmp_path / "x.iso")


def test_an_image_that_is_there_and_whole_is_kept(bundle: Bundle, tmp_path: Path) -> None:
    image, events = write(bundle, tmp_path / "x.iso"), list[Event]()
    before = image.stat()

    write(bundle, image, events=events)

    assert before == image.stat()
    assert Note("kept x.iso of an earlier run, after re-hashing") in events


def test_an_image_whose_run_died_before_it_got_its_name_is_kept(bundle: Bundle, tmp_path: Path) -> None:
    target, events = tmp_path / "x.iso", list[Event]()
    write_image(bundle.plan.volumes[0], EXTRA, bundle.store, target, facts=FACTS, workers=1, report=ignore)
    before = partial(target).stat().st_ino

    write(bundle, target, events=events)

    assert before == target.stat().st_ino
    assert Note("kept x.iso.partial of an earlier run, after re-hashing") in events


@pytest.mark.parametrize("damage", [b"", b"no image", None])
def test_an_image_that_is_there_and_damaged_is_written_again(
    bundle: Bundle, tmp_path: Path, damage: bytes | None
) -> None:
    image = write(bundle, tmp_path / "x.iso")
    whole = image.read_bytes()
    image.write_bytes(whole.replace(b"a" * 5000, b"b" * 5000) if damage is None else damage)

    write(bundle, image)

    assert whole == image.read_bytes()


def test_an_image_with_more_in_it_than_planned_is_written_again(bundle: Bundle, tmp_path: Path) -> None:
    data, image = b"more", tmp_path / "x.iso"
    more = volume_of(bundle, PlannedFile("more", digest_of(data), 4, data))
    write_image(more, EXTRA, bundle.store, image, facts=FACTS, workers=1, report=ignore)
    finish_image(image)

    write(bundle, image)

    assert "more" not in read_image(image)


@pytest.mark.parametrize("kind", ["write", "rename"])
def test_an_interrupted_write_leaves_nothing_behind(bundle: Bundle, tmp_path: Path, kind: str) -> None:
    with stopped_at(kind):
        write(bundle, tmp_path / "out/x.iso")

    assert os.listdir(tmp_path / "out") == []
    assert [thread.name for thread in threading.enumerate() if "xorriso" in thread.name or "image" in thread.name] == []


def test_a_disk_that_is_full_is_said_so(bundle: Bundle, tmp_path: Path) -> None:
    def full(step: str, name: str) -> None:
        if step == "write":
            raise OSError(28, "No space left on device", name)

    with files.observing(full), pytest.raises(NoSpaceError):
        write(bundle, tmp_path / "out/x.iso")

    assert os.listdir(tmp_path / "out") == []


def test_what_a_killed_run_left_is_swept(bundle: Bundle, tmp_path: Path) -> None:
    image, tree = (tmp_path / place / f".tmp-{'0' * 32}" for place in ("out", "store/incoming"))
    tree.mkdir(parents=True)
    (tree / "link").symlink_to(tmp_path)
    image.parent.mkdir()
    image.write_bytes(b"half")

    write(bundle, tmp_path / "out/x.iso")

    assert os.listdir(tmp_path / "out") == ["x.iso"]
    assert os.listdir(tmp_path / "store/incoming") == []


def test_a_missing_xorriso_is_an_error_that_names_the_packages(bundle: Bundle, tmp_path: Path) -> None:
    facts = replace(FACTS, program=str(tmp_path / "none/xorriso"))

    with pytest.raises(IssmediaError, match="xorriso is not installed") as caught:
        write(bundle, tmp_path / "out/x.iso", facts=facts)

    assert caught.value.exit_code == 1
    assert all(f"{tool} install xorriso" in str(caught.value.hint) for tool in ("dnf", "apt", "zypper"))
    assert os.listdir(tmp_path / "out") == []


def test_what_a_failing_xorriso_says_is_told_in_one_safe_line(bundle: Bundle, tmp_path: Path) -> None:
    program = tmp_path / "failing"
    program.write_text("#!/bin/sh\nprintf 'xorriso : FAILURE : went \\033[31mwrong\\n' >&2\nexit 5\n")
    program.chmod(0o755)

    with pytest.raises(IssmediaError) as caught:
        write(bundle, tmp_path / "x.iso", facts=replace(FACTS, program=str(program)))

    assert caught.value.message == "xorriso ended with code 5: FAILURE : went \\x1b[31mwrong"


def test_an_image_that_becomes_longer_than_predicted_gets_no_name(bundle: Bundle, tmp_path: Path) -> None:
    program = tmp_path / "long"
    program.write_text('#!/bin/sh\ncase "$*" in *-print-size*) xorriso "$@";; *) head -c 50000000 /dev/zero;; esac\n')
    program.chmod(0o755)

    with pytest.raises(IssmediaError, match="expected an image of"):
        write(bundle, tmp_path / "out/x.iso", facts=replace(FACTS, program=str(program)))

    assert os.listdir(tmp_path / "out") == []


@pytest.mark.parametrize(
    "words",
    [
        "libburn : SORRY : Cannot write desired amount of 32768 bytes. write(2) returned -1. : No space left on device",
        "xorriso : FAILURE : Image size 488502s exceeds free space on media 10240s",
    ],
    ids=["while it is written", "before"],
)
def test_a_disk_that_xorriso_finds_full_is_said_so(bundle: Bundle, tmp_path: Path, words: str) -> None:
    program = tmp_path / "full"
    program.write_text(
        f'#!/bin/sh\ncase "$*" in *-print-size*) exec xorriso "$@";; esac\necho "{words}" >&2\nexit 32\n'
    )
    program.chmod(0o755)

    with pytest.raises(NoSpaceError, match="the disk is full"):
        write(bundle, tmp_path / "out/x.iso", facts=replace(FACTS, program=str(program)))

    assert os.listdir(tmp_path / "out") == []


def test_a_directory_whose_names_are_too_long_for_this_xorriso_is_named_with_the_way_out(tmp_path: Path) -> None:
    bundle = bundle_of(tmp_path, zoo={f"{number:02}{'n' * 238}": b"x" for number in range(60)}, farm={"a.rpm": b"a"})

    try:
        image = write(bundle, tmp_path / "out/x.iso")
    except IssmediaError as refused:
        assert refused.where == "repos/p/zoo"
        assert refused.message.startswith("has 60 names of more than 120 bytes, which this xorriso miscounts: ")
        assert "without --iso" in str(refused.hint)
        assert os.listdir(tmp_path / "out") == []
    else:  # a xorriso that has no trouble with them
        assert content_of(bundle) == read_image(image)


def test_an_image_that_xorriso_cuts_short_gets_no_name(bundle: Bundle, tmp_path: Path) -> None:
    program = tmp_path / "short"
    program.write_text('#!/bin/sh\ncase "$*" in *-print-size) xorriso "$@";; *) xorriso "$@" | head -c 100000;; esac\n')
    program.chmod(0o755)

    with pytest.raises(IssmediaError, match=r"expected an image of .* bytes, xorriso made 100,000"):
        write(bundle, tmp_path / "out/x.iso", facts=replace(FACTS, program=str(program)))

    assert os.listdir(tmp_path / "out") == []


@pytest.mark.parametrize("label", ["", "lower", "A" * 33, "-V", "A B"])
def test_a_label_that_is_no_volume_id_is_refused(bundle: Bundle, tmp_path: Path, label: str) -> None:
    with pytest.raises(FormatError, match="a volume id is"):
        write(bundle, tmp_path / "x.iso", facts=replace(FACTS, label=label))


def test_what_differs_from_the_plan_is_found_in_an_image(bundle: Bundle, tmp_path: Path) -> None:
    path = write(bundle, tmp_path / "x.iso")
    path.write_bytes(path.read_bytes().replace(b"a" * 5000, b"b" * 5000))

    with ImageVolume(path) as image:
        planned = planned_files(bundle.plan.volumes[0], EXTRA)
        found = differences(image, planned, workers=2, report=ignore, phase="")

    assert [file.path for file, _ in found] == ["repos/p/zoo/a.rpm"]


def test_tens_of_thousands_of_files_fit(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    with store.writing() as writing:
        blobs = [(writing.add_bytes(b"%d" % number), len(b"%d" % number)) for number in range(20)]
    many = tuple(
        PlannedFile(f"repos/p/zoo/{number % 11:02}/package-{number:05}.rpm", *blobs[number % 20])
        for number in range(33_000)
    )
    volume = replace(volume_of(bundle_of(tmp_path / "b", zoo={"a": b"a"})), files=many)

    write_image(volume, EXTRA, store, tmp_path / "x.iso", facts=FACTS, workers=1, report=ignore)

    with ImageVolume(partial(tmp_path / "x.iso")) as image:
        assert list(image.stray(frozenset(one.path for one in planned_files(volume, EXTRA)))) == []
