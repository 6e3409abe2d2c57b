"""import: what a disconnected site does with a medium."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import click
import msgspec

from issmedia.base.digest import Digest
from issmedia.base.errors import FormatError, IssmediaError, NotIntactError, VerifyError
from issmedia.base.events import Note, Report, Warned
from issmedia.bundle.layout import REPORT_PAGE
from issmedia.bundle.reader import Leave, read_meant
from issmedia.cli.arrived import arrival_lines, changes_documents, imported_lines, pending_text
from issmedia.cli.evidence import leave_import_report
from issmedia.cli.face import LEFT_OUT, Face, command
from issmedia.cli.problems import show_error
from issmedia.cli.publish import seen_line
from issmedia.cli.trusted import trust_lines
from issmedia.cli.verify import STRICT
from issmedia.cli.waiting import ask, can_ask, marks
from issmedia.content.yum.inventory import inventory
from issmedia.content.yum.reader import Parser
from issmedia.content.yum.recheck import recheck
from issmedia.depot.depot import Depot, OwnedDepot, open_depot
from issmedia.depot.keyring import Keyring
from issmedia.depot.refusals import Refusals
from issmedia.model.arrivals import Arrival
from issmedia.model.manifest import UnverifiedBundle, VerifiedBundle
from issmedia.model.names import shown
from issmedia.model.receipt import refusal
from issmedia.model.report import Trust
from issmedia.ops.arriving import pending
from issmedia.ops.diff import Compared
from issmedia.ops.evidence import trust_in_import
from issmedia.ops.imports import Imported, import_bundle, preview
from issmedia.ops.publish import Published, publish
from issmedia.ops.verify import report_strays, verify


class LeftAlone(msgspec.Struct, frozen=True):
    """What was given and is no volume, or one of another bundle, and was not imported."""

    where: str
    message: str
    another_bundle: bool


class _Done(msgspec.Struct, frozen=True):
    """What came of one round: `chain` names the bundle, `left` is where its report lies, `alone` what was not of it.

    `trust` is what came of upstream's signatures, `changes` what changed where that was compared.
    """

    result: Imported
    chain: str
    alone: tuple[LeftAlone, ...]
    published: Published | None = None
    left: Path | None = None
    trust: tuple[Trust, ...] = ()
    changes: Compared | None = None


class _Round(msgspec.Struct, frozen=True):
    """What every round of one import shares."""

    depot: OwnedDepot
    face: Face
    report: Report
    parser: Parser
    strict: bool
    publish: bool
    wait: bool
    allow: str | None


@dataclass(slots=True)
class _Course:
    """How far an import is: its `bundle`, once a volume of it was verified, and what the round at hand is doing."""

    bundle: Digest | None = None
    chain: str = ""
    stage: Literal["opening", "verifying", "importing"] = "opening"


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
    was needed switches. A PATH is a directory, an image, a drive, or a directory of several of these. What is no
    volume, or is one of another bundle than the first, is warned of and left alone: exit code 7 for another bundle.
    A volume that is given twice counts once; a second copy serves where files of the first are bad.

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
        with face.reporting() as report:
            return _answer(
                face, depot, _preview(depot, paths, face, report=report, strict=strict, allow=allow), dry_run=True
            )
    with _owned(face, depot, paths) as (owned, report), Parser() as parser:
        done = _import(_Round(owned, face, report, parser, strict, not no_publish, wait, allow), paths)
    return _answer(face, depot, done, dry_run=False)


def _preview(
    depot: Depot, paths: tuple[Path, ...], face: Face, *, report: Report, strict: bool, allow: str | None
) -> _Done:
    alone: list[LeftAlone] = []
    leave = _leaving(alone, report)
    with read_meant(paths, leave=leave) as found:
        bundle = _verified(found, depot, leave, face=face, report=report, allow=allow)
        report_strays(bundle, strict=strict, report=report)
        return _Done(preview(bundle, depot), bundle.manifest.chain, tuple(alone))


def _import(shared: _Round, paths: tuple[Path, ...]) -> _Done:
    """Import until nothing is needed; where that is wanted, what is wrong with a disc is said and another asked for."""
    course = _Course()
    while True:
        before = marks(paths if shared.wait else ())  # not later: what is put in meanwhile is still to be seen
        try:
            done = _round(shared, paths, course)
            waiting = done.result.waiting
            if not (waiting and shared.wait and _can_ask(shared.report)):
                return done
        except (VerifyError, FormatError) as cause:
            again = _after(cause, course, shared.depot) if shared.wait and can_ask() else None
            if again is None:
                raise
            show_error(cause, as_json=shared.face.as_json)
            waiting = again
        ask(waiting, paths, before, course.chain)


def _round(shared: _Round, paths: tuple[Path, ...], course: _Course) -> _Done:
    """Import what is there; once the course has a bundle, nothing but that."""
    depot, face, report, course.stage = shared.depot, shared.face, shared.report, "opening"
    alone: list[LeftAlone] = []
    leave = _leaving(alone, report)
    with (
        _refusal_kept(depot, paths, report, now=face.now),
        read_meant(paths, leave=leave, meant=course.bundle) as found,
    ):
        course.stage = "verifying"
        bundle = _verified(found, depot, leave, face=face, report=report, allow=shared.allow)
        _require_same(bundle, course)
        report_strays(bundle, strict=shared.strict, report=report)
        course.stage, course.bundle, course.chain = "importing", bundle.id, bundle.manifest.chain
        result = import_bundle(
            bundle,
            depot,
            inventory=partial(inventory, parser=shared.parser),
            judge=recheck,
            now=face.now,
            workers=face.workers,
            report=report,
        )
        if result.waiting:
            return _Done(result, course.chain, tuple(alone))
        what = [one.path for one in bundle.manifest.repositories]
        published = publish(depot, what, now=face.now, report=report) if shared.publish else None
        left, trust = leave_import_report(depot, bundle, report), trust_in_import(depot, bundle.manifest)
        return _Done(result, course.chain, tuple(alone), published, left.directory, trust, left.changes)


def _verified(
    found: UnverifiedBundle, depot: Depot, leave: Leave, *, face: Face, report: Report, allow: str | None
) -> VerifiedBundle:
    keyring = Keyring(depot.keyring)
    return verify(found, keyring, depot.state(), now=face.now, report=report, allow=allow, leave=leave)


def _leaving(alone: list[LeftAlone], report: Report) -> Leave:
    """Warn of what is left alone, and note it."""

    def leave(stranger: FormatError | NotIntactError) -> None:
        where = stranger.where or ""
        alone.append(LeftAlone(where, stranger.message, isinstance(stranger, NotIntactError)))
        report(Warned(f"{stranger.message}; it was left alone", where))

    return leave


def _require_same(bundle: VerifiedBundle, course: _Course) -> None:
    if course.bundle not in (None, bundle.id):
        found = [one.where for one in bundle.volumes] + [one.where for one in bundle.damaged]
        raise NotIntactError(
            f"is a volume of another bundle: {bundle.manifest.chain}; it was left alone",
            where=", ".join(found),
            hint="import it by itself once this bundle is done",
        )


def _after(cause: VerifyError | FormatError, course: _Course, depot: Depot) -> tuple[Arrival, ...] | None:
    """Say what to ask for after a refusal, an empty answer meaning any volume; None where no other disc changes it.

    What is wrong with the bundle is wrong on every disc of it: who signed it, when, for whom, and what was signed.
    """
    of_the_disc = isinstance(cause, NotIntactError)
    if course.stage == "importing":
        return (_still(depot, course) or None) if of_the_disc else None
    if course.stage == "verifying" and course.bundle is None and not of_the_disc:
        return None
    return _still(depot, course)


def _still(depot: Depot, course: _Course) -> tuple[Arrival, ...]:
    """Say what is needed of the bundle that was begun: good files of a volume that was refused may have been kept."""
    return next((one.waiting for one in pending(depot) if one.bundle == course.bundle), ())


def _can_ask(report: Report) -> bool:
    if not can_ask():
        report(Note("no terminal to ask on: --wait does nothing"))
    return can_ask()


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
        "changes": changes_documents(done.result, done.changes),
        "published": done.published,
        "report": done.left and str(done.left),
        "left_alone": done.alone,
        "trust": done.trust,
    }
    face.answer(document, lambda: _text(done, depot, dry_run=dry_run))
    left_out = done.result.waiting or any(one.another_bundle for one in done.alone)
    return face.done(done.result.incomplete) or (LEFT_OUT if left_out else 0)


def _text(done: _Done, depot: Depot, *, dry_run: bool) -> str:
    if done.result.waiting:
        return "\n".join(arrival_lines(done.chain, done.result.arrivals, dry_run=dry_run))
    lines = [*imported_lines(done.result, done.changes, dry_run=dry_run), *trust_lines(done.trust)]
    if done.published is not None:
        lines.append(seen_line(done.published, depot))
    if done.left is not None:
        lines.append(f"report: {done.left / REPORT_PAGE}")
    return "\n".join(lines)
