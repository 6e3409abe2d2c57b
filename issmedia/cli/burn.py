"""burn: a volume onto a disc."""

from pathlib import Path

import click
from msgspec.structs import asdict

from issmedia.base.units import bytes_text, count_text
from issmedia.bundle.drive import checked_speed, parse_drive
from issmedia.bundle.reader import read
from issmedia.cli.copy import read_back_line
from issmedia.cli.face import Face, command
from issmedia.depot.depot import open_depot
from issmedia.model.names import shown
from issmedia.ops.burn import Burned, BurnOptions, burn_volume


@command(None, "burn", "issmedia burn /srv/out/ISSM_1A2B3C4D_V01OF03.iso --device /dev/sr0 --eject")
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "--device", required=True, metavar="DRIVE", help="/dev/sr0, or stdio:FILE: a file that stands for a disc."
)
@click.option("--speed", metavar="N", help="As the drive counts: 8, or 10000k a second; default: as fast as it can.")
@click.option("--eject/--no-eject", default=False, help="Open the tray at the end.")
@click.option("--yes", is_flag=True, help="Blank a medium that holds data; what is on it is lost.")
def burn_command(face: Face, path: Path, device: str, speed: str | None, eject: bool, yes: bool) -> None:
    """Burn a volume, a directory or an image, with xorriso, and read it back from the disc.

    Killed or interrupted, the same command again burns, or where the disc turns out whole only reads it back.
    """
    options = BurnOptions(checked_speed(speed) if speed else None, overwrite=yes, eject=eject)
    depot, drive = open_depot(face.root), parse_drive(device)
    with (
        depot.owned(f"burn to {shown(device)}", now=face.now) as owned,
        face.reporting() as report,
        read((path,)) as bundle,
    ):
        done = burn_volume(bundle, owned, drive, options=options, now=face.now, workers=face.workers, report=report)
    face.answer(_document(done), lambda: _text(done))


def _document(done: Burned) -> dict[str, object]:
    return {
        "bundle": done.bundle,
        "volume": done.volume,
        "device": done.device,
        "medium": asdict(done.medium),
        "read_back": done.means.text,
        "again": done.again,
    }


def _text(done: Burned) -> str:
    facts, volume, medium = done.manifest, done.volume, done.medium
    of = f"volume {volume.number} of {len(facts.volumes)}, {shown(volume.label)}"
    known = ", ".join(part for part in (medium.kind, medium.product, medium.drive, medium.drive_id) if part)
    lines = [
        f"{shown(facts.chain)}: {of}: {count_text(volume.files, 'file')}, {bytes_text(volume.bytes)}",
        f"{'was burned before to' if done.again else 'burned to'} {shown(done.device)} ({known})",
        read_back_line(done.means),
        f"id {done.bundle}",
    ]
    return "\n".join(lines)
