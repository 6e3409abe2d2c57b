"""issmedia rollback and prune: what moves, what goes, and what is only said."""

import re
from pathlib import Path

import pytest

from tests.makers.bundles import content_of
from tests.makers.programs import run
from tests.makers.repos import FLAT, PackageSpec, build_repo
from tests.makers.sites import Site, connected_site, disconnected_site


@pytest.fixture(scope="module")
def crossed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The depot of a site that imported p/zoo in four versions; p/farm was new with the last. Nobody changes it."""
    root = tmp_path_factory.mktemp("crossed")
    release(root / "zoo", "1")
    hq = connected_site(root / "hq", zoo=root / "zoo")
    lab = disconnected_site(root / "lab", hq)
    lab.do("publish", "--base-url", "http://repos.example/")
    for version in ("1", "2", "3", "4"):
        release(root / "zoo", version)
        if version == "4":
            hq.do("repo", "add", "p/farm", release(root / "farm", "1"))
        hq.do("sync")
        hq.do("export", "--full", "--to", root / f"stick-{version}")
        lab.do("import", root / f"stick-{version}")
    return lab.root


@pytest.fixture
def lab(crossed: Path, tmp_path: Path) -> Site:
    """A copy of it."""
    run("cp", "-a", crossed, tmp_path)  # hard links stay hard links
    return Site(tmp_path / "lab")


def release(path: Path, version: str) -> Path:
    """Make an upstream of one package of this version."""
    return build_repo(path, [PackageSpec(f"{path.name}-app", version)], layout=FLAT).path


def version_seen(site: Site) -> str:
    """Say which version of p/zoo's package clients see."""
    (found,) = (site.root / "published/p/zoo").glob("*.rpm")
    return found.name.split("-")[2]


def test_a_rollback_says_what_moved_what_that_undoes_and_what_clients_see(lab: Site) -> None:
    said = lab.do("rollback").out

    assert re.search(r"p/zoo: moved from tree [0-9a-f]{16} to tree [0-9a-f]{16}\n", said)
    assert re.search(r"p/farm: moved from tree [0-9a-f]{16} to no snapshot\n", said)
    assert re.search(r"this undoes the import of 20\S+Z \(ledger entry [0-9]+\)\n", said)
    assert f"clients now see 1 repository in {lab.root}/published\n" in said
    assert version_seen(lab) == "3"


def test_a_second_rollback_undoes_the_first_and_says_so(lab: Site) -> None:
    before = (lab.trees(), content_of(lab.root / "published"))
    lab.do("rollback")

    said = lab.do("rollback").out

    assert before == (lab.trees(), content_of(lab.root / "published"))
    assert "p/farm: moved from nothing to tree " in said
    assert "this undoes the rollback of " in said


def test_a_number_of_repo_show_is_what_to_takes(lab: Site) -> None:
    shown = lab.do("repo", "show", "p/zoo").out
    (line,) = (line for line in shown.splitlines() if line.startswith("2 "))

    said = lab.do("rollback", "p/zoo", "--to", "2").out

    assert line.split()[2] in said
    assert version_seen(lab) == "2"


def test_a_rollback_to_where_it_stands_says_so(lab: Site) -> None:
    before = lab.state()

    said = lab.do("rollback", "p/zoo", "--to", "4").out

    assert said.startswith("p/zoo: stands there already\nclients see, as before, 2 repositories")
    assert before == lab.state()


def test_a_dry_run_of_a_rollback_says_what_would_move_and_changes_nothing(lab: Site) -> None:
    before = lab.state()

    said = lab.do("rollback", "--dry-run").out
    answered = lab.do("rollback", "--dry-run", "--json").document

    assert before == lab.state()
    assert "p/zoo: would be moved from tree " in said
    assert (answered["dry_run"], answered["published"]) == (True, None)
    assert answered["rollback"] == lab.do("rollback", "--json").document["rollback"]


def test_without_publishing_clients_see_what_they_saw(lab: Site) -> None:
    lab.do("rollback", "--no-publish")
    before = version_seen(lab)

    lab.do("publish")

    assert (before, version_seen(lab)) == ("4", "3")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("p/none",), 2, "no repository p/none"),
        (("p/zoo", "--to", "9"), 2, "p/zoo has 4 snapshots, not 9"),
        (("--to", "1"), 2, "needs exactly one repository"),
        (("p/zoo", "--to", "0"), 2, "0 is not in the range"),
    ],
)
def test_a_rollback_that_cannot_be_is_refused(lab: Site, arguments: tuple[str, ...], code: int, message: str) -> None:
    before = lab.state()

    outcome = lab.call("rollback", *arguments)

    assert (outcome.code, lab.state()) == (code, before)
    assert message in outcome.err


def test_going_back_to_what_was_pruned_is_refused_and_named(lab: Site) -> None:
    old = lab.do("repo", "show", "p/zoo", "--json").document["snapshots"][-2]["tree"]
    lab.do("publish", "--base-url", "http://other.example/")
    lab.do("prune", "--keep", "1", "--yes")
    before = lab.state()

    outcome = lab.call("rollback", "p/zoo")

    assert (outcome.code, lab.state()) == (4, before)
    assert f"  p/zoo: no snapshot has tree {old} any more\n" in outcome.err
    assert "hint: import the bundle that brought it again" in outcome.err


def test_a_prune_without_yes_only_says_what_would_go(lab: Site) -> None:
    before = (lab.state(), content_of(lab.root / "store"))

    said = lab.do("prune", "--keep", "1").out

    assert before == (lab.state(), content_of(lab.root / "store"))
    lines = said.splitlines()
    assert lines[0].split() == ["REPOSITORY", "TAKEN", "TREE", "PACKAGES"]
    assert [line.split()[0] for line in lines[1:3]] == ["p/zoo", "p/zoo"]
    assert re.match(r"p/zoo: tree [0-9a-f]{16} of 20\S+Z stays: clients see it", lines[3])
    assert re.fullmatch(r"would go: 2 snapshots, [0-9]+ blobs, [0-9.]+ kB", lines[4])
    assert lines[5:] == ["nothing was removed: the same with --yes does it"]


def test_a_prune_removes_what_it_said(lab: Site) -> None:
    planned = lab.do("prune", "--keep", "1", "--json").document
    held = len(content_of(lab.root / "store"))

    done = lab.do("prune", "--keep", "1", "--yes", "--json").document

    assert (planned["removed"], done["removed"]) == (False, True)
    assert planned["pruned"] == done["pruned"]
    assert held - len(content_of(lab.root / "store")) == done["pruned"]["blobs"]
    assert set(done["pruned"]) == {"snapshots", "spared", "blobs", "size"}
    lab.do("audit")


def test_a_prune_says_what_it_removed_and_then_that_nothing_is_left_to(lab: Site) -> None:
    said = [lab.do("prune", "--keep", "1", "--yes").out for _ in range(2)]

    assert re.search(r"\nremoved: 2 snapshots, [0-9]+ blobs, [0-9.]+ kB\n$", said[0])
    assert said[1].splitlines()[-1] == "nothing to prune"


def test_a_dry_run_of_a_prune_removes_nothing_whatever_else_is_said(lab: Site) -> None:
    before = content_of(lab.root / "store")

    answered = lab.do("prune", "--keep", "1", "--yes", "--dry-run", "--json").document

    assert not answered["removed"]
    assert before == content_of(lab.root / "store")


def test_what_is_younger_than_so_many_days_stays(lab: Site) -> None:
    said = lab.do("prune", "--keep-days", "30", "--yes").out

    assert said == "nothing to prune\n"


def test_a_prune_wants_to_be_told_what_to_keep(lab: Site) -> None:
    outcome = lab.call("prune", "--yes")

    assert outcome.code == 2
    assert outcome.err == ("error: nothing says what to keep\nhint: issmedia prune --keep N, or --keep-days D\n")


def test_deltas_go_on_after_a_prune_at_both_sides_and_a_rollback(tmp_path: Path) -> None:
    hq = connected_site(tmp_path / "hq", zoo=release(tmp_path / "zoo", "1"))
    lab = disconnected_site(tmp_path / "lab", hq)
    for version in ("1", "2", "3"):
        release(tmp_path / "zoo", version)
        hq.do("sync")
        hq.do("export", *(["--since-last"] if version != "1" else []), "--to", tmp_path / version)
        lab.do("import", tmp_path / version)
        hq.do("prune", "--keep", "1", "--yes")
        lab.do("prune", "--keep", "1", "--yes")
    newest = lab.trees()

    lab.do("rollback")
    back = lab.trees()
    again = lab.do("import", tmp_path / "3", "--json").document["imported"]

    assert (again["again"], len(again["moved"])) == (True, 1)
    assert hq.trees() == lab.trees() == newest != back
    assert (hq.do("audit").code, lab.do("audit").code) == (0, 0)
