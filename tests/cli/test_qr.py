"""QR codes of a receipt: a real decoder reads them back, from a terminal and from files."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import segno

from issmedia.base.errors import DepotError, UsageError
from issmedia.cli.qr import IN_IMAGE, ON_TERMINAL, terminal_text, write_images
from issmedia.model.spoken import MAX_LINES, parse_spoken, spoken_lines
from tests.makers.programs import run
from tests.makers.receipts import sample_receipt, signed

SMALL = signed(sample_receipt(3))
LARGE = signed(sample_receipt(50))
FULL_LINE = f"{MAX_LINES}: " + " ".join(["ABCDE"] * 9)
DOTS = {" ": (1, 1), "▀": (0, 1), "▄": (1, 0), "█": (0, 0)}
"""Half blocks: the upper and the lower dot, 1 for dark."""


def decoded(image: Path) -> str:
    """Read the codes of an image with zbarimg."""
    return run("zbarimg", "--quiet", "--raw", "-Sdisable", "-Sqrcode.enable", image)


def drawings(text: str) -> Iterator[list[str]]:
    """Find the codes on a terminal, as rows of blocks."""
    for part in text.split("QR code ")[1:]:
        yield part.splitlines()[1:]


def photograph(rows: list[str], path: Path) -> Path:
    """Write rows of blocks as a picture (PBM), six pixels a dot."""
    dots = [[DOTS[block][half] for block in row] for row in rows if row for half in (0, 1)]
    wide = [" ".join(str(dot) for dot in line for _ in range(6)) for line in dots for _ in range(6)]
    path.write_text(f"P1\n{6 * len(dots[0])} {len(wide)}\n" + "\n".join(wide) + "\n")
    return path


@pytest.mark.system("zbarimg")
@pytest.mark.parametrize("data", [SMALL, LARGE], ids=["3 repositories", "50 repositories"])
def test_codes_on_a_terminal_are_read_back(tmp_path: Path, data: bytes) -> None:
    codes = list(drawings(terminal_text(data)))

    pictures = [photograph(rows, tmp_path / f"{number}.pbm") for number, rows in enumerate(codes)]

    assert data == parse_spoken("\n".join(decoded(picture) for picture in reversed(pictures)))


@pytest.mark.system("zbarimg")
def test_a_png_is_read_back(tmp_path: Path) -> None:
    (path,) = write_images(SMALL, tmp_path / "receipt.png")

    assert path == tmp_path / "receipt.png"
    assert parse_spoken(decoded(path)) == SMALL


@pytest.mark.system("zbarimg")
def test_a_large_receipt_is_read_back_from_several_files(tmp_path: Path) -> None:
    paths = write_images(LARGE, tmp_path / "receipt.png")

    assert [path.name for path in paths] == ["receipt-1.png", "receipt-2.png", "receipt-3.png"]
    assert sorted(tmp_path.iterdir()) == sorted(paths)
    assert parse_spoken("\n".join(map(decoded, paths))) == LARGE


def test_an_svg_is_one_drawing_without_scripts_or_links(tmp_path: Path) -> None:
    (path,) = write_images(SMALL, tmp_path / "receipt.svg")

    text = path.read_text()
    assert text.rstrip().endswith("</svg>")
    assert "<script" not in text
    assert "href" not in text


def test_the_terminal_needs_80_columns_and_says_how_many_codes_there_are() -> None:
    lines = terminal_text(SMALL).splitlines()

    assert max(map(len, lines)) <= 80
    assert [line for line in lines if line.startswith("QR")] == ["QR code 1 of 2", "QR code 2 of 2"]


@pytest.mark.parametrize(("lines", "version"), [(ON_TERMINAL, 13), (IN_IMAGE, 25)])
def test_as_many_lines_as_go_into_one_code_do(lines: int, version: int) -> None:
    code = segno.make_qr(" ".join([FULL_LINE] * lines), error="L", boost_error=False)

    assert max(map(len, spoken_lines(LARGE))) <= len(FULL_LINE)
    assert (code.version, code.mode) == (version, "alphanumeric")


def test_another_kind_of_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"\.png or \.svg"):
        write_images(SMALL, tmp_path / "receipt.gif")

    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_written_is_an_error_that_names_it(tmp_path: Path) -> None:
    target = tmp_path / "absent" / "receipt.png"

    with pytest.raises(DepotError) as caught:
        write_images(SMALL, target)

    assert caught.value.where == str(target)
