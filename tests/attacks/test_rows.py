"""Every threat that this version answers to has a test that is named after its number, and says what is done to us."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROWS = {*range(1, 48), *range(49, 57), *range(61, 74)}
"""The rows of the table of threats that must not want for a test; those between them wait for what is not built yet."""

_TESTS = Path(__file__).parents[1]
_NAME = re.compile(r"test_((?:0\d\d_)+)")


def numbered(*folders: str) -> Iterator[tuple[ast.FunctionDef, set[int]]]:
    """Yield the tests that carry numbers, with their numbers."""
    for folder in folders:
        for path in sorted((_TESTS / folder).glob("test_*.py")):
            for node in ast.parse(path.read_text()).body:
                if isinstance(node, ast.FunctionDef) and (match := _NAME.match(node.name)):
                    yield node, {int(number) for number in match[1].split("_") if number}


def waiting(node: ast.FunctionDef) -> list[str]:
    """Give the `xfail` marks of a test, as they are written."""
    return [ast.unparse(mark) for mark in node.decorator_list if "xfail" in ast.unparse(mark)]


def test_every_row_has_a_test_that_passes() -> None:
    kept = set[int]().union(*(rows for node, rows in numbered("attacks", "crash") if not waiting(node)))

    assert sorted(ROWS - kept) == []


def test_every_attack_says_what_the_attacker_does() -> None:
    assert [node.name for node, _ in numbered("attacks") if not ast.get_docstring(node)] == []


def test_what_waits_names_the_issue_it_waits_for() -> None:
    marks = [mark for node, _ in numbered("attacks", "crash") for mark in waiting(node)]

    assert [mark for mark in marks if "strict=True" not in mark or not re.search(r"issue( \d|:)", mark)] == []
