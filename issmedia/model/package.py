"""Packages and advisories as repodata name them."""

import msgspec

from issmedia.base.digest import Digest


class Package(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """One package: its NEVRA, where it lies (`href`, relative to the repository) and what its bytes must be."""

    name: str
    epoch: str
    version: str
    release: str
    arch: str
    href: str
    checksum_type: str
    checksum: str
    size: int
    summary: str

    @property
    def nevra(self) -> str:
        """Write `name-[epoch:]version-release.arch`; an epoch of 0 is left out."""
        epoch = f"{self.epoch}:" if self.epoch not in ("", "0") else ""
        return f"{self.name}-{epoch}{self.version}-{self.release}.{self.arch}"


class Advisory(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """One advisory of updateinfo: `kind` is security, bugfix, enhancement or newpackage; `cves` are CVE ids."""

    id: str
    kind: str
    severity: str
    title: str
    issued: str
    cves: tuple[str, ...]


class Inventory(msgspec.Struct, frozen=True):
    """What a tree means: the packages and advisories the catalog makes searchable.

    `packages` pairs each package with the blob it is; both are ordered as upstream wrote them.
    """

    packages: tuple[tuple[Digest, Package], ...]
    advisories: tuple[Advisory, ...]
