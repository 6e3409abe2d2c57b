"""Files put on a medium so that nothing half-made looks whole: what writing a volume and copying one share.

The order: `manifest.json.partial` marks the directory as unfinished and ours; then the files, each under a temporary
name until it is whole; then `SHA256SUMS`, the signatures, a flush of the file system; last, when the caller says so,
`finish_volume` makes `manifest.json.partial` the manifest by one rename. Killed anywhere, the same call re-hashes what
is there and goes on.
"""

import contextlib
import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path

from issmedia.base import files
from issmedia.base.beneath import Root
from issmedia.base.digest import Digest, hash_all
from issmedia.base.errors import FormatError, NoSpaceError, NotIntactError, Problem
from issmedia.base.events import Advanced, Finished, Note, Report, Started
from issmedia.base.mounts import cluster_of
from issmedia.base.units import count_text
from issmedia.base.work import each_sized
from issmedia.bundle import layout
from issmedia.bundle.payload import require_none
from issmedia.bundle.reader import read_capped
from issmedia.bundle.volume import PlannedFile, PlannedVolume
from issmedia.model.manifest import MAX_MANIFEST, VolumeSource
from issmedia.model.names import parents

Fill = Callable[[PlannedFile, files.Staged], None]
"""Writes one file's bytes and checks their digest; raises `NotIntactError` where its source is a medium that lies."""

AGAIN = "copy it from another medium; the same command keeps the files that were good"


def left_in(directory: Path) -> set[str]:
    """Name what lies in a directory beside what file systems and killed runs put there; nothing where it is absent."""
    found = {entry.name for entry in directory.iterdir()} if directory.is_dir() else set()
    found = {name for name in found if not files.is_temporary(name)}
    return found - layout.SYSTEM - {layout.INCOMING, layout.PARITY_WORK}


def read_if_there(volume: VolumeSource, name: str, limit: int = MAX_MANIFEST) -> bytes:
    """Read a small file of a medium that anybody may have filled; empty where it is absent or no such file."""
    try:
        return read_capped(volume, name, limit)
    except (NotIntactError, FormatError):
        return b""


def finish_volume(directory: Path) -> None:
    """Give the manifest its name: from this moment the volume is whole."""
    try:
        if (directory / layout.PARTIAL).exists():
            files.rename(directory / layout.PARTIAL, directory / layout.MANIFEST)
        files.fsync_directory(directory)
    except OSError as cause:
        raise files.system_error(cause, str(directory)) from cause


class Placing:
    """One run of putting a volume into a directory; `kept` counts the files that were whole already."""

    def __init__(self, volume: PlannedVolume, manifest: bytes, directory: Path, fill: Fill, *, report: Report) -> None:
        self._volume = volume
        self._manifest = manifest
        self._directory = directory
        self._fill = fill
        self._report = report
        self._incoming = directory / layout.INCOMING
        self._guard = threading.Lock()
        self._made = {""}
        self._present: set[str] = set()
        self._problems: list[Problem] = []
        self.kept = 0

    def place(self, signatures: bytes, *, phase: str, workers: int) -> None:
        """Put everything there, flushed; the manifest keeps its partial name.

        `NotIntactError` names every file whose source was bad, after the good ones were placed.
        """
        self._prepare()
        self._place_files(phase, workers)
        self._put(layout.SUMS, self._volume.sums)
        if signatures:
            self._put(layout.SIGNATURES, signatures)
        files.remove_directory(self._incoming)
        files.sync_filesystem(self._directory)

    def _prepare(self) -> None:
        files.make_directory(self._directory)
        if self._incoming.exists():
            files.remove_directory(self._incoming)
        self._drop_strays()
        files.make_directory(self._incoming, 0o700)
        try:
            self._require_space()
        except NoSpaceError:
            files.remove_directory(self._incoming)
            raise
        if not (self._directory / layout.MANIFEST).exists():
            self._put(layout.PARTIAL, self._manifest)
            files.fsync_directory(self._directory)

    def _drop_strays(self) -> None:
        """Remove what an earlier plan wrote and this one does not want, and links that would lead elsewhere.

        What lies beside our directories stays.
        """
        wanted = {file.path for file in self._volume.files} | layout.APART | {layout.PARTIAL}
        with Root(self._directory) as root:
            found = dict(root.walk())
        self._present = {path for path, facts in found.items() if stat.S_ISREG(facts.st_mode)}
        for path in sorted(found.keys() - (self._present & wanted)):
            if path.partition("/")[0] in layout.FOLDERS and not stat.S_ISDIR(found[path].st_mode):
                files.unlink(self._directory / path)

    def _require_space(self) -> None:
        """Count what is not there yet, by cluster; a blob at several paths once, where hard links serve.

        Never more than is needed: a volume may have been planned to fill its medium.
        """
        missing = [file for file in self._volume.files if file.path not in self._present]
        folders = parents(file.path for file in missing) - parents(self._present)
        if self._can_link():
            missing = list({file.sha256: file for file in missing}.values())
        apart = [] if self._present & {layout.PARTIAL, layout.MANIFEST} else [len(self._manifest)]
        cluster = cluster_of(self._directory)
        needed = len(folders) + sum(-(-size // cluster) for size in (*apart, *(file.size for file in missing)))
        files.require_free(self._directory, needed * cluster)

    def _can_link(self) -> bool:
        with files.Staged(self._incoming) as probe:
            probe.close(0o600, durable=False)
            try:
                files.link(probe.path, f"{probe.path}-link")
            except OSError:
                return False
            finally:
                files.unlink(probe.path)
            files.unlink(f"{probe.path}-link")
            return True

    def _place_files(self, phase: str, workers: int) -> None:
        total = self._volume.entry
        self._report(Started(phase, total.files, total.bytes))
        groups: dict[Digest, list[PlannedFile]] = {}
        for file in self._volume.files:
            groups.setdefault(file.sha256, []).append(file)
        each_sized(self._place_group, groups.values(), lambda group: group[0].size, workers=workers)
        if self.kept:
            self._report(Note(f"kept {count_text(self.kept, 'file')} of an earlier run, after re-hashing"))
        self._report(Finished(phase))
        require_none(sorted(self._problems, key=lambda one: one.where), hint=AGAIN)

    def _place_group(self, group: list[PlannedFile]) -> None:
        """Put one blob at all its paths: once, then as hard links where the file system has them."""
        first, *others = group
        whole = self._place_one(first)
        for other in others:
            if not (whole and (self._is_same(first, other) or self._link(first, other))):
                self._place_one(other)
            else:
                self._report(Advanced(1, other.size))

    def _place_one(self, file: PlannedFile) -> bool:
        """Put one file at its path; False, with the reason kept, where its source is bad."""
        target = self._target(file)
        try:
            if file.path in self._present and self._keeps(file):
                with self._guard:
                    self.kept += 1
            else:
                self._write(file, target)
        except NotIntactError as bad:
            with self._guard:
                self._problems.append(Problem(file.path, bad.message))
            return False
        self._report(Advanced(1, file.size))
        return True

    def _write(self, file: PlannedFile, target: str) -> None:
        """Write a file; one that lies on this disk already is moved, after it was hashed again."""
        if file.file is not None and file.file.exists():
            _require_digest(file, file.file)
            files.rename(file.file, target)
            return
        with files.Staged(self._incoming, size=file.size) as out:
            self._fill(file, out)
            out.close(0o644, durable=False)
            files.rename(out.path, target)

    def _keeps(self, file: PlannedFile) -> bool:
        try:
            with Root(self._directory) as root, root.open(file.path) as found:
                digest, _, _ = hash_all(found.readinto, limit=file.size)
        except OSError:
            return False
        return digest == file.sha256

    def _is_same(self, first: PlannedFile, other: PlannedFile) -> bool:
        return other.path in self._present and os.path.samefile(self._target(other), self._target(first))  # noqa: PTH121

    def _link(self, first: PlannedFile, other: PlannedFile) -> bool:
        with contextlib.suppress(OSError):
            if other.path not in self._present:
                files.link(self._target(first), self._target(other))
                return True
        return False

    def _target(self, file: PlannedFile) -> str:
        parent = file.path.rpartition("/")[0]
        if parent not in self._made:
            files.make_directory(self._directory / parent)
            self._made.add(parent)
        return f"{self._directory}/{file.path}"

    def _put(self, name: str, data: bytes) -> None:
        with files.Staged(self._incoming) as out:
            out.write(data)
            out.close(0o644, durable=True)
            files.rename(out.path, self._directory / name)


def _require_digest(file: PlannedFile, at: Path) -> None:
    with at.open("rb", buffering=0) as found:
        digest, _, _ = hash_all(found.readinto, limit=file.size)
    if digest != file.sha256:
        raise NotIntactError(f"expected sha256 {file.sha256}, read {digest}", where=str(at))
