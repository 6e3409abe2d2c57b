"""The measurements run, and leave nothing out; what they measure is for people to judge."""

import json
import subprocess
import sys
from pathlib import Path

from scripts.source import ROOT


def test_a_small_measurement_has_every_figure_and_leaves_nothing(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "scripts.benchmark", "--json", "--dir", str(tmp_path)]
    small = ["--packages", "40", "--size", "300000", "--runs", "1", "--weekly", "5000000"]
    small += ["--files", "240", "--repositories", "2"]

    done = subprocess.run([*command, *small], cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert len(found["figures"]) + len(found["unmeasured"]) == 25
    assert [one["work"] for one in found["figures"] if one["target"] is None or one["value"] <= 0] == []
    assert list(tmp_path.iterdir()) == []
