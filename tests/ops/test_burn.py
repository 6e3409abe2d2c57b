"""Burning: to files that stand for discs, with the real xorriso; what is burned is read back, and recorded."""

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from issmedia.base import files
from issmedia.base.errors import FormatError, IssmediaError, NotIntactError, UsageError
from issmedia.base.events import Event, Note, Started
from issmedia.bundle.drive import Drive, parse_drive
from issmedia.bundle.reader import read
from issmedia.ops.burn import Burned, BurnOptions, burn_volume
from tests.makers.bundles import bundle_of, content_of
from tests.makers.documents import NOW
from tests.makers.programs import run
from tests.makers.sites import Site

pytestmark = pytest.mark.system("xorriso")


@dataclass
class Desk:
    """A site with a volume to burn, and the file that stands for the disc."""

    site: Site
    stick: Path
    disc: Path
    events: list[Event]

    def burn(self, *, overwrite: bool = False, source: Path | None = None, drive: Drive | None = None) -> Burned:
        """Burn the volume."""
        with self.site.depot.owned("burn", now=NOW) as depot, read((source or self.stick,)) as bundle:
            return burn_volume(
                bundle,
                depot,
                drive or parse_drive(f"stdio:{self.disc}"),
                options=BurnOptions(overwrite=overwrite),
                now=NOW,
                workers=2,
                report=self.events.append,
            )

    def burns(self) -> list[dict[str, Any]]:
        """Give what the ledger says of burning."""
        with self.site.depot.catalog.reading() as db:
            return [entry.facts for entry in db.ledger.entries() if entry.event == "burn"]

    def phases(self) -> list[str]:
        """Name what was done."""
        return [event.phase for event in self.events if isinstance(event, Started)]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """A desk with a volume of two repositories."""
    bundle = bundle_of(
        tmp_path, zoo={"a=b.rpm": b"a" * 5000, "größe/b.rpm": b"same" * 999}, farm={"c.rpm": b"same" * 999}
    )
    site = Site(tmp_path / "lab")
    site.do("init", "--name", "lab")
    (tmp_path / "discs").mkdir()
    return Desk(site, bundle.write(tmp_path / "stick"), tmp_path / "discs/disc.iso", [])


def test_a_directory_is_burned_as_an_image_of_the_same_files(desk: Desk, tmp_path: Path) -> None:
    desk.burn()

    run("xorriso", "-no_rc", "-osirrox", "on", "-indev", f"stdio:{desk.disc}", "-extract", "/", tmp_path / "found")
    assert content_of(desk.stick) == content_of(tmp_path / "found")
    assert desk.phases() == ["checking the source", "burning", "reading back"]
    assert list(desk.disc.parent.iterdir()) == [desk.disc]
    assert list((desk.site.root / "store/incoming").iterdir()) == []


def test_an_image_is_burned_as_it_is(desk: Desk) -> None:
    desk.burn()
    image = desk.disc.rename(desk.disc.with_name("image.iso"))

    done = desk.burn(source=image)

    assert desk.disc.read_bytes()[: image.stat().st_size] == image.read_bytes()
    assert done.again is False


def test_the_ledger_keeps_what_was_burned_and_by_what_means_it_was_read_back(desk: Desk) -> None:
    done = desk.burn()

    (facts,) = desk.burns()
    assert {name: facts[name] for name in ("bundle", "volume", "label", "files", "bytes", "outcome", "again")} == {
        "bundle": done.bundle,
        "volume": 1,
        "label": done.volume.label,
        "files": done.volume.files,
        "bytes": done.volume.bytes,
        "outcome": "whole",
        "again": False,
    }
    assert facts["device"] == f"stdio:{desk.disc}"
    assert facts["means"] == done.means.text
    assert "YOYODYNE" in facts["medium"]["drive"]


def test_a_disc_that_is_burned_already_is_only_read_back(desk: Desk) -> None:
    desk.burn()
    before = desk.disc.stat()
    desk.events.clear()

    done = desk.burn()

    assert done.again is True
    assert before == desk.disc.stat()
    assert desk.phases() == ["reading what is on the medium"]
    assert Note("the medium holds this volume already: it was read back") in desk.events


@pytest.mark.parametrize("content", [b"letters", b"\0" * 100_000, None])
def test_a_medium_that_holds_data_is_left_alone(desk: Desk, content: bytes | None) -> None:
    if content is None:  # the half of this very volume
        desk.burn()
        content = desk.disc.read_bytes()[: desk.disc.stat().st_size // 2]
    desk.disc.write_bytes(content)

    with pytest.raises(UsageError, match="the medium holds data"):
        desk.burn()

    assert content == desk.disc.read_bytes()


def test_what_is_on_a_medium_is_overwritten_where_that_is_asked_for(desk: Desk) -> None:
    desk.disc.write_bytes(b"letters")

    done = desk.burn(overwrite=True)

    assert done.again is False
    assert desk.burn().again is True


def test_a_source_that_is_not_intact_is_not_burned(desk: Desk) -> None:
    (desk.stick / "repos/p/zoo/a=b.rpm").write_bytes(b"A" * 5000)

    with pytest.raises(NotIntactError, match="nothing was burned") as caught:
        desk.burn()

    assert [problem.where for problem in caught.value.problems] == [f"{desk.stick}: repos/p/zoo/a=b.rpm"]
    assert not desk.disc.exists()
    assert desk.burns() == []


def test_a_volume_whose_label_is_no_volume_id_is_refused(desk: Desk, tmp_path: Path) -> None:
    manifest = desk.stick / "manifest.json"
    manifest.write_bytes(manifest.read_bytes().replace(b'"ISSM_', b'"-o /etc_'))

    with pytest.raises(FormatError, match="a volume id is"):
        desk.burn()

    assert list(desk.disc.parent.iterdir()) == []


def lying(tmp_path: Path, change: str) -> str:
    """Make a drive that does something to what it is told to burn."""
    program = tmp_path / "lying"
    program.write_text(
        f'#!/bin/sh\ncase "$*" in *blank=*) {change} | exec xorriso "$@";; *) exec xorriso "$@";; esac\n'
    )
    program.chmod(0o755)
    return str(program)


def test_a_disc_that_gives_back_other_bytes_is_named_and_recorded(desk: Desk, tmp_path: Path) -> None:
    drive = parse_drive(f"stdio:{desk.disc}", program=lying(tmp_path, "sed s/aaaa/aaab/g"))

    with pytest.raises(NotIntactError, match="1 file burned, but not given back") as caught:
        desk.burn(drive=drive)

    assert [problem.where for problem in caught.value.problems] == ["repos/p/zoo/a=b.rpm"]
    assert [(one["outcome"], one["named"]) for one in desk.burns()] == [("bad", ["repos/p/zoo/a=b.rpm"])]
    assert list(desk.disc.parent.iterdir()) == []


def test_a_disc_that_cannot_be_read_at_all_is_recorded_too(desk: Desk, tmp_path: Path) -> None:
    drive = parse_drive(f"stdio:{desk.disc}", program=lying(tmp_path, "tr A-Z a-z"))

    with pytest.raises(NotIntactError, match="not given back"):
        desk.burn(drive=drive)

    assert [one["outcome"] for one in desk.burns()] == ["bad"]
    assert not desk.disc.exists()


def test_a_drive_that_fails_is_an_error_in_its_own_words(desk: Desk, tmp_path: Path) -> None:
    program = tmp_path / "failing"
    program.write_text(
        '#!/bin/sh\ncase "$*" in *blank=*) echo "libburn : SORRY : SCSI error on write" >&2; exit 5;; '
        '*) exec xorriso "$@";; esac\n'
    )
    program.chmod(0o755)

    with pytest.raises(IssmediaError, match="SCSI error on write"):
        desk.burn(drive=parse_drive(f"stdio:{desk.disc}", program=str(program)))

    assert list(desk.disc.parent.iterdir()) == []


def test_an_interrupted_burn_leaves_no_process_and_no_disc(desk: Desk) -> None:
    def interrupt(event: Event) -> None:
        if isinstance(event, Started) and event.phase == "reading back":
            raise KeyboardInterrupt
        desk.events.append(event)

    with (
        pytest.raises(KeyboardInterrupt),
        desk.site.depot.owned("burn", now=NOW) as depot,
        read((desk.stick,)) as bundle,
    ):
        burn_volume(
            bundle,
            depot,
            parse_drive(f"stdio:{desk.disc}"),
            options=BurnOptions(),
            now=NOW,
            workers=2,
            report=interrupt,
        )

    assert list(desk.disc.parent.iterdir()) == []
    assert [thread.name for thread in threading.enumerate() if "xorriso" in thread.name] == []


def test_what_a_killed_run_left_is_swept(desk: Desk) -> None:
    (desk.disc.parent / f".tmp-{'0' * 32}").write_bytes(b"half")

    desk.burn()

    assert list(desk.disc.parent.iterdir()) == [desk.disc]


def test_a_disc_gets_its_name_after_it_was_read_back(desk: Desk) -> None:
    steps: list[str] = []

    def see(kind: str, name: str) -> None:
        steps.append(f"{kind} {name}" if name == "disc.iso" else kind)
        assert kind != "rename" or name != "disc.iso" or desk.phases()[-1] == "reading back"

    with files.observing(see):
        desk.burn()

    assert "rename disc.iso" in steps
