"""Large files, written past the page cache: the same bytes, whatever the length and the file system."""

import errno
import fcntl
import os
import random
from pathlib import Path

import pytest

from issmedia.base import direct, files
from issmedia.base.direct import PIECE, WORTH

SHARED_MEMORY = Path("/dev/shm")


def written(directory: Path, data: bytes, *, chunk: int, size: int | None = None) -> tuple[bytes, list[str]]:
    """Stage a file in chunks; give its bytes, and the kinds of steps that were announced."""
    kinds: list[str] = []
    with (
        files.observing(lambda kind, _name: kinds.append(kind)),
        files.Staged(directory, size=size or len(data)) as file,
    ):
        for start in range(0, len(data), chunk):
            file.write(data[start : start + chunk])
        file.close(0o444, durable=False)
    return Path(file.path).read_bytes(), kinds


def bytes_of(size: int) -> bytes:
    """Make bytes of which no two blocks are alike."""
    return random.Random(size).randbytes(size)


def is_direct(file: files.Staged) -> bool:
    """Say whether writes go past the page cache."""
    return fcntl.fcntl(file.fd, fcntl.F_GETFL) & os.O_DIRECT != 0


@pytest.mark.parametrize("chunk", [128 << 10, 100_001, 3 * PIECE])
@pytest.mark.parametrize(
    "size",
    [WORTH, PIECE + 1, PIECE + 4095, PIECE + 4096, PIECE + 4097, 2 * PIECE - 1, 2 * PIECE, 2 * PIECE + 12_345],
)
def test_a_large_file_holds_what_was_written(tmp_path: Path, size: int, chunk: int) -> None:
    data = bytes_of(size)

    found, _ = written(tmp_path, data, chunk=chunk)

    assert found == data


@pytest.mark.parametrize("size", [0, 1, 4096, PIECE + 1])
def test_a_file_may_be_shorter_or_longer_than_expected(tmp_path: Path, size: int) -> None:
    data = bytes_of(size)

    found = [written(tmp_path, data, chunk=128 << 10, size=expected)[0] for expected in (1, 2 * PIECE)]

    assert found == [data, data]


def test_a_file_system_without_such_writes_takes_ordinary_ones() -> None:
    if not SHARED_MEMORY.is_dir():
        pytest.skip("there is no /dev/shm here")
    data = bytes_of(2 * PIECE + 1)

    with files.Staged(SHARED_MEMORY, size=len(data)) as file:
        file.write(data)
        file.close(0o444, durable=False)
    found = Path(file.path).read_bytes()
    file.discard()

    assert found == data


def test_a_descriptor_that_cannot_is_told_apart() -> None:
    with open("/dev/null", "wb") as null:
        assert not direct.begin(null.fileno())


def test_where_the_kernel_refuses_a_piece_it_is_written_through_the_page_cache(tmp_path: Path) -> None:
    data = bytes_of(2 * PIECE + 5)

    with files.Staged(tmp_path, size=len(data)) as file:
        os.lseek(file.fd, 3, os.SEEK_SET)  # no direct write can begin here
        file.write(data)
        file.close(0o444, durable=False)

    assert Path(file.path).read_bytes() == b"\0\0\0" + data


def test_only_a_large_file_goes_past_the_page_cache(tmp_path: Path) -> None:
    with files.Staged(tmp_path, size=WORTH - 1) as small, files.Staged(tmp_path, size=WORTH) as large:
        small.write(b"x")
        large.write(b"x")

        if not is_direct(large):
            pytest.skip("this file system has no direct writes")
        assert not is_direct(small)


def test_a_large_file_that_was_not_written_can_be_read_as_any(tmp_path: Path) -> None:
    with files.Staged(tmp_path, size=WORTH) as file:
        Path(file.path).write_bytes(b"cloned")

        assert os.read(file.fd, 6) == b"cloned"


def test_each_piece_and_the_tail_are_announced(tmp_path: Path) -> None:
    _, kinds = written(tmp_path, bytes_of(2 * PIECE + 5), chunk=128 << 10)

    assert kinds == ["create", "write", "write", "write"]


def test_two_large_files_at_once_do_not_mix(tmp_path: Path) -> None:
    one, two = bytes_of(PIECE + 1), bytes_of(PIECE + 2)

    with files.Staged(tmp_path, size=len(one)) as first, files.Staged(tmp_path, size=len(two)) as second:
        for file, data in ((first, one[:1000]), (second, two[:1000]), (first, one[1000:]), (second, two[1000:])):
            file.write(data)
        first.close(0o444, durable=False)
        second.close(0o444, durable=True)

    assert (Path(first.path).read_bytes(), Path(second.path).read_bytes()) == (one, two)


@pytest.mark.parametrize("number", range(4))
def test_a_large_file_that_fails_at_any_step_is_gone(tmp_path: Path, number: int) -> None:
    left = [number]

    def stop(_kind: str, _name: str) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.EIO, "stopped")

    with files.observing(stop), pytest.raises(OSError, match="stopped"), files.Staged(tmp_path, size=WORTH) as file:
        file.write(bytes_of(PIECE + 4096 + 5))
        file.close(0o444, durable=True)

    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_named_and_nothing_stays(tmp_path: Path) -> None:
    def full(kind: str, _name: str) -> None:
        if kind == "write":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with (
        files.observing(full),
        pytest.raises(OSError, match="No space") as caught,
        files.Staged(tmp_path, size=WORTH) as file,
    ):
        file.write(bytes_of(PIECE))

    assert (caught.value.filename, list(tmp_path.iterdir())) == (str(tmp_path), [])
