"""Reading back: what comes is the medium's, not memory's, and by what means is said."""

import errno
import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from issmedia.base import files
from issmedia.base.readback import Means, ReadBack, best_means
from tests.makers.images import by_xorriso, tree
from tests.makers.real_media import blank, exfat_mount, iso_mount
from tests.makers.sticks import Stick, ext4_stick, memory_stick
from tests.makers.streams import some

MEBIBYTE = 1 << 20
SIZES = [0, 1, 4095, 4096, 4097, MEBIBYTE - 1, MEBIBYTE, MEBIBYTE + 1, 2 * MEBIBYTE + 4096, 2 * MEBIBYTE + 5]


@pytest.fixture
def stick(tmp_path: Path) -> Iterator[Stick]:
    """A stick with ext4."""
    with ext4_stick(tmp_path) as made:
        yield made


def content(size: int) -> bytes:
    """Make bytes that do not repeat where buffers end."""
    return b"".join(number.to_bytes(4, "big") for number in range(-(-size // 4)))[:size]


def read_back(path: Path, *, chunk: int = 100_000) -> tuple[bytes, Means]:
    """Read all of a file."""
    fd = os.open(path, os.O_RDONLY)
    try:
        with ReadBack(fd) as back:
            parts = list(iter(lambda: some(back, chunk), b""))
            return b"".join(parts), back.means
    finally:
        os.close(fd)


def is_cached(path: Path) -> bool:
    """Say whether the first byte of a file can be read without its medium."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.preadv(fd, [bytearray(1)], 0, os.RWF_NOWAIT)
    except BlockingIOError:
        return False
    finally:
        os.close(fd)
    return True


def forbid_direct(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the system refuse O_DIRECT, as it does on file systems that have no such thing."""
    system = fcntl.fcntl

    def refuse(fd: int, command: int, flags: int = 0) -> int:
        if command == fcntl.F_SETFL and flags & os.O_DIRECT:
            raise OSError(errno.EINVAL, "Invalid argument")
        return system(fd, command, flags)

    monkeypatch.setattr(fcntl, "fcntl", refuse)


@pytest.mark.parametrize("size", SIZES)
def test_all_bytes_come_whatever_the_length(tmp_path: Path, size: int) -> None:
    (tmp_path / "file").write_bytes(content(size))

    found, _ = read_back(tmp_path / "file")

    assert found == content(size)


@pytest.mark.root
@pytest.mark.system("mkfs.ext4", "mount")
@pytest.mark.parametrize("chunk", [1 << 17, 1000])
def test_all_bytes_come_from_a_stick_without_the_cache(stick: Stick, chunk: int) -> None:
    for size in SIZES:
        (stick.path / str(size)).write_bytes(content(size))

    found = {size: read_back(stick.path / str(size), chunk=chunk) for size in SIZES}

    assert found == {size: (content(size), Means.DIRECT) for size in SIZES}


@pytest.mark.root
@pytest.mark.system("mkfs.ext4", "mount")
@pytest.mark.parametrize("direct", [True, False], ids=["O_DIRECT", "dropped"])
def test_what_the_medium_holds_comes_not_what_memory_holds(
    stick: Stick, monkeypatch: pytest.MonkeyPatch, direct: bool
) -> None:
    good = content(2 * MEBIBYTE)[-MEBIBYTE:]
    (stick.path / "file").write_bytes(good)
    stick.rot(good[:100_000])
    remembered = (stick.path / "file").read_bytes()
    if not direct:
        forbid_direct(monkeypatch)

    found, means = read_back(stick.path / "file")

    assert remembered == good
    assert found == bytes([good[0] ^ 1]) + good[1:]
    assert means is (Means.DIRECT if direct else Means.DROPPED)


@pytest.mark.root
@pytest.mark.system("mkfs.ext4", "mount")
def test_a_file_system_without_o_direct_is_read_after_the_cache_was_dropped(
    stick: Stick, monkeypatch: pytest.MonkeyPatch
) -> None:
    (stick.path / "file").write_bytes(content(5000))
    os.sync()
    before = is_cached(stick.path / "file")
    forbid_direct(monkeypatch)
    fd = os.open(stick.path / "file", os.O_RDONLY)

    with ReadBack(fd) as back:
        after = is_cached(stick.path / "file")
    os.close(fd)

    assert (before, after) == (True, False)
    assert back.means.text == "page cache dropped (posix_fadvise)"


@pytest.mark.root
@pytest.mark.system("mkfs.ext4", "mount")
def test_one_that_refuses_o_direct_only_when_it_reads_is_read_without(
    stick: Stick, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = os.readv

    def refuse(fd: int, buffers: list[memoryview]) -> int:
        if fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_DIRECT:
            raise OSError(errno.EINVAL, "Invalid argument")
        return system(fd, buffers)

    (stick.path / "file").write_bytes(content(5000))
    monkeypatch.setattr(os, "readv", refuse)

    assert read_back(stick.path / "file") == (content(5000), Means.DROPPED)


@pytest.mark.root
@pytest.mark.system("mkfs.ext4", "mount")
def test_another_error_of_the_medium_is_raised(stick: Stick, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(fd: int, buffers: object) -> int:
        raise OSError(errno.EIO, "Input/output error")

    (stick.path / "file").write_bytes(content(5000))
    monkeypatch.setattr(os, "readv", fail)

    with pytest.raises(OSError, match="Input/output error"):
        read_back(stick.path / "file")


@pytest.mark.root
@pytest.mark.system("mkfs.ext4", "mount", "findmnt")
def test_a_block_device_is_read_like_a_file(stick: Stick) -> None:
    (stick.path / "file").write_bytes(content(5000))
    os.sync()

    found, means = read_back(stick.device)

    assert (found == stick.image.read_bytes(), means) == (True, Means.DIRECT)


@pytest.mark.root
@pytest.mark.system("mount")
def test_a_file_system_in_memory_has_no_medium(tmp_path: Path) -> None:
    with memory_stick(tmp_path, size=MEBIBYTE) as memory:
        (memory / "file").write_bytes(content(5000))

        found, means = read_back(memory / "file")

    assert (found, means.text) == (content(5000), "not possible: memory file system")


def test_buffers_are_used_again(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(content(5000))
    closing: list[Callable[[], None]] = []
    fds = [os.open(tmp_path / "file", os.O_RDONLY) for _ in range(3)]

    for fd in fds:
        back = ReadBack(fd)
        assert some(back, 5000) == content(5000)
        closing += [back.close, back.close]
    for close in closing:
        close()
    for fd in fds:
        os.close(fd)

    assert read_back(tmp_path / "file")[0] == content(5000)


@pytest.mark.root
@pytest.mark.system("mkfs.ext4", "mount")
def test_what_the_kernel_reads_from_a_device_can_be_had_past_its_memory_and_what_has_no_device_cannot(
    stick: Stick, tmp_path: Path
) -> None:
    with memory_stick(tmp_path, size=MEBIBYTE) as memory:
        assert (best_means(stick.path), best_means(memory)) == (Means.DIRECT, Means.NONE)


@pytest.mark.root
@pytest.mark.system("mkfs.exfat", "mount.exfat-fuse", "losetup", "umount")
def test_a_bit_that_flips_on_a_medium_below_fuse_is_found_though_memory_has_the_device_right(tmp_path: Path) -> None:
    image, expected = blank(tmp_path / "image", 40 * MEBIBYTE, "mkfs.exfat"), content(50_000)
    with exfat_mount(image, tmp_path / "mnt") as mnt:
        (mnt / "file").write_bytes(expected)
        files.sync_filesystem(mnt)
        Stick(mnt, image).rot(expected)

        means = best_means(mnt)

        found, _ = read_back(mnt / "file")
    assert means is Means.DROPPED
    assert found == bytes([expected[0] ^ 1]) + expected[1:]


@pytest.mark.root
@pytest.mark.system("xorriso", "fuseiso", "umount")
def test_of_fuse_without_a_device_it_is_not_said_that_its_medium_was_read(tmp_path: Path) -> None:
    image = by_xorriso(tree(tmp_path / "tree", {"file": b"x"}), tmp_path / "image")

    with iso_mount(image, tmp_path / "mnt") as mnt:
        assert best_means(mnt) is Means.UNSURE
