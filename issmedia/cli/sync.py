"""sync."""

from dataclasses import dataclass

import click

from issmedia.base.errors import BusyError, DepotError, IssmediaError, UpstreamError, UsageError
from issmedia.base.events import Report
from issmedia.base.units import bytes_text, count_text
from issmedia.cli.clock import proxies
from issmedia.cli.face import LEFT_OUT, Face, command
from issmedia.cli.problems import show_error
from issmedia.cli.transport import how_options
from issmedia.content.base import ContentType
from issmedia.content.yum.content import yum_at_work
from issmedia.depot.depot import OwnedDepot, open_depot
from issmedia.model.documents import Repository
from issmedia.model.transport import Transport
from issmedia.net.upstream import open_upstream
from issmedia.ops.sync import SyncResult, sync

_ROUNDS = 8
"""How often selections that need each other are synced in one go; each round needs less than the one before."""


@command(None, "sync", "issmedia sync alma9/baseos")
@click.argument("what", nargs=-1, metavar="[PRODUCT[/REPO]]...")
@how_options
def sync_command(face: Face, what: tuple[str, ...], transport: Transport) -> int:
    """Bring upstream's state into the depot; nothing named means all repositories."""
    with open_depot(face.root).owned("sync", now=face.now) as depot, face.reporting() as report, yum_at_work() as yum:
        work = _Work(depot, yum, transport, face.now, report)
        results, failures = work.each(repositories := _sources(depot, what))
        results = work.closed(repositories, results)
    document = {"repositories": results, "failed": [{"where": one.where, "message": one.message} for one in failures]}
    face.answer(document, lambda: "\n".join(map(_line, results)))
    for failure in failures:
        show_error(failure, as_json=face.as_json)
    if failures and not results:
        return failures[0].exit_code
    return LEFT_OUT if failures or any(one.incomplete for one in results) else 0


@dataclass(frozen=True, slots=True)
class _Work:
    """Where to sync into, and with what."""

    depot: OwnedDepot
    yum: ContentType
    transport: Transport
    now: str
    report: Report

    def each(self, repositories: list[Repository]) -> tuple[list[SyncResult], list[IssmediaError]]:
        """Sync each by itself; what one upstream does wrong does not stop the others."""
        results: list[SyncResult] = []
        failures: list[IssmediaError] = []
        for repository in repositories:
            try:
                results.append(self.one(repository))
            except (DepotError, BusyError):
                raise
            except IssmediaError as error:
                error.where = f"{repository.path}: {error.where or ''}".rstrip(": ")
                failures.append(error)
        return results, failures

    def closed(self, repositories: list[Repository], results: list[SyncResult]) -> list[SyncResult]:
        """Sync selections with dependencies again while that brings something: what is new may need more elsewhere."""
        closing = [one for one in repositories if one.selection and one.selection.with_dependencies]
        latest = {one.repository: one for one in results}
        more = results
        for _ in range(_ROUNDS if len(closing) > 1 else 0):
            if not any(one.changed for one in more):
                break
            more, _ = self.each([one for one in closing if one.path in latest])
            latest |= {one.repository: one for one in more if one.changed}
        return list(latest.values())

    def one(self, repository: Repository) -> SyncResult:
        """Sync one repository."""
        assert repository.source is not None
        transport = repository.transport.updated(self.transport)
        try:
            source = open_upstream(repository.source, transport, environment=proxies())
        except UsageError as cause:
            raise UpstreamError(cause.message, where=cause.where, hint=cause.hint) from cause
        with source as upstream:
            return sync(repository, upstream, self.depot, self.yum, now=self.now, report=self.report)


def _sources(depot: OwnedDepot, what: tuple[str, ...]) -> list[Repository]:
    with depot.catalog.reading() as db:
        chosen = [one for one in db.names.select(what) if one.source is not None or one.path in what]
    for repository in chosen:
        if repository.source is None:
            raise UsageError(
                "came by import and has no source", where=repository.path, hint="issmedia repo set --source"
            )
    if not chosen:
        raise UsageError("no repository to sync", hint="issmedia repo add PRODUCT/REPO SOURCE")
    return chosen


def _line(result: SyncResult) -> str:
    state = "synced" if result.changed else "unchanged"
    left_out = f", {count_text(len(result.incomplete), 'file')} left out" if result.incomplete else ""
    selected = " selected" if result.selected else ""
    facts = f"{count_text(result.packages, 'package')}{selected}, {bytes_text(result.size)}{left_out}"
    return f"{result.repository}: {state}: {facts}; tree {result.tree[:16]}"
