"""The wire format of SSH signatures and keys: strict both ways, as OpenSSH writes it."""

import base64
import contextlib
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from issmedia.base.errors import FormatError
from issmedia.model import ed25519
from issmedia.model.sshsig import (
    ECDSA_P256,
    ECDSA_P384,
    MAX_BYTES,
    MAX_SIGNATURES,
    MalformedSignature,
    PublicKey,
    Signature,
    armored,
    parse_public_blob,
    parse_public_line,
    parse_signature,
    read_signatures,
    signed_data,
    wire_string,
)
from tests.makers.sshkeys import BUNDLE, Token, ecdsa_key, ed25519_key, needs_ssh_keygen, ssh_keygen

KEYS = (
    ed25519_key(1).public,
    ecdsa_key(2, ECDSA_P256).public,
    ecdsa_key(3, ECDSA_P384).public,
    Token(ed25519_key(4)).public,
    Token(ecdsa_key(5, ECDSA_P256)).public,
)
SIGNATURES = (
    ed25519_key(1).sign(b"data", BUNDLE),
    ecdsa_key(2, ECDSA_P256).sign(b"data", BUNDLE),
    ecdsa_key(3, ECDSA_P384).sign(b"data", BUNDLE),
    Token(ed25519_key(4)).sign(b"data", BUNDLE),
    Token(ecdsa_key(5, ECDSA_P256)).sign(b"data", BUNDLE),
)
GOOD = SIGNATURES[0]
BEGIN, END = b"-----BEGIN SSH SIGNATURE-----\n", b"-----END SSH SIGNATURE-----\n"


def only(armor: bytes) -> Signature:
    """Read a file of one well-formed signature."""
    (block,) = read_signatures(armor)
    assert isinstance(block, Signature)
    return block


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.kind)
def test_a_public_key_survives_its_line_and_its_blob(key: PublicKey) -> None:
    assert parse_public_line(f"{key.line} a comment\n") == key
    assert parse_public_blob(key.blob) == key


@needs_ssh_keygen
@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.kind)
def test_fingerprints_are_those_of_ssh_keygen(key: PublicKey, tmp_path: Path) -> None:
    (tmp_path / "key.pub").write_text(key.line + "\n")

    listed = ssh_keygen("-l", "-f", tmp_path / "key.pub").stdout.decode()

    assert listed.split()[1] == key.fingerprint


@pytest.mark.parametrize(
    "line",
    [
        "",
        "ssh-ed25519",
        "-----BEGIN OPENSSH PRIVATE KEY-----",
        f"ssh-rsa {KEYS[0].line.split()[1]}",
        f"ecdsa-sha2-nistp256 {KEYS[0].line.split()[1]}",
        KEYS[0].line + "A",
        KEYS[0].line + "=",
        KEYS[0].line[:-2],
        f"{KEYS[0].line}\n{KEYS[1].line}",
        f'namespaces="x" {KEYS[0].line}',
        KEYS[0].line + " " + "x" * 9000,
    ],
)
def test_a_line_that_is_no_public_key_is_refused(line: str) -> None:
    with pytest.raises(FormatError):
        parse_public_line(line)


@pytest.mark.parametrize(
    "blob",
    [
        b"",
        KEYS[0].blob + b"\0",
        KEYS[0].blob[:-1],
        wire_string(b"ssh-ed25519") + wire_string(b"x" * 31),
        wire_string(b"ssh-ed25519") + wire_string(b"x" * 33),
        wire_string(b"ssh-ed25519") + b"\xff\xff\xff\xff",
        wire_string(b"ssh-\xff") + wire_string(b"x" * 32),
        KEYS[1].blob.replace(b"\0\0\0\x08nistp256", b"\0\0\0\x08nistp384"),
        KEYS[1].blob.replace(b"\x41\x04", b"\x41\x02"),
        wire_string(b"ecdsa-sha2-nistp521") + wire_string(b"nistp521") + wire_string(b"\x04" * 133),
    ],
)
def test_a_blob_that_is_no_public_key_is_refused(blob: bytes) -> None:
    with pytest.raises(FormatError):
        parse_public_blob(blob)


@pytest.mark.parametrize("armor", SIGNATURES)
def test_a_signature_survives_reading_and_writing(armor: bytes) -> None:
    signature = only(armor)

    assert armored(signature.blob) == armor
    assert parse_signature(signature.blob) == signature


def test_several_blocks_are_read_in_order() -> None:
    blocks = read_signatures(b"\n" + b"\n\n".join(SIGNATURES) + b"\n")

    assert [block.fingerprint for block in blocks if isinstance(block, Signature)] == [k.fingerprint for k in KEYS]


def test_an_empty_file_has_no_signatures() -> None:
    assert read_signatures(b"") == read_signatures(b"\n") == ()


@pytest.mark.parametrize(
    "armor",
    [
        b"[]",
        b"junk\n" + GOOD,
        GOOD + b"junk",
        GOOD + b" ",
        GOOD + b"\r\n",
        GOOD + b"junk\n" + GOOD,
        GOOD[:-1] + GOOD,
        GOOD[: -len(END)],
        GOOD.replace(b"\n", b"\r\n"),
        b" " + GOOD,
        BEGIN + GOOD,
        GOOD + END,
        GOOD.replace(b"\n-----END", b"-----END"),
        b"\0" + GOOD,
    ],
)
def test_anything_around_the_armor_is_refused(armor: bytes) -> None:
    with pytest.raises(FormatError):
        read_signatures(armor)


@pytest.mark.parametrize(
    "body", [b"", b"\n", b"!!!!\n", b"AAAA\n", b"AAA\n", b"-----\n", b" " + GOOD[30:-28], b"\xff\n"]
)
def test_a_block_with_a_malformed_content_is_reported_and_the_next_is_read(body: bytes) -> None:
    bad = BEGIN + (body or b"\n") + END

    first, second = read_signatures(bad + GOOD)

    assert isinstance(first, MalformedSignature) and first.reason.isprintable()
    assert second == only(GOOD)


def test_stray_bits_at_the_end_of_base64_are_malformed() -> None:
    blob = only(ed25519_key(1).sign(b"data", "abc")).blob
    text = base64.b64encode(blob)
    assert text.endswith(b"=")
    stray = text.rstrip(b"=")[:-1] + bytes([text.rstrip(b"=")[-1] + 1]) + b"=" * text.count(b"=")

    (block,) = read_signatures(BEGIN + stray + b"\n" + END)

    assert isinstance(block, MalformedSignature)


@pytest.mark.parametrize(
    "changed",
    [
        replace(only(GOOD), hash_name="sha1"),
        replace(only(GOOD), hash_name="sha384"),
        replace(only(GOOD), namespace=""),
        replace(only(GOOD), value=b"x" * 63),
        replace(only(GOOD), value=b"x" * 65),
        replace(only(GOOD), value=b""),
        replace(only(SIGNATURES[1]), value=(0, 1)),
        replace(only(SIGNATURES[1]), value=(1 << 256, 1)),
        replace(only(SIGNATURES[1]), value=(1, 1 << 300)),
    ],
)
def test_a_field_outside_its_range_is_malformed(changed: Signature) -> None:
    with pytest.raises(FormatError):
        parse_signature(changed.blob)


def test_a_reserved_field_a_later_version_and_trailing_bytes_are_malformed() -> None:
    blob = only(GOOD).blob
    namespace = wire_string(BUNDLE.encode())
    altered = [
        blob.replace(namespace + wire_string(b""), namespace + wire_string(b"x")),
        blob.replace(b"SSHSIG\0\0\0\x01", b"SSHSIG\0\0\0\x02"),
        blob + b"\0",
        blob[:-1],
        blob.replace(b"SSHSIG", b"SSHSIH"),
    ]

    for other in altered:
        assert other != blob
        with pytest.raises(FormatError):
            parse_signature(other)


@pytest.mark.parametrize("number", [b"", b"\0", b"\0\x01", b"\xff", b"\0" * 33 + b"\xff"])
def test_ecdsa_numbers_that_are_not_positive_and_shortest_are_malformed(number: bytes) -> None:
    whole = only(SIGNATURES[1])
    inner = wire_string(b"ecdsa-sha2-nistp256") + wire_string(wire_string(number) + wire_string(b"\x01"))
    head = whole.blob[: whole.blob.rindex(b"\0\0\0\x13ecdsa-sha2-nistp256") - 4]

    with pytest.raises(FormatError):
        parse_signature(head + wire_string(inner))


@given(st.sampled_from(SIGNATURES), st.data())
def test_whatever_is_read_written_again_is_the_same_bytes(armor: bytes, data: st.DataObject) -> None:
    blob = bytearray(only(armor).blob)
    position = data.draw(st.integers(0, len(blob) - 1))
    blob[position] = data.draw(st.integers(0, 255))

    try:
        signature = parse_signature(bytes(blob))
    except FormatError:
        return

    assert signature.blob == bytes(blob)


@given(st.binary(max_size=300))
def test_arbitrary_bytes_never_give_another_error(data: bytes) -> None:
    for read in (parse_signature, parse_public_blob, read_signatures):
        with contextlib.suppress(FormatError):
            read(data)


def test_as_many_signatures_as_allowed_are_read_and_one_more_is_refused() -> None:
    block = BEGIN + b"AAAA\n" + END

    assert len(read_signatures(block * MAX_SIGNATURES)) == MAX_SIGNATURES
    with pytest.raises(FormatError, match="at most 32"):
        read_signatures(block * (MAX_SIGNATURES + 1))


def test_a_file_over_the_cap_is_refused() -> None:
    assert read_signatures(b"\n" * MAX_BYTES) == ()
    with pytest.raises(FormatError, match="at most 65536 bytes"):
        read_signatures(b"\n" * (MAX_BYTES + 1))


def test_the_signed_bytes_differ_by_namespace_data_and_hash() -> None:
    made = {signed_data("a", b"x"), signed_data("b", b"x"), signed_data("a", b"y"), signed_data("a", b"x", "sha256")}

    assert len(made) == 4
    assert all(data.startswith(b"SSHSIG") for data in made)


SMALL_ORDER = (
    "0100000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000080",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
)


@pytest.mark.parametrize("encoded", SMALL_ORDER)
def test_each_point_of_small_order_is_at_fault(encoded: str) -> None:
    assert "small order" in (ed25519.point_fault(bytes.fromhex(encoded)) or "")


@pytest.mark.parametrize("above", range(19))
def test_each_encoding_above_the_field_is_at_fault(above: int) -> None:
    y = ed25519.FIELD + above

    for sign in (0, 1 << 255):
        assert "canonical" in (ed25519.point_fault((y | sign).to_bytes(32, "little")) or "")


def test_half_of_all_encodings_are_off_the_curve() -> None:
    faults = [ed25519.point_fault(y.to_bytes(32, "little")) for y in range(2, 1002)]

    assert 400 < faults.count("is not on the curve") < 600
    assert 400 < faults.count(None) < 600


@given(st.integers(0, 2**32))
def test_a_key_that_was_generated_has_no_fault(seed: int) -> None:
    assert ed25519.point_fault(ed25519_key(seed).public.point) is None


def test_reading_fingerprints_needs_no_crypto_library() -> None:
    code = "import sys, issmedia.model.sshsig, issmedia.model.signers; sys.exit('cryptography' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
