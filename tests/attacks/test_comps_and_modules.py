"""What an upstream may do to us by comps and modulemd, of which we only tell what changed."""

import gzip
from pathlib import Path

import pytest

from issmedia.base.errors import FormatError
from issmedia.base.events import Event, Warned
from issmedia.content.yum.reader import MAX_DESCRIBING, Parser, Unpacked
from tests.makers.repodata import Pkg, Rec, primary_record, primary_xml, write_repo
from tests.makers.sink import MemorySink
from tests.makers.syncs import contents, sync

BAIT = "root:x:0:0: bait"
STREAM = "document: modulemd\nversion: 2\ndata: {name: n, stream: s, version: 1}\n"

ALIASES = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [{f'*a{n - 1}, ' * 9}]\n" for n in range(1, 30))
LAUGHS = '<!ENTITY l0 "lol">' + "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))


def module(fields: str) -> str:
    return f"document: modulemd\nversion: 2\ndata: {{{fields}}}\n"


HOSTILE_MODULES = [
    (ALIASES, "has an alias"),
    (STREAM + "x: &x {y: *x}\n", "has an alias"),
    (STREAM + "---\n<<: *nothing\n", "has an alias|not YAML"),
    ("[" * 100_000, "nested more than 32 deep"),
    ("{a: " * 100_000, "nested more than 32 deep"),
    ("- " * 100_000, "nested more than 32 deep"),
    ("? " * 100_000, "nested more than 32 deep"),
    ("".join(" " * n + "a:\n" for n in range(1000)), "nested more than 32 deep"),
    (module("name: n, stream: [1, 10], version: 1"), "whose stream is missing, or no text"),
    (module("name: {a: b}, stream: s, version: 1"), "whose name is missing, or no text"),
    (module("name: n, version: 1"), "whose stream is missing, or no text"),
    (module("name: n, stream: s, version: 1.5"), "got '1.5'"),
    (module("name: n, stream: s, version: -1"), "got '-1'"),
    (module("name: n, stream: s, version: 18446744073709551616"), "expected a number below 2"),
    (module(f"name: n, stream: s, version: {'9' * 10_000}"), "expected a number below 2"),
    (module("name: n, stream: s, version: ٣"), "expected a number below 2"),
    (module("name: n, stream: s, version: 1, context: [c]"), "whose context is missing, or no text"),
    ("document: modulemd\nversion: 3\ndata: {}\n", "neither of version 1 nor 2"),
    ("document: modulemd\nversion: 2\ndata: text\n", "or without data"),
    (module("name: n, name: m, stream: s, version: 1"), "a key that stands twice"),
    (module("[a]: n"), "a key that stands twice, or is no text"),
    (module(f"name: {'n' * (2 << 20)}, stream: s, version: 1"), "said too much"),
    (module("name: n\0, stream: s, version: 1"), "not YAML"),
    (STREAM.encode("utf-16")[:-1], "not YAML"),
    (b"document: \xff\xfe", "not YAML"),
    (STREAM + "---\nx: [", "not YAML"),
    (b"\0ZCK1", "zchunk is carried but not parsed"),
]

HOSTILE_COMPS = [
    (f"<!DOCTYPE comps [{LAUGHS}]><comps>&l9;</comps>", "has a DOCTYPE"),
    ('<!DOCTYPE comps [<!ENTITY x SYSTEM "file://{bait}">]><comps>&x;</comps>', "has a DOCTYPE"),
    ('<!DOCTYPE comps SYSTEM "http://127.0.0.1:9/" [<!ENTITY % x "">]><comps/>', "has a DOCTYPE"),
    ('<!DOCTYPE comps SYSTEM "file://{bait}"><comps><group><id>&x;</id></group></comps>', "undefined entity"),
    (f"<comps>{'<group>' * 100_000}", "nested more than 32 deep"),
    ("<comps><group><id>x</id></comps>", "not XML: mismatched tag"),
    ("<metadata/>", "expected the root element comps"),
    ("<comps><group/></comps>", "a group without an id"),
    (f"<comps><group><id>{'x' * (2 << 20)}</id></group></comps>", "said too much"),
    (b"<comps><group><id>\xff</id></group></comps>", "not XML"),
    ('<?xml version="1.0" encoding="utf-7"?><comps/>', "expected UTF-8"),
]


@pytest.mark.parametrize(("document", "reason"), HOSTILE_MODULES, ids=lambda value: str(value)[:20])
def test_053_hostile_modules_are_refused(tmp_path: Path, document: str | bytes, reason: str) -> None:
    """The attacker writes bombs of aliases, endless nesting, numbers for text, and what is no YAML."""
    path = tmp_path / "modules.yaml"
    path.write_bytes(document if isinstance(document, bytes) else document.encode())

    with path.open("rb") as file, pytest.raises(FormatError, match=reason) as caught:
        Parser().modules(file, Unpacked(), where="modules.yaml")

    assert caught.value.where == "modules.yaml"


@pytest.mark.parametrize(("document", "reason"), HOSTILE_COMPS, ids=lambda value: str(value)[:20])
def test_053_hostile_comps_are_refused(tmp_path: Path, document: str | bytes, reason: str) -> None:
    """The attacker writes bombs of entities, entities of our files, endless nesting, and what is no comps."""
    (tmp_path / "bait").write_text(BAIT)
    path = tmp_path / "comps.xml"
    path.write_bytes(
        document if isinstance(document, bytes) else document.replace("{bait}", str(tmp_path / "bait")).encode()
    )

    with path.open("rb") as file, pytest.raises(FormatError, match=reason) as caught:
        Parser().groups(file, Unpacked(), where="comps.xml")

    assert caught.value.where == "comps.xml"
    assert BAIT not in str(caught.value)


@pytest.mark.parametrize("kind", ["groups", "modules"])
def test_053_comps_and_modules_have_a_limit_of_their_own(tmp_path: Path, kind: str) -> None:
    """The attacker packs more blanks into the document than any distribution has text."""
    path = tmp_path / "document"
    path.write_bytes(gzip.compress(b"<comps>" + b" " * MAX_DESCRIBING, compresslevel=1))

    with path.open("rb") as file, pytest.raises(FormatError, match="unpacks to more than 67,108,864 bytes"):
        getattr(Parser(), kind)(file, Unpacked(), where="document")


def test_053_hostile_comps_and_modules_cost_no_sync(tmp_path: Path) -> None:
    """The attacker hides bombs where we read only to inform: they are carried as they are, and a person is told."""
    bombs = {"group": HOSTILE_COMPS[0][0], "modules": ALIASES}
    records = [Rec(kind, f"repodata/{kind}", str(data).encode()) for kind, data in bombs.items()]
    write_repo(tmp_path, [primary_record(primary_xml([Pkg("a.rpm", b"a")])), *records], {"a.rpm": b"a"})
    sink, events = MemorySink(), list[Event]()

    synced = sync(tmp_path, sink, report=events.append)

    carried = contents(synced, sink)
    assert {kind: carried[f"repodata/{kind}"].decode() for kind in bombs} == bombs
    assert synced.inventory
    assert (len(synced.inventory.packages), synced.inventory.groups, synced.inventory.modules) == (1, (), ())
    assert [event.where for event in events if isinstance(event, Warned)] == ["repodata/group", "repodata/modules"]
