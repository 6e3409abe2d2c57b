"""export."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click
from msgspec.structs import replace

from issmedia import __version__
from issmedia.base.errors import UsageError
from issmedia.base.events import Note, Report, Warned
from issmedia.base.files import write_atomic
from issmedia.base.units import parse_size
from issmedia.bundle import layout
from issmedia.bundle.planning import finish
from issmedia.bundle.sets import Destination
from issmedia.bundle.volume import Plan
from issmedia.cli import clock
from issmedia.cli.describing import describing
from issmedia.cli.evidence import leave_export_report
from issmedia.cli.exported import announce, show
from issmedia.cli.face import Face, command
from issmedia.cli.passphrase import ask_passphrases
from issmedia.depot.depot import Depot, open_depot
from issmedia.model.manifest import Tool
from issmedia.model.medium import NAMES, Medium, parse_medium
from issmedia.model.names import checked_label
from issmedia.model.state import State
from issmedia.ops.exports import ExportOptions, complete, export_bundle, plan_export
from issmedia.ops.signing import load_signers
from issmedia.ops.states import exported_state, find_state, known_site, receipt_state, require_trees
from issmedia.ops.unsent import unsent

Choose = Callable[[Depot, Path | None, Report], ExportOptions]

TOOL = Tool("issmedia", __version__)


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
@click.option(
    "--medium",
    "media",
    multiple=True,
    metavar="MEDIUM",
    help=f"Cut the bundle into volumes: {NAMES}. Repeatable: the first for volume 1, the last for all further ones.",
)
@click.option("--fs", metavar="FS", help="The medium's file system: fat32, exfat, ext4 or iso.")
@click.option("--reserve", metavar="SIZE", help="Leave so much of each medium free.")
@click.option(
    "--no-split", is_flag=True, help="Refuse files that no medium holds whole, by name, rather than cut them."
)
@click.option(
    "--order",
    type=click.Choice(["size", "severity"]),
    default="size",
    help="severity: security updates, and what they need, on the first volume.",
)
@click.option("--parity", type=click.IntRange(0, 255), default=0, metavar="M", help="Add volumes: any M may be lost.")
@click.option("--iso", is_flag=True, help="Write an ISO image for each volume, LABEL.iso, through xorriso.")
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
    order: str,
    iso: bool,
    dry_run: bool,
    **rest: Any,
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
        with face.reporting() as report, describing(depot, order, report) as asked:
            options = choose(depot, target, report)
            bundle = plan_export(depot, options, target, describing=asked, tool=TOOL, now=face.now)
        plan = finish(bundle)
        _write_hashes(plan, depot, new_hashes)
        return show(face, plan, {}, parity=bundle.parity)
    assert target is not None
    return _export(face, depot, choose, Destination(target, iso), keys, new_hashes, order)


def _options(
    what: tuple[str, ...],
    *,
    destination: str | None,
    expires: str | None,
    notes: str,
    media: tuple[str, ...],
    fs: str | None,
    reserve: str | None,
    no_split: bool,
    parity: int,
) -> ExportOptions:
    return ExportOptions(
        what=what,
        destination=checked_label(destination) if destination else None,
        expires=lambda created: clock.moment(expires, start=created),
        notes=notes,
        created=clock.source_date(),
        media=_media(media, fs, reserve),
        split=not no_split,
        parity=parity,
    )


def _media(names: tuple[str, ...], fs: str | None, reserve: str | None) -> tuple[Medium, ...]:
    kept = parse_size(reserve) if reserve is not None else 0
    if kept is None:
        raise click.UsageError(f"--reserve {reserve}: no size; write it like 100M")
    if not names and (fs or kept):
        raise click.UsageError("--fs and --reserve want a --medium")
    media = tuple(parse_medium(name, fs=fs, reserve=kept) for name in names)
    limited = tuple(medium for medium in media if medium.capacity is not None)
    if len(limited) < len(media) and (len(media) > 1 or kept):
        raise click.UsageError("--medium directory takes all there is: no other medium beside it, and no --reserve")
    return limited


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
    face: Face,
    depot: Depot,
    choose: Choose,
    to: Destination,
    keys: tuple[str, ...],
    new_hashes: Path | None,
    order: str,
) -> int:
    with depot.owned(f"export to {to.directory}", now=face.now) as owned, face.reporting() as report:
        options = choose(owned, to.directory, report)
        with describing(owned, order, report) as asked:
            bundle = plan_export(owned, options, to.directory, describing=asked, tool=TOOL, now=face.now)
        signers = load_signers(owned, keys, ask=ask_passphrases)
        if bundle.parity:  # takes long: who laid out the wrong media can stop it
            announce(finish(bundle).volumes, report, parity=bundle.parity)
        plan = complete(bundle, owned, to.directory, workers=face.workers, report=report)
        _write_hashes(plan, owned, new_hashes)
        if options.media:
            announce(plan.volumes[len(bundle.volumes) :] if bundle.parity else plan.volumes, report)
        signed = export_bundle(
            plan,
            owned,
            to,
            sign=signers.sign,
            signers=signers.fingerprints,
            now=face.now,
            workers=face.workers,
            report=report,
        )
        if options.media or to.images:
            from issmedia.cli.sleeves import leave_sleeves  # draws codes: a tenth of the start of every export

            leave_sleeves(plan, to.directory, signed)
        leave_export_report(owned, plan.id, plan.manifest, options.bases, to.directory, signed, signers)
    return show(face, plan, {one.entry.number: to.place(plan, one.entry.number) for one in plan.volumes})


def _write_hashes(plan: Plan, depot: Depot, file: Path | None) -> None:
    if file is not None:
        write_atomic(file.absolute(), layout.encode_sums(unsent(plan, depot)))
