"""Bars on a terminal: one for the phase that is running; of several repositories one each, and one for all."""

import sys
from typing import TYPE_CHECKING, Any

from issmedia.base.events import Advanced, Event, Finished, Started, Within
from issmedia.model.names import shown

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_NAME = 20
"""Columns of a repository's name."""

_JUDGING = "signatures"
"""The phase that reads again what was fetched: the row of all, which counts what is fetched, leaves it out."""


class Bars:
    """The bar of the phase that is running, or the rows of what runs at once."""

    def __init__(self) -> None:
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        self._count = 0
        self._rows: _Rows | None = None

    def show(self, event: Event) -> None:
        """Start, move or end a bar."""
        if isinstance(event, Within):
            self._within(event)
        elif self._rows:
            self._all(self._rows, event)
        elif isinstance(event, Started):
            self._start(event)
        elif isinstance(event, Advanced) and self._progress and self._task is not None:
            self._progress.advance(self._task, event.size if self._in_bytes else event.files)
        elif isinstance(event, Finished):
            self.stop()

    def print(self, line: str) -> None:
        """Write a line above the bars."""
        progress = self._rows.progress if self._rows else self._progress
        if progress:
            progress.console.print(line, markup=False, highlight=False, soft_wrap=True)
        else:
            sys.stderr.write(line + "\n")

    def stop(self) -> None:
        """Take the bars away."""
        if self._rows:
            self._rows.progress.stop()
            self._rows = None
        if self._progress:
            self._progress.stop()
            self._progress = None

    def _within(self, event: Within) -> None:
        """Give each of several repositories that have something to fetch a row; a single one is a phase like others."""
        if self._count == 1:
            self.show(event.event)
        elif self._rows:
            self._rows.show(event.event, event.repository)

    def _all(self, rows: "_Rows", event: Event) -> None:
        if isinstance(event, Advanced):
            rows.ended(event.repositories)
        elif isinstance(event, Finished):
            self.stop()

    def _start(self, event: Started) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self.stop()
        if event.repositories:
            self._count = event.repositories
            self._rows = _Rows(self._count) if self._count > 1 else None
            return
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


class _Rows:
    """One row for each repository that is fetching, and one for all: files, bytes, rate, time left."""

    def __init__(self, count: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
        from rich.progress import TransferSpeedColumn as Speed
        from rich.table import Column

        self.progress = Progress(
            TextColumn("{task.description}", markup=False, table_column=Column(width=_NAME, no_wrap=True)),
            BarColumn(bar_width=None, table_column=Column(ratio=1, min_width=4)),
            TextColumn("{task.fields[done]}/{task.fields[of]}", table_column=Column(no_wrap=True, justify="right")),
            DownloadColumn(table_column=Column(no_wrap=True, justify="right")),
            Speed(table_column=Column(no_wrap=True, justify="right")),
            TimeRemainingColumn(compact=True, table_column=Column(no_wrap=True)),
            console=Console(stderr=True),
            transient=True,
            expand=True,
        )
        self._count = count
        self._ended = 0
        self._tasks: dict[str, TaskID] = {}
        self._judging: set[str] = set()
        self.progress.start()
        self._total = self._added(self._title(), None)

    def show(self, event: Event, repository: str) -> None:
        """Add, move or remove a repository's row."""
        if isinstance(event, Started) and event.files:
            self._leave(repository)
            self._tasks[repository] = self._added(shown(repository), event)
            self._judging.discard(repository)
            if event.phase == _JUDGING:
                self._judging.add(repository)
            else:
                self._grow(event.files, event.size or 0)
        elif isinstance(event, Advanced) and repository in self._tasks:
            self._advance(self._tasks[repository], event)
            if repository not in self._judging:
                self._advance(self._total, event)
        elif isinstance(event, Finished):
            self._leave(repository)

    def ended(self, count: int) -> None:
        """Count repositories that are done."""
        self._ended += count
        self.progress.update(self._total, description=self._title())

    def _title(self) -> str:
        return f"{self._ended} of {self._count} done"

    def _added(self, title: str, event: Started | None) -> "TaskID":
        files, size = (event.files, event.size) if event else (0, None)
        name = title if len(title) <= _NAME else "…" + title[1 - _NAME :]
        return self.progress.add_task(name, total=size or None, done=0, of=files)

    def _grow(self, files: int, size: int) -> None:
        task = self._task(self._total)
        self.progress.update(self._total, total=(task.total or 0) + size, of=task.fields["of"] + files)

    def _advance(self, id: "TaskID", event: Advanced) -> None:
        done = self._task(id).fields["done"] + event.files
        self.progress.update(id, advance=event.size, done=done)

    def _leave(self, repository: str) -> None:
        if (id := self._tasks.pop(repository, None)) is not None:
            self.progress.remove_task(id)

    def _task(self, id: "TaskID") -> Any:
        return next(task for task in self.progress.tasks if task.id == id)


def _amounts(in_bytes: bool) -> tuple[Any, ...]:
    from rich.progress import DownloadColumn, MofNCompleteColumn, TransferSpeedColumn

    return (DownloadColumn(), TransferSpeedColumn()) if in_bytes else (MofNCompleteColumn(),)
