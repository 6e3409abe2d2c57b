"""SSH signatures (SSHSIG) and OpenSSH public keys as bytes: read and written here, checked in `depot.keys`.

A signature file is armored blocks, one after another, with nothing around them but newlines. Each block is judged
alone, so junk beside a good signature is reported and does no harm. That a `Signature` was read says nothing of its
being valid, nor of its key being anyone's. Every reading is strict: what is read, written again, is the same bytes.

Source: OpenSSH's PROTOCOL.sshsig and PROTOCOL.u2f; RFC 4251 §5, RFC 5656 §3.1, RFC 8709.
"""

import base64
import hashlib
import struct

import msgspec

from issmedia.base.errors import FormatError
from issmedia.model.names import shown

ED25519 = "ssh-ed25519"
ECDSA_P256 = "ecdsa-sha2-nistp256"
ECDSA_P384 = "ecdsa-sha2-nistp384"
SK_ED25519 = "sk-ssh-ed25519@openssh.com"
SK_ECDSA_P256 = "sk-ecdsa-sha2-nistp256@openssh.com"

SECURITY_KEYS = frozenset({SK_ED25519, SK_ECDSA_P256})
"""The kinds whose private half is in a FIDO token."""

MAX_SIGNATURES = 32
MAX_BYTES = 64 << 10
"""The longest signature file that is looked at, in bytes."""

MAX_LINE = 8 << 10
"""The longest public key line that is looked at, in characters."""

_HASHES = ("sha512", "sha256")
_MAGIC = b"SSHSIG"
_VERSION = 1
_BEGIN = b"-----BEGIN SSH SIGNATURE-----\n"
_END = b"-----END SSH SIGNATURE-----"
_COLUMNS = 70


class _Shape(msgspec.Struct, frozen=True):
    """What a kind of key looks like: its curve's name in the blob (or none), and the bytes of its point."""

    curve: str | None
    size: int


_SHAPES = {
    ED25519: _Shape(None, 32),
    ECDSA_P256: _Shape("nistp256", 65),
    ECDSA_P384: _Shape("nistp384", 97),
    SK_ED25519: _Shape(None, 32),
    SK_ECDSA_P256: _Shape("nistp256", 65),
}


class PublicKey(msgspec.Struct, frozen=True):
    """A public key. `point` is the key proper, `application` what a security key was made for (None for others).

    Two keys of one `point` have one private half, whatever their kinds: count points, not blobs.
    """

    kind: str
    point: bytes
    application: str | None = None

    @property
    def blob(self) -> bytes:
        """Give the wire form."""
        curve = _SHAPES[self.kind].curve
        parts = [self.kind.encode(), curve.encode() if curve else None, self.point]
        parts.append(None if self.application is None else self.application.encode())
        return b"".join(wire_string(part) for part in parts if part is not None)

    @property
    def fingerprint(self) -> str:
        """Give `SHA256:…` as `ssh-keygen -l` prints it."""
        digest = base64.b64encode(hashlib.sha256(self.blob).digest())
        return "SHA256:" + digest.decode().rstrip("=")

    @property
    def line(self) -> str:
        """Give the OpenSSH public key line, without a comment or newline."""
        return f"{self.kind} {base64.b64encode(self.blob).decode()}"


class Signature(msgspec.Struct, frozen=True):
    """A well-formed signature, nothing in it checked. `key` is the claim of the envelope, and no more than a claim.

    `value` is the 64 bytes of Ed25519, or (r, s) of ECDSA; `flags` and `counter` are a security key's, else 0.
    """

    key: PublicKey
    namespace: str
    hash_name: str
    algorithm: str
    value: bytes | tuple[int, int]
    flags: int = 0
    counter: int = 0

    @property
    def fingerprint(self) -> str:
        """Give the fingerprint of the key that the envelope names."""
        return self.key.fingerprint

    @property
    def blob(self) -> bytes:
        """Give the wire form, ready for `armored`."""
        fields = (self.key.blob, self.namespace.encode(), b"", self.hash_name.encode(), self._inner())
        return _MAGIC + struct.pack(">I", _VERSION) + b"".join(wire_string(field) for field in fields)

    def _inner(self) -> bytes:
        if isinstance(self.value, bytes):
            value = self.value
        else:
            value = b"".join(wire_string(_mpint(number)) for number in self.value)
        inner = wire_string(self.algorithm.encode()) + wire_string(value)
        if self.algorithm in SECURITY_KEYS:
            inner += struct.pack(">BI", self.flags, self.counter)
        return inner


class MalformedSignature(msgspec.Struct, frozen=True):
    """A block whose armor is right and whose content is not; `reason` is safe to print."""

    reason: str


class WireReader:
    """Takes the fields of an SSH blob off its front; whatever is not as it should be is a `FormatError`."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def take(self, size: int) -> bytes:
        """Take `size` bytes."""
        taken = self._data[self._at : self._at + size]
        if len(taken) != size:
            raise FormatError(f"expected {size} more bytes, found {len(taken)}")
        self._at += size
        return taken

    def uint32(self) -> int:
        """Take a big-endian number of four bytes."""
        return int.from_bytes(self.take(4), "big")

    def string(self) -> bytes:
        """Take bytes that have their length before them."""
        return self.take(self.uint32())

    def text(self) -> str:
        """Take a string that is UTF-8."""
        try:
            return self.string().decode("utf-8")
        except UnicodeDecodeError as cause:
            raise FormatError("expected text, found other bytes") from cause

    def end(self) -> None:
        """Require that nothing is left."""
        if self._at != len(self._data):
            raise FormatError(f"expected the end, found {len(self._data) - self._at} more bytes")


def wire_string(data: bytes) -> bytes:
    """Put the length before the bytes (RFC 4251, `string`)."""
    return struct.pack(">I", len(data)) + data


def parse_public_line(line: str) -> PublicKey:
    """Parse `KIND BASE64 [COMMENT]`, as it stands in a `.pub` file; blanks and newlines around it are ignored."""
    text = line.strip()
    fields = text.split(None, 2)
    if len(line) > MAX_LINE or len(fields) < 2 or "\n" in text:
        raise FormatError("expected one public key line: KIND BASE64 [COMMENT]", hint="give the file that ends in .pub")
    if fields[0] not in _SHAPES:
        raise _unknown_kind(fields[0])
    key = parse_public_blob(decode_base64(fields[1].encode()))
    if key.kind != fields[0]:
        raise FormatError(f"the line says {fields[0]}, the key in it is {key.kind}")
    return key


def parse_public_blob(blob: bytes) -> PublicKey:
    """Parse the wire form of a public key: known kind, exact lengths, nothing after it.

    That the point lies on its curve and is no weak one is checked by `depot.keys.require_sound`.
    """
    reader = WireReader(blob)
    kind = reader.text()
    if kind not in _SHAPES:
        raise _unknown_kind(kind)
    point = _read_point(reader, _SHAPES[kind])
    application = reader.text() if kind in SECURITY_KEYS else None
    reader.end()
    return PublicKey(kind, point, application)


def read_signatures(armored: bytes) -> tuple[Signature | MalformedSignature, ...]:
    """Read the blocks of a signature file, in order; an empty file has none.

    `FormatError` over 64 KiB or 32 blocks (before anything is decoded), or with anything but newlines around a block.
    """
    if len(armored) > MAX_BYTES:
        raise FormatError(f"expected at most {MAX_BYTES} bytes of signatures, found {len(armored)}")
    before, *blocks = (armored + b"\n").split(_BEGIN, MAX_SIGNATURES + 1)
    if len(blocks) > MAX_SIGNATURES:
        raise FormatError(f"expected at most {MAX_SIGNATURES} signatures, found more")
    bodies = [_body(block) for block in blocks]
    if before.strip(b"\n"):
        raise _junk()
    return tuple(_judged(body) for body in bodies)


def parse_signature(blob: bytes) -> Signature:
    """Parse the wire form of one signature, or raise `FormatError`."""
    reader = WireReader(blob)
    if reader.take(len(_MAGIC)) != _MAGIC or reader.uint32() != _VERSION:
        raise FormatError("not an SSH signature of version 1")
    key, namespace = parse_public_blob(reader.string()), reader.text()
    if reader.string() or not namespace:
        raise FormatError("expected a namespace and an empty reserved field")
    hash_name, inner = reader.text(), WireReader(reader.string())
    if hash_name not in _HASHES:
        raise FormatError(f"expected the hash {' or '.join(_HASHES)}, found {shown(hash_name)!r}")
    signature = _read_inner(inner, key, namespace, hash_name)
    inner.end()
    reader.end()
    return signature


def signed_data(namespace: str, data: bytes, hash_name: str = "sha512") -> bytes:
    """Give the bytes that a signature of `data` really signs: they name the namespace, so no other document fits."""
    digest = hashlib.new(hash_name, data).digest()
    fields = (namespace.encode(), b"", hash_name.encode(), digest)
    return _MAGIC + b"".join(wire_string(field) for field in fields)


def armored(blob: bytes) -> bytes:
    """Put the armor around a signature, byte for byte as `ssh-keygen -Y sign` does."""
    text = base64.b64encode(blob)
    lines = [text[start : start + _COLUMNS] + b"\n" for start in range(0, len(text), _COLUMNS)]
    return _BEGIN + b"".join(lines) + _END + b"\n"


def decode_base64(text: bytes) -> bytes:
    """Decode base64 in its one canonical form: padded, no blanks, no stray bits at the end."""
    try:
        data = base64.b64decode(text, validate=True)
    except ValueError as cause:
        raise FormatError("not base64") from cause
    if base64.b64encode(data) != text:
        raise FormatError("not base64 in canonical form")
    return data


def _unknown_kind(kind: str) -> FormatError:
    return FormatError(f"expected a key of kind {', '.join(_SHAPES)}; found {shown(kind)!r}")


def _read_point(reader: WireReader, shape: _Shape) -> bytes:
    if shape.curve is not None and (curve := reader.text()) != shape.curve:
        raise FormatError(f"expected the curve {shape.curve}, found {shown(curve)!r}")
    point = reader.string()
    if len(point) != shape.size:
        raise FormatError(f"expected a public key of {shape.size} bytes, found {len(point)}")
    if shape.curve is not None and point[0] != 4:
        raise FormatError("expected an uncompressed point")
    return point


def _junk() -> FormatError:
    return FormatError("expected armored SSH signatures and nothing around them, found something else")


def _body(block: bytes) -> bytes:
    body, end, rest = block.partition(_END)
    if not end or not body.endswith(b"\n") or not rest or rest.strip(b"\n"):
        raise _junk()
    return body


def _judged(body: bytes) -> Signature | MalformedSignature:
    try:
        return parse_signature(decode_base64(body.replace(b"\n", b"")))
    except FormatError as cause:
        return MalformedSignature(cause.message)


def _read_inner(inner: WireReader, key: PublicKey, namespace: str, hash_name: str) -> Signature:
    """Read by the algorithm that is named here; whether the key may have it is for who verifies to say."""
    algorithm = inner.text()
    if algorithm not in _SHAPES:
        raise FormatError(f"expected a signature algorithm that is known, found {shown(algorithm)!r}")
    value = _read_value(inner.string(), _SHAPES[algorithm])
    if algorithm not in SECURITY_KEYS:
        return Signature(key, namespace, hash_name, algorithm, value)
    flags, counter = inner.take(1)[0], inner.uint32()
    return Signature(key, namespace, hash_name, algorithm, value, flags, counter)


def _read_value(data: bytes, shape: _Shape) -> bytes | tuple[int, int]:
    if shape.curve is None:
        if len(data) != 64:
            raise FormatError(f"expected a signature of 64 bytes, found {len(data)}")
        return data
    reader = WireReader(data)
    r, s = (_read_mpint(reader, shape.size // 2) for _ in "rs")
    reader.end()
    return r, s


def _read_mpint(reader: WireReader, size: int) -> int:
    data = reader.string()
    number = int.from_bytes(data, "big", signed=True)
    if number <= 0 or number.bit_length() > 8 * size or _mpint(number) != data:
        raise FormatError("expected a positive number in its shortest form")
    return number


def _mpint(number: int) -> bytes:
    return number.to_bytes(number.bit_length() // 8 + 1, "big")
