"""Which packages a selection chooses."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from issmedia.model.evr import compare_evr
from issmedia.model.package import Advisory, Package
from issmedia.model.selection import Build, Selection, chosen, completed, key_of, permitted, speaks_of, spellings


def package(name: str, version: str = "1.0", release: str = "1", arch: str = "x86_64", epoch: str = "0") -> Package:
    """Make a package."""
    href = f"{name}-{epoch}-{version}-{release}.{arch}.rpm"
    return Package(name, epoch, version, release, arch, href, "sha256", "0" * 64, 1, "")


def select(packages: Sequence[Package], selection: Selection, builds: Sequence[Build] = ()) -> list[str]:
    """Give the hrefs, without their ends, of what is chosen."""
    found = chosen(permitted(packages, selection), selection, builds=builds)
    return [one.href.removesuffix(".x86_64.rpm") for one in found]


def build(stream: str, version: int, *artifacts: Package) -> Build:
    """Make a build of the module `node`."""
    return Build("node", stream, version, "c0ffee", "x86_64", tuple(map(key_of, artifacts)))


def test_the_newest_of_each_name_and_architecture_stay_by_rpms_order() -> None:
    packages = [
        package("a", "1.9"),
        package("a", "1.10"),
        package("a", "1.10", arch="i686"),
        package("a", "1.10~rc1"),
        package("b", "9"),
        package("b", "1", epoch="1"),
    ]

    assert select(packages, Selection(newest=1)) == ["a-0-1.10-1", "a-0-1.10-1.i686.rpm", "b-1-1-1"]
    assert select(packages, Selection(newest=2)) == [
        "a-0-1.10-1", "a-0-1.10-1.i686.rpm", "a-0-1.10~rc1-1", "b-0-9-1", "b-1-1-1",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("glob", "matches"),
    [
        ("kernel", True),
        ("kern*", True),
        ("kernel.x86_64", True),
        ("kernel-5.14.0", True),
        ("kernel-5.14.0-70", True),
        ("kernel-5.14.0-70.x86_64", True),
        ("kernel-2:5.14.0-70.x86_64", True),
        ("*.x86_64", True),
        ("kern", False),
        ("KERNEL", False),
        ("kernel-0:5.14.0-70.x86_64", False),
        ("kernel-5.1", False),
    ],
)
def test_a_glob_means_a_name_or_a_nevra(glob: str, matches: bool) -> None:
    packages = [package("kernel", "5.14.0", "70", epoch="2")]

    assert bool(select(packages, Selection(include=(glob,)))) == matches
    assert bool(select(packages, Selection(exclude=(glob,)))) != matches


def test_an_architecture_comes_with_noarch_and_says_nothing_of_sources() -> None:
    packages = [package("a", arch=arch) for arch in ("x86_64", "i686", "noarch", "src", "nosrc")]

    found = permitted(packages, Selection(archs=("x86_64",)))

    assert [one.arch for one in found] == ["x86_64", "noarch", "src", "nosrc"]
    assert [one.arch for one in permitted(found, Selection(sources=False))] == ["x86_64", "noarch"]


def test_debug_packages_go_and_what_only_sounds_like_them_stays() -> None:
    names = ("kernel-debug", "a-debuginfo", "a-debugsource", "glibc-debuginfo-common", "debuginfo-tool")

    found = permitted(map(package, names), Selection(debug=False))

    assert [one.name for one in found] == ["kernel-debug", "debuginfo-tool"]


def test_advisories_choose_what_they_name() -> None:
    one, other = package("a"), package("b")

    found = chosen([one, other], Selection(advisories=("security",)), named={key_of(other)})

    assert found == [other]


@pytest.mark.parametrize(
    ("wanted", "speaks"),
    [("security", True), ("CVE-2024-1", True), ("cve-2024-1", True), ("A:1", True), ("bugfix", False), ("", False)],
)
def test_an_advisory_is_known_by_id_kind_and_cve(wanted: str, speaks: bool) -> None:
    advisory = Advisory("A:1", "security", "Low", "", "", ("CVE-2024-1",))

    assert speaks_of(advisory, (wanted,)) == speaks


def test_a_stream_of_which_a_package_is_chosen_is_whole() -> None:
    packages = [package("node"), package("npm"), package("else")]

    found = select(packages, Selection(include=("node",)), builds=[build("18", 1, *packages[:2])])

    assert found == ["node-0-1.0-1", "npm-0-1.0-1"]


def test_what_is_excluded_stays_out_of_a_stream() -> None:
    packages = [package("node"), package("npm")]

    found = select(packages, Selection(exclude=("npm",)), builds=[build("18", 1, *packages)])

    assert found == ["node-0-1.0-1"]


def test_of_each_stream_the_newest_build_stays_whole_though_a_package_of_it_is_older() -> None:
    old, new, other = package("node", "18.1"), package("node", "18.2"), package("node", "20.0")
    gone, back, same = package("npm", "2"), package("npm", "1"), package("docs")
    builds = [build("18", 1, old, gone, same), build("18", 2, new, back, same), build("20", 1, other)]

    found = select([old, new, other, gone, back, same], Selection(newest=1), builds=builds)

    assert found == ["node-0-18.2-1", "node-0-20.0-1", "npm-0-1-1", "docs-0-1.0-1"]


def test_what_is_added_later_brings_its_stream() -> None:
    packages = [package("node"), package("npm"), package("else")]

    found = completed(packages, {packages[1].href}, [build("18", 1, *packages[:2])])

    assert [one.name for one in found] == ["node", "npm"]


PACKAGES = st.lists(
    st.builds(
        package,
        st.sampled_from(["a", "b", "a-debuginfo"]),
        st.sampled_from(["1", "1.1", "2", "2~1"]),
        st.sampled_from(["1", "2"]),
        st.sampled_from(["x86_64", "noarch", "src"]),
        st.sampled_from(["0", "1"]),
    ),
    unique_by=lambda one: one.href,
)
SELECTIONS = st.builds(
    Selection,
    newest=st.none() | st.integers(1, 3),
    archs=st.sampled_from([(), ("x86_64",)]),
    include=st.sampled_from([(), ("a*",), ("b-1*", "a")]),
    exclude=st.sampled_from([(), ("*-2*",)]),
    sources=st.booleans(),
    debug=st.booleans(),
)


@given(PACKAGES, SELECTIONS)
def test_what_is_chosen_is_permitted_in_order_and_choosing_again_changes_nothing(
    packages: list[Package], selection: Selection
) -> None:
    allowed = permitted(packages, selection)

    found = chosen(allowed, selection)

    assert found == [one for one in packages if one in found]
    assert set(found) <= set(allowed)
    assert chosen(permitted(found, selection), selection) == found


@given(PACKAGES, st.integers(1, 3))
def test_nothing_that_stays_is_older_than_what_goes(packages: list[Package], count: int) -> None:
    found = chosen(packages, Selection(newest=count))

    for gone in packages:
        newer = {
            (one.epoch, one.version, one.release)
            for one in found
            if (one.name, one.arch) == (gone.name, gone.arch)
            and compare_evr((one.epoch, one.version, one.release), (gone.epoch, gone.version, gone.release)) > 0
        }
        assert gone in found or len(newer) == count


@given(PACKAGES)
def test_every_spelling_of_a_package_finds_it(packages: list[Package]) -> None:
    for one in packages:
        assert all(one in chosen([one], Selection(include=(text,))) for text in spellings(one))


def test_the_defaults_want_everything() -> None:
    packages = [package("a"), package("a", "2"), package("a", arch="src"), package("a-debuginfo")]

    assert chosen(permitted(packages, Selection()), Selection()) == packages
