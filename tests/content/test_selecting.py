"""Syncing a selection: only what is chosen is fetched, and the repodata speak of nothing else."""

import gzip
import hashlib
from pathlib import Path

import pytest
import zstandard
from msgspec.structs import replace

from issmedia.base.digest import digest_of
from issmedia.base.errors import UpstreamError
from issmedia.base.events import Event, Warned
from issmedia.content.base import Choice, Synced
from issmedia.model.selection import Selected, Selection
from tests.makers.extras import AdvisorySpec, ModuleSpec
from tests.makers.http_server import serving
from tests.makers.repodata import Pkg, write_packages
from tests.makers.repos import BuiltRepo, PackageSpec, build_repo
from tests.makers.sink import MemorySink
from tests.makers.syncs import contents, reasons, sync


def choose(**wanted: object) -> Choice:
    """Choose by the fields of a selection."""
    return Choice(Selection(**wanted))  # type: ignore[arg-type]


def names(synced: Synced) -> list[str]:
    """List the packages of the tree by name and version."""
    assert synced.inventory is not None
    listed = sorted(f"{one.name}-{one.version}" for _, one in synced.inventory.packages)
    there = sorted(path.rpartition("/")[2].rsplit("-", 1)[0] for path in paths(synced) if path.endswith(".rpm"))
    assert listed == there
    return listed


def paths(synced: Synced) -> list[str]:
    """List the paths of the tree."""
    return [entry.path for entry in synced.tree.entries]


def document(synced: Synced, sink: MemorySink, kind: str) -> str:
    """Read a document of the repodata that were made, unpacked; nothing where there is none."""
    found = [data for path, data in contents(synced, sink).items() if f"-{kind}." in path]
    return "".join((gzip.decompress(data) if data.startswith(b"\x1f\x8b") else data).decode() for data in found)


@pytest.fixture
def modular(tmp_path: Path) -> BuiltRepo:
    """A repository with two builds of one stream, one of another, and an advisory on each."""
    return build_repo(
        tmp_path / "modular",
        [
            PackageSpec("node", version="18.1", requires=("npm",)),
            PackageSpec("node", version="18.2", requires=("npm",)),
            PackageSpec("node", version="20.0"),
            PackageSpec("npm", version="2"),
            PackageSpec("npm", version="1"),
            PackageSpec("docs"),
            PackageSpec("else", requires=("docs",)),
        ],
        modules=[
            ModuleSpec("node", "18", ("node-18.1", "npm-2", "docs"), version=1),
            ModuleSpec("node", "18", ("node-18.2", "npm-1", "docs"), version=2),
            ModuleSpec("node", "20", ("node-20.0",), version=1),
        ],
    )


def test_only_what_is_chosen_is_fetched(repo: BuiltRepo) -> None:
    with serving(repo.path) as server:
        found = sync(server.url, choice=choose(newest=1, exclude=("base",)))
        asked = {path for path in server.requests if path.endswith(".rpm")}

    assert names(found) == ["app-1.0", "library-2.0", "streamed-5.1"]
    assert len(asked) == 3


def test_the_repodata_speak_of_what_is_there_and_of_nothing_else(repo: BuiltRepo) -> None:
    sink = MemorySink()

    found = sync(repo.path, sink, choice=choose(include=("base", "streamed")))

    for kind in "primary", "filelists", "other":
        text = document(found, sink, kind)
        assert ("library" in text, 'packages="2"' in text) == (False, True)
    assert document(found, sink, "updateinfo") == document(found, sink, "comps") == ""
    assert "streamed-0:5.1-1.noarch" in document(found, sink, "modules")
    assert found.inventory is not None
    assert (found.inventory.advisories, found.inventory.groups) == ((), ())
    assert [one.key for one in found.inventory.modules] == ["streamed:5"]


def test_upstreams_repomd_and_its_signature_are_not_in_it(signed_repo: BuiltRepo) -> None:
    said: list[Event] = []
    sink = MemorySink()

    found = sync(signed_repo.path, sink, report=said.append, choice=choose(newest=1))

    assert not found.signed_metadata
    assert [path for path in paths(found) if path.startswith("repodata/repomd")] == ["repodata/repomd.xml"]
    assert contents(found, sink)["repodata/repomd.xml"] != signed_repo.repomd.read_bytes()
    assert [one.message for one in said if isinstance(one, Warned) and "signs its repomd.xml" in one.message] != []


def test_the_same_upstream_and_selection_give_the_same_bytes(repo: BuiltRepo) -> None:
    one, other = (sync(repo.path, choice=choose(include=("app", "library"))) for _ in range(2))

    assert one.tree == other.tree


def test_it_is_dated_by_upstreams_revision(repo: BuiltRepo) -> None:
    sink = MemorySink()

    found = sync(repo.path, sink, choice=choose(newest=1))

    assert b"<revision>1700000000</revision>" in contents(found, sink)["repodata/repomd.xml"]


@pytest.mark.parametrize("revision", ["", "soon", "99999999999999999", "١٢"])
def test_a_revision_that_is_no_time_does_no_harm(repo: BuiltRepo, revision: str) -> None:
    sink = MemorySink()
    text = repo.repomd.read_text()
    repo.repomd.write_text(text.replace("<revision>1700000000<", f"<revision>{revision}<"))

    found = sync(repo.path, sink, choice=choose(newest=1))

    assert b"<revision>0</revision>" in contents(found, sink)["repodata/repomd.xml"]


def test_the_same_again_is_not_made_again(repo: BuiltRepo) -> None:
    sink = MemorySink()
    before = sync(repo.path, sink, choice=choose(newest=1))
    kept = len(sink.kept)

    again = sync(repo.path, sink, previous=before, choice=choose(newest=1))

    assert (again.unchanged, again.tree, len(sink.kept)) == (True, before.tree, kept)
    assert again.selected == before.selected == Selected(digest_of(repo.repomd.read_bytes()), Selection(newest=1))


def test_another_selection_is_made_without_fetching_again(repo: BuiltRepo) -> None:
    with serving(repo.path) as server:
        sink = MemorySink()
        before = sync(server.url, sink, choice=choose(newest=1))
        server.requests.clear()

        again = sync(server.url, sink, previous=before, choice=choose(include=("app",)))

        asked = [path for path in server.requests if "repomd" not in path]
    assert names(again) == ["app-1.0"]
    assert [path for path in asked if not path.endswith("treeinfo")] == []


def test_a_selection_that_lacked_something_is_tried_again(repo: BuiltRepo) -> None:
    sink = MemorySink()
    path = repo.path / repo.package("app").href
    data = path.read_bytes()
    path.unlink()
    before = sync(repo.path, sink, choice=choose(include=("app", "base")))
    path.write_bytes(data)

    again = sync(repo.path, sink, previous=before, choice=choose(include=("app", "base")))

    assert list(reasons(before)) == [repo.package("app").href]
    assert names(before) == ["base-1.0"]
    assert (again.unchanged, again.incomplete, names(again)) == (False, (), ["app-1.0", "base-1.0"])


@pytest.mark.parametrize("wanted", ["security", "CVE-2023-0001", "test-2023:0001"])
def test_advisories_choose_what_they_name(repo: BuiltRepo, wanted: str) -> None:
    found = sync(repo.path, choice=choose(advisories=(wanted,), newest=1))

    assert names(found) == ["library-2.0"]
    assert found.inventory is not None
    assert [one.id for one in found.inventory.advisories] == ["TEST-2023:0001"]


def test_advisories_that_upstream_does_not_have_are_an_error(tmp_path: Path) -> None:
    repo = build_repo(tmp_path / "up", ["app"])

    with pytest.raises(UpstreamError, match="has no advisories to select by"):
        sync(repo.path, choice=choose(advisories=("security",)))


def test_an_advisory_is_cut_to_what_is_there(tmp_path: Path) -> None:
    sink = MemorySink()
    repo = build_repo(tmp_path / "up", ["one", "two"], advisories=[AdvisorySpec("A-1", ("one", "two"))])

    found = sync(repo.path, sink, choice=choose(include=("two",)))

    assert "two-1.0-1.noarch.rpm" in document(found, sink, "updateinfo")
    assert "one-1.0-1.noarch.rpm" not in document(found, sink, "updateinfo")


def test_a_stream_stays_whole_and_only_its_newest_build(modular: BuiltRepo) -> None:
    sink = MemorySink()

    found = sync(modular.path, sink, choice=choose(newest=1))

    assert names(found) == ["docs-1.0", "else-1.0", "node-18.2", "node-20.0", "npm-1"]
    text = document(found, sink, "modules")
    assert ("version: 1\n" in text, text.count('stream: "18"')) == (True, 1)
    assert "node-0:18.1-1.noarch" not in text


def test_a_stream_comes_whole_with_one_of_its_packages(modular: BuiltRepo) -> None:
    found = sync(modular.path, choice=choose(include=("node-18.2",)))

    assert names(found) == ["docs-1.0", "node-18.2", "npm-1"]


def test_dependencies_come_along_with_the_streams_they_belong_to(modular: BuiltRepo) -> None:
    found = sync(modular.path, choice=choose(include=("else",), with_dependencies=True, exclude=("*-18.1*", "npm-2")))

    assert names(found) == ["docs-1.0", "else-1.0", "node-18.2", "npm-1"]


def test_dependencies_are_closed_over(repo: BuiltRepo) -> None:
    found = sync(repo.path, choice=choose(include=("app",), with_dependencies=True))

    assert names(found) == ["app-1.0", "base-1.0", "library-2.0"]


def test_what_is_excluded_is_not_brought_back_by_what_needs_it(repo: BuiltRepo) -> None:
    found = sync(repo.path, choice=choose(include=("app",), exclude=("base",), with_dependencies=True))

    assert names(found) == ["app-1.0", "library-2.0"]


def test_what_a_neighbour_provides_does_not_come_along_and_what_it_needs_does(repo: BuiltRepo, tmp_path: Path) -> None:
    sink = MemorySink()
    other = build_repo(tmp_path / "other", ["base", PackageSpec("extra", requires=("streamed",))])
    beside = (sync(other.path, sink).tree,)
    choice = Choice(Selection(include=("app",), with_dependencies=True), beside)

    provided = sync(repo.path, sink, choice=choice)
    needing = sync(repo.path, sink, choice=replace(choice, needing=beside))

    assert names(provided) == ["app-1.0", "library-2.0"]
    assert names(needing) == ["app-1.0", "library-2.0", "streamed-5.1"]


def test_what_a_neighbours_package_needs_that_is_needed_comes_along(repo: BuiltRepo, tmp_path: Path) -> None:
    sink = MemorySink()
    other = build_repo(tmp_path / "other", [PackageSpec("base", requires=("streamed",))])
    beside = (sync(other.path, sink).tree,)

    found = sync(repo.path, sink, choice=Choice(Selection(include=("library-2*",), with_dependencies=True), beside))

    assert names(found) == ["library-2.0", "streamed-5.1"]


def test_a_kickstart_tree_is_kept_unless_it_is_not_wanted(repo: BuiltRepo) -> None:
    kept = sync(repo.path, choice=choose(include=("app",)))
    left = sync(repo.path, choice=choose(include=("app",), kickstart=False))

    assert {".treeinfo", "images/boot.img"} <= set(paths(kept))
    assert not {".treeinfo", "images/boot.img"} & set(paths(left))
    assert left.incomplete == ()


@pytest.mark.parametrize("shared", ["productid", "primary"])
def test_a_document_that_is_listed_as_two_kinds_does_no_harm(repo: BuiltRepo, shared: str) -> None:
    text = repo.repomd.read_text()
    begin = text.index(f'<data type="{shared}">')
    record = text[begin : text.index("</data>", begin) + len("</data>")]
    more = "".join(record.replace(f'"{shared}"', f'"{kind}"') for kind in ("odd", "odder"))
    repo.repomd.write_text(text.replace("</repomd>", more + "</repomd>"))

    found = sync(repo.path, choice=choose(include=("app",)))

    assert (names(found), found.incomplete) == (["app-1.0"], ())


def test_repodata_can_be_packed_with_zstd(repo: BuiltRepo) -> None:
    sink = MemorySink()

    found = sync(repo.path, sink, choice=choose(include=("app",), packing="zstd"))

    (packed,) = (data for path, data in contents(found, sink).items() if path.endswith("-primary.xml.zst"))
    assert b"<name>app</name>" in zstandard.ZstdDecompressor().decompressobj().decompress(packed)


def test_a_selection_that_chooses_nothing_is_refused_with_what_changes_it(repo: BuiltRepo) -> None:
    with pytest.raises(UpstreamError, match="the selection chooses none of its packages") as caught:
        sync(repo.path, choice=choose(include=("nothing",), kickstart=False))

    assert caught.value.hint == "issmedia repo set PRODUCT/REPO changes the selection"


def test_a_selection_from_a_repository_without_packages_is_one_too(tmp_path: Path) -> None:
    found = sync(build_repo(tmp_path / "up", []).path, choice=choose(include=("nothing",)))

    assert names(found) == []


def test_all_of_it_again_after_a_selection_is_upstreams_tree(repo: BuiltRepo) -> None:
    sink = MemorySink()
    selected = sync(repo.path, sink, choice=choose(newest=1))

    found = sync(repo.path, sink, previous=selected)

    assert contents(found, sink) == repo.files()


def test_checksums_of_packages_stay_those_that_upstream_gave(tmp_path: Path) -> None:
    package, sink = Pkg("a.rpm", kind="sha512"), MemorySink()

    found = sync(write_packages(tmp_path / "up", [package]), sink, choice=choose(include=("a",)))

    digest = hashlib.sha512(package.data).hexdigest()
    assert f'<checksum type="sha512" pkgid="YES">{digest}</checksum>' in document(found, sink, "primary")
    assert found.incomplete == ()
