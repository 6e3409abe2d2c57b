"""The catalog: names, history, ledger and search in one SQLite database.

with catalog.changing() as db:      one transaction: all of it, or none
    db.names…, db.history…, db.ledger…, db.search…, db.sites…, db.trees…
with catalog.reading() as db:       one consistent view
"""

import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from issmedia.base import files
from issmedia.base.errors import DepotError, NoSpaceError
from issmedia.depot import catalog_schema
from issmedia.depot.catalog_history import History
from issmedia.depot.catalog_ledger import Ledger
from issmedia.depot.catalog_names import Names

if TYPE_CHECKING:
    from issmedia.depot.catalog_search import Search
    from issmedia.depot.catalog_sites import Sites
    from issmedia.depot.catalog_trees import Trees


class Session:
    """One transaction's view of the catalog, for its thread. What a verification does not need loads late."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db
        self.names = Names(db)
        self.history = History(db)
        self.ledger = Ledger(db)

    @property
    def search(self) -> "Search":
        """Packages and advisories, searchable."""
        from issmedia.depot.catalog_search import Search

        return Search(self._db)

    @property
    def sites(self) -> "Sites":
        """The sites that bundles are made for, and receipts."""
        from issmedia.depot.catalog_sites import Sites

        return Sites(self._db)

    @property
    def trees(self) -> "Trees":
        """What is kept of trees, in all tables."""
        from issmedia.depot.catalog_trees import Trees

        return Trees(self._db)


class Catalog:
    """The database file. A transaction wants today's tables, which `prepare` makes: under the depot's lock."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._turn = threading.Lock()

    def prepare(self) -> None:
        """Make the tables, or bring an older catalog to today's; refuse one from a newer issmedia.

        A new file gets mode 0644 whatever the umask.
        """
        done = self._version() if self.path.exists() else 0
        if done == 0:
            files.make_file(self.path, 0o644)
        if done != len(catalog_schema.STEPS):
            with self._writing() as db:
                catalog_schema.migrate(db)

    def site_id(self) -> str:
        """Give the site's id, also of an older catalog; "" where the catalog is half made. Changes nothing."""
        if not self.path.is_file():
            return ""
        with self._viewing() as db:
            return (catalog_schema.known_version(db) and Names(db).setting("site_id")) or ""

    @contextlib.contextmanager
    def changing(self) -> Iterator[Session]:
        """Open a transaction that is committed when the block ends well, and undone otherwise.

        Threads of this process take turns, however long one takes.
        """
        with self._writing() as db:
            yield _session(db)

    @contextlib.contextmanager
    def reading(self) -> Iterator[Session]:
        """Open one consistent view; nothing is changed."""
        with self._viewing() as db:
            yield _session(db)

    def _version(self) -> int:
        with self._viewing() as db:
            return catalog_schema.known_version(db)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._turn, self._connected() as db:
            db.execute("BEGIN IMMEDIATE")
            with db:
                yield db
                files.announce("commit", self.path.name)
            files.announce("commit", f"{self.path.name} done")

    @contextlib.contextmanager
    def _viewing(self) -> Iterator[sqlite3.Connection]:
        with self._connected() as db:
            db.execute("BEGIN")
            with db:
                yield db

    @contextlib.contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        try:
            with contextlib.closing(_connect(self.path)) as db:
                yield db
        except sqlite3.Error as cause:
            raise _catalog_error(cause, self.path) from cause


def _session(db: sqlite3.Connection) -> Session:
    catalog_schema.require_current(db)
    return Session(db)


def _connect(path: Path) -> sqlite3.Connection:
    """Open a database that is there (`mode=rw`); with no `isolation_level`, only we begin a transaction."""
    db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=30, isolation_level=None)
    db.row_factory = sqlite3.Row
    db.execute("PRAGMA foreign_keys = ON")
    db.execute("PRAGMA synchronous = EXTRA")
    return db


def _catalog_error(cause: sqlite3.Error, path: Path) -> DepotError:
    """Say what SQLite says; an error of the module itself has no code."""
    if getattr(cause, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL:
        return NoSpaceError("the disk is full", where=str(path), hint="make room and run the same command again")
    return DepotError(f"the catalog cannot be used: {cause}", where=str(path), hint="issmedia audit")
