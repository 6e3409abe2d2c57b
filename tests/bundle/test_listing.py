"""Listings on a volume: packed, patched, and unpacked within bounds."""

import struct

import pytest
import zstandard

from issmedia.base.digest import digest_of
from issmedia.base.errors import FormatError
from issmedia.bundle.listing import pack, unpack
from issmedia.model.tree import MAX_TREE_BYTES, Entry, tree_of

OLD = b"".join(b"%064d\n" % number for number in range(500))
NEW = OLD.replace(b"7\n", b"8\n")


def refusal(stored: bytes, size: int, base: bytes | None = None) -> str:
    """Unpack what must be refused; give the reason."""
    with pytest.raises(FormatError) as caught:
        unpack(stored, size, base, where="listing")
    assert caught.value.where == "listing"
    return caught.value.message


def frame(window: int, size: int) -> bytes:
    """Make a frame of one stored block of `size` zeros whose header asks for a window of 2**`window` bytes."""
    header = b"\xc0" + bytes([(window - 10) << 3]) + struct.pack("<Q", size)
    return b"\x28\xb5\x2f\xfd" + header + (size << 3 | 1).to_bytes(3, "little") + bytes(size)


@pytest.mark.parametrize("data", [b"", b"x", NEW], ids=["empty", "short", "long"])
@pytest.mark.parametrize("base", [None, b"", OLD, NEW], ids=["plain", "empty base", "base", "same base"])
def test_a_listing_comes_back_as_it_was(data: bytes, base: bytes | None) -> None:
    assert unpack(pack(data, base), len(data), base, where="listing") == data


def test_the_same_listing_gives_the_same_bytes() -> None:
    assert (pack(NEW), pack(NEW, OLD)) == (pack(NEW), pack(NEW, OLD))


def test_a_patch_of_60_000_unchanged_packages_has_at_most_1_000_bytes() -> None:
    entries = (Entry(f"Packages/{n:x}/p-{n}.rpm", digest_of(b"%d" % n), n) for n in range(60_000))
    listing = tree_of(entries).encode()

    patch = pack(listing, listing)

    assert len(patch) <= 1_000
    assert unpack(patch, len(listing), listing, where="listing") == listing


@pytest.mark.parametrize("base", [None, b"", OLD[:-1], OLD[::-1]])
def test_a_patch_against_another_base_never_gives_the_listing(base: bytes | None) -> None:
    patch = pack(NEW, OLD)

    try:
        found = unpack(patch, len(NEW), base, where="listing")
    except FormatError:
        return

    assert len(found) == len(NEW)
    assert found != NEW


@pytest.mark.parametrize("kept", [0, 1, 4, 20, -1])
@pytest.mark.parametrize("base", [None, OLD], ids=["plain", "patch"])
def test_a_frame_that_is_cut_is_refused(kept: int, base: bytes | None) -> None:
    assert "zstd frame" in refusal(pack(NEW, base)[:kept], len(NEW), base)


@pytest.mark.parametrize("size", [0, len(NEW) - 1, len(NEW) + 1])
@pytest.mark.parametrize("base", [None, OLD], ids=["plain", "patch"])
def test_another_size_than_the_frame_declares_is_refused(size: int, base: bytes | None) -> None:
    assert refusal(pack(NEW, base), size, base) == f"expected a frame of {size} bytes, found {len(NEW)}"


@pytest.mark.parametrize("size", [len(NEW) - 1, len(NEW) + 1])
def test_a_frame_that_holds_another_size_than_it_declares_is_refused(size: int) -> None:
    stored = pack(NEW).replace(struct.pack("<H", len(NEW) - 256), struct.pack("<H", size - 256), 1)

    assert "zstd frame" in refusal(stored, size)


def test_a_frame_that_declares_no_size_is_refused() -> None:
    stored = zstandard.ZstdCompressor(write_content_size=False).compress(NEW)

    assert "expected a frame of" in refusal(stored, len(NEW))


@pytest.mark.parametrize(
    "behind", [b"\0", pack(b"more"), b"\x50\x2a\x4d\x18\x01\0\0\0x"], ids=["byte", "frame", "skip"]
)
@pytest.mark.parametrize("base", [None, OLD], ids=["plain", "patch"])
def test_data_behind_the_frame_is_refused(behind: bytes, base: bytes | None) -> None:
    assert "zstd frame" in refusal(pack(NEW, base) + behind, len(NEW), base)


def test_a_window_within_reason_is_read_and_a_huge_one_refused() -> None:
    assert unpack(frame(31, 100), 100, None, where="listing") == bytes(100)
    assert "too much memory" in refusal(frame(41, 100), 100)


def test_a_listing_beyond_the_limit_is_refused_before_it_is_unpacked() -> None:
    assert "bytes, at most" in refusal(b"", MAX_TREE_BYTES + 1)
