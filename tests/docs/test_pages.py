"""The pages at the root are true: modules that stand, tests that exist, links that lead somewhere."""

import ast
import re
from pathlib import Path

import pytest

from scripts.source import ROOT
from tests.makers.markdown import documents, rows, section

LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)[^)]*\)")
TEST = re.compile(r"`(tests/[\w/]+(?:\.py)?)(?:::(\w+))?`")


def test_the_architecture_lists_the_modules_that_stand() -> None:
    listed = [row[0].strip("`") for row in rows(section((ROOT / "ARCHITECTURE.md").read_text(), "Modules"))]

    stand = {str(path.relative_to(ROOT / "issmedia")) for path in (ROOT / "issmedia").rglob("*.py")}
    assert sorted(listed) == sorted(path for path in stand if not path.endswith("__init__.py"))


def test_the_tests_that_keep_a_promise_exist() -> None:
    named = TEST.findall((ROOT / "SECURITY.md").read_text())

    assert len(named) >= 15
    assert [f"{path}::{name}" for path, name in named if not exists(ROOT / path, name)] == []


@pytest.mark.parametrize("document", documents(), ids=lambda path: path.name)
def test_links_lead_to_files_of_the_checkout(document: Path) -> None:
    targets = LINK.findall(document.read_text())

    assert [target for target in targets if not (document.parent / target).exists()] == []


def test_the_readme_is_short() -> None:
    assert (ROOT / "README.md").read_text().count("\n") <= 200


def exists(path: Path, name: str) -> bool:
    """Say whether a test module, and the function where one is named, is there."""
    if not path.exists():
        return False
    if not name:
        return True
    functions = (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef))
    return name in {function.name for function in functions}
