"""Programs of the distribution that a test needs: skipped without them, unless everything must run.

`ISSMEDIA_TESTS_ALL=1` says that nothing may be skipped for want of a program or of root: CI sets it.
"""

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest


def all_must_run() -> bool:
    """Say whether what is missing fails a test rather than skips it."""
    return os.environ.get("ISSMEDIA_TESTS_ALL") == "1"


def require(*names: str) -> None:
    """Skip the test that runs unless all these programs are there; fail it where everything must run."""
    missing = [name for name in names if shutil.which(name) is None]
    if missing:
        _lacking(f"needs {', '.join(missing)}: scripts/install-system-packages brings them")


def require_command(*command: str) -> None:
    """Do as `require` with a program's subcommand, which must answer `--help`."""
    require(command[0])
    if try_run(*command, "--help").returncode != 0:
        _lacking(f"needs {' '.join(command)}: scripts/install-system-packages brings it")


def require_root() -> None:
    """Skip the test that runs unless it runs as root; fail it where everything must run."""
    if os.geteuid() != 0:
        _lacking("needs root")


def run(*command: str | Path, cwd: Path | None = None, stdin: bytes | None = None) -> str:
    """Run a program with a plain environment, and give its output; a failure shows what it said."""
    result = try_run(*command, cwd=cwd, stdin=stdin)
    if result.returncode != 0:
        pytest.fail(f"{' '.join(map(str, command))}: exit code {result.returncode}\n{result.stdout}{result.stderr}")
    return result.stdout


def try_run(
    *command: str | Path, cwd: Path | None = None, stdin: bytes | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a program with a plain environment, and give what came of it."""
    arguments: Sequence[str] = [str(part) for part in command]
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "TZ": "UTC"}
    result = subprocess.run(arguments, cwd=cwd, input=stdin or b"", env=environment, capture_output=True, check=False)
    return subprocess.CompletedProcess(arguments, result.returncode, _text(result.stdout), _text(result.stderr))


def _text(output: bytes) -> str:
    return output.decode("utf-8", "replace")


def _lacking(reason: str) -> None:
    if all_must_run():
        pytest.fail(f"{reason} (ISSMEDIA_TESTS_ALL=1)", pytrace=False)
    pytest.skip(reason)
