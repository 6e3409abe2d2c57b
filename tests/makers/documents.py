"""Documents for tests: a manifest whose parts fit together, and the targets that a plan starts from."""

import copy
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from issmedia.base.digest import Digest, digest_of
from issmedia.bundle.planning import plan_bundle
from issmedia.bundle.volume import Plan
from issmedia.model import strictjson
from issmedia.model.documents import LeftOut
from issmedia.model.judgement import Counts, Exempt, Judged, Outcome, Signer
from issmedia.model.manifest import BaseEntry, Manifest, ProductEntry, SiteName, Stored, Tool
from issmedia.model.target import Header, RepositoryTarget
from issmedia.model.tree import Entry, Tree, tree_of

Where = tuple[str | int, ...]
"""A place in a JSON document: names of fields, numbers of items."""

NOW = "2026-06-01T12:00:00Z"
SITE = SiteName("0123456789abcdef" * 2, "hq")


def header(
    *,
    destination: str | None = None,
    sequence: int = 1,
    created: str = NOW,
    expires: str | None = None,
    bases: tuple[BaseEntry, ...] = (),
) -> Header:
    """Make what a manifest says besides its content."""
    previous = None if sequence == 1 else Digest("9" * 64)
    return Header(SITE, destination, sequence, previous, created, expires, "", Tool("issmedia", "0"), bases)


def bundle_base(sequence: int) -> BaseEntry:
    """Name a bundle of the chain as what a delta starts from."""
    return BaseEntry("bundle", f"hq #{sequence}", NOW, digest_of(b"%d" % sequence), sequence, None, None)


def target(
    path: str = "p/zoo",
    files: Mapping[str, bytes] | None = None,
    *,
    keys: tuple[bytes, ...] = (),
    incomplete: tuple[LeftOut, ...] = (),
    signed_metadata: bool = False,
    bases: Sequence[Mapping[str, bytes]] = (),
) -> RepositoryTarget:
    """Make a repository of these files: path → bytes; and what it may start from, of the same form."""
    product, label = path.split("/")
    content = {"a.rpm": b"a", "d/b.rpm": b"bb"} if files is None else files
    return RepositoryTarget(
        product=ProductEntry(product, product),
        label=label,
        name=path,
        upstream="https://mirror.example.com/zoo",
        taken=NOW,
        signed_metadata=signed_metadata,
        keys=tuple(Stored(digest_of(key), len(key)) for key in keys),
        tree=tree_with(content),
        packages=len(content),
        incomplete=incomplete,
        bases=tuple(map(tree_with, bases)),
    )


def tree_with(files: Mapping[str, bytes]) -> Tree:
    """List these files: path → bytes."""
    return tree_of(Entry(name, digest_of(data), len(data)) for name, data in files.items())


def sample_plan() -> Plan:
    """Plan a bundle of two small repositories."""
    return plan_bundle(header(), (target("p/zoo"), target("q/farm", {"c.rpm": b"ccc"})))


def sample_manifest() -> Manifest:
    """Make a manifest whose parts fit together."""
    return sample_plan().manifest


def sample_outcome() -> Outcome:
    """Make an outcome with something of everything."""
    key = "A" * 40
    return Outcome(
        policy="warn",
        metadata_policy="require",
        keys=(key,),
        counts=Counts(good=2, unsigned=1),
        signers=(Signer(key, 2),),
        exceptions=(Exempt("c.rpm", "unsigned", "has no signature"),),
        metadata=Judged("good", key),
    )


def plain_manifest() -> dict[str, Any]:
    """Make the same as plain JSON, for tests to change."""
    found = json.loads(strictjson.render(sample_manifest()))
    assert isinstance(found, dict)
    return found


def places(value: Any, path: Where = ()) -> Iterator[Where]:
    """Walk every field and item of a JSON document."""
    if isinstance(value, dict):
        items: list[tuple[str | int, Any]] = list(value.items())
    else:
        items = list(enumerate(value)) if isinstance(value, list) else []
    for name, inner in items:
        yield (*path, name)
        yield from places(inner, (*path, name))


def changed(document: dict[str, Any], path: Where, value: object) -> dict[str, Any]:
    """Copy a JSON document with another value at one place; `...` leaves the field out."""
    copied = copy.deepcopy(document)
    inner: Any = copied
    for name in path[:-1]:
        inner = inner[name]
    if value is ...:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    return copied
