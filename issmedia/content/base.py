"""What a content type must offer, and what it is given.

A content type turns an upstream into a tree (`sync`) and says what a tree means (`inventory`). It opens neither
sockets nor the depot: an `Upstream` brings bytes, a `Sink` keeps them.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import BinaryIO, Protocol

import msgspec

from issmedia.base.digest import Digest
from issmedia.base.events import Report
from issmedia.model.documents import LeftOut, Repository
from issmedia.model.judgement import Outcome, Policy
from issmedia.model.package import Inventory
from issmedia.model.selection import Selected, Selection
from issmedia.model.tree import Entry, Tree


class Stream(Protocol):
    """Bytes that arrive; `fileno` is a real descriptor where they come from a local file, else None.

    `start` says at which byte of the file they begin: 0, where the middle that was asked for could not be had.
    """

    start: int

    def readinto(self, buffer: memoryview, /) -> int:
        """Read on into a buffer; 0 at the end."""

    @property
    def fileno(self) -> int | None:
        """Give the descriptor of the local file these bytes are, or None."""


class Upstream(Protocol):
    """Where a repository comes from. Failures are `UpstreamError`; `AbsentError` where the file is not there."""

    url: str
    connections: int
    """How many files may be open at once to some gain."""
    tries: int
    """How often a file that came broken is asked for in all."""

    def open(self, path: str, *, start: int = 0) -> AbstractContextManager[Stream]:
        """Open the file at a path relative to the repository, at byte `start` if it can. Threads may call this at once.

        An `UpstreamError` that leaves the block tells upstream that this place gave nothing good: the next call for
        the path may go elsewhere, and later.
        """

    def begin(self) -> None:
        """Wait until it is this upstream's turn: before a file is promised to others, who would wait for it."""

    def listing(self) -> dict[str, int] | None:
        """List all paths with sizes in bytes where upstream is a directory; None where it cannot be listed.

        Paths are as found: the caller judges them by the name grammar. Links and odd files have size -1.
        """

    def interrupt(self) -> None:
        """End what other threads wait for: reads that are blocked fail, and nothing further is asked for."""


class Expected(msgspec.Struct, frozen=True):
    """What the metadata say of a file, None where they are silent: `size` in bytes, `checksum` (type, hex).

    `limit` caps the bytes that are read.
    """

    size: int | None = None
    checksum: tuple[str, str] | None = None
    limit: int = 64 << 30


Opening = Callable[[int], AbstractContextManager[Stream]]
"""Opens one file of an upstream at a byte."""


class Sink(Protocol):
    """Where synced bytes go: the store. Threads may call it at once."""

    def expect(self, sizes: Iterable[int]) -> None:
        """Learn the sizes in bytes of what is to come: where it will not fit, the next `keep` raises `NoSpaceError`."""

    def keep(self, stream: Stream, expected: Expected) -> tuple[Digest, int]:
        """Store a stream, hashed as it is copied; `UpstreamError` says got and expected, and nothing is kept."""

    def fetch(self, opening: Opening, expected: Expected) -> tuple[Digest, int]:
        """Do as `keep` with a file of an upstream; what came of one that broke off before may be its beginning."""

    def missing(self, blobs: Iterable[tuple[Digest, int]]) -> set[tuple[Digest, int]]:
        """Say which of these blobs are not there already with this size in bytes."""

    def open(self, digest: Digest) -> BinaryIO:
        """Open a kept blob for reading."""


class Synced(msgspec.Struct, frozen=True):
    """What a sync found. `unchanged` says the previous tree still is upstream's; `incomplete` what could not be had.

    `signed_metadata` says that clients shall ask for a signature: once upstream signs, it stays. `selected` says of a
    selection from what it was made, `upstream_signed` that the repomd.xml it was chosen by is signed, or ever was.
    `trust` is what checking signatures gave, None where nobody looked.
    """

    tree: Tree
    inventory: Inventory | None
    signed_metadata: bool
    incomplete: tuple[LeftOut, ...] = ()
    unchanged: bool = False
    selected: Selected | None = None
    trust: Outcome | None = None
    upstream_signed: bool = False


class Previous(msgspec.Struct, frozen=True):
    """The snapshot before: its tree, whether all of it is there, and whether upstream ever signed metadata.

    `is_whole` looks at every blob, and so is asked only where nothing else has changed. `selected` is from what it was
    made, where it was a selection; `trust` what checking signatures gave.
    """

    tree: Tree
    is_whole: Callable[[], bool]
    signed_metadata: bool
    selected: Selected | None = None
    trust: Outcome | None = None


class Checks(msgspec.Struct, frozen=True):
    """How upstream's signatures are judged: by the keys in files that were pinned, and what was said to be done.

    `gpgcheck` is for packages, `repo_gpgcheck` for repomd.xml. `now` is seconds since 1970.
    """

    keys: tuple[bytes, ...] = ()
    gpgcheck: Policy | None = None
    repo_gpgcheck: Policy | None = None
    now: int = 0


UNCHECKED = Checks()
"""No key is pinned and nothing said."""


class Choice(msgspec.Struct, frozen=True):
    """What is wanted of a repository, and the trees of its neighbours, which may provide what it requires.

    What the packages in `needing`, some of these trees, require of it is wanted, too.
    """

    selection: Selection
    beside: tuple[Tree, ...] = ()
    needing: tuple[Tree, ...] = ()


class Unmet(msgspec.Struct, frozen=True):
    """A package that would not install, by its NEVRA, and what of its requirements nobody provides."""

    package: str
    requires: tuple[str, ...]


class Arrived(msgspec.Struct, frozen=True):
    """A repository that came by import: its tree, what was there `before`, and the files of keys pinned for it here.

    `judged` is what checking the tree before gave. `signed_metadata` says that its metadata must be signed where nobody
    said otherwise: they were before, or the bundle says that they are.
    """

    repository: Repository
    tree: Tree
    keys: tuple[bytes, ...]
    signed_metadata: bool
    before: Tree | None = None
    judged: Outcome | None = None


class Sync(Protocol):
    """Syncs a repository, or what is wanted of it."""

    def __call__(
        self,
        upstream: Upstream,
        sink: Sink,
        previous: Previous | None,
        report: Report,
        /,
        *,
        checks: Checks = UNCHECKED,
    ) -> Synced:
        """Bring it; `UntrustedError` where signatures are not as `checks` asks."""
        ...


OpenBlob = Callable[[Digest], BinaryIO]
ReadInventory = Callable[[Tree, OpenBlob], Inventory]
JudgeArrived = Callable[[Arrived, OpenBlob, str], Outcome | None]
"""Judges signatures at a moment, RFC 3339; None where this site asks for nothing."""


class Check(Protocol):
    """How trees, taken together, are checked."""

    def __call__(self, trees: Sequence[Tree], open_blob: OpenBlob, names: Sequence[str] = ()) -> list[list[Unmet]]:
        """Give for each tree the packages that would not install; `names` name the trees in errors."""


class ContentType(msgspec.Struct, frozen=True):
    """One content type: how it syncs, all or a selection, and how a tree of it is read for the catalog.

    `check` gives for each of some trees, taken together, the packages that would not install.
    """

    name: str
    sync: Sync
    selecting: Callable[[Choice], Sync]
    inventory: ReadInventory
    check: Check


def entry_of(path: str, kept: tuple[Digest, int]) -> Entry:
    """Name a kept blob in a tree."""
    return Entry(path, kept[0], kept[1])
