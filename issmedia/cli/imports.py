"""import: what a disconnected site does with a medium."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import click

from issmedia.base.errors import FormatError, IssmediaError, VerifyError
from issmedia.base.events import Report, Warned
from issmedia.base.units import bytes_text, count_text
from issmedia.bundle.layout import REPORT_PAGE
from issmedia.cli.evidence import leave_import_report
from issmedia.cli.face import Face, command
from issmedia.cli.publish import seen_line
from issmedia.cli.render import left_out_lines
from issmedia.cli.verify import PATHS, STRICT, verified
from issmedia.content.yum.inventory import inventory
from issmedia.content.yum.reader import Parser
from issmedia.depot.depot import Depot, OwnedDepot, open_depot
from issmedia.depot.refusals import Refusals
from issmedia.model.names import shown
from issmedia.model.receipt import refusal
from issmedia.ops.imports import Imported, import_bundle, preview
from issmedia.ops.publish import Published, publish
from issmedia.ops.verify import report_strays


@command(None, "import", "issmedia import /mnt/issmedia")
@PATHS
@STRICT
@click.option("--dry-run", is_flag=True, help="Say what would change; the payload is not read.")
@click.option("--no-publish", is_flag=True, help="Leave what clients see as it is; issmedia publish shows it later.")
@click.option("--allow-rollback", metavar="ID", help="Allow this one bundle though it is older or expired.")
def import_command(
    face: Face, paths: tuple[Path, ...], strict: bool, dry_run: bool, no_publish: bool, allow_rollback: str | None
) -> int:
    """Verify a bundle, store it, switch to it and publish it: all of it, or nothing.

    Interrupted, the same command goes on where it stopped. The same bundle again changes nothing.
    """
    depot = open_depot(face.root)
    published: Published | None = None
    left: Path | None = None
    if dry_run:
        with face.reporting() as report, verified(depot, paths, face, report, allow_rollback) as bundle:
            report_strays(bundle, strict=strict, report=report)
            result = preview(bundle, depot)
    else:
        with (
            _owned(face, depot, paths) as (owned, report),
            _refusal_kept(owned, paths, report, now=face.now),
            verified(depot, paths, face, report, allow_rollback) as bundle,
            Parser() as parser,
        ):
            report_strays(bundle, strict=strict, report=report)
            result = import_bundle(
                bundle,
                owned,
                inventory=partial(inventory, parser=parser),
                now=face.now,
                workers=face.workers,
                report=report,
            )
            what = [one.path for one in bundle.manifest.repositories]
            published = None if no_publish else publish(owned, what, now=face.now, report=report)
            left = leave_import_report(owned, bundle, report)
    document = {"dry_run": dry_run, "imported": result, "published": published, "report": left and str(left)}
    face.answer(document, lambda: _imported_text(result, published, depot, left, dry_run=dry_run))
    return face.done(result.incomplete)


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


def _imported_text(
    result: Imported, published: Published | None, depot: Depot, left: Path | None, *, dry_run: bool
) -> str:
    would = "would be " if dry_run else ""
    lines = [
        f"{one.repository}: {would}{'new' if one.old is None else 'moved'}: tree {str(one.new)[:16]}"
        for one in result.moved
    ]
    unchanged = result.repositories - len(result.moved)
    if unchanged:
        lines.append(f"{count_text(unchanged, 'repository', 'repositories')} unchanged")
    lines.append(f"{count_text(result.added, 'blob')} {would}added, {bytes_text(result.added_bytes)}")
    lines += left_out_lines(result.incomplete)
    if published is not None:
        lines.append(seen_line(published, depot))
    if left is not None:
        lines.append(f"report: {left / REPORT_PAGE}")
    return "\n".join(lines)
