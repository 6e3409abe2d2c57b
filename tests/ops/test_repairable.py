"""verify --repairable: whether what is at hand can be imported, and what a strict import would refuse."""

from pathlib import Path

import pytest

from issmedia.base.errors import Problem
from issmedia.base.events import Event, Warned, ignore
from issmedia.bundle.strays import MAX_STRAYS
from issmedia.depot.store import Store
from issmedia.ops.repairable import Repairable, repairable
from tests.makers.bundles import bundle_of, verified
from tests.makers.volumes import media_of, random_content, set_of


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    """A good volume."""
    return bundle_of(tmp_path, zoo={"a.rpm": b"a"}).write(tmp_path / "stick")


def judged(root: Path, *volumes: Path, strict: bool = False, events: list[Event] | None = None) -> Repairable:
    """Judge volumes, at a site that has nothing."""
    report = ignore if events is None else events.append
    with verified(root, *volumes) as found:
        return repairable(found, Store(root / "nowhere"), strict=strict, workers=2, report=report)


def test_a_stray_is_warned_of_and_does_no_harm(stick: Path, tmp_path: Path) -> None:
    (stick / "autorun.inf").touch()
    events: list[Event] = []

    found = judged(tmp_path, stick, events=events)

    assert (found.importable, found.strays) == (True, ())
    assert [one.where for one in events if isinstance(one, Warned)] == [f"{stick}: autorun.inf"]


def test_strictly_a_stray_is_refused_by_name(stick: Path, tmp_path: Path) -> None:
    (stick / "autorun.inf").touch()

    found = judged(tmp_path, stick, strict=True)

    assert (found.importable, found.lost) == (False, ())
    assert found.strays == (Problem(f"{stick}: autorun.inf", "is not declared by SHA256SUMS"),)


def test_without_strays_strict_changes_nothing(stick: Path, tmp_path: Path) -> None:
    found = judged(tmp_path, stick, strict=True)

    assert (found.importable, found.bad, found.strays) == (True, (), ())


def test_of_many_strays_some_are_named_and_the_others_counted(stick: Path, tmp_path: Path) -> None:
    for number in range(MAX_STRAYS + 2):
        (stick / f"x{number}").touch()

    found = judged(tmp_path, stick, strict=True)

    assert len(found.strays) == MAX_STRAYS + 1
    assert found.strays[-1].message == "2 more files are not declared by SHA256SUMS"


def test_with_parity_one_volume_may_lack_and_of_two_the_lost_files_are_named(tmp_path: Path) -> None:
    made = set_of(tmp_path / "hq", media_of("500000"), parity=1, zoo=random_content(12, 60_000))
    volumes = sorted(made.write(tmp_path / "set").iterdir())

    one, two = (judged(tmp_path, *volumes[lost:]) for lost in (1, 2))

    assert (one.importable, one.lost, [entry.number for entry in one.missing]) == (True, (), [1])
    assert not two.importable
    assert {problem.where.split(": ")[0] for problem in two.lost} == {volumes[0].name, volumes[1].name}


@pytest.mark.parametrize("both", [False, True])
def test_a_second_copy_serves_where_the_first_is_bad(tmp_path: Path, both: bool) -> None:
    made = bundle_of(tmp_path, zoo={"a.rpm": b"a"})
    stick, copy = made.write(tmp_path / "stick"), made.write(tmp_path / "copy")
    for bad in (stick, copy) if both else (stick,):
        (bad / "repos/p/zoo/a.rpm").write_bytes(b"x")

    found = judged(tmp_path, stick, copy)

    assert found.importable is not both
    assert found.bad[0].where == f"{stick}: repos/p/zoo/a.rpm"
