"""import of several volumes: in any order, twice, with losses; nothing is asked for that is not needed."""

from itertools import permutations
from pathlib import Path

import pytest

from issmedia.base import files
from issmedia.base.digest import digest_of
from issmedia.base.errors import NotIntactError, UntrustedError
from issmedia.base.events import Event, Warned, ignore
from issmedia.bundle import layout
from issmedia.content.yum.recheck import recheck
from issmedia.depot.depot import Depot
from issmedia.ops import setup
from issmedia.ops.arriving import pending
from issmedia.ops.imports import Imported, import_bundle, preview
from tests.makers.bundles import Bundle, bundle_of, verified
from tests.makers.documents import NOW, header
from tests.makers.history import read_inventory
from tests.makers.volumes import MIB, media_of, random_content, set_of

CONTENT = random_content(12, 60_000)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A bundle of three volumes."""
    made = set_of(tmp_path_factory.mktemp("made"), media_of("500000"), keys=(b"key",), zoo=CONTENT)
    assert len(made.plan.volumes) == 3
    return made


@pytest.fixture
def protected(tmp_path: Path) -> Bundle:
    """The same with one parity volume; it is written once, since parity moves."""
    return set_of(tmp_path, media_of("500000"), parity=1, zoo=CONTENT)


@pytest.fixture
def depot(tmp_path: Path) -> Depot:
    """The depot of a site that trusts the signer."""
    return setup.init(tmp_path / "lab", name="lab", site_id="f" * 32, now=NOW)


def written(bundle: Bundle, directory: Path) -> list[Path]:
    """Write a set, and give its volumes in order."""
    bundle.write(directory)
    return [directory / volume.entry.label for volume in bundle.plan.volumes]


def take(depot: Depot, *volumes: Path, events: list[Event] | None = None) -> Imported:
    """Import volumes."""
    report = ignore if events is None else events.append
    with (
        depot.owned("import", now=NOW) as owned,
        verified(depot.root.parent, *volumes, state=depot.state()) as found,
    ):
        return import_bundle(found, owned, inventory=read_inventory, judge=recheck, now=NOW, workers=2, report=report)


def numbers(done: Imported) -> list[int]:
    """Number the volumes that are asked for."""
    return [one.volume.number for one in done.waiting]


def is_whole(depot: Depot, content: dict[str, bytes]) -> bool:
    """Say whether `p/zoo` has this content, and nothing is pending."""
    with depot.catalog.reading() as db:
        found = db.names.current("p/zoo") if db.names.repository("p/zoo") else None
    listed = {digest_of(data): len(data) for data in content.values()}
    return found is not None and not depot.store.missing(listed) and pending(depot) == []


def facts(depot: Depot) -> tuple[object, ...]:
    """Give what a refusal leaves as it is."""
    with depot.catalog.reading() as db:
        return list(depot.store.walk()), db.names.repositories(), depot.pending.all(), list(db.ledger.entries())


def package_of(bundle: Bundle, number: int) -> str:
    """Name a package on a volume."""
    return next(file.path for file in bundle.plan.volumes[number - 1].files if file.path.endswith(".rpm"))


@pytest.mark.parametrize("order", list(permutations((1, 2, 3))), ids=str)
def test_volumes_come_one_at_a_time_in_any_order(
    bundle: Bundle, depot: Depot, tmp_path: Path, order: tuple[int, ...]
) -> None:
    volumes = written(bundle, tmp_path / "set")

    asked = [numbers(take(depot, volumes[number - 1])) for number in order]

    assert asked == [sorted(order[1:]), [order[2]], []]
    assert is_whole(depot, CONTENT)


def test_several_at_once_are_remembered_and_all_at_once_need_not_be(
    bundle: Bundle, depot: Depot, tmp_path: Path
) -> None:
    volumes = written(bundle, tmp_path / "set")
    steps: list[str] = []

    two = take(depot, volumes[2], volumes[0])
    with files.observing(lambda _kind, name: steps.append(name)):
        three = take(setup.init(tmp_path / "other", name="lab", site_id="e" * 32, now=NOW), tmp_path / "set")

    assert (numbers(two), numbers(three)) == ([2], [])
    assert not any(name.endswith(".sums") for name in steps)


def test_nothing_is_named_before_the_last_volume_that_is_needed(bundle: Bundle, depot: Depot, tmp_path: Path) -> None:
    volumes = written(bundle, tmp_path / "set")

    done = take(depot, *volumes[:2])

    with depot.catalog.reading() as db:
        assert db.names.repositories() == []
    assert (done.moved, done.again) == ((), False)
    assert [one.state for one in done.arrivals] == ["done", "done", "missing"]


def test_the_same_volume_again_costs_nothing(bundle: Bundle, depot: Depot, tmp_path: Path) -> None:
    volumes = written(bundle, tmp_path / "set")
    take(depot, volumes[0])
    before = facts(depot)

    again = take(depot, volumes[0])

    assert (facts(depot), numbers(again)) == (before, [2, 3])


def test_a_set_that_was_imported_is_no_work(bundle: Bundle, depot: Depot, tmp_path: Path) -> None:
    volumes = written(bundle, tmp_path / "set")
    take(depot, *volumes)
    before = facts(depot)

    again = take(depot, volumes[1])

    assert (facts(depot), again.again, numbers(again)) == (before, True, [])


def test_a_volume_whose_blobs_are_here_is_not_asked_for(bundle: Bundle, depot: Depot, tmp_path: Path) -> None:
    volumes = written(bundle, tmp_path / "set")
    with depot.store.writing() as writing:
        for file in bundle.plan.volumes[1].files:
            if file.path.endswith(".rpm"):
                writing.add_bytes((volumes[1] / file.path).read_bytes())

    first = take(depot, volumes[0])
    last = take(depot, volumes[2])

    assert numbers(first) == [3]
    assert (numbers(last), last.moved != ()) == ([], True)
    assert is_whole(depot, CONTENT)


def test_a_preview_says_which_volumes_will_be_missing_and_changes_nothing(
    bundle: Bundle, depot: Depot, tmp_path: Path
) -> None:
    volumes = written(bundle, tmp_path / "set")
    before = facts(depot)

    with verified(tmp_path, volumes[0]) as found:
        said = preview(found, depot)

    assert (numbers(said), said.moved, facts(depot)) == ([2, 3], (), before)


def test_a_preview_says_that_parity_at_hand_makes_up_for_what_is_missing(
    protected: Bundle, depot: Depot, tmp_path: Path
) -> None:
    volumes = written(protected, tmp_path / "set")
    before = facts(depot)

    with verified(tmp_path, *volumes[1:]) as found:
        said = preview(found, depot)

    assert (numbers(said), len(said.moved), facts(depot)) == ([], 1, before)
    assert said.mended == len([one for one in protected.plan.volumes[0].files if one.path.endswith(".rpm")])
    assert said == take(depot, *volumes[1:])


def test_a_preview_counts_on_what_came_earlier(protected: Bundle, depot: Depot, tmp_path: Path) -> None:
    volumes = written(protected, tmp_path / "set")
    take(depot, volumes[0])

    with verified(tmp_path, volumes[3]) as found:
        too_little = preview(found, depot)
    take(depot, volumes[1])
    with verified(tmp_path, volumes[3]) as found:
        enough = preview(found, depot)

    assert (numbers(too_little), too_little.mended, too_little.added) == ([2, 3], 0, 0)
    assert (numbers(enough), enough) == ([], take(depot, volumes[3]))


def test_each_run_counts_what_it_added(bundle: Bundle, depot: Depot, tmp_path: Path) -> None:
    volumes = written(bundle, tmp_path / "set")
    expected = [[one.size for one in volume.files if one.path.endswith(".rpm")] for volume in bundle.plan.volumes]

    with verified(tmp_path, volumes[0]) as found:
        said = preview(found, depot)
    done = [take(depot, volumes[number]) for number in (0, 0, 1, 2)]

    assert [one.added for one in done] == [len(expected[0]), 0, len(expected[1]), len(expected[2])]
    assert [one.added_bytes for one in done] == [sum(expected[0]), 0, sum(expected[1]), sum(expected[2])]
    assert said == done[0]


@pytest.mark.parametrize("spoiled", [0, 1, 2])
def test_a_copy_of_a_listing_that_is_bad_is_a_warning_where_another_one_served(
    bundle: Bundle, depot: Depot, tmp_path: Path, spoiled: int
) -> None:
    volumes = written(bundle, tmp_path / "set")
    (listing,) = (volumes[spoiled] / "trees").iterdir()
    listing.write_bytes(b"x")
    events: list[Event] = []

    some = take(depot, volumes[spoiled], volumes[spoiled - 1], events=events)
    take(depot, volumes[spoiled - 2])

    assert len(some.waiting) == 1
    assert is_whole(depot, CONTENT)
    warned = {event.where: event.message for event in events if isinstance(event, Warned)}
    assert "was had from elsewhere" in warned[f"{volumes[spoiled]}: trees/{listing.name}"]


def test_a_listing_that_is_bad_everywhere_is_asked_for_and_another_copy_serves(
    bundle: Bundle, depot: Depot, tmp_path: Path
) -> None:
    volumes = written(bundle, tmp_path / "set")
    (listing,) = (volumes[0] / "trees").iterdir()
    good = listing.read_bytes()
    listing.write_bytes(b"x")

    with pytest.raises(NotIntactError):
        take(depot, volumes[0])
    (waiting,) = pending(depot)
    listing.write_bytes(good)
    take(depot, *volumes)

    assert (1, (f"trees/{listing.name}",)) in [(one.volume.number, one.lacking) for one in waiting.waiting]
    assert is_whole(depot, CONTENT)


def test_a_bad_file_costs_its_volume_alone_and_another_copy_serves(
    bundle: Bundle, depot: Depot, tmp_path: Path
) -> None:
    volumes = written(bundle, tmp_path / "set")
    copies = written(bundle, tmp_path / "copy")
    bad = package_of(bundle, 2)
    (volumes[1] / bad).write_bytes(b"scratched")

    with pytest.raises(NotIntactError) as caught:
        take(depot, *volumes)
    (waiting,) = pending(depot)
    done = take(depot, copies[1])

    label = bundle.plan.volumes[1].entry.label
    assert [one.where for one in caught.value.problems] == [f"{volumes[1]}: {bad}"]
    assert (caught.value.hint or "").endswith(f"copy: {label}")
    assert [(one.volume.label, one.lacking) for one in waiting.waiting] == [(label, (bad,))]
    assert (done.added, is_whole(depot, CONTENT)) == (1, True)


@pytest.mark.parametrize("name", ["manifest.json", "manifest.json.sig"])
@pytest.mark.parametrize("damaged", [0, 1])
def test_of_two_volumes_that_disagree_the_one_that_is_signed_counts(
    bundle: Bundle, depot: Depot, tmp_path: Path, name: str, damaged: int
) -> None:
    volumes = written(bundle, tmp_path / "set")
    place = volumes[damaged] / name
    place.write_bytes(place.read_bytes().replace(b"a", b"b", 1))
    events: list[Event] = []

    done = take(depot, *volumes[:2], events=events)

    assert numbers(done) == [3]
    warned = [event.where for event in events if isinstance(event, Warned)]
    assert (f"{volumes[damaged]}: manifest.json" in warned) is (name == "manifest.json")


@pytest.mark.parametrize("data", [None, b"", b"{}"], ids=["absent", "empty", "other"])
def test_a_volume_whose_manifest_is_damaged_serves_and_that_is_told(
    bundle: Bundle, depot: Depot, tmp_path: Path, data: bytes | None
) -> None:
    volumes = written(bundle, tmp_path / "set")
    (volumes[2] / "manifest.json").unlink()
    if data is not None:
        (volumes[2] / "manifest.json").write_bytes(data)
    events: list[Event] = []

    take(depot, *volumes, events=events)

    assert is_whole(depot, CONTENT)
    assert f"{volumes[2]}: manifest.json" in [event.where for event in events if isinstance(event, Warned)]


def test_without_parity_damaged_sums_are_refused_and_nothing_changes(
    bundle: Bundle, depot: Depot, tmp_path: Path
) -> None:
    volumes = written(bundle, tmp_path / "set")
    (volumes[1] / layout.SUMS).write_bytes(b"rotten")
    before = facts(depot)

    with pytest.raises(NotIntactError) as caught:
        take(depot, *volumes)

    assert caught.value.where == f"{volumes[1]}: {layout.SUMS}"
    assert facts(depot) == before


def test_with_parity_a_volume_of_damaged_sums_is_made_up_for(protected: Bundle, depot: Depot, tmp_path: Path) -> None:
    volumes = written(protected, tmp_path / "set")
    (volumes[1] / layout.SUMS).write_bytes(b"rotten")
    events: list[Event] = []

    take(depot, *volumes, events=events)

    assert is_whole(depot, CONTENT)
    warned = {event.where: event.message for event in events if isinstance(event, Warned)}
    assert "was had from elsewhere" in warned[f"{volumes[1]}: {layout.SUMS}"]


@pytest.mark.parametrize("lost", [1, 2, 3, 4])
def test_with_parity_any_volume_may_be_lost_and_no_parity_stays(
    protected: Bundle, depot: Depot, tmp_path: Path, lost: int
) -> None:
    volumes = written(protected, tmp_path / "set")

    for number, volume in enumerate(volumes, 1):
        if number != lost:
            take(depot, volume)

    parity = {digest_of(path.read_bytes()) for path in (volumes[-1] / "parity").iterdir()}
    assert is_whole(depot, CONTENT)
    assert parity.isdisjoint(digest for digest, _ in depot.store.walk())


def test_parity_that_is_a_file_too_stays(depot: Depot, tmp_path: Path) -> None:
    """Of one data volume of whole blocks the parity is the data itself."""
    content = {"a.rpm": random_content(1, 8192)["1-000.rpm"]}
    mirrored = set_of(tmp_path, media_of("500000"), parity=1, zoo=content)
    volumes = written(mirrored, tmp_path / "set")
    assert (volumes[1] / "parity/0001").read_bytes() == content["a.rpm"]

    take(depot, volumes[1])

    assert is_whole(depot, content)


def large() -> dict[str, bytes]:
    """Make a repository whose first file is larger than a medium."""
    return {"large.rpm": random_content(1, 5 * MIB + 7)["1-000.rpm"], **random_content(3, 60_000, seed=2)}


@pytest.mark.parametrize("backwards", [False, True])
def test_a_file_in_parts_is_joined_whichever_comes_first_and_no_part_stays(
    depot: Depot, tmp_path: Path, backwards: bool
) -> None:
    content = large()
    parted = set_of(tmp_path, media_of("2500000"), zoo=content)
    volumes = written(parted, tmp_path / "set")
    (split,) = parted.plan.manifest.split

    for volume in volumes[::-1] if backwards else volumes:
        take(depot, volume)

    here = {digest for digest, _ in depot.store.walk()}
    assert is_whole(depot, content)
    assert here.isdisjoint(part.sha256 for part in split.parts)
    with depot.store.open(split.sha256) as file:
        assert file.read() == content["large.rpm"]


def test_a_part_that_is_a_file_too_stays(depot: Depot, tmp_path: Path) -> None:
    content = {"large.rpm": bytes(5 * MIB), "zeros.rpm": bytes(2 * MIB), "mib.rpm": bytes(MIB)}
    parted = set_of(tmp_path, media_of("2500000"), zoo=content)
    (split,) = parted.plan.manifest.split
    assert {part.sha256 for part in split.parts} & {digest_of(data) for data in content.values()}

    take(depot, *written(parted, tmp_path / "set"))

    assert is_whole(depot, content)


def test_a_part_that_is_bad_is_asked_for_again_by_its_path(depot: Depot, tmp_path: Path) -> None:
    parted = set_of(tmp_path, media_of("2500000"), zoo=large())
    volumes = written(parted, tmp_path / "set")
    bad = next(path for path in sorted(volumes[0].rglob("*")) if path.name.endswith((".001", ".002", ".003")))
    good = bad.read_bytes()
    bad.write_bytes(good[:-1] + b"?")

    with pytest.raises(NotIntactError):
        take(depot, *volumes)
    (waiting,) = pending(depot)
    bad.write_bytes(good)
    take(depot, volumes[0])

    assert [one.lacking for one in waiting.waiting] == [(bad.relative_to(volumes[0]).as_posix(),)]
    assert is_whole(depot, large())


def test_a_volume_of_another_bundle_is_named_and_left_alone(bundle: Bundle, depot: Depot, tmp_path: Path) -> None:
    volumes = written(bundle, tmp_path / "set")
    other = bundle_of(tmp_path / "elsewhere", farm={"x.rpm": b"x"}).write(tmp_path / "stranger")
    before = facts(depot)

    with pytest.raises(NotIntactError, match="is a volume of another bundle") as caught:
        take(depot, *volumes[:2], other)

    assert (caught.value.where, facts(depot)) == (str(other), before)


def test_a_volume_given_twice_at_once_is_taken_once(bundle: Bundle, depot: Depot, tmp_path: Path) -> None:
    volumes = written(bundle, tmp_path / "set")
    copy = written(bundle, tmp_path / "copy")[1]
    (copy / package_of(bundle, 2)).write_bytes(b"never read")

    done = take(depot, volumes[1], volumes[0], copy, volumes[1], volumes[2])

    assert numbers(done) == []
    assert is_whole(depot, CONTENT)


def test_two_bad_copies_of_a_volume_may_make_up_a_good_one(bundle: Bundle, depot: Depot, tmp_path: Path) -> None:
    volumes = written(bundle, tmp_path / "set")
    copy = written(bundle, tmp_path / "copy")[1]
    one, other = [file.path for file in bundle.plan.volumes[1].files if file.path.endswith(".rpm")][:2]
    (volumes[1] / one).write_bytes(b"bad")
    (copy / other).write_bytes(b"bad")
    events: list[Event] = []

    done = take(depot, *volumes, copy, events=events)

    assert numbers(done) == []
    assert [event.where for event in events if isinstance(event, Warned)] == [f"{volumes[1]}: {one}"]
    assert is_whole(depot, CONTENT)


def test_where_no_manifest_is_signed_nothing_changes(bundle: Bundle, depot: Depot, tmp_path: Path) -> None:
    volumes = written(bundle, tmp_path / "set")
    for volume in volumes:
        (volume / "manifest.json.sig").write_bytes(b"")
    before = facts(depot)

    with pytest.raises(UntrustedError):
        take(depot, *volumes)

    assert facts(depot) == before


def test_a_newer_bundle_of_the_chain_ends_the_waiting_for_an_older(
    bundle: Bundle, depot: Depot, tmp_path: Path
) -> None:
    take(depot, written(bundle, tmp_path / "set")[0])
    newer = set_of(tmp_path, media_of("900000"), facts=header(sequence=2), zoo={"a.rpm": b"a"})

    take(depot, newer.write(tmp_path / "newer"))

    assert pending(depot) == []


def test_another_chain_leaves_the_waiting_as_it_is(bundle: Bundle, depot: Depot, tmp_path: Path) -> None:
    take(depot, written(bundle, tmp_path / "set")[0])
    facts_of = header(sequence=1, destination="lab")
    other = set_of(tmp_path, media_of("900000"), facts=facts_of, farm={"a.rpm": b"a"})

    take(depot, other.write(tmp_path / "other"))

    assert [one.bundle for one in pending(depot)] == [bundle.plan.id]


@pytest.mark.parametrize("kind", ["commit", "unlink"])
def test_stopped_at_the_end_the_same_volume_finishes_it(
    bundle: Bundle, depot: Depot, tmp_path: Path, kind: str
) -> None:
    volumes = written(bundle, tmp_path / "set")
    take(depot, *volumes[:2])

    def stop(step: str, name: str) -> None:
        if step == kind and name in ("catalog.sqlite", bundle.plan.id):
            raise RuntimeError("stopped")

    with files.observing(stop), pytest.raises(RuntimeError, match="stopped"):
        take(depot, volumes[2])
    take(depot, volumes[2])

    assert is_whole(depot, CONTENT)


def test_sums_that_rotted_here_only_make_a_volume_unseen(bundle: Bundle, depot: Depot, tmp_path: Path) -> None:
    volumes = written(bundle, tmp_path / "set")
    take(depot, volumes[0])
    (depot.root / "pending" / bundle.plan.id / "1.sums").write_bytes(b"rotten")

    (before,) = pending(depot)
    take(depot, *volumes[1:])

    assert [one.state for one in before.arrivals] == ["missing"] * 3
    assert is_whole(depot, CONTENT)


def test_a_blob_that_was_lost_since_is_asked_for_again(bundle: Bundle, depot: Depot, tmp_path: Path) -> None:
    volumes = written(bundle, tmp_path / "set")
    take(depot, volumes[0])
    lost = package_of(bundle, 1)
    depot.store.remove(digest_of((volumes[0] / lost).read_bytes()))

    done = take(depot, *volumes[1:])

    assert [(one.volume.number, one.lacking) for one in done.waiting] == [(1, (lost,))]
