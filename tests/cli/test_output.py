"""What people see: tables that fit 80 columns, no colour where none is wanted, bars on a terminal alone."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from issmedia.base.events import Advanced, Finished, Note, Started, Warned
from issmedia.cli.render import Renderer, table
from tests.cli.conftest import World
from tests.makers.sites import Site
from tests.makers.sshkeys import ed25519_key

Line = tuple[str, ...]


def on_a_terminal(*arguments: str | Path, **environment: str) -> str:
    """Run issmedia with a terminal as its three streams, and give what it wrote there."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", "from issmedia.cli.main import main; main()", *map(str, arguments)]
    process = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env={**os.environ, "TERM": "xterm", **environment}
    )
    os.close(theirs)
    written = b""
    try:
        while chunk := os.read(ours, 65536):
            written += chunk
    except OSError:
        pass  # Linux answers EIO when the other end is closed
    process.wait()
    os.close(ours)
    return written.decode()


@pytest.mark.parametrize(
    "line",
    [
        ("status",),
        ("log",),
        ("keys", "list"),
        ("repo", "show", "alma9/appstream"),
        ("product", "list"),
        ("search", "app"),
        ("search", "CVE-2023"),
    ],
    ids=" ".join,
)
def test_tables_of_ordinary_labels_fit_80_columns(line: Line, hq: Site, world: World) -> None:
    hq.do("repo", "add", "alma9/appstream", world.farm)
    hq.do("repo", "add", "alma9/extras", world.farm)
    hq.do("sync", "alma9/appstream")
    hq.do("keys", "trust", "release-26", ed25519_key(1).public.line, "--valid-before", "2027-12-31")

    lines = hq.do(*line).out.splitlines()

    assert [one for one in lines if len(one) > 80 and not one.startswith("site ")] == []


def test_a_table_has_its_columns_under_their_headers() -> None:
    assert table(("A", "LONGER"), [("1", "x"), ("twenty", "")]) == "A       LONGER\n1       x\ntwenty"


def test_hostile_cells_stay_in_their_row() -> None:
    assert table(("A", "B"), [("x\ny", "\x1b[31m")]).splitlines()[1:] == ["x\\ny  \\x1b[31m"]


def test_nothing_is_coloured_where_output_is_no_terminal(lab: Site, world: World) -> None:
    outcome = lab.do("verify", world.stick, "--verbose")

    assert "\x1b" not in outcome.out + outcome.err


def test_a_terminal_gets_bars_and_no_colour_where_none_is_wanted(lab: Site, world: World) -> None:
    coloured = on_a_terminal("--depot", lab.root, "verify", world.stick)
    plain = on_a_terminal("--depot", lab.root, "verify", world.stick, NO_COLOR="1")

    assert "verifying" in coloured
    assert "verifying" in plain
    assert "\x1b[3" in coloured
    assert "\x1b[3" not in plain.replace("\x1b[?25", "")


def test_quiet_and_json_have_no_bars_on_a_terminal(lab: Site, world: World) -> None:
    quiet = on_a_terminal("--depot", lab.root, "verify", world.stick, "--quiet")
    as_json = on_a_terminal("--depot", lab.root, "verify", world.stick, "--json")

    assert quiet == ""
    assert as_json.startswith("{")
    assert "\x1b" not in as_json


@pytest.mark.parametrize(
    ("quiet", "verbose", "as_json", "shown"),
    [
        (False, False, False, "a note\nwarning: p/zoo: look\n"),
        (False, True, False, "copying …\na note\nwarning: p/zoo: look\n"),
        (True, False, False, "warning: p/zoo: look\n"),
        (
            False,
            False,
            True,
            '{"event": "note", "message": "a note"}\n{"event": "warned", "message": "look", "where": "p/zoo"}\n',
        ),
    ],
)
def test_events_become_lines(
    capsys: pytest.CaptureFixture[str], quiet: bool, verbose: bool, as_json: bool, shown: str
) -> None:
    with Renderer(quiet=quiet, verbose=verbose, as_json=as_json) as renderer:
        for event in (Started("copying", 1, 1), Note("a note"), Warned("look", "p/zoo"), Advanced(1, 1), Finished("x")):
            renderer.show(event)

    assert capsys.readouterr().err == shown
