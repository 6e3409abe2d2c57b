"""Packages signed in every way, right and wrong: what makes a verdict, and `rpmkeys` the judge of it.

Signature headers are written here (the format: rpm's docs/manual/format_header.md), since no library makes wrong ones.
"""

import functools
import hashlib
import struct
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import pysequoia
import rpm_rs

from issmedia.model.judgement import Verdict
from tests.makers.openpgp import OpenPGPKey, openpgp_key
from tests.makers.openpgp_rsa import rsa_key
from tests.makers.rpms import BUILT, build_rpm

DSA, RSA, SHA1, SHA256, WHOLE_RSA, MD5, WHOLE_DSA = 267, 268, 269, 273, 1002, 1004, 1005
"""Tags of the signature header."""

PAYLOAD_DIGESTS = (5092, 5093, 5097)
"""Tags of the header that state digests of the payload; rpm before 4.14 wrote none."""

_LEAD, _MAGIC = 96, b"\x8e\xad\xe8\x01" + bytes(4)
_STRING, _BYTES = 6, 7
_WIDTHS = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, _BYTES: 1}

Entry = tuple[int, int, bytes]
"""Type, count and bytes of a header's entry."""

Make = Callable[[bytes, bytes], bytes]
"""Makes a signature or digest of a header and a payload."""


@dataclass(frozen=True)
class Variant:
    """A package, the keys that are pinned, what we say of it, and whether rpm takes it at level `all`."""

    package: bytes
    keys: tuple[bytes, ...]
    verdict: Verdict
    rpm_takes_it: bool


def signed_at(signer: rpm_rs.Signer, when: int, name: str = "app") -> bytes:
    """Build a package, signed at a moment in seconds since 1970."""
    package = rpm_rs.Package.from_bytes(build_rpm(name))
    package.sign(signer, when)
    return bytes(package.to_bytes())


def resigned(
    package: bytes, made: Mapping[int, Make], *, without: Iterable[int] = (), dropped: Iterable[int] = ()
) -> bytes:
    """Put entries into the signature header, and leave out those that are `dropped`.

    `without` takes tags out of the header, whose digests then follow.
    """
    start, end = segments(package)
    header, payload = package[start:end], package[end:]
    signatures, entries = _entries(package, _LEAD), _entries(package, start)
    if left_out := [tag for tag in without if entries.pop(tag, None)]:
        header = _written(entries, 63)
    if left_out:
        signatures[SHA1] = (_STRING, 1, hashlib.sha1(header).hexdigest().encode() + b"\0")
        signatures[SHA256] = (_STRING, 1, hashlib.sha256(header).hexdigest().encode() + b"\0")
    for tag, make in made.items():
        data = make(header, payload)
        signatures[tag] = (
            _STRING if tag in (SHA1, SHA256) else _BYTES,
            1 if tag in (SHA1, SHA256) else len(data),
            data,
        )
    for tag in dropped:
        del signatures[tag]
    written = _written(signatures, 62)
    return package[:_LEAD] + written + bytes(-len(written) % 8) + header + payload


def segments(package: bytes) -> tuple[int, int]:
    """Say where the header begins and ends."""
    start = _end_of_header(package, _LEAD)
    start += -start % 8
    return start, _end_of_header(package, start)


def changed_at(data: bytes, at: int) -> bytes:
    """Change one byte."""
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


@functools.cache
def variants() -> dict[str, Variant]:
    """Give packages in every way, by name."""
    vendor = openpgp_key()
    by_vendor = _by_the_vendor(vendor).items()
    found = {name: Variant(package, (vendor.public,), verdict, taken) for name, (package, verdict, taken) in by_vendor}
    return {**found, **_by_other_keys(vendor)}


def _by_the_vendor(vendor: OpenPGPKey) -> dict[str, tuple[bytes, Verdict, bool]]:
    signed, plain = build_rpm("app", signer=vendor.signer), build_rpm("app")
    start, _ = segments(signed)
    summary = signed.index(b"A package made", start)
    strange = openpgp_key("stranger")
    header: Make = lambda head, _: vendor.sign_binary(head)  # noqa: E731
    whole: Make = lambda head, body: vendor.sign_binary(head + body)  # noqa: E731
    wrong: Make = lambda head, body: vendor.sign_binary(head + body + b"x")  # noqa: E731
    md5: Make = lambda head, body: hashlib.md5(head + body).digest()  # noqa: E731
    return {
        "signed": (signed, "good", True),
        "unsigned": (plain, "unsigned", False),
        "payload changed": (changed_at(signed, len(signed) - 20), "bad", False),
        "payload cut": (signed[:-30], "bad", False),
        "payload longer": (signed + b"more", "bad", False),
        "header changed": (changed_at(signed, summary), "bad", False),
        "header cut": (signed[: start + 50], "cannot judge", False),
        "no package": (b"hello" * 100, "cannot judge", False),
        "empty": (b"", "cannot judge", False),
        "under the other tag": (resigned(plain, {RSA: header}), "good", True),
        "version 3": (resigned(plain, {DSA: lambda h, _: vendor.sign_version_3(h)}), "good", True),
        "version 3, SHA-1": (
            resigned(plain, {DSA: lambda h, _: vendor.sign_version_3(h, hash_id=2)}),
            "cannot judge",
            True,
        ),
        "whole only": (resigned(plain, {WHOLE_DSA: whole}), "good", True),
        "whole only, wrong": (resigned(plain, {WHOLE_DSA: wrong}), "bad", False),
        "whole only, version 3": (
            resigned(plain, {WHOLE_DSA: lambda h, p: vendor.sign_version_3(h + p)}),
            "cannot judge",
            True,
        ),
        "header and whole": (resigned(plain, {DSA: header, WHOLE_DSA: whole}), "good", True),
        "header and whole, whole wrong": (resigned(plain, {DSA: header, WHOLE_DSA: wrong}), "bad", False),
        "header only": (resigned(plain, {DSA: header}, without=PAYLOAD_DIGESTS), "unsigned", False),
        "header only, MD5": (resigned(plain, {DSA: header, MD5: md5}, without=PAYLOAD_DIGESTS), "unsigned", False),
        "header and whole, no digest": (
            resigned(plain, {DSA: header, WHOLE_DSA: whole}, without=PAYLOAD_DIGESTS),
            "cannot judge",
            False,
        ),
        "header and whole, MD5": (
            resigned(plain, {DSA: header, WHOLE_DSA: whole, MD5: md5}, without=PAYLOAD_DIGESTS),
            "good",
            True,
        ),
        "MD5 wrong": (resigned(plain, {DSA: header, MD5: lambda h, p: hashlib.md5(b"x").digest()}), "bad", False),
        "digest of header wrong": (
            resigned(plain, {DSA: header, SHA256: lambda h, p: b"0" * 64 + b"\0"}),
            "bad",
            False,
        ),
        "signature of other bytes": (resigned(plain, {DSA: lambda h, p: vendor.sign_binary(h + b"x")}), "bad", False),
        "no signature at all": (resigned(plain, {DSA: lambda h, p: b"garbage!"}), "cannot judge", False),
        "a second by a stranger": (
            resigned(plain, {DSA: header, RSA: lambda h, p: strange.sign_binary(h)}),
            "cannot judge",
            False,
        ),
        "a second that is wrong": (
            resigned(plain, {DSA: header, RSA: lambda h, p: vendor.sign_binary(h + b"x")}),
            "bad",
            False,
        ),
        "for rpm 6 alone": (resigned(signed, {}, dropped=[DSA]), "cannot judge", False),
        "no digest of its header": (resigned(signed, {}, dropped=[SHA1, SHA256]), "cannot judge", False),
        "format 6": (_of_format_6(vendor), "cannot judge", True),
    }


def _by_other_keys(vendor: OpenPGPKey) -> dict[str, Variant]:
    expired, revoked = openpgp_key("expired", lives_s=10), openpgp_key("revoked", revoked=True)
    subkey, strange = openpgp_key("with a subkey", subkey=True), openpgp_key("stranger")
    by_subkey = build_rpm("app", signer=subkey.signer)
    unbound, borrowed = _certificate(subkey)[:-1], [*_certificate(vendor), *_certificate(subkey)[3:]]
    rsa, plain = rsa_key(), build_rpm("app")
    return {
        "by RSA": Variant(resigned(plain, {RSA: lambda h, _: rsa.sign_binary(h)}), (rsa.public,), "good", True),
        "by RSA, version 3": Variant(
            resigned(plain, {RSA: lambda h, _: rsa.sign_version_3(h)}), (rsa.public,), "good", True
        ),
        "by RSA, other bytes": Variant(
            resigned(plain, {RSA: lambda h, _: rsa.sign_binary(h + b"x")}), (rsa.public,), "bad", False
        ),
        "by RSA, header and whole of version 3": Variant(
            resigned(
                plain,
                {
                    RSA: lambda h, _: rsa.sign_version_3(h),
                    WHOLE_RSA: lambda h, p: rsa.sign_version_3(h + p),
                    MD5: lambda h, p: hashlib.md5(h + p).digest(),
                },
            ),
            (rsa.public,),
            "good",
            True,
        ),
        "by RSA, header and whole of version 3, whole wrong": Variant(
            resigned(
                plain,
                {RSA: lambda h, _: rsa.sign_version_3(h), WHOLE_RSA: lambda h, p: rsa.sign_version_3(h + p + b"x")},
            ),
            (rsa.public,),
            "bad",
            False,
        ),
        "by RSA, whole of version 3 by a stranger": Variant(
            resigned(
                plain,
                {RSA: lambda h, _: rsa.sign_version_3(h), WHOLE_DSA: lambda h, p: strange.sign_version_3(h + p)},
            ),
            (rsa.public,),
            "cannot judge",
            False,
        ),
        "by a stranger": Variant(build_rpm("app", signer=strange.signer), (vendor.public,), "cannot judge", False),
        "no key": Variant(build_rpm("app", signer=vendor.signer), (), "cannot judge", False),
        "several keys": Variant(build_rpm("app", signer=vendor.signer), (strange.public, vendor.public), "good", True),
        "before its key expired": Variant(signed_at(expired.signer, BUILT + 5), (expired.public,), "good", True),
        "after its key expired": Variant(signed_at(expired.signer, BUILT + 50), (expired.public,), "bad", True),
        "before its key was made": Variant(signed_at(vendor.signer, BUILT - 50), (vendor.public,), "bad", True),
        "by a revoked key": Variant(
            build_rpm("app", signer=openpgp_key("revoked").signer), (revoked.public,), "bad", True
        ),
        "by a subkey": Variant(by_subkey, (subkey.public,), "good", True),
        "by a subkey nobody bound": Variant(by_subkey, (_armored(unbound),), "cannot judge", False),
        "by a subkey bound by another": Variant(by_subkey, (_armored(borrowed),), "cannot judge", False),
    }


def _of_format_6(vendor: OpenPGPKey) -> bytes:
    builder = rpm_rs.PackageBuilder("app", "1.0", "MIT", "noarch", "A package of a later format")
    config = rpm_rs.BuildConfig(
        format=rpm_rs.RpmFormat.V6, compression=rpm_rs.CompressionType.NONE, source_date=BUILT, reserved_space=0
    )
    builder.using_config(config)
    builder.release("1")
    return bytes(builder.build_and_sign(vendor.signer).to_bytes())


def _certificate(key: OpenPGPKey) -> list[bytes]:
    return [bytes(packet) for packet in pysequoia.packet.PacketPile.from_bytes(key.public)]


def _armored(packets: Iterable[bytes]) -> bytes:
    return str(pysequoia.armor(b"".join(packets), pysequoia.ArmorKind.PublicKey)).encode()


def _end_of_header(package: bytes, start: int) -> int:
    entries, size = struct.unpack(">II", package[start + 8 : start + 16])
    return int(start + 16 + entries * 16 + size)


def _entries(package: bytes, start: int) -> dict[int, Entry]:
    """Take a header apart; its region, which only says where it ends, is left out."""
    count = int.from_bytes(package[start + 8 : start + 12])
    store = package[start + 16 + count * 16 : _end_of_header(package, start)]
    found: dict[int, Entry] = {}
    for number in range(count):
        tag, kind, at, items = struct.unpack_from(">IIII", package, start + 16 + number * 16)
        if tag not in (62, 63):
            found[tag] = (kind, items, _value(store[at:], kind, items))
    return found


def _value(store: bytes, kind: int, items: int) -> bytes:
    if kind in _WIDTHS:
        return store[: _WIDTHS[kind] * items]
    return b"".join(text + b"\0" for text in store.split(b"\0", items)[:items])


def _written(entries: Mapping[int, Entry], region: int) -> bytes:
    index, store = b"", b""
    for tag, (kind, items, data) in sorted(entries.items()):
        store += bytes(-len(store) % _WIDTHS.get(kind, 1))
        index += struct.pack(">IIII", tag, kind, len(store), items)
        store += data
    count = len(entries) + 1
    head = struct.pack(">IIII", region, _BYTES, len(store), 16)
    store += struct.pack(">IIiI", region, _BYTES, -16 * count, 16)
    return _MAGIC + struct.pack(">II", count, len(store)) + head + index + store
