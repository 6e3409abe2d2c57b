"""Hostile volumes → `UnverifiedBundle`: bytes under caps, opened beneath the volume's root, nothing believed.

Steps 1 and 2 of `docs/format.md`, clause "Verification".
"""

import contextlib
import errno
import stat
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType

from issmedia.base.beneath import BeneathFile, Root
from issmedia.base.digest import Digest, digest_of, take_all
from issmedia.base.errors import FormatError, NotIntactError
from issmedia.bundle import layout
from issmedia.bundle.faults import fault
from issmedia.bundle.image import ImageVolume
from issmedia.model.manifest import (
    MAX_MANIFEST,
    MAX_SIGNATURES,
    Manifest,
    UnverifiedBundle,
    UnverifiedVolume,
    VolumeSource,
)
from issmedia.model.names import parents, shown
from issmedia.model.recovery import INDEX

Leave = Callable[[FormatError | NotIntactError], None]
"""Takes what is wrong with a volume that is left alone: `NotIntactError` for one of another bundle, else it is none."""

_DEVICES = Path("/dev")
_ANYBODYS = Path("/dev/shm")  # noqa: S108 - nothing is put there


_MOST_BUNDLES = 8
"""Different manifests that are held, each of up to 32 MiB: of damaged copies, or of other bundles."""


class DirectoryVolume:
    """A volume that is a directory: a stick, a disk, a mounted disc. Read-only, always."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._root = Root(path)
        except OSError as cause:
            raise FormatError(
                f"cannot be opened as a volume: {fault(cause)}",
                where=shown(str(path)),
                hint="name the directory itself, not a link to it, where manifest.json lies",
            ) from cause

    @property
    def device(self) -> int:
        """Give the number of the device it lies on."""
        return self._root.device

    def open(self, path: str) -> BeneathFile:
        """Open a file beneath the volume's root, or raise `NotIntactError` naming it."""
        try:
            return self._root.open(path)
        except OSError as cause:
            raise NotIntactError(fault(cause), where=shown(path)) from cause

    def stray(self, known: frozenset[str]) -> Iterator[str]:
        """Find what lies here and is not known: never opened, and a directory of such files not even entered."""
        directories = parents(known)
        try:
            for path, facts in self._root.walk(enter=directories.__contains__):
                if path not in known or (path in layout.BESIDE and not stat.S_ISREG(facts.st_mode)):
                    yield shown(path)
        except OSError as cause:
            raise NotIntactError(fault(cause), where=shown(str(self.path))) from cause

    def close(self) -> None:
        """Let go of the volume, so that it can be unmounted."""
        self._root.close()

    def __enter__(self) -> "DirectoryVolume":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@contextlib.contextmanager
def read(paths: Sequence[Path]) -> Iterator[UnverifiedBundle]:
    """Open the volumes of one bundle, each manifest read once. A directory of volumes stands for all of them.

    The manifest that most volumes hold is the bundle's, until the signatures say otherwise.
    """
    with _opened(paths, refuse) as (volumes, heads):
        counted = Counter(head[0] for head in heads)
        yield _bundle(volumes, sorted(heads, key=lambda head: -counted[head[0]]))


@contextlib.contextmanager
def read_meant(paths: Sequence[Path], *, leave: Leave, meant: Digest | None = None) -> Iterator[UnverifiedBundle]:
    """Open what of these is a volume; what is none goes to `leave`, unless none is one: then the first fault is raised.

    The first manifest is the bundle's, or that of the bundle `meant`, until the signatures say otherwise.
    """
    with _opened(paths, leave) as (volumes, heads):
        yield _bundle(volumes, sorted(heads, key=lambda head: meant is not None and digest_of(head[0]) != meant))


def refuse(stranger: FormatError | NotIntactError) -> None:
    """Be the `Leave` of whoever wants the volumes of one bundle and nothing else."""
    raise stranger


def bears(volume: VolumeSource, manifest: Manifest) -> bool:
    """Say whether anything of a bundle lies here by name: a listing, a part, parity, or a repository's directory.

    For a volume that neither its manifest nor its sums tell of; nothing is read.
    """
    paths = [layout.tree_path(entry.digest) for entry in manifest.trees]
    paths += [layout.part_path(one.sha256, number) for one in manifest.split for number in range(1, len(one.parts) + 1)]
    paths += [INDEX] if manifest.recovery else []
    return any(_is_there(volume, path) for path in (*paths, *(f"repos/{one.path}" for one in manifest.repositories)))


def open_volume(path: Path) -> DirectoryVolume | ImageVolume:
    """Open a volume: a directory, or an image in a file or on a block device, also by a name that udev gave it."""
    path = device_named(path)
    try:
        mode = path.lstat().st_mode
    except OSError:
        return DirectoryVolume(path)
    return ImageVolume(path) if stat.S_ISREG(mode) or stat.S_ISBLK(mode) else DirectoryVolume(path)


def device_named(path: Path) -> Path:
    """Give the block device that a link like `/dev/cdrom` or `/dev/disk/by-label/X` leads to; else the path itself."""
    try:
        if path.is_symlink() and names_device(path.parent.resolve() / path.name, path.stat().st_mode):
            return path.resolve()
    except OSError:
        pass
    return path


def names_device(link: Path, mode: int) -> bool:
    """Say whether a link may be followed: only root puts names there, and what it leads to has a device's `mode`."""
    return stat.S_ISBLK(mode) and link.is_relative_to(_DEVICES) and not link.is_relative_to(_ANYBODYS)


def expanded(paths: Sequence[Path]) -> list[Path]:
    """Replace a directory that holds the volumes of a set by these, in order."""
    return [volume for path in paths for volume in (volumes_in(path) or [path])]


def volumes_in(directory: Path) -> list[Path]:
    """List the volumes of a set that lie in a directory; none where that is a volume itself, or no set."""
    with contextlib.suppress(OSError):
        if not (directory / layout.MANIFEST).exists():
            return sorted(entry for entry in directory.iterdir() if layout.is_volume_label(entry.name))
    return []


def read_capped(volume: VolumeSource, path: str, limit: int) -> bytes:
    """Read one small file whole; longer than `limit` bytes is a `FormatError`."""
    with volume.open(path) as file:
        if file.size > limit:
            raise FormatError(f"is {file.size} bytes long, at most {limit} are allowed", where=path)
        try:
            found, _ = take_all(file.readinto, limit=limit)
        except OSError as cause:
            raise NotIntactError(fault(cause), where=path) from cause
    if len(found) > limit:
        raise FormatError(f"is longer than {limit} bytes", where=path)
    return found


_Head = tuple[bytes, bytes]
"""A manifest and its signatures."""


@contextlib.contextmanager
def _opened(paths: Sequence[Path], leave: Leave) -> Iterator[tuple[list[UnverifiedVolume], list[_Head]]]:
    """Open volumes; give them and the heads that can be read: equal ones held once, of others no more than a few."""
    volumes, heads = list[UnverifiedVolume](), list[_Head]()
    faults, strangers = list[FormatError | NotIntactError](), list[FormatError]()
    with contextlib.ExitStack() as stack:
        for path in expanded(paths):
            volume = _volume_or_fault(path)
            if isinstance(volume, FormatError):
                strangers.append(volume)
                faults.append(volume)
                continue
            stack.callback(volume.close)
            head = _head_or_fault(volume)
            if isinstance(head, tuple):
                heads.append(_held_once(head, heads, where=path))
            else:
                faults.append(head)
            volumes.append(
                UnverifiedVolume(shown(str(path)), volume, heads[-1][0] if isinstance(head, tuple) else None)
            )
        if not heads:
            raise faults[0]
        for stranger in strangers:
            leave(stranger)
        yield volumes, heads


def _volume_or_fault(path: Path) -> DirectoryVolume | ImageVolume | FormatError:
    try:
        return open_volume(path)
    except FormatError as bad:
        return bad


def _bundle(volumes: Sequence[UnverifiedVolume], ranked: Sequence[_Head]) -> UnverifiedBundle:
    first, *others = dict.fromkeys(ranked)
    return UnverifiedBundle(first[0], first[1], tuple(volumes), tuple(others))


def _held_once(head: _Head, heads: Sequence[_Head], *, where: Path) -> _Head:
    """Give the equal one that is held already."""
    distinct = dict.fromkeys([*heads, head])
    if len(distinct) > _MOST_BUNDLES:
        raise NotIntactError(
            f"volumes with more than {_MOST_BUNDLES} different manifests",
            where=shown(str(where)),
            hint="name only the volumes of one bundle; issmedia inspect tells which is which",
        )
    return next(one for one in distinct if one == head)


def _head_or_fault(volume: DirectoryVolume | ImageVolume) -> _Head | FormatError | NotIntactError:
    try:
        return _head(volume)
    except (FormatError, NotIntactError) as bad:
        return bad


def _head(volume: DirectoryVolume | ImageVolume) -> _Head:
    try:
        manifest = read_capped(volume, layout.MANIFEST, MAX_MANIFEST)
    except NotIntactError as cause:
        raise _no_volume(volume, cause) from cause
    try:
        return manifest, read_capped(volume, layout.SIGNATURES, MAX_SIGNATURES)
    except NotIntactError as cause:
        if isinstance(cause.__cause__, FileNotFoundError):
            return manifest, b""
        raise


def _no_volume(volume: DirectoryVolume | ImageVolume, cause: NotIntactError) -> FormatError | NotIntactError:
    if not isinstance(cause.__cause__, FileNotFoundError):
        return cause
    where = shown(str(volume.path))
    with contextlib.suppress(NotIntactError), volume.open(layout.PARTIAL):
        return FormatError(
            "an unfinished export: its manifest is still partial",
            where=where,
            hint="run the same issmedia export again on the site that began it",
        )
    return FormatError(
        "no manifest.json here: not a volume of a bundle",
        where=where,
        hint="name the directory where README.txt and manifest.json lie",
    )


def _is_there(volume: VolumeSource, path: str) -> bool:
    """Say whether a file or a directory has this name."""
    try:
        with volume.open(path):
            return True
    except NotIntactError as bad:
        return isinstance(bad.__cause__, OSError) and bad.__cause__.errno in (errno.EISDIR, errno.EINVAL)
