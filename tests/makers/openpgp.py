"""Throw-away OpenPGP keys that rpm, dnf, gpg and Sequoia accept.

A key follows from its name: the same name gives the same key, and the same bytes signed give the same signature.
Whoever reads this can sign with it, so it must never be trusted outside a test. Packets are written here (RFC 4880
with EdDSA as of RFC 9580, 5.2.3) because rpm 4.18 refuses the critical key-flags that Sequoia puts into its own.
"""

import functools
import hashlib
from dataclasses import dataclass

import pysequoia
import rpm_rs
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

CREATED = 1_700_000_000
"""When every key and signature here was made: 2023-11-14, seconds since 1970."""

_EDDSA, _SHA1, _SHA256 = 22, 2, 8
_HASHES = {_SHA1: "sha1", _SHA256: "sha256"}
_ED25519_OID = bytes.fromhex("2b06010401da470f01")
_SECRET_KEY, _PUBLIC_KEY, _USER_ID, _SIGNATURE = 5, 6, 13, 2
_SECRET_SUBKEY, _PUBLIC_SUBKEY = 7, 14
_OF_BYTES, _OF_USER_ID, _OF_SUBKEY, _OF_PRIMARY, _REVOKING = 0x00, 0x13, 0x18, 0x19, 0x20
_CERTIFY, _SIGN, _CERTIFY_AND_SIGN = 0x01, 0x02, 0x03


@dataclass(frozen=True)
class OpenPGPKey:
    """An Ed25519 key with one user id; `public` is armored, `fingerprint` upper-case hex."""

    user_id: str
    fingerprint: str
    public: bytes
    secret: bytes
    _private: Ed25519PrivateKey

    @property
    def key_id(self) -> str:
        """The last 16 digits of the fingerprint."""
        return self.fingerprint[-16:]

    @functools.cached_property
    def signer(self) -> rpm_rs.Signer:
        """What `build_rpm(signer=…)` takes."""
        return rpm_rs.Signer(self.secret)

    def sign_detached(self, data: bytes) -> bytes:
        """Sign bytes as `gpg --armor --detach-sign` does; what `repomd.xml.asc` holds."""
        return armored(self.sign_binary(data), pysequoia.ArmorKind.Signature)

    def sign_binary(self, data: bytes) -> bytes:
        """Sign bytes, without armor; what the headers of packages hold."""
        fingerprint = hashlib.sha1(hashed_key(_public_key(self._private))).digest()
        return packet(_SIGNATURE, _signature(self._private, _OF_BYTES, data, fingerprint))

    def sign_version_3(self, data: bytes, *, hash_id: int = _SHA256) -> bytes:
        """Sign bytes as many vendors' machines do to this day (RFC 4880, 5.2.2); `hash_id` 2 is SHA-1."""
        trailer = bytes([_OF_BYTES]) + CREATED.to_bytes(4)
        digest = hashlib.new(_HASHES[hash_id], data + trailer).digest()
        issuer = hashlib.sha1(hashed_key(_public_key(self._private))).digest()[-8:]
        point = self._private.sign(digest)
        head = bytes([3, 5]) + trailer + issuer + bytes([_EDDSA, hash_id]) + digest[:2]
        return packet(_SIGNATURE, head + mpi(point[:32]) + mpi(point[32:]))


@functools.cache
def openpgp_key(
    name: str = "vendor",
    *,
    lives_s: int | None = None,
    revoked: bool = False,
    subkey: bool = False,
    weak: bool = False,
) -> OpenPGPKey:
    """Make the key of this name; made once in a process.

    `lives_s` is when it expires, in seconds after it was made; a `revoked` one says so of itself; with a `subkey` that
    one signs, and `fingerprint` still is the primary's; a `weak` one vouches for itself with SHA-1.
    """
    private = _private(name)
    body = _public_key(private)
    fingerprint = hashlib.sha1(hashed_key(body)).digest()
    user_id = f"{name} <{name}@example.com>"
    identity = _identity(private, user_id, _CERTIFY if subkey else _CERTIFY_AND_SIGN, lives_s, weak=weak)
    if revoked:
        identity = packet(_SIGNATURE, _signature(private, _REVOKING, hashed_key(body), fingerprint)) + identity
    signing = _private(f"{name}'s subkey") if subkey else private
    binding = _binding(private, signing) if subkey else b""
    public, secret = (packet(tag, _public_key(signing) + part) for tag, part in _subkey_packets(signing))
    return OpenPGPKey(
        user_id=user_id,
        fingerprint=fingerprint.hex().upper(),
        public=armored(
            packet(_PUBLIC_KEY, body) + identity + (public + binding if subkey else b""),
            pysequoia.ArmorKind.PublicKey,
        ),
        secret=armored(
            packet(_SECRET_KEY, body + _secret_part(private)) + identity + (secret + binding if subkey else b""),
            pysequoia.ArmorKind.SecretKey,
        ),
        _private=signing,
    )


def with_forged_subkey(victim: str, thief: str) -> bytes:
    """Write a key with a thief's subkey, which the thief bound in its name; armored."""
    private, stealing, signing = _private(victim), _private(thief), _private(f"{thief}'s subkey")
    primary, subkey = hashed_key(_public_key(private)), hashed_key(_public_key(signing))
    back = _signature(signing, _OF_PRIMARY, primary + subkey, hashlib.sha1(subkey).digest())
    more = subpacket(27, bytes([_SIGN])) + subpacket(32, back)
    binding = _signature(stealing, _OF_SUBKEY, primary + subkey, hashlib.sha1(primary).digest(), more)
    packets = [
        packet(_PUBLIC_KEY, _public_key(private)),
        _identity(private, f"{victim} <{victim}@example.com>", _CERTIFY_AND_SIGN, None, weak=False),
        packet(_PUBLIC_SUBKEY, _public_key(signing)),
        packet(_SIGNATURE, binding),
    ]
    return armored(b"".join(packets), pysequoia.ArmorKind.PublicKey)


def _private(name: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"issmedia test key " + name.encode()).digest())


def _identity(private: Ed25519PrivateKey, user_id: str, flags: int, lives_s: int | None, *, weak: bool) -> bytes:
    """Write a user id, certified by its key."""
    body = _public_key(private)
    certified = hashed_key(body) + b"\xb4" + len(user_id).to_bytes(4) + user_id.encode()
    more = subpacket(27, bytes([flags])) + (subpacket(9, lives_s.to_bytes(4)) if lives_s is not None else b"")
    fingerprint = hashlib.sha1(hashed_key(body)).digest()
    return packet(_USER_ID, user_id.encode()) + packet(
        _SIGNATURE, _signature(private, _OF_USER_ID, certified, fingerprint, more, hash_id=_SHA1 if weak else _SHA256)
    )


def _binding(private: Ed25519PrivateKey, signing: Ed25519PrivateKey) -> bytes:
    """Bind a subkey that signs, which says in turn that it is bound (RFC 4880, 5.2.1)."""
    primary, subkey = hashed_key(_public_key(private)), hashed_key(_public_key(signing))
    back = _signature(signing, _OF_PRIMARY, primary + subkey, hashlib.sha1(subkey).digest())
    more = subpacket(27, bytes([_SIGN])) + subpacket(32, back)
    return packet(_SIGNATURE, _signature(private, _OF_SUBKEY, primary + subkey, hashlib.sha1(primary).digest(), more))


def _subkey_packets(signing: Ed25519PrivateKey) -> tuple[tuple[int, bytes], tuple[int, bytes]]:
    """Give tag and secret part of a subkey, public and secret."""
    return (_PUBLIC_SUBKEY, b""), (_SECRET_SUBKEY, _secret_part(signing))


def _public_key(private: Ed25519PrivateKey) -> bytes:
    point = mpi(b"\x40" + private.public_key().public_bytes_raw())
    return b"\x04" + CREATED.to_bytes(4) + bytes([_EDDSA, len(_ED25519_OID)]) + _ED25519_OID + point


def _secret_part(private: Ed25519PrivateKey) -> bytes:
    """Write the secret number in the clear, with the sum of its octets (RFC 4880, 5.5.3)."""
    number = mpi(private.private_bytes_raw())
    return b"\x00" + number + (sum(number) & 0xFFFF).to_bytes(2)


def hashed_key(body: bytes) -> bytes:
    return b"\x99" + len(body).to_bytes(2) + body


def _signature(
    private: Ed25519PrivateKey,
    kind: int,
    signed: bytes,
    fingerprint: bytes,
    more: bytes = b"",
    *,
    hash_id: int = _SHA256,
) -> bytes:
    """Sign as RFC 4880, 5.2.4 says: the data, then the hashed part with `more` subpackets, then a trailer."""
    subpackets = subpacket(33, b"\x04" + fingerprint) + subpacket(2, CREATED.to_bytes(4)) + more
    hashed = bytes([4, kind, _EDDSA, hash_id]) + len(subpackets).to_bytes(2) + subpackets
    digest = hashlib.new(_HASHES[hash_id], signed + hashed + b"\x04\xff" + len(hashed).to_bytes(4)).digest()
    issuer = subpacket(16, fingerprint[-8:])
    point = private.sign(digest)
    return hashed + len(issuer).to_bytes(2) + issuer + digest[:2] + mpi(point[:32]) + mpi(point[32:])


def subpacket(kind: int, body: bytes) -> bytes:
    return _length(len(body) + 1) + bytes([kind]) + body


def packet(tag: int, body: bytes) -> bytes:
    """Frame a body of fewer than 8,384 bytes in the new packet format."""
    return bytes([0xC0 | tag]) + _length(len(body)) + body


def _length(size: int) -> bytes:
    """Write a length in one octet or two (RFC 4880, 4.2.2)."""
    return bytes([size]) if size < 192 else (size - 192 + (192 << 8)).to_bytes(2)


def mpi(number: bytes) -> bytes:
    plain = number.lstrip(b"\0")
    return int.from_bytes(plain).bit_length().to_bytes(2) + plain


def armored(data: bytes, kind: pysequoia.ArmorKind) -> bytes:
    return pysequoia.armor(data, kind).encode()
