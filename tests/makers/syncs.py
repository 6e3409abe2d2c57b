"""Syncing a source into a sink in memory."""

from pathlib import Path

from issmedia.base.events import Report, ignore
from issmedia.content.base import UNCHECKED, Checks, Choice, Previous, Synced
from issmedia.content.yum.content import YUM
from issmedia.net.upstream import open_upstream
from tests.makers.sink import MemorySink


def sync(
    source: str | Path,
    sink: MemorySink | None = None,
    *,
    previous: Synced | None = None,
    report: Report = ignore,
    choice: Choice | None = None,
    checks: Checks = UNCHECKED,
) -> Synced:
    """Sync a yum repository, or what is chosen of it, without waiting between tries."""
    before = None if previous is None else _as_previous(previous)
    run = YUM.sync if choice is None else YUM.selecting(choice)
    with open_upstream(str(source), timeout_s=10, backoff_s=0) as upstream:
        return run(upstream, sink or MemorySink(), before, report, checks=checks)


def _as_previous(synced: Synced) -> Previous:
    return Previous(synced.tree, lambda: not synced.incomplete, synced.signed_metadata, synced.selected, synced.trust)


def contents(synced: Synced, sink: MemorySink) -> dict[str, bytes]:
    """Give the tree's paths with their bytes."""
    return {entry.path: sink.blobs[entry.sha256] for entry in synced.tree.entries}


def reasons(synced: Synced) -> dict[str, str]:
    """Give what was left out: path → reason."""
    return {one.path: one.reason for one in synced.incomplete}
