"""One process holds a lock, and the second is told which."""

import os
from pathlib import Path

import pytest

from issmedia.base.errors import BusyError
from issmedia.base.locks import locked

NOW = "2026-06-01T12:00:00Z"


def test_the_second_holder_of_a_lock_is_told_who_holds_it(tmp_path: Path) -> None:
    lock = tmp_path / "lock"

    with (
        locked(lock, "import of /mnt", since=NOW),
        pytest.raises(BusyError) as caught,
        locked(lock, "sync", since=NOW),
    ):
        pass

    assert caught.value.message == f"busy: import of /mnt since {NOW} by pid {os.getpid()}"
    assert (caught.value.hint or "").endswith(f"; ps -fp {os.getpid()} shows it")


def test_a_lock_is_free_when_its_block_ends(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    with locked(lock, "a longer purpose than the next", since=NOW):
        pass

    with locked(lock, "sync", since=NOW):
        holder = lock.read_text()

    assert holder == f'{{"pid": {os.getpid()}, "purpose": "sync", "since": "{NOW}"}}'


def test_a_lock_file_that_says_nothing_is_still_held(tmp_path: Path) -> None:
    lock = tmp_path / "lock"

    with locked(lock, "import", since=NOW):
        lock.write_bytes(b"[]")
        with pytest.raises(BusyError, match="another process"), locked(lock, "sync", since=NOW):
            pass
