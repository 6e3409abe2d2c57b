"""Volumes of one bundle arrive in every order, twice, mixed with others, and not all of them."""

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.makers.shelves import ANIMALS, Shelf, labels_in, shelve, zoo
from tests.makers.sites import Outcome, Site

WAITING, NOT_INTACT = 7, 6
NUMBERS = range(1, 8)
PARITY = {6, 7}


def subsets(count: int) -> list[tuple[int, ...]]:
    """List every way to lose so many of the seven volumes."""
    return list(itertools.combinations(NUMBERS, count))


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    """Three volumes without parity."""
    return shelve(tmp_path_factory.mktemp("three"), "--notes", "three volumes", volumes=3)


@pytest.fixture
def site(three: Shelf, tmp_path: Path) -> Site:
    """A site that waits for these three."""
    return three.lab(tmp_path / "site")


def assert_arrived(site: Site, shelf: Shelf) -> None:
    """See that a site has all that the sender has, shows it to clients, and keeps nothing of its coming."""
    assert site.trees() == shelf.hq.trees()
    published = site.root / "published/p/zoo"
    assert {path.relative_to(published).as_posix(): path.read_bytes() for path in _files(published)} == (
        shelf.zoo.files()
    )
    assert list((site.root / "pending").glob("*")) == []
    assert list((site.root / "store/incoming").iterdir()) == []
    assert site.do("import", "--status").out.strip() == "no import is unfinished"
    site.do("audit")


def assert_waiting(site: Site, outcome: Outcome, before: object) -> None:
    """See that an import waits for more, and that nothing has changed for clients."""
    assert outcome.code == WAITING, outcome.err
    assert "nothing has changed for clients yet" in outcome.out
    assert site.state() == before


def states(site: Site) -> dict[int, str]:
    """Ask how far each volume of the only unfinished import has come."""
    (found,) = site.do("import", "--status", "--json").document["pending"]
    return {one["volume"]["number"]: one["state"] for one in found["arrivals"]}


def _files(root: Path) -> Iterator[Path]:
    return (path for path in sorted(root.rglob("*")) if path.is_file())


@pytest.mark.parametrize("order", list(itertools.permutations((1, 2, 3))), ids=str)
def test_three_volumes_arrive_one_at_a_time_in_every_order(three: Shelf, site: Site, order: tuple[int, ...]) -> None:
    before = site.state()
    for place, number in enumerate(order[:-1], 1):
        outcome = site.call("import", three.volume(number))

        assert_waiting(site, outcome, before)
        assert states(site) == {one: "done" if one in order[:place] else "missing" for one in (1, 2, 3)}
        assert labels_in(outcome, three.labels) == [three.label(one) for one in sorted(order[place:])]

    site.do("import", three.volume(order[-1]))

    assert_arrived(site, three)


@pytest.mark.parametrize("order", list(itertools.permutations((1, 2, 3))), ids=str)
def test_three_volumes_arrive_at_once_in_every_order(three: Shelf, site: Site, order: tuple[int, ...]) -> None:
    site.do("import", *(three.volume(number) for number in order))

    assert_arrived(site, three)


@pytest.mark.parametrize("first", [(1, 2), (3, 1), (2, 3)], ids=str)
def test_two_drives_and_then_one(three: Shelf, site: Site, first: tuple[int, ...]) -> None:
    before = site.state()
    (last,) = {1, 2, 3} - set(first)

    outcome = site.call("import", *(three.volume(number) for number in first))

    assert_waiting(site, outcome, before)
    assert labels_in(outcome, three.labels) == [three.label(last)]
    site.do("import", three.volume(last))
    assert_arrived(site, three)


def test_the_directory_of_a_set_stands_for_all_its_volumes(three: Shelf, site: Site) -> None:
    site.do("import", three.directory)

    assert_arrived(site, three)


def test_a_volume_that_comes_again_changes_nothing_and_is_not_copied_again(three: Shelf, site: Site) -> None:
    first = site.call("import", three.volume(2))
    before = site.state(), states(site)

    again = site.call("import", three.volume(2))

    assert (first.code, again.code) == (WAITING, WAITING)
    assert before == (site.state(), states(site))
    assert "are in the store already" in again.err
    for number in (1, 3, 1, 3, 2):
        site.call("import", three.volume(number))
    assert_arrived(site, three)


def test_after_the_last_volume_each_comes_again_and_nothing_is_to_do(three: Shelf, site: Site) -> None:
    site.do("import", three.directory)
    before = site.state()

    outcomes = [site.do("import", volume) for volume in (*three.volumes, three.directory)]

    assert before == site.state()
    assert ["nothing to do" in outcome.err for outcome in outcomes] == [True] * 4
    assert_arrived(site, three)


def test_a_dry_run_of_one_volume_says_what_is_still_to_come_and_keeps_nothing(three: Shelf, site: Site) -> None:
    before = site.state()

    outcome = site.call("import", "--dry-run", three.volume(2), "--json")

    found = {one["volume"]["number"]: one["state"] for one in outcome.document["imported"]["arrivals"]}
    assert (outcome.code, before) == (WAITING, site.state())
    assert found[1] == found[3] == "missing"
    assert site.do("import", "--status").out.strip() == "no import is unfinished"


@pytest.mark.system("xorriso")
def test_directories_and_images_of_one_bundle_come_mixed(three: Shelf, site: Site, tmp_path: Path) -> None:
    image = tmp_path / "disc.iso"
    three.hq.do("burn", three.volume(2), "--device", f"stdio:{image}")

    site.do("import", three.volume(3), image, three.volume(1))

    assert_arrived(site, three)


def test_stray_files_are_warned_of_and_do_not_hinder(three: Shelf, site: Site, tmp_path: Path) -> None:
    spoiled = three.copied(tmp_path / "spoiled")
    for number in (1, 2, 3):
        (spoiled.volume(number) / "System Volume Information").mkdir()
        (spoiled.volume(number) / "autorun.inf").write_bytes(b"x")
        (spoiled.volume(number) / f"repos/p/zoo/{number}.rpm").write_bytes(b"y")

    outcomes = [site.call("import", volume) for volume in spoiled.volumes]

    assert [outcome.code for outcome in outcomes] == [WAITING, WAITING, 0]
    for number, outcome in enumerate(outcomes, 1):
        assert f"repos/p/zoo/{number}.rpm: is not declared by SHA256SUMS; it was not opened" in outcome.err
        assert "autorun.inf" in outcome.err
    assert_arrived(site, three)


class TestParity:
    """Five data volumes and two parity volumes: what may be lost, and what may not."""

    @pytest.mark.parametrize("lost", [*subsets(0), *subsets(1), *subsets(2)], ids=str)
    def test_any_two_volumes_may_be_lost(self, shelf: Shelf, lab: Site, lost: tuple[int, ...]) -> None:
        lab.do("import", *shelf.but(*lost))

        assert_arrived(lab, shelf)

    @pytest.mark.parametrize("lost", subsets(3), ids=str)
    def test_three_lost_volumes_are_asked_for_by_name_and_change_nothing(
        self, shelf: Shelf, lab: Site, lost: tuple[int, ...]
    ) -> None:
        before = lab.state()

        outcome = lab.call("import", *shelf.but(*lost))

        assert_waiting(lab, outcome, before)
        assert labels_in(outcome, shelf.labels) == [shelf.label(one) for one in lost if one not in PARITY]
        assert states(lab) == {one: "missing" if one in lost else "done" for one in NUMBERS}
        lab.do("import", shelf.volume(lost[0]))
        assert_arrived(lab, shelf)

    @pytest.mark.parametrize("lost", [(1, 5), (3, 6), (2,), (6, 7)], ids=str)
    @pytest.mark.parametrize("way", [1, -1], ids=["forwards", "backwards"])
    def test_one_at_a_time_no_more_is_asked_for_than_is_needed(
        self, shelf: Shelf, lab: Site, lost: tuple[int, ...], way: int
    ) -> None:
        before, here = lab.state(), shelf.but(*lost)[::way]
        needed = 5

        outcomes = [lab.call("import", volume) for volume in here]

        codes = [outcome.code for outcome in outcomes]
        assert codes == [WAITING] * (needed - 1) + [0] * (len(here) - needed + 1)
        assert before != lab.state()
        assert_arrived(lab, shelf)

    @pytest.mark.parametrize("lost", [(1, 2), (1, 2, 3), (3, 6), (3, 6, 7)], ids=str)
    def test_simulate_says_beforehand_what_an_import_then_does(
        self, shelf: Shelf, lab: Site, lost: tuple[int, ...]
    ) -> None:
        said = lab.call("simulate", shelf.directory, "--lose", ",".join(map(str, lost)))

        done = lab.call("import", *shelf.but(*lost))

        assert (said.code, done.code) in {(0, 0), (NOT_INTACT, WAITING)}
        assert (said.code == 0) == (len(lost) <= 2)

    def test_damage_on_every_volume_is_repaired_and_said(self, shelf: Shelf, lab: Site, tmp_path: Path) -> None:
        spoiled = shelf.copied(tmp_path / "spoiled")
        bad = [next(spoiled.volume(number).rglob(f"{names[0]}-*.rpm")) for number, names in enumerate(ANIMALS, 1)]
        for number, path in enumerate(bad):
            data = bytearray(path.read_bytes())
            data[20_000 + 40_000 * number] ^= 1
            path.write_bytes(data)

        checked = lab.call("verify", spoiled.directory)
        outcome = lab.do("import", spoiled.directory)

        assert checked.code == NOT_INTACT
        assert [path.name for path in bad if path.name not in checked.err or path.name not in outcome.err] == []
        assert_arrived(lab, shelf)

    def test_volumes_whose_sums_are_damaged_still_serve(self, shelf: Shelf, lab: Site, tmp_path: Path) -> None:
        spoiled = shelf.copied(tmp_path / "spoiled")
        for number in (2, 7):
            sums = spoiled.volume(number) / "SHA256SUMS"
            sums.write_bytes(b"0" + sums.read_bytes()[1:])

        lab.do("import", *spoiled.but(4))

        assert_arrived(lab, shelf)

    def test_a_bad_volume_is_asked_for_again_and_another_copy_brings_the_rest(
        self, shelf: Shelf, lab: Site, tmp_path: Path
    ) -> None:
        spoiled = shelf.copied(tmp_path / "spoiled")
        names = [spoiled.volume(3) / f"repos/p/zoo/Packages/c/{name}-1.0-1.noarch.rpm" for name in ANIMALS[2]]
        for path in names[:2]:
            path.write_bytes(path.read_bytes()[:-1] + b"!")
        before = lab.state()

        outcome = lab.call("import", *(spoiled.volume(number) for number in (1, 2, 3, 4, 5)))

        assert (outcome.code, lab.state()) == (NOT_INTACT, before)
        assert [path.name for path in names if path.name in outcome.err] == [path.name for path in names[:2]]
        assert shelf.label(3) in outcome.err
        assert states(lab) == {**dict.fromkeys((1, 2, 4, 5), "done"), 3: "bad", 6: "missing", 7: "missing"}
        done = lab.do("import", shelf.volume(3))
        assert "2 blobs added" in done.out
        assert_arrived(lab, shelf)


@pytest.mark.parametrize("volumes", [3], ids=str)
def test_a_delta_over_several_volumes_arrives_in_any_order(tmp_path: Path, volumes: int) -> None:
    shelf = shelve(tmp_path, "--notes", "full", volumes=volumes)
    lab = shelf.lab(tmp_path / "lab")
    lab.do("import", shelf.directory)
    newer = zoo(tmp_path / "upstream", volumes, version="2.0")
    shelf.hq.do("sync")
    shelf.hq.do("export", "--to", tmp_path / "delta", "--since-last", "--medium", "1400k", "--parity", "1")
    delta = Shelf(shelf.hq, newer, tmp_path / "delta")
    before = lab.state()
    assert len(delta.volumes) == volumes + 1

    outcomes = [lab.call("import", volume) for volume in delta.but(2)[::-1]]

    assert [outcome.code for outcome in outcomes] == [WAITING, WAITING, 0]
    assert before != lab.state()
    assert_arrived(lab, delta)


def test_a_delta_that_comes_too_early_is_refused_by_each_of_its_volumes(tmp_path: Path) -> None:
    shelf = shelve(tmp_path, "--notes", "full", volumes=2)
    lab = shelf.lab(tmp_path / "lab")
    zoo(tmp_path / "upstream", 2, version="2.0")
    shelf.hq.do("sync")
    shelf.hq.do("export", "--to", tmp_path / "delta", "--since-last", "--medium", "1400k")
    delta = Shelf(shelf.hq, shelf.zoo, tmp_path / "delta")
    before = lab.state()

    outcomes = [lab.call("import", volume) for volume in delta.volumes]

    assert [outcome.code for outcome in outcomes] == [NOT_INTACT] * len(delta.volumes)
    assert (before, list((lab.root / "pending").glob("*"))) == (lab.state(), [])
