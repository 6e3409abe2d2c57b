"""What a terminal shows of several repositories at once, and what is told where there is none."""

import json
import os
import pty
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from issmedia.base.events import Advanced, Finished, Note, Started, Warned, Within
from issmedia.cli.bars import Bars
from issmedia.cli.render import Renderer
from issmedia.content.yum.trusting import PHASE
from tests.makers.http_server import Before, HttpServer, serving
from tests.makers.repos import PackageSpec, build_repo
from tests.makers.sites import Site
from tests.makers.terminals import Terminal

COUNT = 12
EVENTS: tuple[Started | Advanced | Warned | Finished, ...] = (
    Started("x", 5),
    Advanced(1),
    Warned("look", "a.rpm"),
    Finished("x"),
)
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[HttpServer]:
    """Serve twelve repositories."""
    for number in range(COUNT):
        packages = [PackageSpec(f"own-{number}", size=2_000_000), PackageSpec("shared")]
        build_repo(tmp_path / "web" / f"a-repository-with-a-long-name-{number}", packages)
    with serving(tmp_path / "web") as server:
        yield server


@pytest.fixture
def site(tmp_path: Path, server: HttpServer) -> Site:
    """A site with all of them, none synced."""
    site = Site(tmp_path / "hq")
    site.do("init", "--name", "hq")
    for number in range(COUNT):
        name = f"a-repository-with-a-long-name-{number}"
        site.do("repo", "add", f"p/{name}", f"{server.url}/{name}")
    return site


def started(site: Site, *arguments: str) -> Terminal:
    """Run issmedia on a terminal."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", "from issmedia.cli.main import main; main()", "--depot", str(site.root)]
    process = subprocess.Popen(
        [*command, *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "80", "NO_COLOR": "1"},
    )
    os.close(theirs)
    process.returncode = 0  # `Terminal.end` waits for it
    return Terminal(process.pid, ours)


def test_the_active_repositories_and_a_total_are_shown(site: Site, server: HttpServer) -> None:
    gate = threading.Event()
    for number in range(COUNT):
        path = f"a-repository-with-a-long-name-{number}/Packages/o/own-{number}-1.0-1.noarch.rpm"
        server.behave(path, Before(lambda: gate.wait(20)))

    terminal = started(site, "sync")
    said = terminal.until(r"0 of 12 done [^\n]*\n…[^\n]*name-\d+ [^\n]*[23]/4 ")
    gate.set()
    said += terminal.end()
    os.close(terminal.fd)

    assert terminal.code == 0
    lines = [line for line in re.split(r"[\r\n]+", ESCAPES.sub("", said)) if not line.startswith(("p/", "12 "))]
    assert max(map(len, lines)) <= 80
    assert re.search(r"0 of 12 done .* \d/\d+ +\S+/\S+ MB ", ESCAPES.sub("", said))
    rises = [len(run) // len("\x1b[1A\x1b[2K") for run in re.findall(r"(?:\x1b\[1A\x1b\[2K)+", said)]
    assert max(rises) <= 4
    assert "12 repositories: 12 changed, 0 unchanged" in said


def test_judging_signatures_adds_nothing_to_the_total(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"FORCE_COLOR": "1", "TERM": "xterm", "COLUMNS": "100"}.items():
        monkeypatch.setenv(name, value)
    bars = Bars()
    bars.show(Started("syncing", repositories=2))

    for phase in ("packages and files", PHASE):
        bars.show(Within("p/a", Started(phase, 3, 3_000_000)))
        bars.show(Within("p/a", Advanced(3, 3_000_000)))
    bars.show(Within("p/b", Started("packages and files", 4, 4_000_000)))
    bars.stop()

    assert re.search(r"0 of 2 done .*3/7 +3\.0/7\.0 MB", ESCAPES.sub("", capsys.readouterr().err))


def test_a_single_repository_has_a_bar_of_its_own(site: Site, server: HttpServer) -> None:
    gate = threading.Event()
    server.behave("a-repository-with-a-long-name-1/Packages/o/own-1-1.0-1.noarch.rpm", Before(lambda: gate.wait(20)))

    terminal = started(site, "sync", "p/a-repository-with-a-long-name-1")
    terminal.until("packages and files")
    gate.set()
    said = terminal.end()
    os.close(terminal.fd)

    assert terminal.code == 0
    assert "1 repository" not in said


def test_without_a_terminal_a_line_says_what_a_repository_has_to_fetch(site: Site) -> None:
    said = site.do("sync").err.splitlines()

    assert len(said) == COUNT
    assert all(re.fullmatch(r"p/a-repository-with-a-long-name-\d+: \d files?, [\d.]+ MB …", line) for line in said)
    assert site.do("sync").err == ""


def test_with_json_events_name_their_repository(site: Site) -> None:
    events = [json.loads(line) for line in site.do("sync", "--json").err.splitlines()]

    assert {one["repository"] for one in events} == {f"p/a-repository-with-a-long-name-{n}" for n in range(COUNT)}
    first = [one for one in events if one["repository"].endswith("-1")]
    assert [one["event"] for one in first][:: len(first) - 1] == ["started", "finished"]
    assert first[0]["files"] == sum(one["files"] for one in first if one["event"] == "advanced")


def test_json_tells_how_far_it_has_come_once_a_second(capsys: pytest.CaptureFixture[str]) -> None:
    times = iter([0.0, 0.0, 0.5, 0.9, 1.1, 1.1, 1.2, 1.3])
    with Renderer(quiet=False, verbose=False, as_json=True, clock=lambda: next(times)) as renderer:
        renderer.show(Within("p/a", Started("x", 5)))
        for _ in range(5):
            renderer.show(Within("p/a", Advanced(1, 10)))
        renderer.show(Within("p/a", Finished("x")))

    told = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(one["event"], one.get("files")) for one in told] == [
        ("started", 5),
        ("advanced", 1),
        ("advanced", 3),
        ("advanced", 1),
        ("finished", None),
    ]


@pytest.mark.parametrize("as_json", [False, True])
def test_quiet_leaves_only_warnings(capsys: pytest.CaptureFixture[str], as_json: bool) -> None:
    with Renderer(quiet=True, verbose=False, as_json=as_json) as renderer:
        for one in EVENTS:
            renderer.show(Within("p/a", one))

    wanted = '{"event": "warned", "message": "look", "repository": "p/a", "where": "a.rpm"}\n'
    assert capsys.readouterr().err == (wanted if as_json else "warning: a.rpm: look\n")


def test_a_note_of_one_repository_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    with Renderer(quiet=False, verbose=False, as_json=False) as renderer:
        renderer.show(Within("p/a", Note("said")))

    assert capsys.readouterr().err == "said\n"
