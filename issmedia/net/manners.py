"""How upstreams are asked: how many at once, how long, how often, how fast."""

import threading
from collections.abc import Callable

import msgspec

from issmedia.model.transport import Transport

_LONGEST = 120
"""No wait is longer than so many times the first, whatever `Retry-After` says: a minute, with 0.5 s."""


class Manners(msgspec.Struct, frozen=True):
    """How a client asks. `timeout_s` is the longest silence, `backoff_s` the first wait before a further try.

    `tries` is how often a file is asked for; `rate` bytes a second over all connections. `wait` replaces waiting, for
    tests.
    """

    connections: int = 8
    timeout_s: float = 60.0
    tries: int = 4
    backoff_s: float = 0.5
    rate: int | None = None
    wait: Callable[[float], object] | None = None

    def chosen(self, transport: Transport) -> "Manners":
        """Take over what was chosen for a repository."""
        return Manners(
            connections=transport.jobs or self.connections,
            timeout_s=transport.timeout_s or self.timeout_s,
            tries=transport.tries or self.tries,
            backoff_s=self.backoff_s,
            rate=transport.rate or self.rate,
            wait=self.wait,
        )

    def pause_s(self, failures: int, retry_after: str | None) -> float:
        """Say how long to wait after so many failures: doubled each time, longer where a server asks, within bounds."""
        asked = float(retry_after) if retry_after and retry_after.isascii() and retry_after.isdigit() else 0.0
        longer = float(self.backoff_s * 2.0 ** min(failures - 1, 16))
        return min(max(longer, asked), self.backoff_s * _LONGEST)


class Pace:
    """Lets bytes pass no faster than a rate: after each part somebody waits, one at a time.

    No clock is needed for that, and the rate is never exceeded by more than the parts that are being read.
    """

    def __init__(self, manners: Manners, stop: threading.Event) -> None:
        self._rate = manners.rate
        self._wait: Callable[[float], object] = manners.wait or stop.wait
        self._turn = threading.Lock()

    def passed(self, size: int) -> None:
        """Let so many bytes have passed."""
        if self._rate:
            with self._turn:
                self._wait(size / self._rate)

    def pause(self, seconds: float) -> None:
        """Wait before a further try."""
        self._wait(seconds)
