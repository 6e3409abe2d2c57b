"""Packages, advisories, groups and module streams as repodata name them."""

from typing import Annotated, NamedTuple

import msgspec

from issmedia.base.digest import Digest
from issmedia.base.errors import Problem
from issmedia.model.tree import DigestField


class Nevra(NamedTuple):
    """What names a package."""

    name: str
    epoch: str
    version: str
    release: str
    arch: str

    def __str__(self) -> str:
        """Write `name-[epoch:]version-release.arch`; an epoch of 0 is left out."""
        epoch = f"{self.epoch}:" if self.epoch not in ("", "0") else ""
        return f"{self.name}-{epoch}{self.version}-{self.release}.{self.arch}"


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
        return str(Nevra(self.name, self.epoch, self.version, self.release, self.arch))


class Advisory(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """One advisory of updateinfo: `kind` is security, bugfix, enhancement or newpackage; `cves` are CVE ids."""

    id: str
    kind: str
    severity: str
    title: str
    issued: str
    cves: tuple[str, ...]


class Group(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """One package group of comps; `digest` is of all that comps say of it, apart from blanks."""

    id: str
    name: str
    digest: DigestField


class ModuleStream(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """One build of a module's stream; `digest` is of all that its modulemd document says.

    `version` is an unsigned number of 64 bits, `context` and `arch` may be empty. A stream is text: `1.10`, not `1.1`.
    """

    name: str
    stream: str
    version: Annotated[int, msgspec.Meta(ge=0)]
    context: str
    arch: str
    digest: DigestField

    @property
    def key(self) -> str:
        """Write `name:stream`."""
        return f"{self.name}:{self.stream}"


class Inventory(msgspec.Struct, frozen=True):
    """What a tree means: the packages, advisories, groups and module streams of a repository.

    `packages` pairs each package with the blob it is; all are ordered as upstream wrote them. Groups and module streams
    are there to be compared and shown: a document of theirs that cannot be read is named in `unread`, and no error.
    """

    packages: tuple[tuple[Digest, Package], ...]
    advisories: tuple[Advisory, ...]
    groups: tuple[Group, ...] = ()
    modules: tuple[ModuleStream, ...] = ()
    unread: tuple[Problem, ...] = ()


def nevra_key(name: str, epoch: str | None, version: str, release: str, arch: str) -> str:
    """Write `name-epoch:version-release.arch`, the epoch always there, as modulemd does."""
    return f"{name}-{epoch or '0'}:{version}-{release}.{arch}"


def nevra_of_path(path: str) -> Nevra | None:
    """Read `…/NAME-VERSION-RELEASE.ARCH.rpm`, or None. File names give no epoch: it is taken as 0."""
    stem, arch = path.rpartition("/")[2].removesuffix(".rpm").rpartition(".")[::2]
    parts = stem.rsplit("-", 2)
    if not path.endswith(".rpm") or not arch or len(parts) != 3 or not all(parts):
        return None
    return Nevra(parts[0], "0", parts[1], parts[2], arch)
