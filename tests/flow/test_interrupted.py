"""Ctrl-C while a large file is being copied: nobody waits for its end, the same command again completes it."""

import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.makers.repos import build_repo
from tests.makers.sites import Site, connected_site, disconnected_site

SIZE = 64 << 20

PROGRAM = """
import signal, threading
from issmedia.base import files
from issmedia.cli.main import main

interrupted = threading.Event()

def interrupt(number, frame):
    interrupted.set()
    raise KeyboardInterrupt

def hold(kind, name):
    if threading.current_thread() is not threading.main_thread() and not interrupted.is_set():
        print("copying", flush=True)
        interrupted.wait()

signal.signal(signal.SIGINT, interrupt)
with files.observing(hold):
    main()
"""
"""Holds the first thread that copies until the interruption is there; from then on it may copy as fast as it can."""


@dataclass(frozen=True)
class Ended:
    """How an interrupted command ended."""

    code: int
    err: str


@pytest.fixture
def hq(tmp_path: Path) -> Site:
    """A site with one large file."""
    repo = build_repo(tmp_path / "upstream", ["alpha"])
    with (repo.path / "large.img").open("wb") as file:
        file.truncate(SIZE)
    return connected_site(tmp_path / "hq", zoo=repo.path)


def interrupted(site: Site, *arguments: str | Path) -> Ended:
    """Run a command, and interrupt it as soon as a thread of it copies."""
    command = [sys.executable, "-c", PROGRAM, "--depot", str(site.root), *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"copying\n"
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    return Ended(process.returncode, said.decode())


def large_files(directory: Path) -> list[Path]:
    """List what is as long as the large file."""
    return [path for path in directory.rglob("*") if path.is_file() and path.stat().st_size >= SIZE]


def test_an_interrupted_export_does_not_wait_for_the_file_it_copies(hq: Site, tmp_path: Path) -> None:
    ended = interrupted(hq, "export", "--to", tmp_path / "stick")

    assert (ended.code, large_files(tmp_path / "stick")) == (130, [])
    assert ended.err.endswith("interrupted: the same command again goes on where this stopped\n")
    hq.do("export", "--to", tmp_path / "stick")


def test_an_interrupted_import_does_not_wait_for_the_file_it_copies(hq: Site, tmp_path: Path) -> None:
    lab = disconnected_site(tmp_path / "lab", hq)
    hq.do("export", "--to", tmp_path / "stick")

    ended = interrupted(lab, "import", tmp_path / "stick")

    assert (ended.code, large_files(lab.root)) == (130, [])
    assert list((lab.root / "store/incoming").iterdir()) == []
    lab.do("import", tmp_path / "stick")
