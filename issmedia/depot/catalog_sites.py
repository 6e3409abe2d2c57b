"""The sites that bundles are made for, and the receipts: theirs that were accepted, and our own."""

import sqlite3

from issmedia.base.digest import Digest
from issmedia.base.errors import DepotError, UsageError
from issmedia.model.documents import Destination, ReceiptRecord
from issmedia.model.names import shown


class Sites:
    """Destinations and receipts, within one transaction."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def all(self) -> list[Destination]:
        """List the destinations, sorted by label."""
        return [self._destination(row) for row in self._db.execute("SELECT * FROM sites ORDER BY label")]

    def find(self, label: str) -> Destination | None:
        """Give the destination of a label, without regard to case, or None."""
        row = self._row(label)
        return None if row is None else self._destination(row)

    def get(self, label: str) -> Destination:
        """Give the destination of a label, or raise `UsageError`."""
        return self._destination(self._known(label))

    def add(self, site: Destination) -> None:
        """Add a destination; one that is there already, or differs only in case, is refused."""
        self._refuse_clash(site.label)
        self._db.execute(
            "INSERT INTO sites (label, folded, site, added) VALUES (:label, :folded, :site, :added)",
            {"label": site.label, "folded": site.label.casefold(), "site": site.site, "added": site.added},
        )
        for key in site.keys:
            self.add_key(site.label, key)

    def add_key(self, label: str, key: str) -> None:
        """Pin a public key for a destination's receipts; one that is pinned already is fine."""
        self._db.execute(
            "INSERT INTO site_keys (site, public_key) VALUES (:site, :key) ON CONFLICT DO NOTHING",
            {"site": self._known(label)["id"], "key": key},
        )

    def owner_of(self, key: str) -> str | None:
        """Give the label of the destination that a key is pinned for, or None."""
        found = self._db.execute(
            "SELECT label FROM sites JOIN site_keys ON site_keys.site = sites.id WHERE public_key = :key", {"key": key}
        ).fetchone()
        return found["label"] if found else None

    def remove_key(self, label: str, key: str) -> None:
        """Pin a key no longer; one that is not pinned is fine."""
        self._db.execute(
            "DELETE FROM site_keys WHERE site = :site AND public_key = :key",
            {"site": self._known(label)["id"], "key": key},
        )

    def identify(self, label: str, site: str) -> None:
        """Remember a destination's site id."""
        self._db.execute("UPDATE sites SET site = :site WHERE id = :id", {"site": site, "id": self._known(label)["id"]})

    def remove(self, label: str) -> None:
        """Forget a destination, its keys and its receipts."""
        row = {"id": self._known(label)["id"]}
        self._db.execute("DELETE FROM receipt_trees WHERE receipt IN (SELECT id FROM receipts WHERE site = :id)", row)
        self._db.execute("DELETE FROM receipts WHERE site = :id", row)
        self._db.execute("DELETE FROM site_keys WHERE site = :id", row)
        self._db.execute("DELETE FROM sites WHERE id = :id", row)

    def add_receipt(self, receipt: ReceiptRecord) -> None:
        """Record a receipt with the trees it is known to name; one that is there already is fine."""
        number, head = receipt.ledger
        self._db.execute(
            """
            INSERT INTO receipts (id, site, created, ledger_number, ledger_hash, recorded, document)
            VALUES (:id, :site, :created, :number, :hash, :recorded, :document)
            ON CONFLICT (id) DO NOTHING
            """,
            {
                "id": receipt.id,
                "site": None if receipt.site is None else self._known(receipt.site)["id"],
                "created": receipt.created,
                "number": number,
                "hash": head,
                "recorded": receipt.recorded,
                "document": receipt.document,
            },
        )
        self._db.executemany(
            """
            INSERT INTO receipt_trees (receipt, repository, tree) VALUES (:receipt, :repository, :tree)
            ON CONFLICT DO NOTHING
            """,
            [{"receipt": receipt.id, "repository": path, "tree": tree} for path, tree in receipt.trees.items()],
        )

    def receipts(self, label: str | None = None) -> list[ReceiptRecord]:
        """List the receipts accepted from a destination, or made here where no label is given; oldest first.

        Of one second, in the order recorded: a site that was put back has a shorter ledger than it had.
        """
        site = None if label is None else self._known(label)
        rows = self._db.execute(
            "SELECT * FROM receipts WHERE coalesce(site, 0) = :site ORDER BY created, rowid",
            {"site": site["id"] if site else 0},
        )
        return [self._receipt(row, site) for row in rows]

    def newest_receipt(self, label: str | None = None) -> ReceiptRecord | None:
        """Give the newest receipt accepted from a destination, or made here, or None."""
        site = None if label is None else self._known(label)
        row = self._db.execute(
            "SELECT * FROM receipts WHERE coalesce(site, 0) = :site ORDER BY created DESC, rowid DESC LIMIT 1",
            {"site": site["id"] if site else 0},
        ).fetchone()
        return None if row is None else self._receipt(row, site)

    def _row(self, label: str) -> sqlite3.Row | None:
        found = self._db.execute("SELECT * FROM sites WHERE folded = :folded", {"folded": label.casefold()})
        row: sqlite3.Row | None = found.fetchone()
        return row

    def _known(self, label: str) -> sqlite3.Row:
        row = self._row(label)
        if row is None:
            raise UsageError(f"no site {shown(label)}", hint="issmedia site list; issmedia site add makes one known")
        return row

    def _refuse_clash(self, label: str) -> None:
        found = self._row(label)
        if found is not None and found["label"] == label:
            raise UsageError(
                f"site {label} is there already", hint=f"to pin one more key: issmedia site add {label} --key"
            )
        if found is not None:
            raise DepotError(
                f"site {label} differs only in case from {found['label']}",
                hint="labels are unique without regard to case; choose another, or use the one that is there",
            )

    def _destination(self, row: sqlite3.Row) -> Destination:
        keys = self._db.execute(
            "SELECT public_key FROM site_keys WHERE site = :site ORDER BY public_key", {"site": row["id"]}
        )
        return Destination(row["label"], tuple(key["public_key"] for key in keys), row["added"], row["site"])

    def _receipt(self, row: sqlite3.Row, site: sqlite3.Row | None) -> ReceiptRecord:
        found = self._db.execute(
            "SELECT repository, tree FROM receipt_trees WHERE receipt = :receipt ORDER BY repository",
            {"receipt": row["id"]},
        )
        trees = {one["repository"]: Digest(one["tree"]) for one in found}
        ledger = (row["ledger_number"], Digest(row["ledger_hash"]))
        label = None if site is None else site["label"]
        return ReceiptRecord(Digest(row["id"]), label, row["created"], ledger, row["recorded"], row["document"], trees)
