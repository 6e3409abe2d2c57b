"""Bytes ⇄ lines that a person can read aloud and type, for places where nothing may be carried out.

    1: 04DGV QC2NX 8E7BR … K2M5Q
    2: …

A line is its number, a colon, and up to 39 characters of content with 6 check characters, in groups of five. The
characters are digits and letters without I, L, O, U (Crockford's base 32). Whoever types may use either case, blanks
and line ends anywhere, O for 0, I or L for 1. The check characters are those of bech32m (BIP 350) over the line's
number and content: up to four wrong characters in a line, so any two that changed places too, never pass.

The content of all lines is, in base 32: the form (1 byte, now 1), how many bytes follow before the last four (2 bytes,
big-endian), the data as raw DEFLATE (RFC 1951) with `_FAMILIAR` as preset dictionary, and the first 4 bytes of the
SHA-256 of the data. So the first line tells how many there are, and the whole is checked beside its lines.
What is typed is the whole signed receipt, byte for byte: it is checked like one that was carried, and a short form
would need rules of its own. One chain and three repositories are 18 lines.
"""

import base64
import hashlib
import re
import struct
import zlib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence

import msgspec

from issmedia.base.errors import FormatError, Problem, UsageError
from issmedia.model.names import shown

MAX_DATA = 64 << 10
"""The longest data that DEFLATE may give, in bytes."""

MAX_LINES = 999
MAX_TEXT = 128 << 10
"""The longest text that is looked at, in characters."""

_CONTENT, _CHECK, _GROUP = 39, 6, 5
"""Characters of content and of check in a line, and in a group."""

_FORM = 1
_HEAD = struct.Struct(">BH")
_SUM = 4
_MAX_PACKED = MAX_LINES * _CONTENT * 5 // 8 - _HEAD.size - _SUM

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_RFC4648 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_TO_OURS = str.maketrans(_RFC4648, _ALPHABET)
_TO_RFC4648 = str.maketrans(_ALPHABET, _RFC4648)
_FORGIVEN = str.maketrans("OIL", "011")
_NUMBER = re.compile(r"[0-9]{1,3}\Z")

_BECH32M = 0x2BC830A3
_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)

_FAMILIAR = (
    b'","time":"2026-","what":"aarch64"],["source"],["epel"],["extras"],["crb"],["el8/el9/el10/appstream-x86_64/baseos",'
    b'"reason":"2027-{"chains":[{"bundle":"","created":"2026-1T00:00:00Z","destination":null,"sequence":1,"site":{"id":"",'
    b'"name":"hq"}}],"created":"2026-0T00:00:00Z","format":"issmedia-receipt","ledger":{"hash":"","number":1},"refused":[],'
    b'"repositories":[["","",1]],"site":{"id":"","name":""},"tool":{"name":"issmedia","version":"0.1.0"},"version":1}\n'
    b"-----BEGIN SSH SIGNATURE-----\nU1NIU0lHAAAAAQAAADMAAAALc3NoLWVkMjU1MTkAAAAg"
    b"QAAAAQaXNzbWVkaWEtcmVjZWlwdAAAAAAAAAAGc2hhNTEyAAAAUwAA\nAAtzc2gtZWQyNTUxOQAAAED\n-----END SSH SIGNATURE-----\n"
)
"""What most receipts hold: a third of the typing. Part of the form: another byte here is another form."""


class _Line(msgspec.Struct, frozen=True):
    """A line as typed: what stood before its colon, the number that means (0: none), and its characters in capitals."""

    label: str
    number: int
    code: str

    @property
    def content(self) -> str:
        return self.code[:-_CHECK]


def spoken_lines(data: bytes) -> tuple[str, ...]:
    """Write bytes as lines of at most 60 characters; `UsageError` for what nobody could type."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS, 9, zlib.Z_DEFAULT_STRATEGY, _FAMILIAR)
    packed = packer.compress(data) + packer.flush()
    if len(data) > MAX_DATA or len(packed) > _MAX_PACKED:
        raise UsageError(f"{len(data)} bytes are too many to type", hint="carry the file")
    blob = _HEAD.pack(_FORM, len(packed)) + packed + _sum(data)
    code = base64.b32encode(blob).decode().rstrip("=").translate(_TO_OURS)
    pieces = (code[start : start + _CONTENT] for start in range(0, len(code), _CONTENT))
    return tuple(_written(number, piece) for number, piece in enumerate(pieces, start=1))


def parse_spoken(text: str) -> bytes:
    """Read the lines back, in any order; a line that stands twice counts once.

    `FormatError` has as problems each line that is wrong or missing.
    """
    if len(text) > MAX_TEXT:
        raise FormatError(f"expected at most {MAX_TEXT} characters, found {len(text)}")
    typed = tuple(_lines(text))
    problems = [Problem(f"line {line.label}", fault) for line in typed if (fault := _fault(line))]
    sound = sorted({(line.number, line.content) for line in typed if _fault(line) is None})
    problems += _misfits(sound, {line.number for line in typed})
    if problems:
        raise FormatError("lines are wrong or missing", problems=problems, hint="compare these lines with the original")
    return _unpacked(_decoded("".join(content for _, content in sound)))


def _sum(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()[:_SUM]


def _written(number: int, content: str) -> str:
    code = content + _check(number, content)
    groups = (code[start : start + _GROUP] for start in range(0, len(code), _GROUP))
    return f"{number}: {' '.join(groups)}"


def _check(number: int, content: str) -> str:
    """Give the characters that make the line a codeword."""
    rest = _remainder(number, content + _ALPHABET[0] * _CHECK) ^ _BECH32M
    return "".join(_ALPHABET[rest >> 5 * place & 31] for place in reversed(range(_CHECK)))


def _remainder(number: int, code: str) -> int:
    """Divide the line as a polynomial over GF(32), as BIP 173 does; of a codeword the rest is `_BECH32M`."""
    rest = 1
    for value in (number >> 5, number & 31, *map(_ALPHABET.index, code)):
        top, rest = rest >> 25, (rest & 0x1FFFFFF) << 5 ^ value
        for bit, term in enumerate(_GENERATOR):
            rest ^= term if top >> bit & 1 else 0
    return rest


def _lines(text: str) -> Iterator[_Line]:
    """Find the lines: the word before a colon is a number; what follows, up to the next such word, its characters."""
    head, *parts = (part.upper().split() for part in text.split(":"))
    if len(head) != 1 or not parts:
        raise FormatError(
            "expected a receipt, or lines that begin with their number and a colon, as in '1: …'",
            hint="issmedia receipt writes the file, with --text the lines, on the other side",
        )
    label = head[0]
    for words in parts[:-1]:
        yield _line(label, words[:-1])
        label = words[-1] if words else ""
    yield _line(label, parts[-1])


def _line(label: str, words: Iterable[str]) -> _Line:
    number = label.translate(_FORGIVEN)
    return _Line(shown(label), int(number) if _NUMBER.match(number) else 0, "".join(words).translate(_FORGIVEN))


def _fault(line: _Line) -> str | None:
    """Say what is wrong with a line, or None."""
    if line.number == 0:
        return "expected a line's number before the colon"
    strange = next((character for character in line.code if character not in _ALPHABET), None)
    if strange is not None:
        return f"{shown(strange)!r} is never used"
    if not _CHECK < len(line.code) <= _CONTENT + _CHECK:
        return f"expected {_CONTENT + _CHECK} characters, or fewer in the last line; found {len(line.code)}"
    if _remainder(line.number, line.code) != _BECH32M:
        return "its check characters do not fit: one or more characters are wrong"
    return None


def _misfits(sound: Sequence[tuple[int, str]], typed: Collection[int]) -> Iterator[Problem]:
    """Find lines that do not belong to one text, and those that nobody typed; `sound` is sorted."""
    numbers = [number for number, _ in sound]
    for number in sorted(number for number, times in Counter(numbers).items() if times > 1):
        yield Problem(f"line {number}", "stands twice and differs: are these lines of two texts?")
    last = _line_count(sound[0][1]) if numbers[:1] == [1] else max(typed)
    yield from (Problem(f"line {number}", "is missing") for number in range(1, last + 1) if number not in typed)
    yield from (Problem(f"line {number}", f"is one too many: there are {last}") for number in numbers if number > last)


def _line_count(first: str) -> int:
    """Say how many lines there are, from the content of the first."""
    if len(first) < 8:
        raise FormatError("expected more characters", where="line 1")
    form, size = _HEAD.unpack_from(_decoded(first[:8]))
    if form != _FORM:
        raise FormatError(f"expected form {_FORM}, found {form}", where="line 1", hint="update issmedia on this side")
    characters: int = -(-8 * (_HEAD.size + size + _SUM) // 5)
    return -(-characters // _CONTENT)


def _decoded(code: str) -> bytes:
    try:
        return base64.b32decode(code.translate(_TO_RFC4648) + "=" * (-len(code) % 8))
    except ValueError as cause:
        raise FormatError(f"{len(code)} characters are no whole number of bytes") from cause


def _unpacked(blob: bytes) -> bytes:
    """Take the data out of what all lines hold; step by step bounded and checked."""
    _, size = _HEAD.unpack_from(blob)
    packed, checksum = blob[_HEAD.size : -_SUM], blob[-_SUM:]
    unpacker = zlib.decompressobj(-zlib.MAX_WBITS, _FAMILIAR)
    try:
        data = unpacker.decompress(packed, MAX_DATA + 1)
    except zlib.error as cause:
        raise _unlike() from cause
    whole = unpacker.eof and not unpacker.unused_data and len(packed) == size and len(data) <= MAX_DATA
    if not whole or checksum != _sum(data):
        raise _unlike()
    return data


def _unlike() -> FormatError:
    return FormatError(
        "each line is right by itself, but not all together", hint="compare all lines, first and last characters first"
    )
