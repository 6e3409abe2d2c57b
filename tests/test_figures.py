"""`scripts/figures` prints the figures and fails past the budget."""

import subprocess
import sys
from pathlib import Path

import pytest

from scripts.source import ROOT

GOOD = '"""A module."""\n\n\ndef double(number: int) -> int:\n    """Double it."""\n    return 2 * number\n'
LONG = '"""A module."""\n\n\ndef long() -> None:\n    """Be long."""\n' + "    pass\n" * 59
BROAD = "try:\n    x = 1\nexcept Exception:\n    x = 2\n"
TIDY = "try:\n    x = 1\nexcept BaseException:\n    x = 2\n    raise\n"


def figures(root: Path, text: str) -> subprocess.CompletedProcess[str]:
    """Run the script on a project of one module."""
    for package in ("issmedia", "tests"):
        (root / package).mkdir()
    (root / "issmedia/__init__.py").write_text('"""A package."""\n')
    (root / "issmedia/one.py").write_text(text)
    (root / "issmedia/two.py").write_text('"""Another."""\n\nimport issmedia.one\n')
    command = [sys.executable, str(ROOT / "scripts/figures"), str(root)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("text", [GOOD, GOOD + BROAD * 2, GOOD + TIDY * 3], ids=["plain", "two broad", "tidying"])
def test_code_within_the_budget_passes(tmp_path: Path, text: str) -> None:
    result = figures(tmp_path, text)

    assert (result.returncode, result.stderr) == (0, "")
    assert "function lines                         median 3, nine in ten ≤ 3, most 3\n" in result.stdout
    assert "modules > 400 lines                    0" in result.stdout


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (LONG, "functions > 60 lines: issmedia.one:4 long has 61"),
        (GOOD + "x = 1\n" * 400, "modules > 400 lines: issmedia.one"),
        (GOOD + BROAD * 3, "broad excepts: issmedia.one:9"),
        (GOOD.removeprefix('"""A module."""'), "public names without docstring: issmedia.one"),
        (GOOD.replace("Double it.", ""), "public names without docstring: issmedia.one.double"),
        (GOOD.replace(" -> int", ""), "public functions without annotations: issmedia.one.double"),
        (GOOD.replace("number: int", "number"), "public functions without annotations: issmedia.one.double"),
        (GOOD + "from issmedia import two\n", "import cycles: issmedia.one → issmedia.two → issmedia.one"),
    ],
)
def test_code_past_the_budget_fails(tmp_path: Path, text: str, fault: str) -> None:
    result = figures(tmp_path, text)

    assert fault in result.stderr
    assert result.returncode == 1
