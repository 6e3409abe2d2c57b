"""What a copy costs that is read back from its medium, beside what cannot promise that: `cp`, and hashing the copy.

The plain tools hash what the page cache holds, and need not have written a byte to the disk when they end. With a flush
and `openssl` on all processors they hash once what the copy hashes twice; that is shown too, without a target.
"""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from scripts.measured import Bench, Figure, connected, repository
from scripts.processes import make_resident

_HASH = 'cp -r "$1" "$2" && cd "$2" && find . -type f -print0 | xargs -0 '


def copy_with_read_back(bench: Bench) -> None:
    """Copy a volume of large packages to an empty directory, in turn with the plain tools."""
    here = bench.directory / "copies"
    hq = connected(here / "hq", repository(bench, "copied", 300, bench.size // 300))
    hq.do("sync")
    volume, target = here / "volume", here / "target"
    hq.do("export", "--to", volume)
    names = ("copy", "cp -r + sha256sum", "cp -r + sync + openssl on all cores")
    flushed = _HASH.replace(" && cd", ' && sync -f "$2" && cd', 1)
    for _ in range(bench.runs):
        _measure(bench, target, names[0], hq.command("copy", volume, "--to", target), made=True)
        _measure(bench, target, names[1], _shell(f"{_HASH} sha256sum", volume, target))
        _measure(bench, target, names[2], _shell(f"{flushed} -n 16 -P {os.cpu_count()} openssl sha256", volume, target))
    bench.ratio("copy with read-back, to cp -r + sha256sum", names[0], names[1], 1.15)
    ratio = bench.median(names[0]) / bench.median(names[2])
    bench.figures.append(Figure(f"  to {names[2]}", ratio, "×", None, note=bench.spread(names[2])))
    shutil.rmtree(here)


def _measure(bench: Bench, target: Path, name: str, command: Sequence[str | Path], *, made: bool = False) -> None:
    """Measure one run into an absent directory, or one that is `made` and empty."""
    if made:
        target.mkdir()
    os.sync()
    make_resident(3 * bench.size)
    bench.time(name, command)
    shutil.rmtree(target)


def _shell(script: str, volume: Path, target: Path) -> list[str | Path]:
    return ["sh", "-c", f"{script} >/dev/null", "sh", volume, target]
