"""Attacks with ISO images, whose directories the attacker draws: rows 36, 37, 38, 44, 46 and 74 of the threats.

Reading changes nothing here; that an import of a refused file changes nothing, the attacks on the payload show.
"""

import contextlib
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from issmedia.base.errors import FormatError, NotIntactError
from issmedia.bundle.image import MAX_DEPTH, ImageVolume
from issmedia.bundle.iso9660 import MAX_DIRECTORY, MAX_RECORDS
from issmedia.bundle.rockridge import MAX_AREAS, Directories
from issmedia.bundle.sectors import Sectors
from tests.makers.images import (
    ROOT,
    SECTOR,
    HandMade,
    Watched,
    area_field,
    child_field,
    mode_field,
    name_field,
    named,
    record,
)
from tests.makers.streams import some

FOLDER, FILE, LINK, DEVICE = 0o40755, 0o100644, 0o120777, 0o20666


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> Watched:
    """Watch what is read from the image."""
    watched = Watched()
    monkeypatch.setattr(os, "preadv", watched)
    return watched


@pytest.fixture
def hand(tmp_path: Path) -> HandMade:
    """An image with `file` in its root, and `d` with the good file `d/x`."""
    hand = HandMade()
    hand.directory(ROOT, named(b"d", 25, SECTOR, flags=2), named(b"file", 30, 5))
    hand.directory(25, named(b"x", 30, 5))
    return hand


def refused(volume: ImageVolume, path: str) -> str:
    """See that a file is refused by its name, and give the reason."""
    with pytest.raises(NotIntactError) as caught:
        volume.open(path)
    assert caught.value.where == path
    return caught.value.message


def refused_below(hand: HandMade, tmp_path: Path, reason: str) -> None:
    """See that nothing in `d` is found, that `d` is named among the strays, and that its neighbour is still read."""
    with ImageVolume(hand.write(tmp_path / "v.iso")) as volume:
        assert refused(volume, "d/x").startswith(f"lies in d, which {reason}")
        with pytest.raises(NotIntactError, match=f"^{reason}"):
            list(volume.stray(frozenset({"d/x", "file"})))
        assert some(volume.open("file"), 9) == b"hello"


def test_037_a_link_on_the_image_is_not_followed(hand: HandMade, tmp_path: Path) -> None:
    """A leaf, a directory and the manifest are symbolic links, told by their mode or by their target."""
    target = b"SL\x0d\x01\x00\x00\x06passwd"
    hand.directory(
        ROOT,
        named(b"mode", 30, 5, fields=mode_field(LINK)),
        named(b"target", 30, 5, fields=target),
        named(b"d", 25, SECTOR, flags=2, fields=mode_field(LINK)),
        named(b"manifest.json", 30, 5, fields=mode_field(LINK)),
    )

    with ImageVolume(hand.write(tmp_path / "v.iso")) as volume:
        for name in ("mode", "target", "d", "manifest.json"):
            assert refused(volume, name) == "is a symbolic link"
        assert refused(volume, "d/x") == "lies below a link or a file"


def test_037_a_link_to_an_image_is_refused(hand: HandMade, tmp_path: Path) -> None:
    """The name of the image is a link, which could be turned to another between two looks."""
    hand.write(tmp_path / "real.iso")
    (tmp_path / "v.iso").symlink_to("real.iso")

    with pytest.raises(FormatError, match="is a symbolic link"):
        ImageVolume(tmp_path / "v.iso")


def fifo(path: Path) -> None:
    """Put a fifo, which blocks who opens it."""
    os.mkfifo(path)


def bound_socket(path: Path) -> None:
    """Put a socket."""
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(path))


@pytest.mark.timeout(5)
@pytest.mark.parametrize("make", [fifo, bound_socket, Path.mkdir])
def test_038_what_is_neither_file_nor_disc_is_refused_unopened(tmp_path: Path, make: Callable[[Path], None]) -> None:
    """A fifo, a socket or a directory stands in place of the image."""
    make(tmp_path / "v.iso")

    with pytest.raises(FormatError, match=r"cannot be opened as a volume: is (not a regular file|a directory)"):
        ImageVolume(tmp_path / "v.iso")


@pytest.mark.timeout(5)
def test_038_a_character_device_is_refused_unopened() -> None:
    """The image is a device, of which there is no end of bytes."""
    with pytest.raises(FormatError, match="is not a regular file"):
        ImageVolume(Path("/dev/zero"))


@pytest.mark.parametrize(
    ("flags", "mode", "reason"),
    [
        (2, FOLDER, "is a directory, not a file"),
        (0, FOLDER, "is not a regular file"),
        (2, FILE, "is not a regular file"),
        (0, DEVICE, "is not a regular file"),
        (4, FILE, "is not a regular file"),
    ],
)
def test_038_only_a_file_is_a_file(hand: HandMade, tmp_path: Path, flags: int, mode: int, reason: str) -> None:
    """A directory, a device, or what its two descriptions disagree about, bears a file's name."""
    hand.directory(ROOT, named(b"odd", 30, SECTOR, flags=flags, fields=mode_field(mode)))

    with ImageVolume(hand.write(tmp_path / "v.iso")) as volume:
        assert refused(volume, "odd") == reason


@pytest.mark.parametrize("name", [b"..", b".", b"", b"a/b", b"/etc", b"a\0b", b"n" * 256])
def test_036_a_name_that_is_no_name_is_refused(hand: HandMade, tmp_path: Path, name: bytes) -> None:
    """A name of one entry is made of two, leads upwards, ends early, or is longer than names can be."""
    hand.sectors[26] = name_field(name[100:])
    more = area_field(26, 0, len(hand.sectors[26])) if name[100:] else b""
    fields = name_field(name[:100], 1 if more else 0) + more
    hand.directory(25, named(b"x", 30, 5), record(b"Y", 30, 5, fields=fields))

    refused_below(hand, tmp_path, "has an entry whose name is no name")


@pytest.mark.parametrize("flags", [2, 4, 8, 0x80])
def test_036_a_name_that_stands_for_another_is_refused(hand: HandMade, tmp_path: Path, flags: int) -> None:
    """A name says that it stands for the directory, its parent, or the host."""
    hand.directory(25, named(b"x", 30, 5), record(b"Y", 30, 5, fields=name_field(b"", flags)))

    refused_below(hand, tmp_path, "has an entry whose name is no name")


def test_036_two_names_of_one_entry_are_refused(hand: HandMade, tmp_path: Path) -> None:
    """An entry has two names, so that two readers see two trees."""
    hand.directory(25, record(b"X", 30, 5, fields=name_field(b"x") + name_field(b"y")))

    refused_below(hand, tmp_path, "has an entry whose name is no name")


def test_036_two_entries_of_one_name_are_refused(hand: HandMade, tmp_path: Path) -> None:
    """One name stands for two files; which one is read depends on the reader."""
    hand.directory(25, named(b"x", 30, 5), named(b"x", 31, 5))

    refused_below(hand, tmp_path, "has two entries of the name x")


def test_036_a_refusal_shows_nothing_raw(hand: HandMade, tmp_path: Path) -> None:
    """The names that a refusal tells hold a terminal's commands."""
    evil = b"\x1b]0;x\x07\xff"
    hand.directory(25, named(evil, 30, 5), named(evil, 31, 5))

    with ImageVolume(hand.write(tmp_path / "v.iso")) as volume:
        assert refused(volume, "d/x") == r"lies in d, which has two entries of the name \x1b]0;x\x07\udcff"


def test_044_a_directory_that_lies_in_itself_is_refused(hand: HandMade, tmp_path: Path) -> None:
    """A directory's child is the directory itself, or the root: a walk would never end."""
    hand.directory(
        25,
        named(b"x", 30, 5),
        named(b"again", 25, SECTOR, flags=2),
        named(b"root", ROOT, SECTOR, flags=2),
        named(b"moved", 0, 0, fields=child_field(25)),
    )

    with ImageVolume(hand.write(tmp_path / "v.iso")) as volume:
        for name in ("again", "root", "moved"):
            assert refused(volume, f"d/{name}/x") == f"lies in d/{name}, which lies in itself"
            with pytest.raises(NotIntactError, match="lies in itself"):
                list(volume.stray(frozenset({f"d/{name}/x"})))
        assert some(volume.open("d/x"), 9) == b"hello"


def test_044_a_path_is_at_most_so_deep(hand: HandMade, tmp_path: Path) -> None:
    """Directories lie in each other without end."""
    hand.directory(ROOT, named(b"d", 100, SECTOR, flags=2))
    for sector in range(100, 200):
        hand.directory(sector, named(b"d", sector + 1, SECTOR, flags=2), named(b"x", 30, 5))
    deepest = "d/" * (MAX_DEPTH - 1) + "x"

    with ImageVolume(hand.write(tmp_path / "v.iso", length=300 * SECTOR)) as volume:
        assert some(volume.open(deepest), 9) == b"hello"
        assert f"lies deeper than {MAX_DEPTH} directories" in refused(volume, "d/" + deepest)


def test_044_a_directory_of_too_many_bytes_is_refused_unread(hand: HandMade, tmp_path: Path, watched: Watched) -> None:
    """A directory says that it is larger than any of ours."""
    hand.directory(25, named(b"x", 30, 5), size=MAX_DIRECTORY + SECTOR)

    refused_below(hand, tmp_path, f"is {MAX_DIRECTORY + SECTOR} bytes long, at most {MAX_DIRECTORY} are read")
    assert watched.bytes() < 20 * SECTOR


def test_044_a_directory_of_too_many_entries_is_refused(hand: HandMade, tmp_path: Path, watched: Watched) -> None:
    """A directory has hundreds of thousands of names, and every file of it is asked for."""
    sectors = MAX_RECORDS // 30 + 2
    hand.directory(ROOT, named(b"d", 100, SECTOR, flags=2), named(b"file", 30, 5))
    hand.directory(100, size=sectors * SECTOR)
    hand.sectors[101] = (named(b"moved away", 30, 5, fields=b"RE\x04\x01") * 30).ljust(SECTOR, b"\0") * (sectors - 1)

    with ImageVolume(hand.write(tmp_path / "v.iso", length=(sectors + 200) * SECTOR)) as volume:
        for name in ("000000", "000001", "none"):
            assert refused(volume, f"d/{name}") == f"lies in d, which has more than {MAX_RECORDS:,} entries"
        assert some(volume.open("file"), 9) == b"hello"

    assert watched.bytes() < (sectors + 100) * SECTOR, "nothing is read twice"


def test_044_all_directories_together_have_an_end(hand: HandMade, tmp_path: Path) -> None:
    """Each directory has no more entries than one may have, and there are very many directories."""
    hand.directory(25, *(named(b"%d" % number, 30, 5) for number in range(20)))

    with contextlib.closing(Sectors(hand.write(tmp_path / "v.iso"))) as sectors:
        directories = Directories(sectors.read, ROOT, steps=10)
        root = directories.entries(directories.root)
        with pytest.raises(FormatError, match="too many entries"):
            directories.entries(root[b"d"])
        assert list(directories.entries(directories.root)) == [b"d", b"file"]


@pytest.mark.parametrize("step", [0, 1])
def test_044_fields_that_go_on_for_ever_are_refused(
    hand: HandMade, tmp_path: Path, watched: Watched, step: int
) -> None:
    """The fields of an entry go on in an area that goes on in itself, or in the next, and so on."""
    for number in range(26, 26 + MAX_AREAS + 4):
        hand.sectors[number] = area_field(number + step, 0, 28)
    hand.directory(25, named(b"x", 10, 5, fields=area_field(26, 0, 28)))
    hand.directory(ROOT, named(b"d", 25, SECTOR, flags=2), named(b"file", 63, 5))
    hand.sectors[63] = b"hello"

    refused_below(hand, tmp_path, f"has a record that goes on over more than {MAX_AREAS} areas")
    assert len(watched.spans) < MAX_AREAS + 20


@pytest.mark.parametrize("area", [(26, 2040, 9), (26, 0, 4096), (26, 1 << 31, 28)])
def test_044_fields_that_reach_past_their_sector_are_refused(
    hand: HandMade, tmp_path: Path, area: tuple[int, int, int]
) -> None:
    """The fields of an entry go on where there is no sector's room for them."""
    hand.directory(25, named(b"x", 30, 5, fields=area_field(*area)))

    refused_below(hand, tmp_path, "has a continuation area that reaches past its sector")


@pytest.mark.parametrize("sector", [64, 0xFFFFFFFF])
def test_046_what_lies_beyond_the_end_is_refused(hand: HandMade, tmp_path: Path, watched: Watched, sector: int) -> None:
    """A file, a directory, a moved directory and an area say that they lie where the image has no bytes."""
    hand.directory(25, named(b"x", 30, 5, fields=area_field(sector, 0, 28)))
    hand.directory(
        ROOT,
        named(b"a", sector, 5),
        named(b"b", sector, SECTOR, flags=2),
        named(b"c", 30, 0, fields=child_field(sector)),
        named(b"d", 25, SECTOR, flags=2),
    )

    with ImageVolume(hand.write(tmp_path / "v.iso")) as volume:
        assert refused(volume, "a") == "lies beyond the end of the image"
        assert refused(volume, "b/x") == "lies in b, which lies beyond the end of the image"
        assert refused(volume, "c/x") == "lies in c, which lies beyond the end of the image"
        assert refused(volume, "d/x") == "lies in d, which lies beyond the end of the image"

    assert watched.end() <= 64 * SECTOR


def test_046_files_may_lie_over_each_other(hand: HandMade, tmp_path: Path) -> None:
    """Two files share bytes, and one is made of the directory; they are read, and what was signed decides."""
    hand.directory(ROOT, named(b"one", 30, 5), named(b"two", 30, 3), named(b"root", ROOT, SECTOR))

    with ImageVolume(hand.write(tmp_path / "v.iso")) as volume:
        assert some(volume.open("one"), 9) == b"hello"
        assert some(volume.open("two"), 9) == b"hel"
        assert some(volume.open("root"), SECTOR) == hand.sectors[ROOT].ljust(SECTOR, b"\0")


def test_046_a_file_of_many_pieces_is_read_in_its_time(hand: HandMade, tmp_path: Path) -> None:
    """A file is made of as many pieces as a directory may have, all of the same gigabytes."""
    size, pieces = SECTOR, 5000
    flags = [0x80] * (pieces - 1) + [0]
    records = [named(b"x", 30 + number % 2, size, flags=flag) for number, flag in enumerate(flags)]
    hand.directory(ROOT, named(b"d", 100, SECTOR, flags=2))
    hand.directory(100, *records, size=SECTOR * 200)

    with ImageVolume(hand.write(tmp_path / "v.iso", length=400 * SECTOR)) as volume, volume.open("d/x") as file:
        assert file.size == size * pieces // 2 * 2
        assert file.pread(file.size - SECTOR - 1, 9) == b"\0" + bytes(8)
        assert file.pread(2 * SECTOR, 5) == b"hello"


def wrong(data: bytes, at: int, byte: int) -> bytes:
    """Change one byte."""
    return data[:at] + bytes([byte]) + data[at + 1 :]


GOOD = named(b"x", 30, 5)


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        (wrong(GOOD, 2, 31), "has a number whose two forms differ"),
        (wrong(GOOD, 17, 6), "has a number whose two forms differ"),
        (wrong(GOOD, 1, 1), "has a file that is interleaved, or has an extended attribute record"),
        (wrong(GOOD, 26, 1), "has a file that is interleaved, or has an extended attribute record"),
        (wrong(GOOD, 27, 1), "has a file that is interleaved, or has an extended attribute record"),
        (wrong(GOOD, 32, 0), "has a record that is too short"),
        (wrong(GOOD, 32, 200), "has a record that is too short"),
        (wrong(GOOD, 0, 33), "has a record that is too short"),
        (wrong(GOOD, 0, 1), "has a record that is too short"),
        (wrong(GOOD, 36, 3), "has a record with a field that reaches past it"),
        (wrong(GOOD, 36, 0), "has a record with a field that reaches past it"),
        (wrong(GOOD, 36, 255), "has a record with a field that reaches past it"),
        (named(b"x", 30, 5, fields=b"PX\x05\x01\0"), "has a number whose two forms differ"),
        (named(b"x", 30, 5, fields=b"CL\x04\x01"), "has a number whose two forms differ"),
        (record(b"X", 30, 5, fields=b"NM\x04\x01"), "has an entry whose name is no name"),
        (record(b"\0", 30, 5), "does not begin with itself and its parent, or names them again"),
        (record(b"\1", 30, 5), "does not begin with itself and its parent, or names them again"),
        (named(b"x", 30, SECTOR, flags=0x80), "has a file whose last part is missing"),
        (named(b"x", 30, SECTOR, flags=0x82) + named(b"x", 31, SECTOR, flags=2), "has a directory in several parts"),
        (named(b"x", 30, SECTOR, flags=0x80) + record(b"Z", 31, 5), "has a file whose last part is missing"),
    ],
)
def test_046_a_record_that_lies_about_itself_is_refused(
    hand: HandMade, tmp_path: Path, entry: bytes, reason: str
) -> None:
    """A record's lengths, numbers and flags are such that two readers would read two things."""
    hand.directory(25, entry)

    refused_below(hand, tmp_path, reason)


def test_046_a_record_that_reaches_into_the_next_sector_is_refused(hand: HandMade, tmp_path: Path) -> None:
    """The last record of a sector is longer than what is left of it."""
    hand.directory(25, *(named(b"%0200d" % number, 30, 5) for number in range(8)), size=2 * SECTOR)
    hand.sectors[25] += named(b"n" * 200, 30, 5)
    assert len(hand.sectors[25]) > SECTOR

    with ImageVolume(hand.write(tmp_path / "v.iso")) as volume:
        assert refused(volume, "d/x") == "lies in d, which has a record that reaches past its sector"


@pytest.mark.parametrize(
    ("own", "reason"),
    [
        (b"", "is not a directory where one should begin"),
        (record(b"\0", 26, SECTOR), "is not a directory where one should begin"),
        (record(b"X", 25, SECTOR), "is not a directory where one should begin"),
        (record(b"\0", 25, 0), "is not whole sectors long"),
        (record(b"\0", 25, SECTOR + 1), "is not whole sectors long"),
    ],
)
def test_046_a_directory_must_describe_itself(hand: HandMade, tmp_path: Path, own: bytes, reason: str) -> None:
    """What is named as a directory is a file, another directory, or of no possible length."""
    hand.sectors[25] = own

    refused_below(hand, tmp_path, reason)


@pytest.mark.parametrize(
    ("sector", "data", "reason"),
    [
        (16, HandMade().descriptor(1, block=b"\x00\x02\x02\x00"), "blocks of another size than 2048 bytes"),
        (16, HandMade().descriptor(1, block=b"\x00\x08\x00\x08"), "blocks of another size than 2048 bytes"),
        (16, HandMade().descriptor(2), "without a primary volume descriptor"),
        (16, wrong(HandMade().descriptor(1), 156 + 32, 0), "has a record that is too short"),
        (16, wrong(HandMade().descriptor(1), 158, 21), "has a number whose two forms differ"),
        (ROOT, b"", "is not a directory where one should begin"),
    ],
)
def test_046_an_image_that_cannot_be_begun_is_no_volume(
    hand: HandMade, tmp_path: Path, sector: int, data: bytes, reason: str
) -> None:
    """The descriptor is another's, or contradicts itself."""
    hand.sectors[sector] = data

    with pytest.raises(FormatError, match=reason):
        ImageVolume(hand.write(tmp_path / "v.iso"))


def test_074_descriptors_without_end_are_given_up(hand: HandMade, tmp_path: Path, watched: Watched) -> None:
    """The image begins with a million descriptors, none of which is the one that counts."""
    hand.sectors |= {sector: hand.descriptor(2) for sector in range(16, 400)}

    with pytest.raises(FormatError, match="without a primary volume descriptor"):
        ImageVolume(hand.write(tmp_path / "v.iso", length=500 * SECTOR))

    assert len(watched.spans) < 50
