"""A receipt as QR codes: on the terminal, and as PNG or SVG files.

A code holds lines of `model.spoken` with a blank between them: digits, capitals and colons, QR's compact alphabet,
which every reader gives back as plain text. They may be scanned in any order and pasted into one file, which is then
read as if it were typed. What is too long for one code goes into several: a larger one is no longer read by cameras.
"""

import io
from pathlib import Path

import segno

from issmedia.base.errors import UsageError
from issmedia.base.files import system_error, write_atomic
from issmedia.model.spoken import spoken_lines

ON_TERMINAL = 10
"""Lines in one code on a terminal: version 13 of QR, 77 columns with its margin."""

IN_IMAGE = 31
"""Lines in one code of an image: version 25 of QR, 117 dots a side."""

_MARGIN = 4
_DOT = 8
"""Of an image: pixels a dot."""


def terminal_text(data: bytes) -> str:
    """Draw the codes with half blocks, in at most 80 columns; blocks are light, as on a dark terminal.

    Readers take a code with light and dark exchanged just as well. `UsageError` for more than codes can hold.
    """
    codes = _codes(data, ON_TERMINAL)
    return "\n".join(f"QR code {number} of {len(codes)}\n{_drawn(code)}" for number, code in enumerate(codes, start=1))


def write_images(data: bytes, path: Path) -> tuple[Path, ...]:
    """Write `path`, or for several codes `NAME-1.png`, `NAME-2.png` … beside where it would be; returns the files.

    `UsageError` unless the name ends in .png or .svg, and for more than codes can hold.
    """
    if path.suffix not in (".png", ".svg"):
        raise UsageError("expected a name that ends in .png or .svg", where=str(path))
    codes = _codes(data, IN_IMAGE)
    paths = tuple(path.with_stem(f"{path.stem}-{number}") for number in range(1, len(codes) + 1))
    targets = paths if len(codes) > 1 else (path,)
    for target, code in zip(targets, codes, strict=True):
        _write(target, _image(code, path.suffix))
    return targets


def inline_svg(text: str) -> str:
    """Draw a short text, for a page: an SVG element of any size, with the margin that readers need."""
    code = segno.make_qr(text, error="M")
    return str(code.svg_inline(border=_MARGIN, omitsize=True, svgclass=None, lineclass=None))


def _codes(data: bytes, most: int) -> tuple[segno.QRCode, ...]:
    """Spread the lines evenly over as few codes as hold them."""
    lines = spoken_lines(data)
    each = -(-len(lines) // -(-len(lines) // most))
    parts = (lines[start : start + each] for start in range(0, len(lines), each))
    return tuple(segno.make_qr(" ".join(part), error="L") for part in parts)


def _drawn(code: segno.QRCode) -> str:
    text = io.StringIO()
    code.terminal(text, border=_MARGIN, compact=True)
    return text.getvalue()


def _image(code: segno.QRCode, suffix: str) -> bytes:
    image = io.BytesIO()
    code.save(image, kind=suffix.removeprefix("."), scale=_DOT, border=_MARGIN)
    return image.getvalue()


def _write(path: Path, data: bytes) -> None:
    try:
        write_atomic(path, data)
    except OSError as cause:
        raise system_error(cause, str(path)) from cause
