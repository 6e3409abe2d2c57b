"""Keys of the depot: made, kept, loaded, and one format with OpenSSH in both directions."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from msgspec.structs import replace

from issmedia.base.errors import DepotError, FormatError, UntrustedError, UsageError
from issmedia.depot.keys import (
    AgentKey,
    FileKey,
    KeyKind,
    SigningKey,
    StoredKey,
    add_public,
    generate,
    load,
    stored_keys,
    verify_signature,
)
from issmedia.model.sshsig import (
    ECDSA_P256,
    ECDSA_P384,
    ED25519,
    PublicKey,
    Signature,
    parse_public_line,
    read_signatures,
    signed_data,
)
from tests.makers.sshkeys import (
    BUNDLE,
    Token,
    content_of,
    ecdsa_key,
    ed25519_key,
    needs_bcrypt,
    needs_ssh_agent,
    needs_ssh_keygen,
    running_agent,
    ssh_keygen,
)

KINDS: tuple[tuple[KeyKind, str], ...] = (
    ("ed25519", ED25519),
    ("ecdsa-p256", ECDSA_P256),
    ("ecdsa-p384", ECDSA_P384),
)
OPENSSH = (("ed25519", "256"), ("ecdsa", "256"), ("ecdsa", "384"))
DATA = b"a manifest\n"


def never() -> bytes | None:
    """Be the question that must not be asked."""
    raise AssertionError("asked for a passphrase")


def valid(key: PublicKey, armored: bytes, data: bytes = DATA, namespace: str = BUNDLE) -> bool:
    """Say whether the one signature of a file verifies."""
    (block,) = read_signatures(armored)
    assert isinstance(block, Signature)
    try:
        verify_signature(key, block, signed_data(namespace, data, block.hash_name), namespace=namespace)
    except UntrustedError:
        return False
    return True


def openssh_accepts(key: PublicKey, armored: bytes, directory: Path) -> bool:
    """Ask the real ssh-keygen."""
    (directory / "signers").write_text(f"alice {key.line}\n")
    (directory / "sig").write_bytes(armored)
    options = ("-f", directory / "signers", "-I", "alice", "-n", BUNDLE, "-s", directory / "sig")
    return ssh_keygen("-Y", "verify", *options, data=DATA).returncode == 0


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    """Name a directory for keys that is not there yet."""
    return tmp_path / "depot" / "keys"


@pytest.mark.parametrize(("kind", "wire_kind"), KINDS)
def test_a_generated_key_signs_after_loading(keys: Path, kind: KeyKind, wire_kind: str) -> None:
    public = generate(keys, "export", kind, passphrase=None)

    key = load(keys, "export", never)

    assert (key.name, key.public, public.kind) == ("export", public, wire_kind)
    assert valid(public, key.sign(DATA, BUNDLE))
    assert not valid(public, key.sign(DATA, BUNDLE), data=b"other")
    assert not valid(public, key.sign(DATA, BUNDLE), namespace="issmedia-receipt")


def test_modes_do_not_depend_on_the_umask(keys: Path) -> None:
    before = os.umask(0)
    try:
        generate(keys, "export", "ed25519", passphrase=None)
    finally:
        os.umask(before)

    assert [path.stat().st_mode & 0o7777 for path in (keys, keys / "export", keys / "export.pub")] == [
        0o700,
        0o600,
        0o644,
    ]


@pytest.mark.parametrize("taken", [("export.pub",), ("export", "export.pub")])
def test_a_name_that_is_taken_is_refused(keys: Path, taken: tuple[str, ...]) -> None:
    keys.mkdir(parents=True, mode=0o700)
    for name in taken:
        (keys / name).write_bytes(b"something")

    with pytest.raises(UsageError, match="already"):
        generate(keys, "export", "ed25519", passphrase=None)
    with pytest.raises(UsageError, match="already"):
        add_public(keys, "export", ed25519_key(1).public.line)

    assert content_of(keys) == dict.fromkeys(taken, b"something")


def test_a_private_half_whose_public_one_is_absent_is_set_aside_and_kept(keys: Path) -> None:
    keys.mkdir(parents=True, mode=0o700)

    for content in (b"first", b"second"):
        (keys / "export").write_bytes(content)
        generate(keys, "export", "ed25519", passphrase=None)
        (keys / "export.pub").rename(keys.parent / "export.pub")
    generate(keys, "export", "ed25519", passphrase=None)

    kept = [(keys / f"export~{number}").read_bytes() for number in (1, 2, 3)]
    assert kept[:2] == [b"first", b"second"] and kept[2].startswith(b"-----BEGIN OPENSSH PRIVATE KEY")
    assert load(keys, "export", lambda: None).sign(DATA, BUNDLE)
    assert [one.name for one in stored_keys(keys)] == ["export"]


def test_the_public_half_is_told_before_anything_is_written(keys: Path) -> None:
    told: list[tuple[PublicKey, dict[str, bytes]]] = []

    public = generate(
        keys, "export", "ed25519", passphrase=None, before=lambda key: told.append((key, content_of(keys)))
    )

    assert told == [(public, {})]


@pytest.mark.parametrize("name", ["", "../export", "a/b", ".hidden", "-rf", "a b", "export.pub", "é"])
def test_a_name_that_is_no_label_is_refused(keys: Path, name: str) -> None:
    with pytest.raises(UsageError):
        generate(keys, name, "ed25519", passphrase=None)

    assert content_of(keys) == {}


def test_a_directory_open_to_others_is_refused(keys: Path) -> None:
    keys.mkdir(parents=True)
    keys.chmod(0o755)

    with pytest.raises(DepotError, match="lets others in"):
        generate(keys, "export", "ed25519", passphrase=None)

    assert content_of(keys) == {}


def test_ed25519_signs_the_same_bytes_the_same(keys: Path) -> None:
    generate(keys, "export", "ed25519", passphrase=None)

    signatures = {load(keys, "export", never).sign(DATA, BUNDLE) for _ in range(3)}

    assert len(signatures) == 1


def test_a_key_does_not_show_its_private_half(keys: Path) -> None:
    generate(keys, "export", "ed25519", passphrase=None)

    assert "private" not in repr(load(keys, "export", never)).lower()


@needs_bcrypt
@pytest.mark.parametrize(("kind", "wire_kind"), KINDS)
def test_a_key_with_a_passphrase_opens_with_it_alone(keys: Path, kind: KeyKind, wire_kind: str) -> None:
    public = generate(keys, "export", kind, passphrase=b"a secret")

    key = load(keys, "export", lambda: b"a secret")

    assert valid(public, key.sign(DATA, BUNDLE))
    for wrong in (b"another", b"", None):
        with pytest.raises(UsageError, match="passphrase") as caught:
            load(keys, "export", lambda answer=wrong: answer)  # type: ignore[misc]
        assert "ISSMEDIA_KEY_PASSPHRASE_FILE" in (caught.value.hint or "")


def test_without_bcrypt_a_passphrase_is_refused_with_a_hint(keys: Path) -> None:
    code = """if True:
        import sys
        sys.modules["bcrypt"] = None
        from pathlib import Path
        from issmedia.base.errors import DepotError
        from issmedia.depot.keys import generate
        try:
            generate(Path(sys.argv[1]), "export", "ed25519", passphrase=b"a secret")
        except DepotError as error:
            print(error.hint)
    """

    done = subprocess.run([sys.executable, "-c", code, keys], capture_output=True, check=True, timeout=60)

    assert b"cryptography[ssh]" in done.stdout
    assert not keys.exists()


def test_an_empty_passphrase_is_refused(keys: Path) -> None:
    with pytest.raises(UsageError, match="empty"):
        generate(keys, "export", "ed25519", passphrase=b"")

    assert content_of(keys) == {}


def test_a_key_that_is_not_there_is_refused(keys: Path) -> None:
    with pytest.raises(UsageError, match="no key export"):
        load(keys, "export", never)


def test_a_private_half_of_zeros_is_refused_even_with_its_own_public_half(keys: Path) -> None:
    zeros = Ed25519PrivateKey.from_private_bytes(b"\0" * 32)
    add_public(keys, "export", PublicKey(ED25519, zeros.public_key().public_bytes_raw()).line)
    (keys / "export").write_bytes(zeros.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
    (keys / "export").chmod(0o600)

    with pytest.raises(DepotError, match="all zeros"):
        load(keys, "export", never)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601, 0o777])
def test_a_private_half_open_to_others_is_refused(keys: Path, mode: int) -> None:
    generate(keys, "export", "ed25519", passphrase=None)
    (keys / "export").chmod(mode)

    with pytest.raises(DepotError, match="lets others at it"):
        load(keys, "export", never)


@pytest.mark.parametrize("which", ["export", "export.pub"])
def test_a_link_is_refused(keys: Path, which: str) -> None:
    generate(keys, "export", "ed25519", passphrase=None)
    (keys / which).rename(keys / "elsewhere")
    (keys / which).symlink_to("elsewhere")

    with pytest.raises(DepotError, match="link"):
        load(keys, "export", never)


def test_a_fifo_is_refused_without_waiting(keys: Path) -> None:
    generate(keys, "export", "ed25519", passphrase=None)
    (keys / "export").unlink()
    os.mkfifo(keys / "export", 0o600)

    with pytest.raises(DepotError):
        load(keys, "export", never)


def test_a_file_too_large_to_be_a_key_is_refused(keys: Path) -> None:
    generate(keys, "export", "ed25519", passphrase=None)
    os.truncate(keys / "export", 5 << 30)

    with pytest.raises(DepotError, match="at most"):
        load(keys, "export", never)


def test_a_private_half_of_another_key_is_refused(keys: Path) -> None:
    generate(keys, "one", "ed25519", passphrase=None)
    generate(keys, "two", "ed25519", passphrase=None)
    (keys / "one").write_bytes((keys / "two").read_bytes())

    with pytest.raises(DepotError, match="another key"):
        load(keys, "one", never)


@pytest.mark.parametrize("content", [b"", b"\0" * 399, b"-----BEGIN PRIVATE KEY-----\n", b"junk"])
def test_a_damaged_private_half_is_refused(keys: Path, content: bytes) -> None:
    generate(keys, "export", "ed25519", passphrase=None)
    (keys / "export").write_bytes(content)

    with pytest.raises(DepotError, match="expected an OpenSSH private key"):
        load(keys, "export", never)


def test_each_byte_of_a_private_half_that_changes_is_noticed_or_changes_nothing(keys: Path) -> None:
    public = generate(keys, "export", "ed25519", passphrase=None)
    good = (keys / "export").read_bytes()

    for position in range(len(good)):
        (keys / "export").write_bytes(good[:position] + bytes([good[position] ^ 1]) + good[position + 1 :])
        try:
            key = load(keys, "export", lambda: None)
        except (DepotError, UsageError):
            continue
        assert key.public == public and valid(public, key.sign(DATA, BUNDLE))


def test_a_malformed_public_half_is_refused_by_file(keys: Path) -> None:
    generate(keys, "export", "ed25519", passphrase=None)
    (keys / "export.pub").write_text("junk\n")

    with pytest.raises(FormatError) as caught:
        load(keys, "export", never)

    assert caught.value.where == str(keys / "export.pub")


def test_stored_keys_are_listed_by_name(keys: Path) -> None:
    assert stored_keys(keys) == ()
    second = generate(keys, "second", "ecdsa-p256", passphrase=None)
    first = add_public(keys, "first", Token(ed25519_key(1)).public.line + " token\n")
    (keys / "README").write_text("not a key")

    assert stored_keys(keys) == (
        StoredKey("first", first, private=False, encrypted=False),
        StoredKey("second", second, private=True, encrypted=False),
    )


@needs_bcrypt
def test_a_listing_says_what_is_encrypted(keys: Path) -> None:
    generate(keys, "export", "ed25519", passphrase=b"a secret")

    assert stored_keys(keys)[0].encrypted


@needs_ssh_keygen
@pytest.mark.parametrize(("kind", "wire_kind"), KINDS)
def test_openssh_accepts_what_we_sign(keys: Path, tmp_path: Path, kind: KeyKind, wire_kind: str) -> None:
    public = generate(keys, "export", kind, passphrase=None)

    armored = load(keys, "export", never).sign(DATA, BUNDLE)

    assert openssh_accepts(public, armored, tmp_path)


@needs_ssh_keygen
@pytest.mark.parametrize(("kind", "wire_kind"), KINDS)
def test_openssh_reads_the_keys_we_write(keys: Path, kind: KeyKind, wire_kind: str) -> None:
    public = generate(keys, "export", kind, passphrase=None)

    derived = ssh_keygen("-y", "-f", keys / "export").stdout.decode()

    assert parse_public_line(derived) == public


@needs_ssh_keygen
@needs_bcrypt
def test_openssh_opens_a_key_we_encrypted(keys: Path) -> None:
    public = generate(keys, "export", "ed25519", passphrase=b"a secret")

    derived = ssh_keygen("-y", "-P", "a secret", "-f", keys / "export").stdout.decode()

    assert parse_public_line(derived) == public


@needs_ssh_keygen
@pytest.mark.parametrize(("kind", "bits"), OPENSSH)
def test_we_load_the_keys_openssh_writes(keys: Path, tmp_path: Path, kind: str, bits: str) -> None:
    keys.mkdir(parents=True, mode=0o700)
    ssh_keygen("-q", "-t", kind, "-b", bits, "-N", "", "-C", "a comment", "-f", keys / "export")

    key = load(keys, "export", never)

    assert openssh_accepts(key.public, key.sign(DATA, BUNDLE), tmp_path)


@needs_ssh_keygen
@needs_bcrypt
@pytest.mark.parametrize("cipher", ["aes256-ctr", "aes256-gcm@openssh.com"])
def test_we_open_a_key_openssh_encrypted(keys: Path, cipher: str) -> None:
    keys.mkdir(parents=True, mode=0o700)
    ssh_keygen("-q", "-t", "ed25519", "-Z", cipher, "-N", "a secret", "-f", keys / "export")

    key = load(keys, "export", lambda: b"a secret")

    assert valid(key.public, key.sign(DATA, BUNDLE))
    with pytest.raises(UsageError, match="does not open"):
        load(keys, "export", lambda: b"another")


@needs_ssh_keygen
@pytest.mark.parametrize("hash_name", ["sha512", "sha256"])
@pytest.mark.parametrize(("kind", "bits"), OPENSSH)
def test_we_verify_what_openssh_signs(tmp_path: Path, kind: str, bits: str, hash_name: str) -> None:
    ssh_keygen("-q", "-t", kind, "-b", bits, "-N", "", "-f", tmp_path / "key")
    public = parse_public_line((tmp_path / "key.pub").read_text())
    options = ("-f", tmp_path / "key", "-n", BUNDLE, "-O", f"hashalg={hash_name}")

    armored = ssh_keygen("-Y", "sign", *options, data=DATA).stdout

    assert valid(public, armored)
    assert not valid(public, armored, data=b"other")


@needs_ssh_keygen
def test_our_ed25519_signatures_are_those_of_openssh_byte_for_byte(keys: Path) -> None:
    generate(keys, "export", "ed25519", passphrase=None)

    theirs = ssh_keygen("-Y", "sign", "-f", keys / "export", "-n", BUNDLE, data=DATA).stdout

    assert load(keys, "export", never).sign(DATA, BUNDLE) == theirs


@pytest.mark.parametrize("key", [ed25519_key(1), ecdsa_key(2, ECDSA_P256)], ids=["ed25519", "p256"])
def test_a_security_keys_signature_verifies_if_it_was_touched(key: FileKey) -> None:
    token = Token(key)

    assert valid(token.public, token.sign(DATA, BUNDLE, flags=1))
    assert valid(token.public, token.sign(DATA, BUNDLE, flags=5, counter=2**32 - 1))
    assert not valid(token.public, token.sign(DATA, BUNDLE, flags=0))
    assert not valid(token.public, token.sign(DATA, BUNDLE, flags=4))


@needs_ssh_keygen
def test_openssh_accepts_the_emulated_security_key(tmp_path: Path) -> None:
    for token in (Token(ed25519_key(1)), Token(ecdsa_key(2, ECDSA_P256))):
        assert openssh_accepts(token.public, token.sign(DATA, BUNDLE), tmp_path)


def test_a_security_key_of_another_application_is_refused() -> None:
    token = Token(ed25519_key(1), application="https://example.com")

    assert not valid(token.public, token.sign(DATA, BUNDLE))


def test_a_changed_flag_or_counter_breaks_a_security_keys_signature() -> None:
    token = Token(ed25519_key(1))
    (block,) = read_signatures(token.sign(DATA, BUNDLE))
    assert isinstance(block, Signature)

    for changed in (replace(block, flags=5), replace(block, counter=8)):
        with pytest.raises(UntrustedError):
            verify_signature(token.public, changed, signed_data(BUNDLE, DATA), namespace=BUNDLE)


@pytest.fixture
def agent(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Run a real ssh-agent for one test."""
    with running_agent() as socket:
        monkeypatch.setenv("SSH_AUTH_SOCK", socket)
        yield


@pytest.fixture
def held(agent: None, keys: Path, tmp_path: Path) -> SigningKey:
    """Give a key of the depot whose private half is only in the agent."""
    ssh_keygen("-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "mine")
    subprocess.run(["ssh-add", "-q", tmp_path / "mine"], check=True, timeout=60)
    (tmp_path / "mine").unlink()
    add_public(keys, "held", (tmp_path / "mine.pub").read_text())
    return load(keys, "held", never)


@needs_ssh_keygen
@needs_ssh_agent
def test_a_key_held_by_the_agent_signs(held: SigningKey, tmp_path: Path) -> None:
    armored = held.sign(DATA, BUNDLE)

    assert isinstance(held, AgentKey)
    assert valid(held.public, armored)
    assert openssh_accepts(held.public, armored, tmp_path)


@needs_ssh_keygen
@needs_ssh_agent
def test_a_key_the_agent_no_longer_has_is_an_error_with_a_hint(held: SigningKey) -> None:
    subprocess.run(["ssh-add", "-q", "-D"], check=True, capture_output=True, timeout=60)

    with pytest.raises(UsageError, match="could not sign") as caught:
        held.sign(DATA, BUNDLE)

    assert "ssh-add" in (caught.value.hint or "")


@needs_ssh_keygen
def test_without_an_agent_the_error_says_so(keys: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    add_public(keys, "held", ed25519_key(1).public.line)

    with pytest.raises(UsageError, match="could not sign"):
        load(keys, "held", never).sign(DATA, BUNDLE)


def test_without_ssh_keygen_the_error_says_so(keys: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    add_public(keys, "held", ed25519_key(1).public.line)
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(UsageError, match="no ssh-keygen") as caught:
        load(keys, "held", never).sign(DATA, BUNDLE)

    assert "OpenSSH" in (caught.value.hint or "")


def test_what_an_impostor_of_ssh_keygen_gives_is_checked(
    keys: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    add_public(keys, "held", ed25519_key(1).public.line)
    impostor = tmp_path / "ssh-keygen"
    impostor.write_text(f"#!/bin/sh\n/bin/cat {tmp_path}/sig\n")
    impostor.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    for answer, error in ((ed25519_key(2).sign(DATA, BUNDLE), UntrustedError), (b"", FormatError)):
        (tmp_path / "sig").write_bytes(answer)
        with pytest.raises(error):
            load(keys, "held", never).sign(DATA, BUNDLE)
