"""Real media: sticks that are made by stock tools and filled by what was planned for them, images mounted, devices."""

import re
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

from tests.makers.bundles import SIGNER, content_of
from tests.makers.programs import run
from tests.makers.real_media import blank, exfat_mount, ext4_mount, iso_mount, loop_device
from tests.makers.shelves import Shelf, shelve
from tests.makers.sites import Site
from tests.makers.volumes import media_of, set_of

CAPACITY = 48_000_000
"""Bytes of the sticks; no multiple of a cluster."""

SLACK = CAPACITY // 100
"""How much of it a plan may leave unused: shares of single files are rounded up."""

EXT4, EXFAT, FAT32 = ("mkfs.ext4", "-q", "-F"), ("mkfs.exfat",), ("mkfs.vfat", "-F", "32")


@dataclass(frozen=True)
class Stick:
    """A kind of stick: how it is called, made and mounted, and by what means it is read back."""

    fs: str
    make: tuple[str, ...]
    mount: Callable[[Path, Path], AbstractContextManager[Path]]
    means: str


STICKS = (
    pytest.param(
        Stick("ext4", EXT4, ext4_mount, "O_DIRECT"),
        marks=[pytest.mark.system("mkfs.ext4", "dumpe2fs", "mount")],
        id="ext4",
    ),
    pytest.param(
        Stick("exfat", EXFAT, exfat_mount, "page cache dropped (posix_fadvise)"),
        marks=[pytest.mark.system("mkfs.exfat", "mount.exfat-fuse", "losetup", "umount")],
        id="exfat",
    ),
)


@pytest.fixture(scope="module")
def full_volume(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Give a volume that fills a stick of `CAPACITY` with this file system; each is made once."""
    made: dict[str, Path] = {}

    def give(fs: str) -> Path:
        if fs not in made:
            made[fs] = filling(tmp_path_factory.mktemp(fs), fs)
        return made[fs]

    return give


def filling(root: Path, fs: str) -> Path:
    """Plan small packages and a large one that takes what is left, and write the one volume."""
    chance = Random(1)
    small = {
        f"package-{'n' * (number % 90)}-{number}.rpm": chance.randbytes(chance.randrange(9000)) for number in range(200)
    }
    media = media_of(f"usb:{CAPACITY}", fs=fs)
    left = CAPACITY - set_of(root, media, zoo={**small, "large.rpm": b"x"}).plan.volumes[0].used
    for spare in range(0, SLACK, 1 << 16):
        planned = set_of(root, media, zoo={**small, "large.rpm": chance.randbytes(left - spare)})
        if len(planned.plan.volumes) == 1:
            break
    assert [CAPACITY - SLACK < one.used <= CAPACITY for one in planned.plan.volumes] == [True]
    return planned.write(root / "volume")


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A site that trusts who signs the volumes."""
    made = Site(tmp_path / "site")
    made.do("init", "--name", "lab")
    made.do("keys", "trust", "hq", SIGNER.public.line)
    return made


def on(stick: Path) -> dict[str, bytes]:
    """Read what lies on a stick, but for what its file system put there."""
    return {path: data for path, data in content_of(stick).items() if not path.startswith("lost+found")}


@pytest.mark.root
@pytest.mark.parametrize("stick", STICKS)
def test_what_was_planned_to_fill_a_stick_is_copied_to_it_and_is_whole_when_it_is_mounted_again(
    full_volume: Callable[[str], Path], site: Site, tmp_path: Path, stick: Stick
) -> None:
    volume, image = full_volume(stick.fs), blank(tmp_path / "image", CAPACITY, *stick.make)

    with stick.mount(image, tmp_path / "mnt") as mnt:
        said = site.do("copy", volume, "--to", mnt).out

    with stick.mount(image, tmp_path / "mnt") as mnt:
        assert content_of(volume) == on(mnt)
        site.do("verify", mnt)
    assert f"read back, every byte as it was written: {stick.means}\n" in said
    assert stick.fs != "ext4" or left_to_all(image) >= 0


def left_to_all(image: Path) -> int:
    """Count the blocks of ext4 that are free, and not only for root."""
    facts = dict(re.findall(r"^(Free blocks|Reserved block count):\s+(\d+)$", run("dumpe2fs", "-h", image), re.M))
    return int(facts["Free blocks"]) - int(facts["Reserved block count"])


@pytest.mark.system("mkfs.vfat", "mcopy", "mmd")
def test_what_was_planned_to_fill_a_fat_stick_is_written_by_mtools_beside_the_directory_of_a_copy(
    full_volume: Callable[[str], Path], tmp_path: Path
) -> None:
    volume, image = full_volume("fat32"), blank(tmp_path / "image", CAPACITY, *FAT32)
    run("mmd", "-i", image, "::/.tmp-export")

    run("mcopy", "-i", image, "-s", "-Q", *sorted(volume.iterdir()), "::/")

    (tmp_path / "found").mkdir()
    run("mcopy", "-i", image, "-s", "-n", *(f"::/{path.name}" for path in volume.iterdir()), tmp_path / "found")
    assert content_of(volume) == content_of(tmp_path / "found")


@pytest.mark.root
@pytest.mark.parametrize("stick", STICKS)
def test_a_stick_a_little_too_small_is_refused_before_anything_is_written(
    full_volume: Callable[[str], Path], site: Site, tmp_path: Path, stick: Stick
) -> None:
    image = blank(tmp_path / "image", CAPACITY - 3 * SLACK, *stick.make)

    with stick.mount(image, tmp_path / "mnt") as mnt:
        refused = site.call("copy", full_volume(stick.fs), "--to", mnt)

        assert (refused.code, {path.name for path in mnt.iterdir()} - {"lost+found"}) == (4, set())
    assert "bytes are needed" in refused.err


@pytest.fixture(scope="module")
def discs(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    """Two data volumes as images."""
    return shelve(tmp_path_factory.mktemp("discs"), "--iso", "--fs", "iso", volumes=2, medium="1500k")


@pytest.fixture
def mounted_discs(discs: Shelf, tmp_path: Path) -> Iterator[list[Path]]:
    """The images, mounted by FUSE."""
    one, two = discs.volumes
    with iso_mount(one, tmp_path / "one") as first, iso_mount(two, tmp_path / "two") as second:
        yield [first, second]


@pytest.mark.root
@pytest.mark.system("xorriso", "fuseiso", "umount")
def test_mounted_images_are_imported(discs: Shelf, mounted_discs: list[Path], tmp_path: Path) -> None:
    lab = discs.lab(tmp_path / "lab")

    lab.do("import", *mounted_discs)

    assert lab.trees() == discs.hq.trees()
    lab.do("audit")


@pytest.mark.root
@pytest.mark.system("xorriso", "losetup")
def test_images_are_imported_from_devices_without_a_mount(discs: Shelf, tmp_path: Path) -> None:
    lab, (one, two) = discs.lab(tmp_path / "lab"), discs.volumes

    with loop_device(one, "--read-only") as first, loop_device(two, "--read-only") as second:
        waiting = lab.call("import", first)
        done = lab.call("import", second)

    assert (waiting.code, done.code) == (7, 0)
    assert lab.trees() == discs.hq.trees()
