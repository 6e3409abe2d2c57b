"""Every change of the disk passes through `base.files` and is announced: else a crash test would step over it."""

import ast
import re
from collections.abc import Iterator

import pytest

from scripts.source import Module, module_of, modules_in

MODULES = modules_in("issmedia")

_CHANGING = {
    "os": "rename renames replace link symlink unlink remove mkdir makedirs rmdir removedirs chmod fchmod lchmod chown "
    "fchown lchown truncate ftruncate write writev pwrite pwritev sendfile copy_file_range splice mkfifo mknod utime "
    "setxattr removexattr fdopen fsync fdatasync sync",
    "shutil": "copy copy2 copyfile copyfileobj copymode copystat copytree rmtree move chown unpack_archive",
    "tempfile": "NamedTemporaryFile TemporaryFile TemporaryDirectory SpooledTemporaryFile mkstemp mkdtemp",
    "pathlib": "write_bytes write_text mkdir unlink rmdir touch chmod lchmod symlink_to hardlink_to rename",
}
"""Module → its functions, and for `pathlib` its methods, that change a disk."""

_OWN = re.compile(r"files\.\w+|self\._store\.\w+")
"""What passes through `base.files`."""

ELSEWHERE = {
    "issmedia.base.limits": {"os.open"},
    "issmedia.base.locks": {"os.open", "os.ftruncate", "os.pwrite"},
    "issmedia.content.yum.child": {"open", "os.write"},
    "issmedia.content.yum.confined": {"os.write"},
    "issmedia.content.yum.judge": {"os.fdopen"},
    "issmedia.content.yum.judging": {"os.write"},
    "issmedia.content.yum.nursery": {"os.fdopen"},
    "issmedia.content.yum.settling": {"open", "os.write"},
    "issmedia.content.yum.solver": {"os.fdopen"},
    "issmedia.content.yum.sync": {"os.fdopen"},
    "issmedia.bundle.xorriso": {"os.fdopen"},
    "issmedia.cli.main": {"os.open"},
    "issmedia.net.secrets": {"os.fdopen"},
    "issmedia.net.wire": {"os.ftruncate"},
}
"""No disk: pipes to children, files and documents in memory, /dev/null in place of a closed pipe; what is only read.

And the lock file: who holds the depot, worth nothing after a crash.
"""

UNANNOUNCED = {
    "close": "the mode of a file that still has a temporary name",
    "discard": "the undoing of what failed",
}
"""Functions of `base.files` that change without announcing, and why."""


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.name)
def test_a_module_changes_disks_only_through_base_files(module: Module) -> None:
    if module.name == "issmedia.base.files":
        return

    found = {call for _, call in changes(module)}

    assert found == ELSEWHERE.get(module.name, set())


def test_base_files_announces_each_change_it_makes() -> None:
    (module,) = (one for one in MODULES if one.name == "issmedia.base.files")
    silent = {
        function.name
        for function in module.functions()
        if list(_changes_in(function)) and "announce(" not in ast.unparse(function)
    }

    assert silent == set(UNANNOUNCED)


@pytest.mark.parametrize(
    "text",
    [
        "import os\nos.rename(a, b)",
        "from os import unlink\nunlink(a)",
        "import shutil\nshutil.copyfile(a, b)",
        "from pathlib import Path\nPath(a).write_bytes(b)",
        "a.mkdir()",
        "open(a, 'wb')",
        "a.open(mode='a')",
        "open(a, mode)",
        "os.open(a, os.O_WRONLY | os.O_CREAT)",
        "with tempfile.TemporaryDirectory() as a: pass",
    ],
)
def test_a_change_beside_base_files_is_found(text: str) -> None:
    assert list(changes(module_of("issmedia.depot.store", text))) != []


@pytest.mark.parametrize(
    "text",
    ["files.rename(a, b)", "text.replace('a', 'b')", "a.open('rb')", "open(a, 'rb')", "os.open(a, os.O_RDONLY)"],
)
def test_what_changes_nothing_is_let_pass(text: str) -> None:
    assert list(changes(module_of("issmedia.depot.store", text))) == []


def changes(module: Module) -> Iterator[tuple[int, str]]:
    """Find the calls of a module that change a disk: line and name."""
    yield from _changes_in(module.tree)


def _changes_in(tree: ast.AST) -> Iterator[tuple[int, str]]:
    names = {name for functions in _CHANGING.values() for name in functions.split()}
    imported = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module in _CHANGING
        for alias in node.names
        if alias.name in names
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _changes(node, imported):
            yield node.lineno, ast.unparse(node.func)


def _changes(call: ast.Call, imported: set[str]) -> bool:
    holder, _, name = ast.unparse(call.func).rpartition(".")
    if _OWN.fullmatch(f"{holder}.{name}"):
        return False
    if name == "open":
        return _opens_for_writing(call, holder)
    if holder in _CHANGING:
        return name in _CHANGING[holder].split()
    return name in imported if holder == "" else name in _CHANGING["pathlib"].split()


def _opens_for_writing(call: ast.Call, holder: str) -> bool:
    """Judge `open(path, mode)`, `path.open(mode)` and `os.open(path, flags)`; what is not plain counts as writing."""
    if holder == "os":
        flags = ast.unparse(call.args[1])
        return any(flag in flags for flag in ("O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC", "O_APPEND"))
    given = [one.value for one in call.keywords if one.arg == "mode"]
    modes = given or call.args[1:2] if holder == "" else given or call.args[:1]
    mode = modes[0] if modes else ast.Constant("r")
    if isinstance(mode, ast.Constant):
        return isinstance(mode.value, str) and len(mode.value) <= 3 and bool(set("wax+") & set(mode.value))
    return holder == ""
