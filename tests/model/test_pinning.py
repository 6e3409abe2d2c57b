"""Files of keys, and what adding a key to those pinned does."""

import pytest

from issmedia.base.digest import Digest
from issmedia.base.errors import FormatError, UsageError
from issmedia.model.openpgp import PUBLIC_KEY_BLOCK, armored, armored_blocks, grouped
from issmedia.model.pinning import (
    MAX_KEY_FILE,
    MAX_KEYS,
    PinnedFile,
    Pinning,
    SigningKey,
    VendorKey,
    day,
    fingerprints,
    key_packets,
    pinning,
    repinned,
)
from tests.makers.openpgp import OpenPGPKey, openpgp_key

VENDOR, OTHER = openpgp_key("vendor"), openpgp_key("other")


def binary(key: OpenPGPKey) -> bytes:
    """Give the packets of a key."""
    [(_, data)] = armored_blocks(key.public)
    return data


def vendor_key(name: str, data: bytes = b"packets") -> VendorKey:
    """Make a key that was read."""
    return VendorKey(name * 40, (name,), 0, None, False, (), data)


def test_an_armored_key_is_taken_apart() -> None:
    assert key_packets(VENDOR.public) == (binary(VENDOR),)


def test_a_binary_key_is_taken_apart() -> None:
    assert key_packets(binary(VENDOR) + binary(OTHER)) == (binary(VENDOR), binary(OTHER))


def test_text_around_several_blocks_is_passed_over() -> None:
    text = b"The release key:\n\n" + VENDOR.public + b"\npub 4096R\n" + OTHER.public

    assert key_packets(text) == (binary(VENDOR), binary(OTHER))


def test_notes_of_a_keyring_are_left_out() -> None:
    assert key_packets(binary(VENDOR) + b"\xb0\x02\x06\x00") == (binary(VENDOR),)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "no OpenPGP public key"),
        (b"<html>404 not found</html>", "no OpenPGP public key"),
        (VENDOR.secret, "SECRET"),
        (VENDOR.public + VENDOR.secret, "SECRET"),
        (VENDOR.sign_detached(b"x"), "only public keys"),
        (armored(VENDOR.sign_binary(b"x"), PUBLIC_KEY_BLOCK), "no public key"),
        (armored(b"\xc8\x02\x01x", PUBLIC_KEY_BLOCK), "no public key"),
        (binary(VENDOR)[:-3], "in the middle"),
        (VENDOR.public[:-40], "no end"),
        (b"\xc6" * (MAX_KEY_FILE + 1), "at most"),
        (binary(VENDOR) * (MAX_KEYS + 1), "at most"),
    ],
)
def test_what_is_no_file_of_public_keys_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(FormatError, match=reason):
        key_packets(data)


def test_a_secret_key_labelled_as_public_is_refused() -> None:
    [(_, data)] = armored_blocks(VENDOR.secret)

    with pytest.raises(FormatError, match="SECRET"):
        key_packets(armored(data, PUBLIC_KEY_BLOCK))


def test_a_key_is_new_or_there_already_or_another_of_the_same_fingerprint() -> None:
    pinned = [vendor_key("A"), vendor_key("B")]
    offered = [vendor_key("A"), vendor_key("B", b"later"), vendor_key("C"), vendor_key("C")]

    found = pinning(pinned, offered)

    assert found == Pinning((offered[2],), (offered[0],), ((pinned[1], offered[1]),))


@pytest.mark.parametrize(
    ("key", "fault"),
    [
        (SigningKey("A" * 40, 100), None),
        (SigningKey("A" * 40, 100, expires=201), None),
        (SigningKey("A" * 40, 100, expires=200), "expired"),
        (SigningKey("A" * 40, 201), "its key on"),
        (SigningKey("A" * 40, 100, revoked=True), "revoked"),
    ],
)
def test_a_signature_counts_while_its_key_does(key: SigningKey, fault: str | None) -> None:
    found = key.fault(200)

    assert (found is None) if fault is None else (found is not None and fault in found)


def test_a_signature_names_its_key_by_fingerprint_or_id() -> None:
    key = SigningKey("0123456789ABCDEF0123456789ABCDEF01234567", 0)

    assert key.has_id("0123456789ABCDEF0123456789ABCDEF01234567")
    assert key.has_id("89ABCDEF01234567")
    assert not any(map(key.has_id, ["", "01234567", "F" * 16, "0" * 40]))


def test_a_day_is_written_whatever_the_number() -> None:
    assert [day(0), day(1_700_000_000), day(2**53 - 1)] == ["1970-01-01", "2023-11-14", "9999-12-31"]


ONE, TWO, BAD = Digest("1" * 64), Digest("2" * 64), Digest("3" * 64)
HELD = [PinnedFile(ONE, (vendor_key("A"), vendor_key("B"))), PinnedFile(TWO, (vendor_key("C"),)), PinnedFile(BAD, ())]


def test_what_is_pinned_stays_as_it_is_and_new_keys_come_behind_it() -> None:
    assert repinned(HELD, [vendor_key("B"), vendor_key("D")]) == [ONE, TWO, BAD, vendor_key("D")]


def test_a_file_that_loses_a_key_is_taken_apart_and_the_others_stay() -> None:
    assert repinned(HELD, [], unpin=[grouped("A" * 40).lower()]) == [vendor_key("B"), TWO, BAD]


def test_a_file_that_cannot_be_read_goes_by_its_name() -> None:
    assert repinned(HELD, [], unpin=[BAD, TWO]) == [ONE]


def test_a_key_is_renewed_in_its_place_and_only_where_that_is_said() -> None:
    newer = vendor_key("B", b"lives longer")

    with pytest.raises(UsageError, match="pinned already") as caught:
        repinned(HELD, [newer, vendor_key("D")], renew=["D" * 40])
    assert [one.where for one in caught.value.problems] == [grouped("B" * 40)]

    assert repinned(HELD, [newer], renew=["B" * 40]) == [vendor_key("A"), newer, TWO, BAD]


@pytest.mark.parametrize("names", [{"unpin": ["E" * 40]}, {"renew": ["A" * 40]}, {"unpin": [""]}, {"unpin": ["A"]}])
def test_a_name_that_means_no_key_is_refused(names: dict[str, list[str]]) -> None:
    with pytest.raises(UsageError, match="no key"):
        repinned(HELD, [vendor_key("D")], **names)


def test_fingerprints_are_known_without_reading_the_keys() -> None:
    data = b"Ours:\n" + VENDOR.public + OTHER.public + VENDOR.public

    assert fingerprints(data) == tuple(sorted((VENDOR.fingerprint, OTHER.fingerprint)))
