"""Media as machines have them: sticks and images that are mounted, by the kernel or FUSE, and devices. All need root.

Each is unmounted, and its device given back, however the test ends.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.makers.programs import all_must_run, run, try_run


def blank(image: Path, size: int, *make: str) -> Path:
    """Make a file of `size` bytes, and in it a file system by this command."""
    image.touch()
    os.truncate(image, size)
    run(*make, image)
    return image


@contextmanager
def loop_device(image: Path, *options: str) -> Iterator[Path]:
    """Let a block device be a file."""
    device = Path(_tried("losetup", *options, "--find", "--show", image).strip())
    try:
        yield device
    finally:
        run("losetup", "--detach", device)


@contextmanager
def mounted(directory: Path, *command: str | Path) -> Iterator[Path]:
    """Mount by a command that is told the directory last; it is made where it is absent."""
    directory.mkdir(exist_ok=True)
    _tried(*command, directory)
    try:
        yield directory
    finally:
        run("umount", directory)


@contextmanager
def ext4_mount(image: Path, directory: Path) -> Iterator[Path]:
    """Mount by the kernel."""
    with mounted(directory, "mount", "-o", "loop", image) as place:
        yield place


@contextmanager
def exfat_mount(image: Path, directory: Path) -> Iterator[Path]:
    """Mount exFAT by its driver in FUSE, which wants a device."""
    with loop_device(image) as device, mounted(directory, "mount.exfat-fuse", device) as place:
        yield place


@contextmanager
def iso_mount(image: Path, directory: Path) -> Iterator[Path]:
    """Mount an ISO image by its driver in FUSE."""
    with mounted(directory, "fuseiso", image) as place:
        yield place


def _tried(*command: str | Path) -> str:
    """Run what not every machine lets root do: skip where it fails, unless everything must run."""
    done = try_run(*command)
    if done.returncode != 0 and not all_must_run():
        pytest.skip(f"{command[0]}: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    return done.stdout
