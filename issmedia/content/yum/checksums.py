"""Which checksums prove anything: SHA-2 does, MD5 and SHA-1 do not."""

import re

from issmedia.base.errors import UpstreamError
from issmedia.model.names import shown

_DIGITS = {"sha224": 56, "sha256": 64, "sha384": 96, "sha512": 128}
_HEX = re.compile(r"[0-9a-f]+\Z")


def checksum_fault(kind: str | None, value: str | None) -> str | None:
    """Say why a checksum is no proof, or None. The answer is safe to print."""
    if not kind or not value:
        return "has no checksum"
    if kind not in _DIGITS:
        return f"has a checksum of type {shown(kind)}, which proves nothing"
    if len(value) != _DIGITS[kind] or not _HEX.match(value):
        return f"has a malformed {kind} checksum"
    return None


def strong_checksum(kind: str | None, value: str | None, *, of: str) -> tuple[str, str]:
    """Return the type and the hexadecimal digits, or raise `UpstreamError` naming the file it is `of`."""
    if (fault := checksum_fault(kind, value)) or kind is None or value is None:
        raise UpstreamError(
            f"{shown(of)} {fault}",
            where=shown(of),
            hint="upstream must write its repodata with sha256 (createrepo_c --checksum sha256)",
        )
    return kind, value
