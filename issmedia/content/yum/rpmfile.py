"""RPM packages by rpm-rs: their headers and digests, and whether a key signed their header.

The only module that imports rpm_rs; it runs in the judging child. A package is read as a stream: lead, signature
header, header, payload. Digests and signatures are checked over the bytes as they stand in the file, never over what
a library would write again. rpm-rs proves a signature right; it asks neither when its key expired nor whether it is
revoked (`content.yum.openpgp` does).
"""

import hashlib
import hmac
from dataclasses import dataclass, field
from functools import lru_cache

import msgspec
import rpm_rs

from issmedia.base.errors import FormatError
from issmedia.content.yum.rpmheader import (
    IMMUTABLE,
    SIGNATURES,
    Read,
    exactly,
    read_header,
    read_lead,
    signature_header,
)
from issmedia.model.names import shown
from issmedia.model.package import Nevra
from issmedia.model.pinning import VendorKey

MAX_SIGNATURES_HEADER, MAX_HEADER = 64 << 20, 128 << 20
"""Bytes of the two headers; a kernel's have some ten million."""

MAX_WHOLE = 512 << 20
"""Bytes of header and payload that an old signature over both can be checked of: they must be in memory at once."""

_CHUNK = 1 << 20
_DSA, _RSA, _SHA1, _SHA256, _OPENPGP, _WHOLE_RSA, _MD5, _WHOLE_DSA = 267, 268, 269, 273, 278, 1002, 1004, 1005
_NAME, _VERSION, _RELEASE, _EPOCH, _ARCH, _SOURCE_RPM = 1000, 1001, 1002, 1003, 1022, 1044
_PAYLOAD_FORMAT, _PAYLOAD_DIGEST, _PAYLOAD_ALGORITHM, _FORMAT = 1124, 5092, 5093, 5114
_ALGORITHMS = {8: "sha256", 9: "sha384", 10: "sha512", 11: "sha224"}


class Rpm(msgspec.Struct, frozen=True):
    """A package that was read to its end.

    `signatures` are those of the header that every rpm knows, `whole` those of header and payload; `for_rpm_6` says
    that there are others, which only rpm 6 looks at. `digest_fault` says which digest is another; `payload_digest` is
    stated in the header, so what signs that signs the payload, `some_payload_digest` anywhere. `is_delta` says that its
    payload is a delta, which rpm does not install. `payload` is kept only where there is a `whole`.
    """

    nevra: Nevra
    lead: bytes
    header: bytes
    signatures: tuple[bytes, ...]
    whole: tuple[bytes, ...]
    for_rpm_6: bool
    digest_fault: str | None
    header_digest: bool
    payload_digest: bool
    some_payload_digest: bool
    is_delta: bool
    payload: bytes | None


def read_rpm(read: Read) -> Rpm:
    """Read a package; `FormatError` where it is none, or of a version or algorithm that is not known here."""
    lead = read_lead(read)
    signatures = read_header(read, SIGNATURES, MAX_SIGNATURES_HEADER)
    signatures += exactly(read, -len(signatures) % 8)
    header = read_header(read, IMMUTABLE, MAX_HEADER)
    try:
        metadata = rpm_rs.PackageMetadata.from_bytes(lead + signatures + header)
        return _read_on(read, lead, header, _Tags(metadata.signature), _Tags(metadata.header))
    except (RuntimeError, ValueError, TypeError, OverflowError) as cause:
        raise FormatError(f"has headers that cannot be read: {_said(cause)}") from cause


def require_usable(key: VendorKey) -> None:
    """Raise `FormatError` for a key that rpm-rs refuses, say for a subkey that somebody else bound to it."""
    try:
        _verifier(key)
    except (RuntimeError, ValueError) as cause:
        raise FormatError(f"is no OpenPGP key that could be trusted: {_said(cause)}") from cause


def proves(rpm: Rpm, signature: bytes, key: VendorKey) -> bool:
    """Say whether a signature of the header is right and by this key, in the verdict of rpm-rs."""
    probe = rpm.lead + signature_header(_DSA, signature) + rpm.header
    try:
        report = rpm_rs.PackageMetadata.from_bytes(probe).check_signatures(_verifier(key))
        return [one.is_verified() for one in report.signatures] == [True]
    except (RuntimeError, ValueError):
        return False


@lru_cache(maxsize=64)
def _verifier(key: VendorKey) -> rpm_rs.Verifier:
    """Load a key; it costs more than to use it."""
    return rpm_rs.Verifier(key.armor)


class _Tags:
    """Values of a header by the numbers of their tags; a type that is not expected is a `FormatError`."""

    def __init__(self, header: rpm_rs.Header) -> None:
        self._header = header

    def text(self, tag: int) -> str | None:
        """Give a text, or the first of a list."""
        found = self._entry(tag)
        if isinstance(found, list) and len(found) == 1:
            found = found[0]
        if found is not None and not isinstance(found, str):
            raise FormatError(f"has no text in its tag {tag}")
        return found

    def data(self, tag: int) -> bytes | None:
        """Give bytes."""
        found = self._entry(tag)
        if found is not None and not isinstance(found, bytes):
            raise FormatError(f"has no bytes in its tag {tag}")
        return found

    def number(self, tag: int, default: int) -> int:
        """Give the only number."""
        found = self._entry(tag)
        if found is None:
            return default
        if not isinstance(found, list) or len(found) != 1 or not isinstance(found[0], int):
            raise FormatError(f"has not one number in its tag {tag}")
        return found[0]

    def several(self, *tags: int) -> tuple[bytes, ...]:
        """Give the bytes of those of these tags that are there."""
        return tuple(found for found in map(self.data, tags) if found is not None)

    def has(self, tag: int) -> bool:
        """Say whether there is such a tag."""
        return bool(self._header.entry_is_present(tag))

    def _entry(self, tag: int) -> object:
        return self._header.entry(tag) if self.has(tag) else None


@dataclass(slots=True)
class _Payload:
    """A payload that passes: its digests, and its bytes where they are kept."""

    sha: "hashlib._Hash"
    md5: "hashlib._Hash | None"
    kept: bytearray | None = field(default=None)

    def read(self, read: Read) -> None:
        """Read to the end."""
        while chunk := read(_CHUNK):
            self.sha.update(chunk)
            if self.md5:
                self.md5.update(chunk)
            if self.kept is not None:
                self.kept += chunk
                if len(self.kept) > MAX_WHOLE:
                    self.kept = None


def _read_on(read: Read, lead: bytes, header: bytes, signatures: _Tags, tags: _Tags) -> Rpm:
    if (version := tags.number(_FORMAT, 4)) != 4:
        raise FormatError(f"is a package of format {version}, we know format 4")
    stated, md5 = tags.text(_PAYLOAD_DIGEST), signatures.data(_MD5)
    whole = signatures.several(_WHOLE_RSA, _WHOLE_DSA)
    payload = _Payload(
        sha=hashlib.new(_algorithm(tags) if stated else "sha256"),
        md5=hashlib.md5(header, usedforsecurity=False) if md5 else None,
        kept=bytearray() if whole else None,
    )
    payload.read(read)
    sha1, sha256 = signatures.text(_SHA1), signatures.text(_SHA256)
    checks = (
        ("SHA-256 of its header", sha256, hashlib.sha256(header).hexdigest()),
        ("SHA-1 of its header", sha1, hashlib.sha1(header, usedforsecurity=False).hexdigest()),
        ("digest of its payload", stated, payload.sha.hexdigest()),
        ("MD5 of header and payload", md5.hex() if md5 else None, payload.md5.hexdigest() if payload.md5 else ""),
    )
    return Rpm(
        nevra=_nevra(tags),
        lead=lead,
        header=header,
        signatures=signatures.several(_RSA, _DSA),
        whole=whole,
        for_rpm_6=signatures.has(_OPENPGP),
        digest_fault=next((f"the {name} is another" for name, said, is_ in checks if not _agree(said, is_)), None),
        header_digest=sha1 is not None or sha256 is not None,
        payload_digest=stated is not None,
        some_payload_digest=stated is not None or md5 is not None,
        is_delta=tags.text(_PAYLOAD_FORMAT) == "drpm",
        payload=None if payload.kept is None else bytes(payload.kept),
    )


def _nevra(tags: _Tags) -> Nevra:
    """Read what a package calls itself, as metadata write that: the architecture of source packages is `src`."""
    arch = (tags.text(_ARCH) or "") if tags.has(_SOURCE_RPM) else "src"
    name, version, release = (tags.text(tag) or "" for tag in (_NAME, _VERSION, _RELEASE))
    return Nevra(name, str(tags.number(_EPOCH, 0)), version, release, arch)


def _algorithm(tags: _Tags) -> str:
    number = tags.number(_PAYLOAD_ALGORITHM, 8)
    if number not in _ALGORITHMS:
        raise FormatError(f"has a digest of its payload by algorithm {number}, which is not known here")
    return _ALGORITHMS[number]


def _agree(said: str | None, found: str) -> bool:
    """Say whether a digest is absent or right."""
    return said is None or hmac.compare_digest(said.lower().encode("utf-8", "replace"), found.encode())


def _said(error: Exception) -> str:
    return shown(" ".join(str(error).partition("whole input was")[0].split()))[:150]
