"""Which bundles this site exported and imported, and the chains they make."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, Select, func, insert, select, update

from issmedia.base.digest import Digest
from issmedia.depot.catalog_schema import bundles
from issmedia.model.manifest import Manifest
from issmedia.model.trust import ChainMark

Direction = Literal["export", "import"]


@dataclass(frozen=True, slots=True)
class BundleRecord:
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


class History:
    """Bundles by chain: (site id, destination) and sequence."""

    def __init__(self, db: Connection) -> None:
        self._db = db

    def record(
        self, bundle: Digest, manifest: Manifest, direction: Direction, signers: tuple[str, ...], *, now: str
    ) -> None:
        """Record a bundle as exported or imported; of one that is there already, who signed it is written anew."""
        if self.find(bundle, direction):
            known = (bundles.c.id == bundle) & (bundles.c.direction == direction)
            self._db.execute(update(bundles).where(known).values(signers=",".join(signers)))
            return
        self._db.execute(
            insert(bundles).values(
                id=bundle,
                direction=direction,
                site=manifest.site.id,
                site_name=manifest.site.name,
                destination=manifest.destination or "",
                sequence=manifest.sequence,
                created=manifest.created,
                recorded=now,
                signers=",".join(signers),
            )
        )

    def find(self, bundle: Digest, direction: Direction) -> BundleRecord | None:
        """Give a bundle's record, or None."""
        query = select(bundles).where(bundles.c.id == bundle, bundles.c.direction == direction)
        return next(self._records(query), None)

    def all(self) -> list[BundleRecord]:
        """List all bundles, in the order recorded."""
        return list(self._records(select(bundles).order_by(bundles.c.recorded, bundles.c.sequence)))

    def newest_export(self, site: str, destination: str) -> BundleRecord | None:
        """Give the newest bundle this site exported to a destination ("" for any), or None."""
        query = (
            select(bundles)
            .where(
                bundles.c.direction == "export",
                bundles.c.site == site,
                func.lower(bundles.c.destination) == destination.casefold(),
            )
            .order_by(bundles.c.sequence.desc())
            .limit(1)
        )
        return next(self._records(query), None)

    def imported(self) -> dict[tuple[str, str, int], Digest]:
        """Map (site id, destination, sequence) → bundle id over all imports."""
        found = self._records(select(bundles).where(bundles.c.direction == "import"))
        return {(one.site, one.destination.casefold(), one.sequence): one.id for one in found}

    def marks(self) -> dict[tuple[str, str], ChainMark]:
        """Give the newest imported bundle of each chain."""
        newest: dict[tuple[str, str], ChainMark] = {}
        query = select(bundles).where(bundles.c.direction == "import").order_by(bundles.c.sequence)
        for one in self._records(query):
            newest[(one.site, one.destination.casefold())] = ChainMark(one.sequence, one.id, one.created)
        return newest

    def newest_created(self) -> str:
        """Give the newest `created` among verified imports, "" where there is none: the clock's floor."""
        query = select(func.max(bundles.c.created)).where(bundles.c.direction == "import")
        return self._db.execute(query).scalar() or ""

    def _records(self, query: Select[Any]) -> Iterator[BundleRecord]:
        for row in self._db.execute(query):
            signers = tuple(name for name in row.signers.split(",") if name)
            yield BundleRecord(
                Digest(row.id),
                row.direction,
                row.site,
                row.site_name,
                row.destination,
                row.sequence,
                row.created,
                row.recorded,
                signers,
            )
