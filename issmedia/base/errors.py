"""The error tree; each branch has one exit code.

IssmediaError 1
├── MiscountedError         a program made less than it had reckoned with
├── UsageError 2        asked for something that cannot be
├── UpstreamError 3     the source gave nothing usable
│   └── AbsentError         a file is not there
├── DepotError 4        the depot, its disk or its catalog
│   ├── NotADepotError
│   ├── NoSpaceError
│   └── DamagedBlobError
├── FormatError 5       bytes that are not what the format says
├── VerifyError 6       not trusted or not intact
│   ├── UntrustedError      too few trusted signatures
│   ├── NotIntactError      bytes differ from what was signed
│   ├── RollbackError       older than what was imported
│   ├── EquivocationError   same sequence, other content: alarm
│   ├── ExpiredError
│   ├── FutureError         made long after now
│   ├── DestinationError    meant for another site
│   └── BaseMissingError    trees a delta needs are not here
└── BusyError 8         another process holds the depot

Exit code 7 is no error: the work was done, and the result names what was left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One item that failed: `where` (file, volume, field) and what was expected and found."""

    where: str
    message: str


class IssmediaError(Exception):
    """What a person, a medium, an upstream or a disk did; never a bug of ours."""

    exit_code = 1

    def __init__(
        self,
        message: str,
        *,
        where: str | None = None,
        hint: str | None = None,
        problems: Sequence[Problem] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint
        self.problems = tuple(problems)


class MiscountedError(IssmediaError):
    """A program made less than it had reckoned with: xorriso 1.5.4 does where a directory has many long names."""


class UsageError(IssmediaError):
    """Asked for something that cannot be."""

    exit_code = 2


class UpstreamError(IssmediaError):
    """The source gave nothing usable."""

    exit_code = 3


class AbsentError(UpstreamError):
    """Upstream answered that it has no such file."""


class DepotError(IssmediaError):
    """The depot, its disk or its catalog."""

    exit_code = 4


class NotADepotError(DepotError):
    """No depot at this place."""


class NoSpaceError(DepotError):
    """The file system has too little room."""


class DamagedBlobError(DepotError):
    """A blob of the store no longer has the digest that names it."""


class FormatError(IssmediaError):
    """Bytes that are not what the format says."""

    exit_code = 5


class VerifyError(IssmediaError):
    """Not trusted or not intact."""

    exit_code = 6


class UntrustedError(VerifyError):
    """Too few valid signatures by keys this site trusts."""


class NotIntactError(VerifyError):
    """Bytes differ from what was signed, or are not there."""


class RollbackError(VerifyError):
    """Older than the newest bundle imported of its chain."""


class EquivocationError(VerifyError):
    """The same sequence as an imported bundle, with other content: an alarm."""


class ExpiredError(VerifyError):
    """Past the moment after which it is refused."""


class FutureError(VerifyError):
    """Made so long after now that one of two clocks must be wrong."""


class DestinationError(VerifyError):
    """Meant for another site."""


class BaseMissingError(VerifyError):
    """Trees that a delta starts from are not here."""


class BusyError(IssmediaError):
    """Another process holds the depot."""

    exit_code = 8
