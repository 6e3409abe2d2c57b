"""What parity can give, told from names: what a repair then gives where all that is at hand is good."""

import contextlib
from itertools import combinations
from pathlib import Path

import pytest

from issmedia.base.digest import Digest
from issmedia.base.errors import NotIntactError
from issmedia.bundle.blocks import Media, read_index
from issmedia.bundle.reach import in_reach
from issmedia.depot.store import Store
from tests.makers.parity import ParitySet, parity_set, random_payload


@pytest.fixture
def made(tmp_path: Path) -> ParitySet:
    """Three data volumes and two of parity."""
    return parity_set(tmp_path / "made", random_payload(3))


def reached(made: ParitySet, media: Media, store: Store) -> set[Digest]:
    """Give what the store lacks, and parity has."""
    recovery = made.encoded.recovery
    return set(in_reach(recovery, read_index(recovery, media), media, store.missing(made.blobs).keys()))


LOST = [lost for count in (1, 2, 3) for lost in combinations(range(1, 6), count) if not {4, 5} <= set(lost)]


@pytest.mark.parametrize("lost", LOST, ids=str)
def test_what_is_in_reach_is_what_a_repair_gives(made: ParitySet, lost: tuple[int, ...]) -> None:
    store = made.good(lost)
    before = store.missing(made.blobs).keys()

    with made.media(store, lost) as media:
        said = reached(made, media, store)
        with contextlib.suppress(NotIntactError):
            made.repair_from(media, store)

    assert said == before - store.missing(made.blobs).keys()


def test_what_the_store_has_of_volumes_that_are_away_counts(made: ParitySet) -> None:
    store = made.good([3])

    with made.media(store, lost=[1, 2, 3, 5]) as media:
        with_store = reached(made, media, store)
        media_alone = Media(None, media.volumes)
        without = reached(made, media_alone, store)

    assert with_store == set(store.missing(made.blobs))
    assert without < with_store


def test_a_volume_of_unknown_number_may_have_what_is_away(made: ParitySet) -> None:
    store = made.good([1, 2, 3])

    with made.media(store, lost=[1], unknown=[2]) as media:
        said = reached(made, media, store)

    assert said == set(made.blobs)
