"""simulate: what the loss of volumes would cost. No keyring, no depot; nothing here is believed, and no payload read.

What lies on a lost volume is known from its `SHA256SUMS` where it is given, or from the index of parity where a parity
volume is. Without either the answer stands, but what is lost cannot be named.
"""

from collections import Counter
from collections.abc import Mapping, Set
from dataclasses import dataclass

from issmedia.base.digest import Digest
from issmedia.base.errors import FormatError, NotIntactError, UsageError
from issmedia.bundle import layout
from issmedia.bundle.blocks import Media, read_index
from issmedia.bundle.reader import read_sums
from issmedia.model.manifest import Manifest, UnverifiedBundle, VolumeSource, parse_manifest
from issmedia.model.recovery import Recovery, RecoveryIndex, Shape, beyond_repair, without

_NEEDED = ("repos/", "blobs/")
"""Where the payload lies; whatever else a volume holds is made for it, or on every volume."""

_Place = tuple[int, str]
"""A volume's number, and a path on it."""


@dataclass(frozen=True, slots=True)
class LostFiles:
    """Files of one repository (PRODUCT/REPO); None for those that lie apart from their repository."""

    repository: str | None
    files: int


@dataclass(frozen=True, slots=True)
class Simulated:
    """What losing the volumes `lose` does: `lost` of each repository is `files` in all.

    `parity` says how many volumes may be lost whichever they are. `unnamed` are volumes that were lost for good, and of
    which nobody given here knows what lies on them.
    """

    bundle: Digest
    chain: str
    lose: tuple[int, ...]
    importable: bool
    parity: int
    files: int
    lost: tuple[LostFiles, ...]
    unnamed: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a bundle: its volumes, its parity, and by number the `SHA256SUMS` of volumes that are given."""

    volumes: tuple[int, ...]
    recovery: Recovery | None
    index: RecoveryIndex | None
    sums: Mapping[int, Mapping[str, Digest]]


@dataclass(frozen=True, slots=True)
class Loss:
    """What a bundle without some volumes lacks for good: files, and volumes whose files are not known."""

    files: frozenset[_Place]
    unnamed: tuple[int, ...]


def simulate(bundle: UnverifiedBundle, lose: Set[int]) -> Simulated:
    """Say whether the bundle could be imported without some of its volumes; `UsageError` where it has no such volume.

    The volumes of `lose` may be among those that are given: then what lies on them is known.
    """
    manifest = parse_manifest(bundle.manifest)
    known = _known(bundle, manifest)
    if strange := sorted(lose - set(known.volumes)):
        raise UsageError(
            f"there is no volume {', '.join(map(str, strange))}", hint=f"volumes are 1 to {len(known.volumes)}"
        )
    found = loss(known, lose)
    counted = Counter(_repository(path) for _, path in found.files)
    lost = tuple(LostFiles(name, counted[name]) for name in sorted(counted, key=lambda name: name or "~"))
    return Simulated(
        bundle=bundle.id,
        chain=manifest.chain,
        lose=tuple(sorted(lose)),
        importable=not found.files and not found.unnamed,
        parity=known.recovery.m if known.recovery else 0,
        files=len(found.files),
        lost=lost,
        unnamed=found.unnamed,
    )


def loss(known: Known, lose: Set[int]) -> Loss:
    """Say what is lost with volumes. Pure."""
    recovery = known.recovery
    if recovery is None:
        return _whole(known, lose)
    if known.index is not None:
        return Loss(_beyond(recovery, known.index, lose), ())
    return _whole(known, lose - set(recovery.volumes)) if len(lose) > recovery.m else Loss(frozenset(), ())


def _known(bundle: UnverifiedBundle, manifest: Manifest) -> Known:
    numbers = {entry.sums: entry.number for entry in manifest.volumes}
    sums: dict[int, Mapping[str, Digest]] = {}
    sources: dict[int, VolumeSource] = {}
    others: list[VolumeSource] = []
    for volume in bundle.volumes:
        try:
            digest, data = read_sums(volume, manifest)
            sums[numbers[digest]] = layout.parse_sums(data, where=f"{volume.where}: {layout.SUMS}")
            sources[numbers[digest]] = volume.source
        except (NotIntactError, FormatError, KeyError):
            others.append(volume.source)
    media = Media(None, sources, others)
    return Known(
        tuple(entry.number for entry in manifest.volumes), manifest.recovery, _index(manifest.recovery, media), sums
    )


def _index(recovery: Recovery | None, media: Media) -> RecoveryIndex | None:
    if recovery is None:
        return None
    try:
        return read_index(recovery, media)
    except (NotIntactError, FormatError):
        return None


def _whole(known: Known, lose: Set[int]) -> Loss:
    """Lose all that lies on volumes and on none of the others that are given."""
    kept = {digest for number, sums in known.sums.items() if number not in lose for digest in sums.values()}
    files = frozenset(
        (number, path)
        for number in lose & known.sums.keys()
        for path, digest in known.sums[number].items()
        if path.startswith(_NEEDED) and digest not in kept
    )
    return Loss(files, tuple(sorted(lose - known.sums.keys())))


def _beyond(recovery: Recovery, index: RecoveryIndex, lose: Set[int]) -> frozenset[_Place]:
    """Find the files that lie in stripes of which too many blocks are lost."""
    bad = without(index, lose)
    return frozenset(
        (column.number, piece.file.path)
        for column in index.data
        if column.number in lose
        for shape in [Shape(column.files, recovery.block)]
        for stripe in beyond_repair(bad, recovery.m)
        if stripe < shape.blocks
        for piece in shape.pieces(stripe)
    )


def _repository(path: str) -> str | None:
    parts = path.split("/")
    return "/".join(parts[1:3]) if parts[0] == "repos" and len(parts) > 3 else None
