"""Sticks as people have them: with what file systems and other people put on them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.makers.repos import BuiltRepo
from tests.makers.sites import Site, connected_site, disconnected_site

NOBODY = 65534


@pytest.mark.root
@pytest.mark.system("setpriv")
def test_a_directory_that_only_root_may_read_is_no_obstacle(tmp_path: Path, repo: BuiltRepo) -> None:
    hq = connected_site(tmp_path / "hq", zoo=repo.path)
    lab = disconnected_site(tmp_path / "lab", hq)
    stick = tmp_path / "stick"
    (stick / "lost+found").mkdir(parents=True, mode=0o700)
    os.chown(stick / "lost+found", NOBODY, NOBODY)

    exported = without_privileges(hq, "export", "--to", stick)
    imported = without_privileges(lab, "import", stick)

    assert (exported.returncode, imported.returncode) == (0, 0)
    assert "lost+found: is not declared by SHA256SUMS; it was not opened" in imported.stderr
    assert hq.trees() == lab.trees()


def test_files_beside_an_unfinished_export_stay(tmp_path: Path, repo: BuiltRepo) -> None:
    hq = connected_site(tmp_path / "hq", zoo=repo.path)
    stick = tmp_path / "stick"
    hq.do("export", "--to", stick)
    (stick / "manifest.json").rename(stick / "manifest.json.partial")
    (stick / "photos").mkdir()
    (stick / "photos/cat.jpg").write_bytes(b"a cat")
    (stick / "repos/of-an-earlier-plan").write_bytes(b"old")

    hq.call("export", "--to", stick)

    assert (stick / "photos/cat.jpg").read_bytes() == b"a cat"
    assert not (stick / "repos/of-an-earlier-plan").exists()


def without_privileges(site: Site, *arguments: str | Path) -> "subprocess.CompletedProcess[str]":
    """Run a command as a user who is bound by the modes of files; still root by name, so that depots are its own."""
    lacking = "-dac_override,-dac_read_search"
    program = [sys.executable, "-c", "from issmedia.cli.main import main; main()", "--depot", str(site.root)]
    command = ["setpriv", "--bounding-set", lacking, "--inh-caps", lacking, *program, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False)
