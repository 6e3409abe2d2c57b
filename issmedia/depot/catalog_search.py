"""Packages and advisories, searchable. Indexed by tree, so an unchanged repository costs nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Connection, Select, bindparam, insert, literal, or_, select

from issmedia.base.digest import Digest, digest_of
from issmedia.depot.catalog_schema import (
    advisories,
    advisory_cves,
    indexed_trees,
    packages,
    products,
    repositories,
    snapshots,
    tree_advisories,
    tree_packages,
)
from issmedia.model.package import Advisory, Inventory, Package

_ROWS = 5000
"""Rows handed to the database at a time."""


@dataclass(frozen=True, slots=True)
class FoundPackage:
    """A package of a repository's current snapshot."""

    repository: str
    nevra: str
    blob: Digest
    size: int
    summary: str


@dataclass(frozen=True, slots=True)
class FoundAdvisory:
    """An advisory of a repository's current snapshot."""

    repository: str
    id: str
    kind: str
    severity: str
    issued: str
    title: str


class Search:
    """The inventories of trees."""

    def __init__(self, db: Connection) -> None:
        self._db = db

    def has(self, tree: Digest) -> bool:
        """Say whether a tree is indexed."""
        return self._db.execute(select(indexed_trees).where(indexed_trees.c.tree == tree)).first() is not None

    def index(self, tree: Digest, inventory: Inventory) -> None:
        """Make a tree's packages and advisories searchable."""
        if self.has(tree):
            return
        self._db.execute(insert(indexed_trees).values(tree=tree))
        for start in range(0, len(inventory.packages), _ROWS):
            self._index_packages(tree, inventory.packages[start : start + _ROWS])
        for start in range(0, len(inventory.advisories), _ROWS):
            self._index_advisories(tree, inventory.advisories[start : start + _ROWS])

    def packages(self, term: str) -> list[FoundPackage]:
        """Find packages whose name or summary has `term`, sorted by name, in current snapshots."""
        like = f"%{_escaped(term)}%"
        query = _in_current(select(packages, *_PATH).select_from(packages), tree_packages, packages).where(
            or_(packages.c.name.like(like, escape="\\"), packages.c.summary.like(like, escape="\\"))
        )
        rows = self._db.execute(query.order_by(packages.c.name, packages.c.version, *_PATH))
        return [_found_package(row) for row in rows]

    def advisories(self, term: str) -> list[FoundAdvisory]:
        """Find advisories by id, title or CVE, newest first, in current snapshots."""
        like = f"%{_escaped(term)}%"
        by_cve = select(advisory_cves.c.advisory).where(advisory_cves.c.cve.like(like, escape="\\"))
        base = _in_current(select(advisories, *_PATH).select_from(advisories), tree_advisories, advisories)
        query = base.where(
            or_(
                advisories.c.advisory.like(like, escape="\\"),
                advisories.c.title.like(like, escape="\\"),
                advisories.c.id.in_(by_cve),
            )
        )
        rows = self._db.execute(query.order_by(advisories.c.issued.desc(), advisories.c.advisory, *_PATH))
        return [
            FoundAdvisory(f"{r.product}/{r.repository}", r.advisory, r.kind, r.severity, r.issued, r.title)
            for r in rows
        ]

    def _index_packages(self, tree: Digest, found: Sequence[tuple[Digest, Package]]) -> None:
        rows = [_package_row(blob, package) for blob, package in found]
        self._db.execute(insert(packages).prefix_with("OR IGNORE"), rows)
        member = select(literal(str(tree)), packages.c.id).where(packages.c.digest == bindparam("wanted"))
        statement = insert(tree_packages).prefix_with("OR IGNORE").from_select(["tree", "package"], member)
        self._db.execute(statement, [{"wanted": row["digest"]} for row in rows])

    def _index_advisories(self, tree: Digest, found: Sequence[Advisory]) -> None:
        digests = [digest_of(msgspec.json.encode(advisory)) for advisory in found]
        rows = [_advisory_row(digest, one) for digest, one in zip(digests, found, strict=True)]
        self._db.execute(insert(advisories).prefix_with("OR IGNORE"), rows)
        member = select(literal(str(tree)), advisories.c.id).where(advisories.c.digest == bindparam("wanted"))
        statement = insert(tree_advisories).prefix_with("OR IGNORE").from_select(["tree", "advisory"], member)
        self._db.execute(statement, [{"wanted": digest} for digest in digests])
        cves = [
            {"wanted": digest, "cve_id": cve} for digest, one in zip(digests, found, strict=True) for cve in one.cves
        ]
        if cves:
            named = select(bindparam("cve_id"), advisories.c.id).where(advisories.c.digest == bindparam("wanted"))
            self._db.execute(
                insert(advisory_cves).prefix_with("OR IGNORE").from_select(["cve", "advisory"], named), cves
            )


_PATH = (products.c.label.label("product"), repositories.c.label.label("repository"))


def _in_current(query: Select[Any], members: Any, things: Any) -> Select[Any]:
    column = members.c.package if "package" in members.c else members.c.advisory
    return (
        query.join(members, column == things.c.id)
        .join(snapshots, snapshots.c.tree == members.c.tree)
        .join(repositories, repositories.c.current == snapshots.c.id)
        .join(products, products.c.id == repositories.c.product)
    )


def _found_package(row: Any) -> FoundPackage:
    one = Package(row.name, row.epoch, row.version, row.release, row.arch, "", "", "", row.size, row.summary)
    return FoundPackage(f"{row.product}/{row.repository}", one.nevra, Digest(row.blob), row.size, row.summary)


def _package_row(blob: Digest, package: Package) -> dict[str, object]:
    """Key a package by all it says: what one repository claims of a blob never stands in another's listing."""
    names = ("name", "epoch", "version", "release", "arch", "size", "summary")
    row = {"blob": blob, **{name: getattr(package, name) for name in names}}
    return {"digest": digest_of(msgspec.json.encode(row)), **row}


def _advisory_row(digest: Digest, one: Advisory) -> dict[str, object]:
    return {
        "digest": digest,
        "advisory": one.id,
        "kind": one.kind,
        "severity": one.severity,
        "issued": one.issued,
        "title": one.title,
    }


def _escaped(term: str) -> str:
    return term.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
