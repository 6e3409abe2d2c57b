"""What is asked of a repository's signatures, as the catalog keeps it."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from issmedia.base.digest import Digest
from issmedia.base.errors import DepotError
from issmedia.depot.catalog import Catalog
from issmedia.model.documents import Product, Repository, Snapshot
from issmedia.model.judgement import Counts, Exempt, Judged, Outcome, Policy

KEY = "A" * 40


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    """A catalog with p/chosen and p/plain."""
    made = Catalog(tmp_path / "catalog.sqlite")
    made.prepare()
    with made.changing() as db:
        db.names.add_product(Product("p", "p"))
        db.names.add_repository(Repository("p", "chosen", "x", "/srv", gpgcheck="warn", repo_gpgcheck="require"))
        db.names.add_repository(Repository("p", "plain", "x", "/srv"))
    return made


def policies(catalog: Catalog) -> list[tuple[Policy | None, Policy | None]]:
    """List what is kept."""
    with catalog.reading() as db:
        return [(one.gpgcheck, one.repo_gpgcheck) for one in db.names.repositories()]


def test_policies_are_kept_and_nothing_said_stays_nothing(catalog: Catalog) -> None:
    assert policies(catalog) == [("warn", "require"), (None, None)]


def test_policies_are_changed(catalog: Catalog) -> None:
    with catalog.changing() as db:
        db.names.update_repository(Repository("p", "chosen", "x", "/srv", repo_gpgcheck="off"))

    assert policies(catalog) == [(None, "off"), (None, None)]


@pytest.mark.parametrize("word", ["", "REQUIRE", "default", 1, b"require"])
def test_what_is_no_policy_is_refused(catalog: Catalog, word: object) -> None:
    with closing(sqlite3.connect(catalog.path)) as db, db:
        db.execute("UPDATE repositories SET gpgcheck = ? WHERE label = 'plain'", (word,))

    with pytest.raises(DepotError, match="a policy for signatures is damaged") as caught:
        policies(catalog)
    assert caught.value.where == "catalog.sqlite, p/plain"


def test_what_checking_gave_is_kept_with_the_snapshot(catalog: Catalog) -> None:
    exempt = (Exempt("a.rpm", "bad", "was changed"),)
    trust = Outcome("warn", "require", (KEY,), Counts(3, 1), (), exempt, Judged("good", KEY))
    snapshot = Snapshot("p/plain", Digest("1" * 64), "2027-01-01T00:00:00Z", 1, 4, 1, True, trust=trust)

    with catalog.changing() as db:
        db.names.add_snapshot(snapshot)

    with catalog.reading() as db:
        assert db.names.current("p/plain") == snapshot
