"""What issmedia costs, as ratios to plain tools measured in the same run: `python -m scripts.benchmark --help`.

Real processes, each several times, the compared ones in turn; medians count, and the spread is shown. Files are in the
page cache for both sides. Before each run everything written earlier is flushed; before the large ones memory for three
times the bytes is touched, so that neither side pays for pages that a virtual machine's host took back. On ext4 let
some minutes pass after thousands of files were removed: until then making files is several times slower.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from scripts.delta_figures import import_of_a_delta, plan_of_a_delta, switch_of_many
from scripts.measured import ISSMEDIA, Bench, Figure, Site, connected, disconnected, repository
from scripts.media_figures import media
from scripts.processes import bytes_read_below, machine, make_resident, measure
from scripts.sync_figures import syncing
from scripts.trust_figures import signatures_of_many

RATE, MEMORY = 2500, 200_000_000


def main() -> None:
    """Measure, and print the table."""
    options = _options()
    parent = options.dir.resolve() if options.dir else None
    if parent:
        parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="issmedia-bench-", dir=parent) as work:
        bench = Bench(Path(work), options.runs, options.size, options.packages, options.packages // 4)
        facts = machine(bench.directory)
        for name, part in PARTS.items():
            if name in (options.only or PARTS):
                part(bench, options)
    _print(bench, facts, as_json=options.json)


def deltas(bench: Bench, options: argparse.Namespace) -> None:
    """Measure what deltas cost."""
    plan_of_a_delta(bench, options.files)
    switch_of_many(bench, options.repositories, options.files // 12)
    import_of_a_delta(bench, options.weekly // 2_500_000, 2_500_000)


def large_files(bench: Bench) -> None:
    """Compare export, import and verify of large packages with cp and openssl."""
    upstream = repository(bench, "large", 300, bench.size // 300)
    hq = connected(bench.directory / "hq", upstream)
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
    for lab in [disconnected(bench.directory / f"labs/{number}", hq) for number in range(bench.runs)]:
        _in_turn(
            bench,
            scratch,
            ("cp of the volume", _copied(volume, scratch)),
            ("import", lab.command("import", volume)),
        )
        shutil.rmtree(lab.root)
    bench.ratio("import, to cp -r + sync", "import", "cp of the volume", 1.3)
    _bytes_read(bench, volume, disconnected(scratch / "lab", hq))
    lab = disconnected(bench.directory / "lab", hq)
    for _ in range(bench.runs):
        bench.time("verify", lab.command("verify", volume))
        bench.time("openssl", _hashed(volume))
    bench.ratio("verify, to openssl on all cores", "verify", "openssl", 1.15)
    start_up(bench, volume)


def many_packages(bench: Bench) -> None:
    """Measure rate, memory and growth with many small packages."""
    upstreams = {count: repository(bench, f"{count}", count, None) for count in (bench.small, bench.large)}
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


def start_up(bench: Bench, volume: Path) -> None:
    """Measure what a person waits for."""
    for _ in range(bench.runs):
        bench.time("--help", [*ISSMEDIA, "--help"])
        bench.time("inspect", [*ISSMEDIA, "inspect", volume])
    for name, target in (("--help", 0.25), ("inspect", 0.5)):
        bench.figures.append(Figure(name, bench.median(name), "s", target, note=bench.spread(name)))


def differences(bench: Bench) -> None:
    """Compare two snapshots of three times as many packages, a tenth of them newer in the second."""
    count, site = bench.large * 3, Site(bench.directory / "compared")
    site.do("init", "--name", "hq")
    measure([sys.executable, "-m", "tests.makers.catalogs", site.root, "--packages", str(count)])
    for _ in range(bench.runs):
        bench.time("diff", site.command("diff", "p/zoo@1", "p/zoo@2"))
    name = f"diff of {count:,} to {count:,} packages"
    bench.figures.append(Figure(name, bench.median("diff"), "s", 1, note=bench.spread("diff")))


def _cross(bench: Bench, upstream: Path, count: int, here: Path) -> None:
    """Take a repository across once, with fresh sites.

    They stay until the end: for some minutes after thousands of files were removed, ext4 makes new ones much more
    slowly, and the next run would pay for it.
    """
    hq = connected(here / "hq", upstream)
    bench.time(f"sync of {count:,} packages", hq.command("sync"))
    bench.time(f"export of {count:,} packages", hq.command("export", "--to", here / "volume"))
    lab = disconnected(here / "lab", hq)
    bench.time(f"import of {count:,} packages", lab.command("import", "--no-publish", here / "volume"))
    bench.time(f"publish of {count:,} packages", lab.command("publish"))


def _bytes_read(bench: Bench, volume: Path, lab: Site) -> None:
    read = bytes_read_below(volume, lab.command("import", volume))
    size = sum(path.stat().st_size for path in volume.rglob("*") if path.is_file())
    shutil.rmtree(lab.root.parent)
    if read is None:
        bench.unmeasured.append("bytes read from the volume: there is no strace here")
    elif read < size // 2:
        bench.unmeasured.append(f"bytes read from the volume: strace saw {read:,} of {size:,}, which cannot be")
    else:
        note = f"{read:,} of {size:,} bytes, by strace"
        bench.figures.append(Figure("import, bytes read to the volume's", read / size, "×", 1.02, note=note))


def _in_turn(bench: Bench, scratch: Path, *works: tuple[str, Sequence[str | Path]]) -> None:
    for name, command in works:
        shutil.rmtree(scratch, ignore_errors=True)
        os.sync()
        make_resident(3 * bench.size)
        bench.time(name, command)
    shutil.rmtree(scratch, ignore_errors=True)


def _copied(source: Path, target: Path) -> list[str | Path]:
    return ["sh", "-c", 'cp -r "$1" "$2" && sync -f "$2"', "sh", source, target]


def _hashed(volume: Path) -> list[str | Path]:
    script = 'find "$1" -type f -print0 | xargs -0 -n 16 -P "$2" openssl dgst -sha256'
    return ["sh", "-c", script, "sh", volume, str(os.cpu_count())]


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


PARTS: dict[str, Callable[[Bench, argparse.Namespace], None]] = {
    "packages": lambda bench, _: many_packages(bench),
    "large": lambda bench, _: large_files(bench),
    "deltas": deltas,
    "diff": lambda bench, _: differences(bench),
    "media": lambda bench, options: media(bench, options.files),
    "sync": lambda bench, options: syncing(bench, options.synced, options.listed),
    "signatures": lambda bench, options: signatures_of_many(bench, options.packages),
}
"""What can be measured alone, in the order of the table."""


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench", description="Measure issmedia against plain tools.")
    parser.add_argument("--quick", action="store_true", help="small and once: shows that it works, proves nothing")
    parser.add_argument("--json", action="store_true", help="print every run as JSON")
    parser.add_argument("--dir", type=Path, help="work in here, on the file system to be measured (default: TMPDIR)")
    parser.add_argument("--size", type=int, default=1_000_000_000, help="bytes of the large packages, 300 in all")
    parser.add_argument("--packages", type=int, default=20_000, help="how many small packages")
    parser.add_argument("--only", action="append", choices=PARTS, help="measure only this part; may be repeated")
    parser.add_argument("--files", type=int, default=60_000, help="files of a planned delta, and files to be packed")
    parser.add_argument("--repositories", type=int, default=50, help="repositories whose switch is measured")
    parser.add_argument(
        "--weekly", type=int, default=10_000_000_000, help="bytes of the repository of which 1 %% is new"
    )
    parser.add_argument("--synced", type=int, default=500_000_000, help="bytes that are synced, in 2,000 packages")
    parser.add_argument("--listed", type=int, default=60_000, help="packages of which only metadata are read")
    parser.add_argument("--runs", type=int, default=5, help="runs of each; the median counts")
    options = parser.parse_args()
    if options.quick:
        options.size, options.packages, options.runs = 30_000_000, 1000, 1
        options.files, options.repositories, options.weekly = 1200, 3, 250_000_000
        options.synced, options.listed = 2_500_000, 1200
    return options


if __name__ == "__main__":
    main()
