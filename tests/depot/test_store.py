"""The store: blobs by digest, written once, durable before they have a name."""

import io
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from issmedia.base import files
from issmedia.base.digest import Digest, digest_of
from issmedia.base.errors import DamagedBlobError, DepotError, FormatError
from issmedia.depot import store as store_module
from issmedia.depot.store import Store
from issmedia.model.tree import Entry, tree_of
from tests.makers.programs import run

Steps = list[tuple[str, str]]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty store."""
    return Store(tmp_path / "store")


@pytest.fixture
def steps() -> Iterator[Steps]:
    """Every change of the disk, in order."""
    found: Steps = []
    with files.observing(lambda kind, name: found.append((kind, name))):
        yield found


def path_of(store: Store, digest: Digest) -> Path:
    """Say where a blob lies."""
    return Path(store.path(digest))


def add(store: Store, *blobs: bytes) -> list[Digest]:
    """Add blobs in one stretch."""
    with store.writing() as writing:
        return [writing.add_bytes(blob) for blob in blobs]


def incoming(store: Store) -> list[str]:
    """List what is on its way in."""
    return [path.name for path in (store.root / "incoming").iterdir()]


def test_a_blob_lies_under_its_digest_and_reads_back(store: Store) -> None:
    (digest,) = add(store, b"content")

    assert digest == digest_of(b"content")
    assert path_of(store, digest) == store.root / digest[:2] / digest
    assert store.read(digest, 100) == b"content"
    assert incoming(store) == []


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_modes_are_fixed_whatever_the_umask(store: Store, umask: int) -> None:
    before = os.umask(umask)
    try:
        (digest,) = add(store, b"content")
    finally:
        os.umask(before)

    modes = [
        stat.S_IMODE(path.stat().st_mode)
        for path in (path_of(store, digest), path_of(store, digest).parent, store.root / "incoming")
    ]
    assert modes == [0o444, 0o755, 0o700]


def test_a_blob_that_is_there_is_left_as_it_is(store: Store) -> None:
    (digest,) = add(store, b"content")
    before = path_of(store, digest).stat()

    add(store, b"content", b"content")

    after = path_of(store, digest).stat()
    assert (before.st_ino, before.st_mtime_ns, after.st_nlink) == (after.st_ino, after.st_mtime_ns, 1)
    assert incoming(store) == []


def test_a_blob_of_the_wrong_size_is_replaced(store: Store) -> None:
    (digest,) = add(store, b"content")
    path_of(store, digest).chmod(0o644)
    path_of(store, digest).write_bytes(b"cut")

    add(store, b"content")

    assert store.read(digest, 100) == b"content"


def test_has_looks_at_the_size_and_not_at_links(store: Store) -> None:
    (digest,) = add(store, b"content")
    other = digest_of(b"other")
    path_of(store, other).parent.mkdir(exist_ok=True)
    path_of(store, other).symlink_to(path_of(store, digest))

    found = [store.has(digest, 7), store.has(digest, 8), store.has(other, 7), store.has(Digest("f" * 64), 7)]

    assert found == [True, False, False, False]


def test_a_stream_is_hashed_as_it_is_copied_and_checked_before_it_is_admitted(store: Store) -> None:
    seen: list[tuple[Digest, int, dict[str, str]]] = []

    with store.writing() as writing:
        writing.add(io.BytesIO(b"x" * 10).readinto, limit=10, also=("md5",), check=lambda *facts: seen.append(facts))

    assert seen == [(digest_of(b"x" * 10), 10, {"md5": "336311a016184326ddbdd61edd4eeb52"})]


def test_a_stream_that_a_check_refuses_leaves_nothing(store: Store) -> None:
    def refuse(*facts: object) -> None:
        raise FormatError("not what was expected")

    with pytest.raises(FormatError), store.writing() as writing:
        writing.add(io.BytesIO(b"bad").readinto, limit=10, check=refuse)

    assert (list(store.walk()), incoming(store)) == ([], [])


def test_an_error_keeps_the_blobs_that_were_checked(store: Store) -> None:
    with pytest.raises(ValueError, match="stop"), store.writing() as writing:
        writing.add_bytes(b"good")
        raise ValueError("stop")

    assert [digest for digest, _ in store.walk()] == [digest_of(b"good")]


def test_nothing_has_a_name_before_it_is_flushed(store: Store, steps: Steps) -> None:
    add(store, b"one", b"two")

    kinds = [kind for kind, _ in steps if kind in ("write", "syncfs", "link")]
    assert kinds == ["write", "write", "syncfs", "link", "link", "syncfs"]


def test_batches_are_flushed_when_they_are_full(store: Store, steps: Steps, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "_BATCH_FILES", 2)

    add(store, b"1", b"2", b"3", b"4", b"5")

    flushes = [kind for kind, name in steps if kind == "syncfs" and name == "incoming"]
    assert len(flushes) == 3
    assert len(list(store.walk())) == 5


def test_a_large_batch_is_flushed_by_its_bytes(store: Store, steps: Steps, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "_BATCH_BYTES", 10)

    add(store, b"x" * 10, b"y")

    assert [name for kind, name in steps if kind == "syncfs"] == ["incoming", "incoming", "store"]


def test_blobs_of_a_flush_that_fails_are_discarded(store: Store) -> None:
    def fail(kind: str, name: str) -> None:
        if kind == "syncfs":
            raise OSError(5, "Input/output error")

    with pytest.raises(DepotError, match="Input/output error"), files.observing(fail):
        add(store, b"one")

    assert (list(store.walk()), incoming(store)) == ([], [])


def test_what_a_killed_writer_left_is_swept_by_the_next(store: Store) -> None:
    with store.writing():
        pass
    (store.root / "incoming" / ".tmp-left").write_bytes(b"half")

    add(store, b"one")

    assert incoming(store) == []


def test_a_walk_is_sorted_and_sees_only_blobs(store: Store) -> None:
    digests = add(store, b"1", b"22", b"333")
    (path_of(store, digests[0]).parent / "stray").touch()

    assert list(store.walk()) == sorted(zip(digests, (1, 2, 3), strict=True))


def test_a_removed_blob_is_gone_and_removing_it_again_is_fine(store: Store) -> None:
    (digest,) = add(store, b"one")

    store.remove(digest)
    store.remove(digest)

    assert not store.has(digest, 3)


def test_a_blob_that_is_gone_is_named(store: Store) -> None:
    with pytest.raises(DamagedBlobError, match="not in the store") as caught:
        store.open(Digest("f" * 64))

    assert caught.value.where == "f" * 64


@pytest.mark.parametrize("content", [b"Content", b"conten", b"content and more"])
def test_a_blob_that_rotted_is_not_read(store: Store, content: bytes) -> None:
    (digest,) = add(store, b"content")
    path_of(store, digest).chmod(0o644)
    path_of(store, digest).write_bytes(content)

    with pytest.raises(DamagedBlobError, match=f"expected sha256 {digest}, read"):
        store.read(digest, 7)


def test_a_tree_is_read_from_its_listing(store: Store) -> None:
    tree = tree_of([Entry("a", digest_of(b"a"), 1)])
    add(store, tree.encode())

    assert store.tree(tree.digest) == tree


def test_a_local_source_is_copied_where_extents_cannot_be_shared(store: Store, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"content")

    with store.writing() as writing, source.open("rb", buffering=0) as file:
        digest, _ = writing.add(file.readinto, limit=7, clone=file.fileno())

    assert store.read(digest, 7) == b"content"
    assert path_of(store, digest).stat().st_ino != source.stat().st_ino


@pytest.mark.root
@pytest.mark.system("mkfs.xfs", "mount", "umount", "xfs_io")
def test_a_local_source_shares_its_extents_where_the_file_system_can(tmp_path: Path) -> None:
    image, disk = tmp_path / "image", tmp_path / "disk"
    with image.open("wb") as file:
        file.truncate(400 << 20)
    run("mkfs.xfs", "-q", image)
    disk.mkdir()
    run("mount", "-o", "loop", image, disk)
    try:
        store, source = Store(disk / "store"), disk / "source"
        source.write_bytes(b"x" * (1 << 20))
        os.sync()
        with store.writing() as writing, source.open("rb", buffering=0) as file:
            digest, size = writing.add(file.readinto, limit=1 << 20, clone=file.fileno())
        extents = run("xfs_io", "-r", "-c", "fiemap -v", path_of(store, digest))
        mode = stat.S_IMODE(path_of(store, digest).stat().st_mode)
        source.write_bytes(b"y" * (1 << 20))
        content = store.read(digest, 1 << 20)
    finally:
        run("umount", disk)

    assert (digest, size, mode) == (digest_of(b"x" * (1 << 20)), 1 << 20, 0o444)
    assert "0x2001" in extents, "its last extent is not shared"
    assert content == b"x" * (1 << 20)
