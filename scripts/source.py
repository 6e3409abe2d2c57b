"""Source code as modules: what `scripts/figures` counts and `tests/test_architecture.py` judges."""

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
"""The checkout."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Module:
    """One module: dotted name, text and syntax tree."""

    name: str
    text: str
    tree: ast.Module

    @property
    def lines(self) -> int:
        """Count the lines."""
        return self.text.count("\n")

    def imports(self) -> Iterator[str]:
        """Name what is imported, at any depth: `a` of `import a`, `a.b` of `from a import b`, module or not."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                yield from (f"{node.module}.{alias.name}" for alias in node.names)

    def functions(self) -> Iterator[Function]:
        """Find every function and method, nested ones too."""
        return (node for node in ast.walk(self.tree) if isinstance(node, Function))


def module_of(name: str, text: str) -> Module:
    """Parse a module."""
    return Module(name, text, ast.parse(text))


def modules_in(package: str, root: Path = ROOT) -> list[Module]:
    """Parse all modules of a package, sorted by path."""
    return [_read(path, root) for path in sorted((root / package).rglob("*.py"))]


def graph(modules: Iterable[Module]) -> dict[str, set[str]]:
    """Say which modules each module imports, among these modules."""
    known = {module.name: module for module in modules}
    return {name: {_resolved(each, known) for each in module.imports()} - {name, ""} for name, module in known.items()}


def cycle(modules: Iterable[Module]) -> list[str]:
    """Give one import cycle, first name repeated at the end; empty where there is none."""
    try:
        TopologicalSorter(graph(modules)).prepare()
    except CycleError as found:
        return [str(name) for name in reversed(found.args[1])]
    return []


def _resolved(imported: str, known: Mapping[str, Module]) -> str:
    """Give the module an import names: itself, or what holds the name; empty where it is none of ours."""
    holder = imported.rpartition(".")[0]
    return next((name for name in (imported, holder) if name in known), "")


def _read(path: Path, root: Path) -> Module:
    parts = path.relative_to(root).with_suffix("").parts
    name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    return module_of(name, path.read_text())
