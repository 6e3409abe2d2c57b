"""Processes, measured: wall time, processor time, peak memory, bytes read; and the machine they ran on."""

import contextlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

_READ = re.compile(r"\b(?:readv?|pread64|preadv2?)\([0-9]+<(?P<path>[^>]*)>.* = (?P<bytes>[0-9]+)$")

_PEAK = re.compile(r"^VmHWM:\s+(\d+) kB$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Run:
    """One run: seconds of wall clock and of processors, and the peak memory of the largest process in its tree."""

    seconds: float
    cpu_seconds: float
    peak_bytes: int


def measure(command: Sequence[str | Path], *, codes: tuple[int, ...] = (0,)) -> Run:
    """Run a command that must end with one of these exit codes; what it says is shown only when it does not."""
    arguments = [str(part) for part in command]
    with tempfile.TemporaryFile() as said:
        start = time.perf_counter()
        process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode not in codes:
            said.seek(0)
            text = said.read().decode("utf-8", "replace")
            raise SystemExit(f"{' '.join(arguments)}: exit code {process.returncode}\n{text}")
    return Run(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


def peaks(command: Sequence[str | Path]) -> tuple[int, int]:
    """Run a command; give the peak memory in bytes of its process, and of the largest of its descendants.

    The kernel keeps each process's peak (VmHWM), and every 2 ms it is read: of what a process takes in its last 2 ms
    nothing is known.
    """
    arguments, found = [str(part) for part in command], dict[int, int]()
    with subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            for pid in _tree(process.pid):
                found[pid] = max(found.get(pid, 0), _peak(pid))
            time.sleep(0.002)
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(arguments)}: exit code {process.returncode}")
    return found.pop(process.pid), max(found.values(), default=0)


def make_resident(size: int) -> None:
    """Touch and free this many bytes of memory: on a virtual machine the first use of a page costs the host's time.

    Free pages go back to the host after some seconds. Without this, the second to run finds them warm. A process apart
    does it: the peak memory of those started here would count what this one had.
    """
    script = (
        "import mmap, sys; m = mmap.mmap(-1, int(sys.argv[1])); [m.write(b'1' * 2**20) for _ in range(len(m) >> 20)]"
    )
    subprocess.run([sys.executable, "-c", script, str(max(1 << 20, size))], check=True)


def bytes_read_below(directory: Path, command: Sequence[str | Path]) -> int | None:
    """Run a command under strace, and sum what it read from files below a directory; None without strace."""
    if shutil.which("strace") is None:
        return None
    with tempfile.TemporaryDirectory() as scratch:
        log = Path(scratch) / "log"
        reads = "trace=read,readv,pread64,preadv,preadv2"
        strace = ["strace", "-f", "-ff", "-y", "-s", "0", "-e", reads, "-o", str(log)]
        measure([*strace, *command])
        return sum(_read_below(f"{directory}/", path) for path in Path(scratch).iterdir())


def machine(directory: Path) -> dict[str, str]:
    """Say on what was measured."""
    pages, page = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    packages = ("createrepo-c", "cryptography", "msgspec", "zfec", "zstandard")
    tools = [("cp", "--version"), ("openssl", "version"), ("xorriso", "--version")]
    tools += [("dnf", "--version"), ("createrepo_c", "--version"), ("nginx", "-v")]
    return {
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "memory": f"{pages * page / 1e9:.0f} GB",
        "file system": _file_system(directory),
        "system": f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
        "packages": ", ".join(f"{name} {version(name)}" for name in packages),
        "tools": "; ".join(_first_line(*command) for command in tools),
        "load": f"{os.getloadavg()[0]:.1f} at the start",
    }


def _tree(pid: int) -> list[int]:
    """List a process and those it started, that still run, and so on."""
    found = [pid]
    for one in found:
        for listed in Path(f"/proc/{one}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                found += map(int, listed.read_text().split())
    return found


def _peak(pid: int) -> int:
    try:
        match = _PEAK.search(Path(f"/proc/{pid}/status").read_text())
    except OSError:
        return 0
    return int(match[1]) * 1024 if match else 0


def _read_below(prefix: str, log: Path) -> int:
    """Sum the reads in one thread's log: there, calls are never interrupted by another thread's."""
    found = (_READ.search(line) for line in log.read_text(errors="replace").splitlines())
    return sum(int(match["bytes"]) for match in found if match and match["path"].startswith(prefix))


def _processor() -> str:
    match = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return match[1] if match else platform.machine()


def _file_system(directory: Path) -> str:
    done = subprocess.run(["df", "--output=fstype", directory], capture_output=True, text=True, check=False)
    return (done.stdout.split() or ["unknown"])[-1]


def _first_line(*command: str) -> str:
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    except FileNotFoundError:
        return f"no {command[0]}"
    line = (done.stdout.splitlines() or ["?"])[0]
    return line if line[:1].isalpha() and not line.startswith("Version") else f"{command[0]} {line}"
