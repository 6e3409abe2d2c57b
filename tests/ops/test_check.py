"""check: what a site holds, taken together, and what of it would not install."""

from pathlib import Path

from issmedia.content.yum.content import YUM
from issmedia.ops.check import Broken, check
from tests.makers.repos import PackageSpec, build_repo
from tests.makers.sites import Site, connected_site


def site_of(tmp_path: Path, **packages: list[PackageSpec]) -> Site:
    """Make a site that holds these repositories of `p`."""
    repos = {name: build_repo(tmp_path / name, specs).path for name, specs in packages.items()}
    return connected_site(tmp_path / "hq", **repos)


def test_what_is_named_is_taken_together(tmp_path: Path) -> None:
    site = site_of(tmp_path, one=[PackageSpec("app", requires=("library",))], two=[PackageSpec("library")])

    together, alone = check(site.depot, YUM, ()), check(site.depot, YUM, ("p/one",))

    assert (together.repositories, together.packages, together.broken) == (("p/one", "p/two"), 2, ())
    assert alone.broken == (Broken("p/one", "app-1.0-1.noarch", ("library",)),)


def test_a_repository_that_was_never_synced_has_nothing(tmp_path: Path) -> None:
    site = site_of(tmp_path, one=[PackageSpec("app")])
    site.do("repo", "add", "p/new", tmp_path / "nowhere")

    assert check(site.depot, YUM, ()).repositories == ("p/one",)
