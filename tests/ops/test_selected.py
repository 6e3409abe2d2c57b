"""sync of selections: what the catalog remembers, when nothing is done, and repositories that need each other."""

from pathlib import Path

import pytest

from issmedia.model.selection import Selection
from tests.makers.repos import BuiltRepo, PackageSpec, build_repo
from tests.makers.sites import Site


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A site without repositories."""
    site = Site(tmp_path / "hq")
    site.do("init", "--name", "hq")
    return site


def synced(site: Site, *what: str) -> dict[str, tuple[bool, int]]:
    """Sync; give for each repository whether it changed, and how many packages it has."""
    found = site.do("sync", *what, "--json").document["repositories"]
    return {one["repository"]: (one["changed"], one["packages"]) for one in found}


def snapshots(site: Site, path: str) -> list[dict[str, object]]:
    """List what is known of a repository's snapshots."""
    found: list[dict[str, object]] = site.do("repo", "show", path, "--json").document["snapshots"]
    return found


def test_the_same_upstream_and_selection_leave_everything_as_it_is(site: Site, repo: BuiltRepo) -> None:
    site.do("repo", "add", "p/zoo", repo.path, "--newest", "1")
    site.do("sync")
    before = site.state()

    assert synced(site) == {"p/zoo": (False, 4)}
    assert before == site.state()


def test_another_selection_makes_another_snapshot_and_all_of_it_upstreams(site: Site, repo: BuiltRepo) -> None:
    site.do("repo", "add", "p/zoo", repo.path)

    counts = [synced(site)["p/zoo"][1]]
    site.do("repo", "set", "p/zoo", "--include", "app")
    counts.append(synced(site)["p/zoo"][1])
    site.do("repo", "set", "p/zoo", "--everything")
    counts.append(synced(site)["p/zoo"][1])

    assert counts == [5, 1, 5]
    first, second, third = snapshots(site, "p/zoo")
    assert (first["tree"], first["selected"], third["selected"]) == (third["tree"], None, None)
    assert isinstance(second["selected"], dict)
    assert second["selected"]["selection"] == {"include": ["app"]}


def test_clients_are_not_told_to_ask_for_a_signature_that_cannot_be(site: Site, signed_repo: BuiltRepo) -> None:
    site.do("repo", "add", "p/zoo", signed_repo.path, "--newest", "1")
    site.do("sync")
    site.do("publish")

    text = (site.root / "published/issmedia.repo").read_text()

    assert ("repo_gpgcheck=0" in text, "gpgcheck=1" in text) == (True, True)


def test_repositories_of_a_product_are_closed_over_each_other(site: Site, tmp_path: Path) -> None:
    repositories = {
        "apps": [PackageSpec("web", requires=("library",)), PackageSpec("unused")],
        "base": [PackageSpec("library", requires=("back",)), PackageSpec("front"), PackageSpec("other")],
        "more": [PackageSpec("back", requires=("front",)), PackageSpec("another")],
    }
    for label, specs in repositories.items():
        path = build_repo(tmp_path / label, specs).path
        wanted = "web" if label == "apps" else "nothing"
        site.do("repo", "add", f"p/{label}", path, "--include", wanted, "--with-dependencies")

    first, again = synced(site), synced(site)

    assert first == {"p/apps": (True, 1), "p/base": (True, 2), "p/more": (True, 1)}
    assert again == {"p/apps": (False, 1), "p/base": (False, 2), "p/more": (False, 1)}
    assert len(snapshots(site, "p/apps")) == 1
    assert site.do("check").out.endswith("all would install\n")


def test_a_repository_of_another_product_is_no_neighbour(site: Site, repo: BuiltRepo, tmp_path: Path) -> None:
    other = build_repo(tmp_path / "other", ["library", "base"])
    site.do("repo", "add", "old/zoo", other.path)
    site.do("repo", "add", "p/zoo", repo.path, "--include", "app", "--with-dependencies")

    assert synced(site)["p/zoo"] == (True, 3)


def test_a_neighbour_that_is_whole_provides(site: Site, repo: BuiltRepo, tmp_path: Path) -> None:
    site.do("repo", "add", "p/base", build_repo(tmp_path / "other", ["base"]).path)
    site.do("repo", "add", "p/zoo", repo.path, "--include", "app", "--with-dependencies")

    assert synced(site) == {"p/base": (True, 1), "p/zoo": (True, 2)}


def test_a_repository_keeps_its_selection_in_the_catalog(site: Site, repo: BuiltRepo) -> None:
    site.do("repo", "add", "p/zoo", repo.path, "--newest", "2", "--no-debug")
    site.do("repo", "set", "p/zoo", "--name", "Zoo", "--exclude", "a*", "--exclude", "b*")

    with site.depot.catalog.reading() as db:
        found = db.names.repository("p/zoo")

    assert found is not None
    assert found.selection == Selection(newest=2, debug=False, exclude=("a*", "b*"))
