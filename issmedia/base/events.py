"""What an operation reports while it works. Faces render events; operations never print."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Started:
    """A phase of work begins; `files` and `size` (bytes) are the whole of it where known."""

    phase: str
    files: int | None = None
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Advanced:
    """`files` and `size` (bytes) more are done in the phase that is running."""

    files: int = 0
    size: int = 0


@dataclass(frozen=True, slots=True)
class Finished:
    """The phase that is running has ended."""

    phase: str


@dataclass(frozen=True, slots=True)
class Note:
    """Something worth a line."""

    message: str


@dataclass(frozen=True, slots=True)
class Warned:
    """Something a person should look at; `where` is a file, repository or volume."""

    message: str
    where: str | None = None


Event = Started | Advanced | Finished | Note | Warned
Report = Callable[[Event], None]


def ignore(event: Event) -> None:
    """Be the `Report` of a caller who wants none."""
