"""Syncing whole repositories: from a directory, from file://, and from a web server."""

import hashlib
import os
import shutil
import threading
from pathlib import Path

import pytest

from issmedia.base.errors import FormatError, UpstreamError
from issmedia.base.events import Advanced, Event, Finished, Started, Warned
from issmedia.content.yum.content import YUM
from tests.makers.extras import AdvisorySpec
from tests.makers.http_server import FOR_EVER, Answer, Cut, WrongLength, serving
from tests.makers.openpgp import OpenPGPKey
from tests.makers.repodata import Pkg, Rec, primary_record, primary_xml, write_packages, write_repo
from tests.makers.repos import BuiltRepo, build_repo, sample_repo
from tests.makers.sink import MemorySink
from tests.makers.syncs import contents, reasons, sync


def file_url(repo: BuiltRepo) -> str:
    return f"file://{repo.path}"


def test_a_directory_becomes_a_tree_of_everything_in_it(signed_repo: BuiltRepo) -> None:
    (signed_repo.path / "README").write_bytes(b"read me\n")
    (signed_repo.path / "docs").mkdir()
    (signed_repo.path / "docs/empty").write_bytes(b"")
    sink = MemorySink()

    synced = sync(signed_repo.path, sink)

    assert contents(synced, sink) == signed_repo.files()
    assert synced.signed_metadata
    assert synced.incomplete == ()
    assert not synced.unchanged


@pytest.mark.parametrize("compression", ["gz", "zstd", "none"])
def test_a_file_url_and_the_web_give_all_that_the_metadata_name(
    tmp_path: Path, key: OpenPGPKey, compression: str
) -> None:
    repo = sample_repo(tmp_path / "repo", key=key, compression=compression)
    (repo.path / "README").write_bytes(b"named by nothing\n")
    named = {path: data for path, data in repo.files().items() if path != "README"}
    by_file, by_web = MemorySink(), MemorySink()

    from_file = sync(file_url(repo), by_file)
    with serving(repo.path) as server:
        from_web = sync(server.url, by_web)

    assert contents(from_file, by_file) == named
    assert contents(from_web, by_web) == named
    assert from_file == from_web
    assert from_web.signed_metadata


def test_what_will_be_fetched_is_announced_and_what_is_held_is_not(repo: BuiltRepo) -> None:
    sink = MemorySink()

    first = sync(repo.path, sink)
    fetched = sink.expected
    (repo.path / "notes").write_bytes(b"12345")
    sync(repo.path, sink, previous=first)

    assert {one.size for one in repo.packages} <= set(fetched)
    assert sink.expected == [5]


def test_the_inventory_pairs_packages_with_their_blobs(repo: BuiltRepo) -> None:
    inventory = sync(repo.path).inventory

    assert inventory is not None
    assert [(d, p.name, p.version, p.epoch, p.href, p.size) for d, p in inventory.packages] == [
        (one.sha256, one.name, one.version, one.epoch, one.href, one.size) for one in repo.packages
    ]
    assert [p.nevra for _, p in inventory.packages][3] == "base-1:1.0-1.noarch"
    assert [(a.id, a.kind, a.cves, a.issued) for a in inventory.advisories] == [
        ("TEST-2023:0001", "security", ("CVE-2023-0001",), "2023-11-14T22:13:20Z")
    ]


def test_the_inventory_of_the_tree_is_the_one_of_the_sync(repo: BuiltRepo) -> None:
    sink = MemorySink()

    synced = sync(repo.path, sink)

    assert YUM.inventory(synced.tree, sink.open) == synced.inventory


def test_an_unchanged_repository_costs_one_request(repo: BuiltRepo) -> None:
    with serving(repo.path) as server:
        first = sync(server.url)
        server.requests.clear()
        sink = MemorySink()

        again = sync(server.url, sink, previous=first)

    assert again.unchanged
    assert again.tree == first.tree
    assert server.requests == ["repodata/repomd.xml"]
    assert sink.kept == []


def test_an_unchanged_directory_is_listed_and_not_read(repo: BuiltRepo) -> None:
    first = sync(repo.path)
    for path in repo.path.rglob("*"):
        if path.is_file() and path != repo.repomd:
            size = path.stat().st_size
            path.unlink()
            path.touch()
            os.truncate(path, size)

    again = sync(repo.path, previous=first)

    assert again.unchanged


@pytest.mark.parametrize("change", ["added", "removed", "grown"])
def test_a_directory_whose_listing_changed_is_synced_again(repo: BuiltRepo, change: str) -> None:
    (repo.path / "note").write_bytes(b"1")
    first = sync(repo.path)
    if change == "removed":
        (repo.path / "note").unlink()
    else:
        (repo.path / ("note" if change == "grown" else "note2")).write_bytes(b"12")

    again = sync(repo.path, previous=first)

    assert not again.unchanged
    assert {e.path: e.size for e in again.tree.entries} == {p: len(data) for p, data in repo.files().items()}


def test_only_new_blobs_are_fetched_when_a_repository_changed(repo: BuiltRepo) -> None:
    sink = MemorySink()
    with serving(repo.path) as server:
        first = sync(server.url, sink)
        build_repo(repo.path, [(repo.path / one.href).read_bytes() for one in repo.packages] + ["fresh"])
        server.requests.clear()

        second = sync(server.url, sink, previous=first)

    fetched = [path for path in server.requests if path.endswith(".rpm")]
    assert fetched == ["Packages/f/fresh-1.0-1.noarch.rpm"]
    assert second.inventory is not None
    assert len(second.inventory.packages) == 6


def test_an_incomplete_previous_sync_is_taken_up_again(repo: BuiltRepo) -> None:
    missing = repo.packages[1].href
    data = (repo.path / missing).read_bytes()
    (repo.path / missing).unlink()
    first = sync(file_url(repo))
    (repo.path / missing).write_bytes(data)

    second = sync(file_url(repo), previous=first)

    assert reasons(first) == {missing: "is not there"}
    assert second.incomplete == ()
    assert not second.unchanged


def test_a_package_that_differs_from_its_checksum_is_left_out(repo: BuiltRepo) -> None:
    one = repo.packages[2]
    path = repo.path / one.href
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    sink = MemorySink()

    synced = sync(repo.path, sink)

    got = hashlib.sha256(path.read_bytes()).hexdigest()
    assert reasons(synced) == {one.href: f"expected sha256 {one.sha256}, got {got}"}
    assert synced.tree.find(one.href) is None
    assert got not in sink.blobs
    assert synced.inventory is not None
    assert one.href not in [package.href for _, package in synced.inventory.packages]


@pytest.mark.parametrize(("cut", "got"), [(-1, "got 1,890"), (None, "got more")])
def test_a_package_of_another_size_is_left_out(tmp_path: Path, cut: int | None, got: str) -> None:
    packages = [Pkg("a.rpm", b"a" * 1891), Pkg("b.rpm", b"b")]
    write_packages(tmp_path, packages)
    (tmp_path / "a.rpm").write_bytes(b"a" * 1890 if cut else b"a" * 1892)

    synced = sync(tmp_path)

    assert reasons(synced) == {"a.rpm": f"expected 1,891 bytes, {got}"}
    assert synced.tree.find("b.rpm") is not None


@pytest.mark.parametrize("kind", ["filelists", "other", "updateinfo", "modules", "productid"])
def test_a_record_that_cannot_be_had_is_left_out(repo: BuiltRepo, kind: str) -> None:
    (file,) = repo.path.glob(f"repodata/*-{kind}*")
    file.unlink()

    synced = sync(file_url(repo))

    assert reasons(synced) == {f"repodata/{file.name}": "is not there"}
    assert synced.inventory is not None
    assert len(synced.inventory.advisories) == (0 if kind == "updateinfo" else 1)


def test_a_repository_that_moved_on_is_no_silent_success(repo: BuiltRepo) -> None:
    with serving(repo.path) as server:
        for path in repo.path.glob("repodata/*-primary*"):
            path.unlink()

        with pytest.raises(UpstreamError, match="404 Not Found") as caught:
            sync(server.url)

    assert caught.value.where is not None
    assert "primary" in caught.value.where


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_what_holds_no_repodata_is_no_yum_repository(tmp_path: Path, scheme: str) -> None:
    (tmp_path / "a.rpm").write_bytes(b"a")

    with pytest.raises(UpstreamError, match="no yum repository") as caught:
        sync(f"{scheme}{tmp_path}")

    assert caught.value.hint is not None


def test_when_no_package_can_be_had_the_sync_fails_with_the_reasons(repo: BuiltRepo) -> None:
    shutil.rmtree(repo.path / "Packages")

    with pytest.raises(UpstreamError, match="none of 5 packages could be had") as caught:
        sync(repo.path)

    assert [problem.message for problem in caught.value.problems] == ["is not there"] * 5


def test_a_repository_without_packages_is_one(tmp_path: Path) -> None:
    repo = build_repo(tmp_path / "empty", [])

    synced = sync(repo.path)

    assert synced.inventory is not None
    assert synced.inventory.packages == ()
    assert synced.incomplete == ()


def test_a_transfer_that_breaks_off_is_made_again(repo: BuiltRepo) -> None:
    with serving(repo.path) as server:
        for one in repo.packages:
            server.behave(one.href, Cut(100))

        synced = sync(server.url)

    assert synced.incomplete == ()


def test_what_the_web_does_not_give_is_left_out_with_the_reason(repo: BuiltRepo) -> None:
    cut, gone, broken = (one.href for one in repo.packages[:3])
    with serving(repo.path) as server:
        server.behave(cut, Cut(10, times=FOR_EVER))
        server.behave(gone, Answer(404, times=FOR_EVER))
        server.behave(broken, Answer(500, times=FOR_EVER))

        synced = sync(server.url)

    said = reasons(synced)
    assert list(said) == sorted([cut, gone, broken])
    assert said[cut].startswith("the transfer broke off: 10 bytes came")
    assert said[gone] == "the server answered 404 Not Found"
    assert said[broken] == "the server answered 500 Internal Server Error"


def test_a_signature_that_the_server_fails_to_give_is_reported(signed_repo: BuiltRepo) -> None:
    with serving(signed_repo.path) as server:
        server.behave("repodata/repomd.xml.asc", Answer(500, times=FOR_EVER))

        synced = sync(server.url)

    assert not synced.signed_metadata
    assert reasons(synced) == {"repodata/repomd.xml.asc": "the server answered 500 Internal Server Error"}


def test_a_repomd_that_is_cut_short_fails_the_sync(repo: BuiltRepo) -> None:
    sink = MemorySink()
    with serving(repo.path) as server:
        server.behave("repodata/repomd.xml", WrongLength(100_000, times=FOR_EVER))

        with pytest.raises(UpstreamError, match="broke off"):
            sync(server.url, sink)

    assert sink.blobs == {}


def test_the_kickstart_tree_is_synced_and_its_checksums_are_kept(repo: BuiltRepo) -> None:
    (repo.path / "images/boot.img").write_bytes(b"another\n")

    synced = sync(file_url(repo))

    assert list(reasons(synced)) == ["images/boot.img"]
    assert reasons(synced)["images/boot.img"].startswith("expected sha256 ")
    assert synced.tree.find(".treeinfo") is not None


def test_a_file_that_upstream_lacks_stays_left_out_though_its_bytes_are_held(repo: BuiltRepo) -> None:
    (repo.path / "images/copy.img").write_bytes((repo.path / "images/boot.img").read_bytes())
    checksum = hashlib.sha256((repo.path / "images/boot.img").read_bytes()).hexdigest()
    with (repo.path / ".treeinfo").open("a") as treeinfo:
        treeinfo.write(f"\n[checksums]\nimages/absent.img = sha256:{checksum}\n")
    text = (repo.path / ".treeinfo").read_text()
    (repo.path / ".treeinfo").write_text(_one_section(text))
    sink = MemorySink()
    first = sync(file_url(repo), sink)

    second = sync(file_url(repo), sink, previous=first)

    assert reasons(first) == reasons(second) == {"images/absent.img": "is not there"}


def _one_section(text: str) -> str:
    """Move the lines of a second [checksums] under the first."""
    head, _, line = text.rpartition("\n[checksums]\n")
    return head.replace("[checksums]\n", f"[checksums]\n{line}")


def test_a_treeinfo_without_a_dot_is_read_too(repo: BuiltRepo) -> None:
    (repo.path / ".treeinfo").rename(repo.path / "treeinfo")

    synced = sync(file_url(repo))

    assert synced.tree.find("treeinfo") is not None
    assert synced.tree.find("images/boot.img") is not None


def test_a_treeinfo_that_is_none_is_left_out_and_the_rest_stands(repo: BuiltRepo) -> None:
    (repo.path / ".treeinfo").write_text("not an INI text\n")

    synced = sync(repo.path)

    assert list(reasons(synced)) == [".treeinfo"]
    assert synced.tree.find(".treeinfo") is None
    assert synced.tree.find("images/boot.img") is not None


def test_a_treeinfo_of_another_repomd_is_a_warning(repo: BuiltRepo) -> None:
    events: list[Event] = []
    text = (repo.path / ".treeinfo").read_text()
    (repo.path / ".treeinfo").write_text(
        text.replace("[checksums]\n", f"[checksums]\nrepodata/repomd.xml = sha256:{'0' * 64}\n")
    )

    synced = sync(repo.path, report=events.append)

    assert [event.where for event in events if isinstance(event, Warned)] == [".treeinfo"]
    assert synced.incomplete == ()


def test_links_and_odd_names_of_a_directory_are_reported(repo: BuiltRepo) -> None:
    (repo.path / "link").symlink_to("/etc/passwd")
    (repo.path / "a:b").write_bytes(b"1")
    (repo.path / "new\nline").write_bytes(b"1")
    (repo.path / os.fsdecode(b"latin\xe9")).write_bytes(b"1")
    os.mkfifo(repo.path / "fifo")

    synced = sync(repo.path)

    assert reasons(synced) == {
        "a:b": "the name has the character ':'",
        "fifo": "is a link, or no regular file",
        "latin\\udce9": "the name is not valid Unicode",
        "link": "is a link, or no regular file",
        "new\\nline": "the name has a control, bidi or zero-width character",
    }


def test_names_that_no_medium_can_hold_beside_each_other_are_reported(tmp_path: Path) -> None:
    packages = [
        Pkg("Packages/a.rpm"),
        Pkg("packages/b.rpm"),
        Pkg("Packages/A.rpm"),
        Pkg("c.rpm", b"c"),
        Pkg("c.rpm/d.rpm"),
    ]
    write_packages(tmp_path, packages, absent=["c.rpm"])

    synced = sync(f"file://{tmp_path}")

    assert [entry.path for entry in synced.tree.entries if entry.path.endswith(".rpm")] == ["Packages/a.rpm"]
    assert reasons(synced) == {
        "Packages/A.rpm": "differs from Packages/a.rpm only in case or form",
        "c.rpm": "is not a regular file",
        "c.rpm/d.rpm": "lies below a path that is a file",
        "packages/b.rpm": "differs from Packages only in case or form",
    }


def test_a_package_listed_twice_alike_is_one(tmp_path: Path) -> None:
    write_packages(tmp_path, [Pkg("a.rpm"), Pkg("a.rpm"), Pkg("copy/a.rpm")])

    inventory = sync(tmp_path).inventory

    assert inventory is not None
    assert [package.href for _, package in inventory.packages] == ["a.rpm", "copy/a.rpm"]


@pytest.mark.parametrize("kind", ["sha384", "sha512"])
def test_longer_checksums_are_checked(tmp_path: Path, kind: str) -> None:
    write_packages(tmp_path, [Pkg("a.rpm", kind=kind), Pkg("b.rpm", b"b", kind=kind)])
    (tmp_path / "b.rpm").write_bytes(b"c")

    synced = sync(tmp_path)

    assert list(reasons(synced)) == ["b.rpm"]
    assert reasons(synced)["b.rpm"].startswith(f"expected {kind} ")
    assert synced.inventory is not None
    assert [package.checksum_type for _, package in synced.inventory.packages] == [kind]


def test_a_repository_that_names_no_primary_fails(tmp_path: Path) -> None:
    write_repo(tmp_path, [Rec("other", "repodata/other.xml", b"<otherdata/>")])

    with pytest.raises(FormatError, match="no primary"):
        sync(tmp_path)


def test_work_is_reported_file_by_file(tmp_path: Path) -> None:
    events: list[Event] = []
    data = primary_xml([Pkg("a.rpm", b"12345"), Pkg("b.rpm", b"123")])
    write_repo(tmp_path, [primary_record(data)], {"a.rpm": b"12345", "b.rpm": b"123"})

    sync(f"file://{tmp_path}", report=events.append)

    assert events == [
        Started("packages and files", 2, 8),
        Advanced(1, 5),
        Advanced(1, 3),
        Finished("packages and files"),
    ]


def test_large_files_of_a_directory_are_fetched_by_threads(tmp_path: Path) -> None:
    packages = [Pkg(f"{number}.rpm", bytes([number]) * ((1 << 20) + 1)) for number in range(5)]
    write_packages(tmp_path, packages)
    sink = MemorySink()

    synced = sync(tmp_path, sink)

    assert contents(synced, sink) | {one.href: one.data for one in packages} == contents(synced, sink)


def test_advisories_of_a_repository_come_in_order(tmp_path: Path) -> None:
    advisories = [AdvisorySpec(f"TEST-{number}", ("a",), kind="bugfix", severity="None") for number in (2, 1, 3)]
    repo = build_repo(tmp_path / "repo", ["a"], advisories=advisories)

    inventory = sync(repo.path).inventory

    assert inventory is not None
    assert [advisory.id for advisory in inventory.advisories] == ["TEST-2", "TEST-1", "TEST-3"]


@pytest.mark.parametrize(
    ("name", "packages", "advisories", "signed"),
    [("zoo", 20, 7, False), ("zoo2", 14, 3, False), ("real-el9", 2, 0, False), ("signed-metadata", 4, 0, True)],
)
def test_foreign_repositories_are_synced_whole(
    corpus: Path, name: str, packages: int, advisories: int, signed: bool
) -> None:
    directory = corpus / name
    files = {path.relative_to(directory).as_posix(): path for path in directory.rglob("*") if path.is_file()}
    sink = MemorySink()

    synced = sync(directory, sink)

    assert set(contents(synced, sink)) == set(files)
    assert all(data == files[path].read_bytes() for path, data in contents(synced, sink).items())
    assert synced.inventory is not None
    assert (len(synced.inventory.packages), len(synced.inventory.advisories)) == (packages, advisories)
    assert synced.signed_metadata == signed
    assert set(reasons(synced)) <= {"empty.iso"}


def test_a_sync_that_is_interrupted_leaves_no_thread_behind(repo: BuiltRepo) -> None:
    def interrupt(event: Event) -> None:
        if isinstance(event, Advanced):
            raise KeyboardInterrupt

    with serving(repo.path) as server, pytest.raises(KeyboardInterrupt):
        sync(server.url, report=interrupt)

    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("fetch")] == []
