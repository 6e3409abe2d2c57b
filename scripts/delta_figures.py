"""What deltas cost: the plan, the bytes on the medium, the import, the switch of what clients see."""

import json
import shutil
import sys
from pathlib import Path

from scripts.measured import Bench, Figure, Site, connected, disconnected, repository
from scripts.processes import measure


def plan_of_a_delta(bench: Bench, files: int) -> None:
    """Plan a delta between two trees of this many files, of which one in a hundred differs."""
    site = Site(bench.directory / "planned")
    _synthetic("trees", site.root, files, files // 100)
    name = f"plan of a delta, {files:,} to {files:,}"
    for _ in range(bench.runs):
        bench.time(name, site.command("export", "--dry-run", "--base", "synthetic/r@1"))
    peak = max(run.peak_bytes for run in bench.runs_made[name])
    bench.figures += [
        Figure(name, bench.median(name), "s", 1.0, note=bench.spread(name)),
        Figure("  peak memory", peak / 1e6, "MB", 250),
    ]


def import_of_a_delta(bench: Bench, packages: int, size: int) -> None:
    """Import a full bundle, then a delta in which one package in a hundred is new; weigh the delta too."""
    first = repository(bench, "first", packages, size)
    second = repository(bench, "second", packages, size, newer=max(1, packages // 100), like=first)
    here = bench.directory / "weekly"
    hq = connected(here / "hq", first)
    hq.do("sync")
    hq.do("export", "--to", here / "full")
    hq.do("repo", "set", "bench/packages", "--source", second)
    hq.do("sync")
    shutil.rmtree(first)
    shutil.rmtree(second)
    hq.do("export", "--base", here / "full", "--to", here / "delta")
    _weigh(bench, here / "delta")
    full, delta = "import of the full bundle", "import of a delta of 1 %"
    for number in range(min(3, bench.runs)):
        lab = disconnected(here / f"lab-{number}", hq)
        bench.time(full, lab.command("import", here / "full"))
        bench.time(delta, lab.command("import", here / "delta"))
        shutil.rmtree(lab.root)
    note = f"{packages:,} packages of {size:,} bytes; {bench.spread(delta)}; {bench.spread(full)}"
    bench.figures.append(
        Figure("import of 1 %, to the full import", bench.median(delta) / bench.median(full), "×", 0.05, note=note)
    )
    shutil.rmtree(here)


def switch_of_many(bench: Bench, repositories: int, packages: int) -> None:
    """Publish many repositories that all changed, then one that did."""
    site = Site(bench.directory / "many")
    _synthetic("repositories", site.root, repositories, packages)
    name = f"publish of {repositories} × {packages:,}, all changed"
    one = "  the same, one changed"
    bench.time(name, site.command("publish"))
    for _ in range(bench.runs):
        _synthetic("touch", site.root, 1)
        bench.time(one, site.command("publish"))
    bench.figures += [
        Figure(name, bench.median(name), "s", 10, note=bench.spread(name)),
        Figure("  one changed, to all", bench.median(one) / bench.median(name), "×", 0.1, note=bench.spread(one)),
    ]


def _weigh(bench: Bench, volume: Path) -> None:
    """Compare what lies on a delta's volume with the blobs that are new."""
    content = json.loads((volume / "manifest.json").read_bytes())["content"]["bytes"]
    size = sum(path.stat().st_size for path in volume.rglob("*") if path.is_file())
    note = f"{size:,} bytes for {content:,} of new blobs"
    bench.figures.append(Figure("delta, bytes to those of new blobs", size / content, "×", 1.02, note=note))


def _synthetic(what: str, depot: Path, *numbers: int) -> None:
    measure([sys.executable, "-m", "scripts.synthetic", what, depot, *map(str, numbers)])
