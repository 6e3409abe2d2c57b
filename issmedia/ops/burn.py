"""burn: one volume of a bundle → a disc, read back from it; the ledger keeps what came of it.

A directory becomes an image on its way to the drive, an image goes there as it is. A source that is not intact is not
burned. What a `stdio:` drive stands for has a temporary name until it was read back; a disc that a run which died left
is read back too: where it is whole the same command ends well, else it is a medium that holds data.
"""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec.structs import asdict, replace

from issmedia.base import files
from issmedia.base.digest import CHUNK, Digest
from issmedia.base.errors import FormatError, NotIntactError, Problem, UsageError
from issmedia.base.events import Note, Report, Warned
from issmedia.base.readback import Means
from issmedia.base.units import count_text
from issmedia.bundle import layout
from issmedia.bundle.comparison import differences
from issmedia.bundle.copying import Original, original
from issmedia.bundle.drive import Drive, Medium, burn, eject, forget, look, require_blank
from issmedia.bundle.growing import pieces
from issmedia.bundle.image import ImageVolume
from issmedia.bundle.iso import ImageFacts, image_tree, sweep_trees
from issmedia.bundle.reader import DirectoryVolume
from issmedia.depot.depot import OwnedDepot
from issmedia.model.manifest import Manifest, UnverifiedBundle, VolumeEntry
from issmedia.model.names import shown

_NAMED = 100
"""Bad files that the ledger names."""


class BurnOptions(msgspec.Struct, frozen=True):
    """How to burn: at which speed, over what is on the medium (`overwrite`), and whether the tray opens at the end."""

    speed: str | None = None
    overwrite: bool = False
    eject: bool = False


class Burned(msgspec.Struct, frozen=True):
    """A disc that gave back what was written; `again` says that it was burned already."""

    bundle: Digest
    manifest: Manifest
    volume: VolumeEntry
    device: str
    medium: Medium
    means: Means
    again: bool


def burn_volume(
    bundle: UnverifiedBundle,
    depot: OwnedDepot,
    drive: Drive,
    *,
    options: BurnOptions,
    now: str,
    workers: int,
    report: Report,
) -> Burned:
    """Burn the one volume of `bundle`, read it back, record that. Killed, the same call goes on.

    What was read back otherwise than written is recorded too, and raised: a `NotIntactError` that names every file.
    """
    one = original(bundle)
    run = _Run(one, drive, depot, workers, report)
    try:
        done = run.burn(options, now=now)
    except OSError as cause:
        raise files.system_error(cause, str(drive.path)) from cause
    if options.eject and drive.file is None:
        eject(drive)
    return done


class _Run:
    """One run of burning one volume."""

    def __init__(self, one: Original, drive: Drive, depot: OwnedDepot, workers: int, report: Report) -> None:
        self._one = one
        self._drive = drive
        self._depot = depot
        self._workers = workers
        self._report = report
        self._planned = one.files()

    def burn(self, options: BurnOptions, *, now: str) -> Burned:
        """Burn what is not on the medium yet; read back, and record."""
        sweep_trees(self._depot.store)
        medium = look(self._drive)
        if not medium.is_blank and (means := self._found()) is not None:
            self._report(Note("the medium holds this volume already: it was read back"))
            return self._done(medium, means, now=now, again=True)
        if not options.overwrite:
            require_blank(self._drive, medium)
        self._require_source()
        with self._image() as (size, image):
            _require_room(size, medium, self._drive)
            if self._drive.file is None:
                burn(self._drive, image, size, speed=options.speed, report=self._report)
                return self._read_back(medium, self._drive.path, now=now)
            return self._burn_file(self._drive.file, image, size, medium, now=now)

    def _burn_file(self, file: Path, image: Iterator[bytes], size: int, medium: Medium, *, now: str) -> Burned:
        """Burn to a file under a temporary name, which gets its own when it was read back."""
        files.sweep(file.parent, shared=True)
        files.require_space(file.parent, size)
        with files.Staged(file.parent) as out:
            drive = replace(self._drive, address=f"stdio:{out.path}", file=Path(out.path))
            burn(drive, image, size, speed=None, report=self._report)
            out.close(0o644, durable=True)
            means = self._require_same(Path(out.path), medium, now=now)
            files.rename(out.path, file)
        files.fsync_directory(file.parent)
        return self._done(medium, means, now=now, again=False)

    def _read_back(self, medium: Medium, path: Path, *, now: str) -> Burned:
        return self._done(medium, self._require_same(path, medium, now=now), now=now, again=False)

    def _found(self) -> Means | None:
        """Read back what is on a medium that is not blank; None unless it is this volume, whole."""
        manifest = self._one.bundle.manifest
        with contextlib.suppress(FormatError, NotIntactError, OSError):
            with ImageVolume(self._drive.path) as image, image.open(layout.MANIFEST) as file:
                if file.size != len(manifest) or file.pread(0, file.size) != manifest:
                    return None
            means, found = self._compared(self._drive.path, "reading what is on the medium")
            return None if found else means
        return None

    def _require_same(self, path: Path, medium: Medium, *, now: str) -> Means:
        try:
            means, found = self._compared(path, "reading back")
        except FormatError as cause:
            means, found = Means.NONE, [Problem(self._drive.address, cause.message)]
        if found:
            named = [problem.where for problem in found[:_NAMED]]
            self._record(medium, {"outcome": "bad", "bad": len(found), "named": named}, now=now)
            raise NotIntactError(
                f"{count_text(len(found), 'file')} burned, but not given back by the medium as written",
                where=self._drive.address,
                hint="open and close the tray and try again: what is whole is only read; else use another medium",
                problems=found,
            )
        if means is Means.NONE:
            self._report(Warned("lies in memory: what was written was compared, but from no medium", where=str(path)))
        return means

    def _compared(self, path: Path, phase: str) -> tuple[Means, list[Problem]]:
        """Open the medium anew, and compare every file on it with what was to be burned."""
        means = forget(path)
        with ImageVolume(path) as image:
            found = differences(image, self._planned, workers=self._workers, report=self._report, phase=phase)
        return means, [Problem(shown(file.path), message) for file, message in found]

    def _require_source(self) -> None:
        """Read the whole volume first: a disc that cannot be written twice is not spent on a bad one."""
        files_of = self._one.volume.files
        found = differences(
            self._one.source, files_of, workers=self._workers, report=self._report, phase="checking the source"
        )
        if found:
            raise NotIntactError(
                f"{count_text(len(found), 'file')} not intact; nothing was burned",
                where=self._one.where,
                hint="burn another copy of the volume",
                problems=[Problem(f"{self._one.where}: {shown(file.path)}", message) for file, message in found],
            )

    @contextlib.contextmanager
    def _image(self) -> Iterator[tuple[int, Iterator[bytes]]]:
        """Give how many bytes the image has, and them: as it lies there, or made of a directory as they pass."""
        source = self._one.source
        if isinstance(source, ImageVolume):
            with source.path.open("rb", buffering=0) as file:
                yield os.lseek(file.fileno(), 0, os.SEEK_END), _whole(file.fileno())
            return
        assert isinstance(source, DirectoryVolume)
        origin = source.path.absolute()
        planned = [replace(file, content=None, file=origin / file.path) for file in self._planned]
        facts = ImageFacts(self._one.entry.label, self._one.manifest.created, self._drive.program)
        with image_tree(planned, self._depot.store, facts=facts) as tree:
            size = tree.size()
            with tree.made() as child:
                yield size, pieces(child, size)

    def _done(self, medium: Medium, means: Means, *, now: str, again: bool) -> Burned:
        self._record(medium, {"outcome": "whole", "means": means.text, "again": again}, now=now)
        one = self._one
        return Burned(one.bundle.id, one.manifest, one.entry, self._drive.address, medium, means, again)

    def _record(self, medium: Medium, came: dict[str, object], *, now: str) -> None:
        one = self._one
        facts = {
            "bundle": one.bundle.id,
            "volume": one.entry.number,
            "label": shown(one.entry.label),
            "device": shown(self._drive.address),
            "medium": asdict(medium),
            "files": one.entry.files,
            "bytes": one.entry.bytes,
            **came,
        }
        with self._depot.catalog.changing() as db:
            db.ledger.append("burn", facts, now=now)


def _whole(fd: int) -> Iterator[bytes]:
    offset = 0
    while data := os.pread(fd, CHUNK, offset):
        offset += len(data)
        yield data


def _require_room(size: int, medium: Medium, drive: Drive) -> None:
    """Refuse what a blank medium cannot hold; of one that will be blanked first only the drive knows."""
    if medium.is_blank and medium.room < size:
        raise UsageError(
            f"the image has {size:,} bytes, the medium has room for {medium.room:,}",
            where=drive.address,
            hint="insert a larger medium; nothing was burned",
        )
