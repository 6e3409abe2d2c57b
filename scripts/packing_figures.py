"""What planning volumes costs: packing many files, and what their file systems need."""

import random
import time
from collections.abc import Callable
from typing import TypeVar

from issmedia.base.digest import digest_of
from issmedia.bundle.loading import Media
from issmedia.bundle.planning import plan_bundle
from issmedia.model.filesystem import FileSystem, base_cost
from issmedia.model.manifest import ProductEntry, SiteName, Tool
from issmedia.model.medium import parse_medium
from issmedia.model.names import parents
from issmedia.model.packing import Item, lower_bound, pack
from issmedia.model.target import Header, RepositoryTarget
from issmedia.model.tree import Entry, tree_of
from scripts.measured import Bench, Figure

TARGET_S = 1.0
T = TypeVar("T")


def packing_of_many(bench: Bench, files: int, medium: str = "dvd") -> None:
    """Pack files with the sizes of packages, in this process; count the volumes and what they would need at least."""
    found = parse_medium(medium)
    entries = _packages(files)
    room = (found.room or 0) - base_cost(found.filesystem, [], parents(entry.path for entry in entries))
    seconds, items = _timed(bench, lambda: _items(found.filesystem, entries))
    took, bins = _timed(bench, lambda: pack(items, [room]))
    least = lower_bound([item.cost for item in items], [room])
    name = f"packing of {files:,} files, {medium}"
    bench.figures += [
        Figure(name, took, "s", TARGET_S, note=f"{seconds:.2f} s for their costs"),
        Figure("  volumes above the lower bound", len(bins) - least, "volumes", 1, note=f"{len(bins)} of {least}"),
    ]
    _full(bench, found.filesystem, entries, found.room or 0, {item.key for item in bins[0].items})
    _planned(bench, entries, Media((found,)))


def _full(bench: Bench, system: FileSystem, entries: list[Entry], room: int, first: set[str]) -> None:
    """Measure the computing of what a volume needs, and how full the first one is."""
    placed = [entry for entry in entries if entry.path in first]
    took, used = _timed(bench, lambda: system.used(placed))
    bench.figures += [
        Figure(f"  size of a volume of {len(placed):,} files", took, "s", None),
        Figure(
            "  fill of the first volume", 100 * used / room, "%", 99, at_least=True, note=f"{used:,} of {room:,} bytes"
        ),
    ]


def _planned(bench: Bench, entries: list[Entry], media: Media) -> None:
    """Measure the whole plan but for repodata: carried, packed, laid out, measured, the manifest written."""
    moment = "2026-06-01T12:00:00Z"
    header = Header(SiteName("0" * 32, "hq"), None, 1, None, moment, None, "", Tool("issmedia", "0"))
    tree = tree_of(Entry(entry.path.removeprefix("repos/p/r/"), entry.sha256, entry.size) for entry in entries)
    count = len(entries)
    target = RepositoryTarget(ProductEntry("p", "p"), "r", "r", None, moment, False, (), tree, count, ())
    took, plan = _timed(bench, lambda: plan_bundle(header, (target,), media=media))
    least = min(volume.used for volume in plan.volumes[:-1]) if len(plan.volumes) > 1 else plan.volumes[0].used
    note = f"{len(plan.volumes)} volumes, all but the last of at least {least:,} bytes"
    bench.figures.append(Figure("  the whole plan", took, "s", None, note=note))


def _items(system: FileSystem, entries: list[Entry]) -> list[Item]:
    return [Item(entry.path, system.cost(entry.path, entry.size)) for entry in entries]


def _packages(count: int) -> list[Entry]:
    """Make entries with the sizes of packages: most small, the largest a gigabyte."""
    source, found = random.Random(1), []
    for number in range(count):
        name = f"package-{number:05}-1.0-1.el9.x86_64.rpm"
        size = min(int(source.lognormvariate(11.5, 2.2)) + 2300, 10**9)
        found.append(Entry(f"repos/p/r/Packages/{number % 26:02}/{name}", digest_of(name.encode()), size))
    return found


def _timed(bench: Bench, work: Callable[[], T]) -> tuple[float, T]:
    """Do something as often as the runs say; give the median of the seconds, and its result."""
    times = []
    for _ in range(bench.runs):
        start = time.perf_counter()
        result = work()
        times.append(time.perf_counter() - start)
    return sorted(times)[len(times) // 2], result
