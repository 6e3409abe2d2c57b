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

_EDDSA, _SHA256 = 22, 8
_ED25519_OID = bytes.fromhex("2b06010401da470f01")
_SECRET_KEY, _PUBLIC_KEY, _USER_ID, _SIGNATURE = 5, 6, 13, 2
_OF_BYTES, _OF_USER_ID = 0x00, 0x13
_CERTIFY_AND_SIGN = 0x03


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
        packet = _packet(_SIGNATURE, _signature(self._private, _OF_BYTES, data, bytes.fromhex(self.fingerprint)))
        return _armored(packet, pysequoia.ArmorKind.Signature)


@functools.cache
def openpgp_key(name: str = "vendor") -> OpenPGPKey:
    """Make the key of this name; made once in a process."""
    private = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"issmedia test key " + name.encode()).digest())
    user_id = f"{name} <{name}@example.com>"
    body = _public_key(private)
    fingerprint = hashlib.sha1(_hashed_key(body)).digest()
    certified = _hashed_key(body) + b"\xb4" + len(user_id).to_bytes(4) + user_id.encode()
    identity = _packet(_USER_ID, user_id.encode()) + _packet(
        _SIGNATURE, _signature(private, _OF_USER_ID, certified, fingerprint)
    )
    return OpenPGPKey(
        user_id=user_id,
        fingerprint=fingerprint.hex().upper(),
        public=_armored(_packet(_PUBLIC_KEY, body) + identity, pysequoia.ArmorKind.PublicKey),
        secret=_armored(_packet(_SECRET_KEY, body + _secret_part(private)) + identity, pysequoia.ArmorKind.SecretKey),
        _private=private,
    )


def _public_key(private: Ed25519PrivateKey) -> bytes:
    point = _mpi(b"\x40" + private.public_key().public_bytes_raw())
    return b"\x04" + CREATED.to_bytes(4) + bytes([_EDDSA, len(_ED25519_OID)]) + _ED25519_OID + point


def _secret_part(private: Ed25519PrivateKey) -> bytes:
    """Write the secret number in the clear, with the sum of its octets (RFC 4880, 5.5.3)."""
    number = _mpi(private.private_bytes_raw())
    return b"\x00" + number + (sum(number) & 0xFFFF).to_bytes(2)


def _hashed_key(body: bytes) -> bytes:
    return b"\x99" + len(body).to_bytes(2) + body


def _signature(private: Ed25519PrivateKey, kind: int, signed: bytes, fingerprint: bytes) -> bytes:
    """Sign as RFC 4880, 5.2.4 says: the data, then the hashed part, then a trailer."""
    flags = _subpacket(27, bytes([_CERTIFY_AND_SIGN])) if kind == _OF_USER_ID else b""
    subpackets = _subpacket(33, b"\x04" + fingerprint) + _subpacket(2, CREATED.to_bytes(4)) + flags
    hashed = bytes([4, kind, _EDDSA, _SHA256]) + len(subpackets).to_bytes(2) + subpackets
    digest = hashlib.sha256(signed + hashed + b"\x04\xff" + len(hashed).to_bytes(4)).digest()
    issuer = _subpacket(16, fingerprint[-8:])
    point = private.sign(digest)
    return hashed + len(issuer).to_bytes(2) + issuer + digest[:2] + _mpi(point[:32]) + _mpi(point[32:])


def _subpacket(kind: int, body: bytes) -> bytes:
    return bytes([len(body) + 1, kind]) + body


def _packet(tag: int, body: bytes) -> bytes:
    """Frame a body of fewer than 192 bytes in the new packet format."""
    return bytes([0xC0 | tag, len(body)]) + body


def _mpi(number: bytes) -> bytes:
    plain = number.lstrip(b"\0")
    return int.from_bytes(plain).bit_length().to_bytes(2) + plain


def _armored(data: bytes, kind: pysequoia.ArmorKind) -> bytes:
    return pysequoia.armor(data, kind).encode()
