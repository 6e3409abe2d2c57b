"""A repository on the web: at one base URL, at several, or wherever a list of mirrors says.

Mirrors are ranked by who answers first. One that fails is passed over: for a file that came broken from it, and after
a failure to answer for all files. What decides is never the mirror: a metalink's checksums judge repomd.xml, and that
judges the rest.
"""

import hashlib
import io
import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import TracebackType

from issmedia.base.errors import AbsentError, Problem, UpstreamError
from issmedia.base.workers import Workers
from issmedia.model.mirrors import Mirrors
from issmedia.model.names import path_fault, shown
from issmedia.net.client import Client, HttpStream, read_whole
from issmedia.net.quoting import quoted

REPOMD = "repodata/repomd.xml"
_MAX_REPOMD = 16 << 20
_ASKED = 5
"""Mirrors that are asked for one file before it counts as not to be had."""

_PROBED = 6
"""Mirrors that are asked at once to see who answers first."""

_ROUNDS = 4
_GRACE_S = 0.5
"""How long each further answer is waited for once there is one."""


class HttpUpstream:
    """A repository on web servers; `find` says where, once it is asked for. `listed` says that it reads a list."""

    def __init__(self, url: str, client: Client, find: Callable[[], Mirrors], *, listed: bool) -> None:
        self.url = url
        self.connections = client.manners.connections
        self.tries = client.manners.tries
        self._client = client
        self._find = find
        self._listed = listed
        self._guard = threading.RLock()
        self._mirrors: Mirrors | None = None
        self._ranked: list[str] = []
        self._home = ""
        self._broken: dict[str, list[str]] = {}

    @contextmanager
    def open(self, path: str, *, start: int = 0) -> Iterator["HttpStream | _Whole"]:
        """Open the file at a path relative to the repository. Threads may call this at once.

        Characters that no URL may hold are escaped; an escape that stands in the path already is left as it is.
        """
        if fault := path_fault(path):
            raise UpstreamError(f"the name {fault}", where=shown(f"{self.url.rstrip('/')}/{path}"))
        mirrors = self._places()
        if path == REPOMD and mirrors.checksums:
            yield _Whole(self._judged_repomd(mirrors))
            return
        if failures := len(self._broken.get(path, ())):
            self._client.pause(failures)
        base, stream = self._first_that_has(path, start)
        try:
            yield stream
        except UpstreamError:
            with self._guard:
                self._broken.setdefault(path, []).append(base)
            raise
        finally:
            stream.close()
        if self._broken:
            with self._guard:
                self._broken.pop(path, None)

    def begin(self) -> None:
        """Wait for nobody."""

    def listing(self) -> dict[str, int] | None:
        """Give None: a web server cannot be listed."""
        return None

    def interrupt(self) -> None:
        """End what other threads wait for: reads that are blocked fail, and nothing further is asked for."""
        self._client.interrupt()

    def close(self) -> None:
        """Close every connection."""
        self._client.close()

    def __enter__(self) -> "HttpUpstream":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _places(self) -> Mirrors:
        """Find the mirrors and rank them, once."""
        with self._guard:
            if self._mirrors is None:
                found = self._find()
                self._ranked = rank(self._client, found) if self._listed else list(found.urls)
                self._mirrors = found
            return self._mirrors

    def _order(self, path: str) -> list[str]:
        """Say whom to ask for a file: as ranked, those that gave it broken last; for metadata who gave repomd.xml."""
        with self._guard:
            if len(self._ranked) == 1:
                return list(self._ranked)
            broken = self._broken.get(path, [])
            home = self._home if path.startswith("repodata/") else ""
            return sorted(self._ranked, key=lambda one: (broken.count(one), one != home))[:_ASKED]

    def _first_that_has(self, path: str, start: int) -> tuple[str, HttpStream]:
        """Open a file at the first mirror that has it; `AbsentError` where all that were asked have not."""
        order, failures = self._order(path), list[UpstreamError]()
        tries = 1 if len(order) > 1 else None
        for base in order:
            try:
                stream = self._client.open(base + quoted(path), start=start, tries=tries)
            except UpstreamError as error:
                failures.append(error)
                self._failed(base, error)
            else:
                if path == REPOMD:
                    self._home = base
                return base, stream
        raise _together(failures)

    def _failed(self, base: str, error: UpstreamError) -> None:
        """Ask a mirror last from now on that did not answer; that one file is absent says nothing of it."""
        with self._guard:
            if not isinstance(error, AbsentError) and base in self._ranked:
                self._ranked.remove(base)
                self._ranked.append(base)

    def _judged_repomd(self, mirrors: Mirrors) -> bytes:
        """Read a repomd.xml that the metalink vouches for; where no mirror has it, look for a newer metalink once."""
        found, failures = self._vouched(mirrors)
        if found is None:
            newer = self._find()
            if newer.checksums != mirrors.checksums:
                with self._guard:
                    self._mirrors = newer
                found, failures = self._vouched(newer)
        if found is None:
            raise UpstreamError(
                "no mirror has the repomd.xml that the metalink names",
                where=shown(self.url),
                hint="mirrors lag behind for some hours; sync later",
                problems=[Problem(shown(one.where or ""), one.message) for one in failures],
            )
        return found

    def _vouched(self, mirrors: Mirrors) -> tuple[bytes | None, list[UpstreamError]]:
        failures: list[UpstreamError] = []
        for base in self._order(REPOMD):
            try:
                data = _judged(self._client, base, mirrors)
            except UpstreamError as error:
                failures.append(error)
                self._failed(base, error)
            else:
                self._home = base
                return data, []
        return None, failures


class _Whole:
    """A file that was read and judged."""

    fileno = None
    start = 0

    def __init__(self, data: bytes) -> None:
        self.readinto = io.BytesIO(data).readinto


def rank(client: Client, mirrors: Mirrors) -> list[str]:
    """Order mirrors by who first gives repomd.xml, as the list vouches for it; those that were not asked come next.

    A few are asked at a time, in the order of the list, until one answers; those that fail or lag come last. One that
    is alone is not asked. `UpstreamError` where none that was asked answers.
    """
    left = list(mirrors.urls)
    bad: list[str] = []
    failures: list[UpstreamError] = []
    for _ in range(_ROUNDS if len(left) > 1 else 0):
        asked, left = left[:_PROBED], left[_PROBED:]
        good, failed = _probed(client, mirrors, asked)
        failures += failed
        bad += [one for one in asked if one not in good]
        if good:
            return good + left + bad
    if failures and not left:
        raise _together(failures)
    return left + bad


def _probed(client: Client, mirrors: Mirrors, asked: list[str]) -> tuple[list[str], list[UpstreamError]]:
    """Ask all at once; give those that answered well, first come first, and the failures of the others."""
    answers: queue.SimpleQueue[str | BaseException] = queue.SimpleQueue()

    def probe(base: str) -> str:
        _judged(client, base, mirrors, extra=True)
        return base

    good: list[str] = []
    failures: list[UpstreamError] = []
    workers = Workers(len(asked), name="probe")
    for base in asked:
        workers.do(partial(probe, base), answers.put, answers.put)
    for _ in asked:
        try:
            answer = answers.get(timeout=_GRACE_S if good else client.manners.timeout_s)
        except queue.Empty:
            break
        if isinstance(answer, str):
            good.append(answer)
        elif isinstance(answer, UpstreamError):
            failures.append(answer)
        else:
            raise answer
    workers.give_up(within_s=0)
    return good, failures


def _judged(client: Client, base: str, mirrors: Mirrors, *, extra: bool = False) -> bytes:
    """Read a mirror's repomd.xml; `UpstreamError` where a list says another checksum."""
    limit = _MAX_REPOMD if mirrors.size is None else min(mirrors.size, _MAX_REPOMD)
    data = read_whole(client, base + REPOMD, limit=limit, tries=1, extra=extra)
    for kind, wanted in mirrors.checksums:
        found = hashlib.new(kind, data).hexdigest()
        if found != wanted:
            raise UpstreamError(f"a mirror that lags, or lies: expected {kind} {wanted}, got {found}", where=base)
    return data


def _together(failures: list[UpstreamError]) -> UpstreamError:
    """Make one error of those of several mirrors; absent is what no mirror has."""
    if len(failures) == 1:
        return failures[0]
    worst = next((one for one in failures if not isinstance(one, AbsentError)), failures[-1])
    kind = AbsentError if isinstance(worst, AbsentError) else UpstreamError
    problems = [Problem(shown(one.where or ""), one.message) for one in failures]
    message = f"{worst.message} ({len(failures)} mirrors were asked)"
    return kind(message, where=worst.where, hint=worst.hint, problems=problems)
