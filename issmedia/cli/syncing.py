"""What `sync` does and says: every repository that was named, and what is new in each."""

from collections.abc import Iterator, Mapping
from functools import partial

from msgspec.structs import astuple

from issmedia.base.events import Report
from issmedia.base.units import bytes_text, count_text
from issmedia.cli.clock import proxies
from issmedia.cli.face import LEFT_OUT, Face
from issmedia.cli.news import news_document, news_lines, news_of, total_line
from issmedia.cli.problems import show_error
from issmedia.content.base import ContentType, Upstream
from issmedia.content.yum.content import content_type
from issmedia.content.yum.reader import Parser
from issmedia.depot.depot import OwnedDepot, open_depot
from issmedia.model.diff import RepositoryDiff
from issmedia.model.documents import Repository
from issmedia.model.judgement import Outcome
from issmedia.model.transport import Transport
from issmedia.ops.sync import SyncResult, sync
from issmedia.ops.sync_many import How, SyncedMany, sources, sync_many


def run(face: Face, what: tuple[str, ...], transport: Transport, parser: Parser) -> int:
    """Sync, answer, and give the exit code."""
    with open_depot(face.root).owned("sync", now=face.now) as depot, face.reporting() as report:
        one = partial(_one, depot=depot, yum=content_type(parser), now=face.now)
        found = sync_many(sources(depot, what), depot, one, how=How(transport, proxies()), report=report)
        news = news_of(depot, found.results, found.before, now=face.now)
    face.answer(_document(found, news), lambda: "\n".join(_lines(found, news)))
    for failure in found.failures:
        show_error(failure, as_json=face.as_json)
    if found.failures and not found.results:
        return found.failures[0].exit_code
    return LEFT_OUT if found.failures or any(one.incomplete for one in found.results) else 0


def _one(
    repository: Repository, upstream: Upstream, report: Report, *, depot: OwnedDepot, yum: ContentType, now: str
) -> SyncResult:
    return sync(repository, upstream, depot, yum, now=now, report=report)


def _document(found: SyncedMany[SyncResult], news: Mapping[str, RepositoryDiff]) -> dict[str, object]:
    return {
        "repositories": found.results,
        "failed": [{"where": one.where, "message": one.message, "exit_code": one.exit_code} for one in found.failures],
        "news": [news_document(one) for one in news.values()],
    }


def _lines(found: SyncedMany[SyncResult], news: Mapping[str, RepositoryDiff]) -> Iterator[str]:
    for result in found.results:
        yield _line(result)
        if result.repository in news:
            yield from news_lines(news[result.repository])
    if len(found.results) + len(found.failures) > 1:
        yield total_line(found.results, len(found.failures), news)


def _line(result: SyncResult) -> str:
    state = "synced" if result.changed else "unchanged"
    left_out = f", {count_text(len(result.incomplete), 'file')} left out" if result.incomplete else ""
    selected = " selected" if result.selected else ""
    facts = f"{count_text(result.packages, 'package')}{selected}, {bytes_text(result.size)}{left_out}"
    facts += f"; signed: {signed}" if (signed := _signed(result.trust)) else ""
    return f"{result.repository}: {state}: {facts}; tree {result.tree[:16]}"


def _signed(trust: Outcome | None) -> str:
    """Say what the signatures gave: packages, and repomd.xml where that is not good or all that was judged."""
    if trust is None:
        return ""
    counts = trust.counts
    if trust.policy == "require":
        numbers = {"good": counts.good, "left out": counts.bad + counts.unsigned + counts.cannot_judge}
    else:
        numbers = dict(zip(("good", "bad", "unsigned", "cannot judge"), astuple(counts), strict=True))
    said = [f"{number:,} {word}" for word, number in numbers.items() if number]
    if trust.metadata and (trust.metadata.verdict != "good" or not said):
        said.append(f"repomd.xml {trust.metadata.verdict}")
    return ", ".join(said)
