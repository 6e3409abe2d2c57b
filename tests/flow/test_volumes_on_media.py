"""Volumes on real media: images read by two programs that are not ours, FAT by mtools, sticks, burned discs."""

import json
import re
from pathlib import Path

import pycdlib
import pytest

from issmedia.base.digest import digest_of
from tests.makers.bundles import content_of
from tests.makers.programs import run
from tests.makers.shelves import IMAGE, MEDIUM, Shelf, shelve, shelve_whale
from tests.makers.sites import Site
from tests.makers.sticks import ext4_stick

WAITING = 7
STICK, LEFT = 40 << 20, 39_300_000
"""Bytes of a small FAT32 stick, and how many of them are kept for others."""


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    """Two data volumes and one of parity, as images."""
    options = ("--parity", "1", "--iso", "--fs", "iso")
    return shelve(tmp_path_factory.mktemp("images"), *options, volumes=2, medium=IMAGE)


@pytest.fixture
def site(images: Shelf, tmp_path: Path) -> Site:
    """A site that waits for the images."""
    return images.lab(tmp_path / "site")


def by_xorriso(image: Path, directory: Path) -> dict[str, bytes]:
    """Read an image through xorriso."""
    run("xorriso", "-no_rc", "-osirrox", "on", "-indev", f"stdio:{image}", "-extract", "/", directory)
    return content_of(directory)


def by_pycdlib(image: Path) -> dict[str, bytes]:
    """Read an image through a library."""
    disc, found = pycdlib.PyCdlib(), dict[str, bytes]()
    disc.open(str(image))
    for folder, _, names in disc.walk(rr_path="/"):
        for name in names:
            with disc.open_file_from_iso(rr_path=f"{folder.rstrip('/')}/{name}") as file:
                found[f"{folder.rstrip('/')}/{name}"[1:]] = file.read()
    disc.close()
    return found


def declared(content: dict[str, bytes]) -> set[str]:
    """Give what must lie on a volume by its own `SHA256SUMS`."""
    listed = {line[66:] for line in content["SHA256SUMS"].decode().splitlines()}
    return listed | {"manifest.json", "manifest.json.sig", "SHA256SUMS"}


@pytest.mark.system("xorriso")
@pytest.mark.parametrize("number", [1, 2, 3])
def test_an_image_is_read_alike_by_two_programs_that_are_not_ours(images: Shelf, tmp_path: Path, number: int) -> None:
    image = images.volume(number)

    found = by_xorriso(image, tmp_path / "found")

    assert by_pycdlib(image) == found
    assert declared(found) == set(found)
    assert image.read_bytes()[32768 + 40 : 32768 + 72].decode().strip() == images.label(number)
    run("sha256sum", "-c", "--strict", "--quiet", "SHA256SUMS", cwd=tmp_path / "found")


@pytest.mark.system("xorriso")
def test_images_are_verified_and_imported_without_a_mount(images: Shelf, site: Site) -> None:
    site.do("verify", *images.volumes, "--strict")

    site.do("import", images.directory)

    assert site.trees() == images.hq.trees()
    site.do("audit")


@pytest.mark.system("xorriso")
@pytest.mark.parametrize("lost", [1, 2, 3])
def test_a_lost_image_is_made_up_for(images: Shelf, site: Site, lost: int) -> None:
    outcomes = [site.call("import", path) for path in images.but(lost)]

    assert [outcome.code for outcome in outcomes] == [WAITING, 0]
    assert site.trees() == images.hq.trees()


@pytest.mark.system("xorriso")
def test_a_bit_flipped_in_an_image_is_found_named_and_made_up_for(images: Shelf, site: Site, tmp_path: Path) -> None:
    spoiled = images.copied(tmp_path / "spoiled")
    bat = (images.zoo.path / "Packages/b/bat-1.0-1.noarch.rpm").read_bytes()
    data = bytearray(spoiled.volume(2).read_bytes())
    data[data.index(bat[5000:5100])] ^= 1
    spoiled.volume(2).write_bytes(data)
    before = site.state()

    refused = site.call("import", spoiled.volume(1), spoiled.volume(2))

    assert (refused.code, site.state()) == (6, before)
    assert "bat-1.0-1.noarch.rpm" in refused.err
    site.do("import", spoiled.volume(3), spoiled.volume(2))
    assert site.trees() == images.hq.trees()


@pytest.mark.system("xorriso")
def test_a_burned_disc_is_read_back_recorded_and_imported(images: Shelf, site: Site, tmp_path: Path) -> None:
    shelf = shelve(tmp_path / "again", "--notes", "to burn", volumes=2)
    discs = [tmp_path / f"disc-{number}.iso" for number in (1, 2)]

    for volume, disc in zip(shelf.volumes, discs, strict=True):
        shelf.hq.do("burn", volume, "--device", f"stdio:{disc}")

    lab = shelf.lab(tmp_path / "lab")
    assert [lab.call("import", disc).code for disc in discs[::-1]] == [WAITING, 0]
    assert lab.trees() == shelf.hq.trees()
    burned = [line for line in shelf.hq.do("log", "--json").out.splitlines() if json.loads(line)["event"] == "burn"]
    assert [label in line for label, line in zip(shelf.labels, burned, strict=True)] == [True, True]


@pytest.mark.system("xorriso")
def test_an_image_of_an_export_is_burned_as_it_is(images: Shelf, tmp_path: Path) -> None:
    disc = tmp_path / "disc.iso"

    images.hq.do("burn", images.volume(2), "--device", f"stdio:{disc}")

    assert disc.read_bytes()[: images.volume(2).stat().st_size] == images.volume(2).read_bytes()


@pytest.mark.root
@pytest.mark.system("mkfs.ext4", "mount", "findmnt")
def test_volumes_are_copied_to_a_stick_that_root_owns_and_imported_from_there(tmp_path: Path) -> None:
    shelf = shelve(tmp_path / "here", "--notes", "to copy", volumes=2)
    lab = shelf.lab(tmp_path / "lab")
    codes = []

    with ext4_stick(tmp_path) as stick:
        for number, volume in enumerate(shelf.volumes, 1):
            target = stick.path / f"volume-{number}"
            target.mkdir()
            said = shelf.hq.do("copy", volume, "--to", target).out
            assert "read back" in said
            codes.append(lab.call("import", target, "--strict").code)

    assert codes == [WAITING, 0]
    assert lab.trees() == shelf.hq.trees()


@pytest.mark.system("mkfs.vfat", "mcopy", "mdir")
def test_volumes_for_fat_sticks_are_written_whole_by_mtools_and_leave_what_is_reserved(tmp_path: Path) -> None:
    shelf = shelve(tmp_path / "here", "--reserve", str(LEFT), "--parity", "1", volumes=3, medium=f"usb:{STICK}")
    lab = shelf.lab(tmp_path / "lab")
    outcomes = []

    for number, volume in enumerate(shelf.volumes, 1):
        copy = through_fat(volume, tmp_path / str(number))

        assert content_of(copy) == content_of(volume)
        outcomes.append(lab.call("import", copy, "--strict"))

    assert len(shelf.volumes) > 2
    assert [outcome.code for outcome in outcomes] == [WAITING] * (len(outcomes) - 2) + [0, 0]
    assert lab.trees() == shelf.hq.trees()


def free(stick: Path) -> int:
    """Ask mtools how many bytes of a FAT image are free."""
    (found,) = re.findall(r"([\d ]+) bytes free", run("mdir", "-i", stick, "::/"))
    return int(found.replace(" ", ""))


@pytest.mark.system("mkfs.vfat", "mcopy")
def test_a_package_that_no_stick_holds_is_cut_carried_by_fat_sticks_and_joined_again(tmp_path: Path) -> None:
    shelf = shelve_whale(tmp_path / "here", "--reserve", str(LEFT), medium=f"usb:{STICK}")
    lab = shelf.lab(tmp_path / "lab")
    copies = [through_fat(volume, tmp_path / str(number)) for number, volume in enumerate(shelf.volumes)]
    (whale,) = (one for one in shelf.zoo.packages if one.name == "whale")
    parts = [path for volume in copies for path in volume.glob(f"blobs/*/{whale.sha256}.00?")]

    codes = [lab.call("import", volume).code for volume in copies[::-1]]

    assert len(parts) == len(copies) >= 2
    assert codes == [WAITING] * (len(copies) - 1) + [0]
    assert (lab.root / "published/p/zoo" / whale.href).read_bytes() == (shelf.zoo.path / whale.href).read_bytes()
    lab.do("audit")
    assert not set(blobs(lab)) & {sha256(part) for part in parts}


def through_fat(volume: Path, place: Path) -> Path:
    """Write a volume to a FAT image with mtools, and take it from there again."""
    place.mkdir()
    stick, copy = place / "stick.img", place / "copy"
    run("mkfs.vfat", "-F", "32", "-C", stick, str(STICK // 1024))
    run("mcopy", "-i", stick, "-s", "-Q", *sorted(volume.iterdir()), "::/")
    copy.mkdir()
    run("mcopy", "-i", stick, "-s", "-n", "::/*", copy)
    assert free(stick) >= LEFT
    return copy


def blobs(site: Site) -> list[str]:
    """List what lies in a site's store."""
    return [digest for digest, _ in site.depot.store.walk()]


def sha256(path: Path) -> str:
    """Hash a file."""
    return digest_of(path.read_bytes())


@pytest.mark.parametrize("parity", [(), ("--parity", "1")], ids=["plain", "parity"])
def test_parts_of_a_package_come_in_any_order_or_are_made_up_for(tmp_path: Path, parity: tuple[str, ...]) -> None:
    shelf = shelve_whale(tmp_path / "here", *parity)
    lab = shelf.lab(tmp_path / "lab")
    before, count = lab.state(), len(shelf.volumes)

    codes = [lab.call("import", volume).code for volume in shelf.but(*((1,) if parity else ()))[::-1]]

    assert codes == [WAITING] * (len(codes) - 1) + [0]
    assert len(codes) == count - bool(parity) >= 2
    assert before != lab.state()
    assert lab.trees() == shelf.hq.trees()
    lab.do("audit")


def test_sets_of_different_media_hold_the_same(images: Shelf, tmp_path: Path) -> None:
    shelf = Shelf(images.hq, images.zoo, tmp_path / "mixed")
    images.hq.do("export", "--to", shelf.directory, "--medium", MEDIUM, "--medium", "3M", "--notes", "mixed")
    lab = shelf.lab(tmp_path / "lab")

    found = lab.do("inspect", shelf.volume(1), "--json").document["manifest"]["volumes"]

    assert [one["medium"] for one in found] == [MEDIUM, "3M"]
    lab.do("import", shelf.directory)
    assert lab.trees() == shelf.hq.trees()
