"""The keyring on disk: written by us or by hand, read by us and by OpenSSH."""

from pathlib import Path

import pytest

from issmedia.base.errors import DepotError, FormatError, UntrustedError, UsageError
from issmedia.depot.keyring import Keyring
from issmedia.depot.keys import FileKey
from issmedia.depot.signatures import check_signatures
from issmedia.model.signers import TrustedKey
from issmedia.model.sshsig import ECDSA_P256
from tests.makers.sshkeys import (
    BUNDLE,
    NOW,
    Token,
    content_of,
    ecdsa_key,
    ed25519_key,
    needs_ssh_keygen,
    ssh_keygen,
)

ALICE, BOB, CAROL = (ed25519_key(seed, name) for seed, name in enumerate(("alice", "bob", "carol")))
DATA = b"a manifest\n"


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    """Give a keyring whose directory is not there yet."""
    return Keyring(tmp_path / "depot" / "keyring")


def openssh_accepts(keyring: Keyring, key: FileKey, name: str, *options: str | Path, namespace: str = BUNDLE) -> bool:
    """Ask the real ssh-keygen, with the keyring's own file."""
    (keyring.directory.parent / "sig").write_bytes(key.sign(DATA, namespace))
    signature = keyring.directory.parent / "sig"
    where = ("-f", keyring.directory / "allowed_signers", "-I", name, "-n", namespace, "-s", signature)
    return ssh_keygen("-Y", "verify", *where, *options, data=DATA).returncode == 0


def test_a_keyring_that_is_not_there_trusts_nobody(keyring: Keyring) -> None:
    assert (keyring.trusted(), keyring.revoked(), keyring.threshold()) == ((), (), 1)


def test_a_trusted_key_is_there_for_bundles_and_receipts(keyring: Keyring) -> None:
    keyring.trust("alice", ALICE.public)

    expected = TrustedKey("alice", ALICE.public, ("issmedia-bundle", "issmedia-receipt"))
    assert Keyring(keyring.directory).trusted() == (expected,)


def test_a_name_may_have_several_keys(keyring: Keyring) -> None:
    keyring.trust("alice", ALICE.public, valid_after="2024-01-01T00:00:00Z")
    keyring.trust("alice", BOB.public, valid_before="2030-01-01T00:00:00Z", namespaces=("issmedia-*",))

    first, second = keyring.trusted()
    assert (first.name, first.public) == ("alice", ALICE.public)
    assert (second.name, second.public) == ("alice", BOB.public)


@pytest.mark.parametrize("again", [ALICE.public, Token(ALICE).public], ids=["same", "as a security key"])
def test_a_key_that_is_trusted_already_is_refused(keyring: Keyring, again: object) -> None:
    keyring.trust("alice", ALICE.public)
    before = content_of(keyring.directory)

    with pytest.raises(UsageError, match="already, as alice"):
        keyring.trust("bob", again)  # type: ignore[arg-type]

    assert content_of(keyring.directory) == before


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a b", {}),
        ("", {}),
        ("alice\nmallory", {}),
        ("alice", {"valid_after": "2024-01-01"}),
        ("alice", {"valid_before": "20240101000000Z"}),
        ("alice", {"valid_after": "2025-01-01T00:00:00Z", "valid_before": "2024-01-01T00:00:00Z"}),
        ("alice", {"namespaces": ()}),
        ("alice", {"namespaces": ('a"',)}),
        ("alice", {"namespaces": ("a,!b",)}),
    ],
)
def test_what_cannot_be_written_is_refused(keyring: Keyring, name: str, options: dict[str, str]) -> None:
    with pytest.raises(UsageError):
        keyring.trust(name, ALICE.public, **options)  # type: ignore[arg-type]

    assert content_of(keyring.directory) == {}


def test_comments_and_lines_written_by_hand_are_kept(keyring: Keyring) -> None:
    keyring.directory.mkdir(parents=True)
    by_hand = f"# the export room\n\nalice   {ALICE.public.line}  laptop"
    (keyring.directory / "allowed_signers").write_text(by_hand)

    keyring.trust("bob", BOB.public)
    keyring.revoke("bob")

    assert (keyring.directory / "allowed_signers").read_text() == by_hand + "\n"


def test_a_revoked_key_is_gone_by_name_and_by_fingerprint(keyring: Keyring) -> None:
    for name, key in (("alice", ALICE), ("alice", BOB), ("carol", CAROL)):
        keyring.trust(name, key.public)

    assert [key.public for key in keyring.revoke("alice")] == [ALICE.public, BOB.public]
    assert [key.name for key in keyring.revoke(CAROL.public.fingerprint)] == ["carol"]

    assert keyring.trusted() == ()
    assert [key.public for key in keyring.revoked()] == [ALICE.public, BOB.public, CAROL.public]


def test_a_revoked_key_never_counts_again(keyring: Keyring) -> None:
    keyring.trust("alice", ALICE.public)
    keyring.revoke("alice")

    with pytest.raises(UsageError, match="revoked"):
        keyring.trust("alice", ALICE.public)
    with pytest.raises(UsageError, match="revoked"):
        keyring.trust("alice", Token(ALICE).public)
    (keyring.directory / "allowed_signers").write_text(f"alice {ALICE.public.line}\nbob {BOB.public.line}\n")

    (left,) = keyring.trusted()
    assert left.name == "bob"


@pytest.mark.parametrize("warning", [BOB.public.fingerprint, f"{BOB.public.line} vendor"], ids=["print", "line"])
def test_a_key_that_was_never_trusted_is_revoked_by_fingerprint_or_line(keyring: Keyring, warning: str) -> None:
    keyring.trust("alice", ALICE.public)

    (revoked,) = keyring.revoke(warning)

    assert revoked.fingerprint == BOB.public.fingerprint
    with pytest.raises(UsageError, match="is revoked"):
        keyring.trust("bob", BOB.public)
    with pytest.raises(UsageError, match="is revoked already"):
        keyring.revoke(warning)
    (keyring.directory / "allowed_signers").write_text(f"alice {ALICE.public.line}\nbob {BOB.public.line}\n")
    assert [key.name for key in keyring.trusted()] == ["alice"]


def test_a_trusted_key_is_revoked_by_its_line_whatever_its_comment(keyring: Keyring) -> None:
    keyring.trust("alice", ALICE.public)

    assert [key.name for key in keyring.revoke(f"{ALICE.public.line} laptop")] == ["alice"]
    assert keyring.trusted() == ()


def test_revoking_what_is_not_trusted_is_refused(keyring: Keyring) -> None:
    keyring.trust("alice", ALICE.public)
    before = content_of(keyring.directory)

    for unknown in ("bob", BOB.public.fingerprint[:-1], "ssh-ed25519 AAAA", ""):
        with pytest.raises(UsageError, match="no trusted key"):
            keyring.revoke(unknown)

    assert content_of(keyring.directory) == before


def test_a_threshold_is_kept_and_stays_within_the_keys(keyring: Keyring) -> None:
    keyring.trust("alice", ALICE.public)
    keyring.trust("bob", BOB.public)
    keyring.set_threshold(2)

    assert keyring.threshold() == keyring.threshold_at(BUNDLE, now=NOW) == 2
    for wrong in (-1, 0, 3, 10**9):
        with pytest.raises(UsageError, match="from 1 to 2"):
            keyring.set_threshold(wrong)
    assert keyring.threshold() == 2


def test_files_of_the_keyring_have_their_mode(keyring: Keyring) -> None:
    keyring.trust("alice", ALICE.public)
    keyring.set_threshold(1)
    keyring.revoke("alice")

    assert {path.stat().st_mode & 0o7777 for path in keyring.directory.iterdir()} == {0o644}
    assert sorted(content_of(keyring.directory)) == ["allowed_signers", "policy.json", "revoked"]


@pytest.mark.parametrize("name", ["allowed_signers", "revoked", "policy.json"])
def test_a_file_that_others_can_write_or_a_link_is_refused(keyring: Keyring, name: str) -> None:
    keyring.trust("alice", ALICE.public)
    keyring.set_threshold(1)
    (keyring.directory / "revoked").write_text("")
    path = keyring.directory / name
    path.chmod(0o666)

    with pytest.raises(DepotError, match="lets others at it"):
        keyring.threshold_at(BUNDLE, now=NOW)
    path.chmod(0o644)
    path.rename(keyring.directory / "elsewhere")
    path.symlink_to("elsewhere")
    with pytest.raises(DepotError, match="link"):
        keyring.threshold_at(BUNDLE, now=NOW)


@pytest.mark.parametrize("content", [b"\xff\xfe", b"alice\n", b"alice ssh-rsa AAAA\n", b'a namespaces="x\n'])
def test_a_malformed_allowed_signers_is_refused(keyring: Keyring, content: bytes) -> None:
    keyring.directory.mkdir(parents=True)
    (keyring.directory / "allowed_signers").write_bytes(content)

    with pytest.raises(FormatError):
        keyring.trusted()
    with pytest.raises(FormatError):
        keyring.trust("alice", ALICE.public)
    assert content_of(keyring.directory) == {"allowed_signers": content}


def test_a_malformed_revoked_file_is_refused_not_ignored(keyring: Keyring) -> None:
    keyring.trust("alice", ALICE.public)
    (keyring.directory / "revoked").write_text("# comment\n\nSHA256:abc\n")

    with pytest.raises(FormatError):
        keyring.trusted()


def test_a_key_that_stands_twice_is_refused(keyring: Keyring) -> None:
    keyring.directory.mkdir(parents=True)
    (keyring.directory / "allowed_signers").write_text(f"alice {ALICE.public.line}\nbob {ALICE.public.line}\n")

    with pytest.raises(FormatError, match="twice"):
        keyring.trusted()


def test_too_few_usable_keys_for_the_threshold_are_named(keyring: Keyring) -> None:
    keyring.trust("alice", ALICE.public)
    keyring.trust("bob", BOB.public, valid_before="2026-01-01T00:00:00Z")
    keyring.set_threshold(2)

    with pytest.raises(UntrustedError, match="usable for issmedia-bundle at 2026-06-01T12:00:00Z are 1"):
        keyring.threshold_at(BUNDLE, now=NOW)


@needs_ssh_keygen
def test_openssh_verifies_by_our_file(keyring: Keyring) -> None:
    p256 = ecdsa_key(5, ECDSA_P256)
    keyring.trust("alice", ALICE.public)
    keyring.trust("bob", BOB.public, valid_after="2024-01-01T00:00:00Z", valid_before="9999-01-01T00:00:00Z")
    keyring.trust("carol", CAROL.public, valid_before="2024-01-01T00:00:00Z")
    keyring.trust("dave", p256.public, namespaces=("issmedia-*",))

    assert openssh_accepts(keyring, ALICE, "alice")
    assert openssh_accepts(keyring, BOB, "bob")
    assert openssh_accepts(keyring, p256, "dave")
    assert not openssh_accepts(keyring, CAROL, "carol")
    assert not openssh_accepts(keyring, ALICE, "bob")
    assert not openssh_accepts(keyring, ALICE, "alice", namespace="git")


@needs_ssh_keygen
@pytest.mark.parametrize("moment", ["20260601115959Z", "20260601120000Z", "20260601120001Z"])
def test_times_are_inclusive_as_with_openssh(keyring: Keyring, moment: str) -> None:
    keyring.trust("alice", ALICE.public, valid_after=NOW, valid_before="2026-06-02T00:00:00Z")
    now = f"2026-06-01T{moment[8:10]}:{moment[10:12]}:{moment[12:14]}Z"

    theirs = openssh_accepts(keyring, ALICE, "alice", "-O", f"verify-time={moment}")

    assert (keyring.trusted()[0].fault(BUNDLE, now=now) is None) == theirs


@needs_ssh_keygen
def test_openssh_heeds_our_revocations(keyring: Keyring) -> None:
    keyring.trust("alice", ALICE.public)
    keyring.trust("bob", BOB.public)
    keyring.revoke(CAROL.public.fingerprint)
    keyring.revoke("alice")
    with (keyring.directory / "allowed_signers").open("a") as file:
        file.write(f"alice {ALICE.public.line}\n")

    assert not openssh_accepts(keyring, ALICE, "alice", "-r", keyring.directory / "revoked")
    assert openssh_accepts(keyring, BOB, "bob", "-r", keyring.directory / "revoked")


def test_the_keyring_and_a_signature_make_a_verdict(keyring: Keyring) -> None:
    keyring.trust("alice", ALICE.public)
    armored = ALICE.sign(DATA, BUNDLE) + BOB.sign(DATA, BUNDLE)

    verdict = check_signatures(DATA, armored, keyring.trusted(), namespace=BUNDLE, now=NOW)

    assert verdict.signers == {ALICE.public.fingerprint: "alice"}
    assert verdict.untrusted == (BOB.public.fingerprint,)
    assert verdict.invalid == ()
