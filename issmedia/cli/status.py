"""status, search, log, audit: look at a site."""

import sys

import click
import msgspec

from issmedia.base.units import bytes_text, count_text
from issmedia.cli.face import Face, command
from issmedia.cli.plainjson import plain_json
from issmedia.cli.render import table
from issmedia.depot.depot import open_depot
from issmedia.model.names import shown
from issmedia.ops.audit import audit, require_clean
from issmedia.ops.status import RepositoryStatus, Status, log, search, status


@command(None, "status", "issmedia status")
@click.argument("what", nargs=-1, metavar="[PRODUCT[/REPO]]...")
def status_command(face: Face, what: tuple[str, ...]) -> None:
    """Show what this site holds: trees, what clients see, and the chains of bundles."""
    found = status(open_depot(face.root), what)
    face.answer(found, lambda: _status(found))


@command(None, "search", "issmedia search CVE-2024-6387")
@click.argument("term")
def search_command(face: Face, term: str) -> None:
    """Find packages by name or summary, advisories by id, title or CVE."""
    found = search(open_depot(face.root), term)
    packages = [(one.repository, one.nevra, one.summary) for one in found.packages]
    advisories = [(one.repository, one.id, one.severity or one.kind, one.title) for one in found.advisories]
    parts = [table(("REPOSITORY", "PACKAGE", "SUMMARY"), packages)] if packages else []
    parts += [table(("REPOSITORY", "ADVISORY", "SEVERITY", "TITLE"), advisories)] if advisories else []
    face.answer(found, lambda: "\n\n".join(parts) or "nothing found")


@command(None, "log", "issmedia log --json | tail -n 1")
def log_command(face: Face) -> None:
    """Show the ledger, oldest first; --json gives JSON Lines."""
    for entry in log(open_depot(face.root)):
        if face.as_json:
            sys.stdout.write(plain_json(msgspec.to_builtins(entry)) + "\n")
        elif not face.quiet:
            facts = plain_json(entry.facts)
            text = f"{entry.number:>5}  {entry.time}  {shown(entry.event)}  {entry.hash[:12]}"
            sys.stdout.write(text + (f"\n       {facts}\n" if face.verbose else f"  {_short(facts, 78 - len(text))}\n"))


@command(None, "audit", "issmedia audit")
def audit_command(face: Face) -> None:
    """Check the ledger, every tree and every blob; damaged blobs are set aside and withdrawn from clients."""
    with open_depot(face.root).owned("audit", now=face.now) as depot, face.reporting() as report:
        found = audit(depot, now=face.now, workers=face.workers, report=report)
    face.answer(
        found,
        lambda: (
            f"{count_text(found.entries, 'ledger entry', 'ledger entries')}, {count_text(found.trees, 'tree')}, "
            f"{count_text(found.blobs, 'blob')} ({bytes_text(found.size)}): "
            + (f"{len(found.problems)} problem(s)" if found.problems else "all well")
        ),
    )
    require_clean(found)


def _short(facts: str, width: int) -> str:
    return facts if len(facts) <= width else facts[: max(0, width - 1)] + "…"


def _status(found: Status) -> str:
    lines = [f"site {found.site.name} ({found.site.id}), depot {found.depot}", ""]
    rows = [_repository(one) for one in found.repositories]
    lines.append(table(("REPOSITORY", "PACKAGES", "SIZE", "TREE", "CLIENTS SEE", "SINCE"), rows))
    lines.append("")
    for one in found.bundles[-20:]:
        to = f" → {one.destination}" if one.destination else ""
        lines.append(f"{one.recorded}  {one.direction}ed {shown(one.site_name)}{to} #{one.sequence}  {one.id[:16]}")
    lines.append(f"ledger: {count_text(found.ledger_entries, 'entry', 'entries')}, head {found.ledger_head[:16]}")
    return "\n".join(lines)


def _repository(one: RepositoryStatus) -> tuple[str, ...]:
    if one.snapshot is None:
        return (one.repository.path, "", "", "never synced", "", "")
    seen = "this" if one.published == one.snapshot.tree else (one.published or "nothing")[:12]
    facts = one.snapshot
    return (
        one.repository.path,
        f"{facts.packages:,}",
        bytes_text(facts.size),
        facts.tree[:12],
        seen,
        f"{facts.taken[:16]}Z",
    )
