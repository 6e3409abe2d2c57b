"""Opening beneath a root that somebody else filled."""

import errno
import os
import socket
import stat
from pathlib import Path

import pytest

from issmedia.base.beneath import Root
from tests.makers.programs import run
from tests.makers.streams import some


def read(root: Path, path: str) -> bytes:
    """Open a file beneath a root and read it."""
    with Root(root) as opened, opened.open(path) as file:
        return some(file, 100)


def error_of(root: Path, path: str) -> int | None:
    """Say how opening is refused."""
    with pytest.raises(OSError) as caught:
        read(root, path)
    return caught.value.errno


@pytest.mark.parametrize("path", ["a", "d/b", "d/e/c"])
def test_a_regular_file_is_read(tmp_path: Path, path: str) -> None:
    target = tmp_path / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(b"content")

    assert read(tmp_path, path) == b"content"


def test_a_file_says_its_size_and_hard_links_are_one_identity(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"four")
    os.link(tmp_path / "a", tmp_path / "b")
    (tmp_path / "c").write_bytes(b"four")

    with Root(tmp_path) as root, root.open("a") as a, root.open("b") as b, root.open("c") as c:
        assert a.size == 4
        assert a.identity == b.identity != c.identity


@pytest.mark.parametrize("path", ["", ".", "..", "../x", "d/../a", "/a", "/etc/passwd", "d//a", "d/", "a\0b", "./a"])
def test_a_path_that_is_no_plain_name_is_refused(tmp_path: Path, path: str) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "a").touch()

    assert error_of(tmp_path, path) == errno.EINVAL


def test_a_link_is_refused_as_leaf_parent_and_root(tmp_path: Path) -> None:
    (tmp_path / "real/d").mkdir(parents=True)
    (tmp_path / "real/d/a").write_bytes(b"x")
    (tmp_path / "real/leaf").symlink_to("d/a")
    (tmp_path / "real/parent").symlink_to("d")
    (tmp_path / "root").symlink_to("real")

    assert error_of(tmp_path / "real", "leaf") == errno.ELOOP
    assert error_of(tmp_path / "real", "parent/a") == errno.ENOTDIR
    assert error_of(tmp_path / "root", "d/a") == errno.ENOTDIR


def test_directory_fifo_and_socket_are_refused_without_blocking(tmp_path: Path) -> None:
    (tmp_path / "directory").mkdir()
    os.mkfifo(tmp_path / "fifo")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(os.path.relpath(tmp_path / "socket"))

        assert error_of(tmp_path, "directory") == errno.EINVAL
        assert error_of(tmp_path, "fifo") == errno.EINVAL
        assert error_of(tmp_path, "socket") == errno.EINVAL  # opening it would be ENXIO


@pytest.mark.root
def test_a_device_is_refused_unopened(tmp_path: Path) -> None:
    os.mknod(tmp_path / "device", stat.S_IFCHR | 0o600, os.makedev(4000, 0))

    assert error_of(tmp_path, "device") == errno.EINVAL  # no driver has this number: opening it would be ENXIO


def test_what_is_absent_is_not_found(tmp_path: Path) -> None:
    assert error_of(tmp_path, "d/a") == errno.ENOENT


@pytest.mark.root
@pytest.mark.system("mount", "umount")
def test_another_mount_is_refused_even_of_the_same_file_system(tmp_path: Path) -> None:
    (tmp_path / "root/below").mkdir(parents=True)
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/a").write_bytes(b"x")
    run("mount", "--bind", tmp_path / "outside", tmp_path / "root/below")

    try:
        assert error_of(tmp_path / "root", "below/a") == errno.EXDEV
    finally:
        run("umount", tmp_path / "root/below")


def test_more_directories_than_are_kept_open_can_be_used(tmp_path: Path) -> None:
    for number in range(100):
        (tmp_path / f"d{number}").mkdir()
        (tmp_path / f"d{number}/a").write_bytes(b"%d" % number)
    before = len(os.listdir("/proc/self/fd"))

    with Root(tmp_path) as root:
        found = []
        for number in (*range(100), *range(100)):
            with root.open(f"d{number}/a") as file:
                found.append(int(some(file, 10)))

    assert found == [*range(100), *range(100)]
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_walk_is_sorted_and_follows_no_link(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b/x").write_bytes(b"12")
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "c").touch()

    with Root(tmp_path) as root:
        found = [(path, facts.st_size) for path, facts in root.walk()]

    assert found == [("a", 1), ("b/x", 2), ("c", 0)]


def test_a_deep_walk_holds_few_descriptors(tmp_path: Path) -> None:
    deep = "d/" * 300
    make_deep(tmp_path, 300)
    before = len(os.listdir("/proc/self/fd"))

    with Root(tmp_path) as root:
        found = [(path, len(os.listdir("/proc/self/fd")) - before) for path, _ in root.walk()]

    assert [path for path, _ in found] == [deep[: 2 * count] + "z" for count in range(300, 0, -1)]
    assert max(held for _, held in found) < 80
    assert len(os.listdir("/proc/self/fd")) == before


def test_what_lies_too_deep_is_not_entered(tmp_path: Path) -> None:
    make_deep(tmp_path, 1100)

    with Root(tmp_path) as root:
        deepest = next(root.walk())[0]
    run("rm", "-rf", tmp_path / "d")

    assert deepest == "/".join("d" * 1025)


def make_deep(root: Path, count: int) -> None:
    """Make so many directories `d` in each other, with a file `z` in each."""
    at = os.open(root, os.O_RDONLY)
    for _ in range(count):
        os.mkdir("d", dir_fd=at)
        at, above = os.open("d", os.O_RDONLY, dir_fd=at), at
        os.close(above)
        os.close(os.open("z", os.O_CREAT | os.O_WRONLY, dir_fd=at))
    os.close(at)
