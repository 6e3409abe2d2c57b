"""Targets → plan. The way: what each repository carries → pieces → loads of volumes → their files → the manifest.

How much of a medium its file system, repodata and guides take is known only when they are there; so volumes are laid
out, measured, and laid out again with that much less room, until nothing is a byte over.
"""

from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from issmedia.base.digest import Digest, digest_of
from issmedia.base.errors import FormatError, UsageError
from issmedia.bundle import layout
from issmedia.bundle.carried import Carried, carried
from issmedia.bundle.laying import Describe, Load, describe_nothing, lay, lay_parity
from issmedia.bundle.loading import Costs, Cut, Media, Overhead, Piece, load, pieces_of, room_of, split_large, too_small
from issmedia.bundle.volume import Plan, PlannedFile, PlannedVolume
from issmedia.model import plan, strictjson
from issmedia.model.filesystem import base_cost
from issmedia.model.manifest import (
    MAX_SIGNATURES,
    Manifest,
    SplitEntry,
    Stored,
    VolumeEntry,
    left_out,
    parse_manifest,
)
from issmedia.model.medium import Medium
from issmedia.model.names import collisions, parents
from issmedia.model.recovery import INDEX, Recovery, block_size, parity_files
from issmedia.model.target import Header, RepositoryTarget

_ROUNDS = 16
_NO_PARITY = 0

_INDEX_ENTRY = 48
"""Bytes that a file or block takes at most in the packed index of the parity, beside a file's path."""


class Draft(msgspec.Struct, frozen=True):
    """All that a bundle consists of but its parity: the files of each data volume, measured to fit their media."""

    header: Header
    parts: tuple[Carried, ...]
    media: Media
    volumes: tuple[tuple[PlannedFile, ...], ...]
    split: tuple[SplitEntry, ...]
    parity: int = _NO_PARITY

    @property
    def count(self) -> int:
        """Count volumes, those of parity too."""
        return len(self.volumes) + self.parity

    def payload(self) -> list[tuple[PlannedFile, ...]]:
        """Give what of each data volume an import needs, each blob once: what parity protects.

        No keys, those lie on every volume.
        """
        needed = {digest for part in self.parts for digest in part.needed}
        needed.update(part.sha256 for one in self.split for part in one.parts)
        return [
            tuple({file.sha256: file for file in reversed(files) if file.sha256 in needed}.values())[::-1]
            for files in self.volumes
        ]


def plan_bundle(
    header: Header,
    targets: tuple[RepositoryTarget, ...],
    *,
    media: Media | None = None,
    describe: Describe = describe_nothing,
    cut: Cut | None = None,
) -> Plan:
    """Plan a bundle without parity: what any base of a target lacks, so all of a target that has none.

    Pure but for `describe` and `cut`: the same targets and header give the same bytes.
    """
    return finish(draft(header, targets, media=media, describe=describe, cut=cut))


def draft(
    header: Header,
    targets: tuple[RepositoryTarget, ...],
    *,
    media: Media | None = None,
    describe: Describe = describe_nothing,
    cut: Cut | None = None,
    parity: int = _NO_PARITY,
) -> Draft:
    """Decide what lies where; nothing is written, and payload is read only where `cut` has to."""
    if not targets:
        raise UsageError("nothing to export", hint="issmedia sync first; issmedia repo list shows what is here")
    parts = tuple(carried(target) for target in sorted(targets, key=lambda target: target.path))
    if not any(part.target.bases for part in parts):
        header = replace(header, bases=())
    start = Draft(header, parts, media or Media(), (), (), parity)
    return _fitted(start, pieces_of(parts), describe, _cut_once(cut or _cannot_cut))


def finish(bundle: Draft, recovery: Recovery | None = None, parity: Sequence[Sequence[PlannedFile]] = ()) -> Plan:
    """Write the manifest; `parity` are the files of the parity volumes that `recovery` speaks of."""
    laid = [
        sorted(
            [*lay_parity(bundle.parts, bundle.header, number=number, count=bundle.count), *files],
            key=lambda file: file.path,
        )
        for number, files in enumerate(parity, len(bundle.volumes) + 1)
    ]
    volumes = tuple(_volume(bundle, number, files) for number, files in enumerate([*bundle.volumes, *laid], 1))
    manifest = _manifest(bundle, volumes, recovery)
    data = _encoded(manifest)
    return Plan(manifest, data, tuple(_measured(bundle, volume, len(data)) for volume in volumes))


def measured(medium: Medium, volume: PlannedVolume, manifest: int) -> int:
    """Say how many bytes of its medium a volume takes, with a manifest of so many bytes."""
    return medium.filesystem.used([*volume.files, *_apart(len(volume.sums), manifest)])


def _fitted(start: Draft, pieces: list[Piece], describe: Describe, cut: Cut) -> Draft:
    """Lay out the volumes until each fits its medium."""
    media, parts = start.media, start.parts
    costs = Costs(parts, media)
    overhead = Overhead(_least(start, pieces), costs.spare())
    for _ in range(_ROUNDS):
        small, split = split_large(pieces, media, overhead, cut)
        loads = load(small, parts, costs, overhead)
        linked = [Load(own, _links(media.medium(number))) for number, own in enumerate(loads, 1)]
        laid = lay(linked, parts, start.header, count=len(loads) + start.parity, describe=describe)
        found = replace(start, volumes=tuple(map(tuple, laid)), split=split)
        if not media.media or not _grown(found, loads, costs, overhead):
            _require_holdable(found)
            return found
    raise too_small()


def _cut_once(cut: Cut) -> Cut:
    """Remember what was cut: to cut is to read."""
    known: dict[tuple[Digest, tuple[int, ...]], tuple[Digest, ...]] = {}

    def once(blob: Stored, sizes: Sequence[int]) -> tuple[Digest, ...]:
        key = (blob.sha256, tuple(sizes))
        if key not in known:
            known[key] = cut(blob, sizes)
        return known[key]

    return once


def _links(medium: Medium | None) -> bool:
    return medium is None or medium.filesystem.links


def _least(start: Draft, pieces: Sequence[Piece]) -> list[int]:
    """Count what a volume on each medium needs before its payload: what lies on every one, and all directories."""
    sticky = [*lay_parity(start.parts, start.header, number=1, count=2), *_apart(1 << 14, 1 << 14)]
    folders = parents(layout.repo_path(*place) for piece in pieces for place in piece.places)
    return [base_cost(medium.filesystem, sticky, folders) for medium in start.media.media]


def _apart(sums: int, manifest: int) -> list[PlannedFile]:
    """Give what lies on a volume beside what its sums list, of so many bytes; signatures as many as may be."""
    sizes = {layout.SUMS: sums, layout.MANIFEST: manifest, layout.SIGNATURES: MAX_SIGNATURES}
    return [PlannedFile(name, Digest(name), size) for name, size in sizes.items()]


def _grown(bundle: Draft, loads: Sequence[Sequence[Piece]], costs: Costs, overhead: Overhead) -> bool:
    """Learn what the volumes that are over their media need beside the costs of their loads; say whether any is."""
    volumes = [_volume(bundle, number, files) for number, files in enumerate(bundle.volumes, 1)]
    size = len(strictjson.render(_manifest(bundle, tuple(volumes), None))) + _parity_entries(bundle)
    parity = _parity_over(bundle, size) if bundle.parity else [0] * len(volumes)
    over = False
    for volume, own, other in zip(volumes, loads, parity, strict=True):
        number = volume.entry.number
        room = bundle.media.room(number)
        missing = max(measured(_medium(bundle, number), volume, size) - room, other)
        if missing > 0:
            _learn(overhead, number, own, missing=missing, needed=room + missing - costs.of_all(own))
            over = True
    return over


def _learn(overhead: Overhead, number: int, load: Sequence[Piece], *, missing: int, needed: int) -> None:
    """Keep more of a volume; where one piece fills it, pieces have to be smaller."""
    if not load:
        raise too_small()
    if len(load) == 1:
        overhead.grow_spare(missing)
    else:
        overhead.grow(number, needed)


def _parity_over(bundle: Draft, manifest: int) -> list[int]:
    """Say of each volume how much shorter its payload had to be, for parity volumes as long to fit their media.

    What the index takes is bounded: digests hardly compress, and the manifest of a bundle with parity is not known yet.
    """
    payload = bundle.payload()
    sizes = [sum(file.size for file in own) for own in payload]
    block = block_size(sizes, bundle.parity)
    index = sum(len(file.path) + _INDEX_ENTRY for own in payload for file in own)
    index += _INDEX_ENTRY * bundle.count * (-(-max(sizes) // block) + 1)
    numbers = {_medium(bundle, number): number for number in range(len(sizes) + 1, bundle.count + 1)}.values()

    def over(size: int) -> int:
        stripes = -(-size // block)
        planned = [(INDEX, index), *parity_files(stripes, block)]
        missing = max(_parity_missing(bundle, number, planned, manifest) for number in numbers)
        return size - max(stripes - -(-missing // block), 0) * block if missing > 0 else missing

    return [over(size) for size in sizes]


def _parity_missing(bundle: Draft, number: int, planned: Sequence[tuple[str, int]], manifest: int) -> int:
    """Say by how many bytes a parity volume of these files, path and size, exceeds its medium."""
    medium = _medium(bundle, number)
    files = [PlannedFile(path, Digest(path), size) for path, size in planned]
    files += lay_parity(bundle.parts, bundle.header, number=number, count=bundle.count)
    return measured(medium, _volume(bundle, number, files), manifest) - room_of(medium)


def _medium(bundle: Draft, number: int) -> Medium:
    """Give the medium of a volume of a bundle that has media."""
    medium = bundle.media.medium(number)
    assert medium is not None
    return medium


def _require_holdable(bundle: Draft) -> None:
    """Refuse what a file system cannot hold though there were room, naming the places."""
    for number, files in enumerate(bundle.volumes, 1):
        medium = bundle.media.medium(number)
        if medium is not None and (problems := list(medium.filesystem.faults(files))):
            raise UsageError(
                f"{medium.filesystem.name} cannot hold what lies on volume {number}",
                hint="choose another file system: --fs exfat",
                problems=problems,
            )


def _parity_entries(bundle: Draft) -> int:
    """Say how long the manifest's words on parity volumes may get."""
    return 1024 * bundle.parity + 1024 if bundle.parity else 0


def _volume(bundle: Draft, number: int, files: Sequence[PlannedFile]) -> PlannedVolume:
    if problems := list(collisions(file.path for file in files)):
        raise UsageError("paths on the volume collide", problems=problems)
    header, medium = bundle.header, bundle.media.medium(number)
    sums = layout.encode_sums((file.path, file.sha256) for file in files)
    mark = digest_of(f"{header.site.id} {header.destination or ''} {header.sequence} {header.created}".encode())
    entry = VolumeEntry(
        number=number,
        label=layout.volume_label(mark, number, bundle.count),
        medium=medium.name if medium else "directory",
        capacity=medium.capacity if medium else None,
        files=len(files),
        bytes=sum(file.size for file in files),
        sums=digest_of(sums),
    )
    return PlannedVolume(entry, tuple(files), sums)


def _manifest(bundle: Draft, volumes: tuple[PlannedVolume, ...], recovery: Recovery | None) -> Manifest:
    header, parts = bundle.header, bundle.parts
    products = {part.target.product.label: part.target.product for part in parts}
    listings = {part.entry.tree: part.listing for part in parts}
    return Manifest(
        format="issmedia-bundle",
        version=1,
        site=header.site,
        destination=header.destination,
        sequence=header.sequence,
        previous=header.previous,
        created=header.created,
        expires=header.expires,
        tool=header.tool,
        notes=header.notes,
        kind="delta" if header.bases else "full",
        products=tuple(products[label] for label in sorted(products)),
        repositories=tuple(part.entry for part in parts),
        views=(),
        environments=(),
        trees=tuple(listing.entry() for _, listing in sorted(listings.items())),
        content=plan.count(plan.joined(part.needed for part in parts)),
        volumes=tuple(volume.entry for volume in volumes),
        recovery=recovery,
        incomplete=tuple(item for part in parts for item in left_out(part.path, part.target.incomplete)),
        bases=header.bases,
        split=bundle.split,
    )


def _encoded(manifest: Manifest) -> bytes:
    """Write the manifest; what the other side would refuse to read is refused here."""
    data = strictjson.render(manifest)
    try:
        parse_manifest(data)
    except FormatError as cause:
        raise UsageError(f"the manifest would not be readable: {cause.message}", where=cause.where) from cause
    return data


def _measured(bundle: Draft, volume: PlannedVolume, manifest: int) -> PlannedVolume:
    """Say how much of its medium a volume takes; `UsageError` where that is more than it has."""
    medium = bundle.media.medium(volume.entry.number)
    if medium is None:
        return volume
    used = measured(medium, volume, manifest)
    if used > room_of(medium):
        raise UsageError(
            f"{used:,} bytes do not fit into {room_of(medium):,}",
            where=volume.entry.label,
            hint="choose a larger --medium",
        )
    return replace(volume, used=used)


def _cannot_cut(blob: Stored, _sizes: Sequence[int]) -> tuple[Digest, ...]:
    raise UsageError(f"is too large for the medium: {blob.size:,} bytes", where=blob.sha256)
