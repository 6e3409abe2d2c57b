"""`docs/format.md` says what the code does: every field of the manifest, every limit, every step."""

import importlib
import re

import msgspec
import pytest

from issmedia.model import manifest
from issmedia.ops import verify
from scripts.source import ROOT
from tests.makers.markdown import rows, section

TEXT = (ROOT / "docs/format.md").read_text()

CLAUSES: dict[str, type[msgspec.Struct]] = {
    "The manifest": manifest.Manifest,
    "`site`": manifest.SiteName,
    "`tool`": manifest.Tool,
    "`products[]`": manifest.ProductEntry,
    "`repositories[]`": manifest.RepositoryEntry,
    "counts": manifest.Count,
    "`trees[]`": manifest.TreeEntry,
    "`trees[].stored`": manifest.Stored,
    "`volumes[]`": manifest.VolumeEntry,
    "`incomplete[]`": manifest.Missing,
    "`bases[]`": manifest.BaseEntry,
    "`bases[].ledger`": manifest.LedgerHead,
}


@pytest.mark.parametrize("heading", CLAUSES)
def test_a_clause_lists_the_fields_in_their_order(heading: str) -> None:
    listed = [row[0].strip("`") for row in rows(section(TEXT, heading))]

    assert listed == list(CLAUSES[heading].__struct_fields__)


def test_every_part_of_the_manifest_has_a_clause() -> None:
    assert set(CLAUSES.values()) == {
        kind for kind in manifest.Document.__subclasses__() if kind.__module__ == manifest.__name__
    }


def test_the_limits_are_those_of_the_code() -> None:
    table = [(row[1].strip("`"), row[2]) for row in rows(section(TEXT, "Limits"))]

    assert len(table) >= 11
    assert table == [(name, f"{constant(name):,}") for name, _ in table]


def test_verification_has_the_steps_that_the_code_cites() -> None:
    steps = re.findall(r"^([0-9]+)\. ", section(TEXT, "Verification"), re.MULTILINE)

    assert steps == [str(number) for number in range(1, 13)]
    assert 'clause "Verification"' in (verify.__doc__ or "")


def test_the_tree_line_that_is_shown_is_canonical() -> None:
    shown = section(TEXT, "A tree").split("```\n")[1].replace("<64 hexadecimal digits>", "0" * 64)

    tree = importlib.import_module("issmedia.model.tree").parse_tree(shown.encode(), where="docs/format.md")

    assert [entry.path for entry in tree.entries] == ["Packages/a.rpm"]


def constant(name: str) -> int:
    """Give the value of `layer.module.NAME` in issmedia."""
    module, _, attribute = name.rpartition(".")
    return int(getattr(importlib.import_module(f"issmedia.{module}"), attribute))
