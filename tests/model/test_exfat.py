"""exFAT: never more room than mkfs.exfat makes, and little less."""

import re
from pathlib import Path

import pytest

from issmedia.model.exfat import ExFat, entries
from tests.makers.lying import lying
from tests.makers.programs import run

MIB, GIB = 1 << 20, 1 << 30


@pytest.mark.system("mkfs.exfat", "dump.exfat")
@pytest.mark.parametrize("capacity", [40 * MIB, 200 * MIB, GIB, 16 * 10**9, 33 * GIB, 64 * 10**9])
def test_an_empty_one_leaves_no_more_than_mkfs_does_and_little_less(tmp_path: Path, capacity: int) -> None:
    path = tmp_path / "image"
    with path.open("wb") as out:
        out.truncate(capacity)
    run("mkfs.exfat", path)
    facts = {
        key.strip(): value for key, value in re.findall(r"(.+):\s+(\d+)\s*$", run("dump.exfat", path), re.MULTILINE)
    }
    used = capacity - int(facts["Free Clusters"]) * int(facts["Cluster size"])

    assert int(facts["Cluster size"]) == ExFat(capacity).cluster
    assert used <= ExFat(capacity).used([]) <= used + capacity // 300


def test_files_and_directories_take_whole_clusters() -> None:
    system = ExFat(64 * GIB)
    empty = system.used([])

    assert empty == system.used([lying("empty", 0)])
    assert 2 * system.cluster == system.used([lying("d/a", 1)]) - empty
    assert 3 * system.cluster == system.used([lying("d/a", system.cluster + 1)]) - empty


def test_room_is_left_for_the_directory_in_which_files_are_written() -> None:
    system = ExFat(64 * GIB)

    answer = system.used([])

    bitmap, capitals, root, work = 1, 1, 1, 1
    clusters = (system.capacity - answer) // system.cluster
    assert clusters + bitmap + capitals + root + work == (system.capacity - 32 * MIB) // system.cluster


def test_large_directories_take_several_clusters() -> None:
    system, names = ExFat(64 * GIB), [f"d/{number:05}{'n' * 235}" for number in range(33_000)]

    answer = system.used([lying(name, 0) for name in names]) - system.used([])

    assert -(-33_000 * 32 * 18 // system.cluster) * system.cluster == answer


@pytest.mark.parametrize(("name", "count"), [("a", 3), ("a" * 15, 3), ("a" * 16, 4), ("a" * 240, 18)])
def test_names_take_entries_of_15_characters(name: str, count: int) -> None:
    assert count == entries(name)
