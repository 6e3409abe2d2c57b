"""rollback: names move back together, and another rollback undoes it."""

from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from issmedia.base import files
from issmedia.base.digest import digest_of
from issmedia.base.errors import DepotError, IssmediaError, UsageError
from issmedia.base.events import ignore
from issmedia.ops.audit import audit
from issmedia.ops.rollback import plan_rollback
from tests.makers.crash import quick_directory
from tests.makers.documents import NOW
from tests.makers.history import Lab, lab_at
from tests.makers.repos import PackageSpec, build_repo
from tests.makers.sites import Site, connected_site

STATES = st.dictionaries(st.sampled_from(["farm", "ranch", "zoo"]), st.sampled_from(["1", "2", "3"]), min_size=1)


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    """A site that imported two bundles: the second changed p/zoo and p/farm and brought p/new."""
    made = lab_at(tmp_path)
    made.bring(zoo="1", farm="1", still="s")
    made.bring(zoo="2", farm="2", still="s", new="n")
    return made


def facts(lab: Lab) -> tuple[object, ...]:
    """Everything a rollback may change."""
    return lab.names(), lab.seen(), lab.entries()


def blob(lab: Lab, content: str) -> Path:
    """Find the blob of a package."""
    return Path(lab.depot.store.path(digest_of(content.encode())))


@settings(max_examples=15)
@given(st.lists(STATES, max_size=3), STATES)
def test_a_rollback_undoes_an_import_and_a_rollback_undoes_that(
    before: list[dict[str, str]], new: dict[str, str]
) -> None:
    with quick_directory() as root:
        lab = lab_at(root)
        for state in before:
            lab.bring(**state)
        old = (lab.names(), lab.seen())
        lab.bring(**new)
        imported = (lab.names(), lab.seen())
        assume(old != imported)
        found = []

        for _ in range(3):
            lab.back()
            found.append((lab.names(), lab.seen()))

    assert found == [old, imported, old]


def test_what_one_import_moved_is_moved_back_together(tmp_path: Path) -> None:
    lab = lab_at(tmp_path)
    lab.bring(zoo="1", farm="1", still="s")
    before = (lab.names(), lab.seen())
    lab.bring(zoo="2", farm="2", still="s", new="n")

    done = lab.back()

    assert before == (lab.names(), lab.seen())
    assert [one.repository for one in done.moved] == ["p/farm", "p/new", "p/zoo"]
    assert [(one.event, one.number) for one in done.undoes] == [("import", lab.entries()[-4].number)]


def test_a_repository_that_was_new_has_no_snapshot_and_is_published_no_more(lab: Lab) -> None:
    lab.back()

    assert "p/new" not in lab.names()
    assert not (lab.depot.published / "p/new").exists()
    assert "p:new" not in (lab.depot.published / "issmedia.repo").read_text()


def test_the_ledger_tells_what_moved_and_what_that_undoes(lab: Lab) -> None:
    before = lab.names()
    imported = next(one for one in reversed(lab.entries()) if one.event == "import")

    lab.back("p/zoo")

    entry = next(one for one in reversed(lab.entries()) if one.event == "rollback")
    assert entry.facts == {
        "moved": [{"repository": "p/zoo", "old": before["p/zoo"], "new": lab.names()["p/zoo"]}],
        "of": [imported.number],
        "publish": True,
    }


def test_named_repositories_go_back_alone_each_before_its_own_newest_move(lab: Lab) -> None:
    before = lab.names()
    lab.bring(farm="3")

    done = lab.back("p/zoo", "p/farm")

    assert {**before, "p/zoo": lab.names()["p/zoo"]} == lab.names()
    assert (len(done.undoes), lab.seen()["p/zoo/a.rpm"], lab.seen()["p/farm/a.rpm"]) == (2, b"1", b"2")


def test_a_second_rollback_says_that_it_undoes_the_first(lab: Lab) -> None:
    before = (lab.names(), lab.seen())
    lab.back()

    done = lab.back()

    assert before == (lab.names(), lab.seen())
    assert [one.event for one in done.undoes] == ["rollback"]


def test_a_snapshot_is_chosen_by_its_number(lab: Lab) -> None:
    lab.bring(zoo="3")

    lab.back("p/zoo", to=1)
    found = [lab.seen()["p/zoo/a.rpm"]]
    lab.back("p/zoo", to=3)

    assert [*found, lab.seen()["p/zoo/a.rpm"]] == [b"1", b"3"]


def test_a_repository_that_stands_at_the_snapshot_already_is_left_there(lab: Lab) -> None:
    before = facts(lab)

    done = lab.back("p/zoo", to=2)

    assert (done.moved, facts(lab)) == ((), before)


@pytest.mark.parametrize(
    ("what", "to", "message"),
    [
        (("p/none",), None, "no repository p/none"),
        (("p/zoo",), 3, "p/zoo has 2 snapshots, not 3"),
        (("p/zoo", "p/farm"), 1, "exactly one repository"),
        ((), 1, "exactly one repository"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_changed(
    lab: Lab, what: tuple[str, ...], to: int | None, message: str
) -> None:
    before = facts(lab)

    with pytest.raises(UsageError, match=message):
        lab.back(*what, to=to)

    assert before == facts(lab)


def test_a_site_where_nothing_moved_has_nothing_to_go_back_to(tmp_path: Path) -> None:
    lab = lab_at(tmp_path)

    with pytest.raises(UsageError, match="no move that could be undone"):
        lab.back()


@pytest.mark.parametrize("lost", ["blob", "listing", "snapshot"])
def test_a_tree_that_is_not_whole_any_more_is_refused_by_name(lab: Lab, lost: str) -> None:
    with lab.depot.catalog.reading() as db:
        old = db.names.snapshots("p/zoo")[0].tree
    if lost == "snapshot":
        with lab.depot.catalog.changing() as session:
            session.trees.keep(set(lab.names().values()))
    else:
        files.unlink(blob(lab, "1") if lost == "blob" else lab.depot.store.path(old))
    before = facts(lab)

    with pytest.raises(DepotError, match="not all here any more") as caught:
        lab.back("p/zoo")

    assert before == facts(lab)
    (problem,) = caught.value.problems
    assert problem.where == "p/zoo"
    assert (digest_of(b"1") if lost == "blob" else old) in problem.message


def test_one_tree_that_is_not_whole_keeps_all_where_they_are(lab: Lab) -> None:
    lab.bring(zoo="4", farm="5")
    files.unlink(lab.depot.store.path(digest_of(b"2")))
    before = facts(lab)

    with pytest.raises(IssmediaError) as caught:
        lab.back()

    assert {one.where for one in caught.value.problems} == {"p/farm", "p/zoo"}
    assert before == facts(lab)


def test_the_same_bundle_again_moves_forward_again(tmp_path: Path) -> None:
    lab = lab_at(tmp_path)
    lab.bring(zoo="1")
    stick = lab.bring(zoo="2")
    before = (lab.names(), lab.seen())
    lab.back()

    done = lab.take(stick)

    assert before == (lab.names(), lab.seen())
    assert (done.again, [one.repository for one in done.moved], done.added) == (True, ["p/zoo"], 0)


def test_a_rollback_that_died_before_it_was_published_is_finished_by_the_same_command(lab: Lab) -> None:
    lab.back(dies=True)
    moved = lab.names()

    done = lab.back()

    assert (done.moved, [one.event for one in done.finishes], moved) == ((), ["rollback"], lab.names())
    assert lab.seen()["p/zoo/a.rpm"] == b"1"


def test_a_rollback_that_was_not_to_be_published_is_undone_by_the_next(lab: Lab) -> None:
    before = (lab.names(), lab.seen())
    lab.back(shows=False)

    lab.back()

    assert before == (lab.names(), lab.seen())


def test_a_removed_repository_is_left_out(lab: Lab) -> None:
    with lab.depot.catalog.changing() as db:
        db.names.remove_repository("p/new")

    done = lab.back()

    assert [one.repository for one in done.moved] == ["p/farm", "p/zoo"]


def test_the_plan_changes_nothing(lab: Lab) -> None:
    before = facts(lab)

    said = plan_rollback(lab.depot)

    assert before == facts(lab)
    assert said == lab.back()


def test_the_audit_finds_the_ledger_and_the_names_agree(lab: Lab) -> None:
    lab.back()

    with lab.depot.owned("audit", now=NOW) as owned:
        found = audit(owned, now=NOW, workers=1, report=ignore)

    assert found.problems == ()


def test_a_ledger_whose_facts_are_of_another_shape_moves_nothing(lab: Lab) -> None:
    with lab.depot.catalog.changing() as db:
        for moved in (1, [1], [{"repository": 2}], [{"repository": "p/zoo", "old": [], "new": "x"}]):
            db.ledger.append("import", {"moved": moved}, now=NOW)

    assert len(plan_rollback(lab.depot).moved) == 3


def test_a_sync_is_undone_too(tmp_path: Path) -> None:
    upstream = tmp_path / "zoo"
    build_repo(upstream, [PackageSpec("app", "1")])
    hq = connected_site(tmp_path / "hq", zoo=upstream)
    before = hq.trees()
    build_repo(upstream, [PackageSpec("app", "2")])
    hq.do("sync")

    hq.do("rollback")
    found = [hq.trees()]
    _sync_again(hq)
    found.append(hq.trees())

    assert found[0] == before != found[1]


def _sync_again(site: Site) -> None:
    synced = site.do("sync", "--json").document["repositories"]
    assert [one["changed"] for one in synced] == [True]
