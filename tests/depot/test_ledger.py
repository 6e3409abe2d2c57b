"""The ledger: each entry carries the hash of the one before, and tampering is found."""

import contextlib
import sqlite3
from pathlib import Path

import pytest

from issmedia.base.digest import digest_of
from issmedia.base.errors import DepotError
from issmedia.depot.catalog import Catalog
from issmedia.depot.catalog_ledger import GENESIS
from tests.makers.documents import NOW


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    """A catalog whose ledger has four entries."""
    made = Catalog(tmp_path / "catalog.sqlite")
    made.prepare()
    with made.changing() as db:
        for number in range(1, 5):
            db.ledger.append("sync", {"number": number, "name": "é"}, now=NOW)
    return made


def problems_after(catalog: Catalog, sql: str) -> list[str]:
    """Change the database behind our back, and say where the chain breaks."""
    with contextlib.closing(sqlite3.connect(catalog.path)) as tampering:
        tampering.executescript(sql)
    with catalog.reading() as db:
        return [problem.where for problem in db.ledger.problems()]


def rewritten(number: int, old: str, new: str) -> str:
    """Write the SQL that changes an entry's text."""
    return f"UPDATE ledger SET entry = CAST(replace(entry, '{old}', '{new}') AS BLOB) WHERE number = {number};"


def test_entries_are_chained_from_the_genesis(catalog: Catalog) -> None:
    with catalog.reading() as db:
        entries = list(db.ledger.entries())
        head = db.ledger.head()

    assert [one.number for one in entries] == [1, 2, 3, 4]
    assert [one.previous for one in entries] == [GENESIS, *(one.hash for one in entries[:-1])]
    assert head == (4, entries[-1].hash)
    assert (entries[0].event, entries[0].facts, entries[0].time) == ("sync", {"number": 1, "name": "é"}, NOW)


def test_a_hash_is_that_of_the_canonical_entry(catalog: Catalog) -> None:
    with catalog.reading() as db:
        first = next(db.ledger.entries())

    text = f'{{"event":"sync","facts":{{"name":"é","number":1}},"number":1,"previous":"{GENESIS}","time":"{NOW}"}}'
    assert first.hash == digest_of(text.encode())


def test_an_untouched_chain_has_no_problems(catalog: Catalog) -> None:
    assert problems_after(catalog, "") == []


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        (rewritten(2, '"sync"', '"none"'), ["ledger entry 2"]),
        ("UPDATE ledger SET hash = replace(hash, 'a', 'b') WHERE number = 2;", ["ledger entry 2", "ledger entry 3"]),
        ("DELETE FROM ledger WHERE number = 2;", ["ledger entry 3"]),
        ("DELETE FROM ledger WHERE number = 1;", ["ledger entry 2"]),
        ("UPDATE ledger SET number = 9 WHERE number = 4;", ["ledger entry 9"]),
        (rewritten(3, '"number":3,"previous"', '"number":7,"previous"'), ["ledger entry 3", "ledger entry 3"]),
        ("UPDATE ledger SET entry = x'ff' WHERE number = 2;", ["ledger entry 2", "ledger entry 2"]),
        ("UPDATE ledger SET entry = '[]' WHERE number = 2;", ["ledger entry 2", "ledger entry 2"]),
    ],
    ids=["changed", "hash", "removed", "first removed", "number", "number inside", "no text", "no entry"],
)
def test_tampering_is_found(catalog: Catalog, sql: str, found: list[str]) -> None:
    assert found == problems_after(catalog, sql)


@pytest.mark.parametrize("entry", ["x'ff'", "'[]'", "'{}'"])
def test_an_entry_that_cannot_be_read_is_named(catalog: Catalog, entry: str) -> None:
    problems_after(catalog, f"UPDATE ledger SET entry = {entry} WHERE number = 2;")

    with catalog.reading() as db, pytest.raises(DepotError) as caught:
        list(db.ledger.entries())

    assert (caught.value.where, caught.value.hint) == ("ledger entry 2", "issmedia audit")
