"""Files that a crash leaves old or new; the lock; the room on a disk."""

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from issmedia.base import files
from issmedia.base.errors import DepotError, NoSpaceError
from tests.makers.sticks import memory_stick


@pytest.fixture(params=[0o022, 0o077, 0o000])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    """Set each umask in turn."""
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def mode_of(path: files.StrPath) -> int:
    """Read the permission bits."""
    return stat.S_IMODE(os.lstat(path).st_mode)


def steps_of(action: object, *arguments: object) -> list[tuple[str, str]]:
    """List the changes of the disk that an action announces."""
    steps: list[tuple[str, str]] = []
    with files.observing(lambda kind, name: steps.append((kind, name))):
        assert callable(action)
        action(*arguments)
    return steps


def test_modes_do_not_depend_on_the_umask(tmp_path: Path, umask: int) -> None:
    files.write_atomic(tmp_path / "public", b"x")
    files.write_atomic(tmp_path / "private", b"x", 0o600)
    files.make_directory(tmp_path / "a/b")
    files.make_directory(tmp_path / "secret", 0o700)

    modes = [mode_of(tmp_path / name) for name in ("public", "private", "a", "a/b", "secret")]

    assert modes == [0o644, 0o600, 0o755, 0o755, 0o700]


def test_an_atomic_write_replaces_and_leaves_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"old")

    files.write_atomic(tmp_path / "file", b"new")

    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("file", b"new")]


def test_an_atomic_write_flushes_before_and_after_the_rename(tmp_path: Path) -> None:
    steps = steps_of(files.write_atomic, tmp_path / "file", b"new")

    assert [kind for kind, _ in steps] == ["create", "write", "fsync", "rename", "fsync"]
    assert steps[-1][1] == tmp_path.name


@pytest.mark.parametrize("number", range(5))
def test_an_atomic_write_that_fails_leaves_the_old_file_whole(tmp_path: Path, number: int) -> None:
    (tmp_path / "file").write_bytes(b"old")
    left = [number]

    def stop(kind: str, name: str) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.EIO, "stopped")

    with files.observing(stop), pytest.raises(OSError, match="stopped"):
        files.write_atomic(tmp_path / "file", b"new")

    found = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert found == {"file": b"new" if number == 4 else b"old"}


def test_a_staged_file_is_private_until_it_is_closed(tmp_path: Path) -> None:
    with files.Staged(tmp_path) as file:
        file.write(b"x")
        before = mode_of(file.path)
        file.close(0o444, durable=False)

    assert (before, mode_of(file.path)) == (0o600, 0o444)


def test_a_staged_file_is_gone_when_its_block_raises(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no"), files.Staged(tmp_path):
        raise ValueError("no")

    assert list(tmp_path.iterdir()) == []


def test_what_another_process_writes_is_counted_and_announced_by_pieces(tmp_path: Path) -> None:
    sizes: list[int] = []

    with files.Staged(tmp_path) as file:

        def follow() -> None:
            for more in (0, 1, files._PIECE, 1):
                os.ftruncate(file.fd, file.grown() + more)
            sizes.append(file.grown())

        steps = steps_of(follow)

    assert sizes == [files._PIECE + 2]
    assert [kind for kind, _ in steps] == ["write", "write"]


def test_a_directory_that_is_there_keeps_its_mode(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir(mode=0o700)

    files.make_directory(tmp_path / "d")

    assert mode_of(tmp_path / "d") == 0o700


def test_a_link_over_an_existing_name_is_refused(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_text(name)

    with pytest.raises(FileExistsError):
        files.link(tmp_path / "a", tmp_path / "b")

    assert (tmp_path / "b").read_text() == "b"


def test_removing_a_directory_does_not_follow_links(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept/file").touch()
    (tmp_path / "gone/below").mkdir(parents=True)
    (tmp_path / "gone/link").symlink_to("../kept")
    (tmp_path / "gone/below/file").touch()

    files.remove_directory(tmp_path / "gone")

    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "kept"]


def test_removing_a_link_to_a_directory_removes_the_link(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "link").symlink_to("kept")

    files.remove_directory(tmp_path / "link")

    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_a_sweep_removes_what_was_temporary_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    files.temporary_name(tmp_path).touch()
    directory = files.temporary_name(tmp_path)
    directory.mkdir()
    (directory / "below").touch()

    number = files.sweep(tmp_path)

    assert (number, [path.name for path in tmp_path.iterdir()]) == (2, ["file"])


def test_unlinking_what_is_gone_is_fine(tmp_path: Path) -> None:
    files.unlink(tmp_path / "gone")


def test_more_than_is_free_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(NoSpaceError, match="bytes are needed") as caught:
        files.require_space(tmp_path, 1 << 60)

    assert caught.value.where == str(tmp_path)


def test_nothing_needed_always_has_room(tmp_path: Path) -> None:
    files.require_space(tmp_path, 0)


@pytest.mark.root
@pytest.mark.system("mount")
def test_of_a_medium_nothing_is_held_back(tmp_path: Path) -> None:
    with memory_stick(tmp_path, size=8 << 20) as memory:
        files.require_free(memory, 8 << 20)
        with pytest.raises(NoSpaceError, match="8,388,608 are free"):
            files.require_free(memory, (8 << 20) + 1)
        with pytest.raises(NoSpaceError):
            files.require_space(memory, 8 << 20)


@pytest.mark.parametrize(
    ("code", "kind"), [(errno.ENOSPC, NoSpaceError), (errno.EDQUOT, NoSpaceError), (errno.EIO, DepotError)]
)
def test_errors_of_our_disk_become_ours(code: int, kind: type[DepotError]) -> None:
    error = files.system_error(OSError(code, os.strerror(code)), "/somewhere")

    assert (type(error), error.where) == (kind, "/somewhere")


@pytest.mark.parametrize("code", [errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO, errno.ENOSPC])
def test_what_a_person_can_do_about_the_disk_is_said(code: int) -> None:
    assert files.system_error(OSError(code, os.strerror(code)), "/somewhere").hint
