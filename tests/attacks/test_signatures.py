"""Attacks on signatures and keys: rows 3, 4, 6 to 10 and 12 to 14 of the threats. Checking writes nothing, anywhere."""

import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from msgspec.structs import replace

from issmedia.base.errors import FormatError, IssmediaError, UntrustedError, UsageError
from issmedia.depot.keyring import Keyring
from issmedia.depot.keys import FileKey, add_public, load, require_sound, verify_signature
from issmedia.depot.signatures import Verdict, check_signatures
from issmedia.model import ed25519
from issmedia.model.signers import TrustedKey
from issmedia.model.sshsig import (
    ECDSA_P256,
    ECDSA_P384,
    ED25519,
    SK_ED25519,
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
from issmedia.model.trust import require_threshold
from tests.makers.sshkeys import BUNDLE, NOW, Token, content_of, ecdsa_key, ed25519_key

DATA = b'{"format": "issmedia-bundle"}\n'
ALICE, BOB, MALLORY = (ed25519_key(seed, name) for seed, name in enumerate(("alice", "bob", "mallory")))
P256, P384 = ecdsa_key(4, ECDSA_P256), ecdsa_key(5, ECDSA_P384)
ORDER_P256 = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
SMALL_ORDER_Y = (
    0,
    1,
    ed25519.FIELD - 1,
    int.from_bytes(bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little"),
    int.from_bytes(bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"), "little"),
)


def trusting(*keys: FileKey | Token) -> list[TrustedKey]:
    """Trust each key under its own name."""
    return [TrustedKey(getattr(key, "name", "token"), key.public, (BUNDLE,)) for key in keys]


def judged(armor: bytes, trusted: list[TrustedKey]) -> Verdict:
    """Check signatures of the one document all tests use."""
    return check_signatures(DATA, armor, trusted, namespace=BUNDLE, now=NOW)


def only(armor: bytes) -> Signature:
    """Read a file of one well-formed signature."""
    (block,) = read_signatures(armor)
    assert isinstance(block, Signature)
    return block


def refused(signature: Signature, key: PublicKey) -> bool:
    """Say whether a signature is refused, both as an object and as it would be read."""
    with pytest.raises(UntrustedError):
        verify_signature(key, signature, signed_data(BUNDLE, DATA), namespace=BUNDLE)
    return judged(armored(signature.blob), [TrustedKey("alice", key, (BUNDLE,))]).signers == {}


@pytest.fixture
def keyring(tmp_path: Path) -> Iterator[Keyring]:
    """Give a keyring of two keys, and see that the attack changed nothing in it."""
    keyring = Keyring(tmp_path / "keyring")
    for key in (ALICE, BOB):
        keyring.trust(key.name, key.public)
    before = content_of(keyring.directory)
    yield keyring
    assert content_of(keyring.directory) == before


def test_003_a_key_that_travels_in_the_envelope_is_never_trusted(keyring: Keyring) -> None:
    """Mallory signs, and the envelope brings her public key along, as every SSH signature does."""
    verdict = judged(MALLORY.sign(DATA, BUNDLE), list(keyring.trusted()))

    assert verdict == Verdict({}, (MALLORY.public.fingerprint,), ())
    with pytest.raises(UntrustedError, match=MALLORY.public.fingerprint):
        require_threshold(verdict.signers, 1, untrusted=verdict.untrusted)


def test_003_an_empty_keyring_trusts_no_envelope(tmp_path: Path) -> None:
    """The site has no keyring yet, and Mallory hopes that the first key seen is taken."""
    keyring = Keyring(tmp_path / "keyring")

    assert judged(MALLORY.sign(DATA, BUNDLE), list(keyring.trusted())).signers == {}
    assert keyring.threshold_at(BUNDLE, now=NOW) == 1
    assert not keyring.directory.exists()


@pytest.mark.parametrize("key", [ALICE, P256, P384, Token(ALICE), Token(P256)], ids=lambda key: key.public.kind)
def test_004_every_bit_of_a_signature_counts(key: FileKey | Token) -> None:
    """The medium flips one bit of the signature file: armor, envelope, namespace, key or value."""
    good = key.sign(DATA, BUNDLE)
    trusted = trusting(key)
    assert judged(good, trusted).signers

    for position in range(len(good) * 8):
        flipped = bytearray(good)
        flipped[position // 8] ^= 1 << position % 8
        try:
            assert judged(bytes(flipped), trusted).signers == {}, position
        except FormatError:
            continue


@pytest.mark.parametrize("key", [ALICE, P256, P384, Token(ALICE), Token(P256)], ids=lambda key: key.public.kind)
def test_004_every_bit_beneath_the_armor_counts(key: FileKey | Token) -> None:
    """The attacker flips one bit of the decoded signature and armors it anew."""
    blob = only(key.sign(DATA, BUNDLE)).blob

    for position in range(len(blob) * 8):
        flipped = bytearray(blob)
        flipped[position // 8] ^= 1 << position % 8
        assert judged(armored(bytes(flipped)), trusting(key)).signers == {}, position


def test_004_every_bit_of_the_document_counts() -> None:
    """The medium flips one bit of what was signed."""
    armor = ALICE.sign(DATA, BUNDLE)

    for position in range(len(DATA) * 8):
        flipped = bytearray(DATA)
        flipped[position // 8] ^= 1 << position % 8
        verdict = check_signatures(bytes(flipped), armor, trusting(ALICE), namespace=BUNDLE, now=NOW)
        assert verdict.signers == {}


def test_004_a_signature_of_another_namespace_does_not_count() -> None:
    """Alice signed the same bytes as a receipt; the attacker shows them as a bundle."""
    verdict = judged(ALICE.sign(DATA, "issmedia-receipt"), trusting(ALICE))

    assert verdict.signers == {}
    assert "issmedia-receipt" in verdict.invalid[0]


def test_004_a_namespace_renamed_in_the_envelope_does_not_count() -> None:
    """The attacker writes the wanted namespace over the one that was signed."""
    signature = replace(only(ALICE.sign(DATA, "issmedia-receipt")), namespace=BUNDLE)

    assert refused(signature, ALICE.public)


def test_006_one_key_that_signs_twice_is_one_signer() -> None:
    """Alice alone, where two must sign, writes her signature twice, and once more in other bytes."""
    armor = ALICE.sign(DATA, BUNDLE) * 2 + P256.sign(DATA, BUNDLE) + P256.sign(DATA, BUNDLE)

    verdict = judged(armor, trusting(ALICE, P256))

    assert verdict.signers == {ALICE.public.fingerprint: "alice", P256.public.fingerprint: "key"}
    with pytest.raises(UntrustedError):
        require_threshold(judged(ALICE.sign(DATA, BUNDLE) * 2, trusting(ALICE)).signers, 2, untrusted=())


def test_006_one_key_under_two_names_is_one_signer() -> None:
    """One key stands in the keyring under two names (go-tuf #733: one key, two ids)."""
    trusted = [TrustedKey("alice", ALICE.public), TrustedKey("also-alice", ALICE.public)]

    verdict = judged(ALICE.sign(DATA, BUNDLE) * 2, trusted)

    assert verdict.signers == {ALICE.public.fingerprint: "alice"}


@pytest.mark.parametrize("key", [ALICE, P256], ids=lambda key: key.public.kind)
def test_006_one_key_in_two_encodings_is_one_signer(key: FileKey) -> None:
    """Who holds a private half signs once plainly and once as the security key that has the same point."""
    token = Token(key)
    armor = key.sign(DATA, BUNDLE) + token.sign(DATA, BUNDLE)

    verdict = judged(armor, trusting(key, token))

    assert verdict.signers == {key.public.fingerprint: key.name}
    assert verdict.invalid == verdict.untrusted == ()


def test_006_one_key_of_two_security_key_applications_is_one_signer() -> None:
    """The application is part of the key's blob, so one point has as many fingerprints as one likes."""
    tokens = [Token(ALICE, "ssh:"), Token(ALICE, "ssh:two")]
    armor = b"".join(token.sign(DATA, BUNDLE) for token in tokens)

    assert len(judged(armor, trusting(*tokens)).signers) == 1


def test_006_a_keyring_does_not_take_one_key_twice(keyring: Keyring) -> None:
    """Somebody who may add keys adds his own again, as another name or kind, to be two signers."""
    for again in (ALICE.public, Token(ALICE).public):
        with pytest.raises(UsageError, match="already"):
            keyring.trust("second", again)


@pytest.mark.parametrize(
    "policy",
    [
        '{"threshold": 0}',
        '{"threshold": -1}',
        '{"threshold": true}',
        '{"threshold": "1"}',
        '{"threshold": 1.0}',
        '{"threshold": 1e0}',
        '{"threshold": null}',
        '{"threshold": [1]}',
        '{"threshold": 33}',
        '{"threshold": 99999999999999999999}',
        '{"threshold": 2, "threshold": 1}',
        '{"threshold": 1, "Threshold": 1}',
        '{"thresholds": 1}',
        "1",
        "[]",
        "",
        "NaN",
        '{"threshold": 1} {}',
    ],
)
def test_007_a_threshold_that_is_no_plain_positive_number_is_refused(tmp_path: Path, policy: str) -> None:
    """A policy that was altered, or written by a careless tool, would let no signature be enough."""
    keyring = Keyring(tmp_path)
    (tmp_path / "policy.json").write_text(policy)

    with pytest.raises(FormatError, match="not a valid document"):
        keyring.threshold()
    with pytest.raises(FormatError):
        keyring.threshold_at(BUNDLE, now=NOW)


def test_007_a_threshold_above_the_usable_keys_is_refused(tmp_path: Path) -> None:
    """The attacker waits until a key has expired and hopes that the threshold comes down with it."""
    keyring = Keyring(tmp_path)
    keyring.trust("alice", ALICE.public)
    keyring.trust("bob", BOB.public, valid_before="2026-01-01T00:00:00Z")
    (tmp_path / "policy.json").write_text('{"threshold": 2}')

    with pytest.raises(UntrustedError, match="the threshold is 2 keys"):
        keyring.threshold_at(BUNDLE, now=NOW)


@pytest.mark.parametrize("threshold", [0, -1])
def test_007_no_signatures_are_never_enough(threshold: int) -> None:
    """A threshold that came out as nothing would accept an unsigned bundle."""
    with pytest.raises(UntrustedError):
        require_threshold({}, threshold, untrusted=())


def malformed_points() -> Iterator[PublicKey]:
    """Give keys of right length that no honest tool makes."""
    for y in (*SMALL_ORDER_Y, *(ed25519.FIELD + above for above in range(19)), 2):
        for sign in (0, 1 << 255):
            yield PublicKey(ED25519, (y | sign).to_bytes(32, "little"))
            yield PublicKey(SK_ED25519, (y | sign).to_bytes(32, "little"), "ssh:")
    yield PublicKey(ED25519, b"\xff" * 32)
    for kind, size in ((ECDSA_P256, 65), (ECDSA_P384, 97)):
        yield PublicKey(kind, b"\x04" + b"\0" * (size - 1))
        yield PublicKey(kind, b"\x04" + b"\xff" * (size - 1))
        yield PublicKey(kind, b"\x04" + b"\x01" * (size - 1))


def test_008_low_order_public_keys_are_refused_at_load(keyring: Keyring, tmp_path: Path) -> None:
    """A key file is zeroed, or somebody offers a point of small order, for which anyone finds signatures."""
    by_hand = Keyring(tmp_path / "by-hand")
    by_hand.directory.mkdir()

    for key in malformed_points():
        (by_hand.directory / "allowed_signers").write_text(f"alice {key.line}\n")
        for refuse in (
            lambda key=key: require_sound(key),
            lambda key=key: keyring.trust("mallory", key),
            lambda key=key: add_public(tmp_path / "keys", "mallory", key.line),
            by_hand.trusted,
        ):
            with pytest.raises(UntrustedError):
                refuse()
    assert not (tmp_path / "keys").exists()


def test_008_a_signature_forged_for_a_low_order_key_is_refused() -> None:
    """With the neutral point as key, that point and S = 0 sign every message, and the library alone accepts it."""
    key = PublicKey(ED25519, (1).to_bytes(32, "little"))
    forged = (1).to_bytes(32, "little") + b"\0" * 32
    Ed25519PublicKey.from_public_bytes(key.point).verify(forged, signed_data(BUNDLE, DATA))

    assert refused(Signature(key, BUNDLE, "sha512", ED25519, forged), key)


@pytest.mark.parametrize("size", [0, 1, 31, 33, 64])
def test_008_public_keys_of_wrong_length_are_refused(keyring: Keyring, size: int) -> None:
    """A key is cut, or has something appended."""
    blob = wire_string(b"ssh-ed25519") + wire_string(ALICE.public.point.ljust(64, b"\0")[:size])

    with pytest.raises(FormatError):
        parse_public_blob(blob)


def test_008_a_zeroed_private_key_file_is_refused(tmp_path: Path) -> None:
    """The power went while the key was written, and the file is as long as before and all zeros."""
    add_public(tmp_path / "keys", "export", ALICE.public.line)
    (tmp_path / "keys" / "export").write_bytes(b"\0" * 399)
    (tmp_path / "keys" / "export").chmod(0o600)
    before = content_of(tmp_path / "keys")

    with pytest.raises(IssmediaError):
        load(tmp_path / "keys", "export", lambda: None)

    assert content_of(tmp_path / "keys") == before


def test_008_a_zeroed_public_key_file_is_refused(tmp_path: Path) -> None:
    """The same with the public half."""
    add_public(tmp_path / "keys", "export", ALICE.public.line)
    (tmp_path / "keys" / "export.pub").write_bytes(b"\0" * 99)

    with pytest.raises(FormatError):
        load(tmp_path / "keys", "export", lambda: None)


def test_009_a_malleable_ed25519_signature_is_refused() -> None:
    """S + L fits the same equation as S: a second signature from the first, without the key."""
    signature = only(ALICE.sign(DATA, BUNDLE))
    assert isinstance(signature.value, bytes)
    s = int.from_bytes(signature.value[32:], "little")

    for factor in range(1, 16):
        if (altered := s + factor * ed25519.ORDER) < 1 << 256:
            value = signature.value[:32] + altered.to_bytes(32, "little")
            assert refused(replace(signature, value=value), ALICE.public)


@pytest.mark.parametrize("length", [0, 32, 63, 65, 128])
def test_009_an_ed25519_signature_of_wrong_length_is_refused(length: int) -> None:
    """The attacker cuts the signature, or appends to it."""
    signature = only(ALICE.sign(DATA, BUNDLE))
    assert isinstance(signature.value, bytes)
    blob = replace(signature, value=signature.value.ljust(128, b"\0")[:length]).blob

    verdict = judged(armored(blob), trusting(ALICE))

    assert verdict.signers == {}
    assert len(verdict.invalid) == 1


def test_009_numbers_out_of_range_are_refused() -> None:
    """r or s plus the group's order, or none at all, may pass where range checks are missing."""
    signature = only(P256.sign(DATA, BUNDLE))
    assert not isinstance(signature.value, bytes)
    r, s = signature.value

    for value in ((r + ORDER_P256, s), (r, s + ORDER_P256), (ORDER_P256, s), (r, ORDER_P256), (s, r), (1, 1)):
        altered = replace(signature, value=value)
        assert judged(armored(altered.blob), trusting(P256)).signers == {}
    for value in ((0, 0), (0, s), (r, 0)):
        with pytest.raises(FormatError):
            parse_signature(replace(signature, value=value).blob)


def test_009_der_in_place_of_the_ssh_encoding_is_refused() -> None:
    """A second encoding of the same ECDSA signature would be a second signature file."""
    signature = only(P256.sign(DATA, BUNDLE))
    assert not isinstance(signature.value, bytes)
    der = wire_string(ECDSA_P256.encode()) + wire_string(encode_dss_signature(*signature.value))
    envelope = signature.blob[: signature.blob.rindex(wire_string(ECDSA_P256.encode())) - 4]

    verdict = judged(armored(envelope + wire_string(der)), trusting(P256))

    assert verdict.signers == {}
    assert len(verdict.invalid) == 1


@pytest.mark.parametrize(
    ("signer", "pinned"),
    [(ALICE, P256), (P256, ALICE), (P256, P384), (P384, P256), (Token(ALICE), ALICE), (ALICE, Token(ALICE))],
    ids=lambda key: key.public.kind,
)
def test_010_the_algorithm_is_that_of_the_trusted_key(signer: FileKey | Token, pinned: FileKey | Token) -> None:
    """The envelope names the trusted key, and an algorithm of the attacker's choice to verify by."""
    made = only(signer.sign(DATA, BUNDLE))

    for signature in (made, replace(made, key=pinned.public), replace(made, algorithm=pinned.public.kind)):
        assert judged(armored(signature.blob), trusting(pinned)).signers == {}
        with pytest.raises(UntrustedError):
            verify_signature(pinned.public, signature, signed_data(BUNDLE, DATA), namespace=BUNDLE)


def test_010_a_weaker_hash_is_not_to_be_had() -> None:
    """The envelope asks for SHA-1, or names another hash than the one that was signed."""
    signature = only(ALICE.sign(DATA, BUNDLE))

    for name in ("sha1", "md5", "sha256", "SHA512", "shake_128", ""):
        assert judged(armored(replace(signature, hash_name=name).blob), trusting(ALICE)).signers == {}


def test_012_names_and_comments_are_hints_and_decide_nothing(tmp_path: Path) -> None:
    """A key is renamed, or its comment says it is another's: the signature is by the key, whatever it is called."""
    keyring = Keyring(tmp_path)
    keyring.trust("bob", parse_public_line(f"{ALICE.public.line} mallory@example.com"))

    verdict = judged(ALICE.sign(DATA, BUNDLE), list(keyring.trusted()))

    assert verdict.signers == {ALICE.public.fingerprint: "bob"}


def test_012_another_trusted_key_named_in_the_envelope_gains_nothing() -> None:
    """Alice signs and the envelope says Bob, to count as both: in SSHSIG the key is no hint, it must be right."""
    as_bob = replace(only(ALICE.sign(DATA, BUNDLE)), key=BOB.public)

    verdict = judged(ALICE.sign(DATA, BUNDLE) + armored(as_bob.blob), trusting(ALICE, BOB))

    assert verdict.signers == {ALICE.public.fingerprint: "alice"}
    assert "bob" in verdict.invalid[0]


def test_013_invalid_signatures_beside_valid_ones_are_reported_and_do_no_harm() -> None:
    """Somebody who carries the medium spoils the signature file by adding to it."""
    junk = b"-----BEGIN SSH SIGNATURE-----\nnot base64 \xe2\x80\xae\x1b[2J\n-----END SSH SIGNATURE-----\n"
    armor = b"".join(
        (
            junk,
            MALLORY.sign(DATA, BUNDLE),
            BOB.sign(b"other", BUNDLE),
            ALICE.sign(DATA, BUNDLE),
            MALLORY.sign(b"other", BUNDLE),
            junk,
        )
    )

    verdict = judged(armor, trusting(ALICE, BOB))

    assert verdict.signers == {ALICE.public.fingerprint: "alice"}
    assert verdict.untrusted == (MALLORY.public.fingerprint,)
    assert len(verdict.invalid) == 3
    assert all(reason.isprintable() for reason in verdict.invalid)


def test_013_an_invalid_signature_does_not_hide_a_valid_one_of_the_same_key() -> None:
    """A bad signature in Alice's name stands before her good one."""
    verdict = judged(ALICE.sign(b"other", BUNDLE) + ALICE.sign(DATA, BUNDLE), trusting(ALICE))

    assert verdict.signers == {ALICE.public.fingerprint: "alice"}
    assert len(verdict.invalid) == 1


def floods() -> Iterator[bytes]:
    """Give signature files made to keep us busy."""
    begin, end = b"-----BEGIN SSH SIGNATURE-----\n", b"-----END SSH SIGNATURE-----\n"
    yield ALICE.sign(DATA, BUNDLE) * 100_000
    yield begin + b"A" * (32 << 20) + b"\n" + end
    yield b"\n" * (32 << 20)
    yield (begin + end) * 1000
    yield begin * 2000
    yield (begin + b"AAAA\n" + end) * 33


def test_014_a_flood_of_signatures_is_refused_before_it_is_looked_at() -> None:
    """100 000 signatures, or one of many megabytes, keep the importer busy or without memory."""
    for flood in floods():
        tracemalloc.start()
        started = time.process_time()

        with pytest.raises(FormatError):
            judged(flood, trusting(ALICE))

        assert time.process_time() - started < 0.5
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
        tracemalloc.stop()


def test_014_as_many_as_are_looked_at_cost_little() -> None:
    """The caps are used to the full: 32 signatures of a trusted key, none of these bytes."""
    armor = ALICE.sign(b"other", BUNDLE) * 32
    started = time.process_time()

    verdict = judged(armor, trusting(ALICE))

    assert time.process_time() - started < 1
    assert (len(verdict.signers), len(verdict.invalid)) == (0, 32)
