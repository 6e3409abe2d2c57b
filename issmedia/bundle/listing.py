"""Listings as they lie on a volume: one zstd frame, plain or as a patch to a base listing (`zstd --patch-from`)."""

import zstandard

from issmedia.base.digest import Digest, copy_and_hash, digest_of
from issmedia.base.errors import FormatError, NotIntactError
from issmedia.bundle import layout
from issmedia.bundle.taking import Read, take_file
from issmedia.model.manifest import Stored, TreeEntry, UnverifiedVolume, VerifiedVolume, VolumeSource
from issmedia.model.names import shown
from issmedia.model.tree import MAX_TREE_BYTES, Tree, parse_tree

_LEVEL = 9
_LEAST_WINDOW, _LARGEST_WINDOW = 20, 31
"""Powers of two: from 1 MiB, to what holds the longest listing and its base."""

_LEAST_TABLE, _LARGEST_TABLE, _SPARSE = 12, 24, 2
"""Powers of two of the positions of a base that are remembered: at most 64 MiB of memory, one in four else."""


def pack(data: bytes, base: bytes | None = None) -> bytes:
    """Compress a listing; against `base`, where it is given, which the reader must have."""
    if base is None:
        return zstandard.ZstdCompressor(level=_LEVEL).compress(data)
    window = min(max((len(data) + len(base)).bit_length(), _LEAST_WINDOW), _LARGEST_WINDOW)
    parameters = zstandard.ZstdCompressionParameters(
        window_log=window,
        hash_log=min(max(len(base).bit_length() - _SPARSE, _LEAST_TABLE), _LARGEST_TABLE),
        strategy=zstandard.STRATEGY_FAST,
        min_match=7,
    )
    return zstandard.ZstdCompressor(dict_data=_raw(base), compression_params=parameters).compress(data)


def unpack(stored: bytes, size: int, base: bytes | None, *, where: str) -> bytes:
    """Decompress one frame that declares exactly `size` bytes, not a byte more; `FormatError` for anything else."""
    if size > MAX_TREE_BYTES:
        raise FormatError(f"a listing of {size} bytes, at most {MAX_TREE_BYTES} are allowed", where=where)
    try:
        frame = zstandard.get_frame_parameters(stored)
        if frame.content_size != size:
            raise FormatError(f"expected a frame of {size} bytes, found {frame.content_size}", where=where)
        unpacker = zstandard.ZstdDecompressor(
            dict_data=_raw(base) if base is not None else None, max_window_size=1 << _LARGEST_WINDOW
        )
        return unpacker.decompress(stored, allow_extra_data=False)
    except zstandard.ZstdError as cause:
        raise FormatError(f"not one zstd frame: {shown(str(cause))}", where=where) from cause
    except MemoryError as cause:
        raise FormatError("a frame that needs too much memory", where=where) from cause


def read_listing(volume: UnverifiedVolume | VerifiedVolume, entry: TreeEntry, base: bytes | None) -> Tree:
    """Read a tree off a volume: its stored digest, decompression under its size, its own digest, its form.

    `base` are the bytes of the tree that `entry.dictionary` names. `NotIntactError` or `FormatError` names the file.
    """
    path = layout.tree_path(entry.digest)
    where = f"{volume.where}: {path}"
    if (most := max(entry.size, entry.stored.size)) > MAX_TREE_BYTES:
        raise FormatError(f"a listing of {most} bytes, at most {MAX_TREE_BYTES} are allowed", where=where)
    try:
        stored = _stored(volume.source, path, entry.stored)
    except NotIntactError as bad:
        raise NotIntactError(bad.message, where=where) from bad
    data = unpack(stored, entry.size, base, where=where)
    if (found := digest_of(data)) != entry.digest:
        raise NotIntactError(f"expected tree {entry.digest}, found {found}", where=where)
    return parse_tree(data, where=where)


def _stored(source: VolumeSource, path: str, expected: Stored) -> bytes:
    parts: list[bytes] = []

    def keep(_expected: Digest, size: int, read: Read) -> tuple[Digest, int]:
        found, count, _ = copy_and_hash(read, parts.append, limit=size)
        return found, count

    with source.open(path) as file:
        take_file(file, expected.sha256, keep, size=expected.size, most=expected.size)
    return b"".join(parts)


def _raw(base: bytes) -> zstandard.ZstdCompressionDict:
    return zstandard.ZstdCompressionDict(base, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
