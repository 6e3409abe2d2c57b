"""simulate: what the loss of volumes would cost."""

from pathlib import Path

import click
from msgspec.structs import asdict

from issmedia.base.errors import NotIntactError
from issmedia.base.units import count_text
from issmedia.bundle.reader import read
from issmedia.cli.face import Face, command
from issmedia.model.names import shown
from issmedia.ops.simulate import Simulated, simulate


def _numbers(_context: click.Context, _option: click.Parameter, value: str) -> frozenset[int]:
    """Read `2,5`."""
    parts = value.split(",")
    if not all(part.isascii() and part.isdecimal() and len(part) < 7 for part in parts):
        raise click.BadParameter(f"{shown(value)!r} is not a list of volume numbers such as 2,5")
    return frozenset(map(int, parts))


@command(None, "simulate", "issmedia simulate /mnt/issmedia --lose 2,5")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...", type=click.Path(path_type=Path))
@click.option("--lose", required=True, callback=_numbers, metavar="N[,N...]", help="The volumes that would be lost.")
def simulate_command(face: Face, paths: tuple[Path, ...], lose: frozenset[int]) -> int:
    """Say whether a bundle could still be imported if volumes were lost, and what would be lost with them.

    One volume is enough for the answer; a parity volume or the volumes in question name what is lost.
    """
    with read(paths) as bundle:
        found = simulate(bundle, lose)
    face.answer({"verified": False, **asdict(found)}, lambda: _text(found))
    return 0 if found.importable else NotIntactError.exit_code


def _text(found: Simulated) -> str:
    volumes = f"volume{'s' if len(found.lose) > 1 else ''} {', '.join(map(str, found.lose))}"
    can = "can still be imported" if found.importable else "can NOT be imported"
    lines = [f"{shown(found.chain)} {can} without {volumes}"]
    if found.parity:
        lines.append(f"parity makes up for any {count_text(found.parity, 'volume')} of it")
    if found.parity and found.enough:
        lines.append(f"needed: any {found.enough} of {volumes}")
    lines += [f"lost: {_named(one.repository)}: {count_text(one.files, 'file')}" for one in found.lost]
    lines += [f"lost: all of volume {number}; name it or a parity volume to see what" for number in found.unnamed]
    return "\n".join([*lines, "NOT VERIFIED: this follows from what the medium says of itself"])


def _named(repository: str | None) -> str:
    return shown(repository) if repository else "metadata and parts of files"
