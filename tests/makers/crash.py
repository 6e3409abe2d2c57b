"""Runs that end in the middle: killed at the n-th change of the disk, or told there that the disk is full or broken.

A run is a fork of the test's process, so that it starts in a moment; what it leaves is what a real kill leaves.

    scene = Scene(prepared, place, ("import", "bundle"))
    for trial in scene.trials(kill_at):         # n = 1, 2, … until the command gets past its last change
        trial.facts()                           # what the run left
"""

import errno
import gc
import hashlib
import itertools
import json
import os
import re
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from issmedia.base import files
from tests.makers.sites import Outcome, Site

Fault = Callable[[int], files.Step]
"""Makes the step that strikes at the n-th change."""

KINDS = frozenset({"create", "write", "fsync", "syncfs", "link", "rename", "unlink", "mkdir", "commit"})
"""Every kind of change that `base.files` announces."""

_DEPOT = "depot"
_MAIN = "from issmedia.cli.main import main; main()"
_DONE = " done"
_TEMPORARY = re.compile(r"\.tmp-[0-9a-f]{32}")
_PUBLICATION = re.compile(r"depot/publications/((?:trees/)?[0-9a-f]{64})/")
_HALF = re.compile(r"\.tmp-|store/incoming/.|manifest\.json\.partial")


@dataclass(frozen=True)
class Ended:
    """How a run ended: `code` is None where it was killed; `steps` are the changes it announced."""

    code: int | None
    err: str
    steps: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Facts:
    """What matters of a place: the disk but for the catalog's bytes, what clients see, and what the catalog says.

    Paths under temporary names count as one, whatever and how many they are.
    """

    disk: dict[str, str]
    published: dict[str, str]
    trees: dict[str, str | None]
    bundles: tuple[str, ...]
    events: tuple[str, ...]

    @property
    def names(self) -> tuple[dict[str, str | None], tuple[str, ...]]:
        """What must move as one: which tree each repository stands at, and which bundles crossed."""
        return self.trees, self.bundles

    @property
    def publications(self) -> dict[str, set[str]]:
        """Say what lies in each published tree and generation that has its final name."""
        found: dict[str, set[str]] = {}
        for path in self.disk:
            if match := _PUBLICATION.match(path):
                found.setdefault(match[1], set()).add(path)
        return found

    @property
    def leftovers(self) -> list[str]:
        """List what only a run under way may have."""
        return [path for path in self.disk if _HALF.search(path)]

    @property
    def key(self) -> str:
        """Tell states apart."""
        return json.dumps([self.disk, self.published, self.trees, self.bundles, self.events], sort_keys=True)


@dataclass(frozen=True)
class Scene:
    """A command on a site: `prepared` is copied to `place` for every run, its `depot` is the site's.

    A run always happens at the same place, so nothing that is compared depends on where. Arguments that begin with
    `@` are paths below the place.
    """

    prepared: Path
    place: Path
    arguments: tuple[str, ...]

    @property
    def site(self) -> Site:
        """Give the site at the place."""
        return Site(self.place / _DEPOT)

    def fresh(self) -> None:
        """Put the prepared state at the place."""
        shutil.rmtree(self.place, ignore_errors=True)
        copy_tree(self.prepared, self.place)

    def call(self) -> Outcome:
        """Run the command in this process."""
        return self.site.call(*self.resolved)

    @property
    def resolved(self) -> list[str]:
        """Give the arguments with paths filled in."""
        return [f"{self.place}/{one[1:]}" if one.startswith("@") else one for one in self.arguments]

    def facts(self) -> Facts:
        """Look at the place."""
        return facts_of(self.place)

    @cached_property
    def before(self) -> Facts:
        """Tell the state before the command."""
        self.fresh()
        return self.facts()

    @cached_property
    def after(self) -> Facts:
        """Tell the state after the command, uninterrupted."""
        self.fresh()
        outcome = self.call()
        assert outcome.code == 0, outcome.err
        return self.facts()

    def trials(self, fault: Fault) -> Iterator["Trial"]:
        """Run the command anew with the fault one change later each time, until it comes too late to strike."""
        for number in itertools.count(1):
            self.fresh()
            ended = forked(self.call, fault(number))
            if len(ended.steps) < number:
                return
            kind, name = ended.steps[number - 1]
            yield Trial(self, ended, kind, f"{self.arguments[0]}: change {number}, {kind} {name}")

    def straced(self, *options: str | Path, log: Path = Path(os.devnull)) -> Ended:
        """Run the command anew as a process under strace: `options` inject into its system calls, or log them."""
        self.fresh()
        environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(Path(__file__).parents[2])}
        command = [
            "strace",
            "-qq",
            "-o",
            log,
            *options,
            sys.executable,
            "-c",
            _MAIN,
            "--depot",
            self.site.root,
            *self.resolved,
        ]
        done = subprocess.run(list(map(str, command)), env=environment, capture_output=True, check=False)
        code = None if done.returncode == -signal.SIGKILL else done.returncode
        return Ended(code, done.stderr.decode("utf-8", "replace"), ())


@dataclass(frozen=True)
class Trial:
    """A run that was struck at a change of this `kind`, and left what is at the place until the next run begins."""

    scene: Scene
    ended: Ended
    kind: str
    what: str

    def __str__(self) -> str:
        return self.what


def kill_at(number: int) -> files.Step:
    """Kill the process, as a power cut would, before the n-th change."""

    def strike(count: int, _kind: str, _name: str) -> None:
        if count == number:
            os.kill(os.getpid(), signal.SIGKILL)

    return _counting(strike)


def fail_at(number: int) -> files.Step:
    """Let the n-th change fail with an error of the device."""

    def strike(count: int, _kind: str, name: str) -> None:
        if count == number:
            _fail(errno.EIO, name)

    return _counting(strike)


def full_from(number: int) -> files.Step:
    """Let the disk be full from the n-th change on: nothing grows any more, what is there can be removed."""

    def strike(count: int, kind: str, name: str) -> None:
        if count >= number and kind != "unlink":
            _fail(errno.ENOSPC, name)

    return _counting(strike)


def _counting(strike: Callable[[int, str, str], None]) -> files.Step:
    numbers = itertools.count(1)
    guard = threading.Lock()

    def step(kind: str, name: str) -> None:
        with guard:
            number = next(numbers)
        strike(number, kind, name)

    return step


def _fail(code: int, name: str) -> None:
    """Fail, except where nothing is changed: after the database's commit."""
    if not name.endswith(_DONE):
        raise OSError(code, os.strerror(code))


def forked(call: Callable[[], Outcome], step: files.Step) -> Ended:
    """Run a command in a fork of this process, its changes seen by `step`."""
    with tempfile.TemporaryFile() as log, tempfile.TemporaryFile() as result:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # threads of the test runner only wait
            child = os.fork()
        if child == 0:
            _be_child(call, step, log.fileno(), result.fileno())
        _, status = os.waitpid(child, 0)
        steps = _content(log.fileno()).splitlines()
        code = None if os.WIFSIGNALED(status) else os.waitstatus_to_exitcode(status)
        kinds = tuple((kind, name) for kind, _, name in (line.partition(" ") for line in steps))
        return Ended(code, _content(result.fileno()), kinds)


def _be_child(call: Callable[[], Outcome], step: files.Step, log: int, result: int) -> None:
    code = 70
    gc.disable()  # its rounds would copy the heap that is shared with the parent
    try:
        with files.observing(lambda kind, name: _write(log, f"{kind} {name}\n")), files.observing(step):
            outcome = call()
        _write(result, outcome.err)
        code = outcome.code
    except BaseException as error:
        _write(result, f"Traceback: {error!r}")
        raise
    finally:
        os._exit(code)


def _write(fd: int, text: str) -> None:
    os.write(fd, text.encode())


def _content(fd: int) -> str:
    os.lseek(fd, 0, os.SEEK_SET)
    with open(fd, "rb", closefd=False) as file:
        return file.read().decode("utf-8", "replace")


def copy_tree(source: Path, target: Path) -> None:
    """Copy a directory with its links, modes and hard links, as `cp -a`."""
    subprocess.run(["cp", "-a", source, target], check=True)


@contextmanager
def quick_directory() -> Iterator[Path]:
    """Make a directory in memory where there is such a file system: what is killed are processes, not the machine."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as made:
        yield Path(made)


def facts_of(place: Path) -> Facts:
    """Look at a place: everything below it, and what the catalog of its depot says."""
    depot = place / _DEPOT
    trees, bundles, events = _catalog(depot / "catalog.sqlite")
    apart = (f"{_DEPOT}/catalog.", f"{_DEPOT}/lock")
    disk = sorted((path, text) for path, text in _listing(str(place)) if not path.startswith(apart))
    return Facts(dict(disk), _published(str(depot / "published")), trees, bundles, events)


def _listing(root: str) -> Iterator[tuple[str, str]]:
    for folder, folders, names in os.walk(root):
        for name in (*folders, *names):
            path = f"{folder}/{name}"
            relative = path[len(root) + 1 :]
            if match := _TEMPORARY.search(relative):
                yield f"{relative[: match.start()]}.tmp-", "temporary"
            else:
                yield relative, _described(path)


def _described(path: str) -> str:
    facts = os.lstat(path)
    if f"/{_DEPOT}/reports/" in path:
        return "a report, which tells the time"
    if stat.S_ISLNK(facts.st_mode):
        return f"-> {os.readlink(path)}"
    return f"{stat.S_IMODE(facts.st_mode):04o} {_digest(path) if stat.S_ISREG(facts.st_mode) else 'directory'}"


def _published(link: str) -> dict[str, str]:
    found = (f"{folder}/{name}" for folder, _, names in os.walk(link, followlinks=True) for name in names)
    return {path[len(link) + 1 :]: _digest(path) for path in found}


def _digest(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


_TREES = """
SELECT p.label || '/' || r.label, s.tree FROM repositories r
JOIN products p ON p.id = r.product LEFT JOIN snapshots s ON s.id = r.current ORDER BY 1
"""


def _catalog(path: Path) -> tuple[dict[str, str | None], tuple[str, ...], tuple[str, ...]]:
    if not path.exists():
        return {}, (), ()
    with closing(sqlite3.connect(path)) as db:
        if not db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            return {}, (), ()
        bundles = tuple(
            f"{way} {digest}" for way, digest in db.execute("SELECT direction, id FROM bundles ORDER BY 1, 2")
        )
        entries = (json.loads(entry) for (entry,) in db.execute("SELECT entry FROM ledger ORDER BY number"))
        events = tuple(f"{one['event']} {json.dumps(one['facts'], sort_keys=True)}" for one in entries)
        return dict(db.execute(_TREES)), bundles, events
