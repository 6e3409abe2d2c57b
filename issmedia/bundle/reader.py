"""Hostile volumes → `UnverifiedBundle`: bytes under caps, opened beneath the volume's root, nothing believed.

Steps 1 and 2 of `docs/format.md`, clause "Verification".
"""

import contextlib
import stat
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType

from issmedia.base.beneath import BeneathFile, Root
from issmedia.base.digest import Digest, copy_and_hash
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
    with contextlib.ExitStack() as stack:
        opened: list[DirectoryVolume | ImageVolume] = []
        for path in expanded(paths):
            opened.append(open_volume(path))
            stack.callback(opened[-1].close)
        heads = _heads(opened)
        good = [head for head in heads if isinstance(head, tuple)]
        if not good:
            raise next(head for head in heads if not isinstance(head, tuple))
        counted = Counter(manifest for manifest, _ in good)
        ranked = sorted(dict.fromkeys(good), key=lambda head: -counted[head[0]])
        volumes = tuple(
            UnverifiedVolume(shown(str(volume.path)), volume, head[0] if isinstance(head, tuple) else None)
            for volume, head in zip(opened, heads, strict=True)
        )
        yield UnverifiedBundle(ranked[0][0], ranked[0][1], volumes, tuple(ranked[1:]))


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
    parts: list[bytes] = []
    with volume.open(path) as file:
        if file.size > limit:
            raise FormatError(f"is {file.size} bytes long, at most {limit} are allowed", where=path)
        try:
            _, size, _ = copy_and_hash(file.read, parts.append, limit=limit)
        except OSError as cause:
            raise NotIntactError(fault(cause), where=path) from cause
    if size > limit:
        raise FormatError(f"is longer than {limit} bytes", where=path)
    return b"".join(parts)


def read_sums(volume: UnverifiedVolume, manifest: Manifest) -> tuple[Digest, bytes]:
    """Read `SHA256SUMS` as far as one of this manifest's could reach; give digest and bytes of what was read."""
    most = max(entry.files for entry in manifest.volumes) * layout.LONGEST_LINE
    parts: list[bytes] = []
    with volume.source.open(layout.SUMS) as file:
        try:
            digest, _, _ = copy_and_hash(file.read, parts.append, limit=min(most, layout.MAX_SUMS, file.size))
        except OSError as cause:
            raise NotIntactError(fault(cause), where=f"{volume.where}: {layout.SUMS}") from cause
    return digest, b"".join(parts)


def _heads(
    volumes: Sequence[DirectoryVolume | ImageVolume],
) -> list[tuple[bytes, bytes] | FormatError | NotIntactError]:
    """Read the head of each volume; equal ones are held once, and of others no more than a few."""
    distinct: dict[tuple[bytes, bytes], tuple[bytes, bytes]] = {}
    heads: list[tuple[bytes, bytes] | FormatError | NotIntactError] = []
    for volume in volumes:
        head = _head_or_fault(volume)
        heads.append(distinct.setdefault(head, head) if isinstance(head, tuple) else head)
        if len(distinct) > _MOST_BUNDLES:
            raise NotIntactError(
                f"volumes with more than {_MOST_BUNDLES} different manifests",
                where=shown(str(volume.path)),
                hint="name only the volumes of one bundle; issmedia inspect tells which is which",
            )
    return heads


def _head_or_fault(volume: DirectoryVolume | ImageVolume) -> tuple[bytes, bytes] | FormatError | NotIntactError:
    try:
        return _head(volume)
    except (FormatError, NotIntactError) as bad:
        return bad


def _head(volume: DirectoryVolume | ImageVolume) -> tuple[bytes, bytes]:
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
