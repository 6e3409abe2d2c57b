"""verify: what a courier or an operator asks of media before anything is imported."""

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
@click.option(
    "--repairable", "judge", is_flag=True, help="Say whether what is at hand, damaged as it is, can still be imported."
)
def verify_command(face: Face, paths: tuple[Path, ...], strict: bool, judge: bool) -> int:
    """Check that a bundle is genuine and whole, every byte; writes nothing and names every bad file.

    Of a bundle of several volumes any may be checked alone.
    """
    depot = open_depot(face.root)
    if judge:
        from issmedia.cli.repairable import answer  # what parity wants loads for longer than all else here
        from issmedia.ops.repairable import repairable

        with face.reporting() as report, _verified(depot, paths, face, report) as bundle:
            judged = repairable(bundle, depot.store, strict=strict, workers=face.workers, report=report)
        return answer(face, judged)
    with face.reporting() as report, _verified(depot, paths, face, report) as bundle:
        found = check(bundle, depot.store, strict=strict, workers=face.workers, report=report)
    face.answer(_checked(found), lambda: _verified_text(found))
    return 0


@contextmanager
def _verified(depot: Depot, paths: tuple[Path, ...], face: Face, report: Report) -> Iterator[VerifiedBundle]:
    """Open volumes of one bundle and do the steps 1 to 8: anything else among them is refused."""
    with read(paths) as unverified:
        yield verify(unverified, Keyring(depot.keyring), depot.state(), now=face.now, report=report)


def _checked(found: Checked) -> dict[str, object]:
    facts = found.bundle.manifest
    return {
        "verified": True,
        "bundle": found.bundle.id,
        "chain": facts.chain,
        "signers": found.bundle.signers,
        "volumes": [volume.entry.number for volume in found.bundle.volumes],
        "missing": [entry.number for entry in found.bundle.missing],
        "files": found.files,
        "bytes": found.size,
        "incomplete": facts.incomplete,
    }


def _verified_text(found: Checked) -> str:
    facts = found.bundle.manifest
    size = f"{count_text(found.files, 'file')}, {bytes_text(found.size)}"
    lines = [f"genuine and whole: {shown(facts.chain)}, {size}", f"id {found.bundle.id}"]
    lines += [f"signed by {one}" for one in found.bundle.signers]
    lines += _volumes(found.bundle)
    lines += left_out_lines(facts.incomplete)
    return "\n".join(lines)


def _volumes(bundle: VerifiedBundle) -> list[str]:
    """Say which volumes were looked at, where that is not all there is to it."""
    if len(bundle.manifest.volumes) == 1:
        return []
    looked = ", ".join(str(volume.entry.number) for volume in bundle.volumes)
    lines = [f"volume {looked} of {len(bundle.manifest.volumes)}"]
    if bundle.missing:
        lines.append(f"not looked at: {', '.join(entry.label for entry in bundle.missing)}")
    return lines
