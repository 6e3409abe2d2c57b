"""Attacks by other processes, users and signals, and by the modes of a medium: rows 69 to 72 of the threats."""

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from issmedia.base import files
from issmedia.base.digest import digest_of
from tests.makers.attacked import World, assert_imported, command_line
from tests.makers.forge import copied, release_key
from tests.makers.programs import run, try_run
from tests.makers.sites import Site
from tests.makers.sshkeys import NOW

NOBODY = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]

SIGNALLED = """
import os, sys
from issmedia.base import files
from issmedia.cli.main import main
kind, _, number = sys.argv.pop(1).partition("=")
struck = []
def step(what, name):
    if what == kind and not struck:
        struck.append(name)
        os.kill(os.getpid(), int(number))
with files.observing(step):
    main()
"""


def signalled(at: str, number: int, site: Site, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a command in a process that sends itself a signal at its first change of the disk of one kind."""
    return try_run(sys.executable, "-P", "-c", SIGNALLED, f"{at}={number}", *command_line(site, *arguments)[4:])


def test_069_a_second_process_is_told_who_holds_the_depot(lab: Site, volume: Path) -> None:
    """Two operators import at once."""
    before = lab.state()

    with lab.depot.owned("import of /mnt/first", now=NOW):
        for command in (("import", volume), ("publish",), ("audit",), ("keys", "threshold", "1")):
            second = try_run(*command_line(lab, *command))
            assert (second.returncode, lab.state()) == (8, before), second.stderr
            assert f"busy: import of /mnt/first since {NOW} by pid {os.getpid()}" in second.stderr
        lab.do("status")
        lab.do("verify", volume)

    assert_imported(lab, volume)


def test_069_a_depot_is_free_again_when_its_holder_is_killed(lab: Site, volume: Path) -> None:
    """The process that held the depot died without a word."""
    killed = signalled("syncfs", 9, lab, "import", volume)

    assert killed.returncode == -9
    assert_imported(lab, volume)


def test_069_readers_see_one_generation_at_each_moment(lab: Site, world: World) -> None:
    """Two bundles are imported in turns, and at each change of the disk a reader looks at all that is published."""
    bundles = {volume: str(lab.do("inspect", volume, "--json").document["id"]) for volume in (world.newer, world.older)}
    seen: set[tuple[str, ...]] = set()

    with files.observing(lambda kind, name: seen.add(_published(lab))):
        for volume, name in [*bundles.items()] * 2:
            lab.do("import", volume, "--allow-rollback", name)

    generations = {_packages(world.newer), _packages(world.older)}
    assert generations == seen


def _packages(volume: Path) -> tuple[str, ...]:
    return tuple(sorted(path.name for path in (volume / "repos/p/zoo").iterdir()))


def _published(lab: Site) -> tuple[str, ...]:
    repository = lab.root / "published/p/zoo"
    names = tuple(sorted(os.listdir(repository)))
    repomd = (repository / "repodata/repomd.xml").read_text()
    assert [name for name in re.findall('href="([^"]*)"', repomd) if not (repository / name).is_file()] == []
    return names


@pytest.mark.parametrize(("number", "code"), [(2, 130), (15, -15), (9, -9)], ids=["INT", "TERM", "KILL"])
@pytest.mark.parametrize("kind", ["create", "syncfs", "link", "commit", "rename"])
def test_070_an_import_that_is_stopped_goes_on(lab: Site, volume: Path, number: int, code: int, kind: str) -> None:
    """The importer is interrupted, ended or killed as it begins to change the disk in one way or another."""
    before = lab.state()

    stopped = signalled(kind, number, lab, "import", volume)

    assert stopped.returncode == code, stopped.stderr
    assert "Traceback" not in stopped.stderr
    assert number != 2 or "the same command again goes on where this stopped" in stopped.stderr
    assert _seen_by_clients(before) == _seen_by_clients(lab.state())
    assert_imported(lab, volume)
    assert list((lab.root / "store/incoming").iterdir()) == []
    assert lab.do("audit").code == 0


def _seen_by_clients(state: dict[str, str]) -> dict[str, str]:
    return {name: fact for name, fact in state.items() if name != "catalog"}


@pytest.mark.parametrize("number", [2, 15, 9], ids=["INT", "TERM", "KILL"])
def test_070_an_export_that_is_stopped_goes_on(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """The exporter is stopped; what is on the stick does not look whole, and the next run completes it."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    hq = Site(copied(world.hq.root, tmp_path / "hq"))

    signalled("syncfs", number, hq, "export", "--to", tmp_path / "stick")

    assert not (tmp_path / "stick/manifest.json").exists()
    assert "an unfinished export" in hq.call("verify", tmp_path / "stick").err
    hq.do("export", "--to", tmp_path / "stick")
    run("sh", "-c", 'cd "$1" && sha256sum --quiet -c SHA256SUMS', "sh", tmp_path / "stick")


def test_071_modes_and_times_of_the_medium_are_not_taken_over(lab: Site, volume: Path) -> None:
    """Everything on the medium is setuid and writable for all, from 1901 or 2100, with attributes of its own."""
    for path in [volume, *volume.rglob("*")]:
        path.chmod(0o7777)
        os.utime(path, (-(1 << 31), 4 << 30))
        if hasattr(os, "setxattr"):
            _try_xattr(path)

    assert_imported(lab, volume)

    _require_modes(lab)


def _try_xattr(path: Path) -> None:
    try:
        os.setxattr(path, "user.issmedia", b"evil")
    except OSError:
        return


def _require_modes(lab: Site) -> None:
    for place in ("store", "publications"):
        for path in (lab.root / place).rglob("*"):
            mode = path.lstat().st_mode & 0o7777
            if path.is_symlink():
                continue
            private = path.name == "incoming"
            small = path.name in ("issmedia.repo",) or path.suffix == ".asc"
            expected = (0o700 if private else 0o755) if path.is_dir() else 0o644 if small else 0o444
            assert (path, oct(expected)) == (path, oct(mode))
            assert not hasattr(os, "listxattr") or "user.issmedia" not in os.listxattr(path)
    for name in ("keys", "keyring", "."):
        assert (lab.root / name).stat().st_mode & 0o7777 == (0o700 if name == "keys" else 0o755)


@pytest.fixture(params=[0o077, 0o022, 0o000, 0o777], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    """Work under a hostile umask."""
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def test_071_the_umask_does_not_matter(world: World, tmp_path: Path, umask: int) -> None:
    """The operator's account has a umask that hides everything, or one that opens everything."""
    os.umask(0o022)
    place = tmp_path / "place"
    place.mkdir()
    os.umask(umask)
    lab = Site(place / "lab")
    lab.do("init", "--name", "lab")
    lab.do("keys", "generate", "own")
    lab.do("keys", "trust", "hq", release_key(world.hq).public.line)

    assert_imported(lab, world.newer)
    lab.do("export", "--to", place / "onward")

    _require_modes(lab)
    assert (lab.root / "keys/own").stat().st_mode & 0o7777 == 0o600
    modes = {oct(path.stat().st_mode & 0o7777) for path in (place / "onward").rglob("*")}
    assert modes == {"0o755", "0o644"}
    os.umask(0o022)


@pytest.fixture
def open_place() -> Iterator[Path]:
    """Give a directory that other users can enter."""
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        yield Path(place)


@pytest.mark.root
@pytest.mark.system("setpriv")
def test_071_other_users_can_read_what_is_published(world: World, open_place: Path, umask: int) -> None:
    """The web server runs as somebody else, and the operator's umask hides everything."""
    lab = Site(open_place / "lab")
    lab.do("init", "--name", "lab")
    lab.do("keys", "trust", "hq", release_key(world.hq).public.line)
    lab.do("import", world.newer)

    published = run(*NOBODY, "find", f"{lab.root}/published/", "-follow", "-type", "f", "-exec", "sha256sum", "{}", "+")

    upstream = [path for path in (world.newer / "repos").rglob("*") if path.is_file()]
    assert {digest_of(path.read_bytes()) for path in upstream} <= set(published.split())
    assert len(published.splitlines()) == len(upstream) + 1


@pytest.mark.root
@pytest.mark.system("setpriv")
def test_072_other_users_cannot_reach_what_is_being_staged(world: World, open_place: Path) -> None:
    """While files come in, somebody else on the machine tries to list, replace and add them, and to read keys."""
    lab = Site(copied(world.lab.root, open_place / "lab"))
    lab.do("keys", "generate", "own")
    incoming = lab.root / "store/incoming"
    tries: list[tuple[str, int]] = []

    def meddle(kind: str, name: str) -> None:
        if kind in ("write", "syncfs") and len(tries) < 40:
            for script in (f"ls {incoming}", f"echo evil > {incoming}/{name}", f"rm {incoming}/{name}"):
                tries.append((script, try_run(*NOBODY, "sh", "-c", script).returncode))

    with files.observing(meddle):
        assert_imported(lab, world.newer)

    assert len(tries) > 20
    assert [script for script, code in tries if code == 0] == []
    for script in ("ls keys", "cat keys/own", "touch store/x", "touch keyring/x", "touch x", "echo > lock"):
        assert try_run(*NOBODY, "sh", "-c", f"cd {lab.root} && {script}").returncode != 0, script


def test_072_names_of_staged_files_cannot_be_foretold(lab: Site, volume: Path) -> None:
    """Somebody who knows the names beforehand puts links there."""
    names: list[str] = []

    with files.observing(lambda kind, name: names.append(name) if kind == "create" else None):
        assert_imported(lab, volume)

    assert len(names) > 10
    assert [name for name in names if not re.fullmatch(r"\.tmp-[0-9a-f]{32}", name)] == []
    assert len(set(names)) == len(names)


@pytest.mark.system("strace")
def test_072_staged_files_are_made_new_and_never_open_to_others(lab: Site, volume: Path, tmp_path: Path) -> None:
    """A link waits where a file is made, or somebody else is quick, under a umask that forbids nothing."""
    trace = tmp_path / "trace"
    calls = "trace=open,openat,creat,mkdir,mkdirat"

    subprocess.run(
        ["strace", "-ff", "-qq", "-e", calls, "-o", trace, *command_line(lab, "import", volume)],
        umask=0, check=True, capture_output=True,
    )  # fmt: skip

    text = "".join(path.read_text() for path in tmp_path.glob("trace.*"))  # a file a thread: no line is interrupted
    lines = [line for line in text.splitlines() if str(lab.root) in line and "= -1" not in line]
    staged = [line for line in lines if "O_CREAT" in line and ".tmp-" in line]
    assert len(staged) > 10
    assert [line for line in staged if "O_EXCL" not in line or "O_NOFOLLOW" not in line or ", 0600)" not in line] == []
    made = [line for line in lines if "mkdir" in line]
    assert made and [line for line in made if not re.search(r", 0(700|755)\)", line)] == []


def test_072_a_link_in_place_of_incoming_files_is_not_followed(lab: Site, volume: Path, tmp_path: Path) -> None:
    """Left-overs are links to what must not be removed."""
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious/file").write_text("precious")
    (lab.root / "store/incoming/.tmp-link").symlink_to(tmp_path / "precious")
    (lab.root / "publications/.tmp-link").symlink_to(tmp_path / "precious")

    assert_imported(lab, volume)

    assert (tmp_path / "precious/file").read_text() == "precious"
    assert list((lab.root / "store/incoming").iterdir()) == []
