"""The parent's side of solving: tells a child of packages, asks it who needs whom, and believes no more than can be.

The child gets relations that the parsing child read and the parent checked, over a pipe, and no document. One that
dies, of its own or as its time is over, is a `FormatError` that names the package over which it died. Only a child that
never became ready is an `IssmediaError`.
"""

import os
import threading
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from typing import BinaryIO, TypeVar

import msgspec

from issmedia.base import helper
from issmedia.base.errors import FormatError
from issmedia.content.yum.nursery import Birth, Nursery, no_start
from issmedia.content.yum.parsed import BUFFER, MARK, READY, REFUSED, Related
from issmedia.content.yum.solved import (
    AskFiles,
    AskNeeded,
    AskUnmet,
    At,
    Broken,
    End,
    File,
    Lacking,
    Needed,
    Package,
    Place,
    Said,
    SolvingJob,
    Told,
)
from issmedia.model.names import shown
from issmedia.model.package import Nevra

_LINE = 8 << 20
"""Bytes of an answer's longest line: what one package requires in vain, of a line of a megabyte that said all."""

_WHO = "the solver of dependencies"
_CANNOT_BE = f"{_WHO} said what cannot be"

T = TypeVar("T", Lacking, Needed, Broken)


class Solver(msgspec.Struct, frozen=True):
    """How a child is run: its nursery's command, and what it may use of our time and memory, and say.

    `timeout_s` is for each repository it is told of, and for each answer; `seconds` of a processor are for all.
    """

    command: tuple[str, ...] = helper.command("issmedia.content.yum.settling")
    timeout_s: float = 900.0
    seconds: int = 900
    memory: int = 2 << 30
    max_said: int = 256 << 20

    @contextmanager
    def settling(self, *, hint: str) -> Iterator["Settling"]:
        """Give a child to tell and ask, which is dead when the block is left. `hint` says what to do where it dies."""
        job = msgspec.json.encode(SolvingJob(self.memory, self.seconds))
        with (
            _line() as (theirs, ours),
            closing(self._nursery()) as nursery,  # the reader dies before the line is closed, which may be full
            closing(nursery.parse(job, theirs)) as child,
        ):
            theirs.close()
            yield Settling(self, nursery, child, ours, hint=hint)

    def _nursery(self) -> Nursery:
        try:
            return Nursery(self.command)
        except OSError as cause:
            raise no_start(_WHO, str(cause).encode()) from cause


class Settling:
    """A child that is told of packages, and asked. Errors of all methods: `FormatError` where it dies or lies."""

    def __init__(self, solver: Solver, nursery: Nursery, child: Birth, line: BinaryIO, *, hint: str) -> None:
        self.names: dict[Place, str] = {}
        """The NEVRA of each package it was told of, fit to be shown."""
        self._solver = solver
        self._nursery = nursery
        self._child = child
        self._line = line
        self._hint = hint
        self._left = solver.max_said
        self._wheres: dict[int, str] = {}
        self._at: Place | None = None
        self._where = ""
        self._ready = False
        self._encode = msgspec.json.Encoder().encode
        self._decode = msgspec.json.Decoder(Said, strict=True).decode

    def add(self, number: int, found: Iterable[Related], *, where: str) -> None:
        """Tell of the packages of a repository, which `where` names in errors.

        Where one has the number 0, what others provide is taken before what it does.
        """
        self._where = self._wheres[number] = where
        with self._in_time():
            for one in found:
                nevra = Nevra(one.name, one.epoch, one.version, one.release, one.arch)
                self.names.setdefault((number, one.href), shown(str(nevra)))
                self._tell(Package(number, one))

    def add_files(self, found: Iterable[tuple[Place, str]], *, where: str) -> None:
        """Tell of more files that packages have."""
        self._where = where
        with self._in_time():
            for place, path in found:
                self._tell(File(place, path))

    def files_lacking(self) -> set[str]:
        """List the paths that are required and that nobody provides, as far as is known."""
        return {one.path for one in self._asked(AskFiles(), Lacking)}

    def closed(self, wanted: Iterable[Place]) -> set[Place]:
        """Give those wanted that there are, and what these need of any repository."""
        known = self.names.keys() & set(wanted)
        found = {one.place for one in self._asked(AskNeeded(tuple(sorted(known))), Needed)}
        self._require_known(found)
        return known | found

    def unmet(self) -> dict[Place, tuple[str, ...]]:
        """Give what each package requires in vain: nobody provides it, or only packages that lack something, too."""
        found = {one.place: one.requires for one in self._asked(AskUnmet(), Broken)}
        self._require_known(found)
        return found

    def _require_known(self, places: Iterable[Place]) -> None:
        if not self.names.keys() >= set(places):
            raise FormatError(_CANNOT_BE, where=self._where)

    def _asked(self, question: Told, kind: type[T]) -> list[T]:
        self._at = None
        with self._in_time():
            self._tell(question)
            self._flush()
            return list(self._answers(kind))

    def _answers(self, kind: type[T]) -> Generator[T, None, None]:
        while not isinstance(said := self._hear(), End):
            if isinstance(said, kind):
                yield said
            elif isinstance(said, At):
                self._at = said.place
            else:
                raise FormatError(_CANNOT_BE, where=self._where)

    def _hear(self) -> Said:
        line = self._child.said.readline(_LINE)
        if not line:
            raise self._failure()
        self._left -= len(line)
        if self._left < 0 or not line.endswith(b"\n"):
            raise FormatError(f"{_WHO} said too much", where=self._where)
        try:
            return self._decode(line)  # type: ignore[no-any-return]
        except (msgspec.MsgspecError, UnicodeError, RecursionError) as cause:
            raise FormatError(_CANNOT_BE, where=self._where) from cause

    def _tell(self, told: Told) -> None:
        try:
            self._line.write(self._encode(told) + b"\n")
        except OSError as cause:
            raise self._failure() from cause

    def _flush(self) -> None:
        try:
            self._line.flush()
        except OSError as cause:
            raise self._failure() from cause

    @contextmanager
    def _in_time(self) -> Iterator[None]:
        """Kill the child where the block takes longer than it may; first of all it must be ready."""
        timer = threading.Timer(self._solver.timeout_s, self._nursery.kill)
        timer.start()
        try:
            if not self._ready and self._child.said.readline(len(READY)) != READY:
                raise no_start(_WHO, self._nursery.last_words())
            self._ready = True
            yield
        finally:
            timer.cancel()
            timer.join()

    def _failure(self) -> FormatError:
        """Say how the child ended, and over which package."""
        reason, code = self._child.refusal.read(4096), self._nursery.outcome()
        if code == REFUSED and MARK in reason:
            message = shown(reason.rpartition(MARK)[2].decode("utf-8", "replace"))
            return FormatError(message, where=self._where, hint=self._hint)
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        name = self.names.get(self._at) if self._at else None
        what = f"what {name} needs" if name else "what its packages need of each other"
        where = self._wheres[self._at[0]] if self._at and name else self._where
        return FormatError(f"{what} takes too much time or memory to settle ({how})", where=where, hint=self._hint)


@contextmanager
def _line() -> Iterator[tuple[BinaryIO, BinaryIO]]:
    """Make a pipe: the end that is read, and the one that is written, whose reader may be dead as it is closed."""
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb", 0) as theirs:
        ours = os.fdopen(writing, "wb", BUFFER)
        try:
            yield theirs, ours
        finally:
            with suppress(OSError):
                ours.close()
