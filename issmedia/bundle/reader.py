"""Hostile volumes → `UnverifiedBundle`: bytes under caps, opened beneath the volume's root, nothing believed.

Steps 1 and 2 of `docs/format.md`, clause "Verification".
"""

import contextlib
import errno
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType

from issmedia.base.beneath import BeneathFile, Root
from issmedia.base.digest import Digest, copy_and_hash
from issmedia.base.errors import FormatError, NotIntactError
from issmedia.bundle import layout
from issmedia.model.manifest import MAX_MANIFEST, MAX_SIGNATURES, Manifest, UnverifiedBundle, UnverifiedVolume
from issmedia.model.names import parents, shown

_FAULTS = {
    errno.ENOENT: "is missing",
    errno.ELOOP: "is a symbolic link",
    errno.ENOTDIR: "lies below a link or a file",
    errno.EISDIR: "is a directory, not a file",
    errno.ENXIO: "is not a regular file",
    errno.EINVAL: "is not a regular file",
    errno.EXDEV: "lies on another mount",
}


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
    """Open the volumes of one bundle, each manifest read once; a volume with another manifest is refused by name."""
    with contextlib.ExitStack() as stack:
        opened = [stack.enter_context(DirectoryVolume(path)) for path in paths]
        heads = [_head(volume) for volume in opened]
        for volume, (manifest, _) in zip(opened, heads, strict=True):
            if manifest != heads[0][0]:
                raise NotIntactError(
                    f"is a volume of another bundle than {shown(str(opened[0].path))}",
                    where=shown(str(volume.path)),
                    hint="name only the volumes of one bundle; issmedia inspect tells which is which",
                )
        volumes = tuple(UnverifiedVolume(shown(str(volume.path)), volume) for volume in opened)
        yield UnverifiedBundle(heads[0][0], heads[0][1], volumes)


def read_capped(volume: DirectoryVolume, path: str, limit: int) -> bytes:
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


def fault(cause: OSError) -> str:
    """Say what an error of the medium means."""
    code = cause.errno or 0
    return _FAULTS.get(code, f"cannot be read: {os.strerror(code)}")


def _head(volume: DirectoryVolume) -> tuple[bytes, bytes]:
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


def _no_volume(volume: DirectoryVolume, cause: NotIntactError) -> FormatError | NotIntactError:
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
