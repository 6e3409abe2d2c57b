"""Armor and packets are read exactly: what a library would pass over is refused."""

import pysequoia
import pytest
from hypothesis import given
from hypothesis import strategies as st

from issmedia.base.errors import FormatError
from issmedia.model.openpgp import (
    PUBLIC_KEY_BLOCK,
    SIGNATURE_BLOCK,
    armored,
    armored_blocks,
    exact_armor,
    grouped,
    packets,
)
from tests.makers.openpgp import openpgp_key

LIMIT = 1 << 16
ARMOR = openpgp_key().sign_detached(b"data")
BINARY = bytes(pysequoia.Sig.from_bytes(ARMOR))
LINES = ARMOR.decode().splitlines()


def exact(data: bytes) -> bytes:
    """Take a signature's armor off."""
    return exact_armor(data, SIGNATURE_BLOCK, limit=LIMIT)


def lines(*replaced: tuple[int, str]) -> bytes:
    """Write the armor with some lines replaced."""
    found = list(LINES)
    for number, line in replaced:
        found[number] = line
    return "\n".join(found).encode() + b"\n"


@given(st.binary(min_size=1, max_size=300))
def test_what_is_armored_is_found_again(data: bytes) -> None:
    assert exact(armored(data, SIGNATURE_BLOCK)) == data


@given(st.binary(min_size=1, max_size=300))
def test_armor_is_what_sequoia_writes(data: bytes) -> None:
    theirs = pysequoia.armor(data, pysequoia.ArmorKind.PublicKey).encode()

    assert armored(data, PUBLIC_KEY_BLOCK) == theirs


@pytest.mark.parametrize(
    "data",
    [
        ARMOR,
        ARMOR + b"\n\n",
        ARMOR.rstrip(b"\n"),
        ARMOR.replace(b"\n", b"\r\n"),
        ARMOR.replace(b"-----\n\n", b"-----\nVersion: GnuPG v2.0.22 (GNU/Linux)\nComment: x\n\n", 1),
        lines((-2, "")).replace(b"\n\n-----END", b"\n-----END"),
    ],
    ids=["plain", "empty lines", "no newline", "CRLF", "headers", "no checksum"],
)
def test_one_armored_signature_is_taken(data: bytes) -> None:
    assert exact(data) == BINARY


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        BINARY,
        b"junk\n" + ARMOR,
        b"\n" + ARMOR,
        ARMOR + b"junk",
        ARMOR + ARMOR,
        ARMOR.replace(b"SIGNATURE", b"PUBLIC KEY BLOCK"),
        ARMOR.replace(b"END PGP SIGNATURE", b"END PGP MESSAGE"),
        lines((-1, "")),
        lines((-1, "-----END PGP SIGNATURE----- x")),
        lines((-2, "=AAAA")),
        lines((2, "!" + LINES[2][1:])),
        lines((2, LINES[2][:-1])),
        lines((2, LINES[2] + "====")),
        lines((2, LINES[2][:10] + "==" + LINES[2][12:])),
        lines((2, "é" + LINES[2][1:])),
        lines((1, "no header")),
        ARMOR.replace(b"-----\n\n", b"-----\n" + b"A: b\n" * 40 + b"\n", 1),
        b"-----BEGIN PGP SIGNATURE-----\n\n-----END PGP SIGNATURE-----\n",
        b"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\ndata\n" + ARMOR,
        ARMOR.replace(b"-----\n\n", b"-----\n\n" + b"A" * 200 + b"\n", 1),
        ARMOR + b"\n" * LIMIT,
    ],
)
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        exact(data)


@given(st.binary(max_size=200))
def test_no_bytes_break_the_reader_of_armor(data: bytes) -> None:
    with pytest.raises(FormatError):
        exact(b"-----BEGIN PGP SIGNATURE-----\n" + data)


def test_blocks_are_found_in_a_text() -> None:
    text = b"The following key is used by the vendor:\npub 4096R\n\n" + ARMOR + b"\nand another:\n" + ARMOR

    assert list(armored_blocks(text)) == [(SIGNATURE_BLOCK, BINARY), (SIGNATURE_BLOCK, BINARY)]


def test_packets_are_cut_where_sequoia_cuts_them() -> None:
    [(_, data)] = armored_blocks(openpgp_key("cut", subkey=True).public)
    theirs = pysequoia.packet.PacketPile.from_bytes(data)

    assert [packet.data for packet in packets(data, most=20)] == [bytes(packet) for packet in theirs]


@pytest.mark.parametrize(
    ("data", "kinds"),
    [
        (b"\xc2\x01x", [2]),
        (b"\x88\x01x", [2]),
        (b"\x89\x00\x01x", [2]),
        (b"\x8a\x00\x00\x00\x01x", [2]),
        (b"\xc2\xc0\x00" + bytes(192), [2]),
        (b"\xc2\xff\x00\x00\x00\x01x\xcd\x00", [2, 13]),
    ],
)
def test_lengths_of_all_forms_are_read(data: bytes, kinds: list[int]) -> None:
    found = packets(data, most=20)

    assert [packet.kind for packet in found] == kinds
    assert b"".join(packet.data for packet in found) == data


@pytest.mark.parametrize(
    "data",
    [b"\x00", b"\xc2", b"\xc2\x05x", b"\x8bx", b"\xc2\xe1x", b"\xc2\xff\x00", b"\xc2\xff\xff\xff\xff\xff", b"\x89\x00"],
)
def test_packets_that_are_cut_or_endless_are_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        packets(data, most=20)


def test_more_packets_than_allowed_are_refused() -> None:
    with pytest.raises(FormatError, match="more than 2"):
        packets(b"\xc2\x00" * 3, most=2)


def test_a_fingerprint_is_grouped_as_gpg_does() -> None:
    expected = "0123 4567 89AB CDEF 0123  4567 89AB CDEF 0123 4567"

    assert grouped("0123456789ABCDEF0123456789ABCDEF01234567") == expected
