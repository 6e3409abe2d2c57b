"""What was refused is kept in a small file of its own."""

from pathlib import Path

import pytest

from issmedia.base.errors import DepotError
from issmedia.depot.refusals import MOST, Refusals
from issmedia.model.receipt import Refusal, refusal
from tests.makers.documents import NOW


def kept(number: int) -> Refusal:
    """Make a refusal."""
    return refusal(NOW, f"hq #{number}", "older")


def test_a_depot_that_refused_nothing_has_no_file(tmp_path: Path) -> None:
    assert Refusals(tmp_path).newest(8) == ()
    assert list(tmp_path.iterdir()) == []


def test_the_newest_come_first_and_the_oldest_go(tmp_path: Path) -> None:
    refusals = Refusals(tmp_path)

    for number in range(MOST + 5):
        refusals.add(kept(number))

    assert refusals.newest(2) == (kept(MOST + 4), kept(MOST + 3))
    assert refusals.newest(MOST * 2)[-1] == kept(5)


def test_what_is_refused_again_is_kept_once_with_its_newest_time(tmp_path: Path) -> None:
    refusals = Refusals(tmp_path)
    later = refusal("2027-01-01T00:00:00Z", "hq #1", "older")

    for one in (kept(1), kept(2), later):
        refusals.add(one)

    assert refusals.newest(8) == (later, kept(2))


@pytest.mark.parametrize("line", [b"\xff\xfe", b"{}", b"[]", b'{"time": 1}', b"{" * 9999])
def test_a_damaged_line_is_passed_over_and_goes_with_the_next(tmp_path: Path, line: bytes) -> None:
    refusals, path = Refusals(tmp_path), tmp_path / "refusals.jsonl"
    refusals.add(kept(1))
    path.write_bytes(line + b"\n" + path.read_bytes())

    found = refusals.newest(8)
    refusals.add(kept(2))

    assert found == (kept(1),)
    assert path.read_bytes().count(b"\n") == 2


def test_a_file_that_others_can_write_says_nothing(tmp_path: Path) -> None:
    refusals = Refusals(tmp_path)
    refusals.add(kept(1))
    (tmp_path / "refusals.jsonl").chmod(0o666)

    with pytest.raises(DepotError, match="lets others at it"):
        refusals.newest(8)
