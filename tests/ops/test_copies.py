"""copy: what the ledger keeps of it, who signed it, and where it may not go."""

from dataclasses import asdict
from pathlib import Path

import pytest

from issmedia.base import files
from issmedia.base.errors import NotIntactError, UsageError
from issmedia.base.events import Event, Started, ignore
from issmedia.base.events import Report as Reporting
from issmedia.base.mounts import mount_point
from issmedia.bundle.reader import read
from issmedia.depot.catalog_ledger import LedgerEntry
from issmedia.ops.copies import Copy, copy_volume
from tests.makers.bundles import SIGNER, bundle_of, content_of
from tests.makers.sites import Site
from tests.makers.sshkeys import NOW
from tests.makers.sticks import ext4_stick


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    """A volume that `SIGNER` signed."""
    return bundle_of(tmp_path, zoo={"a.rpm": b"a" * 5000, "b.rpm": b"b"}).write(tmp_path / "volume")


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    """An empty directory."""
    (tmp_path / "stick").mkdir()
    return tmp_path / "stick"


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A site that trusts nobody."""
    made = Site(tmp_path / "site")
    made.do("init", "--name", "lab")
    return made


def copied(site: Site, volume: Path, stick: Path, *, report: Reporting = ignore) -> Copy:
    """Copy as the command line does."""
    with site.depot.owned("copy", now=NOW) as owned, read([volume]) as bundle:
        return copy_volume(bundle, owned, stick, origin=volume, now=NOW, workers=2, report=report)


def entries(site: Site) -> list[LedgerEntry]:
    """List what the ledger has of copies."""
    with site.depot.catalog.reading() as db:
        return [entry for entry in db.ledger.entries() if entry.event == "copy"]


def test_the_ledger_has_what_was_copied_where_and_how_it_was_read_back(site: Site, volume: Path, stick: Path) -> None:
    done = copied(site, volume, stick)

    (entry,) = entries(site)
    assert entry.facts == {
        "bundle": done.bundle,
        "volume": 1,
        "label": done.volume.label,
        "target": str(stick),
        "file_system": done.medium.file_system,
        "device": asdict(done.medium.device),
        "files": done.volume.files,
        "bytes": done.volume.bytes,
        "outcome": "whole",
        "means": done.means.text,
        "kept": 0,
        "signers": [],
    }
    assert site.call("audit").code == 0


def test_a_copy_is_recorded_before_its_manifest_has_its_name(site: Site, volume: Path, stick: Path) -> None:
    steps: list[tuple[str, str]] = []

    with files.observing(lambda kind, name: steps.append((kind, name))):
        copied(site, volume, stick)

    commit = max(number for number, (kind, _) in enumerate(steps) if kind == "commit")
    assert commit < steps.index(("rename", "manifest.json"))


def test_what_the_medium_gave_back_otherwise_is_recorded_too(site: Site, volume: Path, stick: Path) -> None:
    def rot(event: Event) -> None:
        if isinstance(event, Started) and event.phase == "reading back":
            (stick / "repos/p/zoo/a.rpm").write_bytes(b"A" * 5000)

    with pytest.raises(NotIntactError):
        copied(site, volume, stick, report=rot)

    (entry,) = entries(site)
    assert {name: entry.facts[name] for name in ("outcome", "bad", "named")} == {
        "outcome": "bad",
        "bad": 1,
        "named": ["repos/p/zoo/a.rpm"],
    }


def test_a_copy_of_a_bad_source_is_no_copy_and_not_recorded(site: Site, volume: Path, stick: Path) -> None:
    (volume / "repos/p/zoo/a.rpm").write_bytes(b"A" * 5000)

    with pytest.raises(NotIntactError):
        copied(site, volume, stick)

    assert entries(site) == []


def test_who_signed_is_said_where_the_key_is_trusted(site: Site, volume: Path, stick: Path) -> None:
    site.do("keys", "trust", "hq", SIGNER.public.line)

    done = copied(site, volume, stick)

    assert done.signers == {SIGNER.public.fingerprint: "hq"}


def test_a_volume_that_nobody_known_signed_is_copied_and_that_is_said(site: Site, volume: Path, stick: Path) -> None:
    done = copied(site, volume, stick)

    assert done.signers == {}
    assert content_of(stick) == content_of(volume)


@pytest.mark.parametrize("signatures", [None, b"junk"], ids=["none", "junk"])
def test_signatures_that_are_none_are_copied_as_they_are(
    site: Site, volume: Path, stick: Path, signatures: bytes | None
) -> None:
    path = volume / "manifest.json.sig"
    path.unlink()
    if signatures is not None:
        path.write_bytes(signatures)

    done = copied(site, volume, stick)

    assert done.signers == {}
    assert content_of(stick) == content_of(volume)


@pytest.mark.parametrize("target", ["volume", "volume/repos", "site", "site/store", ""])
def test_source_target_and_depot_may_not_lie_in_one_another(
    site: Site, volume: Path, tmp_path: Path, target: str
) -> None:
    before = content_of(volume)

    with pytest.raises(UsageError, match="lie one in the other"):
        copied(site, volume, tmp_path / target)

    assert before == content_of(volume)


def test_a_link_to_the_source_is_the_source(site: Site, volume: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(volume)

    with pytest.raises(UsageError, match="lie one in the other"):
        copied(site, volume, tmp_path / "link")


def test_a_target_on_the_systems_own_disk_is_known_as_such(site: Site, volume: Path, stick: Path) -> None:
    mounted = None if mount_point(stick) == Path("/") else str(mount_point(stick))

    done = copied(site, volume, stick)

    assert mounted == done.medium.mounted


@pytest.mark.root
@pytest.mark.system("mkfs.ext4", "mount")
def test_a_mounted_stick_is_known_by_its_file_system_and_mount_point(site: Site, volume: Path, tmp_path: Path) -> None:
    with ext4_stick(tmp_path) as mounted:
        (mounted.path / "lost+found").rmdir()
        done = copied(site, volume, mounted.path)
        found = content_of(mounted.path)

    assert (done.medium.file_system, done.medium.mounted) == ("ext4", str(mounted.path))
    assert done.means.text == "O_DIRECT"
    assert found == content_of(volume)
