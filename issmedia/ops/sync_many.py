"""sync of several repositories: upstreams on the web at once, over shared connections; one that fails stops no other.

1. What lies on the web is asked at once whether it changed: for an unchanged repository that is one round trip. A few
   of those that did are fetched at a time, for each holds what its metadata list in memory.
2. What lies on this machine's disks follows, one after another: there nothing is waited for. So do selections with
   dependencies, which may need what their neighbours brought.
3. Those are synced again while that brings something: what is new in one may need more of another.

Blobs are shared as they come: what one repository is fetching, another waits for. Names are written by one at a time.
"""

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from types import TracebackType
from typing import Generic, Protocol, TypeVar

import msgspec
from msgspec.structs import replace

from issmedia.base.digest import Digest
from issmedia.base.errors import BusyError, DamagedBlobError, DepotError, IssmediaError, UpstreamError, UsageError
from issmedia.base.events import Advanced, Event, Finished, Report, Started, Within
from issmedia.base.workers import Gathered, Workers
from issmedia.content.base import Stream, Upstream
from issmedia.depot.depot import Depot, OwnedDepot
from issmedia.model.documents import Repository
from issmedia.model.transport import Transport
from issmedia.net.connections import MOST, Connections
from issmedia.net.directory import DirectoryUpstream
from issmedia.net.upstream import open_upstream, require_sane
from issmedia.net.web import HttpUpstream

_ROUNDS = 8
"""How often selections that need each other are synced in one go; each round needs less than the one before."""

_ASKED = 8
"""Repositories that are under way at once."""

_FETCHED = 3
"""Those of them of which more than the first file is had: 60,000 packages take 100 MB of memory."""

_PATIENCE_S = 5.0
"""How long repositories may take to end once the sync was given up."""

_PHASE = "syncing"


class Result(Protocol):
    """What the sync of one repository says."""

    @property
    def repository(self) -> str:
        """Name it."""

    @property
    def changed(self) -> bool:
        """Say whether there is a new snapshot."""


R = TypeVar("R", bound=Result)

SyncOne = Callable[[Repository, Upstream, Report], R]
"""Syncs one repository. Threads may call it at once."""


class How(msgspec.Struct, frozen=True):
    """How upstreams are asked: what was said for this sync, and what the environment says of proxies."""

    said: Transport
    environment: Mapping[str, str]

    def connections(self, repositories: Sequence[Repository]) -> Connections:
        """Make the connections of one sync: what was said of their number and rate is meant of all together.

        `UsageError` for what nobody can mean.
        """
        require_sane(self.said)
        most = self.said.jobs or max([MOST, *(one.transport.jobs or 0 for one in repositories)])
        return Connections(most, rate=self.said.rate)

    def of(self, repository: Repository) -> Transport:
        """Give how one repository is asked."""
        found = repository.transport.updated(self.said)
        return found if self.said.rate is None else replace(found, rate=None)


class SyncedMany(msgspec.Struct, Generic[R], frozen=True):
    """What a sync did, in the order that was asked for. `before` are the trees that there were: PRODUCT/REPO → tree."""

    results: tuple[R, ...]
    failures: tuple[IssmediaError, ...]
    before: Mapping[str, Digest]


def sources(depot: Depot, what: Sequence[str]) -> list[Repository]:
    """List the repositories that can be synced, all where nothing is named; `UsageError` for one without a source."""
    with depot.catalog.reading() as db:
        chosen = [one for one in db.names.select(tuple(what)) if one.source is not None or one.path in what]
    for repository in chosen:
        if repository.source is None:
            raise UsageError(
                "came by import and has no source", where=repository.path, hint="issmedia repo set --source"
            )
    if not chosen:
        raise UsageError("no repository to sync", hint="issmedia repo add PRODUCT/REPO SOURCE")
    return chosen


def sync_many(
    repositories: Sequence[Repository], depot: OwnedDepot, one: SyncOne[R], *, how: How, report: Report
) -> SyncedMany[R]:
    """Sync each by itself; what one upstream does wrong does not stop the others. A `DepotError` stops all.

    Events are reported `Within` a repository; those beside count repositories.
    """
    with depot.catalog.reading() as db:
        current = {path: db.names.current(path) for path in (repository.path for repository in repositories)}
    report(Started(_PHASE, repositories=len(repositories)))
    with how.connections(repositories) as connections, depot.store.writing():
        run = _Run(one, connections, how, report)
        found = {**run.at_once([each for each in repositories if _may_overlap(each)])}
        for repository in repositories:
            if repository.path not in found:
                found[repository.path] = run.tried(repository)
        run.close([each for each in repositories if _closes(each)], found)
    report(Finished(_PHASE))
    ordered = [found[repository.path] for repository in repositories]
    return SyncedMany(
        tuple(each for each in ordered if not isinstance(each, IssmediaError)),
        tuple(each for each in ordered if isinstance(each, IssmediaError)),
        {path: snapshot.tree for path, snapshot in current.items() if snapshot},
    )


def _closes(repository: Repository) -> bool:
    return repository.selection is not None and repository.selection.with_dependencies


def _may_overlap(repository: Repository) -> bool:
    return (repository.source or "").startswith(("http:", "https:")) and not _closes(repository)


class _Run(Generic[R]):
    """One sync under way."""

    def __init__(self, one: SyncOne[R], connections: Connections, how: How, report: Report) -> None:
        self._one = one
        self._connections = connections
        self._how = how
        self._report = report
        self._turns = threading.Semaphore(_FETCHED)
        self._guard = threading.Lock()
        self._open: set[DirectoryUpstream | HttpUpstream] = set()
        self._given_up = False

    def at_once(self, repositories: Sequence[Repository]) -> dict[str, R | IssmediaError]:
        """Sync some on threads; a single one is left to the caller, who is interrupted more easily."""
        if len(repositories) < 2:
            return {}
        workers = Workers(min(len(repositories), _ASKED), name="repository")
        synced = Gathered[tuple[str, R | IssmediaError]](workers, most=len(repositories))
        try:
            for repository in repositories:
                synced.submit(lambda one: (one.path, self.tried(one)), repository)
            found = dict(synced.rest())
        except BaseException:
            self._give_up()
            workers.give_up(within_s=_PATIENCE_S)
            raise
        workers.finish()
        return found

    def tried(self, repository: Repository) -> R | IssmediaError:
        """Sync one repository, or say what its upstream does wrong."""
        with _Reporting(repository.path, self._report) as report:
            try:
                with self._opened(repository) as upstream:
                    return self._one(repository, upstream, report)
            except DamagedBlobError as error:  # of this one's own history, or its neighbours': the others can be had
                error.where = f"{repository.path}: {error.where}"
                return error
            except (DepotError, BusyError):
                raise
            except IssmediaError as error:
                error.where = f"{repository.path}: {error.where or ''}".rstrip(": ")
                return error

    def close(self, closing: Sequence[Repository], found: dict[str, R | IssmediaError]) -> None:
        """Sync selections with dependencies again while that brings something."""
        more = list(found.values())
        for _ in range(_ROUNDS if len(closing) > 1 else 0):
            if not any(not isinstance(each, IssmediaError) and each.changed for each in more):
                break
            again = [each for each in closing if not isinstance(found[each.path], IssmediaError)]
            more = [self.tried(each) for each in again]
            for each in more:
                if not isinstance(each, IssmediaError) and each.changed:
                    found[each.repository] = each

    @contextlib.contextmanager
    def _opened(self, repository: Repository) -> Iterator[Upstream]:
        """Open an upstream; a stored source that is none is its affair, and stops no other."""
        assert repository.source is not None
        opening = partial(open_upstream, environment=self._how.environment, connections=self._connections)
        try:
            upstream = opening(repository.source, self._how.of(repository))
        except UsageError as cause:
            raise UpstreamError(cause.message, where=cause.where, hint=cause.hint) from cause
        with upstream, _InTurn(upstream, self._turns) as in_turn:
            with self._guard:
                self._open.add(upstream)
                given_up = self._given_up
            if given_up:
                upstream.interrupt()
            try:
                yield in_turn
            finally:
                with self._guard:
                    self._open.discard(upstream)

    def _give_up(self) -> None:
        """End what threads wait for."""
        with self._guard:
            self._given_up = True
            upstreams = list(self._open)
        for upstream in upstreams:
            upstream.interrupt()
        self._connections.interrupt()


class _InTurn:
    """An upstream whose first file, which tells whether anything changed, is had at once; all others in its turn."""

    def __init__(self, upstream: Upstream, turns: threading.Semaphore) -> None:
        self.url = upstream.url
        self.connections = upstream.connections
        self.tries = upstream.tries
        self._upstream = upstream
        self._turns = turns
        self._guard = threading.Lock()
        self._asked = False
        self._has_turn = False

    def open(self, path: str, *, start: int = 0) -> contextlib.AbstractContextManager[Stream]:
        """Open a file when its turn comes."""
        if self._asked:
            self.begin()
        self._asked = True
        return self._upstream.open(path, start=start)

    def begin(self) -> None:
        """Wait for the turn. Whoever has promised a file to others must have it: they would wait, and keep theirs."""
        with self._guard:
            if not self._has_turn:
                self._turns.acquire()
                self._has_turn = True

    def listing(self) -> dict[str, int] | None:
        """List what can be listed."""
        return self._upstream.listing()

    def interrupt(self) -> None:
        """End what other threads wait for."""
        self._upstream.interrupt()

    def __enter__(self) -> "_InTurn":
        return self

    def __exit__(self, *_: object) -> None:
        if self._has_turn:
            self._turns.release()


class _Reporting:
    """Reports events within a repository; ends the phase that an error left open, and counts the repository."""

    def __init__(self, repository: str, report: Report) -> None:
        self._repository = repository
        self._report = report
        self._phase: str | None = None

    def __enter__(self) -> Report:
        return self._tell

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._phase is not None:
            self._tell(Finished(self._phase))
        self._report(Advanced(repositories=1))

    def _tell(self, event: Event) -> None:
        assert not isinstance(event, Within)
        if isinstance(event, Started | Finished):
            self._phase = event.phase if isinstance(event, Started) else None
        self._report(Within(self._repository, event))
