"""Attacks on the files of a bundle, and media that misbehave: rows 5 and 30 to 35 of the threats."""

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from issmedia.base.beneath import BeneathFile
from issmedia.base.digest import digest_of
from issmedia.base.direct import PIECE
from issmedia.bundle import layout
from issmedia.bundle.reader import DirectoryVolume
from issmedia.depot.keys import FileKey
from tests.makers.attacked import World, assert_imported, assert_refused, command_line
from tests.makers.forge import copied, handmade
from tests.makers.media import Answer, Medium, fails, import_from, refused_by
from tests.makers.programs import run, try_run
from tests.makers.sites import Site
from tests.makers.streams import some

BIG = bytes(range(256)) * (3 * PIECE // 256) + b"end"
PACKAGE = "repos/p/zoo/alpha-1.0-1.noarch.rpm"


@pytest.fixture
def big(world: World, tmp_path: Path, release: FileKey) -> Path:
    """Give a good volume with one file that takes several readings, and a small one."""
    return handmade(world.hq.depot.site(), {"big": BIG, "small": b"small"}).write(tmp_path / "big", release)


@pytest.fixture
def medium(big: Path) -> Iterator[Medium]:
    """Put that volume into a drive."""
    with DirectoryVolume(big) as volume:
        yield Medium(volume)


BIG_PATH = f"blobs/{digest_of(BIG)[:2]}/{digest_of(BIG)}"
SMALL_PATH = f"blobs/{digest_of(b'small')[:2]}/{digest_of(b'small')}"


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_005_one_bit_changed_in_any_file_is_refused(world: World, tmp_path: Path, data: st.DataObject) -> None:
    """The medium flips one bit of any file, anywhere; the refusal names the file."""
    names = sorted(path.relative_to(world.newer).as_posix() for path in world.newer.rglob("*") if path.is_file())
    of_the_bundle = [one for one in names if not one.startswith("manifest.json") and one not in layout.BESIDE]
    name = data.draw(st.sampled_from(of_the_bundle))
    content = bytearray((world.newer / name).read_bytes())
    bit = data.draw(st.integers(0, len(content) * 8 - 1))
    content[bit // 8] ^= 1 << bit % 8
    fresh = tmp_path / str(len(os.listdir(tmp_path)))
    volume = copied(world.newer, fresh / "volume")
    (volume / name).write_bytes(content)
    lab = Site(copied(world.lab.root, fresh / "lab"))

    assert_refused(lab, volume, 6, name)


def test_005_every_bad_file_is_named_not_only_the_first(lab: Site, volume: Path) -> None:
    """A scratch runs across several files."""
    bad = sorted(volume.rglob("*.rpm"))
    for path in bad:
        path.write_bytes(path.read_bytes()[:-1] + b"!")

    assert_refused(lab, volume, 6, "3 files not intact", *(path.name for path in bad))


def test_030_files_that_nobody_declared_are_reported_and_never_opened(lab: Site, volume: Path) -> None:
    """Beside the good files lie others: a fifo that would block, one longer than any disk, a link to nowhere."""
    strays = [volume / name for name in ("autorun.inf", "repos/p/zoo/evil.rpm", "repos/p/other/x", "trees/fifo")]
    strays[2].parent.mkdir()
    for path in strays[:3]:
        path.write_bytes(b"x")
    os.truncate(strays[1], 1 << 40)
    os.mkfifo(strays[3])
    (volume / "link").symlink_to("/etc/passwd")

    before = lab.state()
    strict = lab.call("import", volume, "--strict")
    assert (strict.code, lab.state()) == (6, before)
    assert "is not declared by SHA256SUMS" in strict.err
    assert lab.call("verify", volume, "--strict").code == 6

    outcome = assert_imported(lab, volume)
    reported = ["autorun.inf", "repos/p/zoo/evil.rpm", "repos/p/other", "trees/fifo", "link"]
    assert [name for name in reported if f"{volume}/{name}" not in outcome.err.replace(": ", "/")] == []
    assert not (lab.root / "published/p/zoo/evil.rpm").exists()


def test_030_a_directory_that_nobody_declared_is_not_entered(lab: Site, volume: Path) -> None:
    """Directories lie in each other far deeper than any path reaches, to wear out who walks them."""
    at = os.open(volume, os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("d", dir_fd=at)
        at, above = os.open("d", os.O_RDONLY, dir_fd=at), at
        os.close(above)
    os.close(at)

    outcome = lab.call("import", volume)
    run("rm", "-rf", volume)

    assert outcome.code == 0, outcome.err
    assert outcome.err.count("is not declared") == 1


@pytest.mark.root
@pytest.mark.system("setpriv")
def test_030_a_directory_that_cannot_be_read_is_passed_by(lab: Site, volume: Path, tmp_path: Path) -> None:
    """A stick has a `lost+found` that belongs to root, and a directory that nobody may read."""
    for name in ("lost+found", "repos/p/secret"):
        (volume / name).mkdir(mode=0)
    powerless = "-dac_override,-dac_read_search"

    outcome = try_run(
        "setpriv", "--bounding-set", powerless, "--inh-caps", powerless, *command_line(lab, "verify", volume)
    )

    assert outcome.returncode == 0, outcome.stderr
    assert "lost+found: is not declared" in outcome.stderr


@pytest.mark.parametrize(
    "path", [PACKAGE, "repos/p/zoo/repodata/repomd.xml", "README.txt", "trees", "schemas/manifest.schema.json"]
)
@pytest.mark.parametrize(
    "length",
    [None, lambda size: 0, lambda size: size - 1, lambda size: size + 1, lambda size: size + (1 << 30)],
    ids=["missing", "empty", "-1", "+1", "+1 GiB"],
)
def test_031_a_file_of_another_length_is_refused(
    lab: Site, volume: Path, path: str, length: Callable[[int], int] | None
) -> None:
    """A file is missing, cut, or longer than it was."""
    file = next((volume / "trees").iterdir()) if path == "trees" else volume / path
    if length is None:
        file.unlink()
    else:
        os.truncate(file, length(file.stat().st_size))

    assert_refused(lab, volume, 6, file.relative_to(volume).as_posix(), "is missing" if length is None else "expected")


def test_031_a_file_that_the_sums_leave_out_is_refused(
    lab: Site, world: World, tmp_path: Path, release: FileKey
) -> None:
    """The bundle was built without a blob that its listing names; sums and manifest are signed as they are."""
    good = handmade(world.hq.depot.site(), {"here": b"here", "gone": b"gone"})
    short = good.__class__(good.site, good.tree, {digest_of(b"here"): b"here"})

    assert_refused(lab, short.write(tmp_path / "short", release), 6, "gone: is on no volume")


def test_032_a_medium_that_is_altered_between_verify_and_import_is_refused(lab: Site, volume: Path) -> None:
    """The medium passes the check, and is exchanged before the import: the check is done again."""
    lab.do("verify", volume)
    (volume / PACKAGE).write_bytes(b"evil")

    before = lab.state()
    outcome = lab.call("import", volume)

    assert (outcome.code, lab.state()) == (6, before)
    assert PACKAGE in outcome.err


def test_032_only_the_bytes_that_were_copied_are_used(lab: Site, big: Path, medium: Medium) -> None:
    """Each file is exchanged for another as soon as it was read."""
    medium.after = lambda path: (big / path).write_bytes(b"evil")

    import_from(lab, medium)

    lab.do("publish")
    assert (lab.root / "published/p/zoo/big").read_bytes() == BIG
    assert lab.do("audit").code == 0


def test_033_no_byte_is_read_twice(lab: Site, big: Path, medium: Medium) -> None:
    """The device would give other bytes the second time it is asked; it is never asked."""
    import_from(lab, medium)

    names = {path.relative_to(big).as_posix(): path.stat().st_size for path in big.rglob("*") if path.is_file()}
    read = {name: size for name, size in names.items() if not name.startswith("manifest.json")}
    assert medium.opened == dict.fromkeys(read, 1)
    assert medium.given == read


def test_033_a_device_that_gives_other_bytes_once_is_noticed_and_forgiven_after(lab: Site, medium: Medium) -> None:
    """The device lies once; the next import reads again what was bad, and only that."""
    medium.answers[BIG_PATH] = lambda file, size: some(file, size).replace(b"end", b"END")
    refusal = refused_by(lab, medium)
    assert [problem.where for problem in refusal.problems] == [f"medium: {BIG_PATH}"]
    again = Medium(medium.volume)

    import_from(lab, again)

    assert (again.opened[BIG_PATH], again.opened[SMALL_PATH]) == (1, 0)


def _append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"more" * PIECE)


def _replace(path: Path) -> None:
    path.with_name("new").write_bytes(b"evil" * PIECE)
    os.replace(path.with_name("new"), path)


def _overwrite(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(2 * PIECE)
        file.write(b"evil")


@pytest.mark.parametrize(
    ("change", "accepted"),
    [(_append, False), (lambda path: os.truncate(path, PIECE + 1), False), (_overwrite, False), (_replace, True)],
    ids=["grown", "cut", "overwritten", "replaced"],
)
def test_034_a_file_that_changes_while_it_is_copied_is_not_admitted(
    lab: Site, big: Path, medium: Medium, change: Callable[[Path], None], accepted: bool
) -> None:
    """A writer is at the file while it is read; one that only gets a new name stays what was opened."""
    medium.answers[BIG_PATH] = _first_then(lambda: change(big / BIG_PATH))

    if accepted:
        import_from(lab, medium)
    else:
        assert [problem.where for problem in refused_by(lab, medium).problems] == [f"medium: {BIG_PATH}"]

    assert lab.depot.store.has(digest_of(BIG), len(BIG)) is accepted
    assert medium.given[BIG_PATH] <= len(BIG) + 1


def test_034_a_file_without_end_is_read_to_one_byte_beyond_its_size(lab: Site, medium: Medium) -> None:
    """The device never says that the file is at its end."""
    medium.answers[BIG_PATH] = lambda file, size: b"\0" * size

    refused_by(lab, medium)

    assert medium.given[BIG_PATH] == len(BIG) + 1


@pytest.mark.parametrize("code", [errno.EIO, errno.ENODEV, errno.ENXIO, errno.ESTALE, errno.ENOENT])
def test_035_a_medium_that_fails_is_resumed_from_where_it_failed(lab: Site, medium: Medium, code: int) -> None:
    """The stick is pulled out in the middle of a file; what was read before is kept."""
    medium.answers[BIG_PATH] = fails(code, after=1)
    refusal = refused_by(lab, medium)
    assert [problem.where for problem in refusal.problems] == [f"medium: {BIG_PATH}"]
    again = Medium(medium.volume)

    done = import_from(lab, again)

    assert (again.opened[BIG_PATH], again.opened[SMALL_PATH]) == (1, 0)
    assert done.added == 1


@pytest.mark.parametrize("path", ["SHA256SUMS", "trees"])
def test_035_a_medium_that_fails_at_once_is_named(lab: Site, big: Path, medium: Medium, path: str) -> None:
    """The first sectors are gone."""
    name = path if path == "SHA256SUMS" else f"trees/{next((big / 'trees').iterdir()).name}"
    medium.answers[name] = fails(errno.EIO)

    refusal = refused_by(lab, medium)

    assert refusal.where is not None and name in refusal.where
    assert "Input/output error" in refusal.message


@pytest.mark.system("strace")
@pytest.mark.parametrize("name", ["manifest.json", "manifest.json.sig", "SHA256SUMS", PACKAGE])
def test_035_a_real_read_error_is_a_refusal_by_name(lab: Site, volume: Path, name: str) -> None:
    """The kernel answers a read with EIO."""
    before = lab.state()

    outcome = try_run(
        "strace", "-f", "-qq", "-o", "/dev/null", "-P", volume / name, "-e", "inject=readv:error=EIO",
        *command_line(lab, "import", volume),
    )  # fmt: skip

    assert (outcome.returncode, lab.state()) == (6, before), outcome.stderr
    assert f"{name}: cannot be read: Input/output error" in outcome.stderr
    assert_imported(lab, volume)


def test_035_a_file_that_goes_away_while_others_are_copied_is_asked_for_again(lab: Site, volume: Path) -> None:
    """Files vanish from the medium; put back, the import goes on with what it kept."""
    gone = volume / PACKAGE
    data = gone.read_bytes()
    gone.unlink()
    assert_refused(lab, volume, 6, PACKAGE, "is missing")
    gone.write_bytes(data)

    outcome = assert_imported(lab, volume)

    assert "are in the store already" in outcome.err
    assert "1 blob added" in outcome.out


def _first_then(act: Callable[[], None]) -> Answer:
    """Give an `Answer` that reads once, then lets something happen, then reads on."""
    done = False

    def answer(file: BeneathFile, size: int) -> bytes:
        nonlocal done
        data = some(file, size)
        if not done:
            done = True
            act()
        return data

    return answer
