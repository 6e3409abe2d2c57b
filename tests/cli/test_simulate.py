"""issmedia simulate: the answer is the exit code too, and names what is lost."""

import json
from pathlib import Path

import click
import pytest

from issmedia.cli.simulate import simulate_command
from tests.cli.conftest import World


def simulate(*arguments: str | Path) -> int:
    """Run the command as the command line does, and give its exit code."""
    code = simulate_command.main(list(map(str, arguments)), prog_name="issmedia simulate", standalone_mode=False)
    assert isinstance(code, int)
    return code


def test_the_loss_of_the_only_volume_ends_with_6_and_names_the_repositories(
    stick: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = simulate(stick, "--lose", "1")

    said = capsys.readouterr().out
    assert code == 6
    assert "can NOT be imported without volume 1" in said
    assert "lost: p/zoo: " in said
    assert "lost: p/farm: " in said
    assert "NOT VERIFIED" in said


def test_a_program_reads_the_same(stick: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = simulate(stick, "--lose", "1", "--json")

    found = json.loads(capsys.readouterr().out)
    assert (code, found["importable"], found["lose"], found["verified"]) == (6, False, [1], False)
    assert found["files"] == sum(one["files"] for one in found["lost"])
    assert {"p/farm", "p/zoo"} <= {one["repository"] for one in found["lost"]}


def test_with_parity_it_says_how_many_of_the_lost_are_enough(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert simulate(world.set, "--lose", "1,2") == 6
    assert "needed: any 1 of volumes 1, 2\n" in capsys.readouterr().out

    assert simulate(world.set, "--lose", "1") == 0
    assert "needed" not in capsys.readouterr().out


@pytest.mark.parametrize("given", ["", "1,", "a", "-1", "1.5", "٣", "9999999"])
def test_what_is_no_list_of_numbers_is_refused(stick: Path, given: str) -> None:
    with pytest.raises(click.BadParameter):
        simulate(stick, "--lose", given)
