"""What the parser of repodata and the judge of signatures share: children of a nursery, each dead when it is done with.

Only one that never became ready is an `IssmediaError`: it has not seen the document.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from issmedia.content.yum.nursery import Birth, Nursery, no_start
from issmedia.content.yum.parsed import READY


class Children:
    """Children of one command, which errors call `what`; with `keep` their nursery stays for the next, until `end`."""

    def __init__(self, command: tuple[str, ...], what: str, *, keep: bool = False) -> None:
        self.keep = keep
        self._command = command
        self._what = what
        self._nursery: Nursery | None = None

    def start(self) -> Nursery:
        """Start the nursery where none runs; one that died since is replaced."""
        if self._nursery is not None and not self._nursery.alive:
            self.end()
        if self._nursery is None:
            try:
                self._nursery = Nursery(self._command)
            except OSError as cause:
                raise no_start(self._what, str(cause).encode()) from cause
        return self._nursery

    def end(self) -> None:
        """End the nursery."""
        if self._nursery is not None:
            self._nursery.close()
            self._nursery = None

    @contextmanager
    def child(self, request: bytes, document: BinaryIO, seconds: float) -> Iterator[tuple[Nursery, Birth]]:
        """Have a child born that is ready now, is dead when the block is left, and after so many seconds anyway.

        Only a nursery whose child ended by itself is kept.
        """
        nursery = self.start()
        child = nursery.parse(request, document)
        timer = threading.Timer(seconds, nursery.kill)
        timer.start()
        well = False
        try:
            if child.said.readline(len(READY)) != READY:
                raise no_start(self._what, nursery.last_words())
            yield nursery, child
            well = self.keep
        finally:
            timer.cancel()
            timer.join()
            child.close()
            if not well:
                self.end()
