"""Repositories whose metadata call packages otherwise than their headers do."""

from pathlib import Path

from issmedia.base.digest import digest_of
from tests.makers.openpgp import OpenPGPKey
from tests.makers.signed_rpms import DSA, resigned

SOURCE_RPM = 1044
"""The tag that only binary packages have."""

_REPOMD = "repodata/repomd.xml"


def relabel(repo: Path, old: bytes, new: bytes, *, key: OpenPGPKey | None = None) -> None:
    """Write something else where `old` first stands in primary.xml, unpacked; `key` signs repomd.xml anew."""
    (primary,) = (repo / "repodata").glob("*primary.xml")
    before = primary.read_bytes()
    after = before.replace(old, new, 1)
    assert after != before
    primary.unlink()
    (repo / f"repodata/{digest_of(after)}-primary.xml").write_bytes(after)
    repomd = (repo / _REPOMD).read_bytes().replace(digest_of(before).encode(), digest_of(after).encode())
    (repo / _REPOMD).write_bytes(repomd.replace(b"size>%d<" % len(before), b"size>%d<" % len(after)))
    if key is not None:
        sign_repomd(repo, key)


def sign_repomd(repo: Path, key: OpenPGPKey) -> None:
    """Sign repomd.xml as it is now."""
    (repo / f"{_REPOMD}.asc").write_bytes(key.sign_detached((repo / _REPOMD).read_bytes()))


def as_source(package: bytes, key: OpenPGPKey) -> bytes:
    """Make a source package of an unsigned binary one, signed by a key."""
    return resigned(package, {DSA: lambda header, _: key.sign_binary(header)}, without=[SOURCE_RPM])
