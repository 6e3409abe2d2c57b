"""FAT32: what is said to fit is written by mtools into images of mkfs.vfat, and one cluster more is not."""

import re
from pathlib import Path

import pytest

from issmedia.model.fat import Fat32, entries, layouts
from issmedia.model.names import parents
from tests.makers.lying import Lying, lay, lying
from tests.makers.programs import run, try_run

MIB, GIB = 1 << 20, 1 << 30


def image(path: Path, capacity: int, *options: str) -> Path:
    """Make an empty file system that fills a capacity."""
    with path.open("wb") as out:
        out.truncate(capacity)
    run("mkfs.vfat", "-F", "32", *options, path)
    return path


def fill(target: Path, files: list[Lying], scratch: Path) -> str:
    """Copy files into an image; give what mcopy complains of (its exit code says nothing of a full disk)."""
    lay(scratch, files)
    return try_run("mcopy", "-i", target, "-s", *sorted(scratch.iterdir()), "::/").stderr


def many(capacity: int, left: int) -> list[Lying]:
    """Describe files with long names in directories that leave `left` bytes of what mkfs.vfat makes of a capacity."""
    linux = layouts(capacity)[0]
    files = [
        lying(f"repos/p/{number % 5}/package-{'n' * (number % 200)}~{number}.rpm", number * 97) for number in range(300)
    ]
    rest = linux.clusters - _clusters(files, linux.cluster) - left // linux.cluster
    return [*files, lying("large.bin", rest * linux.cluster)]


def _clusters(files: list[Lying], cluster: int) -> int:
    """Count the clusters of files and directories plainly, with `large.bin` in the root."""
    found = sum(-(-file.size // cluster) for file in files)
    folders = parents(file.path for file in files)
    for folder in folders | {""}:
        inside = [path for path in [*folders, *(file.path for file in files)] if path.rpartition("/")[0] == folder]
        names = [path.rpartition("/")[2] for path in inside] + ([] if folder else ["large.bin"])
        found += -(-32 * (2 * bool(folder) + sum(map(entries, names))) // cluster)
    return found


@pytest.mark.system("mkfs.vfat", "fsck.fat")
@pytest.mark.parametrize(
    "capacity",
    [40 * MIB, 41_947_648, 256 * MIB, 300 * MIB, 8 * GIB - 1536, 9 * GIB, 16 * 10**9, 20 * GIB, 33 * GIB, 64 * 10**9],
)
def test_clusters_are_those_of_mkfs(tmp_path: Path, capacity: int) -> None:
    output = try_run("fsck.fat", "-vn", image(tmp_path / "image", capacity)).stdout

    linux = layouts(capacity)[0]

    assert f"{linux.cluster} bytes per cluster" in output
    assert f"{linux.clusters} data clusters" in output


@pytest.mark.parametrize("capacity", [40 * MIB, 100 * MIB, GIB, 16 * GIB, 64 * GIB])
def test_what_needs_more_counts(capacity: int) -> None:
    files = [lying(f"a/{number}", 700) for number in range(1000)]

    answers = [one.used(_clusters(files, one.cluster)) for one in layouts(capacity)]

    assert Fat32(capacity).used(files) >= max(answers) - layouts(capacity)[0].cluster


@pytest.mark.system("mkfs.vfat", "mcopy")
def test_a_full_volume_is_written_whole(tmp_path: Path) -> None:
    files = many(48 * MIB, 0)

    assert fill(image(tmp_path / "image", 48 * MIB), files, tmp_path / "files") == ""


@pytest.mark.system("mkfs.vfat", "mcopy")
def test_a_cluster_more_is_not_written(tmp_path: Path) -> None:
    files = many(48 * MIB, -512)

    assert "No free cluster" in fill(image(tmp_path / "image", 48 * MIB), files, tmp_path / "files")


@pytest.mark.system("mkfs.vfat", "mcopy", "mmd")
def test_what_is_said_to_fit_leaves_room_for_the_directory_in_which_it_is_written(tmp_path: Path) -> None:
    capacity = 48 * MIB
    stick, files = image(tmp_path / "image", capacity), many(capacity, 5000)
    run("mmd", "-i", stick, "::/.tmp-export")

    complaint = fill(stick, files, tmp_path / "files")

    assert complaint == ""
    assert Fat32(capacity).used(many(capacity, 0)) > capacity >= Fat32(capacity).used(files)


@pytest.mark.system("mkfs.vfat", "mcopy")
@pytest.mark.parametrize("sectors", [1, 2])
def test_what_is_said_to_fit_fits_however_it_was_formatted(tmp_path: Path, sectors: int) -> None:
    capacity = 96 * MIB
    files = [*many(capacity, 0)[:-1]]
    left = capacity - Fat32(capacity).used([*files, lying("large.bin", 1)])
    files.append(lying("large.bin", left // 1024 * 1024))

    assert capacity - 2048 <= Fat32(capacity).used(files) <= capacity
    assert fill(image(tmp_path / "image", capacity, "-s", str(sectors)), files, tmp_path / "files") == ""


@pytest.mark.parametrize(("name", "count"), [("a", 2), ("a" * 13, 2), ("a" * 14, 3), ("é" * 13, 2), ("a" * 240, 20)])
def test_names_take_entries_of_13_characters(name: str, count: int) -> None:
    assert count == entries(name)


def test_the_answer_does_not_depend_on_the_order_of_files() -> None:
    files = [lying(f"{number % 3}/{number}", number * 1000) for number in range(100)]

    assert Fat32(GIB).used(files) == Fat32(GIB).used(files[::-1])


def test_no_layout_has_more_clusters_than_its_table_names() -> None:
    for capacity in (40 * MIB, 100 * MIB, GIB, 16 * GIB, 64 * GIB):
        for one in layouts(capacity):
            assert one.clusters * (one.cluster + 8) <= capacity


def test_names_in_messages_are_safe_to_show() -> None:
    (problem,) = Fat32(GIB).faults([lying("a\x1b[31m", 5 * GIB)])

    assert re.fullmatch(r"[ -~]+", problem.where)
