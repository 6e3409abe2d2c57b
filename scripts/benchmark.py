"""What issmedia costs, as ratios to plain tools measured in the same run: `python -m scripts.benchmark --help`.

Real processes, each several times, the compared ones in turn; medians count, and the spread is shown. Files are in the
page cache for both sides. Before each run everything written earlier is flushed. On ext4 let some minutes pass after
thousands of files were removed: until then making files is several times slower.
"""

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from scripts.processes import Run, bytes_read_below, machine, measure

ISSMEDIA = [sys.executable, "-c", "from issmedia.cli.main import main; main()"]
RATE, MEMORY = 2500, 200_000_000


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

    def ratio(self, work: str, ours: str, plain: str, target: float) -> None:
        """Add the figure of a ratio."""
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


def main() -> None:
    """Measure, and print the table."""
    options = _options()
    parent = options.dir.resolve() if options.dir else None
    if parent:
        parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="issmedia-bench-", dir=parent) as work:
        bench = Bench(Path(work), options.runs, options.size, options.packages, options.packages // 4)
        facts = machine(bench.directory)
        many_packages(bench)
        large_files(bench)
        start_up(bench)
    _print(bench, facts, as_json=options.json)


def large_files(bench: Bench) -> None:
    """Compare export, import and verify of large packages with cp and openssl."""
    upstream = _upstream(bench, "large", 300, bench.size // 300)
    hq = _connected(bench.directory / "hq", upstream)
    hq.do("sync")
    volume, scratch = bench.directory / "volume", bench.directory / "scratch"
    hq.do("export", "--to", volume)
    for _ in range(bench.runs):
        _in_turn(
            bench,
            scratch,
            ("cp of the repository", _copied(upstream, scratch)),
            ("export", hq.command("export", "--to", scratch)),
        )
    bench.ratio("export, to cp -r + sync", "export", "cp of the repository", 1.2)
    for _ in range(bench.runs):
        lab = _disconnected(scratch / "lab", hq)
        bench.time("import", lab.command("import", volume))
        _in_turn(bench, scratch, ("cp of the volume", _copied(volume, scratch)))
    bench.ratio("import, to cp -r + sync", "import", "cp of the volume", 1.3)
    _bytes_read(bench, volume, _disconnected(scratch / "lab", hq))
    lab = _disconnected(bench.directory / "lab", hq)
    for _ in range(bench.runs):
        bench.time("verify", lab.command("verify", volume))
        bench.time("openssl", _hashed(volume))
    bench.ratio("verify, to openssl on all cores", "verify", "openssl", 1.15)


def many_packages(bench: Bench) -> None:
    """Measure rate, memory and growth with many small packages."""
    upstreams = {count: _upstream(bench, f"{count}", count, None) for count in (bench.small, bench.large)}
    for number in range(bench.runs):
        for count, upstream in upstreams.items():
            _cross(bench, upstream, count, bench.directory / f"crossing-{count}-{number}")
    for step in ("sync", "export", "import", "publish"):
        name = f"{step} of {bench.large:,} packages"
        rate = bench.large / bench.median(name)
        bench.figures.append(Figure(name, rate, "packages/s", RATE, at_least=True, note=bench.spread(name)))
    for step in ("sync", "export", "import", "publish"):
        name = f"{step} of {bench.large:,} packages"
        peak = max(run.peak_bytes for run in bench.runs_made[name])
        bench.figures.append(Figure(f"{step}, peak memory", peak / 1e6, "MB", MEMORY / 1e6))
    for step in ("sync", "export", "import", "publish"):
        small, large = (f"{step} of {count:,} packages" for count in (bench.small, bench.large))
        growth = bench.median(large) / bench.median(small) / (bench.large / bench.small)
        note = f"{bench.small:,} → {bench.large:,} packages"
        bench.figures.append(Figure(f"{step}, growth to linear", growth, "×", 1.1, note=note))


def start_up(bench: Bench) -> None:
    """Measure what a person waits for."""
    volume = bench.directory / "volume"
    for _ in range(bench.runs):
        bench.time("--help", [*ISSMEDIA, "--help"])
        bench.time("inspect", [*ISSMEDIA, "inspect", volume])
    for name, target in (("--help", 0.25), ("inspect", 0.5)):
        bench.figures.append(Figure(name, bench.median(name), "s", target, note=bench.spread(name)))


def _cross(bench: Bench, upstream: Path, count: int, here: Path) -> None:
    """Take a repository across once, with fresh sites.

    They stay until the end: for some minutes after thousands of files were removed, ext4 makes new ones much more
    slowly, and the next run would pay for it.
    """
    hq = _connected(here / "hq", upstream)
    bench.time(f"sync of {count:,} packages", hq.command("sync"))
    bench.time(f"export of {count:,} packages", hq.command("export", "--to", here / "volume"))
    lab = _disconnected(here / "lab", hq)
    bench.time(f"import of {count:,} packages", lab.command("import", "--no-publish", here / "volume"))
    bench.time(f"publish of {count:,} packages", lab.command("publish"))


def _bytes_read(bench: Bench, volume: Path, lab: Site) -> None:
    read = bytes_read_below(volume, lab.command("import", volume))
    size = sum(path.stat().st_size for path in volume.rglob("*") if path.is_file())
    shutil.rmtree(lab.root.parent)
    if read is None:
        bench.unmeasured.append("bytes read from the volume: there is no strace here")
    else:
        note = f"{read:,} of {size:,} bytes, by strace"
        bench.figures.append(Figure("import, bytes read to the volume's", read / size, "×", 1.02, note=note))


def _in_turn(bench: Bench, scratch: Path, *works: tuple[str, Sequence[str | Path]]) -> None:
    for name, command in works:
        shutil.rmtree(scratch, ignore_errors=True)
        bench.time(name, command)
    shutil.rmtree(scratch, ignore_errors=True)


def _copied(source: Path, target: Path) -> list[str | Path]:
    return ["sh", "-c", 'cp -r "$1" "$2" && sync -f "$2"', "sh", source, target]


def _hashed(volume: Path) -> list[str | Path]:
    script = 'find "$1" -type f -print0 | xargs -0 -n 16 -P "$2" openssl dgst -sha256'
    return ["sh", "-c", script, "sh", volume, str(os.cpu_count())]


def _upstream(bench: Bench, name: str, packages: int, size: int | None) -> Path:
    sys.stderr.write(f"building {packages:,} packages …\n")
    target = bench.directory / "upstream" / name
    sizes = [] if size is None else ["--size", str(size)]
    measure([sys.executable, "-m", "tests.makers.repos", target, "--packages", str(packages), *sizes])
    return target


def _connected(root: Path, upstream: Path) -> Site:
    site = Site(root)
    site.do("init", "--name", "hq")
    site.do("keys", "generate", "release")
    site.do("repo", "add", "bench/packages", upstream)
    return site


def _disconnected(root: Path, hq: Site) -> Site:
    site = Site(root)
    site.do("init", "--name", "lab")
    site.do("keys", "trust", "hq", hq.root / "keys/release.pub")
    return site


def _print(bench: Bench, facts: dict[str, str], *, as_json: bool) -> None:
    if as_json:
        figures = [{**asdict(one), "met": one.met} for one in bench.figures]
        runs = {name: [asdict(run) for run in made] for name, made in bench.runs_made.items()}
        document = {"machine": facts, "figures": figures, "unmeasured": bench.unmeasured, "runs": runs}
        sys.stdout.write(json.dumps(document, indent=2) + "\n")
        return
    lines = [f"{name}: {value}" for name, value in facts.items()]
    lines += [f"runs of each: {bench.runs}; large files: {bench.size / 1e9:g} GB in 300 packages", ""]
    lines += [_line(one) for one in bench.figures] + [f"NOT MEASURED: {one}" for one in bench.unmeasured]
    sys.stdout.write("\n".join(lines) + "\n")


def _line(one: Figure) -> str:
    judged = {True: "met", False: "MISSED", None: ""}[one.met]
    sign = "≥" if one.at_least else "≤"
    target = "" if one.target is None else f"{sign} {one.target:,g}"
    value = f"{one.value:,.0f}" if one.value >= 100 else f"{one.value:.2f}"
    return f"{one.work:36} {value:>8} {one.unit:11} {target:9} {judged:7} {one.note}".rstrip()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench", description="Measure issmedia against plain tools.")
    parser.add_argument("--quick", action="store_true", help="small and once: shows that it works, proves nothing")
    parser.add_argument("--json", action="store_true", help="print every run as JSON")
    parser.add_argument("--dir", type=Path, help="work in here, on the file system to be measured (default: TMPDIR)")
    parser.add_argument("--size", type=int, default=1_000_000_000, help="bytes of the large packages, 300 in all")
    parser.add_argument("--packages", type=int, default=20_000, help="how many small packages")
    parser.add_argument("--runs", type=int, default=5, help="runs of each; the median counts")
    options = parser.parse_args()
    if options.quick:
        options.size, options.packages, options.runs = 30_000_000, 1000, 1
    return options


if __name__ == "__main__":
    main()
