"""What the measurements share: a directory to work in, sites, repositories, figures."""

import os
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from scripts.processes import Run, measure

ISSMEDIA = [sys.executable, "-c", "from issmedia.cli.main import main; main()"]


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table: what was measured, and the target it has (None: it has none)."""

    work: str
    value: float
    unit: str
    target: float | None
    at_least: bool = False
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Say whether the target is met."""
        if self.target is None:
            return None
        return self.value >= self.target if self.at_least else self.value <= self.target


@dataclass
class Bench:
    """A directory to work in, what to measure, and what came of it."""

    directory: Path
    runs: int
    size: int
    large: int
    small: int
    figures: list[Figure] = field(default_factory=list)
    runs_made: dict[str, list[Run]] = field(default_factory=dict)
    unmeasured: list[str] = field(default_factory=list)

    def time(self, name: str, command: Sequence[str | Path], codes: tuple[int, ...] = (0,)) -> Run:
        """Measure one run and keep it."""
        os.sync()
        run = measure(command, codes=codes)
        self.runs_made.setdefault(name, []).append(run)
        sys.stderr.write(f"  {name}: {run.seconds:.2f} s, {run.peak_bytes / 1e6:.0f} MB\n")
        return run

    def median(self, name: str) -> float:
        """Give the median of the wall times of a name."""
        return statistics.median(run.seconds for run in self.runs_made[name])

    def spread(self, name: str) -> str:
        """Write median, least and most, and the median of the processors' time, which other work disturbs less."""
        times = [run.seconds for run in self.runs_made[name]]
        cpu = statistics.median(run.cpu_seconds for run in self.runs_made[name])
        return f"{name} {statistics.median(times):.2f} s ({min(times):.2f}–{max(times):.2f}; cpu {cpu:.2f} s)"

    def ratio(self, work: str, ours: str, plain: str, target: float | None) -> None:
        """Add the figure of a ratio; `target` None where it has none."""
        note = f"{self.spread(ours)}; {self.spread(plain)}"
        self.figures.append(Figure(work, self.median(ours) / self.median(plain), "×", target, note=note))


@dataclass(frozen=True, slots=True)
class Site:
    """A depot of this run."""

    root: Path

    def command(self, *arguments: str | Path) -> list[str | Path]:
        """Give the command line that does something here."""
        return [*ISSMEDIA, "--depot", self.root, *arguments]

    def do(self, *arguments: str | Path) -> None:
        """Do something that is not measured."""
        measure(self.command(*arguments))


def repository(
    bench: Bench, name: str, packages: int, size: int | None, *, newer: int = 0, like: Path | None = None
) -> Path:
    """Build a repository; `newer` of its packages at their next version, the others as in `like`."""
    sys.stderr.write(f"building {packages:,} packages …\n")
    target = bench.directory / "upstream" / name
    sizes = [] if size is None else ["--size", str(size)]
    given = [] if like is None else ["--like", str(like)]
    numbers = ["--packages", str(packages), "--newer", str(newer)]
    measure([sys.executable, "-m", "tests.makers.repos", target, *numbers, *sizes, *given])
    return target


def connected(root: Path, upstream: Path) -> Site:
    """Make a site that exports a repository."""
    site = Site(root)
    site.do("init", "--name", "hq")
    site.do("keys", "generate", "release")
    site.do("repo", "add", "bench/packages", upstream)
    return site


def disconnected(root: Path, hq: Site) -> Site:
    """Make a site that trusts another."""
    site = Site(root)
    site.do("init", "--name", "lab")
    site.do("keys", "trust", "hq", hq.root / "keys/release.pub")
    return site
