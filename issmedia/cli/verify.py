"""verify; and the way from paths to a `VerifiedBundle` that import takes too."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from issmedia.base.events import Report
from issmedia.base.units import bytes_text, count_text
from issmedia.bundle.reader import read
from issmedia.cli.face import Face, command
from issmedia.cli.render import left_out_lines
from issmedia.depot.depot import Depot, open_depot
from issmedia.depot.keyring import Keyring
from issmedia.model.manifest import VerifiedBundle
from issmedia.model.names import shown
from issmedia.ops.verify import Checked, check, verify

PATHS = click.argument("paths", nargs=-1, required=True, metavar="PATH...", type=click.Path(path_type=Path))
STRICT = click.option("--strict", is_flag=True, help="Refuse files that the bundle does not declare.")


@command(None, "verify", "issmedia verify /mnt/issmedia")
@PATHS
@STRICT
def verify_command(face: Face, paths: tuple[Path, ...], strict: bool) -> None:
    """Check that a bundle is genuine and whole, every byte; writes nothing and names every bad file."""
    depot = open_depot(face.root)
    with face.reporting() as report, verified(depot, paths, face, report, None) as bundle:
        found = check(bundle, depot.store, strict=strict, workers=face.workers, report=report)
    face.answer(_checked(found), lambda: _verified_text(found))


@contextmanager
def verified(
    depot: Depot, paths: tuple[Path, ...], face: Face, report: Report, allow: str | None
) -> Iterator[VerifiedBundle]:
    """Open volumes and do the steps 1 to 8."""
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
