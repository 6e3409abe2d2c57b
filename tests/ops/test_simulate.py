"""simulate: whether a bundle outlives the loss of volumes, and what is lost where it does not."""

from collections.abc import Iterable
from pathlib import Path

import msgspec
import pytest

from issmedia.base.digest import Digest, digest_of
from issmedia.base.errors import FormatError, UsageError
from issmedia.bundle import layout
from issmedia.bundle.blocks import read_index
from issmedia.bundle.reader import read
from issmedia.model import strictjson
from issmedia.model.manifest import VolumeEntry
from issmedia.model.recovery import RecoveryIndex
from issmedia.ops.simulate import Known, Loss, LostFiles, loss, simulate
from tests.makers.bundles import bundle_of, content_of
from tests.makers.documents import sample_manifest
from tests.makers.parity import ParitySet, parity_set


def sums_of(*contents: dict[str, bytes]) -> dict[int, dict[str, Digest]]:
    """Give the sums of volumes 1, 2, …"""
    return {
        number: {path: digest_of(data) for path, data in content.items()} for number, content in enumerate(contents, 1)
    }


ONE = {"README.txt": b"1", "repos/p/zoo/a.rpm": b"a", "repos/p/zoo/both.rpm": b"both"}
OTHER = {"README.txt": b"2", "repos/p/farm/both.rpm": b"both", "blobs/ab/" + "ab" * 32: b"part"}
SUMS = sums_of(ONE, OTHER)
PLAIN = Known(None, None, SUMS)


def test_what_lies_on_another_volume_too_is_not_lost() -> None:
    assert loss(PLAIN, {1}) == Loss(frozenset({(1, "repos/p/zoo/a.rpm")}), ())


def test_with_all_volumes_all_payload_is_lost() -> None:
    assert len(loss(PLAIN, {1, 2}).files) == 4


def test_of_a_volume_that_is_not_given_nothing_can_be_named() -> None:
    assert loss(Known(None, None, {1: SUMS[1]}), {1, 2}).unnamed == (2,)


def test_nothing_is_lost_with_no_volume() -> None:
    assert loss(PLAIN, set()) == Loss(frozenset(), ())


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> ParitySet:
    """Three data volumes, the second much shorter, and one of parity."""
    payload = [
        {"repos/p/zoo/a.rpm": b"a" * 4096, "repos/p/zoo/b.rpm": b"b" * 5000},
        {"repos/p/zoo/c.rpm": b"c"},
        {"repos/p/farm/d.rpm": b"d" * 4096, "repos/p/farm/e.rpm": b"e" * 9000},
    ]
    return parity_set(tmp_path_factory.mktemp("made"), payload, m=1)


def known(made: ParitySet, index: RecoveryIndex | None, given: Iterable[int] = ()) -> Known:
    """Know a bundle with parity, its index or not, and the sums of some volumes."""
    sums = sums_of(*map(dict, made.payload))
    return Known(made.encoded.recovery, index, {number: sums[number] for number in given})


@pytest.fixture(scope="module")
def index(made: ParitySet) -> RecoveryIndex:
    """The index of that parity."""
    with made.media(None) as media:
        return read_index(made.encoded.recovery, media)


@pytest.mark.parametrize("lose", [set(), {1}, {2}, {3}, {4}], ids=str)
def test_as_many_volumes_as_parity_may_be_lost(made: ParitySet, index: RecoveryIndex, lose: set[int]) -> None:
    assert loss(known(made, None), lose) == Loss(frozenset(), ())
    assert loss(known(made, index), lose) == Loss(frozenset(), ())


def test_the_index_tells_what_lies_where_too_much_is_lost(made: ParitySet, index: RecoveryIndex) -> None:
    lost = {(1, "repos/p/zoo/a.rpm"), (2, "repos/p/zoo/c.rpm")}

    assert loss(known(made, index), {1, 2}) == Loss(frozenset(lost), ())
    assert {number for number, _ in loss(known(made, index), {1, 3}).files} == {1, 3}


@pytest.mark.parametrize("lose", [{1, 2}, {1, 3}, {2, 3}, {1, 2, 3}], ids=str)
def test_what_the_index_calls_lost_is_what_cannot_be_had(made: ParitySet, index: RecoveryIndex, lose: set[int]) -> None:
    found = made.assess(lose)

    assert {(one.volume, one.path) for one in found.lost} == loss(known(made, index), lose).files


def test_lost_parity_costs_nothing_by_itself(made: ParitySet) -> None:
    assert loss(known(made, None, {1}), {1, 4}) == Loss(
        frozenset({(1, "repos/p/zoo/a.rpm"), (1, "repos/p/zoo/b.rpm")}), ()
    )


def test_without_index_and_sums_the_lost_volumes_are_named(made: ParitySet) -> None:
    assert loss(known(made, None), {1, 2, 4}) == Loss(frozenset(), (1, 2))


def as_bundle(made: ParitySet) -> list[Path]:
    """Give volumes with parity their sums and one manifest."""
    entries = []
    for number in made.numbers:
        content = {path: data for path, data in content_of(made.volume(number)).items() if path not in layout.APART}
        sums = layout.encode_sums((path, digest_of(data)) for path, data in content.items())
        (made.volume(number) / layout.SUMS).write_bytes(sums)
        size = sum(map(len, content.values()))
        entries.append(VolumeEntry(number, f"V{number}", "dvd", None, len(content), size, digest_of(sums)))
    manifest = msgspec.structs.replace(sample_manifest(), volumes=tuple(entries), recovery=made.encoded.recovery)
    for number in made.numbers:
        (made.volume(number) / layout.MANIFEST).write_bytes(strictjson.render(manifest))
    return [made.volume(number) for number in made.numbers]


@pytest.mark.parametrize(
    ("given", "lose", "lost", "unnamed"),
    [
        ([4], {1}, {}, ()),
        ([4], {1, 2}, {"p/zoo": 2}, ()),
        ([4], {1, 4}, {"p/zoo": 2}, ()),
        ([3], {1, 3}, {"p/farm": 2}, (1,)),
        ([3], {3}, {}, ()),
        ([1, 2, 3], {2, 3}, {"p/farm": 2, "p/zoo": 1}, ()),
    ],
    ids=str,
)
def test_with_parity_the_answer_is_as_exact_as_what_is_given(
    made: ParitySet, given: list[int], lose: set[int], lost: dict[str, int], unnamed: tuple[int, ...]
) -> None:
    volumes = as_bundle(made)

    with read([volumes[number - 1] for number in given]) as found:
        simulated = simulate(found, lose)

    assert {one.repository: one.files for one in simulated.lost} == lost
    assert (simulated.files, simulated.unnamed) == (sum(lost.values()), unnamed)
    assert (simulated.importable, simulated.parity) == (not lost and not unnamed, 1)
    assert simulated.enough == (len(lose) - 1 if lost or unnamed else 0)


def test_a_bundle_of_one_volume_does_not_outlive_it(tmp_path: Path) -> None:
    bundle = bundle_of(tmp_path, keys=(b"key",), zoo={"a.rpm": b"a", "b.rpm": b"b"}, farm={"c.rpm": b"c"})
    stick = bundle.write(tmp_path / "stick")

    with read([stick]) as found:
        simulated = simulate(found, {1})

    assert (simulated.importable, simulated.files, simulated.parity) == (False, 4, 0)
    assert simulated.lost == (LostFiles("p/farm", 1), LostFiles("p/zoo", 2), LostFiles(None, 1))


def test_a_damaged_volume_is_one_that_is_not_given(tmp_path: Path) -> None:
    stick = bundle_of(tmp_path, zoo={"a.rpm": b"a"}).write(tmp_path / "stick")
    (stick / "SHA256SUMS").write_bytes(b"junk\n")

    with read([stick]) as found:
        simulated = simulate(found, {1})

    assert (simulated.importable, simulated.lost, simulated.unnamed) == (False, (), (1,))


def test_a_volume_that_the_bundle_has_not_is_refused_by_number(tmp_path: Path) -> None:
    stick = bundle_of(tmp_path, zoo={"a.rpm": b"a"}).write(tmp_path / "stick")

    with read([stick]) as found, pytest.raises(UsageError, match="no volume 2, 9") as caught:
        simulate(found, {1, 2, 9})

    assert caught.value.hint == "volumes are 1 to 1"


def test_what_is_no_manifest_is_refused(tmp_path: Path) -> None:
    stick = bundle_of(tmp_path, zoo={"a.rpm": b"a"}).write(tmp_path / "stick")
    (stick / "manifest.json").write_bytes(b"{}")

    with read([stick]) as found, pytest.raises(FormatError):
        simulate(found, {1})
