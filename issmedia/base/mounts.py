"""What kind of file system a path lies on, where it is mounted, and what the system knows of its device.

Sources: statfs(2), `linux/magic.h`; sysfs; udev's links below /dev/disk.
"""

import ctypes
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_KINDS = {
    0x4D44: "vfat",
    0x2011BAB0: "exfat",
    0x5346544E: "ntfs",
    0x7366746E: "ntfs3",
    0xEF53: "ext4",
    0x58465342: "xfs",
    0x9123683E: "btrfs",
    0xF2F52010: "f2fs",
    0x2FC12FC1: "zfs",
    0x01021994: "tmpfs",
    0x858458F6: "ramfs",
    0x794C7630: "overlay",
    0x65735546: "fuse",
    0x6969: "nfs",
    0xFE534D42: "smb",
    0xFF534D42: "cifs",
    0x15013346: "udf",
    0x9660: "iso9660",
}
"""The kernel's number of a file system → its name; ext2, ext3 and ext4 share theirs, and so do all of FUSE's."""

MEMORY = frozenset({"tmpfs", "ramfs"})
"""File systems that have no medium below them."""

FUSE = "fuse"
"""The name of all file systems that are programs: these keep in memory what they like, past O_DIRECT."""

FOLDING = frozenset({"vfat", "exfat", "ntfs", "ntfs3"})
"""File systems for which two names that differ in case are one, here or in other systems."""

_CLUSTER = 4096
_LONGEST = 128
_STATFS = 256
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True, slots=True)
class Device:
    """What tells a medium from others, each None where the system does not say: none of it is to be believed."""

    serial: str | None = None
    label: str | None = None
    uuid: str | None = None


def kind_of(fd: int) -> str:
    """Name the file system that an open file or directory lies on; one that is unknown by its number."""
    facts = ctypes.create_string_buffer(_STATFS)
    if _libc.fstatfs(fd, facts) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    number = ctypes.c_long.from_buffer(facts).value & 0xFFFFFFFF
    return _KINDS.get(number, f"0x{number:x}")


def kind_at(directory: Path) -> str:
    """Name the file system of a directory."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        return kind_of(fd)
    finally:
        os.close(fd)


def mount_point(directory: Path) -> Path:
    """Say where the file system of a directory is mounted."""
    resolved = directory.resolve()
    return next(path for path in (resolved, *resolved.parents) if os.path.ismount(path))


def cluster_of(directory: Path) -> int:
    """Give the bytes in which room is given out, as a file system on a device says, also one of FUSE's.

    Elsewhere, over a network or in memory, that number has other meanings: there it is taken to be 4,096.
    """
    return os.statvfs(directory).f_frsize if os.major(os.stat(directory).st_dev) else _CLUSTER


def forget_device(directory: Path, *, system: Path = Path("/")) -> bool:
    """Drop what memory holds of the device below a directory; False where there is none, or we may not read it.

    What has not been written out stays.
    """
    number = os.stat(directory).st_dev
    device = system / f"sys/dev/block/{os.major(number)}:{os.minor(number)}"
    if not device.exists():
        return False
    try:
        fd = os.open(system / "dev" / device.resolve().name.replace("!", "/"), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        if os.fstat(fd).st_rdev != number:
            return False
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(fd)
    return True


def device_of(directory: Path, *, system: Path = Path("/")) -> Device:
    """Ask sysfs and udev about the device below a directory; nothing is opened on the device itself."""
    number = os.stat(directory).st_dev
    return Device(
        serial=_serial(system / f"sys/dev/block/{os.major(number)}:{os.minor(number)}"),
        label=_name(system / "dev/disk/by-label", number),
        uuid=_name(system / "dev/disk/by-uuid", number),
    )


def _serial(device: Path) -> str | None:
    """Look for a serial number at the device and what it hangs on, as far as the first USB device and no farther."""
    for folder in _upwards(device):
        for path in (folder / "serial", folder / "device/serial"):
            if text := _text(path):
                return text
        if (folder / "idVendor").exists():
            return None
    return None


def _upwards(device: Path) -> Iterator[Path]:
    if not device.exists():
        return
    found = device.resolve()
    yield found
    yield from (folder for folder in found.parents if folder.name not in ("", "devices", "sys"))


def _text(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return file.read(_LONGEST).decode("utf-8", "replace").strip() or None
    except OSError:
        return None


def _name(links: Path, number: int) -> str | None:
    """Find the link that leads to a device, by its number."""
    try:
        with os.scandir(links) as entries:
            return next((one.name[:_LONGEST] for one in entries if one.stat().st_rdev == number), None)
    except OSError:
        return None
