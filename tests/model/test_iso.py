"""The size of ISO images: never below what xorriso says, and mostly the same."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from issmedia.model.iso import SECTOR, Iso, iso_name, joliet_name
from issmedia.model.names import path_fault
from tests.makers.lying import Lying, lying
from tests.makers.programs import run

GIB = 1 << 30
OPTIONS = (
    *("-as", "mkisofs", "--no_rc", "-quiet", "-iso-level", "3", "-R", "-J", "-joliet-long", "-D", "-no-pad"),
    *("-input-charset", "UTF-8", "-output-charset", "UTF-8", "-uid", "0", "-gid", "0"),
    *("-graft-points", "-path-list", "-", "-print-size"),
)


def xorriso_says(directory: Path, files: Sequence[Lying]) -> int:
    """Ask xorriso for the size of an image of files."""
    lines = []
    for file in reversed(files):  # xorriso sorts names as they come, fastest from the last to the first
        source = directory / file.sha256
        if not source.exists():
            with source.open("wb") as out:
                out.truncate(file.size)
        target, found = (text.replace("=", "\\=") for text in (file.path, str(source)))
        lines.append(f"/{target}={found}\n")
    return int(run("xorriso", *OPTIONS, stdin="".join(lines).encode()).strip()) * SECTOR


def packages(count: int, folder: str = "repos/p/r/Packages", start: str = "") -> list[Lying]:
    """Describe files as repositories have them: several names begin alike, every tenth stands elsewhere too."""
    found = []
    for number in range(count):
        name = f"{start}package-{number % 7}-modules-extra-{number:05}-1.0~rc1^git+{number % 9}-1.el9.x86_64.rpm"
        path = f"{folder}/{name[len(start)]}/{name}"
        found.append(lying(path, number * 37 % 9000, like=str(number)))
        if number % 10 == 0:
            found.append(lying(f"repos/p/other/{name}", number * 37 % 9000, like=str(number)))
    return found


names = st.one_of(
    st.text("abcAB019-_.~^+%=@,é", min_size=1, max_size=110),
    st.integers(0, 999).map("kernel-modules-extra-matched-{}.x86_64.rpm".format),
    st.integers(1, 232).map(lambda length: "long" + "n" * length + ".rpm"),
)
paths = st.lists(
    names.filter(lambda name: path_fault(name) is None and len(name.encode()) <= 240), min_size=1, max_size=10
)
trees = st.lists(st.tuples(paths.map("/".join), st.integers(0, 20_000)), min_size=1, max_size=60)


def _files(found: list[tuple[str, int]]) -> list[Lying]:
    """Leave out paths that lie below files."""
    given, files = dict(found), []
    for path, size in given.items():
        if not any(other.startswith(f"{path}/") for other in given):
            files.append(lying(path, size, like=str(size % 7)))
    return files


@pytest.mark.system("xorriso")
@given(found=trees)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_any_tree_has_at_least_what_xorriso_says_and_little_more(tmp_path: Path, found: list[tuple[str, int]]) -> None:
    files = _files(found)

    answer = xorriso_says(tmp_path, files)

    assert 0 <= Iso().used(files) - answer <= 16 * SECTOR


@pytest.mark.system("xorriso")
@pytest.mark.parametrize("count", [1, 50, 3000])
def test_packages_have_exactly_what_xorriso_says(tmp_path: Path, count: int) -> None:
    files = packages(count)

    assert xorriso_says(tmp_path, files) == Iso().used(files)


@pytest.mark.system("xorriso")
def test_33000_files_in_a_directory_have_exactly_what_xorriso_says(tmp_path: Path) -> None:
    files = [lying(f"d/package-{number:05}-1.0-1.el9.noarch.rpm", 3, like="b") for number in range(33_000)]

    assert xorriso_says(tmp_path, files) == Iso().used(files)


@pytest.mark.system("xorriso")
def test_many_long_names_have_little_more_than_xorriso_says(tmp_path: Path) -> None:
    files = [lying(f"d/{number:05}{'n' * 231}.rpm", 3, like="b") for number in range(3000)]

    answer = xorriso_says(tmp_path, files)

    assert answer <= Iso().used(files) <= answer + (1 << 19)


@pytest.mark.system("xorriso")
@pytest.mark.parametrize("size", [4 * GIB - SECTOR, 4 * GIB - 1, 4 * GIB, 9 * GIB])
def test_large_files_have_exactly_what_xorriso_says(tmp_path: Path, size: int) -> None:
    files = [lying("large", size), lying("a/small", 1)]

    assert xorriso_says(tmp_path, files) == Iso().used(files)


@pytest.mark.system("xorriso")
def test_ten_levels_have_exactly_what_xorriso_says(tmp_path: Path) -> None:
    files = [lying("/".join(f"level-{level}.d" for level in range(depth)) + "/file", 5) for depth in range(1, 11)]

    assert xorriso_says(tmp_path, files) == Iso().used(files)


@pytest.mark.parametrize(
    ("name", "folder", "expected"),
    [
        ("a", False, "A."),
        ("a.rpm", False, "A.RPM"),
        (".treeinfo", False, ".TREEINFO"),
        ("x~1^2+3.rpm", False, "X_1_2_3.RPM"),
        ("naïve", False, "NA_VE."),
        ("n" * 40 + ".rpm", False, "N" * 27 + ".RPM"),
        ("n" * 40, False, "N" * 30 + "."),
        ("n.x" + "y" * 40, False, "N." + "X" + "Y" * 28),
        ("repo.d", True, "REPO_D"),
        ("n" * 40, True, "N" * 31),
    ],
)
def test_iso_names(name: str, folder: bool, expected: str) -> None:
    assert expected == iso_name(name, folder)


@pytest.mark.parametrize(
    ("name", "folder", "expected"),
    [
        ("a~b^c.rpm", False, "a~b^c.rpm"),
        ("a;b", False, "a_b"),
        ("n" * 110 + ".rpm", False, "n" * 100 + ".rpm"),
        ("n" * 110, False, "n" * 103),
        ("n" * 110, True, "n" * 103),
    ],
)
def test_joliet_names(name: str, folder: bool, expected: str) -> None:
    assert expected == joliet_name(name, folder)
