"""What is new since the last sync, for people and as a document."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence

from issmedia.base.digest import Digest
from issmedia.base.errors import DamagedBlobError
from issmedia.base.units import count_text
from issmedia.cli.changes import counts, package_counts, ranked
from issmedia.depot.depot import Depot
from issmedia.model.diff import RepositoryDiff
from issmedia.model.names import shown
from issmedia.model.state import snapshot_state
from issmedia.ops.diff import Side, diff
from issmedia.ops.sync import SyncResult

_MOST = 4
"""Security advisories of a repository that are named; `--json` names all."""


def news_of(
    depot: Depot, results: Sequence[SyncResult], before: Mapping[str, Digest], *, now: str
) -> dict[str, RepositoryDiff]:
    """Compare what changed with what was there before: PRODUCT/REPO → difference.

    There is none for a first sync, which is new as a whole, and where the listing before is damaged.
    """
    found: dict[str, RepositoryDiff] = {}
    for one in results:
        if one.changed and one.repository in before:
            trees = {one.repository: before[one.repository]}, {one.repository: one.tree}
            old, new = (Side(snapshot_state("", now, each)) for each in trees)
            with contextlib.suppress(DamagedBlobError):
                (found[one.repository],) = diff(depot, old, new).diff.repositories
    return found


def news_document(one: RepositoryDiff) -> dict[str, object]:
    """Give the counts of packages, and all advisories."""
    return {"repository": one.repository, **package_counts(one), "advisories": ranked(one.advisories)}


def news_lines(one: RepositoryDiff) -> Iterator[str]:
    """Say what is new in a repository; security advisories by name, the severest first."""
    if numbers := counts(one):
        yield f"  new: {', '.join(numbers)}"
    security = ranked(each for each in one.advisories if each.kind == "security")
    for each in security[:_MOST]:
        severity = f" ({shown(each.severity.lower())})" if each.severity else ""
        yield f"  security: {shown(each.id)}{severity}: {_short(each.title)}"
    if len(security) > _MOST:
        yield f"  … and {len(security) - _MOST:,} more security advisories (--json names all)"


def total_line(results: Sequence[SyncResult], failed: int, news: Mapping[str, RepositoryDiff]) -> str:
    """Say in a line how several repositories fared."""
    changed = sum(one.changed for one in results)
    facts = [f"{changed:,} changed", f"{len(results) - changed:,} unchanged"]
    facts += [f"{failed:,} failed"] if failed else []
    updated = sum(len(one.upgraded) + len(one.added) for one in news.values())
    facts += [f"{count_text(updated, 'package')} new or upgraded since last time"] if news else []
    security = {each.id for one in news.values() for each in one.advisories if each.kind == "security"}
    facts += [count_text(len(security), "security advisory", "security advisories")] if security else []
    return f"{count_text(len(results) + failed, 'repository', 'repositories')}: {', '.join(facts)}"


def _short(title: str) -> str:
    return shown(title[:60])
