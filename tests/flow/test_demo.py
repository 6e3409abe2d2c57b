"""What a visitor runs first."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.source import ROOT


@pytest.mark.system("bash", "ssh-keygen", "sha256sum")
def test_the_demonstration_ends_well_and_leaves_nothing(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHON": sys.executable, "TMPDIR": str(tmp_path)}

    done = subprocess.run(
        [ROOT / "scripts/demo"], env=environment, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "(exit code 6)" in done.stdout
    assert "All as it should be." in done.stdout
    assert list(tmp_path.iterdir()) == []
