"""Adding blobs from several threads whose stretches overlap: they share what is on its way, and what goes wrong."""

from pathlib import Path

import pytest

from issmedia.base import files
from issmedia.base.digest import digest_of
from issmedia.base.errors import DepotError
from issmedia.depot.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """An empty store."""
    return Store(tmp_path / "store")


def test_what_overlaps_shares_one_writing_and_sweeps_nothing_of_the_others(store: Store) -> None:
    with store.writing() as first:
        first.add_bytes(b"one")
        with store.writing() as second:
            assert second is first

    assert store.has(digest_of(b"one"), 3)


def test_what_does_not_overlap_is_another_writing(store: Store) -> None:
    with store.writing() as first:
        pass

    with store.writing() as second:
        assert second is not first


def test_a_blob_that_is_pending_is_held_already(store: Store) -> None:
    with store.writing() as writing:
        digest = writing.add_bytes(b"one")

        assert writing.missing([(digest, 3), (digest, 4)]) == {(digest, 4)}
        assert not store.has(digest, 3)


def test_whoever_leaves_first_makes_durable_what_it_found_pending(store: Store) -> None:
    with store.writing() as writing:
        digest = writing.add_bytes(b"one")
        with store.writing():
            pass

        assert store.has(digest, 3)


def test_after_a_flush_that_failed_nobody_leaves_well(store: Store) -> None:
    def fail(kind: str, name: str) -> None:
        if kind == "syncfs":
            raise OSError(5, "Input/output error")

    with pytest.raises(DepotError, match="an earlier flush failed"), store.writing() as writing:
        writing.add_bytes(b"one")
        with pytest.raises(DepotError, match="Input/output error"), files.observing(fail), store.writing():
            pass

    assert list(store.walk()) == []
    assert list((store.root / "incoming").iterdir()) == []


def test_an_unchanged_second_leave_flushes_nothing(store: Store) -> None:
    seen: list[str] = []
    with store.writing() as writing:
        writing.add_bytes(b"one")
        with store.writing():
            pass

        with files.observing(lambda kind, name: seen.append(kind)), store.writing():
            pass

    assert seen == []
