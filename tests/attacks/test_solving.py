"""What an upstream may do to us by what its packages require and provide. Numbers are rows of the threat table."""

import resource
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest
from msgspec.structs import replace

from issmedia.base.digest import digest_of
from issmedia.base.errors import FormatError
from issmedia.base.events import Event, Warned
from issmedia.content.yum.parsed import Related
from issmedia.content.yum.solver import Solver
from issmedia.content.yum.urgent import urgent_packages
from tests.content.test_dependencies import related
from tests.makers.attacked import command_line
from tests.makers.extras import AdvisorySpec, Listed, updateinfo
from tests.makers.programs import try_run
from tests.makers.repodata import Pkg, Rec, primary_record, primary_xml, write_repo
from tests.makers.sink import MemorySink
from tests.makers.sites import Site
from tests.makers.syncs import sync

MIB = 1 << 20
LIMITED = (resource.RLIMIT_FSIZE, resource.RLIMIT_NPROC, resource.RLIMIT_CORE, resource.RLIMIT_AS)
SMALL = ["sh", "-c", 'ulimit -v 800000 && exec "$@"', "sh"]
"""On a small machine: what would take all memory takes it sooner."""

TAKES_TOO_MUCH = "p/evil: repodata/primary.xml: what app-1-1.noarch needs takes too much time or memory to settle"


def pairs(count: int) -> str:
    """Require one of some pairs: every choice of one from each pair is a rule for libsolv, 2 to the power of count."""
    return "(" + " or ".join(f"(a{number} and b{number})" for number in range(count)) + ")"


def write_upstream(directory: Path, requirement: str, *, urgent: bool = False) -> Path:
    """Write a repository of one package that requires this, and one that provides all the names in it.

    Where it is urgent, an advisory names the first.
    """
    packages = [Pkg("app.rpm", b"app", name="app"), Pkg("rest.rpm", b"rest", name="rest")]
    names = [f"{letter}{number}" for letter in "ab" for number in range(40)]
    head, tail = primary_xml(packages).replace(b"<metadata ", b'<metadata xmlns:rpm="r" ').split(b"<format/>", 1)
    data = head + _format("requires", [requirement]) + tail.replace(b"<format/>", _format("provides", names))
    data = data.replace(b'xmlns:rpm="r"', b'xmlns:rpm="http://linux.duke.edu/metadata/rpm"')
    app = Listed("app", "0", "1", "1", "noarch", "app.rpm", digest_of(b"app"), 3)
    advisories = updateinfo([AdvisorySpec("A-1", ("app",))], [app]).encode()
    records = [primary_record(data), *([Rec("updateinfo", "repodata/updateinfo.xml", advisories)] if urgent else ())]
    return write_repo(directory, records, {one.href: one.data for one in packages})


def _format(kind: str, names: Iterable[str]) -> bytes:
    entries = "".join(f'<rpm:entry name="{name}"/>' for name in names)
    return f"<format><rpm:{kind}>{entries}</rpm:{kind}></format>".encode()


def refused(solver: Solver, packages: list[Related]) -> FormatError:
    """Have a child settle what these need, and give the error; we ourselves stay small meanwhile."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(FormatError) as caught, solver.settling(hint="") as settling:
        settling.add(0, packages, where="primary.xml")
        settling.closed([(0, "app.x86_64")])
        settling.unmet()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < before + (100 << 10)
    return caught.value


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A site with a repository that will turn evil, and a good one of another product."""
    site = Site(tmp_path / "hq")
    site.do("init", "--name", "hq")
    site.do("repo", "add", "p/evil", write_upstream(tmp_path / "evil", "b1"), "--include", "app", "--with-dependencies")
    site.do("repo", "add", "q/good", write_upstream(tmp_path / "good", "b1"))
    site.do("sync")
    site.do("publish")
    return site


def on_a_small_machine(site: Site, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command line where there is little memory."""
    return try_run(*SMALL, *command_line(site, *arguments))


def test_047_a_requirement_that_outgrows_memory_fails_one_sync_and_changes_nothing(site: Site, tmp_path: Path) -> None:
    """The attacker's package requires one of thirty pairs, in six hundred bytes: a thousand million rules."""
    before = site.state()
    write_upstream(tmp_path / "evil", pairs(30))

    outcome = on_a_small_machine(site, "sync", "p/evil")

    assert (outcome.returncode, site.state()) == (5, before)
    assert TAKES_TOO_MUCH in outcome.stderr
    assert "hint: leave that package out: issmedia repo set --exclude" in outcome.stderr
    site.do("repo", "set", "p/evil", "--everything", "--exclude", "app", "--with-dependencies")
    site.do("sync", "p/evil")


def test_047_the_sync_of_others_goes_on(site: Site, tmp_path: Path) -> None:
    """The attacker's repository is one of many."""
    before = site.trees()
    write_upstream(tmp_path / "evil", pairs(30))
    write_upstream(tmp_path / "good", "b2")

    outcome = on_a_small_machine(site, "sync")

    after = site.trees()
    assert (outcome.returncode, TAKES_TOO_MUCH in outcome.stderr) == (7, True)
    assert (after["p/evil"], after["q/good"] == before["q/good"]) == (before["p/evil"], False)


def test_047_a_requirement_that_outgrows_memory_fails_a_check(site: Site, tmp_path: Path) -> None:
    """The attacker waits until somebody looks whether the packages would install."""
    site.do("repo", "set", "p/evil", "--everything")
    write_upstream(tmp_path / "evil", pairs(30))
    site.do("sync")
    before = site.state()

    outcome = on_a_small_machine(site, "check")

    assert (outcome.returncode, outcome.stdout, site.state()) == (5, "", before)
    assert TAKES_TOO_MUCH in outcome.stderr
    assert "hint: what is named is taken together; name fewer: issmedia check PRODUCT/REPO" in outcome.stderr
    assert on_a_small_machine(site, "check", "q/good").returncode == 0


def test_047_a_requirement_that_outgrows_memory_fails_no_export(site: Site, tmp_path: Path) -> None:
    """The attacker's package is one that an advisory names, so that an export asks what it needs."""
    site.do("repo", "set", "p/evil", "--everything")
    site.do("keys", "generate", "release")
    write_upstream(tmp_path / "evil", pairs(30), urgent=True)
    site.do("sync")

    outcome = on_a_small_machine(site, "export", "--to", str(tmp_path / "out"), "--order", "severity")

    assert outcome.returncode == 0, outcome.stderr
    assert "warning: p/evil: repodata/primary.xml: security updates go first without what they need: " in outcome.stderr
    assert "what app-1-1.noarch needs takes too much time or memory to settle" in outcome.stderr
    assert (tmp_path / "out" / "manifest.json").is_file()


def test_047_what_is_urgent_is_told_by_a_child_and_we_stay_small(tmp_path: Path) -> None:
    """The attacker's advisory names the package whose requirement outgrows memory."""
    sink, said = MemorySink(), list[Event]()
    upstream = write_upstream(tmp_path / "evil", pairs(30), urgent=True)
    tree = sync(upstream, sink).tree
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    urgent = urgent_packages({"p/evil": tree}, sink.open, said.append, solver=Solver(memory=300 * MIB))

    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < before + (50 << 10)
    assert urgent == {digest_of(b"app")}
    assert [type(one) for one in said] == [Warned]


def test_047_a_requirement_that_takes_for_ever_is_given_up() -> None:
    """The attacker's pairs are fewer, and fit into memory: to go through them takes all day."""
    packages = [related("app", pairs(22)), *(related(f"{letter}{one}") for letter in "ab" for one in range(22))]

    found = refused(Solver(timeout_s=3), packages)

    assert found.message == "what app-1-1.x86_64 needs takes too much time or memory to settle (signal 9)"


def test_047_time_on_a_processor_is_bounded_too() -> None:
    """The machine is so busy that a clock says little."""
    packages = [related("app", pairs(22)), *(related(f"{letter}{one}") for letter in "ab" for one in range(22))]

    assert "signal" in refused(Solver(seconds=1), packages).message


def test_047_a_name_that_everybody_provides_outgrows_the_child_only() -> None:
    """The attacker lists many packages that provide one name, and requires that in many ways."""
    provides, requires = ("x", "EQ", "0", "9999", ""), tuple(("x", "GE", "0", str(one), "") for one in range(3000))
    many = [replace(related(f"p{number}"), provides=(provides,)) for number in range(4000)]

    found = refused(Solver(memory=150 * MIB), [*many, replace(related("app"), requires=requires)])

    assert "what its packages need of each other takes too much time or memory" in found.message


def test_047_files_of_which_no_end_is_required_are_not_looked_for() -> None:
    """The attacker requires a hundred thousand files, and lists as many in filelists."""
    requires = tuple((f"/usr/{number}", "", "", "", "") for number in range(100_001))

    with Solver().settling(hint="") as settling, pytest.raises(FormatError, match="more than 100,000 files"):
        settling.add(0, [replace(related("app"), requires=requires)], where="primary.xml")
        settling.files_lacking()


def test_073_the_solving_child_can_write_no_file_start_no_process_and_take_no_more_memory() -> None:
    """The attacker has taken over the child by what packages require, and looks for what it can do to us."""
    with Solver(memory=500 * MIB).settling(hint="") as settling:
        settling.add(0, [related("app")], where="primary.xml")
        settling.files_lacking()
        nursery = settling._nursery.pid
        (child,) = Path(f"/proc/{nursery}/task/{nursery}/children").read_text().split()
        limits = [resource.prlimit(int(child), what) for what in LIMITED]
        opened = {path.readlink().as_posix().partition(":")[0] for path in Path(f"/proc/{child}/fd").iterdir()}

    assert limits == [(0, 0), (0, 0), (0, 0), (500 * MIB, 500 * MIB)]
    assert opened == {"pipe", "/dev/null"}
