"""What media cost: images to xorriso alone, importing them to importing directories, copies, packing, parity."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from issmedia.bundle.iso import ImageFacts, options_of
from scripts.copy_figures import copy_with_read_back
from scripts.measured import Bench, connected, disconnected, repository
from scripts.packing_figures import packing_of_many
from scripts.processes import make_resident, measure
from scripts.recovery_figures import parity

_FACTS = ImageFacts("ISSM_00000000_V01OF01", "2026-01-01T00:00:00Z")
_WRITTEN = 'target=$1; shift; "$@" -o "$target" && sync "$target"'


def media(bench: Bench, files: int) -> None:
    """Measure everything that has to do with media; `files` are packed."""
    images(bench)
    copy_with_read_back(bench)
    packing_of_many(bench, files)
    parity(bench)


def images(bench: Bench) -> None:
    """Compare the export of an image with xorriso on a volume of the same files, and the imports of both."""
    here = bench.directory / "images"
    hq = connected(here / "hq", repository(bench, "imaged", 300, bench.size // 300))
    hq.do("sync")
    volume, target = here / "volume", here / "target"
    hq.do("export", "--to", volume)
    plain = _plain(volume, target / "plain.iso")
    for _ in range(bench.runs):
        _measure(bench, "xorriso + sync", plain, source=volume, target=target)
        _measure(bench, "export --iso", hq.command("export", "--iso", "--to", target), source=hq.root, target=target)
    bench.ratio("export of an image, to xorriso + sync", "export --iso", "xorriso + sync", 1.2)
    hq.do("export", "--iso", "--to", here / "image")
    (image,) = (here / "image").glob("*.iso")
    for number in range(bench.runs):
        for name, source in (("import of a directory", volume), ("import of an image", image)):
            lab = disconnected(here / f"labs/{number}", hq)
            _measure(bench, name, lab.command("import", source), source=source, target=target)
            shutil.rmtree(lab.root)
    bench.ratio("import of an image, to a directory", "import of an image", "import of a directory", 1.2)
    shutil.rmtree(here)


def _plain(volume: Path, image: Path) -> list[str | Path]:
    """Give the command that makes an image of a volume with the options that ours has, durable."""
    return ["sh", "-c", _WRITTEN, "sh", image, "xorriso", *options_of(_FACTS), volume]


def _measure(bench: Bench, name: str, command: Sequence[str | Path], *, source: Path, target: Path) -> None:
    """Measure one run with its source in the page cache, into an empty directory."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir()
    make_resident(3 * bench.size)
    measure(["sh", "-c", 'find "$1" -type f -exec cat {} + >/dev/null', "sh", source])
    bench.time(name, command)
    shutil.rmtree(target)
