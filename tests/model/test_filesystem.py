"""What files need on file systems: each answer against the tools that make them, and costs against answers."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from issmedia.model.exfat import ExFat
from issmedia.model.ext4 import Ext4
from issmedia.model.fat import Fat32
from issmedia.model.filesystem import BLOCK, FileSystem, Plain, base_cost
from issmedia.model.iso import Iso
from issmedia.model.names import parents
from tests.makers.lying import Lying, lying

GIB = 1 << 30
SYSTEMS: list[FileSystem] = [Fat32(16 * GIB), ExFat(64 * GIB), Ext4(16 * GIB), Iso(), Plain(), Ext4(100 << 20)]


names = st.text("abzAZ09~^+-_.é", min_size=1, max_size=120).map(lambda text: f"x{text}x")
paths = st.lists(names, min_size=1, max_size=10).map("/".join)
sizes = st.sampled_from([0, 1, 2048, 2049, 4096, 100_000, 5 * GIB])
trees = st.dictionaries(paths, sizes, max_size=40).map(
    lambda found: [lying(path, size) for path, size in found.items() if path not in parents(found)]
)


@pytest.mark.parametrize("system", SYSTEMS, ids=lambda system: system.name)
@given(sticky=trees, packed=trees)
@settings(max_examples=60)
def test_costs_are_never_below_what_files_need(system: FileSystem, sticky: list[Lying], packed: list[Lying]) -> None:
    sticky, packed = [_below("sticky", file) for file in sticky], [_below("packed", file) for file in packed]

    cost = base_cost(system, sticky, parents(file.path for file in packed))
    cost += sum(system.cost(file.path, file.size) for file in packed)

    assert cost >= system.used([*sticky, *packed])


@pytest.mark.parametrize("system", SYSTEMS[:-1], ids=lambda system: system.name)
def test_costs_of_packages_are_near_what_they_need(system: FileSystem) -> None:
    files = [lying(f"repos/p/r/Packages/package-{number:05}-1.0-1.el9.x86_64.rpm", 500_000) for number in range(2000)]

    cost = base_cost(system, [], parents(file.path for file in files))
    cost += sum(system.cost(file.path, file.size) for file in files)

    assert cost - system.used(files) <= 0.005 * 2000 * 500_000


@pytest.mark.parametrize("system", SYSTEMS, ids=lambda system: system.name)
def test_links_share_their_bytes_where_there_are_links(system: FileSystem) -> None:
    one, two = lying("a", 50_000_000, like="c"), lying("b", 50_000_000, like="c")

    added = system.used([one, two]) - system.used([one])

    assert system.links == (added < 50_000_000)


@pytest.mark.parametrize("system", SYSTEMS, ids=lambda system: system.name)
def test_another_name_costs_less_than_a_file(system: FileSystem) -> None:
    assert system.cost("a/b", 0) <= system.cost("a/b", 1)


@pytest.mark.parametrize("size", [4 * GIB - 1, 4 * GIB, 9 * GIB])
def test_only_fat32_limits_the_size_of_files(size: int) -> None:
    faults = {system.name: [fault.where for fault in system.faults([lying("a", size)])] for system in SYSTEMS}

    refused = ["a"] if size >= 4 * GIB else []
    assert {"fat32": refused, "exfat": [], "ext4": [], "iso": [], "plain": []} == faults


def test_fat32_limits_the_names_in_a_directory() -> None:
    many = [lying(f"d/package-{number:05}-1.0-1.el9.x86_64.rpm", 1) for number in range(33_000)]

    problems = list(Fat32(16 * GIB).faults(many))

    assert [problem.where for problem in problems] == ["d"]
    assert list(Fat32(16 * GIB).faults(many[:16_000])) == []
    assert list(ExFat(16 * GIB).faults(many)) == []


@pytest.mark.parametrize(
    ("system", "answer"),
    [(Plain(), 2 * BLOCK + BLOCK), (Iso(), 2048 * 34)],
    ids=["plain", "iso"],
)
def test_a_small_file_in_a_directory(system: FileSystem, answer: int) -> None:
    assert answer == system.used([lying("d/a", 1)])


@pytest.mark.parametrize("system", [Fat32(16 * GIB), ExFat(16 * GIB)], ids=lambda system: system.name)
def test_a_byte_more_than_fits_is_noticed(system: Fat32 | ExFat) -> None:
    cluster = system.used([lying("a", 1)]) - system.used([])
    left = (system.capacity - system.used([])) // cluster * cluster

    full, over = system.used([lying("a", left)]), system.used([lying("a", left + 1)])

    assert full <= system.capacity < over


def test_few_inodes_limit_many_small_files() -> None:
    system = Ext4(1 * GIB)
    many = [lying(f"d/{number}", 1) for number in range(70_000)]

    assert system.used(many) > 1 * GIB
    assert sum(BLOCK for _ in many) < GIB // 2


def _below(folder: str, file: Lying) -> Lying:
    return lying(f"{folder}/{file.path}", file.size)
