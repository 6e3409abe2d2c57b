"""init, product, repo: names, sources, pinned keys."""

from pathlib import Path

import pytest

from issmedia.base.errors import DepotError, FormatError, UsageError
from issmedia.depot.depot import Depot, OwnedDepot
from issmedia.ops import setup
from tests.makers.documents import NOW, SITE
from tests.makers.openpgp import openpgp_key

KEY, OTHER = openpgp_key("vendor").public, openpgp_key("other").public


@pytest.fixture
def depot(tmp_path: Path) -> Depot:
    """A new depot."""
    return setup.init(tmp_path / "depot", name="hq", site_id=SITE.id, now=NOW)


def add(depot: Depot, path: str = "p/zoo", keys: tuple[bytes, ...] = ()) -> None:
    """Add a repository."""
    with depot.owned("test", now=NOW) as owned:
        setup.add_repository(owned, path, "/srv", name=None, keys=keys, now=NOW)


def change(owned: OwnedDepot, *, source: str | None = None, keys: tuple[bytes, ...] | None = None) -> tuple[str, ...]:
    """Change p/zoo and give the bytes of its keys."""
    found = setup.change_repository(owned, "p/zoo", source=source, name=None, keys=keys, now=NOW)
    return tuple(owned.store.read(key, 1 << 20).decode() for key in found.keys)


def events(depot: Depot) -> list[str]:
    """List what the ledger says."""
    with depot.catalog.reading() as db:
        return [entry.event for entry in db.ledger.entries()]


def test_a_depot_has_an_identity_and_a_first_entry(depot: Depot) -> None:
    assert depot.site() == SITE
    assert events(depot) == ["init"]
    assert {path.name for path in depot.root.iterdir()} == {
        "store",
        "catalog.sqlite",
        "keys",
        "keyring",
        "publications",
        "lock",
    }


def test_a_second_init_is_refused_and_changes_nothing(depot: Depot) -> None:
    with pytest.raises(DepotError, match="there is a depot already"):
        setup.init(depot.root, name="other", site_id="f" * 32, now=NOW)

    assert depot.site() == SITE


def test_an_init_that_was_killed_before_its_identity_is_finished_by_the_next(tmp_path: Path) -> None:
    half = Depot(tmp_path / "depot")
    half.root.mkdir()
    half.catalog.prepare()

    setup.init(half.root, name="hq", site_id=SITE.id, now=NOW)

    assert half.site() == SITE


def test_the_product_is_made_when_it_is_absent(depot: Depot) -> None:
    add(depot, "p/zoo")
    add(depot, "p/farm")

    with depot.catalog.reading() as db:
        assert [one.label for one in db.names.products()] == ["p"]
        assert [one.path for one in db.names.repositories()] == ["p/farm", "p/zoo"]


@pytest.mark.parametrize("path", ["zoo", "", "/zoo", "p/", "p/a/b", "p/..", "issmedia.repo/x", "p/zoo "])
def test_what_is_not_product_and_repository_is_refused(depot: Depot, path: str) -> None:
    with pytest.raises(UsageError):
        add(depot, path)


REFUSED = ["", "relative/dir", "ftp://host/x", "https://alice:s3cret@host/x", "https://host/x?token=1"]


@pytest.mark.parametrize("source", REFUSED)
def test_what_is_no_source_is_neither_added_nor_set(depot: Depot, source: str) -> None:
    add(depot)
    with depot.owned("test", now=NOW) as owned:
        with pytest.raises(UsageError):
            setup.add_repository(owned, "p/bad", source, name=None, keys=(), now=NOW)
        with pytest.raises(UsageError):
            change(owned, source=source)

    with depot.catalog.reading() as db:
        assert [(one.path, one.source) for one in db.names.repositories()] == [("p/zoo", "/srv")]


def test_keys_are_pinned_replaced_and_kept(depot: Depot) -> None:
    add(depot, keys=(KEY,))
    with depot.owned("test", now=NOW) as owned:
        kept = change(owned, source="/other")
        replaced = change(owned, keys=(OTHER, KEY, OTHER))

    assert kept == (KEY.decode(),)
    assert replaced == (OTHER.decode(), KEY.decode())
    assert events(depot) == ["init", "keys pinned", "keys pinned"]


@pytest.mark.parametrize(
    "key",
    [b"", b"x", KEY.replace(b"PUBLIC", b"PRIVATE"), KEY[:-40], b"junk\n" + KEY, KEY + b"junk", b"\0" * (2 << 20)],
    ids=["empty", "no armor", "private", "cut", "before", "after", "long"],
)
def test_what_is_no_armored_public_key_is_not_pinned(depot: Depot, key: bytes) -> None:
    with pytest.raises(FormatError, match="not one armored OpenPGP public key"):
        add(depot, keys=(key,))

    with depot.catalog.reading() as db:
        assert db.names.repositories() == []


def test_a_removed_repository_is_remembered_by_the_ledger(depot: Depot) -> None:
    add(depot)

    with depot.owned("test", now=NOW) as owned:
        setup.remove_repository(owned, "p/zoo", now=NOW)

    assert events(depot) == ["init", "repository removed"]
