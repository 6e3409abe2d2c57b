"""`docs/media.md` says what the code does: media and their bytes, file systems, the options of an export."""

import re

from issmedia.model.fat import Fat32, entries
from issmedia.model.medium import DISCS, FILE_SYSTEMS
from scripts.source import ROOT
from tests.makers.markdown import rows, section

TEXT = (ROOT / "docs/media.md").read_text()
TABLE = rows(section(TEXT, "Media"))


def test_the_capacities_are_those_of_the_code() -> None:
    listed = {row[0].strip("`"): row[1] for row in TABLE if len(row) == 3 and row[1] != "as given"}

    assert listed == {name: f"{size:,}" for name, size in DISCS.items()}


def test_the_file_systems_are_those_of_the_code() -> None:
    (text,) = [row[1] for row in TABLE if row[0] == "`--fs`"]

    assert set(re.findall(r"`([a-z0-9]+)`", text)) == set(FILE_SYSTEMS)


def test_the_limits_of_fat32_are_those_of_the_code() -> None:
    text = " ".join(section(TEXT, "Media").split())

    assert f"A file has at most {Fat32.largest_file:,} bytes" in text
    assert "another for each 13 letters" in text
    assert tuple(entries("x" * length) for length in (0, 1, 13, 14)) == (1, 2, 2, 3)
    assert f"some {65_536 // entries('x' * 50) // 1000},000 packages with names of 50 letters" in text
