"""The measurements run, and leave nothing out; what they measure is for people to judge."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.source import ROOT


@pytest.mark.system("xorriso", "dnf", "createrepo_c")
def test_a_small_measurement_has_every_figure_and_leaves_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "scripts.benchmark", "--json", "--dir", str(tmp_path)]
    small = ["--packages", "40", "--size", "300000", "--runs", "1", "--weekly", "5000000"]
    small += ["--files", "240", "--repositories", "2", "--synced", "1000000", "--listed", "240"]

    done = subprocess.run([*command, *small], cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert len(found["figures"]) + len(found["unmeasured"]) == 53
    assert [one["work"] for one in found["figures"] if one["value"] < 0] == []
    assert [one["work"].strip() for one in found["figures"] if one["target"] is None] == [
        "to cp -r + sync + openssl on all cores",
        "size of a volume of 240 files",
        "the whole plan",
        "unchanged, to reposync unchanged",
        "1 % changed, to reposync of it",
        "1 % changed, to our first sync",
        "peak memory of the parent",
        "peak memory of a child",
        "RPM signatures, 40 by RSA2k",
        "RPM signatures, 40 by RSA4k",
    ]
    assert list(tmp_path.iterdir()) == []


def test_one_part_can_be_measured_alone(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "scripts.benchmark", "--json", "--quick", "--only", "diff"]

    done = subprocess.run([*command, "--dir", str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=True)

    assert [one["work"].partition(" ")[0] for one in json.loads(done.stdout)["figures"]] == ["diff"]
