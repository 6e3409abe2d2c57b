"""The parent's side of parsing: hands a document to a child, and believes nothing that comes back.

The child gets the file as its standard input, no other descriptor, where to import from and no other environment, and
a time to live. Each line it says is bounded and converted strictly; whatever else it does is a `FormatError`. Only one
that never became ready is an `IssmediaError`: it has not seen the document.
"""

import threading
from collections.abc import Collection, Generator, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import BinaryIO, TypeVar

import msgspec
from msgspec.structs import replace

from issmedia.base import helper
from issmedia.base.errors import FormatError
from issmedia.content.yum.children import Children
from issmedia.content.yum.parsed import (
    MARK,
    MAX_SLICE,
    REFUSED,
    Concerned,
    Delta,
    Job,
    Kind,
    Listed,
    Record,
    Related,
    Slice,
)
from issmedia.model.names import shown
from issmedia.model.package import Advisory, Group, ModuleStream

MAX_UNPACKED = 1 << 30
"""Bytes a document may unpack to where it declares no size, or a larger one."""

MAX_REPOMD = 16 << 20

MAX_DESCRIBING = 64 << 20
"""Bytes that comps, modulemd or prestodelta may unpack to; the largest known have some ten million."""

PARSER = helper.command("issmedia.content.yum.child")
_WHO = "the parser of repodata"

_LINE = 1 << 20
_LONG_LINE = 32 << 20
"""Bytes of a line that says where each package stands in an advisory."""

T = TypeVar("T", bound=msgspec.Struct)


class Unpacked(msgspec.Struct, frozen=True):
    """What the metadata say of a document once it is unpacked: bytes, and checksum (type, hex)."""

    size: int | None = None
    checksum: tuple[str, str] | None = None


class Parser:
    """How children are run: the command of their nursery, and what each may use of our time and memory.

    Within a `with` block one nursery serves all documents, and has loaded by the time of the first; without, each
    document has its own. Threads may share a parser: their documents wait for one another.
    """

    def __init__(
        self,
        command: tuple[str, ...] = PARSER,
        *,
        timeout_s: float = 900.0,
        max_said: int = 1 << 30,
        max_unpacked: int = MAX_UNPACKED,
        memory: int = 2 << 30,
    ) -> None:
        self.timeout_s = timeout_s
        self.max_said = max_said
        self.max_unpacked = max_unpacked
        self.memory = memory
        self._children = Children(command, _WHO)
        self._guard = threading.Lock()

    def __enter__(self) -> "Parser":
        self._children.keep = True
        self._children.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._children.keep = False
        self._children.end()

    def records(self, file: BinaryIO, *, where: str) -> list[Record]:
        """Parse repomd.xml. `file` has a descriptor, at its start; `where` names it in errors."""
        return self._parse(file, Job("repomd", MAX_REPOMD, memory=self.memory), Record, where)

    def packages(
        self, file: BinaryIO, unpacked: Unpacked, *, where: str, only: Collection[str] | None = None
    ) -> list[Listed]:
        """Parse primary.xml, packed or not; in upstream's order. `only` are the hrefs to look for, quickly if few."""
        job = self._job("primary", unpacked)
        return self._parse(file, replace(job, wanted=_sorted(only)), Listed, where)

    def advisories(self, file: BinaryIO, unpacked: Unpacked, *, where: str) -> list[Advisory]:
        """Parse updateinfo.xml, packed or not; in upstream's order."""
        return self._parse(file, self._job("updateinfo", unpacked), Advisory, where)

    def groups(self, file: BinaryIO, unpacked: Unpacked, *, where: str) -> list[Group]:
        """Parse comps.xml, packed or not; in upstream's order."""
        return self._parse(file, self._job("group", unpacked, MAX_DESCRIBING), Group, where)

    def modules(self, file: BinaryIO, unpacked: Unpacked, *, where: str) -> list[ModuleStream]:
        """Parse modules.yaml, packed or not; in upstream's order."""
        return self._parse(file, self._job("modules", unpacked, MAX_DESCRIBING), ModuleStream, where)

    def deltas(self, file: BinaryIO, unpacked: Unpacked, *, where: str) -> list[Delta]:
        """Parse prestodelta.xml, packed or not; in upstream's order."""
        return self._parse(file, self._job("prestodelta", unpacked, MAX_DESCRIBING), Delta, where)

    def related(self, file: BinaryIO, unpacked: Unpacked, *, where: str) -> Generator[Related, None, None]:
        """Parse primary.xml for what packages require and provide, one at a time; no other parsing meanwhile."""
        job = replace(self._job("primary", unpacked), form="relations")
        return self._each(file, job, Related, where)

    def concerned(self, file: BinaryIO, unpacked: Unpacked, *, where: str) -> list[Concerned]:
        """Parse updateinfo.xml for the packages that advisories name; in upstream's order."""
        return self._parse(file, replace(self._job("updateinfo", unpacked), form="relations"), Concerned, where)

    def slices(
        self, kind: Kind, file: BinaryIO, unpacked: Unpacked, *, where: str, only: Collection[str] | None = None
    ) -> Generator[tuple[Slice, bytes], None, None]:
        """Cut a document, packed or not, into slices, one at a time; no other parsing meanwhile.

        `only` are the keys of those wanted. The document stands proved only when all were read.
        """
        limit = MAX_DESCRIBING if kind in ("group", "modules") else None
        job = replace(self._job(kind, unpacked, limit), form="slices", wanted=_sorted(only))
        decoder = msgspec.json.Decoder(Slice, strict=True)
        with self._telling(file, job, where) as told:
            for line in told.lines(_LONG_LINE):
                yield (piece := decoder.decode(line)), told.exactly(piece.size)

    def _job(self, kind: Kind, unpacked: Unpacked, limit: int | None = None) -> Job:
        return Job(
            kind, min(self.max_unpacked, limit or self.max_unpacked), unpacked.size, unpacked.checksum, self.memory
        )

    def _parse(self, file: BinaryIO, job: Job, kind: type[T], where: str) -> list[T]:
        return list(self._each(file, job, kind, where))

    def _each(self, file: BinaryIO, job: Job, kind: type[T], where: str) -> Generator[T, None, None]:
        decoder = msgspec.json.Decoder(kind, strict=True)
        with self._telling(file, job, where) as told:
            for line in told.lines(_LINE):
                yield decoder.decode(line)

    @contextmanager
    def _telling(self, file: BinaryIO, job: Job, where: str) -> Iterator["_Told"]:
        """Have a child parse a document; what it says is to be read to its end within the block."""
        if job.size is not None and job.size > job.limit:
            raise FormatError(f"declares {job.size:,} bytes unpacked, at most {job.limit:,} are allowed", where=where)
        try:
            request = msgspec.json.encode(job)
            with self._guard, self._children.child(request, file, self.timeout_s) as (nursery, child):
                yield _Told(child.said, self.max_said, where)
                reason = child.refusal.read(4096)
                code = nursery.outcome()
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as cause:
            raise FormatError(f"lists what cannot be: {shown(str(cause))}", where=where) from cause
        if code != 0:
            raise FormatError(_failure(code, reason), where=where)


class _Told:
    """What a child says, up to a limit in bytes."""

    def __init__(self, said: BinaryIO, limit: int, where: str) -> None:
        self._said = said
        self._left = limit
        self._where = where

    def lines(self, longest: int) -> Iterator[bytes]:
        """Give each line to the end."""
        while line := self._said.readline(longest):
            self._left -= len(line)
            if self._left < 0 or not line.endswith(b"\n"):
                raise FormatError("the parser said too much", where=self._where)
            yield line

    def exactly(self, size: int) -> bytes:
        """Give the bytes behind a line."""
        self._left -= size
        if self._left < 0 or size > MAX_SLICE:
            raise FormatError("the parser said too much", where=self._where)
        found = self._said.read(size)
        if len(found) < size:
            raise FormatError("the parser said too little", where=self._where)
        return found


def _sorted(only: Collection[str] | None) -> tuple[str, ...] | None:
    return None if only is None else tuple(sorted(only))


def _failure(code: int, reason: bytes) -> str:
    if code == REFUSED and MARK in reason:
        return shown(reason.rpartition(MARK)[2].decode("utf-8", "replace"))
    if code < 0:
        return f"the parser was stopped (signal {-code}): the document takes too much time or memory"
    return f"the parser failed (exit code {code}): the document takes too much memory, or is malformed"
