"""What the catalog says of trees in all its tables, and how it forgets them together."""

import sqlite3
from collections.abc import Collection

from issmedia.base.digest import Digest


class Trees:
    """Trees by digest, within one transaction: snapshots, search, and what bundles and receipts consist of."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def keep(self, kept: Collection[Digest]) -> None:
        """Forget all trees but these, among which must be what repositories stand at.

        Of a bundle or a receipt that names a forgotten tree all trees are forgotten: half a state would be taken for
        a whole one.
        """
        self._keep_snapshots(kept)
        self._keep_bundles(kept)
        self._keep_receipts(kept)
        self._keep_search(kept)

    def _keep_snapshots(self, kept: Collection[Digest]) -> None:
        found = self._db.execute("SELECT DISTINCT tree FROM snapshots")
        self._db.executemany("DELETE FROM snapshots WHERE tree = :tree", _others(found, kept))

    def _keep_bundles(self, kept: Collection[Digest]) -> None:
        found = self._db.execute("SELECT bundle, tree FROM bundle_trees").fetchall()
        gone = {row["bundle"] for row in found if row["tree"] not in kept}
        self._db.executemany("DELETE FROM bundle_trees WHERE bundle = :bundle", [{"bundle": one} for one in gone])

    def _keep_receipts(self, kept: Collection[Digest]) -> None:
        found = self._db.execute("SELECT receipt, tree FROM receipt_trees").fetchall()
        gone = {row["receipt"] for row in found if row["tree"] not in kept}
        self._db.executemany("DELETE FROM receipt_trees WHERE receipt = :receipt", [{"receipt": one} for one in gone])

    def _keep_search(self, kept: Collection[Digest]) -> None:
        found = self._db.execute("SELECT tree FROM indexed_trees UNION SELECT tree FROM tree_details")
        if not (gone := _others(found, kept)):
            return
        self._db.executemany("DELETE FROM tree_packages WHERE tree = :tree", gone)
        self._db.executemany("DELETE FROM tree_advisories WHERE tree = :tree", gone)
        self._db.executemany("DELETE FROM tree_details WHERE tree = :tree", gone)
        self._db.executemany("DELETE FROM indexed_trees WHERE tree = :tree", gone)
        self._forget_orphans()

    def _forget_orphans(self) -> None:
        """Forget packages and advisories that no tree has any more.

        For each the database looks for rows that still refer to it, so it gets indexes for the while. Only a prune
        needs them, and every sync and import would pay for them.
        """
        for statement in (
            "CREATE INDEX pruned_packages ON tree_packages (package)",
            "CREATE INDEX pruned_advisories ON tree_advisories (advisory)",
            "CREATE INDEX pruned_cves ON advisory_cves (advisory)",
            "DELETE FROM packages WHERE id NOT IN (SELECT package FROM tree_packages)",
            "DELETE FROM advisory_cves WHERE advisory NOT IN (SELECT advisory FROM tree_advisories)",
            "DELETE FROM advisories WHERE id NOT IN (SELECT advisory FROM tree_advisories)",
            "DROP INDEX pruned_packages",
            "DROP INDEX pruned_advisories",
            "DROP INDEX pruned_cves",
        ):
            self._db.execute(statement)


def _others(found: sqlite3.Cursor, kept: Collection[Digest]) -> list[dict[str, str]]:
    return [{"tree": row["tree"]} for row in found.fetchall() if row["tree"] not in kept]
