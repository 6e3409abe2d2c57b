"""export."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import click
import msgspec

from issmedia import __version__
from issmedia.base.errors import UsageError
from issmedia.base.events import Note, Report, Warned
from issmedia.base.files import write_atomic
from issmedia.base.units import bytes_text, count_text
from issmedia.bundle import layout
from issmedia.bundle.volume import Plan
from issmedia.cli import clock
from issmedia.cli.evidence import leave_export_report
from issmedia.cli.face import Face, command
from issmedia.cli.passphrase import ask_passphrases
from issmedia.cli.render import left_out_lines, table
from issmedia.depot.depot import Depot, open_depot
from issmedia.model.manifest import Manifest, RepositoryEntry, Tool
from issmedia.model.names import checked_label, shown
from issmedia.model.state import State
from issmedia.ops.exports import ExportOptions, export_bundle, plan_export
from issmedia.ops.signing import load_signers
from issmedia.ops.states import exported_state, find_state, known_site, receipt_state, require_trees
from issmedia.ops.unsent import unsent

Choose = Callable[[Depot, Path | None, Report], ExportOptions]

TOOL = Tool("issmedia", __version__)

_HARDLY = 0.8
"""Share of the full bundle from which a delta is hardly worth its base."""


@command(None, "export", "issmedia export alma9 --to /mnt/stick --key release-2026")
@click.argument("what", nargs=-1, metavar="[PRODUCT[/REPO]]...")
@click.option("--to", "directory", type=click.Path(path_type=Path), metavar="DIR", help="An empty or new directory.")
@click.option(
    "--base",
    "bases",
    multiple=True,
    metavar="STATE",
    help="Carry what this state lacks: a bundle, a receipt or a snapshot; repeatable: what any of them lacks.",
)
@click.option("--since-last", is_flag=True, help="Carry what is new since the last export; assumes that it arrived.")
@click.option("--full", is_flag=True, help="Carry everything: the default where --to-site has no receipt.")
@click.option(
    "--key", "keys", multiple=True, metavar="NAME", help="Sign with this key; repeatable. Default: the only one."
)
@click.option(
    "--to-site", "destination", metavar="SITE", help="Only this site may import it; its newest receipt is the base."
)
@click.option("--expires", metavar="WHEN", help="Refused after this: 90d, 2027-01-31 or 2027-01-31T12:00:00Z.")
@click.option("--notes", default="", help="Free text for people, inside what is signed.")
@click.option(
    "--new-hashes",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write digest and path of each file never sent before, as sha256sum does: for the virus scanner.",
)
@click.option("--dry-run", is_flag=True, help="Print the plan, which is the manifest, and write nothing.")
def export_command(
    face: Face,
    what: tuple[str, ...],
    directory: Path | None,
    full: bool,
    bases: tuple[str, ...],
    since_last: bool,
    keys: tuple[str, ...],
    new_hashes: Path | None,
    dry_run: bool,
    **rest: str,
) -> int:
    """Plan, write and sign a bundle of the current snapshots; nothing named means all repositories.

    A delta carries what its bases lack, and only a site that holds one of them can import it.

    Killed or interrupted, the same command goes on: what is whole is re-hashed and kept.
    """
    if sum((full, since_last, bool(bases))) > 1:
        raise click.UsageError("--full, --since-last and --base exclude one another")
    if directory is None and not dry_run:
        raise click.UsageError("name the directory to write to: --to DIR (or --dry-run)")
    depot = open_depot(face.root)
    given = _options(what, **rest)
    choose = partial(_based, given=given, full=full, since_last=since_last, bases=bases)
    target = directory and directory.resolve()
    if dry_run:
        with face.reporting() as report:
            options = choose(depot, target, report)
        plan = plan_export(depot, options, target, tool=TOOL, now=face.now)
        _write_hashes(plan, depot, new_hashes)
        return _show(face, plan, None)
    assert target is not None
    return _export(face, depot, choose, target, keys, new_hashes)


def _options(what: tuple[str, ...], *, destination: str | None, expires: str | None, notes: str) -> ExportOptions:
    return ExportOptions(
        what=what,
        destination=checked_label(destination) if destination else None,
        expires=lambda created: clock.moment(expires, start=created),
        notes=notes,
        created=clock.source_date(),
    )


def _based(
    depot: Depot,
    directory: Path | None,
    report: Report,
    *,
    given: ExportOptions,
    full: bool,
    since_last: bool,
    bases: tuple[str, ...],
) -> ExportOptions:
    """Choose the states to start from: those named, the last export, else the destination's newest receipt."""
    site = known_site(depot, given.destination) if given.destination else None
    found: list[State] = [find_state(depot, text) for text in bases]
    if since_last:
        last = exported_state(depot, site or "", directory)
        if last is None:
            raise UsageError("nothing was exported there yet", hint="leave out --since-last: the first bundle is full")
        report(Warned(f"assumes that {last.name} arrived; a receipt of the site would tell"))
        found = [last]
    elif site and not full and not bases:
        receipt = receipt_state(depot, site)
        if receipt is None or not receipt.trees:
            report(Note(f"no receipt of {site} names what is known here: this bundle carries everything"))
        found = [receipt] if receipt and receipt.trees else []
    require_trees(found)
    return replace(given, destination=site, bases=tuple(found))


def _export(
    face: Face, depot: Depot, choose: Choose, directory: Path, keys: tuple[str, ...], new_hashes: Path | None
) -> int:
    with depot.owned(f"export to {directory}", now=face.now) as owned, face.reporting() as report:
        options = choose(owned, directory, report)
        plan = plan_export(owned, options, directory, tool=TOOL, now=face.now)
        _write_hashes(plan, owned, new_hashes)
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
        leave_export_report(owned, plan.id, plan.manifest, options.bases, directory, signers)
    return _show(face, plan, directory)


def _write_hashes(plan: Plan, depot: Depot, file: Path | None) -> None:
    if file is not None:
        write_atomic(file.absolute(), layout.encode_sums(unsent(plan, depot)))


def _show(face: Face, plan: Plan, directory: Path | None) -> int:
    document = plan.manifest if directory is None else _document(plan, directory)
    face.answer(document, _text(plan, directory))
    return face.done(plan.manifest.incomplete)


def _document(plan: Plan, directory: Path) -> dict[str, object]:
    return {"bundle": plan.id, "directory": str(directory), "manifest": msgspec.to_builtins(plan.manifest)}


def _text(plan: Plan, directory: Path | None) -> Callable[[], str]:
    facts, volume = plan.manifest, plan.manifest.volumes[0]
    done = "would be" if directory is None else "is"
    rows = [_row(one) for one in facts.repositories]
    total = volume.bytes + len(plan.volumes[0].sums) + len(plan.manifest_bytes)
    lines = [
        f"{facts.chain} ({facts.kind}) {done} {plan.id}",
        f"{count_text(volume.files + 3, 'file')}, {total:,} bytes, signatures not counted; volume {volume.label}",
        "",
        table(("REPOSITORY", "PACKAGES", "SIZE", "CARRIED", "TREE"), rows),
    ]
    lines += [f"starts at {shown(base.name)} ({base.created[:10]})" for base in facts.bases]
    lines += _advice(facts)
    lines += left_out_lines(facts.incomplete)
    if directory is not None:
        lines.append(f"written to {directory}; it can be unmounted now")
    return lambda: "\n".join(lines)


def _row(one: RepositoryEntry) -> tuple[str, ...]:
    return one.path, f"{one.packages:,}", bytes_text(one.all.bytes), bytes_text(one.added.bytes), one.tree[:16]


def _advice(manifest: Manifest) -> list[str]:
    """Say when a delta hardly saves anything: a full bundle asks nothing of the site that imports it."""
    everything = sum(one.all.bytes for one in manifest.repositories)
    carried = manifest.content.bytes
    if manifest.kind == "full" or carried <= everything * _HARDLY:
        return []
    share = f"{carried * 100 // max(1, everything)} %"
    return [f"this delta carries {share} of the full bundle, which any site could import: consider --full"]
