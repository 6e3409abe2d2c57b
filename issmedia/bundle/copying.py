"""One volume → a directory of a mounted medium, read back from it.

Nothing is copied but what `SHA256SUMS` declares, that file itself, the manifest and its signatures. Each file is hashed
as it is copied, and again as the medium gives it back; the manifest gets its name last, after that. So a copy that has
a manifest was whole on its medium. Who signed it is not asked here: a copy is as good as what was copied.
"""

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec

from issmedia.base import files
from issmedia.base.beneath import BeneathFile, Root
from issmedia.base.digest import Digest, digest_of, hash_all
from issmedia.base.errors import NotIntactError, Problem, UsageError
from issmedia.base.events import Advanced, Finished, Note, Report, Started
from issmedia.base.mounts import FOLDING, kind_at
from issmedia.base.readback import Means, ReadBack, best_means
from issmedia.base.units import count_text
from issmedia.base.work import each_sized
from issmedia.bundle import layout
from issmedia.bundle.declared import MAX_UNVERIFIED, declared
from issmedia.bundle.faults import fault
from issmedia.bundle.payload import require_none
from issmedia.bundle.placing import AGAIN, Placing, left_in, read_if_there
from issmedia.bundle.reader import DirectoryVolume
from issmedia.bundle.taking import take_file, writing_to
from issmedia.bundle.volume import PlannedFile, PlannedVolume
from issmedia.model.fat import Fat32
from issmedia.model.manifest import (
    Manifest,
    UnverifiedBundle,
    VolumeEntry,
    VolumeSource,
    parse_manifest,
)
from issmedia.model.names import shown

LARGEST: dict[str, int | None] = {"vfat": Fat32.largest_file}
"""Kind of file system → the longest file in bytes, where it has so little room that it matters."""


class Original(msgspec.Struct, frozen=True):
    """A volume to be copied, with what its manifest says of it; nothing of it is vouched for but that it fits."""

    bundle: UnverifiedBundle
    manifest: Manifest
    entry: VolumeEntry
    where: str
    source: VolumeSource
    volume: PlannedVolume

    def files(self, manifest: str = layout.MANIFEST) -> list[PlannedFile]:
        """List all that the volume consists of: what is declared, and what declares it; the manifest by this name."""
        apart = {manifest: self.bundle.manifest, layout.SUMS: self.volume.sums}
        apart[layout.SIGNATURES] = self.bundle.signatures
        made = [PlannedFile(name, digest_of(data), len(data), data) for name, data in apart.items() if data]
        return [*self.volume.files, *made]


def original(bundle: UnverifiedBundle) -> Original:
    """Look at the one volume of a bundle: which it is, what it declares, and that all of it is there, unread.

    `UsageError` where there are more. `NotIntactError` and `FormatError` where its `SHA256SUMS` is none that the
    manifest lists, or longer than `MAX_UNVERIFIED`; `NotIntactError` where files are missing, each by name.
    """
    _require_one(bundle)
    (volume,) = bundle.volumes
    manifest = parse_manifest(bundle.manifest)
    said = declared(volume, manifest, most=MAX_UNVERIFIED)
    found = tuple(_found(volume.source, said.index))
    missing = [Problem(one.where, one.message) for one in found if isinstance(one, Problem)]
    require_none(missing, hint=AGAIN)
    planned = tuple(one for one in found if isinstance(one, PlannedFile))
    laid = PlannedVolume(said.entry, planned, said.sums)
    return Original(bundle, manifest, said.entry, volume.where, volume.source, laid)


def copy_to(one: Original, directory: Path, *, workers: int, report: Report) -> int:
    """Copy a volume but for its manifest's last rename; give the number of files that an earlier run had brought whole.

    `UsageError` before anything is written where the directory or its file system cannot take it. `NotIntactError`
    names every file whose source was bad; the good ones stay for the next run.
    """
    try:
        _require_room(one, directory, report)
        _require_fits(one.volume, directory, report)
        placing = Placing(one.volume, one.bundle.manifest, directory, _Filler(one.source).fill, report=report)
        placing.place(one.bundle.signatures, phase="copying", workers=workers)
    except OSError as cause:
        raise files.system_error(cause, str(directory)) from cause
    return placing.kept


def read_back(one: Original, directory: Path, *, workers: int, report: Report) -> Means:
    """Read a copy from its medium; say past what. `placing.finish_volume` may then give the manifest its name.

    `NotIntactError` names every file that the medium gave back otherwise than it was written; they are removed, so that
    the next run writes them anew.
    """
    try:
        manifest = layout.MANIFEST if (directory / layout.MANIFEST).exists() else layout.PARTIAL
        return _ReadingBack(directory, report).run(one.files(manifest), workers)
    except OSError as cause:
        raise files.system_error(cause, str(directory)) from cause


def _require_one(bundle: UnverifiedBundle) -> None:
    if len(bundle.volumes) > 1:
        raise UsageError(
            f"{len(bundle.volumes)} volumes lie here, and a medium takes one",
            hint="name one of them",
            problems=[Problem(volume.where, "is a volume") for volume in bundle.volumes],
        )


def _found(source: VolumeSource, index: dict[str, Digest]) -> Iterator[PlannedFile | Problem]:
    """Ask for the size of each declared file, in the order of paths; none is read."""
    for path, digest in sorted(index.items()):
        try:
            with source.open(path) as file:
                yield PlannedFile(path, digest, file.size)
        except NotIntactError as bad:
            yield Problem(path, bad.message)


def _require_room(one: Original, directory: Path, report: Report) -> None:
    """Refuse what is no directory, or holds anything but the beginning of this very copy."""
    if not directory.is_dir():
        raise UsageError("is no directory", where=shown(str(directory)), hint="mount the medium, and name where")
    present = left_in(directory)
    if not present:
        return
    marks = present & {layout.PARTIAL, layout.MANIFEST}
    if not marks:
        raise UsageError(
            f"holds {shown(min(present))!r}, nothing that a copy began",
            where=str(directory),
            hint="copy into an empty directory",
        )
    with DirectoryVolume(directory) as volume:
        same = all(read_if_there(volume, name) == one.bundle.manifest for name in marks)
        sums = read_if_there(volume, layout.SUMS, len(one.volume.sums))
    if not same:
        raise UsageError("holds another bundle", where=str(directory), hint="copy into an empty directory")
    if layout.MANIFEST in marks and digest_of(sums) != one.entry.sums:
        raise UsageError(
            "holds another volume of this bundle", where=str(directory), hint="copy into an empty directory"
        )
    report(Note("going on with a copy that was begun here: what lies there is hashed again"))


def _require_fits(volume: PlannedVolume, directory: Path, report: Report) -> None:
    """Refuse files that the file system cannot hold, each by name; say what it is known to do."""
    kind = kind_at(directory)
    largest = LARGEST.get(kind)
    if largest is not None and (long := [file for file in volume.files if file.size > largest]):
        raise UsageError(
            f"{kind} holds at most {largest:,} bytes in a file",
            where=str(directory),
            hint="use a stick with exFAT or ext4, or export for this file system",
            problems=[Problem(file.path, f"is {file.size:,} bytes long") for file in long],
        )
    if kind in FOLDING:
        report(Note(f"{kind} takes names that differ in case for one; none of this volume's do"))


class _Filler:
    """Takes files from the volume that is copied."""

    def __init__(self, source: VolumeSource) -> None:
        self._source = source

    def fill(self, file: PlannedFile, out: files.Staged) -> None:
        """Copy one file, hashing it; `NotIntactError` where it is not what was declared."""
        with self._source.open(file.path) as opened:
            take_file(opened, file.sha256, writing_to(out), size=file.size, most=file.size)


class _ReadingBack:
    """One pass over a copy, past the page cache."""

    def __init__(self, directory: Path, report: Report) -> None:
        self._directory = directory
        self._report = report
        self._guard = threading.Lock()
        self._means = best_means(directory)
        self._bad: list[tuple[PlannedFile, str]] = []

    def run(self, written: list[PlannedFile], workers: int) -> Means:
        """Read everything; say by what means, the weakest that served. `NotIntactError` names every bad file."""
        self._report(Started("reading back", len(written), sum(file.size for file in written)))
        with Root(self._directory) as root:
            each_sized(lambda file: self._check(root, file), written, lambda file: file.size, workers=workers)
        self._report(Finished("reading back"))
        if self._bad:
            self._refuse(sorted(self._bad, key=lambda bad: bad[0].path))
        return self._means

    def _check(self, root: Root, file: PlannedFile) -> None:
        try:
            with root.open(file.path) as opened:
                wrong = self._wrong(opened, file)
        except OSError as cause:
            wrong = fault(cause)
        if wrong:
            with self._guard:
                self._bad.append((file, wrong))
        self._report(Advanced(1, file.size))

    def _wrong(self, opened: BeneathFile, file: PlannedFile) -> str | None:
        """Say in what a file differs from what was written, or None."""
        with ReadBack(opened.fd) as back:
            digest, size, _ = hash_all(back.readinto, limit=file.size)
            means = back.means
        with self._guard:
            self._means = min(self._means, means)
        if size != file.size or opened.size != file.size:
            return f"expected {file.size} bytes, the medium gave back {size if size != file.size else opened.size}"
        return None if digest == file.sha256 else f"expected sha256 {file.sha256}, the medium gave back {digest}"

    def _refuse(self, bad: list[tuple[PlannedFile, str]]) -> None:
        """Remove the bad files, so that the next run does not keep them from memory; the copy's own three it renews."""
        for file, _ in bad:
            if file.content is None:
                with contextlib.suppress(OSError):
                    files.unlink(self._directory / file.path)
        raise NotIntactError(
            f"{count_text(len(bad), 'file')} written, but not given back by the medium as written ({self._means.text})",
            where=str(self._directory),
            hint="the same command writes them again; where that does not help, use another medium",
            problems=[Problem(file.path, wrong) for file, wrong in bad],
        )
