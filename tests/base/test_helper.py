"""Helpers: processes of ours, which have nothing of us, and get jobs over a line."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from issmedia.base.helper import Helper, last_line
from issmedia.base.sockets import send_job

_ECHO = """
from issmedia.base.sockets import our_line, receive_job
line = our_line()
while found := receive_job(line, most={most}, count=1):
    job, (fd,) = found
    open(fd, "wb").write(job)
    line.sendall(b"!")
"""


def script(text: str) -> tuple[str, ...]:
    """Give the command of a helper that runs a script."""
    return (sys.executable, "-c", text)


@contextlib.contextmanager
def echoing(most: int) -> Iterator[Helper]:
    """Give a helper that writes each job to the descriptor that comes with it."""
    with contextlib.closing(Helper(script(_ECHO.format(most=most)))) as helper:
        yield helper


@pytest.mark.parametrize("size", [0, 1, 3_000_000])
def test_a_job_of_any_length_comes_whole_and_with_its_descriptor(tmp_path: Path, size: int) -> None:
    with echoing(10_000_000) as helper, (tmp_path / "said").open("wb") as said:
        for _ in range(2):
            send_job(helper.line, bytes(size), [said.fileno()])
            assert helper.line.recv(1) == b"!"

    assert (tmp_path / "said").read_bytes() == bytes(2 * size)


def test_a_job_that_is_too_long_is_not_taken(tmp_path: Path) -> None:
    with echoing(10) as helper, (tmp_path / "said").open("wb") as said:
        with contextlib.suppress(OSError):
            send_job(helper.line, bytes(11), [said.fileno()])

        assert helper.exit_code(within_s=10) == 0
    assert (tmp_path / "said").read_bytes() == b""


def test_a_helper_ends_with_its_line() -> None:
    with echoing(10) as helper:
        helper.line.close()

        assert helper.exit_code(within_s=10) == 0


def test_a_helper_has_nothing_of_our_environment_and_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "s3cret")
    with echoing(10) as helper:
        process = Path(f"/proc/{helper.pid}")

        assert b"s3cret" not in (process / "environ").read_bytes()
        assert os.getsid(helper.pid) == helper.pid
        assert os.readlink(process / "cwd") == "/"


def test_a_helper_that_cannot_be_started_leaves_no_descriptor() -> None:
    before = os.listdir("/proc/self/fd")

    with pytest.raises(FileNotFoundError):
        Helper(("/nothing/python",))

    assert os.listdir("/proc/self/fd") == before


def test_a_helper_that_ended_is_ended_no_more() -> None:
    with echoing(10) as helper:
        helper.line.close()
        assert helper.exit_code(within_s=10) == 0
        with subprocess.Popen(("sleep", "60"), start_new_session=True) as other:
            helper.pid = other.pid  # a number that was given to somebody else since

            helper.kill()
            helper.close()

            assert other.poll() is None
            other.kill()


def test_of_what_a_dead_helper_said_the_last_line_is_its_error() -> None:
    with contextlib.closing(Helper(script("import nothing"))) as helper:
        assert helper.exit_code(within_s=10) == 1

        assert last_line(helper.last_words()) == "ModuleNotFoundError: No module named 'nothing'"
    assert last_line(b" \n") == "it said nothing"
