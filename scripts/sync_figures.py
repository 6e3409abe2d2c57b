"""What syncing costs: over HTTP to `dnf reposync`, many packages' metadata, selections to `createrepo_c --update`."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

from scripts.measured import Bench, Figure, Site, repository
from scripts.processes import make_resident, measure, peaks
from scripts.served import served

_PACKAGES = 2000
_VERSIONS = 3
_RELATED = 10
"""What each of the many packages requires, and provides: then primary.xml has some 2 kB for each, as vendors' have."""

_DNF = """[main]
gpgcheck=0
reposdir={here}/none
cachedir={here}/cache
logdir={here}/log
persistdir={here}/persist
varsdir={here}/none
metadata_expire=0

[bench]
name=bench
baseurl={url}
"""


def syncing(bench: Bench, size: int, listed: int) -> None:
    """Measure syncs of `size` bytes in 2,000 packages over HTTP, then those of `listed` small packages."""
    here = bench.directory / "syncing"
    upstream = bench.directory / "upstream"
    upstream.mkdir(exist_ok=True)
    with served(upstream, here / "server") as url:
        _against_reposync(bench, here, f"{url}/current/", size)
        many = _many(bench, listed)
        _parse_and_plan(bench, here, f"{url}/{many.name}/", many, listed)
    _against_createrepo(bench, here, many, listed)
    shutil.rmtree(here)


def _against_reposync(bench: Bench, here: Path, url: str, size: int) -> None:
    """Compare a first sync, an unchanged one, and one after a change of one in a hundred."""
    count = min(_PACKAGES, size // 25_000)
    first = repository(bench, "synced", count, size // count)
    second = repository(bench, "synced-next", count, size // count, newer=max(1, count // 100), like=first)
    reposync = _has("dnf", "reposync", "--help")
    for number in range(bench.runs):
        for name in ("reposync", "sync") if reposync else ("sync",):
            command = _commands(here / f"{name}-{number}", url)[name]
            _show(first)
            make_resident(3 * size)
            bench.time(f"first {name}", command)
            bench.time(f"unchanged {name}", command)
            _show(second)
            bench.time(f"{name} of 1 %", command)
    if not reposync:
        bench.unmeasured.append("syncs to dnf reposync: there is no dnf with its plugin reposync here")
        return
    bench.ratio(f"first sync of {count:,}, to reposync", "first sync", "first reposync", 0.5)
    bench.ratio("unchanged, to the first reposync", "unchanged sync", "first reposync", 0.1)
    bench.ratio("1 % changed, to the first reposync", "sync of 1 %", "first reposync", 0.1)
    bench.ratio("unchanged, to reposync unchanged", "unchanged sync", "unchanged reposync", None)
    bench.ratio("1 % changed, to reposync of it", "sync of 1 %", "reposync of 1 %", None)
    bench.ratio("1 % changed, to our first sync", "sync of 1 %", "first sync", None)


def _show(repo: Path) -> None:
    """Let the server show a repository as the current one."""
    current = repo.parent / "current"
    current.unlink(missing_ok=True)
    current.symlink_to(repo.name)


def _commands(here: Path, url: str) -> dict[str, list[str | Path]]:
    """Prepare a fresh mirror, and give the commands that sync it: ours, and dnf's."""
    here.mkdir(parents=True)
    site = _site(here / "depot", url)
    configuration = here / "dnf.conf"
    configuration.write_text(_DNF.format(here=here, url=url))
    hermetic: list[str | Path] = ["-q", "--config", configuration, "--installroot", here / "host", "--releasever", "1"]
    what: list[str | Path] = ["--download-metadata", "--norepopath", "--repoid", "bench", "-p", here / "mirror"]
    return {"sync": site.command("sync"), "reposync": ["dnf", *hermetic, "reposync", *what]}


def _site(root: Path, source: str | Path) -> Site:
    site = Site(root)
    site.do("init", "--name", "hq")
    site.do("repo", "add", "bench/packages", source)
    return site


def _many(bench: Bench, listed: int) -> Path:
    """Build a repository of many small packages, each in three versions."""
    sys.stderr.write(f"building {listed:,} small packages …\n")
    target = bench.directory / "upstream" / "many"
    numbers = ["--packages", listed, "--versions", _VERSIONS, "--related", _RELATED]
    measure([sys.executable, "-m", "tests.makers.repos", target, *map(str, numbers)])
    return target


def _parse_and_plan(bench: Bench, here: Path, url: str, many: Path, listed: int) -> None:
    """Measure a whole sync whose metadata are new and whose packages are all held: it fetches none of them."""
    site = _site(here / "many", many)
    site.do("sync")
    site.do("repo", "set", "bench/packages", "--source", url)
    name = f"metadata of {listed:,} packages"
    for number in range(bench.runs):
        _revise(many, number)
        bench.time(name, site.command("sync"))
    _revise(many, bench.runs)
    parent, child = peaks(site.command("sync"))
    unpacked = _unpacked(many)
    bench.figures += [
        Figure(name, bench.median(name), "s", 6, note=f"new repomd.xml, no package fetched; {bench.spread(name)}"),
        Figure("  peak memory of the parent", parent / 1e6, "MB", 250),
        Figure(
            "  peak memory of a child",
            (child + unpacked) / 1e6,
            "MB",
            500,
            note=f"{child / 1e6:.0f} MB, and primary.xml unpacked into a memfd, {unpacked / 1e6:.0f} MB",
        ),
    ]


def _against_createrepo(bench: Bench, here: Path, many: Path, listed: int) -> None:
    """Compare a selection of the newest, its packages held, with a new index of the same directory.

    createrepo_c gets a list of the files: to walk the directory, it sorts them in a time that grows with their square.
    """
    site = Site(here / "many")
    site.do("repo", "set", "bench/packages", "--source", many, "--newest", "1")
    plain = here / "indexed"
    measure(["cp", "-al", many, plain])
    createrepo = shutil.which("createrepo_c") is not None
    name, other = f"--newest 1 of {listed:,}", "createrepo_c --update"
    options: list[str | Path] = ["-q", "--update", "--no-database", "--pkglist", _listing(many, here / "list")]
    for number in range(bench.runs):
        _revise(many, bench.runs + 1 + number)
        if createrepo:
            bench.time(other, ["createrepo_c", *options, plain])
        bench.time(name, site.command("sync"))
    parent, child = peaks(_revised(site, many, 2 * bench.runs + 1))
    if createrepo:
        bench.ratio(f"{name}, to {other}", name, other, 1.5)
    else:
        bench.unmeasured.append(f"{name} to {other}: there is no createrepo_c here")
    bench.figures += [
        Figure("  peak memory of the parent", parent / 1e6, "MB", None),
        Figure("  peak memory of a child", child / 1e6, "MB", None, note="and what is unpacked"),
    ]


def _listing(many: Path, target: Path) -> Path:
    """Write the list of packages that createrepo_c reads."""
    target.write_text("".join(f"{path.relative_to(many)}\n" for path in sorted(many.rglob("*.rpm"))))
    return target


def _revised(site: Site, many: Path, revision: int) -> list[str | Path]:
    _revise(many, revision)
    return site.command("sync")


def _revise(many: Path, revision: int) -> None:
    """Make the repository's metadata new, its packages as they were."""
    repomd = many / "repodata/repomd.xml"
    text = re.sub(r"<revision>\d+</revision>", f"<revision>{1_700_000_001 + revision}</revision>", repomd.read_text())
    repomd.unlink()
    repomd.write_text(text)


def _unpacked(many: Path) -> int:
    """Read how long primary.xml is."""
    text = (many / "repodata/repomd.xml").read_text()
    found = re.search(r'<data type="primary">.*?<open-size>(\d+)</open-size>', text, re.DOTALL)
    assert found
    return int(found[1])


def _has(*command: str) -> bool:
    return (
        shutil.which(command[0]) is not None
        and subprocess.run(command, capture_output=True, check=False).returncode == 0
    )
