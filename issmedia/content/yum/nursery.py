"""The nursery: a helper that has loaded the parsers, and forks a child for each document (`content.yum.serving`).

To load them takes a tenth of a second, to fork a few thousandths; a site with fifty repositories parses hundreds of
documents. The nursery itself never sees one: it hands the document's descriptor to a child of its own, which is
limited and dies with it, and says how that ended. It talks over a pair of sockets with no name, and dials nobody.
"""

import contextlib
import fcntl
import os
import signal
from typing import BinaryIO

import msgspec

from issmedia.base.errors import IssmediaError
from issmedia.base.helper import Helper, last_line
from issmedia.base.sockets import send_job
from issmedia.content.yum.parsed import BUFFER
from issmedia.model.names import shown

_KILLED = -signal.SIGKILL
_CODE = 32
"""Bytes of the longest exit code, in digits."""


class Birth(msgspec.Struct, frozen=True):
    """A child that was asked for: what it says, and what it says of a refusal."""

    said: BinaryIO
    refusal: BinaryIO

    def close(self) -> None:
        """Hear no more."""
        self.said.close()
        self.refusal.close()


class Nursery:
    """Our end: starts the helper, which then loads in the background. One document at a time. `OSError` for none."""

    def __init__(self, command: tuple[str, ...]) -> None:
        self._helper = Helper(command)

    @property
    def pid(self) -> int:
        """Give the number of its process."""
        return self._helper.pid

    @property
    def alive(self) -> bool:
        """Say whether it runs: somebody may have ended it, say for want of memory."""
        return self._helper.alive

    def parse(self, job: bytes, document: BinaryIO) -> Birth:
        """Have a child read a document from its beginning."""
        said, saying = os.pipe()
        with contextlib.suppress(OSError):  # a limit of the system may forbid it, and then it is only slower
            fcntl.fcntl(said, fcntl.F_SETPIPE_SZ, BUFFER)
        refusal, refusing = os.pipe()
        try:
            with contextlib.suppress(OSError):  # a nursery that is dead says nothing, and so does its child
                send_job(self._helper.line, job, [document.fileno(), saying, refusing])
        finally:
            os.close(saying)
            os.close(refusing)
        return Birth(os.fdopen(said, "rb", BUFFER), os.fdopen(refusal, "rb"))

    def outcome(self) -> int:
        """Wait until the child has ended; give its exit code, negative for a signal."""
        try:
            return int(self._helper.line.recv(_CODE))
        except (OSError, ValueError):
            return _KILLED

    def last_words(self) -> bytes:
        """End it, and give what it said when it could not start."""
        return self._helper.last_words()

    def kill(self) -> None:
        """End it and its child at once."""
        self._helper.kill()

    def close(self) -> None:
        """End it."""
        self._helper.close()


def no_start(who: str, said: bytes) -> IssmediaError:
    """Make the error for a nursery that did not start, from what it said."""
    return IssmediaError(
        f"{who} did not start: {shown(last_line(said))}", hint="issmedia or Python is not installed whole"
    )
