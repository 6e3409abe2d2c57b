"""Where blobs lie in a bundle of several volumes: a hint on every data volume, so that only needed ones are asked for.

One zstd frame of text, sorted: a line a blob, the first eight digits of its digest, a blank, its volume's number.
The digest in `SHA256SUMS` vouches for it, but nothing is believed that depends on it: a wrong hint costs a disc more.
"""

import re
from collections.abc import Iterable, Sequence

from issmedia.base.digest import Digest
from issmedia.base.errors import FormatError, NotIntactError
from issmedia.bundle import layout
from issmedia.bundle.listing import pack, unpack_capped
from issmedia.bundle.taking import take_bytes
from issmedia.model.manifest import VerifiedBundle, VerifiedVolume

_MOST = 256 << 20
"""Bytes of text that are read: room for some twenty million blobs."""

_LINE = re.compile(rb"^([0-9a-f]{8}) ([1-9][0-9]{0,5})$", re.MULTILINE)


def encode_places(volumes: Sequence[Iterable[Digest]]) -> bytes:
    """Write the hint; `volumes` has the blobs of each data volume, from number 1 on."""
    lines = {f"{digest[:8]} {number}\n" for number, blobs in enumerate(volumes, 1) for digest in blobs}
    return pack("".join(sorted(lines)).encode())


def read_places(bundle: VerifiedBundle) -> bytes:
    """Give the text of the first good copy on the volumes at hand; empty where there is none."""
    for volume in bundle.volumes:
        if layout.PLACES in volume.index:
            try:
                return _read(volume)
            except (NotIntactError, FormatError):
                continue
    return b""


def parse_places(text: bytes) -> dict[str, int]:
    """Map the first eight digits of digests → the number of a volume; lines of another form are passed over."""
    return {match[1].decode(): int(match[2]) for match in _LINE.finditer(text)}


def _read(volume: VerifiedVolume) -> bytes:
    most = min(volume.entry.bytes, _MOST)
    packed = take_bytes(volume.source, layout.PLACES, volume.index[layout.PLACES], size=None, most=most)
    return unpack_capped(packed, _MOST, what="a hint", where=layout.PLACES)
