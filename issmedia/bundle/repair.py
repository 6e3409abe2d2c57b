"""Repair: blobs that are wanted and that no medium gives whole, rebuilt straight into the store.

Stripes are computed in order by several threads, each at most once, and only those in which a wanted blob lies. Of each
stream that has such blobs a thread adds them to the store, one after another. Memory holds a few stripes and a block or
two of each stream. Killed anywhere, the next run wants what is not in the store yet.
"""

import contextlib
import queue
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from issmedia.base.digest import Digest, Read
from issmedia.base.errors import NotIntactError, Problem
from issmedia.base.events import Advanced, Finished, Report, Started
from issmedia.base.units import count_text
from issmedia.bundle.blocks import Blocks, Media, Rebuilt, read_index
from issmedia.bundle.stripes import depth, in_order
from issmedia.depot.store import Writing
from issmedia.model.names import shown
from issmedia.model.recovery import Recovery, Shape

_MOST_NAMED = 10_000
"""Lost files that an error names; the others are counted."""


def repair(
    recovery: Recovery,
    media: Media,
    wanted: Mapping[Digest, int],
    writing: Writing,
    *,
    workers: int,
    report: Report,
) -> None:
    """Rebuild blobs (digest → bytes) that the store lacks, each admitted only under its digest.

    `NotIntactError` names every file that cannot be had, after all others were added; its hint says which volumes help.
    Where nothing is wanted, nothing is read.
    """
    if not wanted:
        return
    run = _Run(
        Blocks(recovery, read_index(recovery, media), media),
        writing,
        report,
        workers,
        depth(workers, _stripe(recovery)),
    )
    report(Started("repairing", files=len(wanted), size=sum(wanted.values())))
    left, turn = dict(wanted), 0
    places = _places(run.blocks, wanted)
    while turned := [found[turn] for digest, found in places.items() if digest in left and turn < len(found)]:
        for digest in run.rebuild(turned):
            del left[digest]
        turn += 1
    report(Finished("repairing"))
    if left:
        raise run.refusal(places, left)


def _stripe(recovery: Recovery) -> int:
    return recovery.block * (recovery.k + recovery.m)


_Where = tuple[int, int]
"""A file: the column, and which of its files."""


def _places(blocks: Blocks, wanted: Mapping[Digest, int]) -> dict[Digest, list[_Where]]:
    """Find where in the data streams the wanted blobs lie; none where a blob of this size is in no stream."""
    found: dict[Digest, list[_Where]] = {digest: [] for digest in wanted}
    for column, one in enumerate(blocks.columns[: blocks.k]):
        for number, file in enumerate(one.files):
            if wanted.get(file.sha256) == file.size:
                found[file.sha256].append((column, number))
    return found


@dataclass
class _Run:
    """One repair: what it reads, where it writes, and what it could not do."""

    blocks: Blocks
    writing: Writing
    report: Report
    workers: int
    ahead: int
    failed: set[int] = field(default_factory=set)
    short: int = 0

    def rebuild(self, places: Iterable[_Where]) -> list[Digest]:
        """Rebuild files, and give the digests of those that are in the store now."""
        numbers: dict[int, list[int]] = {}
        for column, number in sorted(places):
            numbers.setdefault(column, []).append(number)
        outlets = {
            column: _Outlet(self.blocks.shapes[column], files, self.writing, self.report)
            for column, files in numbers.items()
        }
        with ThreadPoolExecutor(len(outlets)) as pool:
            adding = [pool.submit(outlet.run) for outlet in outlets.values()]
            try:
                self._pour(outlets)
            finally:
                for outlet in outlets.values():
                    outlet.end()
        return [digest for added in adding for digest in added.result()]

    def _pour(self, outlets: Mapping[int, "_Outlet"]) -> None:
        """Compute the stripes in which wanted files lie, and hand their blocks on."""
        needed: dict[int, set[int]] = {}
        for column, outlet in outlets.items():
            for stripe in outlet.stripes():
                needed.setdefault(stripe, set()).add(column)

        def compute(stripe: int) -> Rebuilt:
            return self.blocks.stripe(stripe, needed[stripe])

        with ThreadPoolExecutor(self.workers) as pool:
            for stripe, rebuilt in in_order(pool, compute, sorted(needed), ahead=self.ahead):
                self._note(rebuilt)
                for column in needed[stripe]:
                    outlets[column].put(stripe, rebuilt.blocks.get(column))
                if any(outlet.is_broken for outlet in outlets.values()):
                    return

    def _note(self, rebuilt: Rebuilt) -> None:
        self.failed |= rebuilt.failed
        self.short = max(self.short, rebuilt.short)

    def refusal(self, places: Mapping[Digest, Sequence[_Where]], lost: Mapping[Digest, int]) -> NotIntactError:
        """Say which files cannot be had, and which volumes would help."""
        named = [self._problem(digest, places[digest]) for digest in list(lost)[:_MOST_NAMED]]
        if more := len(lost) - len(named):
            named.append(Problem("and more", f"{count_text(more, 'file')} that cannot be had"))
        count = count_text(len(lost), "file")
        return NotIntactError(
            f"{count} cannot be had: too much of the bundle is damaged or missing",
            where=named[0].where,
            hint=self._hint(),
            problems=named,
        )

    def _problem(self, digest: Digest, places: Sequence[_Where]) -> Problem:
        if not places:
            return Problem(digest, "lies in no stream that parity protects")
        column, number = places[0]
        volume = self.blocks.columns[column]
        return Problem(f"volume {volume.number}: {shown(volume.files[number].path)}", "is lost")

    def _hint(self) -> str:
        columns = sorted(self.failed)
        absent = [str(self.blocks.columns[one].number) for one in columns if not self.blocks.at_hand(one)]
        damaged = [str(self.blocks.columns[one].number) for one in columns if self.blocks.at_hand(one)]
        if not columns:
            return "copy the bundle again, or ask for another copy"
        ways = [f"volume {' or '.join(absent)}"] if absent else []
        ways += [f"a better copy of volume {' or '.join(damaged)}"] if damaged else []
        more = f"{self.short} more are needed" if self.short > 1 else "1 more is needed"
        return f"add {', or '.join(ways)}: {more}; what was good is kept in the store"


class _LostError(Exception):
    """Ends the adding of a blob of which a block is lost."""


class _EndedError(Exception):
    """Ends the adding of a blob whose blocks come no more."""


class _Outlet:
    """Adds the wanted files of one stream to the store, in order, from blocks that are put in order."""

    def __init__(self, shape: Shape, numbers: Sequence[int], writing: Writing, report: Report) -> None:
        self._shape = shape
        self._numbers = numbers
        self._writing = writing
        self._report = report
        self._blocks: queue.Queue[tuple[int, bytes | None] | None] = queue.Queue(maxsize=1)
        self._current: tuple[int, bytes | None] | None = (-1, None)
        self._added: list[Digest] = []
        self._is_done = self._is_over = False

    @property
    def is_broken(self) -> bool:
        """Say whether an error ended it: then nothing more is added."""
        return self._is_over and not self._is_done

    def stripes(self) -> Iterator[int]:
        """Say which blocks of the stream are needed; one that several files share comes several times."""
        for number in self._numbers:
            yield from self._shape.blocks_of(number)

    def put(self, stripe: int, block: bytes | None) -> None:
        """Hand on a block, or None for one that is lost; waits while the thread is busy with the one before."""
        self._blocks.put((stripe, block))

    def end(self) -> None:
        """Say that no block comes any more."""
        self._blocks.put(None)

    def run(self) -> list[Digest]:
        """Add file after file, in a thread of its own, and give the digests of those that were added.

        Whatever happens, what is put is taken until the end: nobody waits for a thread that failed.
        """
        try:
            with contextlib.suppress(_EndedError):
                for number in self._numbers:
                    self._add(number)
            self._is_done = True
        finally:
            self._is_over = True
            while self._current is not None:
                self._current = self._blocks.get()
        return self._added

    def _add(self, number: int) -> None:
        file = self._shape.files[number]

        def check(found: Digest, size: int, _others: dict[str, str]) -> None:
            if found != file.sha256 or size != file.size:
                raise _LostError

        try:
            self._writing.add(_reader(self._pieces(number)), limit=file.size, check=check)
        except _LostError:
            return
        self._added.append(file.sha256)
        self._report(Advanced(1, file.size))

    def _pieces(self, number: int) -> Iterator[memoryview]:
        for stripe, offset, size in self._shape.places(number):
            yield memoryview(self._block(stripe))[offset : offset + size]

    def _block(self, stripe: int) -> bytes:
        while self._current is not None and self._current[0] != stripe:
            self._current = self._blocks.get()
        if self._current is None:
            raise _EndedError
        if self._current[1] is None:
            raise _LostError
        return self._current[1]


def _reader(pieces: Iterator[memoryview]) -> Read:
    """Read pieces as a file is read."""
    left = memoryview(b"")

    def read(buffer: memoryview) -> int:
        nonlocal left
        if not left:
            left = next(pieces, memoryview(b""))
        part, left = left[: len(buffer)], left[len(buffer) :]
        buffer[: len(part)] = part
        return len(part)

    return read
