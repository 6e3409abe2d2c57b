"""ext4: never more room than mkfs.ext4 makes for a user who is not root; what is said to fit is written into it."""

import re
from pathlib import Path

import pytest

from issmedia.model.ext4 import Ext4, layout
from tests.makers.lying import Lying, lay, lying
from tests.makers.programs import run

MIB, GIB = 1 << 20, 1 << 30


def made(path: Path, capacity: int, *options: str | Path) -> dict[str, int]:
    """Make a file system in a file; give the numbers that dumpe2fs tells."""
    with path.open("wb") as out:
        out.truncate(capacity)
    run("mkfs.ext4", "-q", "-F", *options, path)
    return {
        key: int(value) for key, value in re.findall(r"^([\w ]+):\s+(\d+)$", run("dumpe2fs", "-h", path), re.MULTILINE)
    }


def free(facts: dict[str, int]) -> int:
    """Count the bytes that a user who is not root may still have."""
    return (facts["Free blocks"] - facts["Reserved block count"]) * facts["Block size"]


@pytest.mark.system("mkfs.ext4", "dumpe2fs")
@pytest.mark.parametrize("capacity", [100 * MIB, 300 * MIB, 600 * MIB, 4_700_000_000, 16 * 10**9, 40 * GIB, 130 * GIB])
def test_an_empty_one_leaves_no_more_than_mkfs_does_and_little_less(tmp_path: Path, capacity: int) -> None:
    facts = made(tmp_path / "image", capacity)

    used = capacity - free(facts)

    assert layout(capacity).inodes <= facts["Inode count"]
    assert layout(capacity).block == facts["Block size"]
    assert used <= Ext4(capacity).used([]) <= used + capacity // 50 + 3 * MIB


@pytest.mark.system("mkfs.ext4", "dumpe2fs")
@pytest.mark.parametrize("capacity", [100 * MIB, 600 * MIB])
def test_what_is_said_to_fit_fits(tmp_path: Path, capacity: int) -> None:
    files = _filling(capacity)
    lay(tmp_path / "files", files)
    for path in (tmp_path / "files").rglob("*"):
        if path.is_file():
            path.write_bytes(b"x" * path.stat().st_size)

    facts = made(tmp_path / "image", capacity, "-d", tmp_path / "files")

    assert capacity - layout(capacity).ratio * 2 <= Ext4(capacity).used(files) <= capacity
    assert free(facts) >= 0


def _filling(capacity: int) -> list[Lying]:
    files = [
        lying(f"repos/p/{number % 3}/package-{'n' * (number % 200)}-{number}.rpm", number * 7) for number in range(2000)
    ]
    left = capacity - Ext4(capacity).used([*files, lying("large", 1)])
    return [*files, lying("large", left // 4096 * 4096)]
