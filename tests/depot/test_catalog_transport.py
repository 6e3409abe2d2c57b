"""How a repository is fetched, as the catalog keeps it."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from issmedia.base.errors import DepotError
from issmedia.depot.catalog import Catalog
from issmedia.model.documents import Product, Repository
from issmedia.model.transport import NOTHING_CHOSEN, Kind, Transport

CHOSEN = Transport(Kind.METALINK, (), {"releasever": "9"}, jobs=3, credentials="/etc/secret")


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    """A catalog with p/chosen and p/plain."""
    made = Catalog(tmp_path / "catalog.sqlite")
    made.prepare()
    with made.changing() as db:
        db.names.add_product(Product("p", "p"))
        db.names.add_repository(Repository("p", "chosen", "x", "https://m/", transport=CHOSEN))
        db.names.add_repository(Repository("p", "plain", "x", "/srv"))
    return made


def transports(catalog: Catalog) -> list[Transport]:
    """List what is kept."""
    with catalog.reading() as db:
        return [one.transport for one in db.names.repositories()]


def test_what_was_chosen_is_kept(catalog: Catalog) -> None:
    assert transports(catalog) == [CHOSEN, NOTHING_CHOSEN]


def test_what_was_chosen_is_changed(catalog: Catalog) -> None:
    with catalog.changing() as db:
        db.names.update_repository(Repository("p", "plain", "x", "/srv", transport=Transport(rate=1)))

    assert transports(catalog) == [CHOSEN, Transport(rate=1)]


@pytest.mark.parametrize("document", ["", "{", "[]", '{"kind":"torrent"}', '{"password":"x"}', '{"jobs":"3"}'])
def test_what_is_no_such_document_is_refused(catalog: Catalog, document: str) -> None:
    with closing(sqlite3.connect(catalog.path)) as db, db:
        db.execute("UPDATE repositories SET transport = ? WHERE label = 'plain'", (document,))

    with pytest.raises(DepotError, match="how it is fetched is damaged") as caught:
        transports(catalog)
    assert caught.value.where == "catalog.sqlite, p/plain"
