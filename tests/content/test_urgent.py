"""What goes first: packages that security advisories name, and what these need."""

from collections.abc import Callable
from pathlib import Path

import pytest

from issmedia.content.yum.dependencies import with_needed
from issmedia.content.yum.reader import Parser
from issmedia.content.yum.urgent import security_packages
from tests.makers.extras import AdvisorySpec
from tests.makers.repos import FLAT, BuiltRepo, PackageSpec, build_repo
from tests.makers.sink import MemorySink
from tests.makers.syncs import sync

Close = Callable[..., list[set[str]]]


@pytest.fixture
def close(tmp_path: Path) -> Close:
    """Close over packages of repositories: names of files without `.rpm`, and for each repository its packages."""

    def closed(wanted: list[str], *repositories: list[PackageSpec]) -> list[set[str]]:
        sink = MemorySink()
        repos = [build_repo(tmp_path / str(n), specs, layout=FLAT) for n, specs in enumerate(repositories)]
        trees = {str(n): sync(repo.path, sink).tree for n, repo in enumerate(repos)}
        asked = {**dict.fromkeys(trees, ()), "0": tuple(f"{name}.rpm" for name in wanted)}
        with Parser() as parser:
            found = with_needed(trees, sink.open, asked, parser=parser)
        return [{href.removesuffix(".noarch.rpm") for href in found[name]} for name in trees]

    return closed


def test_all_that_is_needed_comes_along_and_nothing_else(close: Close) -> None:
    specs = [
        PackageSpec("app", requires=("library",)),
        PackageSpec("library", requires=("base", "nobody-has-this", "rpmlib(Something)")),
        PackageSpec("base"),
        PackageSpec("other", requires=("base",)),
    ]

    assert close(["app-1.0-1.noarch"], specs) == [{"app-1.0-1", "library-1.0-1", "base-1.0-1"}]


def test_a_circle_ends(close: Close) -> None:
    specs = [PackageSpec("a", requires=("b",)), PackageSpec("b", requires=("a",))]

    assert close(["a-1.0-1.noarch"], specs) == [{"a-1.0-1", "b-1.0-1"}]


@pytest.mark.parametrize(
    ("required", "chosen"),
    [
        ("library", "library-3.0-1"),
        ("library = 2.0", "library-2.0-1"),
        ("library <= 2.0-1", "library-2.0-1"),
        ("library < 2.0", "library-1.0-1"),
        ("library >= 2.5", "library-3.0-1"),
        ("/usr/bin/tool", "tools-1.0-1"),
        ("virtual", "alpha-1.0-1"),
    ],
)
def test_the_newest_provider_that_fits_is_taken(close: Close, required: str, chosen: str) -> None:
    specs = [
        PackageSpec("app", requires=(required,)),
        *(PackageSpec("library", version=f"{number}.0") for number in (1, 3, 2)),
        PackageSpec("tools", files={"/usr/bin/tool": b"tool"}),
        PackageSpec("beta", version="9", provides=("virtual",)),
        PackageSpec("alpha", provides=("virtual",)),
    ]

    assert close(["app-1.0-1.noarch"], specs) == [{"app-1.0-1", chosen}]


def test_a_provider_that_is_chosen_already_serves(close: Close) -> None:
    specs = [PackageSpec("app", requires=("library",)), PackageSpec("library"), PackageSpec("library", version="2.0")]

    assert close(["app-1.0-1.noarch", "library-1.0-1.noarch"], specs) == [{"app-1.0-1", "library-1.0-1"}]


def test_repositories_help_each_other(close: Close) -> None:
    found = close(
        ["app-1.0-1.noarch"], [PackageSpec("app", requires=("base",))], [PackageSpec("base"), PackageSpec("x")]
    )

    assert found == [{"app-1.0-1"}, {"base-1.0-1"}]


def test_no_repository_is_rather_taken_from(close: Close) -> None:
    found = close(
        ["app-1.0-1.noarch"], [PackageSpec("app", requires=("x",)), PackageSpec("x", "2")], [PackageSpec("x")]
    )

    assert found == [{"app-1.0-1", "x-2-1"}, set()]


def test_packages_of_security_advisories_go_first_whatever_their_severity(tmp_path: Path) -> None:
    advisories = [
        AdvisorySpec("A-1", ("low",), severity="Low"),
        AdvisorySpec("A-2", ("critical", "low"), severity="Critical"),
        AdvisorySpec("A-3", ("fixed",), kind="bugfix", severity="Critical"),
        AdvisorySpec("A-4", ("odd",), severity="Terrible"),
        AdvisorySpec("A-5", ("important",), severity="important"),
    ]
    names = ["low", "odd", "fixed", "important", "critical", "none"]
    repo = build_repo(tmp_path, names, layout=FLAT, advisories=advisories)

    assert named(repo) == ["critical", "important", "low", "odd"]


def test_a_repository_without_advisories_has_no_security_packages(tmp_path: Path) -> None:
    assert named(build_repo(tmp_path, ["a"], layout=FLAT)) == []


def named(repo: BuiltRepo) -> list[str]:
    sink = MemorySink()
    hrefs = security_packages(sync(repo.path, sink).tree, sink.open, parser=Parser())
    return sorted(href.removesuffix("-1.0-1.noarch.rpm") for href in hrefs)
