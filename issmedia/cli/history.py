"""rollback, prune: back to earlier snapshots, and away with those that nobody needs."""

import click

from issmedia.base.errors import UsageError
from issmedia.base.units import bytes_text, count_text
from issmedia.cli import clock
from issmedia.cli.face import Face, command
from issmedia.cli.publish import seen_line
from issmedia.cli.render import table
from issmedia.depot.depot import open_depot
from issmedia.model.documents import Snapshot
from issmedia.model.move import Move
from issmedia.model.names import shown
from issmedia.ops.prune import Keeping, Pruned, preview, prune
from issmedia.ops.publish import Published, publish
from issmedia.ops.rollback import Rollback, plan_rollback, roll_back


@command(None, "rollback", "issmedia rollback alma9/baseos --to 3")
@click.argument("what", nargs=-1, metavar="[PRODUCT/REPO]...")
@click.option(
    "--to", type=click.IntRange(min=1), metavar="N", help="To the repository's N-th snapshot; 1 is the oldest."
)
@click.option("--dry-run", is_flag=True, help="Say what would move.")
@click.option("--no-publish", is_flag=True, help="Leave what clients see as it is; issmedia publish shows it later.")
def rollback_command(face: Face, what: tuple[str, ...], to: int | None, dry_run: bool, no_publish: bool) -> None:
    """Move repositories back to the tree they had before, and publish that.

    Nothing named: all repositories that the newest import, sync or rollback moved, together. So a second rollback
    undoes the first.
    """
    depot = open_depot(face.root)
    published: Published | None = None
    if dry_run:
        plan = plan_rollback(depot, what, to=to, publish=not no_publish)
    else:
        with depot.owned("rollback", now=face.now) as owned, face.reporting() as report:
            plan = plan_rollback(owned, what, to=to, publish=not no_publish)
            roll_back(plan, owned, publish=not no_publish, now=face.now)
            published = None if no_publish else publish(owned, plan.repositories, now=face.now, report=report)
    lines = _rollback_lines(plan, dry_run=dry_run)
    lines += [seen_line(published, depot)] if published else []
    face.answer({"dry_run": dry_run, "rollback": plan, "published": published}, lambda: "\n".join(lines))


@command(None, "prune", "issmedia prune --keep 5 --yes")
@click.option("--keep", type=click.IntRange(1), metavar="N", help="Keep each repository's N newest snapshots.")
@click.option(
    "--keep-days", type=click.IntRange(1, 36500), metavar="D", help="Keep snapshots taken in the last D days."
)
@click.option("--dry-run", is_flag=True, help="Only say what would go, as without --yes.")
@click.option("--yes", is_flag=True, help="Do it.")
def prune_command(face: Face, keep: int | None, keep_days: int | None, dry_run: bool, yes: bool) -> None:
    """Remove old snapshots, and every file that nothing needs any more.

    With both --keep and --keep-days a snapshot stays for either. Whatever clients see, a receipt names or a bundle of
    these chains starts from stays.
    """
    if keep is None and keep_days is None:
        raise UsageError("nothing says what to keep", hint="issmedia prune --keep N, or --keep-days D")
    keeping = Keeping(keep or 0, None if keep_days is None else clock.days_before(keep_days, start=face.now))
    depot = open_depot(face.root)
    removing = yes and not dry_run
    if removing:
        with depot.owned("prune", now=face.now) as owned, face.reporting() as report:
            result = prune(owned, keeping, now=face.now, report=report)
    else:
        result = preview(depot, keeping)
    face.answer({"removed": removing, "pruned": result}, lambda: _pruned_text(result, removed=removing))


def _rollback_lines(plan: Rollback, *, dry_run: bool) -> list[str]:
    would = "would be " if dry_run else ""
    lines = [_move_line(one, would) for one in plan.moved]
    lines += [f"this undoes the {one.event} of {one.time} (ledger entry {one.number})" for one in plan.undoes]
    lines += [
        f"this finishes the rollback of {one.time} (ledger entry {one.number}), which clients had not seen"
        for one in plan.finishes
    ]
    return lines or [f"{path}: stands there already" for path in plan.repositories]


def _move_line(move: Move, would: str) -> str:
    old = "nothing" if move.old is None else f"tree {move.old[:16]}"
    new = "no snapshot" if move.new is None else f"tree {move.new[:16]}"
    return f"{move.repository}: {would}moved from {old} to {new}"


def _pruned_text(result: Pruned, *, removed: bool) -> str:
    spared = [f"{one.repository}: tree {one.tree[:16]} of {one.taken} stays: {shown(one.why)}" for one in result.spared]
    if result.nothing:
        return "\n".join([*spared, "nothing to prune"])
    rows = [_row(one) for one in result.snapshots]
    parts = [table(("REPOSITORY", "TAKEN", "TREE", "PACKAGES"), rows)] if rows else []
    counts = f"{count_text(len(rows), 'snapshot')}, {count_text(result.blobs, 'blob')}, {bytes_text(result.size)}"
    end = f"removed: {counts}" if removed else f"would go: {counts}\nnothing was removed: the same with --yes does it"
    return "\n".join([*parts, *spared, end])


def _row(one: Snapshot) -> tuple[str, ...]:
    return one.repository, one.taken, one.tree[:16], f"{one.packages:,}"
