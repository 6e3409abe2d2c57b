"""The catalog: names, history, ledger and search in one database (SQLite; SQLAlchemy Core).

with catalog.changing() as db:      one transaction: all of it, or none
    db.names…, db.history…, db.ledger…, db.search…
with catalog.reading() as db:       one consistent view
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from issmedia.base import files
from issmedia.base.errors import DepotError, NoSpaceError
from issmedia.depot import catalog_schema
from issmedia.depot.catalog_history import History
from issmedia.depot.catalog_ledger import Ledger
from issmedia.depot.catalog_names import Names
from issmedia.depot.catalog_search import Search


@dataclass(frozen=True, slots=True)
class Session:
    """One transaction's view of the catalog."""

    names: Names
    history: History
    ledger: Ledger
    search: Search


class Catalog:
    """The database file. A transaction wants today's tables, which `prepare` makes: under the depot's lock."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._engine = _engine(path)

    def prepare(self) -> None:
        """Make the tables, or bring an older catalog to today's; refuse one from a newer issmedia.

        A new file gets mode 0644 whatever the umask.
        """
        with self._transaction(writes=False) as db:
            done = catalog_schema.known_version(db)
        if done == 0:
            files.make_file(self.path, 0o644)
        if done != len(catalog_schema.STEPS):
            with self._transaction(writes=True) as db:
                catalog_schema.migrate(db)

    def site_id(self) -> str:
        """Give the site's id, also of an older catalog; "" where the catalog is half made. Changes nothing."""
        if not self.path.is_file():
            return ""
        with self._transaction(writes=False) as db:
            return (catalog_schema.known_version(db) and Names(db).setting("site_id")) or ""

    @contextlib.contextmanager
    def changing(self) -> Iterator[Session]:
        """Open a transaction that is committed when the block ends well, and undone otherwise."""
        with self._transaction(writes=True) as db:
            yield _session(db)

    @contextlib.contextmanager
    def reading(self) -> Iterator[Session]:
        """Open one consistent view; nothing is changed."""
        with self._transaction(writes=False) as db:
            yield _session(db)

    def close(self) -> None:
        """Let go of the file."""
        self._engine.dispose()

    @contextlib.contextmanager
    def _transaction(self, *, writes: bool) -> Iterator[Connection]:
        try:
            with self._engine.connect() as plain:
                db = plain.execution_options(issmedia_writes=writes)
                with db.begin():
                    yield db
                    if writes:
                        files.announce("commit", self.path.name)
                if writes:
                    files.announce("commit", f"{self.path.name} done")
        except SQLAlchemyError as cause:
            raise _catalog_error(cause, self.path) from cause


def _session(db: Connection) -> Session:
    catalog_schema.require_current(db)
    return Session(Names(db), History(db), Ledger(db), Search(db))


def _engine(path: Path) -> Engine:
    engine = create_engine(f"sqlite:///{path}", poolclass=NullPool, connect_args={"timeout": 30})
    event.listen(engine, "connect", _on_connect)
    event.listen(engine, "begin", _on_begin)
    return engine


def _on_connect(connection: Any, record: object) -> None:  # noqa: ARG001
    connection.isolation_level = None
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = EXTRA")


def _on_begin(db: Connection) -> None:
    writes = db.get_execution_options().get("issmedia_writes", True)
    db.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _catalog_error(cause: SQLAlchemyError, path: Path) -> DepotError:
    text = str(cause.orig) if isinstance(cause, DBAPIError) else str(cause)
    if "full" in text:
        return NoSpaceError("the disk is full", where=str(path), hint="make room and run the same command again")
    return DepotError(f"the catalog cannot be used: {text}", where=str(path), hint="issmedia audit")
