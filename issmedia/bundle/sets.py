"""Where a bundle's volumes go: one directory is the volume itself; several lie in it, each named by its label.

DIR/                                one volume, not as an image
DIR/ISSM_1A2B3C4D_V01OF03/          several volumes
DIR/ISSM_1A2B3C4D_V01OF03.iso       images
DIR/manifest.json.partial           while the set is unfinished
"""

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from issmedia.base import files
from issmedia.base.digest import Digest, digest_of
from issmedia.base.errors import FormatError, NotIntactError, UsageError
from issmedia.base.events import Note, Report
from issmedia.bundle import layout
from issmedia.bundle.iso import Extra, ImageFacts, finish_image, partial, predicted_size, require_fits, write_image
from issmedia.bundle.placing import finish_volume, left_in, read_if_there
from issmedia.bundle.reader import DirectoryVolume, open_volume, read_capped, volumes_in
from issmedia.bundle.volume import Plan, PlannedVolume
from issmedia.bundle.writer import write_volume
from issmedia.depot.store import Store
from issmedia.model.manifest import MAX_MANIFEST, MAX_SIGNATURES, Manifest, SiteName, parse_manifest
from issmedia.model.names import shown

_PARTIAL = ".partial"
"""How the name of an image ends that is whole while the catalog does not know of its bundle."""


class BegunExport(msgspec.Struct, frozen=True):
    """What an earlier run left: the manifest it wrote, and its id."""

    id: Digest
    manifest: Manifest


class Destination(msgspec.Struct, frozen=True):
    """Where volumes are written: `directory`, and whether as `images`."""

    directory: Path
    images: bool = False

    def place(self, plan: Plan, number: int) -> Path:
        """Say where volume `number` will be found."""
        if len(plan.volumes) == 1 and not self.images:
            return self.directory
        label = plan.volumes[number - 1].entry.label
        return self.directory / (label + layout.IMAGE if self.images else label)

    def is_set(self, plan: Plan) -> bool:
        """Say whether the volumes lie in the directory, which is none itself."""
        return self.images or len(plan.volumes) > 1


def unfinished(directory: Path, site: SiteName) -> BegunExport | None:
    """Read the manifest that an earlier run of this site left in `directory`, finished or not; None in an empty one.

    Raises `UsageError` where the directory holds anything else.
    """
    present = left_in(directory)
    if not present:
        return None
    for name in (layout.PARTIAL, layout.MANIFEST):
        if name in present:
            with DirectoryVolume(directory) as volume:
                return _begun(site, read_capped(volume, name, MAX_MANIFEST), directory)
    for place in volumes_in(directory):
        with open_volume(place) as source:
            return _begun(site, read_capped(source, layout.MANIFEST, MAX_MANIFEST), directory)
    raise UsageError(
        f"the directory holds {sorted(present)[0]!r}, nothing that an export of ours began",
        where=str(directory),
        hint="export into an empty or new directory",
    )


def require_no_other(directory: Path, is_same: Callable[[Manifest], bool]) -> None:
    """Raise `UsageError` where the directory holds a finished bundle of which `is_same` does not hold."""
    places = [directory, *volumes_in(directory)]
    found = {data: place for place in places if place.exists() and (data := _manifest_at(place))}
    for data, place in found.items():
        with contextlib.suppress(FormatError):
            if is_same(parse_manifest(data)):
                continue
        raise _finished(place)


def signatures_before(plan: Plan, destination: Destination) -> bytes:
    """Give the signatures that an earlier run left on the first volume, where they are of this very manifest.

    Raises `UsageError` where the directory holds another bundle that is finished.
    """
    found = [_signatures_at(place, plan) for place in _left(plan, destination)]
    return next((one for one in found if one), b"")


def write_set(
    plan: Plan,
    store: Store,
    destination: Destination,
    *,
    sign: Callable[[bytes], bytes],
    workers: int,
    report: Report,
) -> None:
    """Write all volumes, signed once; `finish_set` gives them their last names. Killed, the same call goes on.

    Whether all of them fit, each its medium and together the disk, is known before anything is written.
    """
    if unfinished(destination.directory, plan.manifest.site) is not None:
        report(Note("going on with an export that was begun here: what lies there is hashed again"))
    signatures_before(plan, destination)
    signatures = sign(plan.manifest_bytes)
    try:
        if destination.is_set(plan):
            _require_room(plan, signatures, store, destination)
            _mark(plan, destination)
        for volume in plan.volumes:
            place = destination.place(plan, volume.entry.number)
            if destination.images:
                facts, extra = _image(plan, volume, signatures)
                write_image(volume, extra, store, place, facts=facts, workers=workers, report=report)
            else:
                write_volume(plan, volume, store, place, signatures=signatures, workers=workers, report=report)
    except OSError as cause:
        raise files.system_error(cause, str(destination.directory)) from cause


def finish_set(plan: Plan, destination: Destination) -> None:
    """Give every volume its last name: from this moment the bundle is whole."""
    for volume in plan.volumes:
        place = destination.place(plan, volume.entry.number)
        if destination.images:
            finish_image(place)
        else:
            finish_volume(place)
    if destination.is_set(plan):
        files.unlink(destination.directory / layout.PARTIAL)
        files.fsync_directory(destination.directory)


def _image(plan: Plan, volume: PlannedVolume, signatures: bytes) -> tuple[ImageFacts, Extra]:
    """Say what an image is called and dated, and what it holds beside the volume's files."""
    apart = ((layout.MANIFEST, plan.manifest_bytes), (layout.SIGNATURES, signatures), (layout.SUMS, volume.sums))
    return ImageFacts(volume.entry.label, plan.manifest.created), apart


def _require_room(plan: Plan, signatures: bytes, store: Store, destination: Destination) -> None:
    """Refuse what will not fit, while nothing is written: what an earlier run began is judged when its turn comes.

    For images the bytes are those that xorriso predicts.
    """
    files.make_directory(destination.directory)
    places = [(volume, destination.place(plan, volume.entry.number)) for volume in plan.volumes]
    missing = [volume for volume, place in places if not (place.exists() or partial(place).exists())]
    if not destination.images:
        sizes = [file.size for volume in missing for file in volume.files if file.file is None]
        files.require_space(destination.directory, files.space_for(sizes))
        return
    predicted = 0
    for volume in missing:
        facts, extra = _image(plan, volume, signatures)
        size = predicted_size(volume, extra, store, facts=facts)
        require_fits(size, volume, destination.place(plan, volume.entry.number))
        predicted += size
    files.require_space(destination.directory, predicted)


def _mark(plan: Plan, destination: Destination) -> None:
    """Mark the directory as ours, and drop what an earlier plan left there."""
    files.make_directory(destination.directory)
    files.sweep(destination.directory, shared=True)
    files.write_atomic(destination.directory / layout.PARTIAL, plan.manifest_bytes)
    wanted = {destination.place(plan, volume.entry.number).name for volume in plan.volumes}
    for entry in sorted(destination.directory.iterdir()):
        name = entry.name.removesuffix(_PARTIAL)
        if layout.is_volume_label(name) and name not in wanted:
            files.remove_directory(entry)


def _begun(site: SiteName, data: bytes, directory: Path) -> BegunExport:
    manifest = parse_manifest(data)
    if manifest.site != site:
        raise UsageError(
            f"holds a bundle of another site: {shown(manifest.chain)}",
            where=str(directory),
            hint="export into an empty or new directory",
        )
    return BegunExport(digest_of(data), manifest)


def _left(plan: Plan, destination: Destination) -> Sequence[Path]:
    places = [destination.place(plan, volume.entry.number) for volume in plan.volumes]
    places += [partial(place) for place in places if destination.images]
    if (destination.directory / layout.MANIFEST).exists():
        places.append(destination.directory)
    return [place for place in places if place.exists()] + list(volumes_in(destination.directory))


def _manifest_at(place: Path) -> bytes:
    try:
        with open_volume(place) as volume:
            return read_if_there(volume, layout.MANIFEST)
    except (FormatError, NotIntactError):
        return b""


def _finished(place: Path) -> UsageError:
    return UsageError("holds a finished bundle", where=str(place), hint="export into an empty directory")


def _signatures_at(place: Path, plan: Plan) -> bytes:
    try:
        with open_volume(place) as volume:
            manifest = read_if_there(volume, layout.MANIFEST)
            partial = read_if_there(volume, layout.PARTIAL)
            signatures = read_if_there(volume, layout.SIGNATURES, MAX_SIGNATURES)
    except (FormatError, NotIntactError):
        return b""
    if manifest not in (b"", plan.manifest_bytes):
        raise _finished(place)
    return signatures if plan.manifest_bytes in (partial, manifest) else b""
