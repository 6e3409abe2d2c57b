"""What the solving child is told and asked, and what it answers: JSON objects, one a line.

It is told of packages and files without an answer. To each question it answers with any number of lines and an `End`.
The parent checks each line against these types.
"""

import msgspec

from issmedia.content.yum.parsed import Related

Place = tuple[int, str]
"""A package: which of the repositories, and its href there."""


class SolvingJob(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Take what comes on descriptor 0 until it ends. `memory` caps the address space in bytes, `seconds` the time."""

    memory: int
    seconds: int


class Package(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="package"):
    """There is this package in a repository."""

    number: int
    related: Related


class File(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="file"):
    """A package that there is has one more file."""

    place: Place
    path: str


class AskFiles(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="files?"):
    """Which paths are required that nobody provides: say a `Lacking` for each."""


class AskNeeded(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="needed?"):
    """Which packages are needed by those wanted, beside these: say a `Needed` for each."""

    wanted: tuple[Place, ...]


class AskUnmet(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="unmet?"):
    """Which packages would not install: say a `Broken` for each."""


Told = Package | File | AskFiles | AskNeeded | AskUnmet


class Lacking(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="lacking"):
    """A path that is required and that nobody provides."""

    path: str


class Needed(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="needed"):
    """A package that is needed."""

    place: Place


class Broken(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="broken"):
    """A package that would not install, and what it requires in vain."""

    place: Place
    requires: tuple[str, ...]


class At(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="at"):
    """What this package needs is tried next: no answer, but the child may die of it."""

    place: Place


class End(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="end"):
    """That was the answer."""


Answer = Lacking | Needed | Broken
Said = Answer | At | End
