"""Sticks: real file systems in image files, mounted. Tests that use them need root."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.makers.programs import all_must_run, run, try_run


@dataclass(frozen=True)
class Stick:
    """A mounted file system, and the file that stands for its medium."""

    path: Path
    image: Path

    @property
    def device(self) -> Path:
        """Give the block device."""
        return Path(run("findmnt", "-no", "SOURCE", self.path).strip())

    def rot(self, content: bytes) -> None:
        """Flip a bit of this content on the medium, wherever it lies; what memory holds of it stays as it is."""
        os.sync()
        data = self.image.read_bytes()
        at = data.index(content)
        with self.image.open("r+b") as medium:
            medium.seek(at)
            medium.write(bytes([content[0] ^ 1]))
            medium.flush()
            os.fsync(medium.fileno())


@contextmanager
def ext4_stick(directory: Path, *, size: int = 16 << 20) -> Iterator[Stick]:
    """Make and mount a stick of so many bytes below a directory."""
    stick = Stick(directory / "stick", directory / "stick.img")
    stick.path.mkdir()
    stick.image.touch()
    os.truncate(stick.image, size)
    run("mkfs.ext4", "-q", "-F", "-m", "0", "-L", "FIELD", "-O", "^has_journal", stick.image)
    with _mounted(stick.path, "-o", "loop", stick.image):
        yield stick


@contextmanager
def memory_stick(directory: Path, *, size: int) -> Iterator[Path]:
    """Mount a file system in memory of so many bytes below a directory."""
    path = directory / "memory"
    path.mkdir()
    with _mounted(path, "-t", "tmpfs", "-o", f"size={size}", "issmedia-test"):
        yield path


@contextmanager
def _mounted(path: Path, *options: str | Path) -> Iterator[None]:
    done = try_run("mount", *options, path)
    if done.returncode != 0 and not all_must_run():
        pytest.skip(f"cannot mount: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    try:
        yield
    finally:
        run("umount", path)
