"""The check of a whole bundle: every fault in one report, however many there are."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from issmedia.base.errors import NotIntactError
from issmedia.base.events import Event, Warned, ignore
from issmedia.bundle import layout
from issmedia.depot.store import Store
from issmedia.model.manifest import VerifiedBundle
from issmedia.ops.verify import MAX_STRAYS, MAX_WARNINGS, check, report_strays
from tests.makers.bundles import bundle_of, verified


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    """A good volume; one of its files is longer than those that no tree names may be."""
    large = bytes(layout.SMALL + 1)
    return bundle_of(tmp_path, zoo={"a.rpm": b"a", "b.rpm": large}, farm={"c.rpm": b"c"}).write(tmp_path / "stick")


@pytest.fixture
def bundle(tmp_path: Path, stick: Path) -> Iterator[VerifiedBundle]:
    """The bundle on it, verified before it is damaged."""
    with verified(tmp_path, stick) as found:
        yield found


def refusal_of(bundle: VerifiedBundle, *, strict: bool = False) -> NotIntactError:
    """Check a bundle that is not intact."""
    with pytest.raises(NotIntactError) as caught:
        check(bundle, Store(Path("/nowhere")), strict=strict, workers=2, report=ignore)
    return caught.value


def test_damaged_listings_and_files_are_all_named_at_once(stick: Path, bundle: VerifiedBundle) -> None:
    listings = sorted((stick / "trees").iterdir())
    listings[0].write_bytes(b"x")
    listings[1].unlink()
    (stick / "README.txt").unlink()
    (stick / "repos/p/zoo/a.rpm").write_bytes(b"A")

    refusal = refusal_of(bundle)

    bad = {f"trees/{listings[0].name}", f"trees/{listings[1].name}", "README.txt", "repos/p/zoo/a.rpm"}
    assert {one.where for one in refusal.problems} == {f"{stick}: {path}" for path in bad}
    assert refusal.message == "4 files not intact"


def test_strict_names_every_stray_beside_every_bad_file(stick: Path, bundle: VerifiedBundle) -> None:
    for name in ("x", "y"):
        (stick / name).touch()
    (stick / "README.txt").unlink()

    refusal = refusal_of(bundle, strict=True)

    assert {one.where for one in refusal.problems} == {f"{stick}: {name}" for name in ("README.txt", "x", "y")}


def test_a_flood_of_strays_is_counted_and_not_listed(stick: Path, bundle: VerifiedBundle) -> None:
    for number in range(MAX_STRAYS + 5):
        (stick / f"schemas/x{number}").touch()
    events: list[Event] = []

    report_strays(bundle, strict=False, report=events.append)
    refusal = refusal_of(bundle, strict=True)

    warned = [event for event in events if isinstance(event, Warned)]
    assert len(warned) == MAX_WARNINGS + 1
    assert warned[-1].message.startswith(f"{MAX_STRAYS + 5 - MAX_WARNINGS} more files")
    assert len(refusal.problems) == MAX_STRAYS + 1
    assert refusal.problems[-1].message.startswith("5 more files")
