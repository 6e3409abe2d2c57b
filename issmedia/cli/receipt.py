"""receipt: what this site holds, signed; and accepting what another site holds."""

import io
import sys
from pathlib import Path
from typing import BinaryIO

import click

from issmedia.base.files import system_error, write_atomic
from issmedia.base.units import bytes_text
from issmedia.cli.export import TOOL
from issmedia.cli.face import Face, command
from issmedia.cli.passphrase import ask_passphrases
from issmedia.cli.render import table
from issmedia.depot.depot import open_depot
from issmedia.model.names import shown
from issmedia.model.receipt import NAMESPACE_RECEIPT
from issmedia.model.spoken import MAX_TEXT, spoken_lines
from issmedia.ops.accept import Accepted, Lack, accept_receipt
from issmedia.ops.receipts import Made, make_receipt
from issmedia.ops.signing import load_signers

ON_TERMINAL = "-"
"""Where QR codes go unless a file is named."""


class _ShowUnlessNamed(click.Group):
    """A group whose command is `show` where none is named."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put `show` before options that stand alone, and where nothing stands."""
        if not args or (args[0].startswith("-") and args[0] not in self.get_help_option_names(ctx)):
            args = ["show", *args]
        return super().parse_args(ctx, args)


@click.group("receipt", cls=_ShowUnlessNamed)
def receipt_command() -> None:
    """What this site holds, signed, to carry back; without a command: show."""


@command(receipt_command, "show", "issmedia receipt show --to lab.receipt")
@click.option("--to", "file", type=click.Path(path_type=Path), metavar="FILE", help="Write it there.")
@click.option("--text", is_flag=True, help="Print it as lines to read aloud and type.")
@click.option(
    "--qr",
    is_flag=False,
    flag_value=ON_TERMINAL,
    metavar="[FILE.png|FILE.svg]",
    help="Draw it as QR codes: on the terminal, or as images.",
)
@click.option("--key", "keys", multiple=True, metavar="NAME", help="Sign with this key; repeatable.")
def receipt_show(face: Face, file: Path | None, text: bool, qr: str | None, keys: tuple[str, ...]) -> None:
    """Make and sign a receipt of what this site holds now; without options its bytes go to stdout.

    The other side accepts the file, the typed lines and the scanned codes alike.
    """
    with open_depot(face.root).owned("receipt", now=face.now) as depot, face.reporting() as report:
        signers = load_signers(depot, keys, ask=ask_passphrases)
        made = make_receipt(
            depot,
            tool=TOOL,
            now=face.now,
            sign=lambda document: signers.sign(document, NAMESPACE_RECEIPT),
            report=report,
        )
    shown_parts = [*_files(made, file, qr), *_drawn(made, text=text, qr=qr)]
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")  # what was signed is UTF-8, whatever the terminal takes
    document = {"id": made.id, "receipt": made.receipt}
    face.answer(document, lambda: "\n".join(shown_parts) or made.data.decode("utf-8"))


@command(receipt_command, "accept", "issmedia receipt accept lab.receipt")
@click.argument("file", type=click.File("rb"), metavar="FILE|-")
def receipt_accept(face: Face, file: BinaryIO) -> None:
    """Accept another site's receipt: the file, or its lines typed or scanned; it is the base of the next delta.

    It must be signed by a key that `site add` pinned for that site. The same receipt again changes nothing.
    """
    data = file.read(MAX_TEXT + 1)
    with open_depot(face.root).owned("receipt accept", now=face.now) as depot, face.reporting() as report:
        accepted = accept_receipt(depot, data, now=face.now, report=report)
    face.answer(accepted, lambda: _accepted(accepted))


def _files(made: Made, file: Path | None, qr: str | None) -> list[str]:
    """Write the files that were asked for, and say so."""
    paths = [] if file is None else [_saved(file, made.data)]
    if qr not in (None, ON_TERMINAL):
        from issmedia.cli.qr import write_images

        paths += write_images(made.data, Path(str(qr)))
    return [f"receipt {made.id[:16]} is in {path}" for path in paths]


def _saved(path: Path, data: bytes) -> Path:
    try:
        write_atomic(path, data)
    except OSError as cause:
        raise system_error(cause, str(path)) from cause
    return path


def _drawn(made: Made, *, text: bool, qr: str | None) -> list[str]:
    parts = list(spoken_lines(made.data)) if text else []
    if qr == ON_TERMINAL:
        from issmedia.cli.qr import terminal_text

        parts.append(terminal_text(made.data))
    return parts


def _accepted(found: Accepted) -> str:
    state = "was accepted before; nothing changed" if found.again else "accepted: the base of the next delta"
    lines = [
        f"receipt {found.receipt[:16]} of {found.site}, made {found.created}, {state}",
        table(("REPOSITORY", "STATE", "LACKS PACKAGES", "FILES", "SIZE"), [_row(one) for one in found.repositories]),
    ]
    lines += [f"refused there at {one.time}: {shown(one.what)}: {shown(one.reason)}" for one in found.refused]
    lines.append(f"next: issmedia export --to-site {found.site} --to DIR")
    return "\n".join(lines)


def _row(one: Lack) -> tuple[str, ...]:
    if one.standing == "up to date":
        return one.repository, one.standing, "", "", ""
    return one.repository, one.standing, f"{one.packages:,}", f"{one.blobs:,}", bytes_text(one.bytes)
