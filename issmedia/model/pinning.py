"""OpenPGP keys that an operator pins for a repository: what a file of keys holds, and what adding one would do.

Times are seconds since 1970, as OpenPGP counts them. User ids are text of whoever made the key: show them with `shown`.
"""

import hashlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Annotated

import msgspec

from issmedia.base.digest import Digest
from issmedia.base.errors import FormatError, Problem, UsageError
from issmedia.model.judgement import Fingerprint
from issmedia.model.names import shown
from issmedia.model.openpgp import (
    PRIVATE_KEY_BLOCK,
    PUBLIC_KEY,
    PUBLIC_KEY_BLOCK,
    PUBLIC_SUBKEY,
    SECRET_KEY,
    SECRET_SUBKEY,
    SIGNATURE,
    TRUST,
    USER_ATTRIBUTE,
    USER_ID,
    armored,
    armored_blocks,
    body_of,
    grouped,
    packets,
)

MAX_KEY_FILE = 256 << 10
"""Bytes of a file of keys; a vendor's have some ten thousand."""

MAX_KEYS = 16
"""Keys in one file."""

_MAX_PACKETS = 2000
_IN_A_KEY = {SIGNATURE, USER_ID, PUBLIC_SUBKEY, USER_ATTRIBUTE, TRUST}
_SECRET = {SECRET_KEY, SECRET_SUBKEY}

Seconds = Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]


class SigningKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A key or subkey that may sign, from `created` until `expires`, unless it is `revoked`."""

    fingerprint: Fingerprint
    created: Seconds
    expires: Seconds | None = None
    revoked: bool = False

    def fault(self, at: int) -> str | None:
        """Say why a signature it made at a moment does not count, or None."""
        if self.revoked:
            return "its key is revoked"
        if at < self.created:
            return f"was made {day(at)}, its key on {day(self.created)}"
        if self.expires is not None and at >= self.expires:
            return f"was made {day(at)}, its key expired on {day(self.expires)}"
        return None

    def has_id(self, issuer: str) -> bool:
        """Say whether a signature's issuer, a fingerprint or the 16 digits of a key id, is this key."""
        return issuer == self.fingerprint or (len(issuer) == 16 and self.fingerprint[-16:] == issuer)


class VendorKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An OpenPGP key, by the fingerprint of its primary key; `data` are its packets, `signing` what in it may sign."""

    fingerprint: Fingerprint
    user_ids: tuple[str, ...]
    created: Seconds
    expires: Seconds | None
    revoked: bool
    signing: tuple[SigningKey, ...]
    data: bytes

    @property
    def armor(self) -> bytes:
        """Write it as the file that dnf and rpm read."""
        return armored(self.data, PUBLIC_KEY_BLOCK)


class Pinning(msgspec.Struct, frozen=True):
    """What adding keys to those pinned does: `new` come in, `same` are there already.

    `changed` have a pinned key's fingerprint and other bytes, say a later day of expiry: (pinned, offered) each.
    """

    new: tuple[VendorKey, ...] = ()
    same: tuple[VendorKey, ...] = ()
    changed: tuple[tuple[VendorKey, VendorKey], ...] = ()


def pinning(pinned: Iterable[VendorKey], offered: Iterable[VendorKey]) -> Pinning:
    """Compare keys that are offered with those pinned; nothing pinned is ever replaced by this alone."""
    held = {key.fingerprint: key for key in pinned}
    new, same, changed = [], [], []
    for key in {one.fingerprint: one for one in offered}.values():
        old = held.get(key.fingerprint)
        if old is None:
            new.append(key)
        elif old.data == key.data:
            same.append(key)
        else:
            changed.append((old, key))
    return Pinning(tuple(new), tuple(same), tuple(changed))


class PinnedFile(msgspec.Struct, frozen=True):
    """A blob of keys that a repository has pinned; `keys` is empty where it cannot be read, and `fault` says why."""

    blob: Digest
    keys: tuple[VendorKey, ...]
    fault: str = ""


def repinned(
    held: Sequence[PinnedFile], offered: Sequence[VendorKey], *, renew: Iterable[str] = (), unpin: Iterable[str] = ()
) -> list[Digest | VendorKey]:
    """Give what is pinned once keys are added: blobs that stay as they are, and keys that get one of their own.

    `UsageError` for a key whose namesake is pinned with other bytes, unless `renew` has its fingerprint. `unpin` names
    what goes, by fingerprint or blob. Fingerprints may have blanks in them.
    """
    gone = _named(unpin, {key.fingerprint for one in held for key in one.keys} | {one.blob for one in held})
    plan = pinning((key for one in held for key in one.keys), offered)
    renewed = {new.fingerprint: new for _, new in plan.changed}
    _require_asked(plan, _named(renew, {key.fingerprint for key in offered}))
    found: list[Digest | VendorKey] = []
    for one in held:
        keys = tuple(renewed.get(key.fingerprint, key) for key in one.keys if key.fingerprint not in gone)
        if one.blob not in gone:
            found += [one.blob] if keys == one.keys else keys
    return [*found, *plan.new]


def fingerprints(data: bytes) -> tuple[str, ...]:
    """Give the fingerprints of the keys in a file of keys, sorted, each once; nothing else in it is looked at."""
    return tuple(sorted({_fingerprint(key) for key in key_packets(data)}))


def key_packets(data: bytes) -> tuple[bytes, ...]:
    """Take a file of public keys apart, armored (with text around its blocks) or binary: the packets of each key.

    `FormatError` where it is too long, holds a secret key, or anything that stands in no public key.
    """
    if len(data) > MAX_KEY_FILE:
        raise FormatError(f"a file of keys has at most {MAX_KEY_FILE:,} bytes, this one has more")
    keys = [key for block in _blocks(data) for key in _keys(block)]
    if not keys:
        raise FormatError("holds no OpenPGP public key", hint="gpg --armor --export KEY > FILE makes such a file")
    if len(keys) > MAX_KEYS:
        raise FormatError(f"holds {len(keys)} keys, at most {MAX_KEYS} are allowed in one file")
    return tuple(keys)


def day(seconds: int) -> str:
    """Write the day of a moment in UTC: `2026-01-31`; the last day there is for what lies behind it."""
    return datetime.fromtimestamp(min(seconds, 253_402_300_799), UTC).strftime("%Y-%m-%d")


def _named(names: Iterable[str], known: Collection[str]) -> set[str]:
    """Find what is meant by names of keys; `UsageError` for one that is not known."""
    meant = {"".join(name.split()): name for name in names}
    plain = {one.casefold(): one for one in known}
    if unknown := [name for short, name in meant.items() if short.casefold() not in plain]:
        raise UsageError(f"no key {shown(min(unknown))}", hint="issmedia repo show has the fingerprints of its keys")
    return {plain[short.casefold()] for short in meant}


def _require_asked(plan: Pinning, renew: Collection[str]) -> None:
    """Refuse keys that would replace a pinned one, unless that was asked for."""
    changed = [new for _, new in plan.changed if new.fingerprint not in renew]
    if changed:
        raise UsageError(
            "a key is pinned already, and the one offered has other bytes: a later day of expiry, or an attack",
            hint=f"check it, then: --renew {changed[0].fingerprint}",
            problems=[Problem(grouped(new.fingerprint), " ".join(new.user_ids)) for new in changed],
        )


def _fingerprint(key: bytes) -> str:
    """Hash the primary key as RFC 4880, 12.2 says; that it is of version 4 is for whoever verifies with it."""
    body = body_of(packets(key, most=_MAX_PACKETS)[0])
    return hashlib.sha1(b"\x99" + len(body).to_bytes(2) + body, usedforsecurity=False).hexdigest().upper()


def _blocks(data: bytes) -> Iterator[bytes]:
    if data[:1] >= b"\x80":
        yield data
        return
    for label, block in armored_blocks(data):
        if label == PRIVATE_KEY_BLOCK:
            raise _secret()
        if label != PUBLIC_KEY_BLOCK:
            raise FormatError(f"holds a {label}, only public keys are pinned")
        yield block


def _keys(block: bytes) -> Sequence[bytes]:
    """Cut packets before each primary key; trust packets are a note of somebody's gpg, and are left out."""
    found: list[bytearray] = []
    for packet in packets(block, most=_MAX_PACKETS):
        if packet.kind in _SECRET:
            raise _secret()
        if packet.kind == PUBLIC_KEY:
            found.append(bytearray())
        elif packet.kind not in _IN_A_KEY or not found:
            raise FormatError("holds OpenPGP data that are no public key")
        if packet.kind != TRUST:
            found[-1] += packet.data
    return list(map(bytes, found))


def _secret() -> FormatError:
    return FormatError(
        "holds a SECRET key: it must never leave the vendor, and nobody pins it",
        hint="gpg --armor --export KEY > FILE writes the public part alone",
    )
