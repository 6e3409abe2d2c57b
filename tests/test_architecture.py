"""The architecture holds: what imports what, who may read the clock, and who makes a `VerifiedBundle`.

Each rule is a function: module → what is wrong with it. Every rule is tried on all of issmedia, and on bad code
that it must find.
"""

import ast
import re
from collections.abc import Callable, Iterable, Iterator

import pytest

from scripts.source import Function, Module, cycle, module_of, modules_in

MODULES = modules_in("issmedia")

BELOW = {
    "": set[str](),
    "base": set[str](),
    "model": {"base"},
    "depot": {"base", "model"},
    "content": {"base", "model"},
    "bundle": {"base", "model", "depot"},
    "net": {"base", "model"},
    "ops": {"base", "model", "depot", "content", "bundle", "net"},
    "web": {"base", "model", "depot", "content", "bundle", "net", "ops"},
    "cli": {"base", "model", "depot", "content", "bundle", "net", "ops", "web"},
}
"""Layer → the layers it may import, beside itself and the version in `issmedia`."""

FACES = {"cli", "web"}

ONLY_IN = {
    "createrepo_c": r"issmedia\.content\.yum\.child",
    "cryptography": r"issmedia\.depot\.keys",
    "click": r"issmedia\.cli(\..*)?",
    "pycurl": r"issmedia\.net\.curl(_options)?",
    "rich": r"issmedia\.cli(\..*)?",
    "platformdirs": r"issmedia\.cli(\..*)?",
    "segno": r"issmedia\.cli(\..*)?",
    "solv": r"issmedia\.content\.yum\.solving",
    "sqlite3": r"issmedia\.depot\.catalog.*",
    "yaml": r"issmedia\.content\.yum\.modulemd",
    "zfec": r"issmedia\.bundle\.stripes",
    "zstandard": r"issmedia\.(bundle|content\.yum)\..*",
}
"""Package → the modules that may import it."""

NETWORK = {
    "socket",
    "ssl",
    "socketserver",
    "http.client",
    "http.server",
    "urllib.request",
    "asyncio",
    "ftplib",
    "smtplib",
}
MAY_DIAL = r"issmedia\.net\..*|issmedia\.web\.server|issmedia\.base\.sockets"

IN_ONE_MODULE = ("rpm_rs", "pysequoia")

IMPURE = {
    "os",
    "io",
    "pathlib",
    "time",
    "random",
    "secrets",
    "tempfile",
    "shutil",
    "subprocess",
    "threading",
    "fcntl",
    "glob",
}

AMBIENT = {
    "time": {
        "time",
        "time_ns",
        "monotonic",
        "monotonic_ns",
        "perf_counter",
        "gmtime",
        "localtime",
        "ctime",
        "strftime",
    },
    "datetime": {"now", "utcnow", "today"},
    "date": {"today"},
    "os": {"environ", "environb", "getenv", "getcwd", "getcwdb", "getlogin"},
    "Path": {"cwd", "home"},
}
"""What a name's attributes must not be used for below the faces."""

Rule = Callable[[Module], Iterator[str]]


def layer_of(name: str) -> str:
    """Give the layer of a dotted name; empty for `issmedia` itself and what stands in it."""
    parts = name.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in BELOW else ""


def layers(module: Module) -> Iterator[str]:
    """Imports go down only."""
    layer = layer_of(module.name)
    for name in _ours(module):
        target = layer_of(name)
        if target not in ("", layer) and target not in BELOW[layer]:
            yield f"{layer or 'issmedia'} imports {name}"


def known_layer(module: Module) -> Iterator[str]:
    """Every module stands in a layer."""
    if module.name != "issmedia" and layer_of(module.name) == "":
        yield "stands in no layer"


def operations(module: Module) -> Iterator[str]:
    """Operations do not import one another."""
    if module.name.startswith("issmedia.ops."):
        yield from (f"imports {name}" for name in _ours(module) if layer_of(name) == "ops")


def in_its_place(module: Module) -> Iterator[str]:
    """A package is used where its job is."""
    for package, place in ONLY_IN.items():
        if _imports_any(module, {package}) and not re.fullmatch(place, module.name):
            yield f"imports {package}"


def network(module: Module) -> Iterator[str]:
    """Only the wire opens sockets."""
    if _imports_any(module, NETWORK) and not re.fullmatch(MAY_DIAL, module.name):
        yield "imports what opens sockets"


def written_sql(module: Module) -> Iterator[str]:
    """SQL is written out in the catalog; values are its parameters."""
    for call in [call for name in ("execute", "executemany", "executescript") for call in _calls(module, name)]:
        if not re.fullmatch(ONLY_IN["sqlite3"], module.name):
            yield f"line {call.lineno}: executes SQL"
        elif not isinstance(call.args[0], ast.Constant | ast.Name):
            yield f"line {call.lineno}: executes {ast.unparse(call.args[0])}"


def absolute(module: Module) -> Iterator[str]:
    """Imports are absolute."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ImportFrom) and node.level > 0:
            yield f"line {node.lineno}: a relative import"


def pure_model(module: Module) -> Iterator[str]:
    """The model knows no files, clock, randomness or environment."""
    if layer_of(module.name) != "model":
        return
    yield from (f"imports {name}" for name in module.imports() if _within(name, IMPURE))
    yield from (
        f"line {call.lineno}: opens a file" for call in _calls(module, "open") if isinstance(call.func, ast.Name)
    )


def silent(module: Module) -> Iterator[str]:
    """Below the command line nothing prints or asks."""
    if layer_of(module.name) != "cli":
        for name in ("print", "input", "breakpoint"):
            yield from (f"line {call.lineno}: calls {name}" for call in _calls(module, name))


def no_ambience(module: Module) -> Iterator[str]:
    """Below the faces nothing reads the clock, the environment or the current directory."""
    if layer_of(module.name) in FACES:
        return
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Attribute) and _ambient(ast.unparse(node.value).rpartition(".")[2], node.attr):
            yield f"line {node.lineno}: {ast.unparse(node)}"
        elif isinstance(node, ast.Attribute) and node.attr in ("expanduser", "expandvars"):
            yield f"line {node.lineno}: {node.attr}"
        elif isinstance(node, ast.ImportFrom):
            yield from (f"imports {alias.name}" for alias in node.names if _ambient(str(node.module), alias.name))
        elif isinstance(node, ast.alias) and node.asname and node.name in AMBIENT:
            yield f"line {node.lineno}: hides {node.name} behind another name"


def one_maker(module: Module) -> Iterator[str]:
    """Only `ops/verify.py` makes a `VerifiedBundle`."""
    if module.name != "issmedia.ops.verify":
        yield from (f"line {call.lineno}: makes a VerifiedBundle" for call in _calls(module, "VerifiedBundle"))


def verified_import(module: Module) -> Iterator[str]:
    """`import_bundle` takes a `VerifiedBundle` first, and stands in `ops/imports.py`."""
    found = [function for function in module.functions() if function.name == "import_bundle"]
    yield from (f"line {one.lineno}: takes {_first_type(one)}" for one in found if _first_type(one) != "VerifiedBundle")
    if module.name == "issmedia.ops.imports" and not found:
        yield "has no import_bundle"


RULES: dict[Rule, tuple[str, str]] = {
    known_layer: ("issmedia.utils", "x = 1"),
    layers: ("issmedia.model.tree", "from issmedia.depot import store"),
    operations: ("issmedia.ops.sync", "from issmedia.ops.verify import verify"),
    in_its_place: ("issmedia.ops.sync", "import createrepo_c"),
    network: ("issmedia.ops.sync", "from socket import create_connection"),
    written_sql: ("issmedia.depot.catalog_names", "db.execute(f'SELECT {name}')"),
    absolute: ("issmedia.ops.sync", "from .verify import verify"),
    pure_model: ("issmedia.model.tree", "from pathlib import Path"),
    silent: ("issmedia.ops.sync", "print('x')"),
    no_ambience: ("issmedia.ops.sync", "import time\nnow = time.time()"),
    one_maker: ("issmedia.ops.sync", "bundle = VerifiedBundle()"),
    verified_import: ("issmedia.ops.imports", "def import_bundle(bundle: UnverifiedBundle) -> None: ..."),
}
"""Each rule with a module that breaks it."""

BAD: list[tuple[Rule, str, str]] = [
    *((rule, name, text) for rule, (name, text) in RULES.items()),
    (layers, "issmedia.content.yum.sync", "import issmedia.net.upstream"),
    (layers, "issmedia.net.upstream", "from issmedia.content.base import Stream"),
    (layers, "issmedia.bundle.writer", "from issmedia.content.base import Sink"),
    (layers, "issmedia.depot.store", "def f():\n    from issmedia.ops import sync"),
    (layers, "issmedia.ops.sync", "from issmedia.cli import render"),
    (layers, "issmedia.base.files", "from issmedia.model import tree"),
    (layers, "issmedia", "from issmedia.base import errors"),
    (layers, "issmedia.depot.store", "from issmedia import ops"),
    (operations, "issmedia.ops.sync", "from issmedia.ops import verify"),
    *((in_its_place, "issmedia.base.files", f"import {package}") for package in ONLY_IN),
    *((in_its_place, "issmedia.depot.store", f"from {package}.part import name") for package in ONLY_IN),
    *((network, "issmedia.depot.store", f"import {name}") for name in sorted(NETWORK)),
    (network, "issmedia.cli.main", "from http import server"),
    (written_sql, "issmedia.depot.catalog_names", "db.execute('SELECT %s' % name)"),
    (written_sql, "issmedia.depot.catalog_names", "db.executemany('SELECT {}'.format(name), rows)"),
    (written_sql, "issmedia.ops.sync", "db.execute('SELECT 1')"),
    *((pure_model, "issmedia.model.plan", f"import {name}") for name in sorted(IMPURE)),
    (pure_model, "issmedia.model.plan", "from os import path"),
    (pure_model, "issmedia.model.plan", "data = open('x')"),
    (no_ambience, "issmedia.ops.sync", "from datetime import datetime\nnow = datetime.now()"),
    (no_ambience, "issmedia.ops.sync", "import datetime\nnow = datetime.datetime.now()"),
    (no_ambience, "issmedia.net.upstream", "from time import monotonic"),
    (no_ambience, "issmedia.depot.store", "import os\nhome = os.environ['HOME']"),
    (no_ambience, "issmedia.depot.store", "from os import environ"),
    (no_ambience, "issmedia.depot.store", "import os as system"),
    (no_ambience, "issmedia.depot.store", "from datetime import datetime as moment"),
    (no_ambience, "issmedia.depot.store", "here = Path.cwd()"),
    (no_ambience, "issmedia.depot.store", "here = Path('~').expanduser()"),
    (one_maker, "issmedia.cli.main", "bundle = manifest.VerifiedBundle(1)"),
    (verified_import, "issmedia.ops.imports", "x = 1"),
    (verified_import, "issmedia.ops.imports", "def import_bundle(bundle): ..."),
]

GOOD: list[tuple[Rule, str, str]] = [
    (layers, "issmedia.ops.sync", "from issmedia.depot.store import Store\nfrom issmedia.content import base"),
    (layers, "issmedia.bundle.writer", "from issmedia import __version__"),
    (in_its_place, "issmedia.depot.catalog_search", "import sqlite3"),
    (in_its_place, "issmedia.cli.render", "import rich.console"),
    (written_sql, "issmedia.depot.catalog_names", "db.execute('SELECT :name', {'name': name})"),
    (network, "issmedia.net.link", "import socket"),
    (no_ambience, "issmedia.net.upstream", "import time\ntime.sleep(1)"),
    (no_ambience, "issmedia.cli.main", "import os\nhome = os.environ['HOME']"),
    (one_maker, "issmedia.ops.verify", "bundle = VerifiedBundle()"),
    (verified_import, "issmedia.ops.imports", "def import_bundle(bundle: VerifiedBundle, depot: Depot): ..."),
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_issmedia_keeps_the_rule(rule: Rule) -> None:
    assert [f"{module.name}: {fault}" for module in MODULES for fault in rule(module)] == []


@pytest.mark.parametrize(("rule", "name", "text"), BAD, ids=lambda value: getattr(value, "__name__", None))
def test_the_rule_finds_what_breaks_it(rule: Rule, name: str, text: str) -> None:
    assert list(rule(module_of(name, text))) != []


@pytest.mark.parametrize(("rule", "name", "text"), GOOD, ids=lambda value: getattr(value, "__name__", None))
def test_the_rule_lets_good_code_pass(rule: Rule, name: str, text: str) -> None:
    assert list(rule(module_of(name, text))) == []


def test_all_of_issmedia_is_looked_at() -> None:
    names = {module.name for module in MODULES}

    assert {"issmedia", "issmedia.base.files", "issmedia.model.tree", "issmedia.content.base"} <= names


def test_there_is_no_import_cycle() -> None:
    assert cycle(MODULES) == []


@pytest.mark.parametrize("text", ["import p.b", "from p import b", "from p.b import name", "def f():\n    import p.b"])
def test_an_import_cycle_is_found(text: str) -> None:
    modules = [module_of("p.a", text), module_of("p.b", "from p.c import x"), module_of("p.c", "from p import a")]

    assert sorted(set(cycle(modules))) == ["p.a", "p.b", "p.c"]


@pytest.mark.parametrize("package", IN_ONE_MODULE)
def test_a_package_is_used_in_one_module_at_most(package: str) -> None:
    assert len(users(package, MODULES)) <= 1


def test_two_users_of_a_package_are_found() -> None:
    modules = [module_of("p.a", "import rpm_rs"), module_of("p.b", "from rpm_rs import Package")]

    assert users("rpm_rs", modules) == ["p.a", "p.b"]


def users(package: str, modules: Iterable[Module]) -> list[str]:
    """Name the modules that import a package."""
    return [module.name for module in modules if _imports_any(module, {package})]


def _ours(module: Module) -> Iterator[str]:
    return (name for name in module.imports() if _within(name, {"issmedia"}))


def _imports_any(module: Module, packages: set[str]) -> bool:
    return any(_within(name, packages) for name in module.imports())


def _within(name: str, packages: set[str]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def _ambient(holder: str, name: str) -> bool:
    return name in AMBIENT.get(holder, ())


def _calls(module: Module, name: str) -> Iterator[ast.Call]:
    """Find calls of `name` and of `anything.name`."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == name:
            yield node


def _first_type(function: Function) -> str:
    arguments = function.args.posonlyargs + function.args.args
    annotation = arguments[0].annotation if arguments else None
    return ast.unparse(annotation) if annotation else "anything"
