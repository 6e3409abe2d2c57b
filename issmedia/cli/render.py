"""Events → rich bars, lines or JSON Lines on stderr; documents → JSON."""

import sys
import threading
from collections.abc import Sequence
from dataclasses import asdict
from types import TracebackType
from typing import TYPE_CHECKING, Any

import msgspec

from issmedia.base.events import Advanced, Event, Finished, Note, Started, Warned
from issmedia.cli.plainjson import plain_json
from issmedia.model.manifest import Missing
from issmedia.model.names import shown

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


def as_json(document: object) -> str:
    """Write a document as JSON: keys sorted, two-space indent."""
    return plain_json(msgspec.to_builtins(document), indent=2) + "\n"


class Renderer:
    """Shows events of one command; threads may call `show`."""

    def __init__(self, *, quiet: bool, verbose: bool, as_json: bool) -> None:
        self._quiet = quiet
        self._verbose = verbose
        self._as_json = as_json
        self._bars = _Bars() if sys.stderr.isatty() and not quiet and not as_json else None
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
            if isinstance(event, Note | Warned):
                self._line(event)
            elif isinstance(event, Started) and self._verbose and not self._bars:
                self._write(f"{event.phase} …")

    def _line(self, event: Note | Warned) -> None:
        if self._as_json:
            self._write(plain_json({"event": type(event).__name__.lower(), **asdict(event)}))
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


class _Bars:
    """Bars on a terminal: one for the phase that is running."""

    def __init__(self) -> None:
        self._progress: Progress | None = None
        self._task: TaskID | None = None

    def show(self, event: Event) -> None:
        """Start, move or end the bar."""
        if isinstance(event, Started):
            self._start(event)
        elif isinstance(event, Advanced) and self._progress and self._task is not None:
            self._progress.advance(self._task, event.size if self._in_bytes else event.files)
        elif isinstance(event, Finished):
            self.stop()

    def print(self, line: str) -> None:
        """Write a line above the bar."""
        if self._progress:
            self._progress.console.print(line, markup=False, highlight=False, soft_wrap=True)
        else:
            sys.stderr.write(line + "\n")

    def stop(self) -> None:
        """Leave the bar as it is, and end it."""
        if self._progress:
            self._progress.stop()
            self._progress = None

    def _start(self, event: Started) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self.stop()
        self._in_bytes = bool(event.size)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            *_amounts(self._in_bytes),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._progress.start()
        self._task = self._progress.add_task(event.phase, total=event.size or event.files)


def _amounts(in_bytes: bool) -> tuple[Any, ...]:
    from rich.progress import DownloadColumn, MofNCompleteColumn, TransferSpeedColumn

    return (DownloadColumn(), TransferSpeedColumn()) if in_bytes else (MofNCompleteColumn(),)


def left_out_lines(items: Sequence[Missing]) -> list[str]:
    """Say of each thing that a bundle lacks what it is and why."""
    return [f"left out: {shown(one.repository)}: {shown(one.path)}: {shown(one.reason)}" for one in items]


def table(headers: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """Lay out rows under headers in columns of text; the last column is not padded."""
    cells = [headers, *([shown(cell) for cell in row] for row in rows)]
    widths = [max(len(row[index]) for row in cells) for index in range(len(headers))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
    return "\n".join(lines)
