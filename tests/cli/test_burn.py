"""issmedia burn: what its user sees."""

from pathlib import Path

import pytest

from issmedia.bundle.reader import volumes_in
from tests.cli.conftest import World
from tests.makers.sites import Site

pytestmark = pytest.mark.system("xorriso")


def test_a_burned_volume_is_told_with_how_it_was_read_back(lab: Site, world: World, tmp_path: Path) -> None:
    told = lab.do("burn", world.stick, "--device", f"stdio:{tmp_path}/disc.iso").out

    first, second, third, last = told.splitlines()
    assert first.startswith("hq #1: volume 1 of 1, ISSM_")
    assert second.startswith(f"burned to stdio:{tmp_path}/disc.iso (stdio file, overwriteable")
    assert third.startswith(("read back, every byte as it was written: ", "compared with what was written; "))
    assert last.startswith("id ")


def test_what_was_burned_can_be_verified_and_imported(lab: Site, world: World, tmp_path: Path) -> None:
    lab.do("burn", world.stick, "--device", f"stdio:{tmp_path}/disc.iso")

    assert lab.do("verify", tmp_path / "disc.iso", "--strict", "--json").document["verified"] is True
    lab.do("import", tmp_path / "disc.iso")


def test_json_answers_the_bundle_the_medium_and_the_means(lab: Site, world: World, tmp_path: Path) -> None:
    document = lab.do("burn", world.stick, "--device", f"stdio:{tmp_path}/disc.iso", "--json").document

    assert set(document) == {"bundle", "volume", "device", "medium", "read_back", "again"}
    assert document["medium"]["kind"] == "stdio file, overwriteable"


def test_the_same_command_again_only_reads_back(lab: Site, world: World, tmp_path: Path) -> None:
    command = ("burn", world.stick, "--device", f"stdio:{tmp_path}/disc.iso")
    lab.do(*command)

    again = lab.do(*command)

    assert "was burned before to" in again.out
    assert "the medium holds this volume already" in again.err


def test_a_medium_that_holds_data_is_refused_unless_yes(lab: Site, world: World, tmp_path: Path) -> None:
    (tmp_path / "disc.iso").write_bytes(b"letters")
    command = ("burn", world.stick, "--device", f"stdio:{tmp_path}/disc.iso")

    refused, done = lab.call(*command), lab.call(*command, "--yes")

    assert (refused.code, done.code) == (2, 0)
    assert "the medium holds data" in refused.err
    assert "--yes blanks" in refused.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--device", "disc.iso"), "is no drive"),
        (("--device", "/dev/sr0", "--speed", "fast"), "is no speed"),
        ((), "--device"),
    ],
    ids=["drive", "speed", "none"],
)
def test_what_cannot_be_is_refused(lab: Site, world: World, arguments: tuple[str, ...], words: str) -> None:
    outcome = lab.call("burn", world.stick, *arguments)

    assert outcome.code == 2
    assert words in outcome.err


def test_a_directory_of_several_volumes_is_refused_with_their_names(lab: Site, world: World, tmp_path: Path) -> None:
    outcome = lab.call("burn", world.set, "--device", f"stdio:{tmp_path}/disc.iso")

    assert outcome.code == 2
    assert "volumes lie here, and a medium takes one" in outcome.err
    assert all(str(volume) in outcome.err for volume in volumes_in(world.set))
    assert "hint: name one of them" in outcome.err
    assert not (tmp_path / "disc.iso").exists()


def test_a_drive_that_is_not_there_is_an_error_of_one_line_and_exit_1(lab: Site, world: World) -> None:
    outcome = lab.call("burn", world.stick, "--device", "/dev/issmedia-none")

    assert outcome.code == 1
    assert outcome.err.startswith("error: ")
    assert "Traceback" not in outcome.err


def test_the_log_names_the_burn(lab: Site, world: World, tmp_path: Path) -> None:
    lab.do("burn", world.stick, "--device", f"stdio:{tmp_path}/disc.iso")

    assert "burn" in lab.do("log").out.splitlines()[-1]
