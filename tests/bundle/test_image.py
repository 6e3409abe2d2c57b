"""Images that real programs wrote are read byte for byte, from files and devices, whole or scratched."""

import io
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pycdlib
import pytest

from issmedia.base.errors import FormatError, NotIntactError
from issmedia.bundle.image import ImageVolume
from tests.makers.images import SECTOR, HandMade, Watched, by_xorriso, named, tree
from tests.makers.programs import run
from tests.makers.streams import some, whole

LONG = "n" * 236 + ".rpm"
DEEP = "/".join(f"level{number}" for number in range(12)) + "/file"
FILES = {
    "README.txt": b"read me",
    "repos/p/zoo/alpha-1.0~rc1^git+x.rpm": bytes(range(256)) * 500,
    "repos/p/zoo/ünïcode-日本.rpm": b"names are bytes",
    f"repos/p/zoo/{LONG}": b"long",
    "repos/p/zoo/lower.rpm": b"small letters",
    DEEP: b"twelve levels down",
    "empty": b"",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with names and files of every kind that a volume has."""
    return tree(tmp_path / "folder", FILES)


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Watched:
    """Watch what is read from the image."""
    watched = Watched()
    monkeypatch.setattr(os, "preadv", watched)
    return watched


@pytest.fixture
def loop(tmp_path: Path) -> Iterator[Path]:
    """A block device of 64 sectors with a hand-made image on it."""
    image = HandMade().write(tmp_path / "backing.iso")
    device = Path(run("losetup", "--find", "--show", "--read-only", image).strip())
    yield device
    run("losetup", "--detach", device)


def contents(volume: ImageVolume, names: list[str]) -> dict[str, bytes]:
    """Read files whole."""
    found = {}
    for name in names:
        with volume.open(name) as file:
            found[name] = whole(file)
    return found


@pytest.mark.system("xorriso")
@pytest.mark.parametrize("options", [(), ("-U",), ("-hfsplus",)])
def test_every_file_is_found_and_read(folder: Path, tmp_path: Path, options: tuple[str, ...]) -> None:
    with ImageVolume(by_xorriso(folder, tmp_path / "v.iso", *options)) as volume:
        found = contents(volume, list(FILES))

    assert found == FILES


@pytest.mark.system("xorriso")
def test_directories_that_xorriso_moved_up_are_found_where_they_were(folder: Path, tmp_path: Path) -> None:
    image = tmp_path / "v.iso"
    run("xorriso", "-compliance", "deep_paths_off", "-outdev", f"stdio:{image}", "-map", folder, "/", "-commit")

    with ImageVolume(image) as volume:
        found = contents(volume, list(FILES))
        strays = list(volume.stray(frozenset(FILES)))

    assert (found, strays) == (FILES, [])


def test_what_pycdlib_wrote_is_read(tmp_path: Path) -> None:
    iso = pycdlib.PyCdlib()
    iso.new(interchange_level=3, rock_ridge="1.12", vol_ident="PYCDLIB")
    folders = [f"/D{number}" for number in range(12)]
    for number in range(1, 13):
        iso.add_directory("".join(folders[:number]), rr_name=f"level{number - 1}")
    for number, (name, data) in enumerate([(DEEP, b"deep"), (LONG, b"long"), ("empty", b"")]):
        iso.add_fp(
            io.BytesIO(data),
            len(data),
            f"{''.join(folders) if name == DEEP else ''}/F{number}.;1",
            rr_name=name.rpartition("/")[2],
        )
    iso.write(str(tmp_path / "v.iso"))

    with ImageVolume(tmp_path / "v.iso") as volume:
        assert contents(volume, [DEEP, LONG, "empty"]) == {DEEP: b"deep", LONG: b"long", "empty": b""}
        assert volume.label == "PYCDLIB"


@pytest.mark.system("xorriso")
def test_thirty_three_thousand_files_are_found(tmp_path: Path, watched: Watched) -> None:
    folder = tmp_path / "folder/Packages"
    folder.mkdir(parents=True)
    for number in range(33_000):
        (folder / f"package-{number}.rpm").touch()

    with ImageVolume(by_xorriso(tmp_path / "folder", tmp_path / "v.iso")) as volume:
        at_first = len(watched.spans)
        sizes = {volume.open(f"Packages/package-{number}.rpm").size for number in range(33_000)}
        strays = list(volume.stray(frozenset(f"Packages/package-{number}.rpm" for number in range(33_000))))

    assert (sizes, strays) == ({0}, [])
    assert at_first <= 4
    assert len(watched.spans) < 100, "a directory is read once"


@pytest.mark.system("xorriso", "dd")
def test_a_file_of_over_four_gib_is_read_to_its_last_byte(tmp_path: Path) -> None:
    size = (4 << 30) + 1
    folder = tree(tmp_path / "folder", {"huge": b"begin", "small": b"small"})
    with (folder / "huge").open("r+b") as file:
        file.seek(size - 3)
        file.write(b"end")
    image = tmp_path / "v.iso"

    writing = ["xorriso", "-as", "mkisofs", "-quiet", "-iso-level", "3", "-R", "-o", "-", str(folder)]
    with subprocess.Popen(writing, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as xorriso:
        subprocess.run(
            ["dd", "conv=sparse", "bs=1M", f"of={image}"], stdin=xorriso.stdout, check=True, stderr=subprocess.DEVNULL
        )
    with ImageVolume(image) as volume, volume.open("huge") as huge:
        ends = huge.pread(0, 5), huge.pread(size - 6, 100), huge.pread((4 << 30) - 2049, 2)
        small = some(volume.open("small"), 9)

    assert (huge.size, ends, small) == (size, (b"begin", b"\0\0\0end", b"\0\0"), b"small")


@pytest.mark.system("xorriso")
def test_names_of_one_file_have_one_identity(folder: Path, tmp_path: Path) -> None:
    (folder / "linked").hardlink_to(folder / "README.txt")
    (folder / "copied").write_bytes(FILES["README.txt"])
    image = by_xorriso(folder, tmp_path / "v.iso")

    with ImageVolume(image) as volume, ImageVolume(image) as again:
        one, linked, copied = (volume.open(name).identity for name in ("README.txt", "linked", "copied"))

        assert one == linked == again.open("README.txt").identity
        assert one != copied


def test_equal_places_on_two_images_are_not_one_file(tmp_path: Path) -> None:
    first, second = (HandMade().write(tmp_path / name) for name in ("a.iso", "b.iso"))

    with ImageVolume(first) as one, ImageVolume(second) as other:
        assert one.open("file").identity != other.open("file").identity


def test_a_name_for_fewer_bytes_of_a_file_is_another_file(tmp_path: Path) -> None:
    image = HandMade()
    image.directory(20, named(b"file", 30, 5), named(b"less", 30, 4))

    with ImageVolume(image.write(tmp_path / "v.iso")) as volume:
        assert volume.open("file").identity != volume.open("less").identity


@pytest.mark.system("xorriso")
def test_what_is_no_file_is_refused_by_its_kind(folder: Path, tmp_path: Path) -> None:
    (folder / "link").symlink_to("README.txt")
    os.mkfifo(folder / "fifo")
    faults = {
        "none": "is missing",
        "repos": "is a directory",
        "link": "is a symbolic link",
        "fifo": "is not a regular file",
        "README.txt/x": "lies below a link or a file",
        "link/x": "lies below a link or a file",
        "/README.txt": "is missing",
        "repos/../README.txt": "is missing",
        "./README.txt": "is missing",
        "": "is missing",
        "\ud800": "is missing",
    }

    with ImageVolume(by_xorriso(folder, tmp_path / "v.iso")) as volume:
        for name, fault in faults.items():
            with pytest.raises(NotIntactError, match=fault) as caught:
                volume.open(name)
            assert caught.value.where is not None
            assert caught.value.where.isprintable()


def test_a_missing_file_is_told_apart_as_on_disk(tmp_path: Path) -> None:
    with ImageVolume(HandMade().write(tmp_path / "v.iso")) as volume, pytest.raises(NotIntactError) as caught:
        volume.open("none")

    assert isinstance(caught.value.__cause__, FileNotFoundError)


@pytest.mark.system("xorriso")
def test_strays_are_listed_with_safe_names_and_their_directories_not_entered(folder: Path, tmp_path: Path) -> None:
    tree(folder, {"a\nb": b"", "d/e/f": b"", "repos/p/other.rpm": b""})
    os.close(os.open(os.fsencode(folder) + b"/\xff", os.O_CREAT))
    (folder / "repos/link").symlink_to("/etc/passwd")

    with ImageVolume(by_xorriso(folder, tmp_path / "v.iso")) as volume:
        strays = list(volume.stray(frozenset(FILES)))

    assert strays == ["a\\nb", "d", "repos/link", "repos/p/other.rpm", "\\udcff"]


@pytest.mark.system("xorriso")
@pytest.mark.parametrize("name", ["report.html", "report.json", "report.json.sig"])
def test_only_a_regular_file_passes_as_a_report(folder: Path, tmp_path: Path, name: str) -> None:
    (folder / name).mkdir()
    known = frozenset({*FILES, name})

    with ImageVolume(by_xorriso(folder, tmp_path / "v.iso")) as volume:
        assert list(volume.stray(known)) == [name]


@pytest.mark.system("xorriso")
def test_a_file_is_read_once_from_its_first_byte_to_its_last(tmp_path: Path, watched: Watched) -> None:
    data = os.urandom(700_000)
    folder = tree(tmp_path / "folder", {"file": data})

    with ImageVolume(by_xorriso(folder, tmp_path / "v.iso")) as volume, volume.open("file") as file:
        watched.spans.clear()
        read = whole(file, chunk=128 << 10)

    assert read == data
    assert watched.bytes() == len(data)
    assert watched.spans == sorted(watched.spans)


def test_a_file_in_pieces_is_read_across_them(tmp_path: Path) -> None:
    image = HandMade()
    image.sectors |= {30: b"a" * SECTOR, 40: b"b" * SECTOR, 35: b"c" * 10}
    parts = [(30, SECTOR, 0x80), (40, SECTOR, 0x80), (50, 0, 0x80), (35, 10, 0)]
    image.directory(20, *(named(b"file", sector, size, flags=flags) for sector, size, flags in parts))

    with ImageVolume(image.write(tmp_path / "v.iso")) as volume, volume.open("file") as file:
        across = file.pread(SECTOR - 2, SECTOR + 4)
        together = whole(file, chunk=1000)

    assert across == b"aa" + b"b" * SECTOR + b"cc"
    assert together == b"a" * SECTOR + b"b" * SECTOR + b"c" * 10
    assert [extent.offset // SECTOR for extent in file.extents] == [30, 40, 35]


def test_the_label_is_safe_to_show(tmp_path: Path) -> None:
    image = HandMade()
    image.sectors[16] = image.descriptor(1, label=b"A\x1b[31m\xff")

    with ImageVolume(image.write(tmp_path / "v.iso")) as volume:
        assert volume.label == "A\\x1b[31m\ufffd"


def test_a_scratch_costs_only_the_files_it_crosses(tmp_path: Path, watched: Watched) -> None:
    image = HandMade()
    image.directory(20, named(b"bad", 31, 5), named(b"d", 25, SECTOR, flags=2), named(b"file", 30, 5))
    image.directory(25, named(b"x", 30, 5))
    watched.bad = {31, 25}

    with ImageVolume(image.write(tmp_path / "v.iso")) as volume:
        with pytest.raises(OSError, match="Input/output error"):
            some(volume.open("bad"), 5)
        for name in ("d/x", "d/y"):
            with pytest.raises(NotIntactError, match=r"lies in d, which cannot be read: Input/output error") as caught:
                volume.open(name)
            assert caught.value.where == name
        assert some(volume.open("file"), 9) == b"hello"

    assert sum(offset == 25 * SECTOR for offset, _ in watched.spans) == 1, "the drive is not asked again"


def test_a_scratched_directory_is_named_among_the_strays(tmp_path: Path, watched: Watched) -> None:
    image = HandMade()
    image.directory(20, named(b"d", 25, SECTOR, flags=2), named(b"file", 30, 5))
    watched.bad = {25}

    with ImageVolume(image.write(tmp_path / "v.iso")) as volume, pytest.raises(NotIntactError) as caught:
        list(volume.stray(frozenset({"d/x"})))

    assert (caught.value.where, caught.value.message) == ("d", "cannot be read: Input/output error")


def test_an_image_that_ends_early_gives_what_it_has(tmp_path: Path) -> None:
    image = HandMade()
    image.directory(20, named(b"beyond", 64, 1), named(b"file", 30, 5), named(b"over", 63, SECTOR + 1))

    with ImageVolume(image.write(tmp_path / "v.iso")) as volume:
        for name in ("beyond", "over"):
            with pytest.raises(NotIntactError, match="lies beyond the end of the image"):
                volume.open(name)
        assert some(volume.open("file"), 9) == b"hello"


def test_an_image_that_is_cut_while_it_is_read_cannot_be_read(tmp_path: Path) -> None:
    path = HandMade().write(tmp_path / "v.iso")

    with ImageVolume(path) as volume, volume.open("file") as file:
        os.truncate(path, 30 * SECTOR + 2)
        with pytest.raises(OSError, match="the image became shorter"):
            some(file, 5)


def test_a_file_of_a_closed_image_takes_no_other_bytes(tmp_path: Path) -> None:
    path = HandMade().write(tmp_path / "v.iso")
    with ImageVolume(path) as volume:
        file = volume.open("file")

    with path.open("rb"), pytest.raises(OSError, match="Bad file descriptor"):
        some(file, 5)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is not an ISO image, or only the beginning of one"),
        (bytes(16 * SECTOR), "is not an ISO image, or only the beginning of one"),
        (bytes(64 * SECTOR), "is not an ISO image"),
    ],
)
def test_what_is_no_image_is_no_volume(tmp_path: Path, data: bytes, reason: str) -> None:
    path = tmp_path / "file"
    path.write_bytes(data)

    with pytest.raises(FormatError, match=f"cannot be opened as a volume: {reason}") as caught:
        ImageVolume(path)

    assert (caught.value.where, bool(caught.value.hint)) == (str(path), True)


@pytest.mark.system("xorriso")
def test_an_image_without_rock_ridge_is_told_apart(folder: Path, tmp_path: Path) -> None:
    image = tmp_path / "v.iso"
    run("xorriso", "-as", "mkisofs", "-quiet", "--norock", "-J", "-o", image, folder)

    with pytest.raises(FormatError, match="without Rock Ridge names"):
        ImageVolume(image)


def test_nothing_stays_open_of_what_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(64 * SECTOR))
    before = os.listdir("/proc/self/fd")

    with pytest.raises(FormatError):
        ImageVolume(path)

    assert os.listdir("/proc/self/fd") == before


@pytest.mark.root
@pytest.mark.system("losetup")
def test_a_block_device_is_read_as_a_file_is(loop: Path) -> None:
    with ImageVolume(loop) as volume:
        assert some(volume.open("file"), 9) == b"hello"
        assert list(volume.stray(frozenset())) == ["file"]


@pytest.mark.root
@pytest.mark.system("losetup")
def test_files_beyond_the_end_of_a_device_are_refused(tmp_path: Path) -> None:
    image = HandMade().write(tmp_path / "v.iso", length=26 * SECTOR)
    device = Path(run("losetup", "--find", "--show", "--read-only", image).strip())

    try:
        with ImageVolume(device) as volume, pytest.raises(NotIntactError, match="beyond the end of the image"):
            volume.open("file")
    finally:
        run("losetup", "--detach", device)
