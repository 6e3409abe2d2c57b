"""What an operation reports while it works. Faces render events; operations never print."""

from collections.abc import Callable
from typing import NamedTuple


class Started(NamedTuple):
    """A phase of work begins; `files` and `size` (bytes) are the whole of it where known.

    With `repositories` it is the work on so many at once: each reports `Within`, and is counted when it is done.
    """

    phase: str
    files: int | None = None
    size: int | None = None
    repositories: int | None = None


class Advanced(NamedTuple):
    """`files` and `size` (bytes), or `repositories`, more are done in the phase that is running."""

    files: int = 0
    size: int = 0
    repositories: int = 0


class Finished(NamedTuple):
    """The phase that is running has ended."""

    phase: str


class Note(NamedTuple):
    """Something worth a line."""

    message: str


class Warned(NamedTuple):
    """Something a person should look at; `where` is a file, repository or volume."""

    message: str
    where: str | None = None


class Within(NamedTuple):
    """What happens in one of several repositories that are worked on at once; `repository` is PRODUCT/REPO."""

    repository: str
    event: Started | Advanced | Finished | Note | Warned


Event = Started | Advanced | Finished | Note | Warned | Within
Report = Callable[[Event], None]


def ignore(event: Event) -> None:
    """Be the `Report` of a caller who wants none."""
