"""Events → bars, lines or JSON Lines on stderr; documents → JSON."""

import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType

import msgspec

from issmedia.base.events import Advanced, Event, Finished, Note, Started, Warned, Within
from issmedia.base.units import bytes_text, count_text
from issmedia.cli.bars import Bars
from issmedia.cli.plainjson import plain_json
from issmedia.model.manifest import Missing
from issmedia.model.names import shown

_EVERY_S = 1.0


def as_json(document: object) -> str:
    """Write a document as JSON: keys sorted, two-space indent."""
    return plain_json(msgspec.to_builtins(document), indent=2) + "\n"


class Renderer:
    """Shows events of one command; threads may call `show`. `clock` gives seconds."""

    def __init__(
        self, *, quiet: bool, verbose: bool, as_json: bool, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._quiet = quiet
        self._verbose = verbose
        self._as_json = as_json
        self._told = Told(clock) if as_json and not quiet else None
        self._bars = Bars() if sys.stderr.isatty() and not quiet and not as_json else None
        self._several = False
        self._guard = threading.Lock()

    def __enter__(self) -> "Renderer":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bars:
            self._bars.stop()

    def show(self, event: Event) -> None:
        """Show one event."""
        with self._guard:
            if self._bars:
                self._bars.show(event)
            if isinstance(event, Started) and event.repositories:
                self._several = event.repositories > 1
            if isinstance(event, Within):
                self._show(event.event, event.repository)
            else:
                self._show(event, None)

    def _show(self, event: Started | Advanced | Finished | Note | Warned, repository: str | None) -> None:
        if isinstance(event, Note | Warned):
            self._line(event, repository)
        elif self._told and repository is not None:
            for document in self._told.of(event, repository):
                self._write(plain_json(document))
        elif isinstance(event, Started) and not self._bars and not self._as_json:
            self._begin(event, repository)

    def _begin(self, event: Started, repository: str | None) -> None:
        """Say where there is no terminal what one of several has to fetch; of other work only to whoever wants more."""
        if repository is not None and self._several and event.files and not self._quiet:
            size = f", {bytes_text(event.size)}" if event.size else ""
            self._write(f"{shown(repository)}: {count_text(event.files, 'file')}{size} …")
        elif self._verbose:
            self._write(f"{event.phase} …")

    def _line(self, event: Note | Warned, repository: str | None) -> None:
        if self._as_json:
            within = {} if repository is None else {"repository": repository}
            self._write(plain_json({"event": type(event).__name__.lower(), **event._asdict(), **within}))
        elif isinstance(event, Warned):
            where = f"{shown(event.where)}: " if event.where else ""
            self._write(f"warning: {where}{shown(event.message)}")
        elif not self._quiet:
            self._write(shown(event.message))

    def _write(self, line: str) -> None:
        if self._bars:
            self._bars.print(line)
        else:
            sys.stderr.write(line + "\n")


class Told:
    """Events of several repositories as documents: how far each has come is told once a second at most."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._done: dict[str, Advanced] = {}
        self._last: dict[str, float] = {}

    def of(self, event: Started | Advanced | Finished, repository: str) -> Iterator[dict[str, object]]:
        """Give what is to be told now."""
        if isinstance(event, Advanced):
            done = self._done.get(repository, Advanced())
            self._done[repository] = Advanced(done.files + event.files, done.size + event.size)
            if self._clock() - self._last.get(repository, -_EVERY_S) >= _EVERY_S:
                yield from self._sum(repository)
            return
        yield from self._sum(repository)
        yield _document(event, repository)

    def _sum(self, repository: str) -> Iterator[dict[str, object]]:
        if (done := self._done.pop(repository, None)) is not None:
            self._last[repository] = self._clock()
            yield _document(done, repository)


def _document(event: Started | Advanced | Finished, repository: str) -> dict[str, object]:
    facts = {name: value for name, value in event._asdict().items() if name != "repositories"}
    return {"event": type(event).__name__.lower(), "repository": repository, **facts}


def left_out_lines(items: Sequence[Missing]) -> list[str]:
    """Say of each thing that a bundle lacks what it is and why."""
    return [f"left out: {shown(one.repository)}: {shown(one.path)}: {shown(one.reason)}" for one in items]


def table(headers: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """Lay out rows under headers in columns of text; the last column is not padded."""
    cells = [headers, *([shown(cell) for cell in row] for row in rows)]
    widths = [max(len(row[index]) for row in cells) for index in range(len(headers))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
    return "\n".join(lines)
