"""Row 64: a power cut may lose what was not flushed, and names before others; strace shows the order of the calls."""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.crash.conftest import Eve
from tests.makers.crash import Scene, forked

pytestmark = pytest.mark.system("strace")

_CALL = re.compile(r"(\w+)\((.*)\) += \d+")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_DESCRIPTOR = re.compile(r"\d+<(/[^>]*)>")
_TEMPORARY = re.compile(r"\.tmp-[0-9a-f]+")
_KINDS = {
    "openat": "create",
    "write": "write",
    "pwrite64": "write",
    "syncfs": "syncfs",
    "fsync": "fsync",
    "fdatasync": "fsync",
    "link": "link",
    "linkat": "link",
    "symlink": "link",
    "symlinkat": "link",
    "rename": "rename",
    "renameat": "rename",
    "renameat2": "rename",
    "unlink": "unlink",
    "unlinkat": "unlink",
    "rmdir": "unlink",
    "mkdir": "mkdir",
    "mkdirat": "mkdir",
}
"""System call → the kind under which `base.files` announces it."""

_BY_DESCRIPTOR = {"write", "syncfs", "fsync"}


@dataclass(frozen=True)
class Change:
    """One change the kernel saw: its kind and the path changed, relative to the place."""

    kind: str
    path: str


@dataclass(frozen=True)
class Trace:
    """The changes below a scene's place, in order."""

    changes: list[Change]

    def first(self, kind: str, path: str, *, after: int = -1) -> int:
        """Find the first change of a kind whose path matches, after a position."""
        return min(self._some(kind, path, [at for at in self._all(kind, path) if at > after]))

    def last(self, kind: str, path: str, *, before: int | None = None) -> int:
        """Find the last change of a kind whose path matches, before a position."""
        return max(self._some(kind, path, [at for at in self._all(kind, path) if before is None or at < before]))

    def all(self, kind: str, path: str) -> list[int]:
        """Find all changes of a kind whose path matches; there must be some."""
        return self._some(kind, path, self._all(kind, path))

    def _some(self, kind: str, path: str, found: list[int]) -> list[int]:
        assert found, f"no {kind} of {path} where there must be one"
        return found

    def _all(self, kind: str, path: str) -> list[int]:
        pattern = re.compile(path)
        return [at for at, one in enumerate(self.changes) if one.kind == kind and pattern.fullmatch(one.path)]


@pytest.fixture(scope="module")
def traced(eve: Eve, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Scene], Trace]:
    """Trace a command, each once."""
    known: dict[Scene, Trace] = {}
    log = tmp_path_factory.mktemp("strace") / "log"

    def trace(scene: Scene) -> Trace:
        if scene not in known:
            calls = ",".join(f"?{name}" for name in _KINDS)
            ended = scene.straced("-y", "-s", "4096", "-e", f"trace={calls}", "-e", "signal=none", log=log)
            assert ended.code == 0, ended.err
            known[scene] = _read(log, scene.place)
        return known[scene]

    return trace


def test_064_import_flushes_bytes_before_it_names_blobs(eve: Eve, traced: Callable[[Scene], Trace]) -> None:
    trace = traced(eve.scene("unimported", "import", eve.bundle))

    for named in trace.all("link", "depot/store/../.*"):
        written = trace.last("write", "depot/store/incoming/.*", before=named)
        assert written < trace.last("syncfs", "depot/store.*", before=named)


def test_064_import_flushes_names_of_blobs_before_the_catalog_knows_them(
    eve: Eve, traced: Callable[[Scene], Trace]
) -> None:
    trace = traced(eve.scene("unimported", "import", eve.bundle))

    named = trace.last("link", "depot/store/../.*")

    assert trace.first("syncfs", "depot/store", after=named) < trace.first("write", r"depot/catalog\.sqlite.*")


def test_064_import_shows_clients_what_is_flushed_and_known(eve: Eve, traced: Callable[[Scene], Trace]) -> None:
    trace = traced(eve.scene("unimported", "import", eve.bundle))

    shown = trace.first("rename", "depot/published")
    made = trace.last("rename", r"depot/publications/(?!.*\.tmp-).*", before=shown)
    known = trace.last("write", r"depot/catalog\.sqlite", before=shown)

    assert made < trace.last("syncfs", "depot/publications", before=shown)
    assert known < trace.last("fsync", r"depot/catalog\.sqlite", before=shown)
    assert trace.last("unlink", r"depot/catalog\.sqlite-journal", before=shown) < trace.last(
        "fsync", "depot", before=shown
    )
    assert trace.first("fsync", "depot", after=shown)


def test_064_export_names_the_manifest_when_all_else_is_flushed_and_recorded(
    eve: Eve, traced: Callable[[Scene], Trace]
) -> None:
    trace = traced(eve.scene("unexported", "export", "--to", "@stick"))

    whole = trace.first("rename", r"stick/manifest\.json")
    written = trace.last("rename", "stick/.*", before=whole)
    flushed = trace.first("syncfs", "stick", after=written)
    recorded = trace.first("fsync", r"depot/catalog\.sqlite", after=flushed)

    assert recorded < whole < trace.first("fsync", "stick", after=whole)


def test_064_export_marks_the_directory_as_its_own_before_it_fills_it(
    eve: Eve, traced: Callable[[Scene], Trace]
) -> None:
    trace = traced(eve.scene("unexported", "export", "--to", "@stick"))

    marked = trace.first("rename", r"stick/manifest\.json\.partial")
    first = min(trace.first("rename", "stick/.*", after=marked), trace.first("mkdir", "stick/.*", after=marked))

    assert trace.first("fsync", "stick", after=marked) < first


@pytest.mark.parametrize("arguments", [("unimported", "import", "bundle"), ("unexported", "export", "--to", "@stick")])
def test_the_hook_announces_every_change_that_the_kernel_sees(
    eve: Eve, traced: Callable[[Scene], Trace], arguments: tuple[str, ...]
) -> None:
    state, *command = arguments
    scene = eve.scene(state, *(eve.bundle if one == "bundle" else one for one in command))
    seen = Counter((one.kind, _plain(one.path)) for one in traced(scene).changes if _is_ours(one))

    scene.fresh()
    announced = forked(scene.call, lambda _kind, _name: None).steps

    assert seen == Counter((kind, _plain(name)) for kind, name in announced if kind not in ("commit", "fsync"))


def _is_ours(change: Change) -> bool:
    """Leave out the database's own files, the lock, and flushes: the database makes some of the same directory."""
    return change.kind != "fsync" and not change.path.startswith(("depot/catalog.sqlite", "depot/lock"))


def _plain(path: str) -> str:
    return _TEMPORARY.sub(".tmp-", path.rpartition("/")[2])


def _read(log: Path, place: Path) -> Trace:
    changes = (_change(line) for line in log.read_text("utf-8", "replace").splitlines())
    prefix = f"{place}/"
    return Trace(
        [Change(kind, path.removeprefix(prefix)) for kind, path in filter(None, changes) if path.startswith(prefix)]
    )


def _change(line: str) -> tuple[str, str] | None:
    match = _CALL.match(line)
    if match is None or (match[1] == "openat" and "O_CREAT" not in match[2]):
        return None
    kind = _KINDS[match[1]]
    paths = (_DESCRIPTOR if kind in _BY_DESCRIPTOR else _QUOTED).findall(match[2])
    return (kind, paths[-1] if kind not in _BY_DESCRIPTOR else paths[0]) if paths else None
