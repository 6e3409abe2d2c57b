"""The ledger: append-only; each entry carries the hash of the one before."""

import json
import sqlite3
from collections.abc import Iterator
from typing import Any

import msgspec

from issmedia.base.digest import Digest, digest_of
from issmedia.base.errors import DepotError, Problem

GENESIS = Digest("0" * 64)
"""What the first entry carries as the hash before it."""

_FIELDS = {"event", "facts", "number", "previous", "time"}

_OLDEST_FIRST = "SELECT number, entry, hash FROM ledger ORDER BY number"
_NEWEST_FIRST = "SELECT number, entry, hash FROM ledger ORDER BY number DESC"


class LedgerEntry(msgspec.Struct, frozen=True):
    """One thing that happened. `facts` is plain JSON; `previous` and `hash` chain the entries."""

    number: int
    time: str
    event: str
    facts: dict[str, Any]
    previous: Digest
    hash: Digest


class Ledger:
    """The record of what this site synced, exported, imported, published."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def append(self, event: str, facts: dict[str, Any], *, now: str) -> Digest:
        """Add an entry; its hash is the SHA-256 of its canonical JSON, the previous hash included."""
        number, previous = self.head()
        body = {"event": event, "facts": facts, "number": number + 1, "previous": previous, "time": now}
        entry = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
        digest = digest_of(entry)
        self._db.execute(
            "INSERT INTO ledger (number, entry, hash) VALUES (:number, :entry, :hash)",
            {"number": number + 1, "entry": entry, "hash": digest},
        )
        return digest

    def head(self) -> tuple[int, Digest]:
        """Give number and hash of the newest entry; 0 and `GENESIS` where there is none."""
        row = self._db.execute("SELECT number, hash FROM ledger ORDER BY number DESC LIMIT 1").fetchone()
        return (row["number"], Digest(row["hash"])) if row else (0, GENESIS)

    def hashes(self) -> dict[int, Digest]:
        """Map each entry's number → its hash."""
        return {row["number"]: Digest(row["hash"]) for row in self._db.execute("SELECT number, hash FROM ledger")}

    def entries(self) -> Iterator[LedgerEntry]:
        """Yield all entries, oldest first; `DepotError` names one that cannot be read."""
        yield from map(_entry, self._db.execute(_OLDEST_FIRST))

    def readable(self) -> Iterator[LedgerEntry]:
        """Yield the entries that can be read, oldest first; `problems` names the others."""
        for row in self._db.execute(_OLDEST_FIRST):
            if _body(row["entry"]) is not None:
                yield _entry(row)

    def newest_first(self) -> Iterator[LedgerEntry]:
        """Yield all entries, newest first; `DepotError` as for `entries`."""
        yield from map(_entry, self._db.execute(_NEWEST_FIRST))

    def newest(self, event: str) -> LedgerEntry | None:
        """Give the newest entry of an event, or None; `DepotError` as for `entries`."""
        return next((entry for entry in self.newest_first() if entry.event == event), None)

    def problems(self) -> Iterator[Problem]:
        """Find every break of the chain: a hash, a number or a link that does not fit."""
        previous, number = GENESIS, 0
        for row in self._db.execute(_OLDEST_FIRST):
            number += 1
            where = f"ledger entry {row['number']}"
            if (found := digest_of(_bytes(row["entry"]))) != row["hash"]:
                yield Problem(where, f"expected hash {row['hash']}, found {found}")
            body = _body(row["entry"]) or {"number": None, "previous": None}
            if (row["number"], body["number"], body["previous"]) != (number, row["number"], previous):
                yield Problem(where, f"does not follow the entry before it ({previous})")
            previous, number = Digest(row["hash"]), row["number"]


def _entry(row: sqlite3.Row) -> LedgerEntry:
    body = _body(row["entry"])
    if body is None:
        raise DepotError("is damaged", where=f"ledger entry {row['number']}", hint="issmedia audit")
    return LedgerEntry(
        row["number"], body["time"], body["event"], body["facts"], Digest(body["previous"]), Digest(row["hash"])
    )


def _body(entry: object) -> dict[str, Any] | None:
    """Parse an entry; None for what is none, since whoever can write the file can write anything."""
    try:
        body = json.loads(_bytes(entry))
    except (ValueError, RecursionError):
        return None
    whole = isinstance(body, dict) and body.keys() == _FIELDS and isinstance(body["facts"], dict)
    return body if whole else None


def _bytes(entry: object) -> bytes:
    return entry if isinstance(entry, bytes) else str(entry).encode()
