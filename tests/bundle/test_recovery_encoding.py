"""Encoding parity: deterministic, every blob checked, files as the index says."""

from pathlib import Path

import pytest

from issmedia.base.digest import digest_of
from issmedia.base.errors import DamagedBlobError, UsageError
from issmedia.base.events import Advanced, Event, Report, ignore
from issmedia.bundle.blocks import read_index
from issmedia.bundle.parity import Encoded, encode
from issmedia.model import recovery as model
from issmedia.model.recovery import LEAST_BLOCK, MAX_BLOCK, Stream
from issmedia.model.tree import Entry
from tests.makers.parity import ParitySet, parity_set, random_payload, stream
from tests.makers.volumes import drafted, media_of, repository


def encoded_again(made: ParitySet, *, m: int = 1, workers: int = 2, report: Report = ignore) -> Encoded:
    """Encode the volumes of a set once more, below `again` beside them."""
    return encode(
        [stream(number, content) for number, content in enumerate(made.payload, 1)],
        made.store.open,
        m=m,
        block=LEAST_BLOCK,
        directory=made.root / "again",
        workers=workers,
        report=report,
    )


def test_the_same_streams_give_the_same_bytes_with_any_number_of_threads(tmp_path: Path) -> None:
    made = parity_set(tmp_path, random_payload(3))

    again = encoded_again(made, m=2, workers=5)

    assert (again.recovery, again.index) == (made.encoded.recovery, made.encoded.index)


def test_the_files_are_what_is_said_of_them(tmp_path: Path) -> None:
    made = parity_set(tmp_path, random_payload(3)).encoded

    for parity in made.volumes:
        assert [one.path for one in parity] == ["parity/0001"]
        for one in parity:
            assert (digest_of(one.file.read_bytes()), one.file.stat().st_size) == (one.sha256, one.size)
    assert sorted(tmp_path.glob("work/.*")) == []


def test_long_parity_is_cut_into_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model, "MAX_PARITY_FILE", 2 * LEAST_BLOCK)

    made = parity_set(tmp_path, random_payload(3))

    assert [one.path for one in made.encoded.volumes[0]] == ["parity/0001", "parity/0002", "parity/0003"]
    assert made.repair({1, 4}).missing(made.blobs) == {}
    assert made.repair({2, 5}).missing(made.blobs) == {}


def test_a_rotten_blob_stops_the_encoding_by_name_and_leaves_no_temporary_file(tmp_path: Path) -> None:
    made = parity_set(tmp_path, random_payload(3))
    rotten = digest_of(made.payload[1]["repos/p/r/2-4.rpm"])
    blob = Path(made.store.path(rotten))
    blob.chmod(0o644)
    blob.write_bytes(bytes(blob.stat().st_size))

    with pytest.raises(DamagedBlobError) as caught:
        encoded_again(made)

    assert caught.value.where is not None
    assert rotten in caught.value.where
    assert list((tmp_path / "again").iterdir()) == []


@pytest.mark.parametrize("size", [1, 100, 20_000])
def test_a_blob_that_is_short_or_gone_stops_the_encoding(tmp_path: Path, size: int) -> None:
    made = parity_set(tmp_path, [{"a": b"x" * 20_000}])
    blob = Path(made.store.path(digest_of(b"x" * 20_000)))
    blob.chmod(0o644)
    blob.write_bytes(b"x" * (size - 1))

    with pytest.raises(DamagedBlobError):
        encoded_again(made)


def test_the_payloads_bytes_are_reported(tmp_path: Path) -> None:
    made = parity_set(tmp_path, random_payload(2))
    events: list[Event] = []

    encoded_again(made, report=events.append)

    assert sum(one.size for one in events if isinstance(one, Advanced)) == sum(made.blobs.values())


def test_too_many_volumes_are_refused_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="257"):
        encode(
            [stream(number, {}) for number in range(1, 256)],
            lambda digest: pytest.fail("was read"),
            m=2,
            block=LEAST_BLOCK,
            directory=tmp_path / "work",
            workers=1,
            report=ignore,
        )

    assert not (tmp_path / "work").exists()


def test_a_set_whose_index_would_be_too_long_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    file = Entry("a", digest_of(b"a"), 4_400_000_000_000)

    with pytest.raises(UsageError, match=r"at most 536,870,912 are allowed") as caught:
        encode(
            [Stream(1, (file,))],
            lambda digest: pytest.fail("was read"),
            m=1,
            block=MAX_BLOCK,
            directory=tmp_path / "work",
            workers=1,
            report=ignore,
        )

    assert "leave out --parity" in str(caught.value.hint)
    assert not (tmp_path / "work").exists()


def test_a_set_too_large_for_parity_is_refused_when_it_is_planned() -> None:
    zoo = repository("p/zoo", {f"{number}.rpm": 1_000_000_000_000 for number in range(9)})

    with pytest.raises(UsageError, match="too large for parity"):
        drafted([zoo], media_of("4T"), parity=1)
    assert drafted([zoo], media_of("4T"), parity=0).count == 3


def test_the_length_of_an_index_is_known_beforehand_to_the_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = parity_set(tmp_path, random_payload(3))
    streams = [stream(number, content) for number, content in enumerate(made.payload, 1)]
    with made.media(None) as media:
        written = len(model.render_index(read_index(made.encoded.recovery, media)))

    monkeypatch.setattr(model, "MAX_INDEX", written)
    model.require_index(streams, 2, LEAST_BLOCK)
    monkeypatch.setattr(model, "MAX_INDEX", written - 1)
    with pytest.raises(UsageError, match=f"{written:,} bytes"):
        model.require_index(streams, 2, LEAST_BLOCK)


@pytest.mark.parametrize("payload", [[{}], [{}, {"a": b"a"}], [{"a": b""}]], ids=["none", "one of two", "empty"])
def test_volumes_without_payload_can_have_parity(tmp_path: Path, payload: list[dict[str, bytes]]) -> None:
    made = parity_set(tmp_path, payload, m=1)

    store = made.repair({len(payload)})

    assert store.missing(made.blobs) == {}


def test_each_parity_volume_has_the_same_index(tmp_path: Path) -> None:
    made = parity_set(tmp_path, random_payload(2))

    with made.media(None, {3}) as one, made.media(None, {4}) as other:
        index = read_index(made.encoded.recovery, one)
        assert read_index(made.encoded.recovery, other) == index

    assert [column.number for column in index.columns] == [1, 2, 3, 4]
