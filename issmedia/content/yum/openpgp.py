"""OpenPGP by Sequoia: keys and what they may sign, facts of signatures, detached signatures over bytes.

The only module that imports pysequoia; it runs in the judging child. Armor never comes here: `model.openpgp` takes it
off first. Signatures of version 3 can only be described: Sequoia verifies none since 2021.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from datetime import datetime

import msgspec
import pysequoia
from pysequoia.packet import Packet, PacketPile, SignatureType, Tag

from issmedia.base.errors import FormatError
from issmedia.model.judgement import Judged
from issmedia.model.names import shown
from issmedia.model.openpgp import SIGNATURE, packets
from issmedia.model.pinning import SigningKey, VendorKey

MAX_SIGNATURES = 16
"""Signatures that are looked at, of one file."""

_ALGORITHMS = ("RSAEncryptSign", "RSASign", "ECDSA", "EdDSA", "Ed25519", "Ed448")
_HASHES = ("SHA224", "SHA256", "SHA384", "SHA512", "SHA3_256", "SHA3_512")
_CERTIFICATIONS = ("DirectKey", "GenericCertification", "PersonaCertification", "CasualCertification")
_OF_ITSELF = (*_CERTIFICATIONS, "PositiveCertification")
_CAUSE = re.compile(r"^ *(?:[0-9]+: )?(.+)$", re.MULTILINE)


class Facts(msgspec.Struct, frozen=True):
    """What a signature packet says of itself; `issuer` is a fingerprint or key id, times are seconds since 1970."""

    data: bytes
    version: int
    issuer: str | None
    created: int
    expires: int | None
    hash: str
    algorithm: str
    is_binary: bool

    def fault(self, *, now: int) -> str | None:
        """Say why no verdict can rest on it, or None."""
        if self.version not in (3, 4):
            return f"its signature has version {self.version}, we know 3 and 4"
        if self.algorithm not in _ALGORITHMS or self.hash not in _HASHES:
            return (
                f"its signature is made with {self.algorithm} and {self.hash}, which prove nothing or are unknown here"
            )
        if not self.is_binary:
            return "its signature is of a kind that is not for files"
        if self.expires is not None and self.expires <= now:
            return "its signature has expired"
        return None


def read_key(data: bytes) -> VendorKey:
    """Read one public key from its packets; `FormatError` where Sequoia finds no key in it that it would trust."""
    try:
        found = pysequoia.Cert.from_bytes(data)
        expires, user_ids = found.expiration, tuple(map(str, found.user_ids))
        parts = list(PacketPile.from_bytes(data))
    except (RuntimeError, ValueError) as cause:
        raise FormatError(f"is no OpenPGP key that could be trusted: {_causes(cause)}") from cause
    primary = SigningKey(found.fingerprint.upper(), _seconds(parts[0].key_created), _end(expires), found.is_revoked)
    return VendorKey(
        fingerprint=primary.fingerprint,
        user_ids=tuple(shown(one) for one in user_ids),
        created=primary.created,
        expires=primary.expires,
        revoked=primary.revoked,
        signing=tuple(_signing(primary, list(_components(parts)))),
        data=data,
    )


def facts_of(data: bytes) -> tuple[Facts, ...]:
    """Read the facts of packets of signatures; `FormatError` where they are anything else."""
    found = packets(data, most=MAX_SIGNATURES)
    if not found or any(packet.kind != SIGNATURE for packet in found):
        raise FormatError("its signature is no OpenPGP signature")
    return tuple(_facts(packet.data) for packet in found)


def verify_detached(data: bytes, facts: Facts, keys: Iterable[VendorKey], *, now: int) -> Judged:
    """Judge one detached signature over bytes."""
    if fault := facts.fault(now=now):
        return Judged("cannot judge", reason=fault)
    if facts.version != 4:
        return Judged("cannot judge", reason=f"its signature has version {facts.version}, Sequoia verifies version 4")
    found = signer_of(facts, keys)
    if found is None:
        return Judged("cannot judge", reason=not_pinned(facts))
    key, signing = found
    if fault := signing.fault(facts.created):
        return Judged("bad", reason=f"its signature {fault}" if fault.startswith("was") else fault)
    return _verified(data, facts, key, signing)


def may_be_of(data: bytes, facts: Facts) -> bool:
    """Say whether bytes have the digest of which a signature of version 3 says the first 16 bits (RFC 4880, 5.2.2).

    That tells a signature of other bytes, and proves nothing: nobody here verifies version 3 over more than a header.
    """
    (packet,) = PacketPile.from_bytes(facts.data)
    body = bytes(packet.body or b"")
    digest = hashlib.new(facts.hash.lower(), data)
    digest.update(body[2:7])
    return digest.digest()[:2] == body[17:19]


def signer_of(facts: Facts, keys: Iterable[VendorKey]) -> tuple[VendorKey, SigningKey] | None:
    """Find the pinned key that a signature says it is by."""
    for key in keys:
        for signing in key.signing:
            if facts.issuer is not None and signing.has_id(facts.issuer):
                return key, signing
    return None


def not_pinned(facts: Facts) -> str:
    """Say that a signature is by a key that is not pinned."""
    return f"is signed by the key {facts.issuer or '(unnamed)'}, which is not pinned here, or may not sign"


def _verified(data: bytes, facts: Facts, key: VendorKey, signing: SigningKey) -> Judged:
    certificate = pysequoia.Cert.from_bytes(key.data)
    signature = pysequoia.Sig.from_bytes(facts.data)
    try:
        valid = pysequoia.verify(data, store=lambda _: [certificate], signature=signature).valid_sigs
    except (RuntimeError, ValueError):
        return Judged("bad", reason="its signature is not of these bytes, or not by a key that may sign")
    if signing.fingerprint not in [one.signing_key.upper() for one in valid]:
        return Judged("bad", reason="its signature is by another key than it says")
    return Judged("good", key.fingerprint)


def _facts(data: bytes) -> Facts:
    try:
        found = pysequoia.Sig.from_bytes(data)
        issuer = found.issuer_fingerprint or found.issuer_key_id
        return Facts(
            data=data,
            version=found.version,
            issuer=issuer and issuer.upper(),
            created=_seconds(found.created),
            expires=_end(found.expiration),
            hash=_name(found.hash_algorithm),
            algorithm=_name(found.key_algorithm),
            is_binary=found.signature_type == SignatureType.Binary,
        )
    except (RuntimeError, ValueError, OverflowError) as cause:
        raise FormatError(f"its signature cannot be read: {_causes(cause)}") from cause


def _components(parts: Iterable[Packet]) -> Iterator[tuple[Packet, list[Packet]]]:
    """Give the primary key and each subkey, with the signatures that stand behind it."""
    component: Packet | None = None
    signatures: list[Packet] = []
    for part in parts:
        if part.tag in (Tag.PublicKey, Tag.PublicSubkey):
            if component is not None:
                yield component, signatures
            component, signatures = part, []
        elif part.tag == Tag.Signature:
            signatures.append(part)
    if component is not None:
        yield component, signatures


def _signing(primary: SigningKey, components: list[tuple[Packet, list[Packet]]]) -> Iterator[SigningKey]:
    """Give what may sign files: the newest signature that binds a key says so; without flags a primary key may."""
    own = _newest(components[0][1], _OF_ITSELF, by=primary.fingerprint)
    if own is None or own.key_flags is None or own.key_flags.signing:
        yield primary
    for packet, signatures in components[1:]:
        binding = _newest(signatures, ("SubkeyBinding",), by=primary.fingerprint)
        if binding is not None and binding.key_flags is not None and binding.key_flags.signing:
            yield _subkey(primary, packet, binding, signatures)


def _subkey(primary: SigningKey, packet: Packet, binding: Packet, signatures: list[Packet]) -> SigningKey:
    created, lives = _seconds(packet.key_created), binding.key_validity_period
    ends = [
        end for end in (primary.expires, created + int(lives.total_seconds()) if lives else None) if end is not None
    ]
    revoked = primary.revoked or any(one.signature_type == SignatureType.SubkeyRevocation for one in signatures)
    return SigningKey(str(packet.fingerprint).upper(), created, min(ends) if ends else None, revoked)


def _newest(signatures: list[Packet], kinds: tuple[str, ...], *, by: str) -> Packet | None:
    """Find the newest signature of these kinds that a key made of itself or its own; others' say nothing here."""
    own = [one for one in signatures if _name(one.signature_type) in kinds and _is_by(one, by)]
    return max(own, key=lambda one: _seconds(one.signature_created), default=None)


def _is_by(signature: Packet, fingerprint: str) -> bool:
    issuer = signature.issuer_fingerprint or signature.issuer_key_id
    return issuer is not None and fingerprint.endswith(issuer.upper())


def _name(member: object) -> str:
    """Write the name of one of Sequoia's constants: `HashAlgorithm.SHA256` is SHA256."""
    return repr(member).rpartition(".")[2]


def _seconds(when: datetime | None) -> int:
    return 0 if when is None else max(0, int(when.timestamp()))


def _end(when: datetime | None) -> int | None:
    return None if when is None else _seconds(when)


def _causes(error: Exception) -> str:
    """Write what Sequoia says in one line, without its stack."""
    said = str(error).partition("Stack backtrace")[0].replace("Caused by:", "")
    return shown("; ".join(_CAUSE.findall(said)))[:200]
