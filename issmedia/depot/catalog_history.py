"""Which bundles this site exported and imported, and the chains they make."""

import sqlite3
from collections.abc import Set
from typing import Literal

import msgspec

from issmedia.base.digest import Digest
from issmedia.model.manifest import Manifest, chain_name
from issmedia.model.trust import ChainMark, chain_key

Direction = Literal["export", "import"]


class BundleRecord(msgspec.Struct, frozen=True):
    """A bundle that crossed; `recorded` is when this site finished with it, `destination` "" for any site."""

    id: Digest
    direction: str
    site: str
    site_name: str
    destination: str
    sequence: int
    created: str
    recorded: str
    signers: tuple[str, ...]

    @property
    def chain(self) -> str:
        """Name the bundle within its chain, for people: `hq #7` or `hq → lab #7`."""
        return chain_name(self.site_name, self.destination, self.sequence)

    @property
    def chain_key(self) -> tuple[str, str]:
        """Name its chain, as the rules of trust do."""
        return chain_key(self.site, self.destination)


class History:
    """Bundles by chain: (site id, destination) and sequence."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def record(
        self, bundle: Digest, manifest: Manifest, direction: Direction, signers: tuple[str, ...], *, now: str
    ) -> None:
        """Record a bundle as exported or imported; of one that is there already, who signed it is written anew."""
        self._db.execute(
            """
            INSERT INTO bundles
                (id, direction, site, site_name, destination, sequence, created, recorded, signers)
            VALUES
                (:id, :direction, :site, :site_name, :destination, :sequence, :created, :recorded, :signers)
            ON CONFLICT (id, direction) DO UPDATE SET signers = excluded.signers
            """,
            {
                "id": bundle,
                "direction": direction,
                "site": manifest.site.id,
                "site_name": manifest.site.name,
                "destination": manifest.destination or "",
                "sequence": manifest.sequence,
                "created": manifest.created,
                "recorded": now,
                "signers": ",".join(signers),
            },
        )
        self._db.executemany(
            """
            INSERT INTO bundle_trees (bundle, direction, repository, tree)
            VALUES (:bundle, :direction, :repository, :tree)
            ON CONFLICT DO NOTHING
            """,
            [
                {"bundle": bundle, "direction": direction, "repository": repo.path, "tree": repo.tree}
                for repo in manifest.repositories
            ],
        )

    def trees(self, bundle: Digest) -> dict[str, Digest]:
        """Map PRODUCT/REPO → tree of a bundle; empty where it is not known, or was recorded by an older issmedia."""
        found = self._db.execute(
            "SELECT DISTINCT repository, tree FROM bundle_trees WHERE bundle = :bundle", {"bundle": bundle}
        )
        return {row["repository"]: Digest(row["tree"]) for row in found}

    def known_trees(self) -> set[Digest]:
        """Give the digests of all trees that a bundle brought or took."""
        return {Digest(row["tree"]) for row in self._db.execute("SELECT DISTINCT tree FROM bundle_trees")}

    def newest(self, direction: Direction) -> list[BundleRecord]:
        """Give the newest bundle of each chain in one direction, by the names of site and destination."""
        newest = {one.chain_key: one for one in self._by_sequence(direction)}
        return sorted(newest.values(), key=lambda one: (one.site_name, one.chain_key))

    def starting_with(self, prefix: str) -> list[BundleRecord]:
        """List the bundles whose id begins with these hexadecimal digits."""
        return [one for one in self.all() if one.id.startswith(prefix.lower())]

    def find(self, bundle: Digest, direction: Direction) -> BundleRecord | None:
        """Give a bundle's record, or None."""
        found = self._db.execute(
            "SELECT * FROM bundles WHERE id = :id AND direction = :direction",
            {"id": bundle, "direction": direction},
        ).fetchone()
        return _record(found) if found else None

    def all(self) -> list[BundleRecord]:
        """List all bundles, in the order recorded."""
        return [_record(row) for row in self._db.execute("SELECT * FROM bundles ORDER BY recorded, sequence")]

    def newest_export(self, site: str, destination: str, *, before: int | None = None) -> BundleRecord | None:
        """Give the newest bundle this site exported to a destination ("" for any), or None; before a sequence."""
        found = self._db.execute(
            """
            SELECT * FROM bundles
            WHERE direction = 'export' AND site = :site AND lower(destination) = :destination
                AND (:before IS NULL OR sequence < :before)
            ORDER BY sequence DESC
            LIMIT 1
            """,
            {"site": site, "destination": destination.casefold(), "before": before},
        ).fetchone()
        return _record(found) if found else None

    def imports(self, *, revoked: Set[str] = frozenset()) -> "Imports":
        """Give the imports, but for those that only `revoked` keys (fingerprints) signed."""
        found = self._by_sequence("import")
        return Imports(tuple(one for one in found if not one.signers or not revoked >= set(one.signers)))

    def _by_sequence(self, direction: Direction) -> list[BundleRecord]:
        rows = self._db.execute(
            "SELECT * FROM bundles WHERE direction = :direction ORDER BY sequence", {"direction": direction}
        )
        return [_record(row) for row in rows]


class Imports(msgspec.Struct, frozen=True):
    """Imports that count, by sequence, and what the rules of trust ask of them."""

    records: tuple[BundleRecord, ...]

    @property
    def ids(self) -> dict[tuple[str, str, int], Digest]:
        """Map (site id, destination, sequence) → bundle id."""
        return {(*one.chain_key, one.sequence): one.id for one in self.records}

    @property
    def marks(self) -> dict[tuple[str, str], ChainMark]:
        """Give the newest bundle of each chain."""
        return {one.chain_key: ChainMark(one.sequence, one.id, one.created) for one in self.records}

    @property
    def newest_created(self) -> str:
        """Give the newest `created`, "" where there is none: the clock's floor."""
        return max((one.created for one in self.records), default="")


def _record(row: sqlite3.Row) -> BundleRecord:
    return BundleRecord(
        id=Digest(row["id"]),
        direction=row["direction"],
        site=row["site"],
        site_name=row["site_name"],
        destination=row["destination"],
        sequence=row["sequence"],
        created=row["created"],
        recorded=row["recorded"],
        signers=tuple(name for name in row["signers"].split(",") if name),
    )
