"""copy: a volume onto a stick."""

import dataclasses
from pathlib import Path
from shlex import quote

import click
import msgspec

from issmedia.base.readback import Means
from issmedia.base.units import bytes_text, count_text
from issmedia.bundle.reader import read
from issmedia.cli.face import Face, command
from issmedia.depot.depot import open_depot
from issmedia.model.names import shown
from issmedia.ops.copies import Copy, Medium, copy_volume


@command(None, "copy", "issmedia copy /srv/out/ISSM_1A2B3C4D_V01OF03 --to /mnt/stick")
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "--to",
    "directory",
    type=click.Path(path_type=Path),
    required=True,
    metavar="MOUNTPOINT",
    help="An empty directory, or one with an unfinished copy of this volume.",
)
def copy_command(face: Face, path: Path, directory: Path) -> None:
    """Copy a volume to a mounted stick or disk, and read it back from there past the page cache.

    Nothing is copied but what the bundle declares. Killed or interrupted, the same command goes on: what is whole is
    re-hashed and kept.
    """
    depot, target = open_depot(face.root), directory.resolve()
    with (
        depot.owned(f"copy to {shown(str(target))}", now=face.now) as owned,
        face.reporting() as report,
        read((path,)) as bundle,
    ):
        done = copy_volume(bundle, owned, target, origin=path, now=face.now, workers=face.workers, report=report)
    face.answer(_document(done), lambda: _text(done))


def _document(done: Copy) -> dict[str, object]:
    return {
        "bundle": done.bundle,
        "volume": done.volume,
        "medium": msgspec.structs.asdict(done.medium),
        "kept": done.kept,
        "read_back": done.means.text,
        "signers": done.signers,
    }


def _text(done: Copy) -> str:
    facts, volume, medium = done.manifest, done.volume, done.medium
    of = f"volume {volume.number} of {len(facts.volumes)}, {shown(volume.label)}"
    size = f"{count_text(volume.files, 'file')}, {bytes_text(volume.bytes)}"
    lines = [
        f"{shown(facts.chain)}: {of}: {size}",
        f"copied to {shown(medium.directory)} ({_described(done)})",
        read_back_line(done.means),
        f"id {done.bundle}",
    ]
    lines += [f"signed by {shown(name)} ({fingerprint})" for fingerprint, name in done.signers.items()]
    if not done.signers:
        lines.append("signed by no key that this site knows: whole, but not verified")
    lines.append(_next_step(medium))
    return "\n".join(lines)


def _described(done: Copy) -> str:
    device = dataclasses.asdict(done.medium.device)
    known = [f"{name} {shown(str(value))}" for name, value in device.items() if value is not None]
    return ", ".join([done.medium.file_system, *known])


def read_back_line(means: Means) -> str:
    """Say by what means all was read back; where there are none, that it was not."""
    if means is Means.NONE:
        return f"compared with what was written; reading it back from a medium is {means.text}"
    return f"read back, every byte as it was written: {means.text}"


def _next_step(medium: Medium) -> str:
    if medium.mounted is None:
        return "it lies on this system's own file system, not on a medium: nothing to unmount"
    return f"umount {quote(shown(medium.mounted))}; it can be removed now"
