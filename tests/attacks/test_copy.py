"""Attacks on copying: rows 30, 31 and 34 to 39 of the threats. No signature is asked: anybody made the source."""

import errno
import os
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from issmedia.base.digest import CHUNK, digest_of
from issmedia.base.errors import NotIntactError
from issmedia.base.events import ignore
from issmedia.bundle.reader import DirectoryVolume
from issmedia.depot.keys import FileKey
from issmedia.model.manifest import UnverifiedBundle, UnverifiedVolume
from issmedia.ops.copies import Copy, copy_volume
from tests.makers.attacked import World
from tests.makers.bundles import content_of
from tests.makers.forge import handmade, put_sums
from tests.makers.media import Answer, Medium, fails
from tests.makers.programs import run, try_run
from tests.makers.sites import Outcome, Site
from tests.makers.sshkeys import NOW
from tests.makers.streams import some

BIG = bytes(range(256)) * (3 * CHUNK // 256) + b"end"
BIG_PATH = f"blobs/{digest_of(BIG)[:2]}/{digest_of(BIG)}"
PACKAGE = "repos/p/zoo/alpha-1.0-1.noarch.rpm"


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    """An empty directory."""
    (tmp_path / "stick").mkdir()
    return tmp_path / "stick"


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    """A directory that nothing may touch."""
    (tmp_path / "canary").mkdir()
    (tmp_path / "canary/mine").write_bytes(b"mine")
    return tmp_path / "canary"


@pytest.fixture
def medium(world: World, tmp_path: Path, release: FileKey) -> Iterator[Medium]:
    """Put a volume with one file that takes several readings, and a small one, into a drive."""
    big = handmade(world.hq.depot.site(), {"big": BIG, "small": b"small"}).write(tmp_path / "big", release)
    with DirectoryVolume(big) as volume:
        yield Medium(volume)


def assert_not_copied(lab: Site, volume: Path, stick: Path, code: int, *says: str) -> Outcome:
    """See that a volume is refused with these words, that no copy looks whole, and that nothing here changed."""
    before = lab.state()

    outcome = lab.call("copy", volume, "--to", stick)

    assert (outcome.code, lab.state()) == (code, before), outcome.err
    assert [word for word in says if word not in outcome.err] == [], outcome.err
    assert not (stick / "manifest.json").exists()
    return outcome


def copy_from(lab: Site, medium: Medium, stick: Path) -> Copy:
    """Copy what a medium gives, as the command line does."""
    head = [(medium.volume.path / name).read_bytes() for name in ("manifest.json", "manifest.json.sig")]
    bundle = UnverifiedBundle(head[0], head[1], (UnverifiedVolume("medium", medium, head[0]),))
    with lab.depot.owned("copy", now=NOW) as owned:
        return copy_volume(bundle, owned, stick, origin=medium.volume.path, now=NOW, workers=2, report=ignore)


def begun(volume: Path, stick: Path) -> None:
    """Leave a copy that was killed after its first steps."""
    shutil.copyfile(volume / "manifest.json", stick / "manifest.json.partial")


def test_030_files_that_nobody_declared_are_neither_opened_nor_copied(lab: Site, volume: Path, stick: Path) -> None:
    """Beside the good files lie others: a fifo that would block, one longer than any disk, a link to nowhere."""
    (volume / "autorun.inf").write_bytes(b"x")
    (volume / "repos/p/zoo/evil.rpm").write_bytes(b"x")
    os.truncate(volume / "repos/p/zoo/evil.rpm", 1 << 40)
    os.mkfifo(volume / "trees/fifo")
    (volume / "link").symlink_to("/etc/passwd")

    lab.do("copy", volume, "--to", stick)

    declared = {line[66:] for line in (volume / "SHA256SUMS").read_text().splitlines()}
    assert set(content_of(stick)) == declared | {"manifest.json", "manifest.json.sig", "SHA256SUMS"}


@pytest.mark.parametrize(
    "length", [lambda size: 0, lambda size: size - 1, lambda size: size + 1, lambda size: size + (1 << 30)]
)
def test_031_a_file_of_another_length_is_refused(
    lab: Site, volume: Path, stick: Path, length: Callable[[int], int]
) -> None:
    """A file is cut, or longer than it was: longer than the stick has room, perhaps."""
    os.truncate(volume / "README.txt", length((volume / "README.txt").stat().st_size))

    assert_not_copied(lab, volume, stick, 6, "README.txt", "expected")


@pytest.mark.parametrize(
    "answer",
    [
        lambda file, size: some(file, size) or b"m",
        lambda file, size: some(file, size)[:-1],
        lambda file, size: some(file, size).replace(b"end", b"END"),
        lambda file, size: b"x" * size,
    ],
    ids=["grows", "shrinks", "is replaced", "never ends"],
)
def test_034_a_file_that_changes_while_it_is_copied_is_refused(
    lab: Site, medium: Medium, stick: Path, answer: Answer
) -> None:
    """Somebody writes to the file that is just read; what came stops at the size it had, and is thrown away."""
    medium.answers[BIG_PATH] = answer

    with pytest.raises(NotIntactError) as caught:
        copy_from(lab, medium, stick)

    assert [problem.where for problem in caught.value.problems] == [BIG_PATH]
    assert medium.given[BIG_PATH] <= len(BIG) + 4
    assert {"manifest.json", BIG_PATH} & content_of(stick).keys() == set()


@pytest.mark.parametrize("code", [errno.EIO, errno.ENODEV, errno.ENOENT])
def test_035_a_medium_that_is_drawn_while_it_is_copied_costs_only_what_is_missing(
    lab: Site, medium: Medium, stick: Path, code: int
) -> None:
    """Reading fails in the middle of the large file; the next run, from a good medium, keeps what came whole."""
    medium.answers[BIG_PATH] = fails(code, after=1)
    with pytest.raises(NotIntactError) as caught:
        copy_from(lab, medium, stick)
    again = Medium(medium.volume)

    done = copy_from(lab, again, stick)

    assert [problem.where for problem in caught.value.problems] == [BIG_PATH]
    assert (stick / BIG_PATH).read_bytes() == BIG
    assert again.given[BIG_PATH] == len(BIG)
    assert done.kept == done.volume.files - 1


@pytest.mark.parametrize("path", ["../canary/evil", "/tmp/evil", "a/../../canary/evil", "C:\\evil", "-rf", "a//b"])
def test_036_sums_with_an_evil_name_are_refused(lab: Site, volume: Path, stick: Path, canary: Path, path: str) -> None:
    """Nobody signed these sums, which name a file beside the stick; copying asks for no signature."""
    (canary / "evil").write_bytes(b"evil")
    lines = [*(volume / "SHA256SUMS").read_bytes().splitlines(True), f"{digest_of(b'evil')}  {path}\n".encode()]
    lines.sort(key=lambda line: line[66:])
    put_sums(volume, b"".join(lines), files=len(lines))

    assert_not_copied(lab, volume, stick, 5, "the name ")

    assert list(stick.iterdir()) == []


@pytest.mark.parametrize("name", ["README.txt", "repos/p/zoo", "repos", "SHA256SUMS", "manifest.json"])
def test_037_a_link_in_the_source_is_not_followed(lab: Site, volume: Path, stick: Path, name: str) -> None:
    """A file, a directory on the way, the sums or the manifest are links to the same, elsewhere."""
    elsewhere = volume.parent / "elsewhere"
    (volume / name).rename(elsewhere)
    (volume / name).symlink_to(elsewhere)

    assert_not_copied(lab, volume, stick, 6, "link")

    assert list(stick.iterdir()) == []


def test_037_a_link_in_place_of_the_source_is_not_followed(lab: Site, volume: Path, stick: Path) -> None:
    """The path given is a link to a volume."""
    (volume.parent / "link").symlink_to(volume)

    assert_not_copied(lab, volume.parent / "link", stick, 5, "link")


@pytest.mark.parametrize("name", ["repos", "repos/p", "blobs", "README.txt", ".tmp-export"])
def test_037_a_link_on_the_stick_leads_nowhere(lab: Site, volume: Path, stick: Path, canary: Path, name: str) -> None:
    """An unfinished copy was prepared: what will be written goes through a link, to a directory or file of ours."""
    begun(volume, stick)
    (stick / name).parent.mkdir(exist_ok=True)
    (stick / name).symlink_to(canary if name != "README.txt" else canary / "mine")

    lab.do("copy", volume, "--to", stick)

    assert content_of(canary) == {"mine": b"mine"}
    assert not [path for path in stick.rglob("*") if path.is_symlink()]


def test_037_a_mark_that_is_a_link_is_no_mark(lab: Site, volume: Path, stick: Path) -> None:
    """The mark of an unfinished copy is a link to the manifest that is copied."""
    (stick / "manifest.json.partial").symlink_to(volume / "manifest.json")

    assert_not_copied(lab, volume, stick, 2, "holds another bundle")

    assert [path.name for path in stick.iterdir()] == ["manifest.json.partial"]


@contextmanager
def bound(path: Path) -> Iterator[None]:
    """Put a socket there."""
    with socket.socket(socket.AF_UNIX) as made:
        before = os.getcwd()
        os.chdir(path.parent)  # a socket's path is short
        made.bind(path.name)
        os.chdir(before)
        yield


@pytest.mark.timeout(20)
@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir], ids=["fifo", "directory"])
@pytest.mark.parametrize("name", ["README.txt", "SHA256SUMS", PACKAGE])
def test_038_what_is_no_file_in_the_source_is_refused_and_does_not_block(
    lab: Site, volume: Path, stick: Path, name: str, make: Callable[[Path], None]
) -> None:
    """A fifo or a directory lies where a file should."""
    (volume / name).unlink()
    make(volume / name)

    assert_not_copied(lab, volume, stick, 6, name, "not a regular file")

    assert list(stick.iterdir()) == []


def test_038_a_socket_in_the_source_is_refused(lab: Site, volume: Path, stick: Path) -> None:
    """A socket lies where a file should."""
    (volume / "README.txt").unlink()

    with bound(volume / "README.txt"):
        assert_not_copied(lab, volume, stick, 6, "README.txt", "not a regular file")


def test_038_a_hard_link_on_the_stick_is_replaced_not_written_through(
    lab: Site, volume: Path, stick: Path, canary: Path
) -> None:
    """A file of the unfinished copy is another name of a file of ours."""
    begun(volume, stick)
    (stick / PACKAGE).parent.mkdir(parents=True)
    os.link(canary / "mine", stick / PACKAGE)

    lab.do("copy", volume, "--to", stick)

    assert (canary / "mine").read_bytes() == b"mine"
    assert content_of(stick)[PACKAGE] == (volume / PACKAGE).read_bytes()


@pytest.mark.timeout(20)
@pytest.mark.parametrize("name", ["README.txt", PACKAGE])
def test_038_a_fifo_on_the_stick_is_replaced(lab: Site, volume: Path, stick: Path, name: str) -> None:
    """A fifo lies on the stick where a file will be written."""
    begun(volume, stick)
    (stick / name).parent.mkdir(parents=True, exist_ok=True)
    os.mkfifo(stick / name)

    lab.do("copy", volume, "--to", stick)

    assert (stick / name).read_bytes() == (volume / name).read_bytes()


@contextmanager
def bind_mounted(source: Path, target: Path) -> Iterator[None]:
    """Show a directory at another place too."""
    done = try_run("mount", "--bind", source, target)
    if done.returncode != 0:
        pytest.skip(f"cannot mount: {done.stderr.strip()}")
    try:
        yield
    finally:
        run("umount", target)


@pytest.mark.root
@pytest.mark.system("mount")
def test_039_another_mount_in_the_source_is_not_entered(lab: Site, volume: Path, stick: Path) -> None:
    """A directory of the volume shows another file system: here, the same files."""
    (volume / "repos").rename(volume.parent / "elsewhere")
    (volume / "repos").mkdir()

    with bind_mounted(volume.parent / "elsewhere", volume / "repos"):
        assert_not_copied(lab, volume, stick, 6, PACKAGE, "lies on another mount")

    assert list(stick.iterdir()) == []


@pytest.mark.root
@pytest.mark.system("mount")
def test_039_another_mount_on_the_stick_gets_no_file(lab: Site, volume: Path, stick: Path, canary: Path) -> None:
    """A directory of the unfinished copy shows another file system of ours."""
    begun(volume, stick)
    (stick / "repos").mkdir()

    with bind_mounted(canary, stick / "repos"):
        assert_not_copied(lab, volume, stick, 4)

    assert content_of(canary) == {"mine": b"mine"}
