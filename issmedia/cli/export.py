"""export."""

from collections.abc import Callable
from pathlib import Path

import click
import msgspec

from issmedia import __version__
from issmedia.base.units import bytes_text, count_text
from issmedia.bundle.volume import Plan
from issmedia.cli import clock
from issmedia.cli.face import LEFT_OUT, Face, command
from issmedia.cli.passphrase import ask_passphrases
from issmedia.cli.render import left_out_lines, table
from issmedia.depot.depot import Depot, open_depot
from issmedia.model.manifest import Tool
from issmedia.model.names import checked_label
from issmedia.ops.exports import ExportOptions, export_bundle, plan_export
from issmedia.ops.signing import load_signers

TOOL = Tool("issmedia", __version__)


@command(None, "export", "issmedia export alma9 --to /mnt/stick --key release-2026")
@click.argument("what", nargs=-1, metavar="[PRODUCT[/REPO]]...")
@click.option("--to", "directory", type=click.Path(path_type=Path), metavar="DIR", help="An empty or new directory.")
@click.option("--full", is_flag=True, help="Carry everything (the default, and so far the only kind).")
@click.option(
    "--key", "keys", multiple=True, metavar="NAME", help="Sign with this key; repeatable. Default: the only one."
)
@click.option("--to-site", "destination", metavar="SITE", help="Only this site may import it.")
@click.option("--expires", metavar="WHEN", help="Refused after this: 90d, 2027-01-31 or 2027-01-31T12:00:00Z.")
@click.option("--notes", default="", help="Free text for people, inside what is signed.")
@click.option("--dry-run", is_flag=True, help="Print the plan, which is the manifest, and write nothing.")
def export_command(
    face: Face,
    what: tuple[str, ...],
    directory: Path | None,
    full: bool,
    keys: tuple[str, ...],
    dry_run: bool,
    **rest: str,
) -> int:
    """Plan, write and sign a bundle of the current snapshots; nothing named means all repositories.

    Killed or interrupted, the same command goes on: what is whole is re-hashed and kept.
    """
    del full
    if directory is None and not dry_run:
        raise click.UsageError("name the directory to write to: --to DIR (or --dry-run)")
    options = _options(what, **rest)
    depot = open_depot(face.root)
    if dry_run:
        return _show(
            face, plan_export(depot, options, directory and directory.resolve(), tool=TOOL, now=face.now), None
        )
    assert directory is not None
    return _export(face, depot, options, directory.resolve(), keys)


def _options(what: tuple[str, ...], *, destination: str | None, expires: str | None, notes: str) -> ExportOptions:
    return ExportOptions(
        what=what,
        destination=checked_label(destination) if destination else None,
        expires=lambda created: clock.moment(expires, start=created),
        notes=notes,
        created=clock.source_date(),
    )


def _export(face: Face, depot: Depot, options: ExportOptions, directory: Path, keys: tuple[str, ...]) -> int:
    with depot.owned(f"export to {directory}", now=face.now) as owned, face.reporting() as report:
        plan = plan_export(owned, options, directory, tool=TOOL, now=face.now)
        signers = load_signers(owned, keys, ask=ask_passphrases)
        export_bundle(
            plan,
            owned,
            directory,
            sign=signers.sign,
            signers=signers.fingerprints,
            now=face.now,
            workers=face.workers,
            report=report,
        )
    return _show(face, plan, directory)


def _show(face: Face, plan: Plan, directory: Path | None) -> int:
    document = plan.manifest if directory is None else _document(plan, directory)
    face.answer(document, _text(plan, directory))
    return LEFT_OUT if plan.manifest.incomplete else 0


def _document(plan: Plan, directory: Path) -> dict[str, object]:
    return {"bundle": plan.id, "directory": str(directory), "manifest": msgspec.to_builtins(plan.manifest)}


def _text(plan: Plan, directory: Path | None) -> Callable[[], str]:
    facts, volume = plan.manifest, plan.manifest.volumes[0]
    done = "would be" if directory is None else "is"
    rows = [(one.path, f"{one.packages:,}", bytes_text(one.all.bytes), one.tree[:16]) for one in facts.repositories]
    total = volume.bytes + len(plan.volumes[0].sums) + len(plan.manifest_bytes)
    lines = [
        f"{facts.chain} ({facts.kind}) {done} {plan.id}",
        f"{count_text(volume.files + 3, 'file')}, {total:,} bytes, signatures not counted; volume {volume.label}",
        "",
        table(("REPOSITORY", "PACKAGES", "SIZE", "TREE"), rows),
    ]
    lines += left_out_lines(facts.incomplete)
    if directory is not None:
        lines.append(f"written to {directory}; it can be unmounted now")
    return lambda: "\n".join(lines)
