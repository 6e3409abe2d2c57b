"""Groups and module streams, read from comps.xml and modules.yaml."""

import gzip
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from issmedia.base.errors import FormatError
from issmedia.base.events import Event, Warned
from issmedia.content.yum.content import YUM
from issmedia.content.yum.reader import Parser, Unpacked
from issmedia.model.package import Group, ModuleStream
from tests.makers.repodata import Pkg, Rec, primary_record, primary_xml, write_repo
from tests.makers.repos import BuiltRepo
from tests.makers.sink import MemorySink
from tests.makers.syncs import sync

COMPS = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE comps PUBLIC "-//Red Hat, Inc.//DTD Comps info//EN" "comps.dtd">
<comps>
  <group><id>tools</id><name xml:lang="de">Werkzeug</name><name>Tools</name>
    <packagelist><packagereq type="mandatory">app</packagereq></packagelist></group>
  <category><id>all</id><name>All</name></category>
  <group><id>empty</id></group>
</comps>
"""
MODULES = """---
document: modulemd
version: 2
data:
  name: perl
  stream: 1.10
  version: 8040020210127115317
  context: c0ffee00
  arch: x86_64
  summary: &unused Perl
  xmd: {on: [yes, 1e3, ~, !!python/name:os.system x]}
---
document: modulemd-defaults
version: 1
data: {module: perl, stream: 1.10}
---
document: modulemd
version: 1
data: {name: perl, stream: "5", version: 1}
...
"""


@pytest.fixture
def groups(tmp_path: Path) -> Callable[[bytes], list[Group]]:
    def read(data: bytes) -> list[Group]:
        (tmp_path / "comps.xml").write_bytes(data)
        with (tmp_path / "comps.xml").open("rb") as file:
            return Parser().groups(file, Unpacked(), where="comps.xml")

    return read


@pytest.fixture
def modules(tmp_path: Path) -> Callable[[bytes], list[ModuleStream]]:
    def read(data: bytes) -> list[ModuleStream]:
        (tmp_path / "modules.yaml").write_bytes(data)
        with (tmp_path / "modules.yaml").open("rb") as file:
            return Parser().modules(file, Unpacked(), where="modules.yaml")

    return read


def test_groups_have_an_id_and_the_name_that_is_in_no_language(groups: Callable[[bytes], list[Group]]) -> None:
    found = groups(COMPS.encode())

    assert [(one.id, one.name) for one in found] == [("tools", "Tools"), ("empty", "")]


def test_the_digest_of_a_group_is_that_of_its_content_not_of_its_form(groups: Callable[[bytes], list[Group]]) -> None:
    plain, packed = groups(COMPS.encode()), groups(gzip.compress(COMPS.replace("\n", "\n\n   ").encode()))
    other = groups(COMPS.replace("mandatory", "optional").encode())

    assert plain == packed
    assert [one.digest == two.digest for one, two in zip(plain, other, strict=True)] == [False, True]


def test_module_streams_are_text_as_it_stands_there(modules: Callable[[bytes], list[ModuleStream]]) -> None:
    first, second = modules(MODULES.encode())

    assert (first.key, first.version, first.context, first.arch) == (
        "perl:1.10", 8040020210127115317, "c0ffee00", "x86_64",
    )  # fmt: skip
    assert (second.key, second.version, second.context, second.arch) == ("perl:5", 1, "", "")


def test_the_digest_of_a_stream_is_that_of_its_content_not_of_its_form(
    modules: Callable[[bytes], list[ModuleStream]],
) -> None:
    plain, packed = modules(MODULES.encode()), modules(gzip.compress(MODULES.replace('"5"', "5").encode()))
    other = modules(MODULES.replace("1e3", "1e4").encode())

    assert plain == packed
    assert [one.digest == two.digest for one, two in zip(plain, other, strict=True)] == [False, True]


@pytest.mark.parametrize("document", ["", "---\n...\n", "# nothing\n", "plain text", "- a\n- b\n", "document: other\n"])
def test_documents_of_other_kinds_are_passed_over(
    modules: Callable[[bytes], list[ModuleStream]], document: str
) -> None:
    assert modules(document.encode()) == []


def test_both_sides_find_the_same_in_a_repository(repo: BuiltRepo) -> None:
    sink = MemorySink()

    synced = sync(repo.path, sink)

    assert synced.inventory
    assert [one.id for one in synced.inventory.groups] == ["tools"]
    assert [one.key for one in synced.inventory.modules] == ["streamed:5"]
    assert YUM.inventory(synced.tree, sink.open) == synced.inventory


def test_what_cannot_be_read_is_named_and_costs_nothing_else(tmp_path: Path) -> None:
    records = [Rec("group", "repodata/comps.xml", b"<comps>"), Rec("modules", "repodata/modules.yaml", b"a: [")]
    package = Pkg("a.rpm", b"a package")
    write_repo(tmp_path, [primary_record(primary_xml([package])), *records], {"a.rpm": b"a package"})
    sink, events = MemorySink(), list[Event]()

    synced = sync(tmp_path, sink, report=events.append)
    again = YUM.inventory(synced.tree, sink.open)

    assert synced.inventory == again
    assert (len(again.packages), again.groups, again.modules) == (1, (), ())
    assert [problem.where for problem in again.unread] == ["repodata/comps.xml", "repodata/modules.yaml"]
    assert [event.where for event in events if isinstance(event, Warned)] == [one.where for one in again.unread]
    assert synced.incomplete == ()


def test_the_child_is_the_only_one_that_loads_yaml() -> None:
    code = "import sys, issmedia.content.yum; sys.exit('yaml' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=Path(__file__).parents[2]).returncode == 0


def test_a_group_without_an_id_is_refused(groups: Callable[[bytes], list[Group]]) -> None:
    with pytest.raises(FormatError, match="a group without an id"):
        groups(b"<comps><group><name>x</name></group></comps>")
