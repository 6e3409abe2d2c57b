"""Fetching: upstream → sink, several files at a time, in a bounded queue."""

import io
import threading
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial

from issmedia.base.digest import Digest, digest_of, take_all
from issmedia.base.errors import UpstreamError
from issmedia.base.events import Advanced, Report
from issmedia.base.workers import Gathered, Workers
from issmedia.content.base import Expected, Sink, Stream, Upstream, entry_of
from issmedia.model.documents import LeftOut
from issmedia.model.names import shown
from issmedia.model.tree import Entry

_QUEUE = 64
"""Files that are asked for and not yet accounted for."""

_SMALL = 1 << 20
"""Bytes."""

_PATIENCE_S = 1.0
"""How long threads may take to end once the fetching was given up."""

Item = tuple[str, Expected]


class Fetcher:
    """Fetches from one upstream into one sink.

    `before` has the entries of the previous tree by path: they tell the size of a file where the metadata omit it.
    """

    def __init__(self, upstream: Upstream, sink: Sink, report: Report, before: Mapping[str, Entry]) -> None:
        self.upstream = upstream
        self.sink = sink
        self.report = report
        self.before = before
        self._stop = threading.Event()

    def one(self, path: str, expected: Expected) -> Entry:
        """Fetch a file, or raise `UpstreamError`. What comes broken is asked for again, as often as upstream says.

        To get an answer at all is upstream's affair, which tries as often as it likes.
        """
        held, _ = self._parted([(path, expected)])
        return held[0] if held else self._new(path, expected)

    def all(self, items: Iterable[Item]) -> Generator[Entry | LeftOut, None, None]:
        """Fetch files: those that are held come first, the others about in the order given. Reports each.

        What upstream fails to give becomes a `LeftOut`. The sink learns what is to come.
        """
        held, lacking = self._parted(items)
        self.sink.expect(self._to_come(lacking))
        if held:
            self.report(Advanced(len(held), sum(entry.size for entry in held)))
        yield from held
        yield from self._all_fetched(lacking) if lacking else ()

    def whole(self, path: str, limit: int) -> bytes:
        """Read a small file into memory; `UpstreamError` where it is larger than `limit` bytes."""
        with self.upstream.open(path) as stream:
            data, _ = take_all(stream.readinto, limit=limit)
        if len(data) > limit:
            raise UpstreamError(f"expected at most {limit:,} bytes, got more", where=shown(path))
        return data

    def keep(self, path: str, data: bytes) -> Entry:
        """Keep a file that was read whole; one that is held already is not written again."""
        expected = Expected(len(data), ("sha256", digest_of(data)), limit=len(data))
        held, _ = self._parted([(path, expected)])
        return held[0] if held else entry_of(path, self.sink.keep(_Bytes(data), expected))

    def _new(self, path: str, expected: Expected) -> Entry:
        """Do as `one` with a file that is not held."""
        answered: list[str] = []
        for number in range(1, self.upstream.tries + 1):
            try:
                return self._fetched(path, expected, answered)
            except UpstreamError:
                if self._stop.is_set() or number == self.upstream.tries or len(answered) < number:
                    raise
        raise AssertionError("upstream allows no try")

    def _all_fetched(self, items: Iterable[Item]) -> Generator[Entry | LeftOut, None, None]:
        """Fetch files that are not held. To ask again whether they are costs threads more than it saves.

        Unless a file has the checksum of one before: that may be held by now.
        """
        asked: set[tuple[str, str] | None] = set()
        with self._workers() as workers:
            fetched = Gathered[Entry | LeftOut](workers, most=_QUEUE)
            for path, expected in items:
                get = self.one if expected.checksum in asked else self._new
                asked.add(expected.checksum)
                if self._is_quick(expected):
                    yield self._counted(self._tried(get, path, expected))
                    continue
                fetched.submit(self._tried, get, path, expected)
                yield from map(self._counted, fetched.surplus())
            yield from map(self._counted, fetched.rest())

    @property
    def _remote(self) -> bool:
        return self.upstream.url.startswith(("http:", "https:"))

    def _is_quick(self, expected: Expected) -> bool:
        """Say whether a file is had sooner than handed to a thread: small ones of this machine are, fourfold."""
        return not self._remote and expected.size is not None and expected.size <= _SMALL

    def _parted(self, items: Iterable[Item]) -> tuple[list[Entry], list[Item]]:
        """Part files whose blob the sink holds already, recognised by its sha256, from those that are to be had."""
        held: list[Entry] = []
        lacking: list[Item] = []
        known = [(item, self._known(*item)) for item in items]
        missing = self.sink.missing((entry.sha256, entry.size) for _, entry in known if entry)
        for item, entry in known:
            if entry is None or (entry.sha256, entry.size) in missing:
                lacking.append(item)
            else:
                held.append(entry)
        return held, lacking

    def _known(self, path: str, expected: Expected) -> Entry | None:
        """Say what entry a file will be, where that is known before it was read."""
        if expected.checksum is None or expected.checksum[0] != "sha256":
            return None
        digest = Digest(expected.checksum[1])
        before = self.before.get(path)
        known = before.size if before is not None and before.sha256 == digest else None
        size = known if expected.size is None else expected.size
        return None if size is None else Entry(path, digest, size)

    def _to_come(self, items: Iterable[Item]) -> Iterator[int]:
        """Give the bytes of each file, as far as the sizes are known; one as long as before is probably the same."""
        for path, expected in items:
            before = self.before.get(path)
            same = before is not None and before.size == expected.size
            if expected.size is not None and not same:
                yield expected.size

    def _tried(self, get: Callable[[str, Expected], Entry], path: str, expected: Expected) -> Entry | LeftOut:
        try:
            return get(path, expected)
        except UpstreamError as error:
            return LeftOut(shown(path), error.message)

    def _fetched(self, path: str, expected: Expected, answered: list[str]) -> Entry:
        self.upstream.begin()
        return entry_of(path, self.sink.fetch(partial(self._opening, path, answered), expected))

    @contextmanager
    def _opening(self, path: str, answered: list[str], start: int) -> Iterator[Stream]:
        with self.upstream.open(path, start=start) as stream:
            answered.append(path)
            yield _Stoppable(stream, self._stop)

    def _counted(self, found: Entry | LeftOut) -> Entry | LeftOut:
        self.report(Advanced(1, found.size if isinstance(found, Entry) else 0))
        return found

    @contextmanager
    def _workers(self) -> Generator[Workers, None, None]:
        """Run threads that stop soon when the block is left early: after the read they are in, which is ended."""
        workers = Workers(self.upstream.connections, name="fetch")
        try:
            yield workers
        except BaseException:
            self._stop.set()
            self.upstream.interrupt()
            workers.give_up(within_s=_PATIENCE_S)
            raise
        workers.finish()


class _Stoppable:
    """A stream that fails once the fetching was given up."""

    def __init__(self, stream: Stream, stop: threading.Event) -> None:
        self._stream = stream
        self._stop = stop
        self.start = stream.start

    @property
    def fileno(self) -> int | None:
        return self._stream.fileno

    def readinto(self, buffer: memoryview, /) -> int:
        if self._stop.is_set():
            raise UpstreamError("fetching was given up")
        return self._stream.readinto(buffer)


class _Bytes:
    """A stream of bytes in memory."""

    fileno = None
    start = 0

    def __init__(self, data: bytes) -> None:
        self.readinto = io.BytesIO(data).readinto
