"""Bundles on media: planned from sizes alone, or of real bytes on several volumes, with parity if asked for."""

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from issmedia.base.digest import Digest, digest_of
from issmedia.base.events import ignore
from issmedia.bundle.laying import Describe, describe_nothing
from issmedia.bundle.loading import Media
from issmedia.bundle.planning import Draft, draft, plan_bundle
from issmedia.bundle.volume import Plan
from issmedia.depot.depot import Depot
from issmedia.model.manifest import ProductEntry, Stored
from issmedia.model.medium import Medium, parse_medium
from issmedia.model.target import Header, RepositoryTarget
from issmedia.model.tree import Entry, Tree, tree_of
from issmedia.ops import setup
from issmedia.ops.exports import complete
from tests.makers.bundles import Bundle
from tests.makers.documents import NOW, header, target

MIB = 1 << 20


@dataclass(frozen=True)
class MadeFile:
    """A file of made repodata."""

    path: str
    content: bytes


def describe(tree: Tree, parts: Sequence[Mapping[str, str]], moment: str) -> list[list[MadeFile]]:
    """Be a `Describe`: repodata of a part is one line for each of its packages, with its href."""
    return [[MadeFile("repodata/repomd.xml", _lines(part))] for part in parts]


def _lines(part: Mapping[str, str]) -> bytes:
    return "".join(f"{path} {href}\n" for path, href in sorted(part.items())).encode()


def repository(path: str, sizes: Mapping[str, int], *, packages: int | None = None) -> RepositoryTarget:
    """Make a repository of files of these sizes, whose bytes nobody has: path → bytes; a name is its digest."""
    product, label = path.split("/")
    tree = tree_of(Entry(name, digest_of(f"{name} {size}".encode()), size) for name, size in sizes.items())
    count = len(sizes) if packages is None else packages
    return RepositoryTarget(ProductEntry(product, product), label, path, None, NOW, False, (), tree, count, ())


def cut_blindly(blob: Stored, sizes: Sequence[int]) -> tuple[Digest, ...]:
    """Be a `Cut` of blobs whose bytes nobody has."""
    return tuple(digest_of(f"{blob.sha256} {number}".encode()) for number, _ in enumerate(sizes))


def media_of(*names: str, fs: str | None = None, reserve: int = 0) -> tuple[Medium, ...]:
    """Make media as they are asked for."""
    return tuple(parse_medium(name, fs=fs, reserve=reserve) for name in names)


def planned(
    targets: Iterable[RepositoryTarget],
    media: tuple[Medium, ...],
    *,
    urgent: Iterable[Digest] = (),
    split: bool = True,
    describe: Describe = describe,
    facts: Header | None = None,
) -> Plan:
    """Plan what need not be written."""
    asked = Media(media, frozenset(urgent), split)
    return plan_bundle(facts or header(), tuple(targets), media=asked, describe=describe, cut=cut_blindly)


def drafted(targets: Iterable[RepositoryTarget], media: tuple[Medium, ...], *, parity: int) -> Draft:
    """Draft a bundle with parity."""
    return draft(header(), tuple(targets), media=Media(media), describe=describe, cut=cut_blindly, parity=parity)


def paths(plan: Plan) -> list[list[str]]:
    """Give the paths on each volume."""
    return [[file.path for file in volume.files] for volume in plan.volumes]


def packages_on(plan: Plan) -> list[list[str]]:
    """Give what of each volume is a package, as PRODUCT/REPO/name."""
    found = ([path for path in own if path.endswith(".rpm")] for own in paths(plan))
    return [[path.removeprefix("repos/") for path in own] for own in found]


def random_content(count: int, size: int, *, seed: int = 1) -> dict[str, bytes]:
    """Make so many packages of `size` bytes that hold nothing twice."""
    chance = random.Random(seed)
    return {f"{seed}-{number:03}.rpm": chance.randbytes(size) for number in range(count)}


def set_of(
    root: Path,
    media: tuple[Medium, ...],
    *,
    parity: int = 0,
    facts: Header | None = None,
    keys: tuple[bytes, ...] = (),
    describe: Describe = describe_nothing,
    **repositories: Mapping[str, bytes],
) -> Bundle:
    """Plan a bundle of these repositories (label → path → bytes) of product `p`; its depot lies below `root`."""
    depot = Depot(root / "sender")
    if not depot.root.exists():
        setup.init(depot.root, name="hq", site_id="0123456789abcdef" * 2, now=NOW)
    with depot.store.writing() as writing:
        for data in (*keys, *(data for content in repositories.values() for data in content.values())):
            writing.add_bytes(data)
    targets = tuple(target(f"p/{label}", content, keys=keys) for label, content in repositories.items())
    found = draft(
        facts or header(),
        targets,
        media=Media(media),
        describe=describe,
        cut=lambda blob, sizes: _cut(depot, blob, sizes),
        parity=parity,
    )
    with depot.owned("export", now=NOW) as owned:
        plan = complete(found, owned, root / "work", workers=2, report=ignore)
    return Bundle(plan, depot.store)


def _cut(depot: Depot, blob: Stored, sizes: Sequence[int]) -> tuple[Digest, ...]:
    with depot.store.open(blob.sha256) as file:
        return tuple(digest_of(file.read(size)) for size in sizes)
