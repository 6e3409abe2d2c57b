"""What of a bundle of several volumes has arrived: which are done, missing or bad, and which are still needed."""

from collections.abc import Mapping, Set
from typing import Literal

import msgspec

from issmedia.base.digest import Digest
from issmedia.model.manifest import Manifest, VolumeEntry


class Arrival(msgspec.Struct, frozen=True):
    """A volume: `done` when all that it brings is here, `missing` until it was seen, else `bad`, `lacking` these paths.

    `needed` says that what is still lacking may lie there; parity volumes are not asked for.
    """

    volume: VolumeEntry
    state: Literal["done", "missing", "bad"]
    lacking: tuple[str, ...]
    parity: bool
    needed: bool


def arrivals(
    manifest: Manifest,
    lacking: Set[Digest],
    indexes: Mapping[int, Mapping[str, Digest]],
    places: Mapping[str, int],
) -> tuple[Arrival, ...]:
    """Say how far each volume has come; `indexes` are those of the volumes that were seen: path → blob.

    `places` maps the first eight digits of a digest → the volume where it should lie, as far as that is known.
    """
    parity = frozenset(manifest.recovery.volumes if manifest.recovery else ())
    placed = {digest for index in indexes.values() for digest in index.values()}
    unseen = {entry.number for entry in manifest.volumes} - indexes.keys() - parity
    asked = _asked(lacking - placed, unseen, places)
    return tuple(
        _arrival(
            entry, indexes.get(entry.number), lacking, is_parity=entry.number in parity, asked=entry.number in asked
        )
        for entry in manifest.volumes
    )


def needed(found: tuple[Arrival, ...]) -> tuple[Arrival, ...]:
    """Give the volumes to ask for."""
    return tuple(one for one in found if one.needed)


def _asked(elsewhere: Set[Digest], unseen: Set[int], places: Mapping[str, int]) -> Set[int]:
    """Say which volumes that were not seen yet to ask for: all of them, where the hints do not help."""
    named = {places.get(digest[:8], 0) for digest in elsewhere}
    return named if named <= unseen else unseen


def _arrival(
    entry: VolumeEntry, index: Mapping[str, Digest] | None, lacking: Set[Digest], *, is_parity: bool, asked: bool
) -> Arrival:
    if index is None:
        return Arrival(entry, "missing", (), is_parity, needed=asked)
    bad = tuple(path for path, digest in index.items() if digest in lacking)
    return Arrival(entry, "bad" if bad else "done", bad, is_parity, needed=bool(bad))
