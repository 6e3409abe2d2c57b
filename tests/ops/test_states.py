"""What an operator names as a state: every form, and what is none."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from issmedia.base.digest import Digest, digest_of
from issmedia.base.errors import FormatError, UsageError
from issmedia.model.receipt import MAX_RECEIPT, split_receipt
from issmedia.model.state import State
from issmedia.ops.states import exported_state, find_state, known_site, receipt_state, require_trees
from tests.makers.attacked import World, build_world
from tests.makers.documents import sample_manifest
from tests.makers.forge import copied
from tests.makers.sites import Site


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """`hq` exported two bundles to any site; `lab` imported the first, and `hq` accepted its receipt."""
    root = tmp_path_factory.mktemp("world")
    made = build_world(root)
    made.lab.do("keys", "generate", "release")
    made.hq.do("site", "add", "lab", "--key", made.lab.public_key)
    made.hq.do("site", "add", "silent")
    made.lab.do("receipt", "--to", root / "receipt")
    made.hq.do("receipt", "accept", root / "receipt")
    return made


@pytest.fixture
def hq(world: World, tmp_path: Path) -> Site:
    """Copy the connected site."""
    return Site(copied(world.hq.root, tmp_path / "hq"))


def bundle(volume: Path) -> str:
    """Give a bundle's id."""
    return digest_of((volume / "manifest.json").read_bytes())


def receipt(world: World) -> Digest:
    """Give the receipt's id."""
    return digest_of(split_receipt((world.older.parent / "receipt").read_bytes())[0])


def older(world: World) -> dict[str, str]:
    """Give what `lab` holds, and what the first bundle carried."""
    return world.lab.trees()


def refusal(site: Site, text: str | Path) -> UsageError:
    """Name what is no state."""
    with pytest.raises(UsageError) as caught:
        find_state(site.depot, str(text))
    return caught.value


@pytest.mark.parametrize("text", ["current", "p/zoo", "p/zoo@2"])
def test_what_is_here_now_is_named_as_current_or_by_its_repository(world: World, text: str) -> None:
    found = find_state(world.hq.depot, text)

    assert (found.name, dict(found.trees)) == (text, world.hq.trees())
    assert (found.entry.kind, found.entry.id, found.entry.sequence, found.entry.site) == ("snapshot", None, None, None)


def test_an_earlier_snapshot_is_named_by_its_number(world: World) -> None:
    assert dict(find_state(world.hq.depot, "p/zoo@1").trees) == older(world)


@pytest.mark.parametrize("digits", [8, 12, 64])
def test_a_bundle_is_named_by_the_beginning_of_its_id_in_any_case(world: World, digits: int) -> None:
    found = find_state(world.hq.depot, bundle(world.older)[:digits].upper())

    assert (found.entry.kind, found.name, found.entry.sequence) == ("bundle", "hq #1", 1)
    assert (found.entry.id, dict(found.trees)) == (bundle(world.older), older(world))


@pytest.mark.parametrize("site", ["hq", "lab"])
def test_a_bundle_is_named_by_its_path_where_it_was_exported_and_where_it_was_imported(world: World, site: str) -> None:
    found = find_state(getattr(world, site).depot, str(world.older))

    assert (found.entry.id, found.name, dict(found.trees)) == (bundle(world.older), "hq #1", older(world))


@pytest.mark.parametrize("site", ["hq", "lab"])
def test_a_receipt_is_named_by_its_file_and_its_id_where_it_was_made_and_where_it_was_accepted(
    world: World, site: str
) -> None:
    depot = getattr(world, site).depot

    found = find_state(depot, str(world.older.parent / "receipt"))

    assert found == find_state(depot, receipt(world)[:8])
    assert (found.entry.kind, found.entry.id) == ("receipt", receipt(world))
    assert (found.name, dict(found.trees)) == (f"receipt {receipt(world)[:8]} of lab", older(world))
    assert (found.entry.site, found.entry.sequence) == (world.lab.depot.site().id, None)
    assert found.entry.ledger is not None


@pytest.mark.parametrize("text", ["f" * 64, "0" * 8])
def test_an_id_that_nobody_has_is_refused_with_the_forms_there_are(world: World, text: str) -> None:
    error = refusal(world.hq, text)

    assert error.message == f"this site knows no state {text}"
    assert error.hint == (
        "name a bundle (its path or id), a receipt (its file or id), PRODUCT/REPO, PRODUCT/REPO@N or `current`"
    )


def test_a_receipt_that_was_not_accepted_is_refused_with_how_to_accept_it(world: World, tmp_path: Path) -> None:
    world.lab.do("receipt", "--to", tmp_path / "later")

    error = refusal(world.hq, tmp_path / "later")

    assert error.hint == f"issmedia receipt accept {tmp_path}/later makes this receipt known"


def test_an_id_that_two_bundles_share_is_refused(hq: Site) -> None:
    with hq.depot.catalog.changing() as db:
        for last in "ab":
            db.history.record(Digest("a" * 63 + last), sample_manifest(), "import", (), now="2026-06-01T12:00:00Z")

    assert refusal(hq, "a" * 63).message.startswith("more than one bundle or receipt begins with aaa")
    assert find_state(hq.depot, "a" * 63 + "b").entry.id == "a" * 63 + "b"


@pytest.mark.parametrize("text", ["./nothing", "zoo", "p/none", "p/none@1", "p/zoo@0", "p/zoo@x", "abcdef0", "a\x1bb"])
def test_what_is_no_name_of_a_state_is_refused(world: World, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(world.older.parent / "upstream" / "repodata")

    error = refusal(world.hq, text)

    assert error.message.startswith("no bundle, receipt or snapshot ")
    assert error.message.isprintable()


def test_a_snapshot_beyond_the_newest_is_refused_with_their_number(world: World) -> None:
    error = refusal(world.hq, "p/zoo@3")

    assert (error.message, error.hint) == ("p/zoo has 2 snapshots, not 3", "issmedia repo show p/zoo")


def test_a_repository_that_was_never_synced_is_refused(hq: Site, tmp_path: Path) -> None:
    hq.do("repo", "add", "p/new", tmp_path)

    assert refusal(hq, "p/new").hint == "issmedia sync p/new"
    assert "p/new" not in find_state(hq.depot, "current").trees


def test_a_site_with_nothing_has_no_current_state(tmp_path: Path) -> None:
    site = Site(tmp_path / "empty")
    site.do("init", "--name", "empty")

    assert refusal(site, "current").message == "no repository has a snapshot yet"


def test_a_directory_without_a_manifest_is_refused_by_name(world: World) -> None:
    with pytest.raises(FormatError, match=r"no manifest\.json here") as caught:
        find_state(world.hq.depot, str(world.older.parent))

    assert caught.value.where == str(world.older.parent)


def test_a_bundle_that_this_site_never_saw_is_refused(world: World, tmp_path: Path) -> None:
    volume = copied(world.older, tmp_path / "foreign")
    (volume / "manifest.json").write_bytes(b"{}")

    assert refusal(world.hq, volume).message == f"this site knows no state {volume}"


@pytest.mark.parametrize(
    ("data", "fault"), [(b"text", "expected one line of JSON"), (bytes(MAX_RECEIPT + 1), "is longer than 65536 bytes")]
)
def test_a_file_that_is_no_receipt_is_refused(world: World, tmp_path: Path, data: bytes, fault: str) -> None:
    (tmp_path / "file").write_bytes(data)

    with pytest.raises(FormatError, match=fault):
        find_state(world.hq.depot, str(tmp_path / "file"))


def test_the_newest_receipt_of_a_site_is_its_state(world: World) -> None:
    found = receipt_state(world.hq.depot, "LAB")

    assert found is not None
    assert (found.entry.id, receipt_state(world.hq.depot, "silent")) == (receipt(world), None)


def test_a_site_is_known_by_the_label_it_was_added_with(world: World) -> None:
    assert known_site(world.hq.depot, "Lab") == "lab"
    for ask in (known_site, receipt_state):
        with pytest.raises(UsageError, match="no site field"):
            ask(world.hq.depot, "field")


def sequence(state: State | None) -> int | None:
    """Give the place of a bundle in its chain."""
    return None if state is None else state.entry.sequence


def test_what_was_exported_last_is_told_for_each_destination(hq: Site, tmp_path: Path) -> None:
    before = exported_state(hq.depot, "lab")
    hq.do("export", "--to-site", "lab", "--to", tmp_path / "out")

    after = exported_state(hq.depot, "LAB")

    assert (before, sequence(after), sequence(exported_state(hq.depot, ""))) == (None, 1, 2)


def test_an_export_that_goes_on_starts_from_the_one_before_it(world: World) -> None:
    depot = world.hq.depot

    assert sequence(exported_state(depot, "", world.newer)) == 1
    assert sequence(exported_state(depot, "", world.older)) == 2
    assert sequence(exported_state(depot, "silent", world.newer)) is None


def test_a_state_of_which_nothing_is_known_is_no_base(world: World) -> None:
    known = find_state(world.hq.depot, "current")
    require_trees([known])

    with pytest.raises(UsageError, match="nothing here says which trees current consists of"):
        require_trees([known, replace(known, trees={})])
