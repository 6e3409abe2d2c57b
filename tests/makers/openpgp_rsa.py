"""One throw-away OpenPGP key of RSA, which is what most vendors have; its primes stand here, so nobody may trust it."""

import functools
import hashlib
from dataclasses import dataclass

import pysequoia
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import (
    RSAPrivateKey,
    RSAPrivateNumbers,
    RSAPublicNumbers,
    rsa_crt_dmp1,
    rsa_crt_dmq1,
    rsa_crt_iqmp,
)
from cryptography.hazmat.primitives.hashes import SHA256

from tests.makers.openpgp import CREATED, armored, hashed_key, mpi, packet, subpacket

_E = 65537
_P = int(
    "c3325ced81c3bd4e373599f4151ee80bd0ec7771e85f4d782c1b3cee0d36365331368a593345c99a44ab4b229a02d4843814"
    "bf21c45b71a6c3a83b6b966e5dec70507905915acaf0d8e0ed10912d0e0d2eb51a5c3751d2b80a8c57cbfeabc0a8a4621072"
    "6bc1c086c9fe5e26c54612dd8169bad3e931b215ba676745824d8459",
    16,
)
_Q = int(
    "be2c7b7c98092f6495455ddff0f27c0d6f20296367bbc114490d02722fc8d4c8e667e42ca6e6821df7d4d3edc241403cfb6e"
    "85545f80c3006afd9f94fc7d5a28557ac53e288bae71ec8d57751e003b502dbdabc80e18b360ca734050ca9ddeaaf7215025"
    "83b7252bfb3644b9dc12b714d7fe9fb2869854dd01f9733e4b582037",
    16,
)
_RSA, _SHA256 = 1, 8
_PUBLIC_KEY, _USER_ID, _SIGNATURE = 6, 13, 2
_CERTIFY_AND_SIGN = b"\x03"


@dataclass(frozen=True)
class RSAKey:
    """A key of 2,048 bits with one user id; `public` is armored, `fingerprint` upper-case hex."""

    fingerprint: str
    public: bytes

    def sign_binary(self, data: bytes) -> bytes:
        """Sign bytes, without armor; what the headers of packages hold."""
        return packet(_SIGNATURE, _signature(0x00, data))

    def sign_version_3(self, data: bytes) -> bytes:
        """Sign bytes as many vendors' machines do to this day (RFC 4880, 5.2.2)."""
        trailer = b"\x00" + CREATED.to_bytes(4)
        digest = hashlib.sha256(data + trailer).digest()
        head = bytes([3, 5]) + trailer + bytes.fromhex(self.fingerprint)[-8:] + bytes([_RSA, _SHA256]) + digest[:2]
        return packet(_SIGNATURE, head + _made(data + trailer))


@functools.cache
def rsa_key() -> RSAKey:
    """Make the key; it is always the same."""
    user_id = b"rsa <rsa@example.com>"
    certified = hashed_key(_body()) + b"\xb4" + len(user_id).to_bytes(4) + user_id
    identity = packet(_USER_ID, user_id) + packet(_SIGNATURE, _signature(0x13, certified, flags=_CERTIFY_AND_SIGN))
    public = armored(packet(_PUBLIC_KEY, _body()) + identity, pysequoia.ArmorKind.PublicKey)
    return RSAKey(hashlib.sha1(hashed_key(_body())).hexdigest().upper(), public)


@functools.cache
def _private() -> RSAPrivateKey:
    d = pow(_E, -1, (_P - 1) * (_Q - 1))
    public = RSAPublicNumbers(_E, _P * _Q)
    parts = (rsa_crt_dmp1(d, _P), rsa_crt_dmq1(d, _Q), rsa_crt_iqmp(_P, _Q))
    return RSAPrivateNumbers(_P, _Q, d, *parts, public).private_key()


def _body() -> bytes:
    return b"\x04" + CREATED.to_bytes(4) + bytes([_RSA]) + mpi((_P * _Q).to_bytes(256)) + mpi(_E.to_bytes(3))


def _signature(kind: int, signed: bytes, *, flags: bytes = b"") -> bytes:
    fingerprint = hashlib.sha1(hashed_key(_body())).digest()
    subpackets = subpacket(33, b"\x04" + fingerprint) + subpacket(2, CREATED.to_bytes(4))
    subpackets += subpacket(27, flags) if flags else b""
    hashed = bytes([4, kind, _RSA, _SHA256]) + len(subpackets).to_bytes(2) + subpackets
    whole = signed + hashed + b"\x04\xff" + len(hashed).to_bytes(4)
    issuer = subpacket(16, fingerprint[-8:])
    return hashed + len(issuer).to_bytes(2) + issuer + hashlib.sha256(whole).digest()[:2] + _made(whole)


def _made(whole: bytes) -> bytes:
    return mpi(_private().sign(whole, PKCS1v15(), SHA256()))
