"""What parity costs: encoding and repair, to zfec alone on the same blocks in memory; and their memory.

Each work is a process of its own, and times itself: `python -m scripts.recovery_figures WORK DIRECTORY`.
"""

import json
import os
import random
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

import zfec

from issmedia.base.digest import Digest
from issmedia.base.events import ignore
from issmedia.bundle.blocks import Media
from issmedia.bundle.parity import encode
from issmedia.bundle.reader import DirectoryVolume
from issmedia.bundle.repair import repair
from issmedia.depot.store import Store
from issmedia.model.recovery import INDEX, Recovery, Stream, stream_of
from issmedia.model.strictjson import parse, render
from issmedia.model.tree import Entry
from scripts.measured import Bench, Figure
from scripts.processes import Run, measure

K, M, BLOCK = 8, 2, 1 << 20
BLOB = 4_000_000


def parity(bench: Bench) -> None:
    """Compare encoding and the repair of two lost volumes of eight with zfec alone."""
    here = bench.directory / "parity"
    measure([sys.executable, "-m", "scripts.recovery_figures", "make", here, str(bench.size)])
    for _ in range(bench.runs):
        for work in ("zfec encodes", "encode", "zfec decodes", "repair"):
            _time(bench, work, here)
    for ours, plain in (("encode", "zfec encodes"), ("repair", "zfec decodes")):
        share = bench.median(plain) / bench.median(ours)
        note = f"{bench.spread(ours)}; {bench.spread(plain)}"
        bench.figures.append(Figure(f"{ours}, its speed to zfec's alone", share, "×", 0.6, at_least=True, note=note))
        peak = max(run.peak_bytes for run in bench.runs_made[ours])
        bench.figures.append(Figure("  peak memory", peak / 1e6, "MB", 300))
    shutil.rmtree(here)


def _time(bench: Bench, work: str, here: Path) -> None:
    """Measure one work, by the seconds it says itself: neither start-up nor the making of its input count."""
    os.sync()
    run = measure([sys.executable, "-m", "scripts.recovery_figures", work, here])
    seconds = json.loads((here / "seconds").read_text())
    bench.runs_made.setdefault(work, []).append(Run(seconds, run.cpu_seconds, run.peak_bytes))
    sys.stderr.write(f"  {work}: {seconds:.2f} s, {run.peak_bytes / 1e6:.0f} MB\n")


def _make(here: Path, size: int) -> None:
    """Fill a store, and say which blobs lie on which volume."""
    chance, streams = random.Random(1), dict[int, list[tuple[str, str, int]]]()
    with Store(here / "store").writing() as writing:
        for volume in range(1, K + 1):
            for number in range(max(1, size // K // BLOB)):
                data = chance.randbytes(BLOB)
                streams.setdefault(volume, []).append((f"{number:04}", writing.add_bytes(data), len(data)))
    (here / "streams").write_text(json.dumps(list(streams.values())))


def _streams(here: Path) -> list[Stream]:
    listed = json.loads((here / "streams").read_text())
    return [
        stream_of(number, (Entry(path, Digest(digest), size) for path, digest, size in files))
        for number, files in enumerate(listed, 1)
    ]


def _encode(here: Path) -> float:
    """Encode, and leave the parity volumes and a store that lacks two volumes for the repair."""
    streams, store = _streams(here), Store(here / "store")
    shutil.rmtree(here / "work", ignore_errors=True)
    start = time.perf_counter()
    made = encode(
        streams, store.open, m=M, block=BLOCK, directory=here / "work", workers=os.cpu_count() or 1, report=ignore
    )
    seconds = time.perf_counter() - start
    (here / "recovery").write_bytes(render(made.recovery))
    for number, parity_files in zip(made.recovery.volumes, made.volumes, strict=True):
        shutil.rmtree(here / f"{number}", ignore_errors=True)
        (here / f"{number}" / "parity").mkdir(parents=True)
        (here / f"{number}" / INDEX).write_bytes(made.index)
        for one in parity_files:
            one.file.rename(here / f"{number}" / one.path)
    return seconds


def _repair(here: Path) -> float:
    streams, recovery = _streams(here), parse((here / "recovery").read_bytes(), Recovery, where="recovery")
    lab = here / "lab"
    shutil.rmtree(lab, ignore_errors=True)
    shutil.copytree(here / "store", lab, copy_function=os.link)
    wanted = {file.sha256: file.size for stream in streams[:M] for file in stream.files}
    store = Store(lab)
    for digest in wanted:
        store.remove(digest)
    media = Media(store, {number: DirectoryVolume(here / f"{number}") for number in recovery.volumes})
    start = time.perf_counter()
    with store.writing() as writing:
        repair(recovery, media, wanted, writing, workers=os.cpu_count() or 1, report=ignore)
    seconds = time.perf_counter() - start
    assert store.missing(wanted) == {}
    return seconds


def _zfec_encodes(here: Path) -> float:
    blocks, coder = _blocks(here), zfec.Encoder(K, K + M)
    numbers = tuple(range(K, K + M))
    start = time.perf_counter()
    for stripe in blocks:
        coder.encode(stripe, numbers)
    return time.perf_counter() - start


def _zfec_decodes(here: Path) -> float:
    """Decode stripes without their first blocks; what parity holds makes no difference to the work."""
    blocks, coder = _blocks(here), zfec.Decoder(K, K + M)
    numbers = (*range(K, K + M), *range(M, K))
    start = time.perf_counter()
    for stripe in blocks:
        coder.decode(stripe, numbers)
    return time.perf_counter() - start


def _blocks(here: Path) -> list[tuple[bytes, ...]]:
    """Read all payload into memory, as stripes."""
    store = Store(here / "store")
    data = [b"".join(store.read(file.sha256, file.size) for file in stream.files) for stream in _streams(here)]
    starts = range(0, len(data[0]), BLOCK)
    return [tuple(one[start : start + BLOCK].ljust(BLOCK, b"\0") for one in data) for start in starts]


_WORKS: dict[str, Callable[[Path], float]] = {
    "encode": _encode,
    "repair": _repair,
    "zfec encodes": _zfec_encodes,
    "zfec decodes": _zfec_decodes,
}


def main() -> None:
    """Do one work, and leave the seconds it took."""
    work, here = sys.argv[1], Path(sys.argv[2])
    if work == "make":
        _make(here, int(sys.argv[3]))
    else:
        (here / "seconds").write_text(json.dumps(_WORKS[work](here)))


if __name__ == "__main__":
    main()
