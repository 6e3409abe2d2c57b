"""The check of a whole bundle: every fault in one report, however many there are."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from issmedia.base.errors import FormatError, NotIntactError
from issmedia.base.events import Event, Warned, ignore
from issmedia.bundle import layout
from issmedia.bundle.strays import MAX_STRAYS, MAX_WARNINGS
from issmedia.depot.store import Store
from issmedia.model.manifest import VerifiedBundle
from issmedia.ops.verify import check, report_strays
from tests.makers.bundles import bundle_of, verified
from tests.makers.volumes import media_of, random_content, set_of


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


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A good set of three volumes, one file in parts."""
    root = tmp_path_factory.mktemp("several")
    content = {"large.rpm": random_content(1, 2_600_000)["1-000.rpm"], **random_content(4, 200_000, seed=2)}
    made = set_of(root, media_of("1900000"), zoo=content)
    assert len(made.plan.volumes) > 2
    assert made.plan.manifest.split
    return made.write(root / "set")


def test_any_volume_can_be_checked_alone_and_all_together(several: Path, tmp_path: Path) -> None:
    volumes = sorted(several.iterdir())
    nowhere = Store(Path("/nowhere"))

    for some in ([several], *([volume] for volume in volumes), volumes[1:]):
        with verified(tmp_path, *some) as found:
            done = check(found, nowhere, strict=True, workers=2, report=ignore)
        assert done.files == sum(volume.entry.files for volume in found.volumes)


def test_a_part_that_is_bad_is_named_by_its_path(several: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(several, tmp_path / "copy")
    (bad,) = copy.rglob("*.001")
    bad.write_bytes(b"bad")

    with verified(tmp_path, *sorted(copy.iterdir())) as found:
        refusal = refusal_of(found)

    volume = next(path for path in copy.iterdir() if bad.is_relative_to(path))
    assert [one.where for one in refusal.problems] == [f"{volume}: {bad.relative_to(volume).as_posix()}"]


def test_a_listing_that_is_bad_on_one_volume_is_read_from_another_and_named(several: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(several, tmp_path / "copy")
    first = sorted(copy.iterdir())[0]
    (listing,) = (first / "trees").iterdir()
    listing.write_bytes(b"x")

    with verified(tmp_path, *sorted(copy.iterdir())) as found:
        refusal = refusal_of(found)

    assert [one.where for one in refusal.problems] == [f"{first}: trees/{listing.name}"]


def test_a_damaged_manifest_is_a_fault_beside_the_others(several: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(several, tmp_path / "copy")
    first, second, *_ = sorted(copy.iterdir())
    (second / "manifest.json").write_bytes(b"{}")
    (first / "README.txt").unlink()

    with verified(tmp_path, *sorted(copy.iterdir())) as found:
        refusal = refusal_of(found)

    assert {one.where for one in refusal.problems} == {f"{second}: manifest.json", f"{first}: README.txt"}


def test_damaged_sums_are_refused_without_parity_and_a_fault_with_it(several: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(several, tmp_path / "copy")
    (sorted(copy.iterdir())[1] / layout.SUMS).write_bytes(b"rotten")
    mended = set_of(tmp_path / "hq", media_of("500000"), parity=1, zoo=random_content(12, 60_000))
    volumes = sorted(mended.write(tmp_path / "set").iterdir())
    (volumes[1] / layout.SUMS).write_bytes(b"rotten")

    with pytest.raises(NotIntactError), verified(tmp_path, *sorted(copy.iterdir())):
        pass
    with verified(tmp_path, *volumes) as found:
        damaged = [one.where for one in found.damaged]
        refusal = refusal_of(found)

    assert damaged == [str(volumes[1])]
    assert f"{volumes[1]}: {layout.SUMS}" in [one.where for one in refusal.problems]


@pytest.fixture(scope="module")
def protected(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A good set with parity."""
    root = tmp_path_factory.mktemp("protected")
    return set_of(root, media_of("500000"), parity=1, zoo=random_content(12, 60_000)).write(root / "set")


@pytest.mark.parametrize("kept", ["trees", "repos", "manifest.json"])
def test_with_parity_a_volume_is_damaged_while_anything_of_the_bundle_lies_there(
    protected: Path, tmp_path: Path, kept: str
) -> None:
    first, *others = sorted(protected.iterdir())
    rest = tmp_path / "rest"
    rest.mkdir()
    (shutil.copytree if (first / kept).is_dir() else shutil.copyfile)(first / kept, rest / kept)

    with verified(tmp_path, rest, *others) as found:
        damaged = [one.where for one in found.damaged]

    assert damaged == [str(rest)]


def test_what_bears_nothing_of_the_bundle_is_no_damaged_volume_of_it(protected: Path, tmp_path: Path) -> None:
    (tmp_path / "rest").mkdir()
    (tmp_path / "rest" / layout.SUMS).write_bytes(b"of something else")

    with (
        pytest.raises(FormatError, match="not a volume of a bundle") as caught,
        verified(tmp_path, *protected.iterdir(), tmp_path / "rest"),
    ):
        pass

    assert caught.value.where == str(tmp_path / "rest")
