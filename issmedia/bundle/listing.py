"""Listings as they lie on a volume: one zstd frame, plain or as a patch to a base listing (`zstd --patch-from`)."""

import zstandard

from issmedia.base.digest import digest_of
from issmedia.base.errors import FormatError, NotIntactError
from issmedia.bundle import layout
from issmedia.bundle.taking import take_bytes
from issmedia.model.manifest import TreeEntry, UnverifiedVolume, VerifiedVolume
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


def unpack_capped(packed: bytes, most: int, *, what: str, where: str) -> bytes:
    """Decompress one frame that says itself how long it is, at most so many bytes; `what` names it in the refusal."""
    try:
        size = zstandard.get_frame_parameters(packed).content_size
    except zstandard.ZstdError as cause:
        raise FormatError(f"not one zstd frame: {shown(str(cause))}", where=where) from cause
    if size > most:
        raise FormatError(f"{what} of {size} bytes, at most {most} are allowed", where=where)
    return unpack(packed, size, None, where=where)


def read_listing(volume: UnverifiedVolume | VerifiedVolume, entry: TreeEntry, base: bytes | None) -> Tree:
    """Read a tree off a volume: its stored digest, decompression under its size, its own digest, its form.

    `base` are the bytes of the tree that `entry.dictionary` names. `NotIntactError` or `FormatError` names the file.
    """
    path = layout.tree_path(entry.digest)
    where = f"{volume.where}: {path}"
    if (most := max(entry.size, entry.stored.size)) > MAX_TREE_BYTES:
        raise FormatError(f"a listing of {most} bytes, at most {MAX_TREE_BYTES} are allowed", where=where)
    try:
        stored = take_bytes(volume.source, path, entry.stored.sha256, size=entry.stored.size, most=entry.stored.size)
    except NotIntactError as bad:
        raise NotIntactError(bad.message, where=where) from bad
    data = unpack(stored, entry.size, base, where=where)
    if (found := digest_of(data)) != entry.digest:
        raise NotIntactError(f"expected tree {entry.digest}, found {found}", where=where)
    return parse_tree(data, where=where)


def _raw(base: bytes) -> zstandard.ZstdCompressionDict:
    return zstandard.ZstdCompressionDict(base, dict_type=zstandard.DICT_TYPE_RAWCONTENT)
