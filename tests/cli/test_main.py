"""The command line as a whole: its environment, and what stands before the command."""

import os
import subprocess
from pathlib import Path

import pytest

from issmedia.cli.main import run
from tests.makers.attacked import command_line
from tests.makers.sites import Site


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_what_a_terminal_cannot_write_is_escaped(tmp_path: Path, encoding: str) -> None:
    site = Site(tmp_path / "site")
    site.do("init")
    site.do("product", "add", "p", "--name", "łódź")

    done = subprocess.run(
        command_line(site, "product", "list"),
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": encoding},
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, b"")
    assert b"\\u0142" in done.stdout


def test_an_empty_depot_is_not_the_current_directory(capsys: pytest.CaptureFixture[str]) -> None:
    code = run(["--depot", "", "status"])

    assert (code, "the path is empty" in capsys.readouterr().err) == (2, True)
