"""verify, import: what a disconnected site does with a medium."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from issmedia.base.events import Report
from issmedia.base.units import bytes_text, count_text
from issmedia.bundle.reader import read
from issmedia.cli.face import LEFT_OUT, Face, command
from issmedia.cli.render import left_out_lines
from issmedia.content.yum import YUM
from issmedia.depot.depot import Depot, OwnedDepot, open_depot
from issmedia.depot.keyring import Keyring
from issmedia.model.manifest import VerifiedBundle
from issmedia.model.names import shown
from issmedia.ops.imports import Imported, import_bundle, preview
from issmedia.ops.publish import Published, publish
from issmedia.ops.verify import Checked, check, report_strays, verify

_PATHS = click.argument("paths", nargs=-1, required=True, metavar="PATH...", type=click.Path(path_type=Path))
_STRICT = click.option("--strict", is_flag=True, help="Refuse files that the bundle does not declare.")


@command(None, "verify", "issmedia verify /mnt/issmedia")
@_PATHS
@_STRICT
def verify_command(face: Face, paths: tuple[Path, ...], strict: bool) -> None:
    """Check that a bundle is genuine and whole, every byte; writes nothing and names every bad file."""
    depot = open_depot(face.root)
    with face.reporting() as report, _verified(depot, paths, face, report, None) as bundle:
        found = check(bundle, strict=strict, workers=face.workers, report=report)
    face.answer(_checked(found), lambda: _verified_text(found))


@command(None, "import", "issmedia import /mnt/issmedia")
@_PATHS
@_STRICT
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
    if dry_run:
        with face.reporting() as report, _verified(depot, paths, face, report, allow_rollback) as bundle:
            report_strays(bundle, strict=strict, report=report)
            result = preview(bundle, depot)
    else:
        with (
            _owned(face, depot, paths) as (owned, report),
            _verified(depot, paths, face, report, allow_rollback) as bundle,
        ):
            report_strays(bundle, strict=strict, report=report)
            result = import_bundle(
                bundle, owned, inventory=YUM.inventory, now=face.now, workers=face.workers, report=report
            )
            what = [one.path for one in bundle.manifest.repositories]
            published = None if no_publish else publish(owned, what, now=face.now, report=report)
    document = {"dry_run": dry_run, "imported": result, "published": published}
    face.answer(document, lambda: _imported_text(result, published, depot, dry_run=dry_run))
    return LEFT_OUT if result.incomplete else 0


@contextmanager
def _owned(face: Face, depot: Depot, paths: tuple[Path, ...]) -> Iterator[tuple[OwnedDepot, Report]]:
    with depot.owned(f"import of {shown(str(paths[0]))}", now=face.now) as owned, face.reporting() as report:
        yield owned, report


@contextmanager
def _verified(
    depot: Depot, paths: tuple[Path, ...], face: Face, report: Report, allow: str | None
) -> Iterator[VerifiedBundle]:
    with read(paths) as unverified:
        yield verify(unverified, Keyring(depot.keyring), depot.state(), now=face.now, report=report, allow=allow)


def _checked(found: Checked) -> dict[str, object]:
    facts = found.bundle.manifest
    return {
        "verified": True,
        "bundle": found.bundle.id,
        "chain": facts.chain,
        "signers": found.bundle.signers,
        "files": found.files,
        "bytes": found.size,
        "incomplete": facts.incomplete,
    }


def _verified_text(found: Checked) -> str:
    facts = found.bundle.manifest
    size = f"{count_text(found.files, 'file')}, {bytes_text(found.size)}"
    lines = [f"genuine and whole: {shown(facts.chain)}, {size}", f"id {found.bundle.id}"]
    lines += [f"signed by {one}" for one in found.bundle.signers]
    lines += left_out_lines(facts.incomplete)
    return "\n".join(lines)


def _imported_text(result: Imported, published: Published | None, depot: Depot, *, dry_run: bool) -> str:
    would = "would be " if dry_run else ""
    lines = [
        f"{one.repository}: {would}{'new' if one.old is None else 'moved'}: tree {one.new[:16]}" for one in result.moved
    ]
    unchanged = result.repositories - len(result.moved)
    if unchanged:
        lines.append(f"{count_text(unchanged, 'repository', 'repositories')} unchanged")
    lines.append(f"{count_text(result.added, 'blob')} {would}added, {bytes_text(result.added_bytes)}")
    lines += left_out_lines(result.incomplete)
    if published is not None:
        count = count_text(len(published.repositories), "repository", "repositories")
        state = "clients now see" if published.changed else "clients see, as before,"
        lines.append(f"{state} {count} in {depot.published}")
    return "\n".join(lines)
