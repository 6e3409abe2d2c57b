"""Names and kinds of files on an ISO image: the Rock Ridge fields (SUSP 1.12, RRIP 1.12) of its directory records.

Understood are SP, CE, ST, NM, PX, SL, CL and RE; other fields are passed by. A directory with one bad record is refused
as a whole, for any of its names could be another's.
"""

import enum
import stat
import threading
from collections.abc import Iterator
from typing import NamedTuple

from issmedia.base.errors import FormatError
from issmedia.bundle.iso9660 import ASSOCIATED, DIRECTORY, SECTOR, Extent, Read, Record, both, files, own_record
from issmedia.model.names import MAX_COMPONENT, shown

MAX_AREAS = 32
"""The most continuation areas of one record."""

MAX_STEPS = 1_000_000
"""The most records and continuation areas of all directories of one image that are looked at."""

_CONTINUES = 1


class Kind(enum.Enum):
    """What an entry is."""

    FILE = enum.auto()
    DIRECTORY = enum.auto()
    LINK = enum.auto()
    OTHER = enum.auto()


class Entry(NamedTuple):
    """What a name stands for; `extents` of a directory is where it begins."""

    kind: Kind
    extents: tuple[Extent, ...]

    @property
    def sector(self) -> int:
        """Give the first sector of a directory."""
        return self.extents[0].offset // SECTOR


class Directories:
    """The directories of an image, each parsed when it is first asked for, and kept. Threads may share it.

    A bad directory is kept as such and not tried again: a scratched disc takes seconds for each try.
    """

    def __init__(self, read: Read, root: int, *, steps: int = MAX_STEPS) -> None:
        self._read = read
        self._skip = _skipped(own_record(read, root).system_use)
        self._steps = steps
        self._area = (-1, b"")
        self._known: dict[int, dict[bytes, Entry] | FormatError | OSError] = {}
        self._guard = threading.Lock()
        self.root = Entry(Kind.DIRECTORY, (Extent(root * SECTOR, 0),))

    def entries(self, directory: Entry) -> dict[bytes, Entry]:
        """Give what is in a directory by name; `FormatError` says what is wrong with it, `OSError` with the medium."""
        with self._guard:
            sector = directory.sector
            if sector not in self._known:
                self._known[sector] = self._parsed(sector)
            known = self._known[sector]
        if isinstance(known, dict):
            return known
        raise type(known)(*known.args)

    def _parsed(self, sector: int) -> dict[bytes, Entry] | FormatError | OSError:
        entries: dict[bytes, Entry] = {}
        try:
            for name, entry in self._named(sector):
                if name in entries:
                    raise FormatError(f"has two entries of the name {_shown(name)}")
                entries[name] = entry
        except (FormatError, OSError) as bad:
            return bad.with_traceback(None)
        return entries

    def _named(self, sector: int) -> Iterator[tuple[bytes, Entry]]:
        """Yield the entries of a directory; one that was moved out of a deep directory is found where it was."""
        for record, extents in files(self._read, sector):
            self._step()
            fields = self._fields(record.system_use[self._skip :])
            if not fields.moved:
                yield _name(fields, record), _entry(fields, record, extents)

    def _fields(self, area: bytes) -> "_Fields":
        found = _Fields()
        for _ in range(MAX_AREAS + 1):
            found.add(area)
            if found.following is None:
                return found
            area = self._following(found.following)
            found.following = None
        raise FormatError(f"has a record that goes on over more than {MAX_AREAS} areas")

    def _following(self, area: tuple[int, int, int]) -> bytes:
        """Read a continuation area; the sector is kept, since that of the next record lies mostly in the same."""
        self._step()
        sector, offset, length = area
        if offset + length > SECTOR:
            raise FormatError("has a continuation area that reaches past its sector")
        if sector != self._area[0]:
            self._area = (sector, self._read(sector * SECTOR, SECTOR))
        return self._area[1][offset : offset + length]

    def _step(self) -> None:
        self._steps -= 1
        if self._steps < 0:
            raise FormatError("is passed by: the directories before it had too many entries")


class _Fields:
    """The fields of one record, as they are gathered; `following` is the next area: sector, offset, length."""

    def __init__(self) -> None:
        self.name: bytes | None = None
        self.mode: int | None = None
        self.link = False
        self.moved = False
        self.child: int | None = None
        self.following: tuple[int, int, int] | None = None
        self._continues = False

    def add(self, area: bytes) -> None:
        """Take the fields of one area; padding or the field ST ends it."""
        at = 0
        while at + 4 <= len(area) and area[at]:
            length = area[at + 2]
            if length < 4 or at + length > len(area):
                raise FormatError("has a record with a field that reaches past it")
            if area[at : at + 2] == b"ST":
                break
            self._take(area[at : at + 2], area[at + 4 : at + length])
            at += length

    def _take(self, signature: bytes, body: bytes) -> None:
        if signature == b"NM":
            self._take_name(body)
        elif signature == b"PX":
            self.mode = both(body, 0)
        elif signature == b"SL":
            self.link = True
        elif signature == b"CE":
            self.following = both(body, 0), both(body, 8), both(body, 16)
        elif signature == b"CL":
            self.child = both(body, 0)
        elif signature == b"RE":
            self.moved = True

    def _take_name(self, body: bytes) -> None:
        if not body or body[0] & ~_CONTINUES or (self.name is not None and not self._continues):
            raise FormatError("has an entry whose name is no name")
        self.name = (self.name or b"") + body[1:]
        self._continues = bool(body[0] & _CONTINUES)


def _skipped(area: bytes) -> int:
    """Read the field SP: it says that there are such fields, and how many bytes before them are others' (SUSP, 5.3)."""
    if len(area) < 7 or area[:3] != b"SP\x07" or area[4:6] != b"\xbe\xef":
        raise FormatError("is an ISO image without Rock Ridge names")
    return area[6]


def _name(fields: _Fields, record: Record) -> bytes:
    name = record.identifier if fields.name is None else fields.name
    if name in (b"", b".", b"..") or b"/" in name or b"\0" in name or len(name) > MAX_COMPONENT:
        raise FormatError(f"has an entry whose name is no name: {_shown(name)}")
    return name


def _entry(fields: _Fields, record: Record, extents: tuple[Extent, ...]) -> Entry:
    is_directory = fields.child is not None or bool(record.flags & DIRECTORY)
    mode = (stat.S_IFDIR if is_directory else stat.S_IFREG) if fields.mode is None else fields.mode
    if fields.link or stat.S_ISLNK(mode):
        return Entry(Kind.LINK, ())
    if is_directory and stat.S_ISDIR(mode):
        return Entry(Kind.DIRECTORY, (_moved_to(fields.child) or record.extent,))
    if not is_directory and stat.S_ISREG(mode) and not record.flags & ASSOCIATED:
        return Entry(Kind.FILE, extents)
    return Entry(Kind.OTHER, ())


def _moved_to(sector: int | None) -> Extent | None:
    return None if sector is None else Extent(sector * SECTOR, 0)


def _shown(name: bytes) -> str:
    return shown(name.decode("utf-8", "surrogateescape"))
