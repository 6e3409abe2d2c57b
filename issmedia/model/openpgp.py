"""The frame of OpenPGP data: ASCII armor and packets (RFC 9580, 6 and 4), read exactly, before any library sees them.

Libraries are lenient with armor: they pass over junk around it and over a second block. Here a signature is one
armored block and nothing else. Only files of keys may say more around their blocks, as vendors' do.
"""

import base64
import binascii
import re
from collections.abc import Iterator, Sequence

import msgspec

from issmedia.base.errors import FormatError
from issmedia.model.names import shown

SIGNATURE_BLOCK, PUBLIC_KEY_BLOCK, PRIVATE_KEY_BLOCK = "PGP SIGNATURE", "PGP PUBLIC KEY BLOCK", "PGP PRIVATE KEY BLOCK"
SIGNATURE, SECRET_KEY, PUBLIC_KEY, SECRET_SUBKEY, TRUST, USER_ID, PUBLIC_SUBKEY, USER_ATTRIBUTE = (
    2,
    5,
    6,
    7,
    12,
    13,
    14,
    17,
)
"""Types of packets."""

MAX_LINE = 100
"""Characters of a line of armor; the standard says 76, and headers may be longer."""

_MAX_HEADERS = 16
_BEGIN = re.compile(r"-----BEGIN (PGP [A-Z ]{3,40})-----[ \t]*\Z")
_HEADER = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,30}: ?[ -~]{0,300}\Z")
_BODY = re.compile(r"[A-Za-z0-9+/]{1,96}={0,2}[ \t]*\Z")
_CHECKSUM = re.compile(r"=([A-Za-z0-9+/]{4})[ \t]*\Z")
_CRC24, _CRC24_START = 0x864CFB, 0xB704CE


class Packet(msgspec.Struct, frozen=True):
    """A packet: its type, and its bytes with the frame."""

    kind: int
    data: bytes


def exact_armor(data: bytes, label: str, *, limit: int) -> bytes:
    """Take the armor off: one block with this label, of at most `limit` bytes, nothing before it and nothing behind."""
    if len(data) > limit:
        raise FormatError(f"is {len(data):,} bytes long, at most {limit:,} are allowed")
    lines = _lines(data)
    while lines and not lines[-1].strip():
        lines.pop()
    found, end = _block(lines, 0)
    if end != len(lines):
        raise FormatError(f"has something behind its {shown(label)}: it must be one armored block and nothing else")
    if found[0] != label:
        raise FormatError(f"expected a {label}, found a {shown(found[0])}")
    return found[1]


def armored_blocks(data: bytes) -> Iterator[tuple[str, bytes]]:
    """Give label and bytes of each armored block in a text, which may say more around them."""
    lines, at = _lines(data), 0
    while at < len(lines):
        if _BEGIN.match(lines[at]):
            block, at = _block(lines, at)
            yield block
        else:
            at += 1


def armored(data: bytes, label: str) -> bytes:
    """Write an armored block, with its checksum: older readers ask for it."""
    text = base64.b64encode(data).decode()
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    checksum = "=" + base64.b64encode(_crc24(data).to_bytes(3)).decode()
    return "\n".join([f"-----BEGIN {label}-----", "", *lines, checksum, f"-----END {label}-----", ""]).encode()


def packets(data: bytes, *, most: int) -> tuple[Packet, ...]:
    """Cut binary data into packets, at most so many; `FormatError` where it is not made of whole ones."""
    found: list[Packet] = []
    at = 0
    while at < len(data):
        kind, start, size = _frame(data, at)
        if start + size > len(data):
            raise FormatError("ends in the middle of an OpenPGP packet")
        if len(found) == most:
            raise FormatError(f"has more than {most:,} OpenPGP packets")
        found.append(Packet(kind, data[at : start + size]))
        at = start + size
    return tuple(found)


def body_of(packet: Packet) -> bytes:
    """Take a packet out of its frame."""
    return packet.data[_frame(packet.data, 0)[1] :]


def grouped(fingerprint: str) -> str:
    """Write a fingerprint as gpg shows it: in fours, a wider gap in the middle."""
    groups = [fingerprint[at : at + 4] for at in range(0, len(fingerprint), 4)]
    middle = len(groups) // 2
    return " ".join(groups[:middle]) + "  " + " ".join(groups[middle:])


def _lines(data: bytes) -> list[str]:
    """Split into lines; a byte that is not ASCII becomes one that no armor has."""
    return [line.removesuffix("\r") for line in data.decode("ascii", "replace").split("\n")]


def _block(lines: Sequence[str], at: int) -> tuple[tuple[str, bytes], int]:
    """Read the block that begins with a line; give label, bytes, and the number of the line behind it."""
    begin = _BEGIN.match(lines[at]) if at < len(lines) else None
    if begin is None:
        raise FormatError("expected an armored OpenPGP block, found something else before it")
    end = next((n for n in range(at + 1, len(lines)) if lines[n].startswith("-----")), None)
    if end is None or lines[end].rstrip(" \t") != f"-----END {begin[1]}-----":
        raise FormatError(f"its {shown(begin[1])} has no end")
    return (begin[1], _decoded(_body(lines[at + 1 : end]))), end + 1


def _body(lines: Sequence[str]) -> Sequence[str]:
    """Pass over the headers and the empty line behind them."""
    for number, line in enumerate(lines[: _MAX_HEADERS + 1]):
        if not line.strip():
            return lines[number + 1 :]
        if not _HEADER.match(line):
            break
    raise FormatError("its armor has a header that is none, or no empty line before its data")


def _decoded(lines: Sequence[str]) -> bytes:
    checksum = _CHECKSUM.match(lines[-1]) if lines else None
    body = lines[:-1] if checksum else lines
    if not body or not all(map(_BODY.match, body)) or any("=" in line for line in body[:-1]):
        raise FormatError("its armor holds something that is not base64")
    try:
        data = base64.b64decode("".join(line.rstrip(" \t") for line in body), validate=True)
    except binascii.Error as cause:
        raise FormatError("its armor is cut or damaged") from cause
    if checksum and base64.b64decode(checksum[1]) != _crc24(data).to_bytes(3):
        raise FormatError("its armor is damaged: the checksum is another")
    return data


def _crc24(data: bytes) -> int:
    crc = _CRC24_START
    for byte in data:
        crc = (crc << 8) ^ _CRC24_TABLE[(crc >> 16 & 0xFF) ^ byte]
        crc &= 0xFFFFFF
    return crc


def _crc24_of_byte(byte: int) -> int:
    crc = byte << 16
    for _ in range(8):
        crc = (crc << 1) ^ (_CRC24 if crc & 0x800000 else 0)
    return crc & 0xFFFFFF


_CRC24_TABLE = tuple(map(_crc24_of_byte, range(256)))


def _frame(data: bytes, at: int) -> tuple[int, int, int]:
    """Read the frame of the packet that begins here: its type, where its body begins, the size of that.

    Bodies in parts, or to the end of the data, are only for packets that stand in no key and no signature.
    """
    first = data[at]
    if not first & 0x80:
        raise FormatError("is no OpenPGP data")
    if not first & 0x40:
        width = (1, 2, 4, 0)[first & 3]
        return first >> 2 & 0xF, at + 1 + width, _number(data, at + 1, width)
    one = _number(data, at + 1, 1)
    if one < 192:
        return first & 0x3F, at + 2, one
    if one < 224:
        return first & 0x3F, at + 3, (one - 192 << 8) + _number(data, at + 2, 1) + 192
    return first & 0x3F, at + 6, _number(data, at + 2, 4 if one == 255 else 0)


def _number(data: bytes, at: int, width: int) -> int:
    if width == 0 or at + width > len(data):
        raise FormatError("has an OpenPGP packet without a length")
    return int.from_bytes(data[at : at + width])
