"""status, search, log, audit: look at a site."""

import sys

import click
import msgspec

from issmedia.base.units import bytes_text, count_text
from issmedia.cli import clock
from issmedia.cli.face import LEFT_OUT, Face, command
from issmedia.cli.plainjson import plain_json
from issmedia.cli.render import table
from issmedia.depot.depot import open_depot
from issmedia.model.names import shown
from issmedia.ops.audit import audit, require_clean
from issmedia.ops.status import RepositoryStatus, Status, log, search, status


@command(None, "status", "issmedia status --max-age 45d")
@click.argument("what", nargs=-1, metavar="[PRODUCT[/REPO]]...")
@click.option("--max-age", metavar="DAYS", help="Exit with 7 where the newest bundle of a chain is older, as 45d.")
def status_command(face: Face, what: tuple[str, ...], max_age: str | None) -> int:
    """Show what this site holds: trees, what clients see, the chains of bundles and their age."""
    days = None if max_age is None else clock.days(max_age)
    with face.reporting() as report:
        found = status(open_depot(face.root), what, now=face.now, report=report, max_age_days=days)
    face.answer(found, lambda: _status(found))
    return LEFT_OUT if any(chain.too_old for chain in found.chains) else 0


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
        lines.append(f"{one.recorded}  {one.direction}ed {shown(one.chain)}  {one.id[:16]}")
    for chain in found.chains:
        age = count_text(chain.age_days, "day")
        lines.append(f"newest bundle imported: {shown(chain.chain)}, made {chain.created[:10]}, {age} ago")
    for site in found.sites:
        age = (
            "none yet" if site.receipt is None else f"{site.receipt[:10]}, {count_text(site.age_days or 0, 'day')} ago"
        )
        lines.append(f"newest receipt of {site.label}: {age}")
    lines.append(f"ledger: {count_text(found.ledger_entries, 'entry', 'entries')}, head {found.ledger_head[:16]}")
    return "\n".join(lines)


def _repository(one: RepositoryStatus) -> tuple[str, ...]:
    if one.snapshot is None:
        why = "rolled back to nothing" if one.rolled_back else "never synced"
        return (one.repository.path, "", "", why, "", "")
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
