"""The store: blobs by sha256, written once, never changed.

    store/
    ├── ab/ab12…      a blob, 0444
    └── incoming/     0700: files on their way in, under temporary names; swept by the next writer
        └── .part-…   beginnings of files that broke off, for the next run (depot.partials)

A blob is hashed as it is copied, flushed, then linked under its digest: what has a name is durable and whole.
Flushing is done for batches, one `syncfs` for thousands of small files. After `close` of a `Writing`, names are
durable too. A crash loses at most the batch that was not linked yet.
"""

import contextlib
import errno
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from io import BytesIO, FileIO
from pathlib import Path

from issmedia.base import files
from issmedia.base.digest import Digest, Read, copy_and_hash, hash_all, is_digest, take_all
from issmedia.base.errors import DamagedBlobError, DepotError, UpstreamError
from issmedia.base.once import Once
from issmedia.depot.partials import Partial, Partials
from issmedia.model.tree import MAX_TREE_BYTES, Tree, known_tree

_BATCH_BYTES = 512 << 20
_BATCH_FILES = 2000

Check = Callable[[Digest, int, dict[str, str]], None]
"""Called with a file's digest, bytes and further digests before it is admitted; raises to refuse it."""


class Store:
    """The directory of blobs; reading needs no lock, writing goes through `writing`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._root = str(root)
        self._guard = threading.Lock()
        self._writing: Writing | None = None
        self._writers = 0

    def path(self, digest: Digest) -> str:
        """Say where a blob lies, or would lie."""
        return f"{self._root}/{digest[:2]}/{digest}"

    def has(self, digest: Digest, size: int) -> bool:
        """Say whether the blob is here with this size in bytes; its content is not read."""
        try:
            return os.lstat(self.path(digest)).st_size == size
        except FileNotFoundError:
            return False

    def missing(self, blobs: Mapping[Digest, int]) -> dict[Digest, int]:
        """Say which of these blobs are not here with their size in bytes; no content is read."""
        return {digest: size for digest, size in blobs.items() if not self.has(digest, size)}

    def holds(self, digest: Digest) -> bool:
        """Say whether a blob of unknown size is here; its content is not read."""
        return os.path.lexists(self.path(digest))

    def open(self, digest: Digest) -> FileIO:
        """Open a blob for reading, or raise `DamagedBlobError` when it is gone."""
        try:
            return FileIO(self.path(digest))
        except FileNotFoundError as cause:
            raise DamagedBlobError(
                "the blob is not in the store", where=digest, hint="issmedia audit lists what is damaged"
            ) from cause

    def read(self, digest: Digest, limit: int) -> bytes:
        """Read a small blob whole, checked against its digest; `limit` in bytes."""
        with self.open(digest) as file:
            data, found = take_all(file.readinto, limit=limit)
        if len(data) > limit or found != digest:
            raise damaged(digest, found)
        return data

    def tree(self, digest: Digest) -> Tree:
        """Read a tree whose listing is in the store, checked against its digest."""
        return known_tree(self.listing(digest), where=f"tree {digest}")

    def listing(self, digest: Digest) -> bytes:
        """Give a tree's canonical bytes, checked against its digest."""
        return self.read(digest, MAX_TREE_BYTES)

    def walk(self) -> Iterator[tuple[Digest, int]]:
        """Yield every blob and its size in bytes, sorted by digest."""
        for shard in sorted(entry.name for entry in os.scandir(self.root) if len(entry.name) == 2):
            for entry in sorted(os.scandir(self.root / shard), key=lambda e: e.name):
                if is_digest(entry.name):
                    yield Digest(entry.name), entry.stat(follow_symlinks=False).st_size

    def remove(self, digest: Digest) -> None:
        """Remove a blob; one that is gone already is fine."""
        files.unlink(self.path(digest))

    @contextlib.contextmanager
    def writing(self) -> Iterator["Writing"]:
        """Add blobs while the block runs, under the depot's lock. Threads whose blocks overlap share one `Writing`.

        What was added is durable when the block is left. An error keeps the blobs that were checked: content-addressed,
        they harm nobody and save the rerun. The first block sweeps what a killed writer left.
        """
        writing = self._join()
        try:
            yield writing
        except BaseException:
            with contextlib.suppress(DepotError, OSError):
                writing.close()
            raise
        else:
            writing.close()
        finally:
            with self._guard:
                self._writers -= 1

    def _join(self) -> "Writing":
        with self._guard:
            if self._writing is None or self._writers == 0:
                files.make_directory(self.root)
                files.make_directory(self.root / "incoming", 0o700)
                files.sweep(self.root / "incoming")
                self._writing = Writing(self)
            self._writers += 1
            return self._writing


class Writing:
    """A stretch of adding blobs, shared by threads.

    Once a flush failed, what several threads had added is lost, and every further flush fails.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._incoming = store.root / "incoming"
        self._guard = threading.Lock()
        self._flushing = threading.Lock()
        self._pending: list[tuple[str, Digest, int]] = []
        self._pending_bytes = 0
        self._unnamed: dict[Digest, int] = {}
        self._expected = 0
        self._shards: set[str] = set()
        self._unsynced = False
        self._may_clone = True
        self._broken = False
        self.partials = Partials(self._incoming)
        self.once = Once[tuple[Digest, int]]()

    def missing(self, blobs: Iterable[tuple[Digest, int]]) -> set[tuple[Digest, int]]:
        """Say which of these blobs are not in the store, and will not be there when this is closed."""
        with self._guard:
            lacking = [(digest, size) for digest, size in blobs if self._unnamed.get(digest) != size]
        return {blob for blob in lacking if not self._store.has(*blob)}

    def expect(self, sizes: Iterable[int]) -> None:
        """Let the next `add` raise `NoSpaceError` where files of these sizes in bytes will not fit.

        When it shares the extents of its source, so will the others, and need no room.
        """
        needed = files.space_for(sizes)
        with self._guard:
            self._expected += needed

    def add(
        self,
        read: Read,
        *,
        limit: int,
        check: Check | None = None,
        also: tuple[str, ...] = (),
        clone: int | None = None,
    ) -> tuple[Digest, int]:
        """Copy a stream in, hashed in the same pass; return its digest and bytes.

        `also` names further algorithms for `check`. `clone` is a descriptor of a local file that the stream reads:
        where the file system can, its extents are shared, and the shared bytes are hashed.
        """
        with files.Staged(self._incoming, size=limit) as file:
            if clone is not None and self._clone(clone, file.fd):
                self._expected = 0
                digest, size, others = hash_all(_reader(file.fd), limit=limit, also=also)
            else:
                self._require_space()
                digest, size, others = copy_and_hash(read, file, limit=limit, also=also)
            if check:
                check(digest, size, others)
            file.close(0o444, durable=False)
        self._admit(file.path, digest, size)
        return digest, size

    def add_partial(
        self, partial: Partial, read: Read, *, limit: int, check: Check, also: tuple[str, ...] = ()
    ) -> tuple[Digest, int]:
        """Copy a stream in that may break off: then what came is kept for the next time. One that is refused is not.

        The beginning that was kept before is the beginning of `read`; it is hashed like all of it.
        """
        with files.Staged(self._incoming, size=limit, prefix=partial.prefix) as file:
            self._require_space()
            try:
                digest, size, others = copy_and_hash(read, file, limit=limit, also=also)
            except (UpstreamError, KeyboardInterrupt):
                file.leave()
                raise
            check(digest, size, others)
            file.close(0o444, durable=False)
        self._admit(file.path, digest, size)
        return digest, size

    def add_bytes(self, data: bytes) -> Digest:
        """Store bytes that are in memory."""
        return self.add(BytesIO(data).readinto, limit=len(data))[0]

    def flush(self) -> None:
        """Make what is pending durable, then give it its names. An error discards what is pending."""
        with self._flushing:
            with self._guard:
                pending, self._pending, self._pending_bytes = self._pending, [], 0
            if pending or self._broken:
                self._flush(pending)

    def close(self) -> None:
        """Flush, and make the names durable."""
        self.flush()
        with self._flushing:
            if self._unsynced:
                files.sync_filesystem(self._store.root)
                self._unsynced = False

    def _require_space(self) -> None:
        with self._guard:
            if self._expected:
                files.require_space(self._store.root, self._expected)
            self._expected = 0

    def _clone(self, source: int, target: int) -> bool:
        if self._may_clone:
            self._may_clone = files.reflink(source, target)
        return self._may_clone

    def _admit(self, path: str, digest: Digest, size: int) -> None:
        with self._guard:
            self._pending.append((path, digest, size))
            self._pending_bytes += size
            self._unnamed[digest] = size
            full = len(self._pending) >= _BATCH_FILES or self._pending_bytes >= _BATCH_BYTES
        if full:
            self.flush()

    def _flush(self, pending: list[tuple[str, Digest, int]]) -> None:
        """Flush and name; once that failed, nothing is named any more: the kernel tells each loss only once."""
        try:
            if self._broken:
                raise OSError(errno.EIO, "an earlier flush failed")
            files.sync_filesystem(self._incoming)
            for path, digest, size in pending:
                self._name(path, digest, size)
        except OSError as cause:
            self._broken = True
            for path, _, _ in pending:
                with contextlib.suppress(OSError):
                    files.unlink(path)
            raise files.system_error(cause, str(self._store.root)) from cause
        finally:
            with self._guard:
                for _, digest, _ in pending:
                    self._unnamed.pop(digest, None)

    def _name(self, path: str, digest: Digest, size: int) -> None:
        self._unsynced = True
        target = self._store.path(digest)
        if digest[:2] not in self._shards:
            files.make_directory(self._store.root / digest[:2])
            self._shards.add(digest[:2])
        try:
            files.link(path, target)
        except FileExistsError:
            if not self._store.has(digest, size):
                files.rename(path, target)
                return
        files.unlink(path)


def damaged(digest: Digest, found: Digest) -> DamagedBlobError:
    """Say that a blob of the store rotted."""
    return DamagedBlobError(
        f"expected sha256 {digest}, read {found}",
        where=f"store/{digest[:2]}/{digest}",
        hint="issmedia audit sets it aside; then sync or import again",
    )


def _reader(fd: int) -> Read:
    return lambda buffer: os.readv(fd, [buffer])
