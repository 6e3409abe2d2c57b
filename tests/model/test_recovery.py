"""Parity's documents are strict and fit together; a file's bytes lie where the geometry says."""

import tracemalloc
from collections.abc import Callable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from issmedia.base.digest import Digest, digest_of
from issmedia.base.errors import FormatError, UsageError
from issmedia.model.recovery import (
    LEAST_BLOCK,
    MAX_BLOCK,
    MAX_INDEX,
    MAX_PARITY_FILE,
    Column,
    IndexFile,
    Recovery,
    RecoveryIndex,
    Shape,
    block_digest,
    block_size,
    check_recovery,
    longest_index,
    lost_with,
    parity_files,
    parse_index,
    render_index,
    require_scheme,
    stream_of,
)
from issmedia.model.tree import Entry

BLOCK = LEAST_BLOCK
RECOVERY = Recovery("zfec", 2, 1, BLOCK, 2, (3,), IndexFile(Digest("e" * 64), 1000))


def entry(path: str, size: int) -> Entry:
    """Make a file whose digest follows from its path."""
    return Entry(path, digest_of(path.encode()), size)


def column(number: int, *files: Entry) -> Column:
    """Make a stream with digests that look like some."""
    blocks = Shape(files, BLOCK).blocks
    return Column(number, files, "".join(digest_of(b"%d %d" % (number, block)) for block in range(blocks)))


INDEX = RecoveryIndex(
    "issmedia-recovery",
    1,
    (column(1, entry("a", 3), entry("b", BLOCK)), column(2, entry("c", 0), entry("d", 9))),
    (column(3, entry("parity/0001", 2 * BLOCK)),),
)


def altered(**changes: object) -> bytes:
    """Write the index with other fields."""
    return render_index(msgspec.structs.replace(INDEX, **changes))


def first(**changes: object) -> bytes:
    """Write the index with other fields in its first stream."""
    return altered(data=(msgspec.structs.replace(INDEX.data[0], **changes), INDEX.data[1]))


def test_what_is_written_is_parsed_back() -> None:
    assert parse_index(render_index(INDEX), RECOVERY, where="index") == INDEX


def test_a_block_has_its_digest() -> None:
    assert block_digest(INDEX.data[0], 1) == digest_of(b"1 1")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b"\xff",
        b"[" * 100_000,
        render_index(INDEX)[:-1],
        render_index(INDEX) + b"\n",
        render_index(INDEX).replace(b'"version":1', b'"version":1,"surprise":1'),
        render_index(INDEX).replace(b'"version":1', b'"version":1.0'),
        render_index(INDEX).replace(b'"version":1', b'"version":1,"version":1'),
        render_index(INDEX).replace(b'"size":3', b'"size":3.0'),
        render_index(INDEX).replace(b'"size":3', b'"size":-3'),
        render_index(INDEX).replace(b'"size":3', b'"size":3 '),
        render_index(INDEX).replace(b'"path":"a"', b'"path":"\\u0061"'),
    ],
    ids=lambda data: data[:40],
)
def test_what_is_not_canonical_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        parse_index(data, RECOVERY, where="index")


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [("format", "other", "expected format 'issmedia-recovery'"), ("version", 2, "expected version 1, found 2")],
)
def test_another_format_or_version_is_refused_by_name(field: str, value: object, says: str) -> None:
    with pytest.raises(FormatError, match=says):
        parse_index(altered(**{field: value}), RECOVERY, where="index")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (altered(data=INDEX.data[:1]), "numbered"),
        (altered(data=(INDEX.data[1], INDEX.data[0])), "numbered"),
        (altered(parity=()), "numbered"),
        (first(number=3), "numbered"),
        (first(files=(entry("../a", BLOCK + 3),)), "component"),
        (first(files=(entry("a", 3), entry("A", BLOCK))), "sorted"),
        (first(files=(entry("A", 3), entry("a", BLOCK))), "collide"),
        (first(files=(entry("a", 3), entry("a", BLOCK))), "twice"),
        (first(files=(entry("a", 3), Entry("b", digest_of(b"a"), BLOCK))), "two sizes"),
        (first(files=(entry("a", 3), Entry("b", digest_of(b"d"), BLOCK))), "two sizes"),
        (first(files=(entry("a", 2**53 - 1), entry("b", 1))), "bytes"),
        (first(blocks=INDEX.data[0].blocks[:-64]), "digests of 2 blocks"),
        (first(blocks=INDEX.data[0].blocks[:-1]), "digests of 2 blocks"),
        (first(blocks=INDEX.data[0].blocks[:-1] + "\n"), "digests of 2 blocks"),
        (first(blocks=INDEX.data[0].blocks.upper()), "digests of 2 blocks"),
        (first(files=(), blocks=""), "expected 2 stripes, found 1"),
        (altered(parity=(column(3, entry("parity/0001", BLOCK)),)), "parity files"),
        (altered(parity=(column(3, entry("parity/0002", 2 * BLOCK)),)), "parity files"),
        (altered(parity=(column(3, entry("parity/0001", BLOCK), entry("parity/0002", BLOCK)),)), "parity files"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_parts_that_do_not_fit_are_refused(data: bytes, says: str) -> None:
    with pytest.raises(FormatError, match=says):
        parse_index(data, RECOVERY, where="index")


def test_the_manifests_part_fits_its_volumes() -> None:
    check_recovery(RECOVERY, 3)


@pytest.mark.parametrize(
    "changes",
    [
        {"k": 1},
        {"m": 2},
        {"volumes": (2,)},
        {"volumes": (3, 3)},
        {"volumes": ()},
        {"block": BLOCK + 1},
        {"stripes": MAX_INDEX // 128 + 1},
        {"index": IndexFile(Digest("e" * 64), 1 << 30)},
    ],
    ids=str,
)
def test_a_manifests_part_that_does_not_fit_is_refused(changes: dict[str, object]) -> None:
    with pytest.raises(FormatError):
        check_recovery(msgspec.structs.replace(RECOVERY, **changes), 3)


@pytest.mark.parametrize("block", [LEAST_BLOCK // 2, MAX_BLOCK + 1, 2 * MAX_BLOCK, 16 << 20])
def test_a_block_beyond_the_formats_limits_is_not_read(block: int) -> None:
    document = msgspec.json.encode({**msgspec.to_builtins(RECOVERY), "block": block})

    with pytest.raises(msgspec.ValidationError, match="block"):
        msgspec.json.decode(document, type=Recovery)


@pytest.mark.parametrize("block", [LEAST_BLOCK, MAX_BLOCK])
def test_a_block_at_the_formats_limits_is_read(block: int) -> None:
    document = msgspec.json.encode({**msgspec.to_builtins(RECOVERY), "block": block})

    check_recovery(msgspec.json.decode(document, type=Recovery), 3)


def test_a_stripe_that_would_fill_the_memory_is_refused() -> None:
    many = Recovery("zfec", 250, 6, 1 << 20, 1, tuple(range(251, 257)), RECOVERY.index)

    with pytest.raises(FormatError, match="block"):
        check_recovery(many, 256)


@pytest.mark.parametrize(("k", "m", "says"), [(5, 0, "none"), (0, 1, "no data"), (250, 7, "are 257, at most 256")])
def test_volumes_that_no_code_covers_are_refused_in_words(k: int, m: int, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        require_scheme(k, m)


@pytest.mark.parametrize(
    ("sizes", "m", "block"),
    [
        ([4_700_000_000] * 8, 2, 1 << 20),
        ([64 << 20], 1, 1 << 20),
        ([(64 << 20) - 1], 1, 1 << 19),
        ([100_000], 1, 4096),
        ([], 1, 4096),
        ([9_000_000_000] * 200, 20, 1 << 18),
        ([4_000_000_000_000], 1, 1 << 20),
        ([1_600_000_000_000] * 4, 1, 1 << 20),
    ],
    ids=str,
)
def test_the_block_fits_the_set(sizes: list[int], m: int, block: int) -> None:
    assert block_size(sizes, m) == block


@pytest.mark.parametrize(
    ("sizes", "m"), [([25_000_000_000] * 200, 20), ([4_000_000_000_000] * 4, 1), ([4_400_000_000_000], 1)], ids=str
)
def test_a_set_too_large_for_an_index_is_refused_with_the_limit_and_the_way_out(sizes: list[int], m: int) -> None:
    with pytest.raises(UsageError, match=r"too large for parity: .* at most 536,870,912 are allowed") as caught:
        block_size(sizes, m)

    assert "name fewer repositories" in str(caught.value.hint)
    assert "leave out --parity" in str(caught.value.hint)


def test_other_stripes_than_the_manifests_are_refused_before_their_files_are_reckoned() -> None:
    many = msgspec.structs.replace(RECOVERY, stripes=2**40)
    tracemalloc.start()

    with pytest.raises(FormatError, match=f"expected {2**40} stripes, found 2"):
        parse_index(render_index(INDEX), many, where="index")

    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20


@pytest.mark.parametrize("size", [0, 1, 5 * BLOCK, MAX_PARITY_FILE + 1])
def test_no_index_is_longer_than_its_manifest_allows(size: int) -> None:
    path = "/".join(["x" * 200] * 6)
    files = (entry(path, size), entry(f"{path}y", 3 * BLOCK))
    data = (column(1, *files), column(2))
    stripes = Shape(files, BLOCK).blocks
    parity = column(3, *(entry(name, length) for name, length in parity_files(stripes, BLOCK)))
    recovery = msgspec.structs.replace(RECOVERY, stripes=stripes)
    written = render_index(RecoveryIndex("issmedia-recovery", 1, data, (parity,)))

    assert parse_index(written, recovery, where="index").data == data
    assert len(written) <= longest_index(recovery, 2)


def test_a_stream_has_each_digest_once_sorted_by_path() -> None:
    twice = Entry("z", digest_of(b"a"), 3)

    assert stream_of(1, [twice, entry("b", 1), entry("a", 3)]).files == (entry("a", 3), entry("b", 1))


def test_parity_files_are_whole_blocks_of_at_most_a_gibibyte() -> None:
    assert parity_files(1025, 1 << 20) == [("parity/0001", 1 << 30), ("parity/0002", 1 << 20)]
    assert parity_files(0, 1 << 20) == []


sizes = st.lists(st.integers(0, 3 * BLOCK) | st.just(0) | st.just(BLOCK), max_size=8)


@given(sizes)
def test_the_pieces_of_all_blocks_are_the_files_in_order(sizes: list[int]) -> None:
    files = [entry(f"{number}", size) for number, size in enumerate(sizes)]
    shape = Shape(files, BLOCK)

    pieces = [[(one.file.path, one.offset, one.size) for one in shape.pieces(n)] for n in range(shape.blocks)]

    covered = dict.fromkeys((file.path for file in files), 0)
    for path, offset, size in (one for block in pieces for one in block):
        assert offset == covered[path]
        covered[path] += size
    assert covered == {file.path: file.size for file in files}
    assert [sum(size for _, _, size in block) for block in pieces[:-1]] == [BLOCK] * (len(pieces) - 1 if pieces else 0)


@given(sizes)
def test_a_files_places_are_the_pieces_of_it(sizes: list[int]) -> None:
    files = [entry(f"{number}", size) for number, size in enumerate(sizes)]
    shape = Shape(files, BLOCK)

    for index, file in enumerate(files):
        places = list(shape.places(index))

        assert sum(size for _, _, size in places) == file.size
        assert [number for number, _, _ in places] == list(shape.blocks_of(index))
        for number, _, size in places:
            assert size in [one.size for one in shape.pieces(number) if one.file == file]


@pytest.mark.parametrize(
    ("lose", "lost"),
    [
        (set(), ""),
        ({1}, ""),
        ({3}, ""),
        ({1, 2}, "abd"),
        ({2, 3}, "d"),
        ({1, 3}, "ab"),
        ({1, 2, 3}, "abd"),
    ],
    ids=str,
)
def test_more_lost_volumes_than_parity_take_the_files_of_their_first_stripes(lose: set[int], lost: str) -> None:
    assert "".join(file.path for _, file in lost_with(INDEX, lose, BLOCK)) == lost


def test_a_file_behind_the_last_stripe_that_lacks_too_much_is_not_lost() -> None:
    long = column(1, entry("a", BLOCK), entry("b", BLOCK))
    index = msgspec.structs.replace(INDEX, data=(long, INDEX.data[1]))

    assert [(number, file.path) for number, file in lost_with(index, {1, 2}, BLOCK)] == [(1, "a"), (2, "d")]


@pytest.mark.parametrize("build", [lambda: Recovery, lambda: Column], ids=["recovery", "column"])
def test_unknown_fields_are_refused(build: Callable[[], type[msgspec.Struct]]) -> None:
    with pytest.raises(msgspec.ValidationError, match="surprise"):
        msgspec.convert({"surprise": 1}, build(), strict=True)
