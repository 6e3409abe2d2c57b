"""Beginnings of files that broke off: kept, gone on from, judged like anything that arrives."""

import io
import os
from pathlib import Path

import pytest

from issmedia.base.digest import Digest, digest_of
from issmedia.base.errors import UpstreamError
from issmedia.depot.partials import Partials, drop_partials
from issmedia.depot.store import Store
from tests.makers.streams import giving

WHOLE = bytes(range(256)) * 8000


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def incoming(store: Store) -> list[str]:
    return sorted(os.listdir(store.root / "incoming"))


def take(store: Store, data: bytes, *, breaks: bool = False, start: int = 0) -> tuple[Digest, int]:
    """Take in `WHOLE` from what is kept and these bytes after it, which may break off."""
    arriving = io.BytesIO(data)

    def stream(size: int) -> bytes:
        part = arriving.read(size)
        if not part and breaks:
            raise UpstreamError("broke off")
        return part

    def check(digest: Digest, *_: object) -> None:
        if digest != digest_of(WHOLE):
            raise UpstreamError("other bytes")

    with store.writing() as writing, writing.partials.taken("the file", limit=len(WHOLE)) as partial:
        assert partial is not None
        assert partial.size == start
        return writing.add_partial(
            partial, lambda buffer: partial.readinto(buffer) or giving(stream)(buffer), limit=len(WHOLE), check=check
        )


def test_a_transfer_that_breaks_off_is_gone_on_with_by_the_next_writer(store: Store) -> None:
    with pytest.raises(UpstreamError, match="broke off"):
        take(store, WHOLE[:1_500_000], breaks=True)
    with pytest.raises(UpstreamError, match="broke off"):
        take(store, WHOLE[1_500_000:1_600_000], breaks=True, start=1_500_000)

    digest, size = take(store, WHOLE[1_600_000:], start=1_600_000)

    assert (digest, size) == (digest_of(WHOLE), len(WHOLE))
    assert store.read(digest, len(WHOLE)) == WHOLE
    assert incoming(store) == []


def test_a_beginning_is_not_seen_by_other_than_us(store: Store) -> None:
    with pytest.raises(UpstreamError):
        take(store, b"half", breaks=True)

    (name,) = incoming(store)
    assert (store.root / "incoming" / name).stat().st_mode & 0o777 == 0o600
    assert (store.root / "incoming").stat().st_mode & 0o777 == 0o700


def test_nothing_is_kept_of_what_breaks_off_at_once(store: Store) -> None:
    with pytest.raises(UpstreamError):
        take(store, b"", breaks=True)

    assert incoming(store) == []


def test_bytes_that_are_refused_are_not_kept(store: Store) -> None:
    with pytest.raises(UpstreamError, match="other bytes"):
        take(store, b"something else")

    assert incoming(store) == []


def test_of_two_threads_one_has_a_beginning(tmp_path: Path) -> None:
    partials = Partials(tmp_path)

    with partials.taken("x", limit=9) as first, partials.taken("x", limit=9) as second:
        assert first is not None
        assert second is None


def test_the_longest_of_several_beginnings_is_taken(store: Store) -> None:
    with pytest.raises(UpstreamError):
        take(store, b"half", breaks=True)
    (name,) = incoming(store)
    for digit, size in (("0", 3), ("1", 7), ("2", 5)):
        (store.root / "incoming" / (name[:-32] + digit * 32)).write_bytes(WHOLE[:size])

    take(store, WHOLE[7:], start=7)

    assert incoming(store) == []


def test_all_beginnings_can_be_dropped(store: Store) -> None:
    with pytest.raises(UpstreamError):
        take(store, b"half", breaks=True)
    (store.root / "incoming/other").touch()

    assert drop_partials(store.root / "incoming") == 1
    assert incoming(store) == ["other"]
