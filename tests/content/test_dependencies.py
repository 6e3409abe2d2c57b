"""What would not install, and what is taken with a selection."""

from pathlib import Path

import pytest

from issmedia.content.yum.content import YUM
from issmedia.content.yum.parsed import Related, Relation
from issmedia.content.yum.solving import Pool
from tests.makers.repos import PackageSpec, build_repo
from tests.makers.sink import MemorySink
from tests.makers.syncs import sync


def related(name: str, *requires: str, provides: tuple[str, ...] = (), arch: str = "x86_64") -> Related:
    """Describe a package that provides its own name."""
    return Related(
        href=f"{name}.{arch}",
        name=name,
        epoch="0",
        version="1",
        release="1",
        arch=arch,
        checksum=name,
        requires=tuple(map(relation, requires)),
        provides=tuple(map(relation, (name, *provides))),
        files=(),
    )


def relation(text: str) -> Relation:
    """Write a relation without a version."""
    return text, "", "", "", ""


def pool(*repositories: list[Related]) -> Pool:
    """Fill a pool."""
    made = Pool()
    for number, packages in enumerate(repositories):
        made.add(number, packages, where="primary")
    return made


def broken(*packages: Related) -> dict[str, tuple[str, ...]]:
    """Give what would not install."""
    return {href: lacking for (_, href), lacking in pool(list(packages)).unmet().items()}


def unmet(tmp_path: Path, *repositories: list[PackageSpec]) -> list[dict[str, tuple[str, ...]]]:
    """Build repositories, and check them together."""
    sink = MemorySink()
    repos = [build_repo(tmp_path / str(number), specs) for number, specs in enumerate(repositories)]
    trees = [sync(repo.path, sink).tree for repo in repos]
    return [{one.package: one.requires for one in found} for found in YUM.check(trees, sink.open)]


def test_what_nobody_provides_is_named_and_who_needs_the_package_that_lacks_it(tmp_path: Path) -> None:
    packages = [
        PackageSpec("top", requires=("app",)),
        PackageSpec("app", requires=("library >= 2.0", "gone")),
        PackageSpec("library", version="1.0"),
        PackageSpec("fine", requires=("library",)),
    ]

    (found,) = unmet(tmp_path, packages)

    assert found == {"top-1.0-1.noarch": ("app",), "app-1.0-1.noarch": ("gone", "library >= 2.0")}


def test_repositories_are_taken_together(tmp_path: Path) -> None:
    found = unmet(tmp_path, [PackageSpec("app", requires=("library",))], [PackageSpec("library", requires=("app",))])

    assert found == [{}, {}]


def test_a_file_that_only_filelists_name_is_found(tmp_path: Path) -> None:
    packages = [
        PackageSpec("app", requires=("/usr/share/a&b/data", "/usr/share/a&b/none")),
        PackageSpec("data", files={"/usr/share/a&b/data": b"data"}),
    ]

    (found,) = unmet(tmp_path, packages)

    assert found == {"app-1.0-1.noarch": ("/usr/share/a&b/none",)}


def test_sources_and_rpms_own_features_are_passed_over() -> None:
    assert broken(related("a", "rpmlib(X)"), related("b", "compiler", arch="src")) == {}


@pytest.mark.parametrize(
    ("required", "met"),
    [
        ("(a or gone)", True),
        ("(a and gone)", False),
        ("(gone if a)", True),
        ("(gone if app)", False),
        ("(a with virtual)", True),
        ("(b with virtual)", False),
        ("(a", False),
        ("(" * 10_000 + "a" + ")" * 10_000, False),
        ("(" + " or ".join(["a"] * 20_000) + ")", False),
    ],
)
def test_rich_requirements_are_read_within_bounds(required: str, met: bool) -> None:
    found = broken(related("app", required), related("a", provides=("virtual",)), related("b"))

    assert (found == {}) == met


def test_a_package_of_another_processor_provides_nothing() -> None:
    packages = [related("app", "library"), related("library", arch="aarch64"), related("tool", arch="aarch64")]

    assert broken(*packages) == {"app.x86_64": ("library",)}


def test_the_packages_of_32_bits_use_those_of_64() -> None:
    assert broken(related("app", "shell", arch="i686"), related("shell")) == {}


def test_hostile_names_are_made_safe(tmp_path: Path) -> None:
    (found,) = unmet(tmp_path, [PackageSpec("app", requires=("evil\u202e",))])

    assert found["app-1.0-1.noarch"][0].isprintable()


def test_a_provider_that_is_chosen_already_serves() -> None:
    made = pool([related("app", "virtual"), related("a", provides=("virtual",)), related("z", provides=("virtual",))])

    assert made.closed([(0, "app.x86_64"), (0, "z.x86_64")]) == {(0, "app.x86_64"), (0, "z.x86_64")}


def test_what_cannot_be_installed_whole_brings_what_there_is() -> None:
    made = pool([related("app", "gone", "library"), related("library", "base"), related("base")])

    assert made.closed([(0, "app.x86_64")]) == {(0, f"{name}.x86_64") for name in ("app", "library", "base")}


def test_of_two_architectures_ones_own_is_taken() -> None:
    made = pool([related("app", "library"), related("library", arch="i686"), related("library")])

    assert made.closed([(0, "app.x86_64")]) == {(0, "app.x86_64"), (0, "library.x86_64")}
