"""simulate: what the loss of volumes would cost. No keyring, no depot; nothing here is believed, and no payload read.

What lies on a lost volume is known from its `SHA256SUMS` where it is given, or from the index of parity where a parity
volume is. Without either, or where they are too long for what nobody vouched for, the answer stands, but what is lost
cannot be named.
"""

import contextlib
from collections import Counter
from collections.abc import Mapping, Set

import msgspec

from issmedia.base.digest import Digest
from issmedia.base.errors import FormatError, NotIntactError, UsageError
from issmedia.bundle.blocks import Media, read_index
from issmedia.bundle.declared import MAX_UNVERIFIED, declared
from issmedia.model.manifest import Manifest, UnverifiedBundle, parse_manifest
from issmedia.model.recovery import Recovery, RecoveryIndex, longest_index, lost_with

_NEEDED = ("repos/", "blobs/")
"""Where the payload lies; whatever else a volume holds is made for it, or on every volume."""

_Place = tuple[int, str]
"""A volume's number, and a path on it."""


class LostFiles(msgspec.Struct, frozen=True):
    """Files of one repository (PRODUCT/REPO); None for those that lie apart from their repository."""

    repository: str | None
    files: int


class Simulated(msgspec.Struct, frozen=True):
    """What losing the volumes `lose` does: `lost` of each repository is `files` in all.

    `parity` says how many volumes may be lost whichever they are; `enough` how many of `lose`, whichever they are, have
    to come for the bundle to be importable, 0 where it is. `unnamed` are volumes that were lost for good, and of which
    nobody given here knows what lies on them.
    """

    bundle: Digest
    chain: str
    lose: tuple[int, ...]
    importable: bool
    parity: int
    enough: int
    files: int
    lost: tuple[LostFiles, ...]
    unnamed: tuple[int, ...]


class Known(msgspec.Struct, frozen=True):
    """What is known of a bundle: its parity, and by number the `SHA256SUMS` of volumes that are given.

    Where there is an index, it says all that they could.
    """

    recovery: Recovery | None
    index: RecoveryIndex | None
    sums: Mapping[int, Mapping[str, Digest]]


class Loss(msgspec.Struct, frozen=True):
    """What a bundle without some volumes lacks for good: files, and volumes whose files are not known."""

    files: frozenset[_Place]
    unnamed: tuple[int, ...]


def simulate(bundle: UnverifiedBundle, lose: Set[int]) -> Simulated:
    """Say whether the bundle could be imported without some of its volumes; `UsageError` where it has no such volume.

    The volumes of `lose` may be among those that are given: then what lies on them is known.
    """
    manifest = parse_manifest(bundle.manifest)
    count = len(manifest.volumes)
    if strange := sorted(lose - set(range(1, count + 1))):
        raise UsageError(f"there is no volume {', '.join(map(str, strange))}", hint=f"volumes are 1 to {count}")
    found = loss(_known(bundle, manifest), lose)
    counted = Counter(_repository(path) for _, path in found.files)
    lost = tuple(LostFiles(name, counted[name]) for name in sorted(counted, key=lambda name: name or "~"))
    importable, parity = not found.files and not found.unnamed, manifest.recovery.m if manifest.recovery else 0
    return Simulated(
        bundle=bundle.id,
        chain=manifest.chain,
        lose=tuple(sorted(lose)),
        importable=importable,
        parity=parity,
        enough=0 if importable else len(lose) - parity,
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
        files = lost_with(known.index, lose, recovery.block)
        return Loss(frozenset((number, file.path) for number, file in files), ())
    return _whole(known, lose - set(recovery.volumes)) if len(lose) > recovery.m else Loss(frozenset(), ())


def _known(bundle: UnverifiedBundle, manifest: Manifest) -> Known:
    index = _index(bundle, manifest)
    return Known(manifest.recovery, index, _sums(bundle, manifest) if index is None else {})


def _index(bundle: UnverifiedBundle, manifest: Manifest) -> RecoveryIndex | None:
    """Read the index of parity where it is at hand, good, and not too long."""
    if manifest.recovery is None:
        return None
    files = sum(entry.files for entry in manifest.volumes)
    media = Media(None, {}, [volume.source for volume in bundle.volumes])
    try:
        return read_index(manifest.recovery, media, most=min(MAX_UNVERIFIED, longest_index(manifest.recovery, files)))
    except (NotIntactError, FormatError):
        return None


def _sums(bundle: UnverifiedBundle, manifest: Manifest) -> dict[int, Mapping[str, Digest]]:
    """Read what the volumes declare that are good, until all of them together are too long."""
    found: dict[int, Mapping[str, Digest]] = {}
    left = MAX_UNVERIFIED
    for volume in bundle.volumes:
        with contextlib.suppress(NotIntactError, FormatError):
            one = declared(volume, manifest, most=left)
            found[one.entry.number] = one.index
            left -= len(one.sums)
    return found


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


def _repository(path: str) -> str | None:
    parts = path.split("/")
    return "/".join(parts[1:3]) if parts[0] == "repos" and len(parts) > 3 else None
