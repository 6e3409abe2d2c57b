"""issmedia inspect: of a damaged volume it says what can be said, and what cannot."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.makers.sites import Site


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda stick: (stick / "manifest.json.sig").write_bytes(b"junk"), "signed by: malformed: "),
        (lambda stick: (stick / "SHA256SUMS").unlink(), ": SHA256SUMS is missing"),
        (lambda stick: (stick / "SHA256SUMS").write_bytes(b""), ": SHA256SUMS is not one of this manifest's"),
    ],
    ids=["junk", "missing", "other"],
)
def test_a_damaged_volume_is_shown_with_its_damage(
    lab: Site, stick: Path, damage: Callable[[Path], object], says: str
) -> None:
    damage(stick)

    outcome = lab.do("inspect", stick)

    assert says in outcome.out
    assert "p/zoo" in outcome.out


def test_a_program_reads_the_damage_in_place_of_the_volume(lab: Site, stick: Path) -> None:
    (stick / "SHA256SUMS").unlink()

    found = lab.do("inspect", stick, "--json").document

    assert found["volumes"] == [[str(stick), "SHA256SUMS is missing"]]
