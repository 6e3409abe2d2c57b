"""issmedia import --wait: on a terminal it asks for the volumes that are needed, and notices them."""

import ctypes
import os
import pty
import shutil
import signal
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.makers.attacked import command_line
from tests.makers.shelves import Shelf, shelve
from tests.makers.sites import Site
from tests.makers.terminals import Terminal

NOT_INTACT, WAITING, INTERRUPTED = 6, 7, 130


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    """Three data volumes and one of parity."""
    return shelve(tmp_path_factory.mktemp("shelf"), "--parity", "1", volumes=3)


@pytest.fixture
def site(shelf: Shelf, tmp_path: Path) -> Site:
    """A site that waits for them."""
    return shelf.lab(tmp_path / "site")


@pytest.fixture
def drive(tmp_path: Path) -> "Drive":
    """An empty drive."""
    return Drive(tmp_path / "drive")


@dataclass(frozen=True)
class Drive:
    """A place where one volume at a time lies."""

    path: Path

    def insert(self, volume: Path) -> None:
        """Swap the volume, in one step: were there a moment with none, another drive's would be asked about."""
        new = self.path.with_name("tray")
        shutil.copytree(volume, new)
        if self.path.exists():
            exchange(new, self.path)
            new.rename(self._out())
        else:
            new.rename(self.path)

    def eject(self) -> None:
        """Take out what is there."""
        if self.path.exists():
            self.path.rename(self._out())

    def _out(self) -> Path:
        return self.path.with_name(f"out-{len(list(self.path.parent.glob('out-*')))}")


def exchange(one: Path, other: Path) -> None:
    """Give each the other's name, as renameat2(2) does."""
    done = ctypes.CDLL(None, use_errno=True).renameat2(-100, os.fsencode(one), -100, os.fsencode(other), 2)
    assert done == 0, os.strerror(ctypes.get_errno())


@pytest.fixture
def terminals() -> Iterator[list[Terminal]]:
    """End what a failed test left running."""
    started: list[Terminal] = []
    yield started
    for one in started:
        if one.code is None:
            os.kill(one.pid, signal.SIGKILL)
            os.waitpid(one.pid, 0)
        os.close(one.fd)


def start(terminals: list[Terminal], site: Site, *arguments: str | Path) -> Terminal:
    """Run a command on a terminal of its own."""
    command = command_line(site, *arguments)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # threads of the test runner only wait
        pid, fd = pty.fork()
    if pid == 0:
        os.execv(command[0], command)
    terminals.append(Terminal(pid, fd))
    return terminals[-1]


def asked(text: str, shelf: Shelf) -> list[int]:
    """List the volumes that the last question names."""
    question = text[text.rindex(": put volume ") :]
    return [number for number, label in enumerate(shelf.labels, 1) if label in question]


QUESTION = r": put volume [^\n]*\n"


def test_it_asks_for_what_is_needed_notices_each_and_ends(
    shelf: Shelf, site: Site, drive: Drive, terminals: list[Terminal]
) -> None:
    drive.insert(shelf.volume(2))
    terminal = start(terminals, site, "import", "--wait", drive.path)
    questions = [asked(terminal.until(QUESTION), shelf)]

    drive.insert(shelf.volume(3))
    questions.append(asked(terminal.until(QUESTION), shelf))
    drive.insert(shelf.volume(1))
    terminal.end()

    assert (questions, terminal.code) == ([[1, 3], [1]], 0)
    assert site.trees() == shelf.hq.trees()


def test_it_asks_no_more_once_parity_makes_up_for_the_rest(
    shelf: Shelf, site: Site, drive: Drive, terminals: list[Terminal]
) -> None:
    drive.insert(shelf.volume(1))
    terminal = start(terminals, site, "import", "--wait", drive.path)
    terminal.until(QUESTION)

    drive.insert(shelf.volume(4))
    question = asked(terminal.until(QUESTION), shelf)
    drive.insert(shelf.volume(3))
    terminal.end()

    assert (question, terminal.code) == ([2, 3], 0)
    assert site.trees() == shelf.hq.trees()


def test_a_volume_of_another_bundle_is_named_and_left_alone(
    shelf: Shelf, site: Site, drive: Drive, terminals: list[Terminal], tmp_path: Path
) -> None:
    other = _of_another_chain(shelf, site, tmp_path)
    drive.insert(shelf.volume(1))
    terminal = start(terminals, site, "import", "--wait", drive.path)
    terminal.until(QUESTION)
    before = site.state()

    drive.insert(other)
    said = terminal.until(QUESTION)

    assert "is a volume of another bundle" in said
    assert asked(said, shelf) == [2, 3]
    assert before == site.state()
    drive.insert(shelf.volume(2))
    terminal.until(QUESTION)
    drive.insert(shelf.volume(3))
    terminal.end()
    assert (terminal.code, site.trees()) == (0, shelf.hq.trees())


def _of_another_chain(shelf: Shelf, site: Site, root: Path) -> Path:
    """Let the sender make a bundle for this site alone."""
    if site.root.name not in shelf.hq.do("site", "list").out:
        shelf.hq.do("site", "add", site.root.name)
    shelf.hq.do("export", "p/zoo-extra", "--to", root / "other", "--to-site", site.root.name)
    return root / "other"


def test_a_volume_that_is_damaged_is_said_and_asked_for_again(
    shelf: Shelf, site: Site, drive: Drive, terminals: list[Terminal], tmp_path: Path
) -> None:
    spoiled = shelf.copied(tmp_path / "spoiled")
    bad = spoiled.volume(2) / "repos/p/zoo/Packages/b/bat-1.0-1.noarch.rpm"
    bad.write_bytes(bad.read_bytes()[:-1])
    drive.insert(shelf.volume(1))
    terminal = start(terminals, site, "import", "--wait", drive.path)
    terminal.until(QUESTION)

    drive.insert(spoiled.volume(2))
    said = terminal.until(QUESTION)
    drive.insert(shelf.volume(3))
    last = terminal.until(QUESTION)

    assert "bat-1.0-1.noarch.rpm" in said
    assert (asked(said, shelf), asked(last, shelf)) == ([2, 3], [2])
    drive.insert(shelf.volume(2))
    terminal.end()
    assert (terminal.code, site.trees()) == (0, shelf.hq.trees())


@dataclass(frozen=True)
class BadFirst:
    """Something wrong with the disc that is in the drive when the import begins."""

    name: str
    says: str

    def spoil(self, volume: Path) -> Path | None:
        """Spoil a copy of volume 2, or give None for an empty drive."""
        if self.name == "empty drive":
            return None
        if self.name == "package":
            bad = volume / "repos/p/zoo/Packages/b/bat-1.0-1.noarch.rpm"
            bad.write_bytes(bad.read_bytes()[:-1])
        elif self.name == "listings":
            for listing in (volume / "trees").iterdir():
                listing.write_bytes(b"x")
        elif self.name == "manifest":
            (volume / "manifest.json").unlink()
        return volume


BAD_FIRSTS = (
    BadFirst("empty drive", "cannot be opened as a volume"),
    BadFirst("manifest", "no manifest.json here"),
    BadFirst("listings", "trees/"),
    BadFirst("package", "bat-1.0-1.noarch.rpm"),
)


@pytest.mark.parametrize("bad", BAD_FIRSTS, ids=lambda bad: bad.name)
def test_what_is_wrong_with_the_first_disc_is_said_and_another_one_asked_for(
    shelf: Shelf, site: Site, drive: Drive, terminals: list[Terminal], tmp_path: Path, bad: BadFirst
) -> None:
    if (volume := bad.spoil(shelf.copied(tmp_path / "spoiled").volume(2))) is not None:
        drive.insert(volume)
    terminal = start(terminals, site, "import", "--wait", drive.path)
    assert bad.says in terminal.until(r"put (a )?volume [^\n]*\n")

    drive.insert(shelf.volume(2))
    if volume is not None:
        terminal.press("\n")  # another copy of the same volume, which is noticed only where the drive was seen empty
    questions = [asked(terminal.until(QUESTION), shelf)]
    drive.insert(shelf.volume(1))
    questions.append(asked(terminal.until(QUESTION), shelf))
    drive.insert(shelf.volume(3))
    terminal.end()

    assert questions == [[1, 3], [3]]
    assert (terminal.code, site.trees()) == (0, shelf.hq.trees())


def test_a_first_disc_of_a_signer_that_is_not_known_ends_the_import(
    shelf: Shelf, drive: Drive, terminals: list[Terminal], tmp_path: Path
) -> None:
    stranger = Site(tmp_path / "stranger")
    stranger.do("init", "--name", "stranger")
    drive.insert(shelf.volume(1))

    terminal = start(terminals, stranger, "import", "--wait", drive.path)

    assert "put " not in terminal.end()
    assert terminal.code == NOT_INTACT


def test_a_first_disc_of_an_old_bundle_ends_the_import(
    shelf: Shelf, site: Site, drive: Drive, terminals: list[Terminal], tmp_path: Path
) -> None:
    shelf.hq.do("export", "--to", tmp_path / "newer")
    site.do("import", tmp_path / "newer")
    drive.insert(shelf.volume(1))

    terminal = start(terminals, site, "import", "--wait", drive.path)

    assert "already imported is" in terminal.end()
    assert terminal.code == NOT_INTACT


def test_an_empty_drive_is_no_answer_and_enter_looks_again(
    shelf: Shelf, site: Site, drive: Drive, terminals: list[Terminal]
) -> None:
    drive.insert(shelf.volume(1))
    terminal = start(terminals, site, "import", "--wait", drive.path)
    terminal.until(QUESTION)

    terminal.press("\n")
    again = asked(terminal.until(QUESTION), shelf)
    drive.eject()
    drive.insert(shelf.volume(2))
    question = asked(terminal.until(QUESTION), shelf)

    assert (again, question) == ([2, 3], [3])


@pytest.mark.parametrize("first", [True, False], ids=["first drive", "second drive"])
def test_of_two_drives_one_may_be_empty_or_hold_something_else(
    shelf: Shelf, site: Site, terminals: list[Terminal], tmp_path: Path, first: bool
) -> None:
    drive, other = (Drive(tmp_path / name / "drive") for name in ("upper", "lower"))
    for one in (drive, other):
        one.path.parent.mkdir()
    (tmp_path / "pictures").mkdir()
    drive.insert(shelf.volume(1))
    terminal = start(terminals, site, "import", "--wait", *([other.path, drive.path][:: 1 if first else -1]))
    said = [terminal.until(QUESTION)]

    for volume in (tmp_path / "pictures", _of_another_chain(shelf, site, tmp_path)):
        other.insert(volume)
        said.append(terminal.until(QUESTION))
    drive.insert(shelf.volume(2))
    question = asked(terminal.until(QUESTION), shelf)
    other.insert(shelf.volume(3))
    terminal.end()

    reasons = ("cannot be opened as a volume", "not a volume of a bundle", "is a volume of another bundle")
    assert [f"{other.path}: {reason}" in text for reason, text in zip(reasons, said, strict=True)] == [True] * 3
    assert all("it was left alone" in text and asked(text, shelf) == [2, 3] for text in said)
    assert (question, terminal.code, site.trees()) == ([3], 0, shelf.hq.trees())


def test_whoever_gives_up_loses_nothing(shelf: Shelf, site: Site, drive: Drive, terminals: list[Terminal]) -> None:
    drive.insert(shelf.volume(1))
    terminal = start(terminals, site, "import", "--wait", drive.path)
    terminal.until(QUESTION)

    terminal.press("\x03")
    said = terminal.end()

    assert (terminal.code, "Traceback" in said) == (INTERRUPTED, False)
    site.do("import", shelf.volume(2), shelf.volume(3))
    assert site.trees() == shelf.hq.trees()


def test_without_a_terminal_it_does_not_wait(shelf: Shelf, site: Site) -> None:
    outcome = site.call("import", "--wait", shelf.volume(1))

    assert outcome.code == WAITING
    assert "no terminal to ask on" in outcome.err
