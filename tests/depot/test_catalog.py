"""The catalog: its tables, its transactions, and the names in it."""

import contextlib
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from msgspec.structs import replace

from issmedia.base import files
from issmedia.base.digest import Digest
from issmedia.base.errors import DepotError, NoSpaceError, UsageError
from issmedia.depot import catalog_schema
from issmedia.depot.catalog import Catalog, Session
from issmedia.model.documents import LeftOut, Product, Repository, Snapshot
from issmedia.model.selection import Selected, Selection
from tests.makers.documents import NOW

A, B = Digest("a" * 64), Digest("b" * 64)

STEP_1 = Path(__file__).with_name("catalog-step-1.sql")
"""The first schema with something in every table; never changed once released: every later issmedia can read it.

Before the first release packages got their digest, in place.
"""


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    """An empty catalog."""
    made = Catalog(tmp_path / "catalog.sqlite")
    made.prepare()
    return made


def tables_of(path: Path) -> dict[str, str]:
    """Read how every table and index is made, whatever the white space."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        rows = db.execute("SELECT name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'").fetchall()
    return {name: " ".join(sql.split()) for name, sql in rows}


def from_sql(path: Path, text: str) -> Catalog:
    """Make a database from SQL."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        db.executescript(text)
    return Catalog(path)


def snapshot(tree: Digest, path: str = "p/zoo") -> Snapshot:
    """Make a snapshot of a tree."""
    return Snapshot(path, tree, NOW, 1, 1, 1, False, (LeftOut("a.rpm", "is missing"),))


def add_zoo(db: Session, path: str = "p/zoo") -> None:
    """Add a repository and its product."""
    product, label = path.split("/")
    db.names.add_product(Product(product, product))
    db.names.add_repository(Repository(product, label, path, "/srv", keys=(A, B)))


def test_an_empty_database_gets_todays_tables(catalog: Catalog) -> None:
    with contextlib.closing(sqlite3.connect(catalog.path)) as db:
        number = db.execute("SELECT number FROM schema_version").fetchall()

    assert number == [(len(catalog_schema.STEPS),)]


def test_preparing_again_changes_nothing(catalog: Catalog) -> None:
    before = catalog.path.read_bytes()

    Catalog(catalog.path).prepare()

    assert before == catalog.path.read_bytes()


def test_a_catalog_of_step_1_becomes_todays_and_keeps_what_it_says(tmp_path: Path, catalog: Catalog) -> None:
    old = from_sql(tmp_path / "old.sqlite", STEP_1.read_text())

    old.prepare()

    assert tables_of(old.path) == tables_of(catalog.path)
    with old.reading() as db:
        assert [one.path for one in db.names.repositories()] == ["p/zoo"]
        assert db.names.current("p/zoo") == snapshot(A)
        assert db.names.setting("site_name") == "hq"
        assert [one.id for one in db.history.all()] == [B]
        assert (db.ledger.head()[0], list(db.ledger.problems())) == (1, [])
        assert [one.nevra for one in db.search.packages("app")] == ["app-1:1.0-1.noarch"]
        assert [one.id for one in db.search.advisories("CVE-2023-0001")] == ["TEST-2023:0001"]


def test_a_catalog_of_a_newer_issmedia_is_refused_and_left_alone(catalog: Catalog) -> None:
    newer = from_sql(catalog.path, "UPDATE schema_version SET number = 99")
    before = catalog.path.read_bytes()

    with pytest.raises(DepotError, match=r"schema 99, this issmedia knows \d+"):
        newer.prepare()

    assert before == catalog.path.read_bytes()


@pytest.mark.parametrize("sql", ["DELETE FROM schema_version", "UPDATE schema_version SET number = 'x'"])
def test_a_catalog_without_a_schemas_number_is_refused(catalog: Catalog, sql: str) -> None:
    damaged = from_sql(catalog.path, sql)

    with pytest.raises(DepotError, match="schema_version is damaged") as caught:
        damaged.prepare()

    assert caught.value.hint == "restore the catalog from a backup"


STEP_2 = """
ALTER TABLE products ADD COLUMN motto VARCHAR NOT NULL DEFAULT '';
CREATE TRIGGER motto AFTER INSERT ON products BEGIN
    UPDATE products SET motto = 'a;
b' WHERE id = new.id;
END;
UPDATE products SET motto = name || '; ' || label;
"""


def test_a_later_step_changes_tables_and_what_stands_in_them(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    with catalog.changing() as db:
        db.names.add_product(Product("p", "P"))
    monkeypatch.setattr(catalog_schema, "STEPS", (*catalog_schema.STEPS, STEP_2))

    catalog.prepare()

    with catalog.changing() as db:
        db.names.add_product(Product("q", "Q"))
        mottos = db.names._db.execute("SELECT motto FROM products ORDER BY label").fetchall()
    assert [motto for (motto,) in mottos] == ["P; p", "a;\nb"]


@pytest.mark.parametrize("wrong", ["CREATE TABLE products (id INTEGER);", "UPDATE none SET x = 1;", "UPDATE products"])
def test_a_step_that_fails_leaves_the_older_catalog(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    before = tables_of(catalog.path)
    monkeypatch.setattr(catalog_schema, "STEPS", (*catalog_schema.STEPS, f"CREATE TABLE more (x);\n{wrong}"))

    with pytest.raises(DepotError, match="cannot be used"):
        catalog.prepare()

    assert before == tables_of(catalog.path)


def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "catalog.sqlite").write_bytes(b"not a database" * 100)

    with pytest.raises(DepotError, match="cannot be used") as caught:
        Catalog(tmp_path / "catalog.sqlite").prepare()

    assert caught.value.where == str(tmp_path / "catalog.sqlite")


def test_a_transaction_that_raises_leaves_nothing(catalog: Catalog) -> None:
    with pytest.raises(ValueError, match="stop"), catalog.changing() as db:
        add_zoo(db)
        db.names.set_setting("a", "b")
        db.ledger.append("sync", {}, now=NOW)
        raise ValueError("stop")

    with catalog.reading() as db:
        assert (db.names.products(), db.names.setting("a"), db.ledger.head()[0]) == ([], None, 0)


def test_a_commit_is_announced_before_and_after_and_a_view_is_not(catalog: Catalog) -> None:
    seen: list[tuple[str, str | None]] = []

    def look(kind: str, name: str) -> None:
        with catalog.reading() as db:
            seen.append((f"{kind} {name}", db.names.setting("a")))

    with files.observing(look), catalog.changing() as db:
        db.names.set_setting("a", "b")

    assert seen == [("commit catalog.sqlite", None), ("commit catalog.sqlite done", "b")]


def test_reading_makes_no_file(tmp_path: Path) -> None:
    missing = Catalog(tmp_path / "catalog.sqlite")

    with pytest.raises(DepotError, match="cannot be used: unable to open"), missing.reading():
        pass

    assert (missing.site_id(), list(tmp_path.iterdir())) == ("", [])


def test_a_catalog_may_lie_below_any_name(tmp_path: Path) -> None:
    odd = tmp_path / "50% ?mode=memory #1 \udcff"
    odd.mkdir()
    catalog = Catalog(odd / "catalog.sqlite")

    catalog.prepare()
    with catalog.changing() as db:
        db.names.set_setting("site_id", "x")

    assert ([path.name for path in odd.iterdir()], catalog.site_id()) == (["catalog.sqlite"], "x")


def test_transactions_overlap_in_threads_and_each_sees_one_state(catalog: Catalog) -> None:
    def products() -> list[Product]:
        with catalog.reading() as db:
            return db.names.products()

    with ThreadPoolExecutor(1) as pool, catalog.changing() as db:
        db.names.add_product(Product("p", "P"))
        elsewhere = pool.submit(products).result()

    assert (elsewhere, products()) == ([], [Product("p", "P")])


def test_rows_are_tied_to_what_they_name(catalog: Catalog) -> None:
    with pytest.raises(DepotError, match="FOREIGN KEY"), catalog.changing() as db:
        add_zoo(db)
        db.names._db.execute("DELETE FROM products")


def test_a_full_disk_is_said_as_such(catalog: Catalog) -> None:
    with pytest.raises(NoSpaceError), catalog.changing() as db:
        db.names._db.execute("PRAGMA max_page_count = 100")
        for number in range(1000):
            db.names.set_setting(f"key{number}", "x" * 1000)

    with catalog.reading() as db:
        assert db.names.setting("key0") is None


def test_a_reader_sees_what_was_committed_before_it_began(catalog: Catalog) -> None:
    with catalog.reading() as reader:
        before = reader.names.products()

    with catalog.changing() as db:
        db.names.add_product(Product("p", "P"))

    with catalog.reading() as reader:
        assert (before, reader.names.products()) == ([], [Product("p", "P")])


def test_products_are_sorted_and_keep_their_first_name(catalog: Catalog) -> None:
    with catalog.changing() as db:
        for label, name in (("b", "Bee"), ("a", "Ay"), ("b", "Other")):
            db.names.add_product(Product(label, name))

        assert db.names.products() == [Product("a", "Ay"), Product("b", "Bee")]


@pytest.mark.parametrize(
    ("clash", "fault"),
    [
        (lambda db: db.names.add_product(Product("P", "P")), "product P differs only in case from p"),
        (lambda db: db.names.add_repository(Repository("p", "Zoo", "x")), "p/Zoo differs only in case from p/zoo"),
    ],
)
def test_labels_that_differ_only_in_case_are_refused(
    catalog: Catalog, clash: Callable[[Session], None], fault: str
) -> None:
    with catalog.changing() as db:
        add_zoo(db)

    with pytest.raises(DepotError, match=fault), catalog.changing() as db:
        clash(db)


def test_a_repository_that_is_there_already_is_refused(catalog: Catalog) -> None:
    with catalog.changing() as db:
        add_zoo(db)

        with pytest.raises(UsageError, match="p/zoo is there already"):
            db.names.add_repository(Repository("p", "zoo", "again"))


def test_a_longer_label_that_ends_alike_is_no_clash(catalog: Catalog) -> None:
    with catalog.changing() as db:
        add_zoo(db)
        add_zoo(db, "p/a-zoo")
        add_zoo(db, "q/zoo")

        assert [one.path for one in db.names.repositories()] == ["p/a-zoo", "p/zoo", "q/zoo"]


def test_a_repository_is_changed_and_keeps_its_keys_in_order(catalog: Catalog) -> None:
    with catalog.changing() as db:
        add_zoo(db)
        db.names.update_repository(Repository("p", "zoo", "New", "/other", keys=(B, A)))

        assert db.names.repository("p/zoo") == Repository("p", "zoo", "New", "/other", keys=(B, A))


def test_a_selection_is_kept_changed_and_taken_back(catalog: Catalog) -> None:
    wanted = Selection(newest=1, include=("a*", "b"))
    with catalog.changing() as db:
        add_zoo(db, "p/zoo")
        db.names.update_repository(Repository("p", "zoo", "Zoo", selection=wanted))
        changed = db.names.repository("p/zoo")
        db.names.update_repository(Repository("p", "zoo", "Zoo"))
        back = db.names.repository("p/zoo")

    assert changed is not None
    assert back is not None
    assert (changed.selection, back.selection) == (wanted, None)


@pytest.mark.parametrize("document", [b"{", b'{"newest":0}', b'{"other":1}', "text", 7])
def test_a_damaged_selection_is_named(catalog: Catalog, tmp_path: Path, document: object) -> None:
    with catalog.changing() as db:
        add_zoo(db)
    with contextlib.closing(sqlite3.connect(tmp_path / "catalog.sqlite")) as raw, raw:
        raw.execute("UPDATE repositories SET selection = ?", (document,))

    with catalog.reading() as db, pytest.raises(DepotError, match="selection is damaged") as caught:
        db.names.repository("p/zoo")

    assert caught.value.where == "catalog.sqlite, p/zoo"


def test_only_the_current_snapshot_of_the_same_tree_is_restated(catalog: Catalog) -> None:
    other = replace(snapshot(A), selected=Selected(B, Selection(newest=1)))
    with catalog.changing() as db:
        add_zoo(db)
        db.names.add_snapshot(snapshot(A))
        db.names.add_snapshot(snapshot(B))
        db.names.restate(other)
        before = db.names.snapshots("p/zoo")
        db.names.set_current("p/zoo", A)
        db.names.restate(other)

        assert before == [snapshot(A), snapshot(B)]
        assert db.names.snapshots("p/zoo") == [other, snapshot(B)]


@pytest.mark.parametrize(
    ("what", "found"),
    [
        ([], ["p/farm", "p/zoo", "q/zoo"]),
        (["p"], ["p/farm", "p/zoo"]),
        (["q/zoo", "p/zoo"], ["p/zoo", "q/zoo"]),
        (["p", "p/zoo", "p"], ["p/farm", "p/zoo"]),
    ],
)
def test_what_is_named_is_selected_once_and_sorted(catalog: Catalog, what: list[str], found: list[str]) -> None:
    with catalog.changing() as db:
        for path in ("q/zoo", "p/zoo", "p/farm"):
            add_zoo(db, path)

        assert found == [one.path for one in db.names.select(what)]


@pytest.mark.parametrize("name", ["x", "p/x", "zoo", "P", "p/", "/zoo", "p/zoo/"])
def test_a_name_that_names_nothing_is_refused(catalog: Catalog, name: str) -> None:
    with catalog.changing() as db:
        add_zoo(db)

        with pytest.raises(UsageError, match="no product or repository"):
            db.names.select(["p", name])


def test_the_newest_snapshot_is_current_and_all_are_kept(catalog: Catalog) -> None:
    with catalog.changing() as db:
        add_zoo(db)
        before = db.names.current("p/zoo")
        db.names.add_snapshot(snapshot(A))
        db.names.add_snapshot(snapshot(B))

        assert (before, db.names.current("p/zoo")) == (None, snapshot(B))
        assert db.names.snapshots("p/zoo") == [snapshot(A), snapshot(B)]
        assert db.names.trees() == [A, B]


def test_a_removed_repository_is_forgotten_and_its_product_then_removable(catalog: Catalog) -> None:
    with catalog.changing() as db:
        add_zoo(db)
        db.names.add_snapshot(snapshot(A))
        with pytest.raises(UsageError, match="still has repositories"):
            db.names.remove_product("p")

        db.names.remove_repository("p/zoo")
        db.names.remove_product("p")

        assert (db.names.products(), db.names.repositories(), db.names.trees()) == ([], [], [])


@pytest.mark.parametrize(
    "action",
    [
        lambda names: names.remove_product("x"),
        lambda names: names.remove_repository("p/x"),
        lambda names: names.snapshots("p/x"),
        lambda names: names.set_keys("p/x", ()),
    ],
)
def test_what_is_not_there_is_said(catalog: Catalog, action: Callable[[object], None]) -> None:
    with catalog.changing() as db, pytest.raises(UsageError, match=r"no (product|repository)"):
        action(db.names)


@pytest.mark.parametrize("document", ["'{}'", "x'ff'", "'null'", "''", "5"])
def test_a_damaged_snapshot_is_an_error_of_the_depot(catalog: Catalog, document: str) -> None:
    with catalog.changing() as db:
        add_zoo(db)
        db.names.add_snapshot(snapshot(A))
    from_sql(catalog.path, f"UPDATE snapshots SET document = {document}")

    with catalog.reading() as db:
        for look in (db.names.current, db.names.snapshots):
            with pytest.raises(DepotError, match="document is damaged") as caught:
                look("p/zoo")

    assert caught.value.where == "catalog.sqlite, p/zoo"
