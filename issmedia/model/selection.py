"""Which packages of a repository are mirrored: an operator's selection, and what it chooses.

1. Permitted is what `archs`, `sources`, `debug` and `exclude` allow; nothing that follows brings back the rest.
2. Of that, `include` and `advisories` choose; without either, all.
3. Of each name and architecture the `newest` stay; of a module stream, its newest builds instead, each in its context.
4. Of a build of which a package is chosen, all permitted artifacts are: a stream is whole, or is not there.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from fnmatch import translate
from typing import Annotated, Literal

import msgspec

from issmedia.model.evr import evr_key
from issmedia.model.package import Advisory, Package, nevra_key
from issmedia.model.tree import DigestField

Packing = Literal["gz", "zstd"]
"""How repodata that we make are packed."""

_SOURCES = ("src", "nosrc")
_DEBUG = re.compile(r"-debug(?:info|source)(?:-|\Z)")


class Selection(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """What an operator wants of a repository; the defaults want all of it.

    `include` and `exclude` are globs on a NEVRA or a part of it (`spellings`); `advisories` are ids, CVE ids, or kinds
    as `security`. `with_dependencies` adds what the chosen need, `kickstart` keeps the files of an installer's tree.
    """

    newest: Annotated[int, msgspec.Meta(ge=1)] | None = None
    archs: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    sources: bool = True
    debug: bool = True
    advisories: tuple[str, ...] = ()
    with_dependencies: bool = False
    kickstart: bool = True
    packing: Packing = "gz"


class Selected(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a selected snapshot was made from: upstream's repomd.xml, the selection, and the trees it was closed over.

    The same again gives the same snapshot.
    """

    upstream: DigestField
    selection: Selection
    beside: tuple[DigestField, ...] = ()


class Build(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One build of a module's stream, and its artifacts as `nevra_key` writes them."""

    name: str
    stream: str
    version: int
    context: str
    arch: str
    artifacts: tuple[str, ...]


def permitted(packages: Iterable[Package], selection: Selection) -> list[Package]:
    """Do step 1, in order."""
    excluded = _matcher(selection.exclude)
    return [one for one in packages if _is_permitted(one, selection) and not _matches(one, excluded)]


def chosen(
    packages: Sequence[Package], selection: Selection, *, named: Collection[str] = (), builds: Iterable[Build] = ()
) -> list[Package]:
    """Do steps 2 to 4 with what is permitted, in order; `named` is what the selection's advisories name."""
    keys = {id(one): key_of(one) for one in packages}
    included = _matcher(selection.include)
    found = [
        one
        for one in packages
        if (included is None or _matches(one, included)) and (not selection.advisories or keys[id(one)] in named)
    ]
    touched = {keys[id(one)] for one in found}
    builds = [one for one in builds if not touched.isdisjoint(one.artifacts)]
    if selection.newest is not None:
        modular = {artifact for build in builds for artifact in build.artifacts}
        builds = _newest_builds(builds, selection.newest)
        plain = [one for one in found if keys[id(one)] not in modular]
        touched = {keys[id(one)] for one in _newest(plain, selection.newest)}
    return _kept(packages, touched, builds)


def completed(packages: Sequence[Package], added: Collection[str], builds: Iterable[Build]) -> list[Package]:
    """Do step 4 for packages that are kept for another reason, given by their hrefs; in order."""
    touched = {key_of(one) for one in packages if one.href in added}
    return _kept(packages, touched, [one for one in builds if not touched.isdisjoint(one.artifacts)])


def speaks_of(advisory: Advisory, wanted: Iterable[str]) -> bool:
    """Say whether an advisory is one of those wanted: by its id, its kind, or a CVE; without regard to case."""
    known = {text.casefold() for text in (advisory.id, advisory.kind, *advisory.cves) if text}
    return any(text.casefold() in known for text in wanted)


def key_of(package: Package) -> str:
    """Name a package as advisories and modules do."""
    return nevra_key(package.name, package.epoch, package.version, package.release, package.arch)


def spellings(package: Package) -> tuple[str, ...]:
    """Write a package in all the ways that a glob may mean it, as dnf does: from its name alone to its NEVRA."""
    name, version, release, arch = package.name, package.version, package.release, package.arch
    full = f"{package.epoch or '0'}:{version}-{release}"
    return (
        name,
        f"{name}.{arch}",
        f"{name}-{version}",
        f"{name}-{version}-{release}",
        f"{name}-{version}-{release}.{arch}",
        f"{name}-{full}",
        f"{name}-{full}.{arch}",
    )


def _is_permitted(package: Package, selection: Selection) -> bool:
    if package.arch in _SOURCES:
        return selection.sources
    if not selection.debug and _DEBUG.search(package.name):
        return False
    return not selection.archs or package.arch == "noarch" or package.arch in selection.archs


def _matcher(globs: Sequence[str]) -> re.Pattern[str] | None:
    return re.compile("|".join(map(translate, globs))) if globs else None


def _matches(package: Package, matcher: re.Pattern[str] | None) -> bool:
    return matcher is not None and any(map(matcher.match, spellings(package)))


def _kept(packages: Iterable[Package], touched: set[str], builds: Iterable[Build]) -> list[Package]:
    kept = touched.union(*(build.artifacts for build in builds))
    return [one for one in packages if key_of(one) in kept]


def _newest(packages: Iterable[Package], count: int) -> list[Package]:
    """Keep of each name and architecture the newest; what has the same version twice counts once."""
    groups: dict[tuple[str, str], list[Package]] = {}
    for one in packages:
        groups.setdefault((one.name, one.arch), []).append(one)
    kept: list[Package] = []
    for group in groups.values():
        versions = {(one.epoch or "0", one.version, one.release) for one in group}
        if len(versions) <= count:
            kept += group
            continue
        stay = set(sorted(versions, key=evr_key, reverse=True)[:count])
        kept += [one for one in group if (one.epoch or "0", one.version, one.release) in stay]
    return kept


def _newest_builds(builds: Iterable[Build], count: int) -> list[Build]:
    groups: dict[tuple[str, ...], list[Build]] = {}
    for one in builds:
        groups.setdefault((one.name, one.stream, one.context, one.arch), []).append(one)
    ranked = (sorted(group, key=lambda one: one.version, reverse=True) for group in groups.values())
    return [one for group in ranked for one in group[:count]]
