"""What an import says: what moved, and how far the volumes of an unfinished one have come."""

from collections.abc import Sequence

from issmedia.base.units import bytes_text, count_text
from issmedia.cli.changes import counts, package_counts, unknown_text
from issmedia.cli.render import left_out_lines, table
from issmedia.model.arrivals import Arrival, needed
from issmedia.model.diff import RepositoryDiff
from issmedia.model.names import shown
from issmedia.ops.arriving import PendingBundle
from issmedia.ops.diff import Compared
from issmedia.ops.imports import Imported

_MOST = 20
"""Bad files of a volume that are named; `--json` has them all."""


def imported_lines(result: Imported, changes: Compared | None, *, dry_run: bool) -> list[str]:
    """Say what moved, or would, and what that changed, where it was compared."""
    would = "would be " if dry_run else ""
    changed = _changed(result, changes)
    lines: list[str] = []
    for one in result.moved:
        lines.append(f"{one.repository}: {would}{'new' if one.old is None else 'moved'}: tree {str(one.new)[:16]}")
        if changes and (found := changed.get(one.repository)) and (numbers := counts(found)):
            lines.append(f"  changes: {', '.join(numbers)}{_doubt(found, changes)}")
    unchanged = result.repositories - len(result.moved)
    if unchanged:
        lines.append(f"{count_text(unchanged, 'repository', 'repositories')} unchanged")
    lines.append(f"{count_text(result.added, 'blob')} {would}added, {bytes_text(result.added_bytes)}")
    if result.mended:
        lines.append(f"{count_text(result.mended, 'blob')} of these {would}mended with parity")
    return lines + left_out_lines(result.incomplete)


def changes_documents(result: Imported, changes: Compared | None) -> list[dict[str, object]]:
    """Count, for JSON, what changed in each repository that moved; `unknown` names what could not be told."""
    return [
        {
            "repository": path,
            **package_counts(one),
            "advisories": len(one.advisories),
            "unknown": changes.unknown.get(path, ()) if changes else (),
        }
        for path, one in _changed(result, changes).items()
    ]


def arrival_lines(chain: str, arrivals: Sequence[Arrival], *, dry_run: bool = False) -> list[str]:
    """Say how far each volume has come, and what to do next."""
    rows = [(str(one.volume.number), one.volume.label, one.volume.medium, _state(one)) for one in arrivals]
    lines = [f"{shown(chain)}:", "", table(("VOLUME", "LABEL", "MEDIUM", "STATE"), rows)]
    for one in arrivals:
        lines += [f"  volume {one.volume.number}: lacks {shown(path)}" for path in one.lacking[:_MOST]]
        if len(one.lacking) > _MOST:
            lines.append(f"  volume {one.volume.number}: lacks {len(one.lacking) - _MOST:,} more")
    wanted = needed(tuple(arrivals))
    if wanted and not dry_run:
        labels = ", ".join(one.volume.label for one in wanted)
        lines += ["", "nothing has changed for clients yet; import what is still needed, in any order:", labels]
    return lines


def pending_text(found: Sequence[PendingBundle]) -> str:
    """Say how far unfinished imports have come."""
    if not found:
        return "no import is unfinished"
    return "\n\n".join("\n".join(arrival_lines(one.chain, one.arrivals)) for one in found)


def _changed(result: Imported, changes: Compared | None) -> dict[str, RepositoryDiff]:
    """Give what changed in the repositories that this run moved."""
    moved = {one.repository for one in result.moved}
    return {one.repository: one for one in changes.diff.repositories if one.repository in moved} if changes else {}


def _doubt(one: RepositoryDiff, changes: Compared) -> str:
    return f" ({unknown})" if (unknown := unknown_text(one, changes)) else ""


def _state(one: Arrival) -> str:
    if one.state == "bad":
        return f"bad: {count_text(len(one.lacking), 'file')} needed again"
    parity = ", parity: only to mend others" if one.parity else ""
    return one.state + (parity or ("" if one.needed or one.state == "done" else ", not needed"))
