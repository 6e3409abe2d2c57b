"""What it costs to check upstream's signatures: many small packages, with the keys that vendors have."""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import BinaryIO

import pysequoia
import rpm_rs

from issmedia.content.yum.judge import Judge, PackageFile, judge_packages
from issmedia.model.pinning import VendorKey
from scripts.measured import Bench, Figure
from tests.makers.openpgp import openpgp_key
from tests.makers.rpms import build_rpm

PER_S = 1500
_JOBS = 2
_LATER = 2**31
_RSA = (pysequoia.CipherSuite.RSA2k, pysequoia.CipherSuite.RSA4k)


def signatures_of_many(bench: Bench, packages: int) -> None:
    """Judge small signed packages with two children: by an Ed25519 key, and by RSA keys for comparison."""
    vendor = openpgp_key()
    _judged(bench, "Ed25519", vendor.public, partial(build_rpm, signer=vendor.signer), packages, target=PER_S)
    for suite in _RSA:
        secret = pysequoia.Tsk.generate("bench", cipher_suite=suite, profile=pysequoia.Profile.RFC4880)
        public = str(secret.extract_certificate()).encode()
        name = repr(suite).rpartition(".")[2]
        _judged(bench, name, public, partial(_signed_now, rpm_rs.Signer(str(secret).encode())), packages, target=None)


def _signed_now(signer: rpm_rs.Signer, name: str) -> bytes:
    """Sign a package now: the key is no older."""
    package = rpm_rs.Package.from_bytes(build_rpm(name))
    package.sign(signer)
    return bytes(package.to_bytes())


def _judged(
    bench: Bench, name: str, public: bytes, make: Callable[[str], bytes], count: int, *, target: float | None
) -> None:
    packages = list(_written(bench.directory / f"signed-{name}", make, count))
    with Judge() as judge:
        keys = judge.read_keys(public, where=name)
    times = sorted(_seconds(packages, keys) for _ in range(bench.runs))
    median = times[len(times) // 2]
    note = f"{_JOBS} children, {median:.2f} s ({times[0]:.2f}–{times[-1]:.2f}), their start included"
    work = f"RPM signatures, {count:,} by {name}"
    bench.figures.append(Figure(work, count / median, "packages/s", target, at_least=True, note=note))


def _written(directory: Path, make: Callable[[str], bytes], count: int) -> list[PackageFile]:
    directory.mkdir()
    found = []
    for number in range(count):
        path = directory / f"package-{number}.rpm"
        data = make(f"package-{number}")
        path.write_bytes(data)
        found.append(PackageFile(path.name, len(data), partial(_opened, path)))
    return found


def _opened(path: Path) -> BinaryIO:
    return path.open("rb")


def _seconds(packages: list[PackageFile], keys: tuple[VendorKey, ...]) -> float:
    """Judge them; all must be good."""
    start = time.perf_counter()
    bad = [path for path, found in judge_packages(packages, keys, now=_LATER, jobs=_JOBS) if found.verdict != "good"]
    if bad:
        raise SystemExit(f"{len(bad)} packages are not good, {bad[0]} is the first")
    return time.perf_counter() - start
