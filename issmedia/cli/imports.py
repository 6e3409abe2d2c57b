"""import: what a disconnected site does with a medium."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import click

from issmedia.base.errors import FormatError, IssmediaError, NotIntactError, VerifyError
from issmedia.base.events import Note, Report, Warned
from issmedia.bundle.layout import REPORT_PAGE
from issmedia.cli.arrived import arrival_lines, imported_lines, pending_text
from issmedia.cli.evidence import leave_import_report
from issmedia.cli.face import LEFT_OUT, Face, command
from issmedia.cli.problems import show_error
from issmedia.cli.publish import seen_line
from issmedia.cli.verify import STRICT, verified
from issmedia.cli.waiting import ask, can_ask, marks
from issmedia.content.yum.inventory import inventory
from issmedia.content.yum.reader import Parser
from issmedia.depot.depot import Depot, OwnedDepot, open_depot
from issmedia.depot.refusals import Refusals
from issmedia.model.arrivals import Arrival
from issmedia.model.names import shown
from issmedia.model.receipt import refusal
from issmedia.ops.arriving import pending
from issmedia.ops.imports import Imported, import_bundle, preview
from issmedia.ops.publish import Published, publish
from issmedia.ops.verify import report_strays


@dataclass(frozen=True, slots=True)
class _Done:
    """What came of one round: `chain` names the bundle, `left` is where its report lies."""

    result: Imported
    chain: str
    published: Published | None = None
    left: Path | None = None


@dataclass(frozen=True, slots=True)
class _Round:
    """What every round of one import shares."""

    depot: OwnedDepot
    face: Face
    report: Report
    parser: Parser
    strict: bool
    publish: bool
    allow: str | None


@command(None, "import", "issmedia import /mnt/issmedia")
@click.argument("paths", nargs=-1, metavar="PATH...", type=click.Path(path_type=Path))
@STRICT
@click.option("--dry-run", is_flag=True, help="Say what would change; the payload is not read.")
@click.option("--wait", is_flag=True, help="On a terminal, ask for the volumes that are still to come.")
@click.option("--status", is_flag=True, help="Say which volumes of unfinished imports are done, missing or bad.")
@click.option("--no-publish", is_flag=True, help="Leave what clients see as it is; issmedia publish shows it later.")
@click.option("--allow-rollback", "allow", metavar="ID", help="Allow this one bundle though it is older or expired.")
def import_command(
    face: Face,
    paths: tuple[Path, ...],
    strict: bool,
    dry_run: bool,
    wait: bool,
    status: bool,
    no_publish: bool,
    allow: str | None,
) -> int:
    """Verify a bundle, store it, switch to it and publish it: all of it, or nothing.

    Volumes may come in any order, several at once or one after another: each is stored as it comes, and the last that
    was needed switches. A PATH is a directory, an image, a drive, or a directory of several of these.

    Interrupted, the same command goes on where it stopped. The same bundle again changes nothing.
    """
    depot = open_depot(face.root)
    if status:
        found = pending(depot)
        face.answer({"pending": found}, lambda: pending_text(found))
        return 0
    if not paths:
        raise click.UsageError("name a volume: a directory, an image or a drive")
    if dry_run:
        with face.reporting() as report, verified(depot, paths, face, report, allow) as bundle:
            report_strays(bundle, strict=strict, report=report)
            return _answer(face, depot, _Done(preview(bundle, depot), bundle.manifest.chain), dry_run=True)
    with _owned(face, depot, paths) as (owned, report), Parser() as parser:
        shared = _Round(owned, face, report, parser, strict, not no_publish, allow)
        done = _import(shared, paths)
        if done.result.waiting and wait:
            done = _wait(shared, paths, done)
    return _answer(face, depot, done, dry_run=False)


def _import(shared: _Round, paths: tuple[Path, ...], *, of: _Done | None = None) -> _Done:
    """Import what is there; `of` names the bundle that is waited for."""
    depot, face, report = shared.depot, shared.face, shared.report
    with (
        _refusal_kept(depot, paths, report, now=face.now),
        verified(depot, paths, face, report, shared.allow) as bundle,
    ):
        if of is not None and bundle.id != of.result.bundle:
            raise NotIntactError(
                f"is a volume of another bundle: {bundle.manifest.chain}; it was left alone",
                where=bundle.volumes[0].where,
            )
        report_strays(bundle, strict=shared.strict, report=report)
        result = import_bundle(
            bundle,
            depot,
            inventory=partial(inventory, parser=shared.parser),
            now=face.now,
            workers=face.workers,
            report=report,
        )
        if result.waiting:
            return _Done(result, bundle.manifest.chain)
        what = [one.path for one in bundle.manifest.repositories]
        published = publish(depot, what, now=face.now, report=report) if shared.publish else None
        return _Done(result, bundle.manifest.chain, published, leave_import_report(depot, bundle, report))


def _wait(shared: _Round, paths: tuple[Path, ...], done: _Done) -> _Done:
    """Ask for volumes until none is needed; what is wrong with one is said, and it is asked for again."""
    if not can_ask():
        shared.report(Note("no terminal to ask on: --wait does nothing"))
        return done
    waiting = done.result.waiting
    while waiting:
        ask(waiting, paths, marks(paths), done.chain)
        try:
            done = _import(shared, paths, of=done)
            waiting = done.result.waiting
        except (VerifyError, FormatError) as cause:
            show_error(cause, as_json=shared.face.as_json)
            waiting = _still(shared.depot, done)
    return done


def _still(depot: Depot, done: _Done) -> tuple[Arrival, ...]:
    """Say what is needed after a volume was refused: its good files may have been kept."""
    found = [one for one in pending(depot) if one.bundle == done.result.bundle]
    return found[0].waiting if found else done.result.waiting


@contextmanager
def _owned(face: Face, depot: Depot, paths: tuple[Path, ...]) -> Iterator[tuple[OwnedDepot, Report]]:
    with depot.owned(f"import of {shown(str(paths[0]))}", now=face.now) as owned, face.reporting() as report:
        yield owned, report


@contextmanager
def _refusal_kept(depot: OwnedDepot, paths: tuple[Path, ...], report: Report, *, now: str) -> Iterator[None]:
    """Keep what is refused, and why, for the next receipt; an error in that does not hide the refusal."""
    try:
        yield
    except (VerifyError, FormatError) as cause:
        what = f"{cause.where}, {paths[0]}" if cause.where else str(paths[0])
        try:
            Refusals(depot.root).add(refusal(now, shown(what), shown(cause.message)))
        except IssmediaError as trouble:
            report(Warned(f"the next receipt will not tell of this refusal: {trouble.message}", trouble.where))
        raise


def _answer(face: Face, depot: Depot, done: _Done, *, dry_run: bool) -> int:
    document = {
        "dry_run": dry_run,
        "imported": done.result,
        "published": done.published,
        "report": done.left and str(done.left),
    }
    face.answer(document, lambda: _text(done, depot, dry_run=dry_run))
    return face.done(done.result.incomplete) or (LEFT_OUT if done.result.waiting else 0)


def _text(done: _Done, depot: Depot, *, dry_run: bool) -> str:
    if done.result.waiting:
        return "\n".join(arrival_lines(done.chain, done.result.arrivals, dry_run=dry_run))
    lines = imported_lines(done.result, dry_run=dry_run)
    if done.published is not None:
        lines.append(seen_line(done.published, depot))
    if done.left is not None:
        lines.append(f"report: {done.left / REPORT_PAGE}")
    return "\n".join(lines)
