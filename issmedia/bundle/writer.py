"""Plan + store → volume. Every byte is hashed as it is written; nothing half-made looks whole.

The order of writing: `manifest.json.partial` marks the directory as an unfinished export of ours; then the files,
each under a temporary name until it is whole; then `SHA256SUMS`, the signatures, a flush of the file system; last, when
the catalog knows of the bundle, `finish_volume` makes `manifest.json.partial` the manifest by one rename. Killed
anywhere, the same command re-hashes what is there and goes on.
"""

import contextlib
import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path

from issmedia.base import files
from issmedia.base.beneath import Root
from issmedia.base.digest import Digest, copy_and_hash
from issmedia.base.errors import DepotError, FormatError, NotIntactError, UsageError
from issmedia.base.events import Advanced, Finished, Note, Report, Started
from issmedia.base.units import count_text
from issmedia.base.work import each_sized
from issmedia.bundle import layout
from issmedia.bundle.reader import DirectoryVolume, read_capped
from issmedia.bundle.volume import Plan, PlannedFile, PlannedVolume
from issmedia.depot.store import Store, damaged
from issmedia.model.manifest import MAX_MANIFEST, Manifest, SiteName, parse_manifest
from issmedia.model.names import shown


def unfinished(directory: Path, site: SiteName) -> Manifest | None:
    """Read the manifest that an earlier run of this site left in `directory`, finished or not; None in an empty one.

    Raises `UsageError` where the directory holds anything else.
    """
    found = {entry.name for entry in directory.iterdir()} if directory.is_dir() else set()
    present = found - layout.SYSTEM - {layout.INCOMING}
    if not present:
        return None
    for name in (layout.PARTIAL, layout.MANIFEST):
        if name in present:
            with DirectoryVolume(directory) as volume:
                return _require_of(site, parse_manifest(read_capped(volume, name, MAX_MANIFEST)), directory)
    raise UsageError(
        f"the directory holds {sorted(present)[0]!r}, nothing that an export of ours began",
        where=str(directory),
        hint="export into an empty or new directory",
    )


def write_volume(
    plan: Plan,
    volume: PlannedVolume,
    store: Store,
    directory: Path,
    *,
    sign: Callable[[bytes], bytes],
    workers: int,
    report: Report,
) -> None:
    """Execute the plan for one volume, but for its last rename; `sign` gives the manifest's armored signatures.

    `DamagedBlobError` names a blob that rotted in the store; what was written stays for the next run.
    """
    try:
        if signatures_before(plan, directory) is not None:
            report(Note("going on with an export that was begun here: what lies there is hashed again"))
        _Writer(plan, volume, store, directory, report).write(sign, workers)
    except OSError as cause:
        raise files.system_error(cause, str(directory)) from cause


def _require_of(site: SiteName, manifest: Manifest, directory: Path) -> Manifest:
    if manifest.site != site:
        raise UsageError(
            f"holds a bundle of another site: {shown(manifest.chain)}",
            where=str(directory),
            hint="export into an empty or new directory",
        )
    return manifest


def signatures_before(plan: Plan, directory: Path) -> bytes | None:
    """Give the signatures that an earlier run left, where they are of this very manifest; None where nothing was begun.

    Raises `UsageError` where the directory holds another bundle that is finished.
    """
    if unfinished(directory, plan.manifest.site) is None:
        return None
    with DirectoryVolume(directory) as volume:
        found = {name: _read_if_there(volume, name) for name in (layout.PARTIAL, layout.MANIFEST, layout.SIGNATURES)}
    if found[layout.MANIFEST] not in (b"", plan.manifest_bytes):
        raise UsageError("holds a finished bundle", where=str(directory), hint="export into an empty directory")
    same = plan.manifest_bytes in (found[layout.PARTIAL], found[layout.MANIFEST])
    return found[layout.SIGNATURES] if same else b""


def _read_if_there(volume: DirectoryVolume, name: str) -> bytes:
    """Read a small file of a medium that anybody may have filled; empty where it is absent or no such file."""
    try:
        return read_capped(volume, name, MAX_MANIFEST)
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


class _Writer:
    """One run of writing one volume."""

    def __init__(self, plan: Plan, volume: PlannedVolume, store: Store, directory: Path, report: Report) -> None:
        self._plan = plan
        self._volume = volume
        self._store = store
        self._directory = directory
        self._report = report
        self._incoming = directory / layout.INCOMING
        self._guard = threading.Lock()
        self._made = {""}
        self._present: set[str] = set()
        self._kept = 0

    def write(self, sign: Callable[[bytes], bytes], workers: int) -> None:
        """Write everything; the manifest keeps its partial name."""
        self._prepare()
        signatures = sign(self._plan.manifest_bytes)
        self._write_files(workers)
        self._put(layout.SUMS, self._volume.sums)
        self._put(layout.SIGNATURES, signatures)
        files.remove_directory(self._incoming)
        files.sync_filesystem(self._directory)

    def _prepare(self) -> None:
        files.make_directory(self._directory)
        if self._incoming.exists():
            files.remove_directory(self._incoming)
        self._drop_strays()
        files.make_directory(self._incoming, 0o700)
        self._require_space()
        if not (self._directory / layout.MANIFEST).exists():
            self._put(layout.PARTIAL, self._plan.manifest_bytes)
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
        """Count what is not there yet, by cluster; a blob at several paths once, where hard links serve."""
        missing = [file for file in self._volume.files if file.path not in self._present]
        if self._can_link():
            missing = list({file.sha256: file for file in missing}.values())
        needed = files.space_for(file.size for file in missing)
        files.require_space(self._directory, needed + len(self._plan.manifest_bytes) + len(self._volume.sums))

    def _can_link(self) -> bool:
        with files.staged(self._incoming) as probe:
            probe.close(0o600, durable=False)
            try:
                files.link(probe.path, f"{probe.path}-link")
            except OSError:
                return False
            finally:
                files.unlink(probe.path)
            files.unlink(f"{probe.path}-link")
            return True

    def _write_files(self, workers: int) -> None:
        total = self._volume.entry
        self._report(Started("writing", total.files, total.bytes))
        groups: dict[Digest, list[PlannedFile]] = {}
        for file in self._volume.files:
            groups.setdefault(file.sha256, []).append(file)
        each_sized(self._write_group, groups.values(), lambda group: group[0].size, workers=workers)
        if self._kept:
            self._report(Note(f"kept {count_text(self._kept, 'file')} of an earlier run, after re-hashing"))
        self._report(Finished("writing"))

    def _write_group(self, group: list[PlannedFile]) -> None:
        """Write one blob at all its paths: once, then as hard links where the file system has them."""
        first, *others = group
        self._write_one(first)
        for other in others:
            if not self._is_same(first, other) and not self._link(first, other):
                self._write_one(other)
            self._report(Advanced(1, other.size))

    def _write_one(self, file: PlannedFile) -> None:
        target = self._target(file)
        if file.path in self._present and self._keeps(file):
            with self._guard:
                self._kept += 1
        else:
            self._copy(file, target)
        self._report(Advanced(1, file.size))

    def _copy(self, file: PlannedFile, target: str) -> None:
        with files.staged(self._incoming) as out:
            if file.content is not None:
                out.write(file.content)
            else:
                self._copy_blob(file, out)
            out.close(0o644, durable=False)
            files.rename(out.path, target)

    def _copy_blob(self, file: PlannedFile, out: files.Staged) -> None:
        with self._store.open(file.sha256) as blob:
            found, size, _ = copy_and_hash(blob.read, out.write, limit=file.size)
        if found != file.sha256 or size != file.size:
            rotten = damaged(file.sha256, found)
            raise DepotError(rotten.message, where=f"{file.path} ({rotten.where})", hint=rotten.hint) from rotten

    def _keeps(self, file: PlannedFile) -> bool:
        try:
            with Root(self._directory) as root, root.open(file.path) as found:
                digest, _, _ = copy_and_hash(found.read, len, limit=file.size)
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
        with files.staged(self._incoming) as out:
            out.write(data)
            out.close(0o644, durable=True)
            files.rename(out.path, self._directory / name)
