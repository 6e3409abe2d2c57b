"""Attacks through links, mounts and what is no regular file: rows 37 to 40 of the threats."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from issmedia.base.digest import digest_of
from tests.makers.attacked import World, assert_refused, command_line
from tests.makers.forge import copied
from tests.makers.programs import try_run
from tests.makers.sites import Site


@pytest.mark.parametrize(
    "name",
    ["manifest.json", "manifest.json.sig", "SHA256SUMS", "README.txt", "trees", "repos", "repos/p", "repos/p/zoo",
     "repos/p/zoo/repodata/repomd.xml", "repos/p/zoo/alpha-1.0-1.noarch.rpm"],
)  # fmt: skip
def test_037_a_link_in_place_of_a_file_or_directory_is_refused(
    lab: Site, volume: Path, tmp_path: Path, name: str
) -> None:
    """What lies on the medium is moved away and a link put there: the bytes behind it are even the right ones."""
    os.replace(volume / name, tmp_path / "elsewhere")
    (volume / name).symlink_to(tmp_path / "elsewhere")

    assert_refused(lab, volume, 6, "is a symbolic link" if (tmp_path / "elsewhere").is_file() else "below a link")


def test_037_a_link_within_the_volume_is_refused(lab: Site, volume: Path) -> None:
    """A link does not leave the medium, this time."""
    package = volume / "repos/p/zoo/alpha-1.0-1.noarch.rpm"
    os.replace(package, volume / "alpha")
    package.symlink_to("../../../alpha")

    assert_refused(lab, volume, 6, "is a symbolic link")


def test_037_a_link_in_place_of_the_volume_is_refused(lab: Site, volume: Path, tmp_path: Path) -> None:
    """The mount point itself is a link."""
    (tmp_path / "link").symlink_to(volume)

    assert_refused(lab, tmp_path / "link", 5, "name the directory itself")


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _socket(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path.name)
    finally:
        os.chdir(here)


@pytest.mark.timeout(30)
@pytest.mark.parametrize("make", [_fifo, _socket, Path.mkdir], ids=["fifo", "socket", "directory"])
@pytest.mark.parametrize(
    "name", ["manifest.json", "manifest.json.sig", "SHA256SUMS", "README.txt", "repos/p/zoo/repodata/repomd.xml"]
)
def test_038_what_is_no_regular_file_is_refused_without_waiting(
    lab: Site, volume: Path, name: str, make: Callable[[Path], None]
) -> None:
    """A fifo stands in place of a file, to be waited for; or a socket, or a directory."""
    (volume / name).unlink()
    make(volume / name)

    assert_refused(lab, volume, 6, name, "is not a regular file")


@pytest.mark.root
def test_038_a_device_is_refused(lab: Site, volume: Path) -> None:
    """A device that gives bytes for ever stands in place of a file."""
    (volume / "README.txt").unlink()
    os.mknod(volume / "README.txt", 0o20666, os.makedev(1, 5))

    assert_refused(lab, volume, 6, "README.txt: ")


def test_038_hard_links_are_believed_by_their_bytes_only(lab: Site, volume: Path, tmp_path: Path) -> None:
    """A file is a hard link to something else on the same disk."""
    (tmp_path / "secret").write_bytes(b"secret")
    package = volume / "repos/p/zoo/alpha-1.0-1.noarch.rpm"
    package.unlink()
    os.link(tmp_path / "secret", package)

    assert_refused(lab, volume, 6, package.name)

    assert not lab.depot.store.has(digest_of(b"secret"), 6)


@pytest.mark.root
@pytest.mark.system("unshare", "mount")
@pytest.mark.parametrize("name", ["repos/p/zoo", "repos/p/zoo/alpha-1.0-1.noarch.rpm", "manifest.json"])
def test_039_another_mount_within_the_volume_is_refused(
    lab: Site, volume: Path, world: World, tmp_path: Path, name: str
) -> None:
    """Something else is mounted below the mount point, with the right bytes: it could change at any time."""
    before = lab.state()
    script = 'mount --bind "$1" "$2" && shift 2 && exec "$@"'

    outcome = try_run(
        "unshare", "-m", "sh", "-c", script, "sh", world.newer / name, volume / name,
        *command_line(lab, "import", volume),
    )  # fmt: skip

    assert (outcome.returncode, lab.state()) == (6, before), outcome.stderr
    assert "lies on another mount" in outcome.stderr


def test_040_a_sibling_with_the_same_beginning_is_outside(lab: Site, volume: Path, tmp_path: Path) -> None:
    """`volume-evil` lies beside `volume`, and a link leads there: a test of path prefixes would let it pass.

    As librepo and Pulp had it.
    """
    evil = copied(volume, tmp_path / "volume-evil")
    package = Path("repos/p/zoo/alpha-1.0-1.noarch.rpm")
    (volume / package).unlink()
    (volume / package).symlink_to(f"../../../../{evil.name}/{package}")

    assert_refused(lab, volume, 6, "is a symbolic link")
