"""Destinations with their pinned keys, and receipts accepted and made."""

from pathlib import Path

import pytest

from issmedia.base.digest import digest_of
from issmedia.base.errors import DepotError, UsageError
from issmedia.depot.catalog import Catalog
from issmedia.model.documents import Destination, ReceiptRecord
from tests.makers.documents import NOW

LAB = Destination("lab", ("ssh-ed25519 AAAA", "ssh-ed25519 BBBB"), NOW)


def receipt(name: str, site: str | None = "lab", *, created: str = NOW, number: int = 7) -> ReceiptRecord:
    """Make a record of a receipt."""
    head = (number, digest_of(b"ledger"))
    return ReceiptRecord(digest_of(name.encode()), site, created, head, NOW, b"{}\n", {"p/zoo": digest_of(b"tree")})


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    """A catalog that knows the destination `lab`."""
    made = Catalog(tmp_path / "catalog.sqlite")
    made.prepare()
    with made.changing() as db:
        db.sites.add(LAB)
    return made


def test_a_destination_is_found_whatever_the_case(catalog: Catalog) -> None:
    with catalog.reading() as db:
        assert (db.sites.find("LAB"), db.sites.get("Lab"), db.sites.all()) == (LAB, LAB, [LAB])
        assert db.sites.find("other") is None


def test_what_is_not_known_is_named(catalog: Catalog) -> None:
    with catalog.reading() as db, pytest.raises(UsageError, match="no site other"):
        db.sites.get("other")


@pytest.mark.parametrize(("label", "error"), [("lab", UsageError), ("LAB", DepotError)])
def test_a_label_is_added_once(catalog: Catalog, label: str, error: type[Exception]) -> None:
    with catalog.changing() as db:
        with pytest.raises(error):
            db.sites.add(Destination(label, (), NOW))

        assert db.sites.all() == [LAB]


def test_keys_come_go_and_have_one_owner(catalog: Catalog) -> None:
    with catalog.changing() as db:
        db.sites.add_key("LAB", "ssh-ed25519 CCCC")
        db.sites.add_key("lab", "ssh-ed25519 AAAA")
        db.sites.remove_key("lab", "ssh-ed25519 BBBB")
        db.sites.remove_key("lab", "ssh-ed25519 BBBB")

        assert db.sites.get("lab").keys == ("ssh-ed25519 AAAA", "ssh-ed25519 CCCC")
        assert (db.sites.owner_of("ssh-ed25519 CCCC"), db.sites.owner_of("ssh-ed25519 BBBB")) == ("lab", None)


def test_a_site_id_is_remembered(catalog: Catalog) -> None:
    with catalog.changing() as db:
        db.sites.identify("lab", "f" * 32)

        assert db.sites.get("lab").site == "f" * 32


def test_a_receipt_comes_back_with_its_trees_once(catalog: Catalog) -> None:
    with catalog.changing() as db:
        db.sites.add_receipt(receipt("a", "LAB"))
        db.sites.add_receipt(receipt("a"))

        assert db.sites.receipts("lab") == [receipt("a")]
        assert db.sites.receipts() == []


def test_the_newest_receipt_is_the_one_made_last(catalog: Catalog) -> None:
    later = receipt("b", created="2026-07-01T00:00:00Z")
    with catalog.changing() as db:
        db.sites.add_receipt(later)
        db.sites.add_receipt(receipt("a"))

        assert db.sites.newest_receipt("lab") == later
        assert db.sites.newest_receipt() is None


def test_of_two_receipts_of_one_second_the_newest_is_the_one_recorded_last(catalog: Catalog) -> None:
    with catalog.changing() as db:
        db.sites.add_receipt(receipt("a", number=8))
        db.sites.add_receipt(receipt("b", number=7))

        assert db.sites.newest_receipt("lab") == receipt("b", number=7)


def test_our_own_receipts_stand_apart(catalog: Catalog) -> None:
    with catalog.changing() as db:
        db.sites.add_receipt(receipt("own", None))

        assert (db.sites.newest_receipt(), db.sites.newest_receipt("lab")) == (receipt("own", None), None)


def test_a_destination_goes_with_its_keys_and_receipts_and_nothing_else(catalog: Catalog) -> None:
    with catalog.changing() as db:
        db.sites.add(Destination("other", ("ssh-ed25519 DDDD",), NOW))
        db.sites.add_receipt(receipt("a"))
        db.sites.add_receipt(receipt("b", "other"))
        db.sites.add_receipt(receipt("own", None))

        db.sites.remove("LAB")

        assert [site.label for site in db.sites.all()] == ["other"]
        assert db.sites.owner_of("ssh-ed25519 AAAA") is None
        assert (db.sites.receipts("other"), db.sites.receipts()) == ([receipt("b", "other")], [receipt("own", None)])
        with pytest.raises(UsageError):
            db.sites.receipts("lab")
