"""sync."""

import click

from issmedia.base.errors import BusyError, DepotError, IssmediaError, UpstreamError, UsageError
from issmedia.base.events import Report
from issmedia.base.units import bytes_text, count_text
from issmedia.cli.face import LEFT_OUT, Face, command
from issmedia.cli.problems import show_error
from issmedia.content.base import ContentType
from issmedia.content.yum.content import yum_at_work
from issmedia.depot.depot import OwnedDepot, open_depot
from issmedia.model.documents import Repository
from issmedia.net.upstream import open_upstream
from issmedia.ops.sync import SyncResult, sync


@command(None, "sync", "issmedia sync alma9/baseos")
@click.argument("what", nargs=-1, metavar="[PRODUCT[/REPO]]...")
def sync_command(face: Face, what: tuple[str, ...]) -> int:
    """Bring upstream's state into the depot; nothing named means all repositories."""
    results: list[SyncResult] = []
    failures: list[IssmediaError] = []
    with open_depot(face.root).owned("sync", now=face.now) as depot, face.reporting() as report, yum_at_work() as yum:
        for repository in _sources(depot, what):
            try:
                results.append(_sync_one(depot, repository, yum, face, report))
            except (DepotError, BusyError):
                raise
            except IssmediaError as error:
                error.where = f"{repository.path}: {error.where or ''}".rstrip(": ")
                failures.append(error)
    document = {"repositories": results, "failed": [{"where": one.where, "message": one.message} for one in failures]}
    face.answer(document, lambda: "\n".join(map(_line, results)))
    for failure in failures:
        show_error(failure, as_json=face.as_json)
    if failures and not results:
        return failures[0].exit_code
    return LEFT_OUT if failures or any(one.incomplete for one in results) else 0


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


def _sync_one(depot: OwnedDepot, repository: Repository, yum: ContentType, face: Face, report: Report) -> SyncResult:
    assert repository.source is not None
    try:
        source = open_upstream(repository.source)
    except UsageError as cause:
        raise UpstreamError(cause.message, where=cause.where, hint=cause.hint) from cause
    with source as upstream:
        return sync(repository, upstream, depot, yum, now=face.now, report=report)


def _line(result: SyncResult) -> str:
    state = "synced" if result.changed else "unchanged"
    left_out = f", {count_text(len(result.incomplete), 'file')} left out" if result.incomplete else ""
    facts = f"{count_text(result.packages, 'package')}, {bytes_text(result.size)}{left_out}"
    return f"{result.repository}: {state}: {facts}; tree {result.tree[:16]}"
