"""Parity volumes: what is lost is rebuilt where enough is left, and refused in the right words where not."""

import errno
import itertools
import os
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from issmedia.base import files
from issmedia.base.beneath import BeneathFile
from issmedia.base.digest import Digest, digest_of
from issmedia.base.errors import FormatError, NotIntactError
from issmedia.base.events import ignore
from issmedia.bundle.blocks import Media, read_index
from issmedia.bundle.reader import DirectoryVolume
from issmedia.bundle.recovery import Place
from issmedia.bundle.repair import repair
from issmedia.depot.store import Store
from issmedia.model.manifest import OpenedFile, VolumeSource
from issmedia.model.recovery import INDEX, LEAST_BLOCK, MAX_INDEX, IndexFile
from tests.makers.parity import ParitySet, parity_set, random_payload

BLOCK = LEAST_BLOCK
NUMBERS = range(1, 8)
PARITY = "parity/0001"
EMPTY = "volume 1: repos/p/r/1-2.rpm"
"""A file without a byte: it needs no block."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> ParitySet:
    """Five data volumes and two parity volumes, which nobody damages."""
    return parity_set(tmp_path_factory.mktemp("whole"), random_payload(5))


@pytest.fixture
def fresh(whole: ParitySet, tmp_path: Path) -> ParitySet:
    """A copy of them, to be damaged."""
    return copy_of(whole, tmp_path / "copy")


def copy_of(made: ParitySet, root: Path) -> ParitySet:
    """Copy volumes; the store they were made from is shared."""
    for number in made.numbers:
        shutil.copytree(made.volume(number), root / f"volume-{number}")
    return replace(made, root=root)


def data_of(lost: tuple[int, ...]) -> list[int]:
    """Keep the data volumes."""
    return [number for number in lost if number <= 5]


@pytest.mark.parametrize("lost", [lost for n in range(3) for lost in itertools.combinations(NUMBERS, n)], ids=str)
def test_any_two_volumes_may_be_lost(fresh: ParitySet, lost: tuple[int, ...]) -> None:
    store = fresh.repair(lost)

    assert store.missing(fresh.blobs) == {}


@pytest.mark.parametrize("lost", [one for one in itertools.combinations(NUMBERS, 3) if {6, 7} - set(one)], ids=str)
def test_three_lost_volumes_are_refused_with_every_file_and_the_volumes_that_help(
    fresh: ParitySet, lost: tuple[int, ...]
) -> None:
    with pytest.raises(NotIntactError) as caught:
        fresh.repair(lost)

    expected = {
        f"volume {number}: {path}" for number in data_of(lost) for path, data in fresh.payload[number - 1].items()
    }
    named = {one.where for one in caught.value.problems}
    assert named == expected - {EMPTY}
    assert caught.value.message.startswith(f"{len(named)} files cannot be had")
    assert caught.value.hint is not None
    assert f"add volume {' or '.join(map(str, lost))}: 1 more is needed" in caught.value.hint


@pytest.mark.parametrize("lost", [one for one in itertools.combinations(NUMBERS, 3) if {6, 7} <= set(one)], ids=str)
def test_with_all_parity_volumes_lost_nothing_can_be_repaired(fresh: ParitySet, lost: tuple[int, ...]) -> None:
    with pytest.raises(NotIntactError, match="no parity volume with a good index is at hand") as caught:
        fresh.repair(lost)

    assert caught.value.hint == "add one of the parity volumes 6, 7; each has the whole index"


flips = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 2**20)), min_size=1, max_size=12)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(flips)
def test_changed_bytes_are_found_named_and_repaired_where_no_stripe_has_too_many(
    whole: ParitySet, tmp_path: Path, flips: list[tuple[int, int]]
) -> None:
    fresh = copy_of(whole, files.temporary_name(tmp_path))
    touched: dict[int, set[int]] = {}
    places = set()
    for volume, offset in set(flips):
        number, path, stripe = damage(fresh, volume + 1, offset)
        touched.setdefault(stripe, set()).add(number)
        places.add(Place(number, path))
    beyond = [stripe for stripe, numbers in touched.items() if len(numbers) > 2]

    found = fresh.assess()

    assert set(found.lost) <= places
    assert bool(found.lost) == any(volume <= 5 for stripe in beyond for volume in touched[stripe])
    if not found.lost:
        store = fresh.repair()
        assert store.missing(fresh.blobs) == {}
    else:
        with pytest.raises(NotIntactError) as caught:
            fresh.repair()
        lost = {f"volume {one.volume}: {one.path}" for one in found.lost}
        assert {one.where for one in caught.value.problems} == lost


def damage(made: ParitySet, number: int, offset: int) -> tuple[int, str, int]:
    """Set a bit in a byte of a volume's stream; say where that is: volume, path, stripe."""
    contents = made.payload[number - 1] if number <= 5 else {"parity/0001": parity_bytes(made, number)}
    offset %= sum(map(len, contents.values()))
    stripe = offset // BLOCK
    for path, data in sorted(contents.items()):
        if offset < len(data):
            place = made.volume(number) / path
            content = bytearray(place.read_bytes())
            content[offset] = data[offset] ^ 1
            place.write_bytes(content)
            return number, path, stripe
        offset -= len(data)
    raise AssertionError("past the end")


def parity_bytes(made: ParitySet, number: int) -> bytes:
    """Give the parity that was made for a volume."""
    return made.encoded.volumes[number - 6][0].file.read_bytes()


def test_scattered_damage_on_all_volumes_is_repaired(fresh: ParitySet) -> None:
    for stripe, number in itertools.product(range(2), NUMBERS):
        if (number + stripe) % 4 == 0:
            damage(fresh, number, stripe * BLOCK + 5)
    for number in (1, 2, 3, 5, 6, 7):
        damage(fresh, number, {1: 3, 2: 3, 3: 4, 5: 4, 6: 2, 7: 2}[number] * BLOCK)

    store = fresh.repair()

    assert fresh.assess().lost == ()
    assert store.missing(fresh.blobs) == {}


def test_more_than_two_bad_blocks_in_a_stripe_lose_what_lies_there_and_no_more(fresh: ParitySet) -> None:
    for number in (1, 2, 3):
        damage(fresh, number, 0)
    damage(fresh, 4, 3 * BLOCK)

    with pytest.raises(NotIntactError) as caught:
        fresh.repair()

    lost = [f"volume {number}: repos/p/r/{number}-0.rpm" for number in (1, 2, 3)]
    assert [one.where for one in caught.value.problems] == lost
    assert caught.value.hint is not None
    assert "a better copy of volume 1 or 2 or 3: 1 more is needed" in caught.value.hint
    assert [(one.volume, one.path[-5:]) for one in fresh.assess().lost] == [(1, "0.rpm"), (2, "0.rpm"), (3, "0.rpm")]
    good = Store(fresh.root / "lab")
    assert len(good.missing(fresh.blobs)) == 3


def test_a_file_beside_a_lost_one_is_not_called_lost(fresh: ParitySet) -> None:
    (fresh.volume(2) / "repos/p/r/2-1.rpm").write_bytes(b"")

    found = fresh.assess({1, 3})

    assert [one for one in found.lost if one.volume == 2] == [Place(2, "repos/p/r/2-1.rpm")]


@pytest.mark.parametrize("spoiled", [[6], [7]], ids=str)
def test_one_damaged_index_is_made_up_for_by_the_other(fresh: ParitySet, spoiled: list[int]) -> None:
    for number in spoiled:
        fresh.flip(number, INDEX, 100)

    store = fresh.repair({1, 3})

    assert store.missing(fresh.blobs) == {}


def test_with_all_indexes_damaged_the_error_names_each(fresh: ParitySet) -> None:
    fresh.flip(6, INDEX, 100)
    (fresh.volume(7) / INDEX).write_bytes(b"")

    with pytest.raises(NotIntactError, match="no parity volume with a good index") as caught:
        fresh.repair({1})

    assert [one.where for one in caught.value.problems] == [f"volume 6: {INDEX}", f"volume 7: {INDEX}"]
    assert caught.value.problems[1].message.endswith("found 0")


def test_an_index_kept_in_the_store_serves(fresh: ParitySet) -> None:
    for number in (6, 7):
        (fresh.volume(number) / INDEX).unlink()
    store = fresh.good({2})
    with store.writing() as writing:
        writing.add_bytes(fresh.encoded.index)

    with fresh.media(store, {2}) as media:
        fresh.repair_from(media, store)

    assert store.missing(fresh.blobs) == {}


def test_an_index_that_was_signed_and_is_none_is_refused(fresh: ParitySet) -> None:
    junk = b"junk"
    (fresh.volume(6) / INDEX).write_bytes(junk)
    recovery = msgspec.structs.replace(fresh.encoded.recovery, index=IndexFile(digest_of(junk), len(junk)))

    with fresh.media(None) as media, pytest.raises(FormatError, match="zstd"):
        read_index(recovery, media)


def test_an_index_longer_than_the_caller_allows_is_not_read(fresh: ParitySet) -> None:
    with fresh.media(None) as media:
        parity = Counting(media.volumes[6])
        with pytest.raises(FormatError, match="at most 100 are allowed"):
            read_index(fresh.encoded.recovery, Media(None, {6: parity}), most=100)

    assert parity.opened == []


def test_an_index_that_would_fill_the_memory_is_refused_unpacked(fresh: ParitySet) -> None:
    bomb = zstandard.ZstdCompressor().compress(bytes(MAX_INDEX + 1))
    (fresh.volume(6) / INDEX).write_bytes(bomb)
    recovery = msgspec.structs.replace(fresh.encoded.recovery, index=IndexFile(digest_of(bomb), len(bomb)))

    with fresh.media(None) as media, pytest.raises(FormatError, match="at most"):
        read_index(recovery, media)


def test_a_truncated_parity_file_serves_as_far_as_it_reaches(fresh: ParitySet) -> None:
    parity = fresh.volume(6) / "parity/0001"
    os.truncate(parity, 2 * BLOCK + 1)

    store = fresh.repair({1})

    assert store.missing(fresh.blobs) == {}


def test_parity_files_that_were_swapped_are_two_bad_volumes(fresh: ParitySet) -> None:
    one, other = (fresh.volume(number) / "parity/0001" for number in (6, 7))
    kept = one.read_bytes()
    one.write_bytes(other.read_bytes())
    other.write_bytes(kept)

    with pytest.raises(NotIntactError) as caught:
        fresh.repair({1})
    assert caught.value.hint is not None
    assert "add volume 1, or a better copy of volume 6 or 7: 1 more is needed" in caught.value.hint


@pytest.mark.parametrize("unknown", [{1, 2, 3, 4, 5, 6, 7}, {6}, {2, 7}], ids=str)
def test_volumes_whose_number_is_not_known_serve(fresh: ParitySet, unknown: set[int]) -> None:
    for number in (1, 2):
        (fresh.volume(number) / f"repos/p/r/{number}-3.rpm").unlink()

    store = fresh.repair((), unknown)

    assert store.missing(fresh.blobs) == {}


def test_a_sector_that_cannot_be_read_costs_its_block_and_not_its_file(fresh: ParitySet) -> None:
    path = "repos/p/r/2-3.rpm"
    store = fresh.good()
    store.remove(digest_of(fresh.payload[1][path]))
    disc = BadDisc(fresh.volume(2), path, range(BLOCK, BLOCK + 2048))

    with fresh.media(store) as media, disc.root:
        parity = Counting(media.volumes[6])
        fresh.repair_from(Media(store, {2: disc, 6: parity}), store)

    assert store.missing(fresh.blobs) == {}
    assert parity.opened.count(PARITY) == 1


class BadDisc:
    """A volume on which some bytes of one file cannot be read."""

    def __init__(self, volume: Path, path: str, bad: range) -> None:
        self.root = DirectoryVolume(volume)
        self._path = path
        self._bad = bad
        self.device = self.root.device

    @contextmanager
    def open(self, path: str) -> Iterator[BeneathFile]:
        """Open a file; reads that touch the bad bytes fail."""
        with self.root.open(path) as file:
            yield _BadFile(file.fd, self._bad) if path == self._path else file

    def stray(self, known: frozenset[str]) -> Iterator[str]:
        """Find nothing."""
        return iter(())


class _BadFile(BeneathFile):
    def __init__(self, fd: int, bad: range) -> None:
        super().__init__(fd)
        self._bad = bad

    def pread(self, offset: int, size: int, /) -> bytes:
        """Read, or fail as a scratched disc does."""
        if offset < self._bad.stop and offset + size > self._bad.start:
            raise OSError(errno.EIO, "the disc is scratched")
        return super().pread(offset, size)


def test_blobs_that_rotted_in_the_store_are_made_up_for(fresh: ParitySet) -> None:
    store = fresh.good({1, 2})
    rotten = digest_of(fresh.payload[2]["repos/p/r/3-3.rpm"])
    place = Path(store.path(rotten))
    place.chmod(0o644)
    place.write_bytes(bytes(place.stat().st_size))

    with fresh.media(store, {1, 2}) as media:
        fresh.repair_from(media, store)

    assert store.missing(fresh.blobs) == {}


def test_what_the_store_has_is_not_read_from_media(fresh: ParitySet) -> None:
    store = fresh.good({1})
    gone: dict[int, VolumeSource] = {}
    with fresh.media(store, {1}) as media:
        gone[6] = media.volumes[6]

        fresh.repair_from(Media(store, gone), store)

    assert store.missing(fresh.blobs) == {}


def test_parity_kept_in_the_store_serves_when_its_disc_is_away(fresh: ParitySet) -> None:
    store = fresh.good({1, 2})
    with store.writing() as writing:
        writing.add_bytes(fresh.encoded.index)
        for number in (6, 7):
            writing.add_bytes(parity_bytes(fresh, number))

    fresh.repair_from(Media(store, {}), store)

    assert store.missing(fresh.blobs) == {}


def test_only_the_stripes_that_are_needed_are_read(fresh: ParitySet) -> None:
    wanted = digest_of(fresh.payload[0]["repos/p/r/1-1.rpm"])
    store = fresh.good()
    store.remove(wanted)

    with fresh.media(store, {1}) as media:
        parity = Counting(media.volumes[6])
        fresh.repair_from(Media(store, {6: parity}), store)

    assert store.has(wanted, 700)
    assert parity.opened.count(PARITY) == 1


def test_where_too_much_is_away_nothing_but_the_index_is_read(fresh: ParitySet) -> None:
    store = Store(fresh.root / "lab")

    with fresh.media(store, {1, 2, 3}) as media:
        parity = Counting(media.volumes[6])
        with pytest.raises(NotIntactError, match="cannot be had"):
            fresh.repair_from(Media(store, {6: parity}), store)

    assert parity.opened == [INDEX]


@dataclass
class Counting:
    """A volume that remembers what was opened."""

    volume: VolumeSource
    opened: list[str] = field(default_factory=list)

    @property
    def device(self) -> int:
        """Be where the volume is."""
        return self.volume.device

    def open(self, path: str) -> AbstractContextManager[OpenedFile]:
        """Open a file."""
        self.opened.append(path)
        return self.volume.open(path)

    def stray(self, known: frozenset[str]) -> Iterator[str]:
        """Find nothing."""
        return iter(())


def test_a_blob_that_no_stream_has_is_lost_by_its_digest(fresh: ParitySet) -> None:
    store, stranger = fresh.good(), Digest("0" * 64)

    with fresh.media(store) as media, store.writing() as writing, pytest.raises(NotIntactError) as caught:
        repair(fresh.encoded.recovery, media, {stranger: 5}, writing, workers=2, report=ignore)

    assert [(one.where, one.message) for one in caught.value.problems] == [
        (stranger, "lies in no stream that parity protects")
    ]


def test_a_blob_on_two_volumes_is_taken_from_the_one_that_can_be_had(tmp_path: Path) -> None:
    twice = b"t" * 10
    made = parity_set(tmp_path, [{"a": twice, "b": b"b" * 9000}, {"c": b"c" * 9000, "d": twice}], m=1)
    for path in ("a", "b"):
        made.flip(1, path, 0)
    made.flip(2, "d", 0)
    made.flip(3, "parity/0001", 0)

    with pytest.raises(NotIntactError) as caught:
        made.repair()

    assert [one.where for one in caught.value.problems] == ["volume 1: b"]


@pytest.mark.parametrize("payload", random_payload(1), ids=["one"])
def test_a_single_volume_can_have_parity(tmp_path: Path, payload: dict[str, bytes]) -> None:
    made = parity_set(tmp_path, [payload], m=1)

    assert made.repair({1}).missing(made.blobs) == {}
