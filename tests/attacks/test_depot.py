"""Attacks on the depot by its surroundings, its disk and its own rot: rows 62 and 65 to 68 of the threats."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from issmedia.base import files
from issmedia.base.digest import Digest, digest_of
from issmedia.base.errors import DepotError
from issmedia.depot.store import Store
from tests.makers.attacked import World, assert_imported, assert_refused, command_line
from tests.makers.forge import Document, copied, handmade, sign
from tests.makers.programs import all_must_run, run, try_run
from tests.makers.sites import Site
from tests.makers.sshkeys import ed25519_key

MALLORY = ed25519_key(62, "mallory")
PACKAGE = "alpha-1.0-1.noarch.rpm"


def test_062_configuration_that_lies_around_is_not_read(
    lab: Site, volume: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The medium, the current directory and the home directory hold settings, keys and programs of the attacker's."""
    sign(volume, MALLORY)
    line = f'mallory namespaces="*" {MALLORY.public.line}\n'
    settings = f'[issmedia]\ndepot = "{tmp_path}/evil"\nkeyring = "{volume}/keyring"\nthreshold = 0\n'
    for name in (".issmedia.toml", "issmedia.toml", "issmedia.conf", ".config/issmedia/config.toml", "pyproject.toml"):
        (volume / name).parent.mkdir(parents=True, exist_ok=True)
        (volume / name).write_text(settings)
    (volume / ".env").write_text(f"ISSMEDIA_DEPOT={tmp_path}/evil\nISSMEDIA_KEYRING={volume}/keyring\n")
    (volume / "keyring").mkdir()
    (volume / "keyring/allowed_signers").write_text(line)
    (volume / "keyring/policy.json").write_text('{"threshold": 0}')
    for name in ("issmedia.py", "sitecustomize.py", "msgspec.py", "click.py"):
        (volume / name).write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    monkeypatch.setenv("HOME", str(volume))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(volume / ".config"))
    before = lab.state()

    monkeypatch.chdir(volume)
    assert_refused(lab, volume, 6, MALLORY.public.fingerprint)
    outcome = try_run(*command_line(lab, "import", "."), cwd=volume)

    assert (outcome.returncode, lab.state()) == (6, before), outcome.stderr
    assert not (tmp_path / "ran").exists()
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize("mode", [0o666, 0o622, 0o664])
@pytest.mark.parametrize("name", ["allowed_signers", "policy.json"])
def test_062_a_keyring_that_others_can_write_is_refused(lab: Site, volume: Path, name: str, mode: int) -> None:
    """Whoever may write the keyring says whom this site trusts."""
    path = lab.root / "keyring" / name
    if not path.exists():
        path.write_text('{"threshold": 1}\n')
    path.chmod(mode)

    assert_refused(lab, volume, 4, "lets others at it", "chmod")


def test_062_a_keyring_that_is_a_link_is_refused(lab: Site, volume: Path) -> None:
    """The keyring is replaced by a link to the medium."""
    keyring = lab.root / "keyring/allowed_signers"
    (volume / "allowed_signers").write_bytes(keyring.read_bytes())
    keyring.unlink()
    keyring.symlink_to(volume / "allowed_signers")

    assert_refused(lab, volume, 4, "symbolic link")


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """Mount a tmpfs, to be sized by the test."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = try_run("mount", "-t", "tmpfs", "-o", "size=64m", "issmedia-test", place)
    if mounted.returncode != 0 and not all_must_run():
        pytest.skip(f"cannot mount: {mounted.stderr.strip()}")
    assert mounted.returncode == 0, mounted.stderr
    yield place
    run("umount", place)


@pytest.mark.root
def test_065_a_disk_too_small_for_a_bundle_is_told_and_left_as_it_was(
    world: World, small: Path, tmp_path: Path
) -> None:
    """The bundle is larger than what is free: by a lot, by a little, by what the catalog needs; then there is room."""
    data = {f"file{number}": os.urandom(1 << 10) * 256 for number in range(8)}
    volume = handmade(world.hq.depot.site(), data).write(tmp_path / "large", world.key)
    lab = Site(copied(world.lab.root, small / "lab"))
    before, used = lab.state(), _used(small)
    codes = []

    for room in range(0, 3 << 20, 192 << 10):
        run("mount", "-o", f"remount,size={used + room}", small)
        codes.append(lab.call("import", volume).code)
        if codes[-1] == 0:
            break
        assert lab.state() == before
        assert list((lab.root / "store/incoming").iterdir()) == []

    assert set(codes[:-1]) == {4} and codes[-1] == 0, codes
    assert {name: (lab.root / "published/p/zoo" / name).read_bytes() for name in data} == data


def _used(place: Path) -> int:
    facts = os.statvfs(place)
    return (facts.f_blocks - facts.f_bfree) * facts.f_frsize


class Broken:
    """A disk whose flush fails, `times` times; what is changed after the first failure is remembered."""

    def __init__(self, kind: str, times: int = 1) -> None:
        self._kind = kind
        self._left = times
        self.after: list[str] = []

    def __call__(self, kind: str, name: str) -> None:
        """Fail where it is time to."""
        if kind == self._kind and self._left > 0:
            self._left -= 1
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        if not self._left:
            self.after.append(kind)


def test_066_files_whose_flush_failed_are_dropped_and_not_flushed_again(lab: Site, volume: Path) -> None:
    """The disk loses what it was given and says so once; a second flush would say that all is well."""
    before = lab.state()
    disk = Broken("syncfs")

    with files.observing(disk):
        outcome = lab.call("import", volume)

    assert (outcome.code, lab.state()) == (4, before), outcome.err
    assert "Input/output error" in outcome.err
    assert set(disk.after) <= {"unlink"}
    assert not lab.depot.store.has(*_blob(volume))
    assert list((lab.root / "store/incoming").iterdir()) == []
    assert_imported(lab, volume)
    assert lab.do("audit").code == 0


def test_066_after_a_failed_flush_nothing_more_is_named(tmp_path: Path) -> None:
    """The loss may have struck files that were being written, and the kernel does not tell it a second time."""
    store = Store(tmp_path / "store")
    disk = Broken("syncfs")

    with files.observing(disk), pytest.raises(DepotError), store.writing() as writing:
        first = writing.add_bytes(b"first")
        with pytest.raises(DepotError, match="Input/output error"):
            writing.flush()
        second = writing.add_bytes(b"second")
        writing.flush()

    assert "link" not in disk.after
    assert [digest for digest in (first, second) if store.has(digest, 5) or store.has(digest, 6)] == []


@pytest.mark.parametrize("kind", ["fsync", "commit"])
def test_066_a_catalog_or_name_that_could_not_be_flushed_is_told(lab: Site, volume: Path, kind: str) -> None:
    """The disk fails when the catalog is written, or a directory."""
    with files.observing(Broken(kind)):
        outcome = lab.call("import", volume)

    assert outcome.code == 4, outcome.err
    assert_imported(lab, volume)
    assert lab.do("audit").code == 0


def _blob(volume: Path, name: str = PACKAGE) -> tuple[Digest, int]:
    data = (volume / "repos/p/zoo" / name).read_bytes()
    return digest_of(data), len(data)


def test_067_files_that_a_killed_import_left_are_never_trusted(lab: Site, volume: Path) -> None:
    """Half a package lies among incoming files, under every name it could have; another half has the final name."""
    incoming = lab.root / "store/incoming"
    digest, size = _blob(volume)
    for name in (f".tmp-{'0' * 32}", f".tmp-{digest}", digest):
        (incoming / name).write_bytes(b"\0" * size)
    final = lab.root / "store" / digest[:2] / digest
    final.parent.mkdir(exist_ok=True)
    final.write_bytes(b"\0" * (size // 2))

    assert_imported(lab, volume)

    assert lab.do("audit").code == 0
    assert (lab.root / "published/p/zoo" / PACKAGE).read_bytes() == (volume / "repos/p/zoo" / PACKAGE).read_bytes()
    assert [path.name for path in incoming.iterdir()] == [digest]


def test_067_files_that_a_killed_export_left_are_hashed_again(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unfinished export holds a file of the right name and length, and other bytes; the export goes on."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    first = Site(copied(world.hq.root, tmp_path / "first"))
    second = Site(copied(world.hq.root, tmp_path / "second"))
    first.do("export", "--to", tmp_path / "whole")
    half = copied(tmp_path / "whole", tmp_path / "half")
    (half / "manifest.json").rename(half / "manifest.json.partial")
    package = half / "repos/p/zoo" / PACKAGE
    package.write_bytes(b"\0" * package.stat().st_size)
    (half / "SHA256SUMS").write_bytes(b"")
    (half / ".tmp-export").mkdir()
    (half / ".tmp-export/.tmp-0").write_bytes(b"half")

    outcome = second.do("export", "--to", half)

    assert "of an earlier run, after re-hashing" in outcome.err
    assert run("diff", "-r", tmp_path / "whole", half) == ""


def _rot(path: Path) -> None:
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.seek(path.stat().st_size // 2)
        byte = file.read(1)[0]
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte ^ 1]))


@pytest.fixture
def rotten(lab: Site, volume: Path) -> Site:
    """Give a site that imported a bundle, one blob of which rotted since."""
    assert_imported(lab, volume)
    _rot(Path(lab.depot.store.path(_blob(volume)[0])))
    return lab


def test_068_rot_is_found_set_aside_and_served_no_more(rotten: Site, volume: Path) -> None:
    """A bit of the disk turns: clients get an error for that file, never the bad bytes."""
    digest, _ = _blob(volume)
    published = rotten.root / "published/p/zoo"
    assert digest_of((published / PACKAGE).read_bytes()) != digest

    outcome = rotten.call("audit")

    assert outcome.code == 4
    assert f"store/{digest[:2]}/{digest}" in outcome.err
    assert not (published / PACKAGE).exists()
    assert (rotten.root / "quarantine" / digest).is_file()
    assert (published / "beta-1.0-1.noarch.rpm").is_file()
    assert rotten.call("audit").code == 4


def test_068_importing_again_brings_back_what_rotted(rotten: Site, volume: Path) -> None:
    """The operator does what the audit advises: clients get the file again."""
    rotten.call("audit")

    rotten.do("import", volume)

    digest, _ = _blob(volume)
    assert digest_of((rotten.root / "published/p/zoo" / PACKAGE).read_bytes()) == digest
    assert rotten.do("audit").code == 0


def test_068_what_rotted_does_not_keep_other_news_from_clients(rotten: Site, world: World, tmp_path: Path) -> None:
    """The file is still gone when a bundle of another repository comes."""
    rotten.call("audit")
    other = handmade(world.hq.depot.site(), {"news": b"news"}).write(tmp_path / "other", world.key, edit=_renamed)

    rotten.do("import", other)

    assert (rotten.root / "published/p/news/news").read_bytes() == b"news"
    assert (rotten.root / "published/p/zoo/beta-1.0-1.noarch.rpm").is_file()


def _renamed(document: Document) -> None:
    document["repositories"][0]["label"] = "news"


def test_068_syncing_again_brings_back_what_rotted(world: World, tmp_path: Path) -> None:
    """The same at the connected site, though upstream did not change."""
    hq = Site(copied(world.hq.root, tmp_path / "hq"))
    for digest in (_blob(world.newer)[0], Digest(hq.trees()["p/zoo"])):
        _rot(Path(hq.depot.store.path(digest)))
    assert hq.call("audit").code == 4

    hq.do("sync")

    assert hq.do("audit").code == 0


def test_068_a_rotten_blob_stops_the_export_by_name(world: World, tmp_path: Path) -> None:
    """A blob rotted, and nobody noticed before the export: nothing that looks whole is written."""
    hq = Site(copied(world.hq.root, tmp_path / "hq"))
    _rot(Path(hq.depot.store.path(_blob(world.newer)[0])))
    before = hq.state()

    outcome = hq.call("export", "--to", tmp_path / "stick")

    assert (outcome.code, hq.state()) == (4, before), outcome.err
    assert f"repos/p/zoo/{PACKAGE}" in outcome.err
    assert not (tmp_path / "stick/manifest.json").exists()
    assert not (tmp_path / "stick/manifest.json.sig").exists()


def test_068_a_rotten_listing_is_not_published(rotten: Site, world: World) -> None:
    """The listing of a tree rotted: what clients see stays as it is."""
    _rot(Path(rotten.depot.store.path(Digest(rotten.trees()["p/zoo"]))))
    before = rotten.state()

    outcome = rotten.call("publish")

    assert (outcome.code in {0, 4}, rotten.state()) == (True, before)
