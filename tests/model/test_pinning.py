"""Files of keys, and what adding a key to those pinned does."""

import pytest

from issmedia.base.errors import FormatError
from issmedia.model.openpgp import PUBLIC_KEY_BLOCK, armored, armored_blocks
from issmedia.model.pinning import MAX_KEY_FILE, MAX_KEYS, Pinning, SigningKey, VendorKey, day, key_packets, pinning
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
