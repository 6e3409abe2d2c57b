"""Repodata of a part of a repository."""

import gzip
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import createrepo_c
import pytest

from issmedia.base.events import Event, Warned
from issmedia.content.base import Synced
from issmedia.content.yum.content import YUM
from issmedia.content.yum.made import MadeFile
from tests.makers.extras import AdvisorySpec, ModuleSpec
from tests.makers.parts import document, parts_of, share_of, write_part
from tests.makers.repodata import Pkg, Rec, primary_record, primary_xml, write_packages, write_repo
from tests.makers.repos import BuiltRepo, PackageSpec, build_repo
from tests.makers.sink import MemorySink
from tests.makers.syncs import sync

Make = Callable[..., tuple[MadeFile, ...]]
NAMES = ("name", "epoch", "version", "release", "arch", "location_href", "pkgId", "requires", "provides", "files")


@pytest.fixture
def sink() -> MemorySink:
    return MemorySink()


@pytest.fixture
def synced(repo: BuiltRepo, sink: MemorySink) -> Synced:
    return sync(repo.path, sink)


@pytest.fixture
def make(repo: BuiltRepo, synced: Synced, sink: MemorySink) -> Make:
    """Make the part of the small repository that has the packages of these names."""

    def made(*names: str) -> tuple[MadeFile, ...]:
        return parts_of(synced.tree, sink, [share_of(repo, *names)])[0]

    return made


def parsed(directory: Path) -> list[dict[str, Any]]:
    """List what createrepo_c reads of a repository's packages."""
    metadata = createrepo_c.Metadata()
    metadata.locate_and_load_xml(str(directory))
    packages = [metadata.get(key) for key in metadata.keys()]  # noqa: SIM118
    return [{name: getattr(one, name) for name in (*NAMES, "changelogs", "summary")} for one in packages]


def names_in(text: str) -> list[str]:
    return re.findall(r"<name>([^<]*)</name>", text)


def test_a_share_with_everything_lists_what_upstream_lists(repo: BuiltRepo, make: Make, tmp_path: Path) -> None:
    part = write_part(tmp_path / "part", make(), {})

    assert sorted(parsed(part), key=str) == sorted(parsed(repo.path), key=str)


def test_a_part_lists_only_its_packages_byte_for_byte(repo: BuiltRepo, make: Make) -> None:
    files = make("app", "base")

    primary = document(files, "primary")
    assert names_in(primary) == ["app", "base"]
    for kind in "primary", "filelists", "other":
        upstream = gzip.decompress(next((repo.path / "repodata").glob(f"*-{kind}.xml.gz")).read_bytes()).decode()
        elements = re.findall(r"<package[ >].*?</package>", document(files, kind), re.DOTALL)
        assert len(elements) == 2
        assert all(element in upstream for element in elements)
        assert 'packages="2"' in document(files, kind)


def test_each_package_goes_to_the_shares_that_have_it(repo: BuiltRepo, synced: Synced, sink: MemorySink) -> None:
    shares = [share_of(repo, "app"), share_of(repo, "base", "library"), share_of(repo, "base"), {}]

    parts = parts_of(synced.tree, sink, shares)

    listed = [names_in(document(files, "primary")) for files in parts]
    assert listed == [["app"], ["library", "library", "base"], ["base"], []]


def test_a_package_may_lie_elsewhere_on_the_volume(repo: BuiltRepo, synced: Synced, sink: MemorySink) -> None:
    href = repo.package("app").href

    (files,) = parts_of(synced.tree, sink, [{href: "../../q/r/Packages/a&b.rpm"}])

    assert '<location href="../../q/r/Packages/a&amp;b.rpm"/>' in document(files, "primary")


def test_the_same_input_gives_the_same_bytes(make: Make) -> None:
    assert make("app") == make("app")


def test_looking_for_few_packages_finds_the_same_as_reading_all(
    repo: BuiltRepo, synced: Synced, sink: MemorySink
) -> None:
    few, everything = share_of(repo, "library"), share_of(repo)

    (alone,) = parts_of(synced.tree, sink, [few])
    beside, _ = parts_of(synced.tree, sink, [few, everything])

    assert alone == beside


def test_repomd_names_every_file_made(make: Make, tmp_path: Path) -> None:
    files = make("library", "app", "streamed")

    part = write_part(tmp_path, files, {})
    records = createrepo_c.Repomd(str(part / "repodata/repomd.xml")).records
    assert [one.type for one in records] == ["primary", "filelists", "other", "updateinfo", "group", "modules"]
    assert [one.location_href for one in records] == [file.path for file in files[:-1]]
    assert {one.timestamp for one in records} == {1780315200}


def test_a_part_can_be_synced(make: Make, repo: BuiltRepo, tmp_path: Path) -> None:
    packages = {one.href: (repo.path / one.href).read_bytes() for one in repo.packages if one.name != "base"}
    part = write_part(tmp_path / "part", make("app", "library", "streamed"), packages)
    sink = MemorySink()

    inventory = YUM.inventory(sync(part, sink).tree, sink.open)

    assert [package.name for _, package in inventory.packages] == ["app", "library", "library", "streamed"]
    assert [one.id for one in inventory.advisories] == ["TEST-2023:0001"]
    assert [one.id for one in inventory.groups] == ["tools"]
    assert [one.key for one in inventory.modules] == ["streamed:5"]


@pytest.mark.parametrize(("name", "kind"), [("library", "updateinfo"), ("app", "comps"), ("streamed", "modules")])
def test_what_speaks_of_no_package_of_the_part_is_not_there(make: Make, name: str, kind: str) -> None:
    others = {"app", "library", "base", "streamed"} - {name}

    assert document(make(name), kind)
    assert not document(make(*others), kind)


def test_an_advisory_names_only_the_packages_that_are_there(tmp_path: Path, sink: MemorySink) -> None:
    advisories = [AdvisorySpec("A-1", ("one", "two")), AdvisorySpec("A-2", ("two",)), AdvisorySpec("A-3", ("three",))]
    repo = build_repo(tmp_path / "up", ["one", "two", "three"], advisories=advisories)

    (files,) = parts_of(sync(repo.path, sink).tree, sink, [share_of(repo, "two")])

    record = createrepo_c.UpdateInfo(str(write_part(tmp_path / "part", files, {}) / files[3].path))
    named = [(one.id, [package.name for package in one.collections[0].packages]) for one in record.updates]
    assert named == [("A-1", ["two"]), ("A-2", ["two"])]


def test_a_stream_lists_only_the_artifacts_that_are_there(tmp_path: Path, sink: MemorySink) -> None:
    modules = [ModuleSpec("m", "1", ("one", "two")), ModuleSpec("n", "1", ("three",))]
    repo = build_repo(tmp_path / "up", ["one", "two", "three"], modules=modules)

    (files,) = parts_of(sync(repo.path, sink).tree, sink, [share_of(repo, "two")])

    text = document(files, "modules")
    assert 'rpms: ["two-0:1.0-1.noarch", ]' in text
    assert "name: n" not in text
    assert text.count("document: modulemd") == 1


COMPS = b"""<?xml version="1.0"?>
<!DOCTYPE comps PUBLIC "-//Red Hat, Inc.//DTD Comps info//EN" "comps.dtd">
<comps>
  <group><id>g1</id><packagelist><packagereq>one</packagereq> <packagereq>two</packagereq></packagelist></group>
  <!-- <group><id>g9</id></group> -->
  <group><id>g2</id><packagelist><packagereq>three</packagereq></packagelist></group>
  <category><id>c1</id><grouplist><groupid>g1</groupid><groupid>g2</groupid></grouplist></category>
  <category><id>c2</id><grouplist><groupid>g2</groupid></grouplist></category>
  <environment><id>e</id><grouplist><groupid>g2</groupid></grouplist>
    <optionlist><groupid>g1</groupid></optionlist></environment>
  <langpacks><match name="one" install="one-%s"/><match name="three" install="three-%s"/></langpacks>
</comps>
"""


def other_record(kind: str, href: str, data: bytes, tmp_path: Path) -> Path:
    """Write a repository of the packages one, two and three, and one more record."""
    packages = [Pkg(f"{name}.rpm", name.encode(), name) for name in ("one", "two", "three")]
    records = [primary_record(primary_xml(packages)), Rec(kind, href, data)]
    return write_repo(tmp_path / "up", records, {one.href: one.data for one in packages})


def test_comps_refer_only_to_what_is_there(tmp_path: Path, sink: MemorySink) -> None:
    upstream = other_record("group", "repodata/comps.xml", COMPS, tmp_path)

    (files,) = parts_of(sync(upstream, sink).tree, sink, [{"two.rpm": "two.rpm"}])

    text = document(files, "comps")
    assert re.findall(r"<id>(\w+)</id>", text) == ["g1", "c1", "e"]
    assert re.findall(r"<groupid>(\w+)</groupid>", text) == ["g1", "g1"]
    assert re.findall(r"<packagereq>(\w+)</packagereq>", text) == ["two"]
    assert "langpacks" not in text


MODULES = b"""---
document: modulemd-defaults
version: 1
data: {module: m, stream: "1"}
---
document: modulemd-defaults
version: 1
data: {module: m, stream: "2"}
---
document: modulemd-obsoletes
version: 1
data: {module: m, stream: "2"}
---
document: modulemd-obsoletes
version: 1
data: {module: m, stream: "1", obsoleted_by: {module: m, stream: "2"}}
---
document: modulemd
version: 2
data:
  name: m
  stream: "1"
  version: 1
  artifacts:
    rpms:
    # what was built
    - one-0:1-1.noarch
    - 'two-0:1-1.noarch'
  xmd: {a: b}
---
document: modulemd
version: 2
data: {name: m, stream: "2", version: 1, artifacts: {rpms: [three-0:1-1.noarch]}}
---
document: something-else
"""


def test_module_documents_refer_only_to_streams_that_are_there(tmp_path: Path, sink: MemorySink) -> None:
    upstream = other_record("modules", "repodata/modules.yaml", MODULES, tmp_path)

    one, two = parts_of(sync(upstream, sink).tree, sink, [{"two.rpm": "two.rpm"}, {"three.rpm": "three.rpm"}])

    first, second = document(one, "modules"), document(two, "modules")
    assert re.findall(r"document: ([\w-]+)", first) == ["modulemd-defaults", "modulemd"]
    assert '    rpms: ["two-0:1-1.noarch", ]\n  xmd: {a: b}\n...\n' in first
    assert re.findall(r"document: ([\w-]+)", second) == ["modulemd-defaults", "modulemd-obsoletes", "modulemd"]
    assert 'artifacts: {rpms: ["three-0:1-1.noarch", ]}}' in second


def test_a_package_that_filelists_do_not_know_is_listed_there_without_files(tmp_path: Path, sink: MemorySink) -> None:
    upstream = other_record("filelists", "repodata/filelists.xml", b"<filelists/>", tmp_path)

    (files,) = parts_of(sync(upstream, sink).tree, sink, [{"two.rpm": "two.rpm"}])

    assert '" name="two" arch="noarch"><version epoch="0" ver="1" rel="1"/></package>' in document(files, "filelists")


@pytest.mark.parametrize(
    ("kind", "data"), [("group", b"<comps><group>"), ("modules", b"a: ["), ("filelists", b"<filelists><package >")]
)
def test_a_document_that_cannot_be_read_is_reported_and_left_out(
    tmp_path: Path, sink: MemorySink, kind: str, data: bytes
) -> None:
    upstream = other_record(kind, f"repodata/{kind}", data, tmp_path)
    events = list[Event]()

    (files,) = parts_of(sync(upstream, sink).tree, sink, [{"two.rpm": "two.rpm"}], report=events.append)

    assert [file.path.rpartition("-")[2] for file in files] == ["primary.xml.gz", "repodata/repomd.xml"]
    assert [event.where for event in events if isinstance(event, Warned)] == [f"repodata/{kind}"]


def test_comments_and_cdata_do_not_mislead(tmp_path: Path, sink: MemorySink) -> None:
    packages = [Pkg("a.rpm", b"a", "a", summary="<!-- </package> --><![CDATA[</package> & more]]>"), Pkg("b.rpm", b"b")]
    upstream = write_packages(tmp_path, packages)

    (files,) = parts_of(sync(upstream, sink).tree, sink, [{"a.rpm": "a.rpm"}])

    assert "<summary>&lt;/package&gt; &amp; more</summary>" in document(files, "primary")


def test_a_package_listed_twice_is_listed_once(tmp_path: Path, sink: MemorySink) -> None:
    upstream = write_packages(tmp_path, [Pkg("a.rpm"), Pkg("b.rpm"), Pkg("a.rpm")])

    (files,) = parts_of(sync(upstream, sink).tree, sink, [{"a.rpm": "a.rpm"}])

    assert document(files, "primary").count('href="a.rpm"') == 1


def test_epochs_count(tmp_path: Path, sink: MemorySink) -> None:
    specs = [PackageSpec("a", epoch=1), PackageSpec("b")]
    repo = build_repo(tmp_path / "up", specs, advisories=[AdvisorySpec("A-1", ("a",)), AdvisorySpec("A-2", ("b",))])

    (files,) = parts_of(sync(repo.path, sink).tree, sink, [share_of(repo, "a")])

    assert re.findall(r"<id>(.*?)</id>", document(files, "updateinfo")) == ["A-1"]
