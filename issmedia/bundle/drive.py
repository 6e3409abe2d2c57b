"""A drive and the medium in it, as xorriso sees them: `/dev/sr0`, or `stdio:FILE`, a file that stands for one."""

import contextlib
import fcntl
import os
import re
import stat
from collections.abc import Iterable
from pathlib import Path

import msgspec
from msgspec.structs import replace

from issmedia.base.errors import IssmediaError, UsageError
from issmedia.base.events import Advanced, Finished, Report, Started
from issmedia.base.mounts import MEMORY, kind_of
from issmedia.base.readback import Means
from issmedia.bundle import xorriso
from issmedia.bundle.iso import SECTOR
from issmedia.bundle.reader import device_named
from issmedia.model.names import shown

_STDIO = "stdio:"
_PATIENCE_S = 60
"""How long a drive may take to end what it does when it is told to stop."""

_BLKFLSBUF = 0x1261
"""Drop what the kernel remembers of a block device; source: `linux/fs.h`."""

_LINE = re.compile(r"(Drive|Media|ISO) (type|id|current|product|status|blocks|session) *: *(.*)")
_WRITABLE = re.compile(r"(\d+) writable")
_SPEED = re.compile(r"[0-9]{1,6}(\.[0-9]+)?([xX]?[cdbCDB]?|[kmKM])")


class Drive(msgspec.Struct, frozen=True):
    """A drive: `file` is what a `stdio:` drive stands for, None for a real one; `program` is the xorriso to ask."""

    address: str
    file: Path | None = None
    program: str = xorriso.PROGRAM

    @property
    def path(self) -> Path:
        """Say where the medium in it is read."""
        return self.file or Path(self.address)


class Medium(msgspec.Struct, frozen=True):
    """What a drive says of itself and of the medium in it, safe to print; empty where it says nothing.

    `id` and `product` name the maker's kind of disc and `drive_id` the drive: discs have no serial number that can be
    read. `room` is the bytes that can be written now.
    """

    drive: str = ""
    drive_id: str = ""
    kind: str = ""
    product: str = ""
    id: str = ""
    status: str = ""
    room: int = 0

    @property
    def is_blank(self) -> bool:
        """Say whether nothing is on it."""
        return self.status.startswith("is blank")


def parse_drive(text: str, *, program: str = xorriso.PROGRAM) -> Drive:
    """Read `/dev/…` or `stdio:FILE`; `UsageError` for anything else, and where the file is none that may be written."""
    if not text.startswith(_STDIO):
        if not text.startswith("/dev/"):
            raise UsageError(f"{shown(text)!r} is no drive", hint="name one: /dev/sr0, or stdio:FILE")
        return Drive(str(device_named(Path(text))), program=program)
    path = Path(text.removeprefix(_STDIO)).absolute()
    if path.name and path.parent.is_dir() and (not os.path.lexists(path) or stat.S_ISREG(path.lstat().st_mode)):
        return Drive(f"{_STDIO}{path}", path, program)
    raise UsageError(
        f"{shown(str(path))} is no regular file, and cannot become one",
        hint="stdio:FILE stands for a drive; a stick is written with issmedia copy",
    )


def checked_speed(text: str) -> str:
    """Return a speed as xorriso takes it: `8`, `4x`, `10000k`; `UsageError` for anything else."""
    if not _SPEED.fullmatch(text):
        raise UsageError(f"{shown(text)!r} is no speed", hint="as in 8, 4x or 10000k")
    return text


def look(drive: Drive) -> Medium:
    """Ask what is in the drive; an `IssmediaError` with xorriso's words where it cannot say.

    A file that is not empty holds data, whatever it looks like to xorriso.
    """
    medium = parse_toc(xorriso.answer(_call(drive, ["-no_rc", "-outdev", drive.address, "-toc"])))
    if drive.file and medium.is_blank and drive.file.exists() and drive.file.stat().st_size:
        return replace(medium, status="is written")
    return medium


def parse_toc(text: str) -> Medium:
    """Read what xorriso's `-toc` says."""
    facts: dict[str, str] = {}
    for match in map(_LINE.match, text.splitlines()):
        if match:
            facts[f"{match[1]} {match[2]}"] = shown(match[3].strip())
    writable = _WRITABLE.search(facts.get("Media blocks", ""))
    return Medium(
        drive=facts.get("Drive type", ""),
        drive_id=facts.get("Drive id", ""),
        kind=facts.get("Media current", ""),
        product=facts.get("Media product", ""),
        id=facts.get("Media id", ""),
        status=facts.get("Media status", ""),
        room=int(writable[1]) * SECTOR if writable else 0,
    )


def burn(drive: Drive, image: Iterable[bytes], size: int, *, speed: str | None, report: Report) -> None:
    """Write an image of `size` bytes to the medium in the drive, from its first sector; what was there is lost.

    Xorriso blanks or formats a medium where it must. `IssmediaError` with its words where it or the drive fails.
    """
    report(Started("burning", None, size))
    arguments = ["-as", "cdrecord", "--no_rc", f"dev={drive.address}", "blank=as_needed", "-nopad"]
    arguments += [f"speed={speed}"] if speed else []
    if drive.file is None:  # some media must know; where we are killed, a drive then fills up with zeros
        arguments.append(f"tsize={size // SECTOR}s")
    with xorriso.running(_call(drive, [*arguments, "-"], output=xorriso.NOWHERE)) as child:
        with contextlib.suppress(BrokenPipeError):  # it says why when it is waited for
            for data in image:
                child.feed(data)
                report(Advanced(0, len(data)))
            child.end_feeding()
        child.wait()
    report(Finished("burning"))


def eject(drive: Drive) -> None:
    """Open the tray."""
    xorriso.answer(_call(drive, ["-as", "cdrecord", "--no_rc", f"dev={drive.address}", "-eject"]))


def forget(path: Path) -> Means:
    """Have the kernel drop what it remembers of a medium or a file, so that it is read anew; say by what means."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        is_device = stat.S_ISBLK(os.fstat(fd).st_mode)
        if is_device:
            with contextlib.suppress(OSError):  # only root may; the next line does nearly the same
                fcntl.ioctl(fd, _BLKFLSBUF)
        elif kind_of(fd) in MEMORY:
            return Means.NONE
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        return Means.DROPPED
    finally:
        os.close(fd)


def require_blank(drive: Drive, medium: Medium) -> None:
    """Refuse a medium that holds data, or that is not there."""
    if medium.is_blank:
        return
    if not medium.status or "not present" in medium.status or "not present" in medium.kind:
        raise IssmediaError("no medium that can be written", where=drive.address, hint="insert a blank one")
    raise UsageError(
        f"the medium holds data ({medium.kind}, {medium.status})",
        where=drive.address,
        hint="insert a blank one; --yes blanks one that can be written again, and what is on it is lost",
    )


def _call(drive: Drive, arguments: list[str], *, output: int = xorriso.PIPE) -> xorriso.Call:
    return xorriso.Call(arguments, drive.program, patience_s=0 if drive.file else _PATIENCE_S, output=output)
