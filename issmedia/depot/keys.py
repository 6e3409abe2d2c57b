"""Keys that sign, and the checking of one signature: the only user of `cryptography`.

    keys/                   0700
    ├── NAME                0600  the private half, in OpenSSH's format; absent where ssh-agent or a token holds it
    ├── NAME.pub            0644  the public half; it vouches for NAME, which is refused if it does not belong to it
    └── NAME~1              0600  a private half that lay here without its NAME.pub when NAME was made anew

Rules of checking. The algorithm is that of the trusted key; what the envelope names must be equal to it. A key whose
point is off its curve, of small order or not in canonical form is refused before it is used, since any such key
verifies what its owner never signed. How many signers there are is counted in `depot.signatures`.
"""

import hashlib
import itertools
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Literal, Protocol

import msgspec
from cryptography.exceptions import InvalidSignature, InvalidTag, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from issmedia.base.errors import DepotError, FormatError, UntrustedError, UsageError
from issmedia.base.files import make_directory, rename
from issmedia.depot.smallfile import read_small, write_small
from issmedia.model import ed25519, sshsig
from issmedia.model.names import checked_label, is_label, shown
from issmedia.model.sshsig import PublicKey, Signature, WireReader

KeyKind = Literal["ed25519", "ecdsa-p256", "ecdsa-p384"]

_Private = Ed25519PrivateKey | ec.EllipticCurvePrivateKey

_CURVES: dict[str, tuple[ec.EllipticCurve, hashes.HashAlgorithm]] = {
    sshsig.ECDSA_P256: (ec.SECP256R1(), hashes.SHA256()),
    sshsig.ECDSA_P384: (ec.SECP384R1(), hashes.SHA384()),
    sshsig.SK_ECDSA_P256: (ec.SECP256R1(), hashes.SHA256()),
}
"""Curve and hash of each kind of ECDSA key (RFC 5656 §6.2.1; PROTOCOL.u2f)."""

_BEGIN = b"-----BEGIN OPENSSH PRIVATE KEY-----\n"
_END = b"-----END OPENSSH PRIVATE KEY-----\n"
_MAGIC = b"openssh-key-v1\0"
_USER_PRESENT = 0x01


class SigningKey(Protocol):
    """A key that can sign, wherever its private half is."""

    @property
    def name(self) -> str:
        """Give the name it has in the depot."""

    @property
    def public(self) -> PublicKey:
        """Give its public half."""

    def sign(self, data: bytes, namespace: str) -> bytes:
        """Give the armored SSH signature (SHA-512) of `data` under `namespace`."""


@dataclass(frozen=True, slots=True)
class FileKey:
    """A key whose private half is a file of the depot, now in memory."""

    name: str
    public: PublicKey
    private: _Private = field(repr=False)

    def sign(self, data: bytes, namespace: str) -> bytes:
        """Sign; with Ed25519 the same bytes give the same signature."""
        message = sshsig.signed_data(namespace, data)
        signature = Signature(self.public, namespace, "sha512", self.public.kind, self._value(message))
        return sshsig.armored(signature.blob)

    def _value(self, message: bytes) -> bytes | tuple[int, int]:
        if isinstance(self.private, Ed25519PrivateKey):
            return self.private.sign(message)
        return decode_dss_signature(self.private.sign(message, ec.ECDSA(_CURVES[self.public.kind][1])))


class AgentKey(msgspec.Struct, frozen=True):
    """A key whose private half is with ssh-agent or in a token; `file` is its public half on disk."""

    name: str
    public: PublicKey
    file: Path

    def sign(self, data: bytes, namespace: str) -> bytes:
        """Have it signed by `ssh-keygen`, and check what came back: another program made it."""
        from issmedia.depot.agent import sign_with_agent

        made = sign_with_agent(self.file, data, namespace)
        block = next(iter(sshsig.read_signatures(made)), None)
        if not isinstance(block, Signature):
            raise FormatError("expected a signature from ssh-keygen, found something else", where=self.name)
        message = sshsig.signed_data(namespace, data, block.hash_name)
        verify_signature(self.public, block, message, namespace=namespace)
        return made


class StoredKey(msgspec.Struct, frozen=True):
    """A key of the depot: whether its private half is here, and whether a passphrase guards that."""

    name: str
    public: PublicKey
    private: bool
    encrypted: bool


def generate(
    directory: Path,
    name: str,
    kind: KeyKind,
    *,
    passphrase: bytes | None,
    before: Callable[[PublicKey], None] | None = None,
) -> PublicKey:
    """Make a key and write both halves, the public one last; `before` is called when nothing is written yet.

    `UsageError` where NAME.pub is there; `passphrase` None leaves it bare. Killed half-way, the same call makes another
    key: the private half that it finds without a public one, which nobody was shown, is set aside and not removed.
    """
    _require_free(directory, name)
    private = _new_private(kind)
    public = _public_of(private)
    private_half = _private_file(private, passphrase)
    _make_private_directory(directory)
    if before:
        before(public)
    _set_orphan_aside(directory, name)
    write_small(directory / name, private_half, 0o600)
    write_small(directory / f"{name}.pub", f"{public.line} {name}\n".encode(), 0o644)
    return public


def add_public(
    directory: Path, name: str, line: str, *, before: Callable[[PublicKey], None] | None = None
) -> PublicKey:
    """Register a key that ssh-agent or a token holds, by its public key line; otherwise as `generate`."""
    _require_free(directory, name)
    public = sshsig.parse_public_line(line)
    require_sound(public)
    _make_private_directory(directory)
    if before:
        before(public)
    _set_orphan_aside(directory, name)
    write_small(directory / f"{name}.pub", f"{public.line} {name}\n".encode(), 0o644)
    return public


def load(directory: Path, name: str, ask: Callable[[], bytes | None]) -> SigningKey:
    """Load a key for signing; `ask` is called for the passphrase, only if there is one to ask for.

    `UsageError` for a name or passphrase that is wrong, `DepotError` for a key file that is not to be used: open to
    others, a link, damaged, or not the private half of `NAME.pub`.
    """
    public = _read_public(directory, name)
    data = read_small(directory / name, forbidden=0o077)
    if data is None or public.kind in sshsig.SECURITY_KEYS:
        return AgentKey(name, public, directory / f"{name}.pub")
    private = _parse_private(data, ask, where=str(directory / name))
    if isinstance(private, Ed25519PrivateKey) and not any(private.private_bytes_raw()):
        raise DepotError("the private key is all zeros: everybody has it", where=str(directory / name))
    if _public_of(private) != public:
        raise DepotError(
            f"expected the private half of {public.fingerprint}, found another key",
            where=str(directory / name),
            hint=f"the file is damaged or was exchanged: restore it, or remove {name} and {name}.pub",
        )
    return FileKey(name, public, private)


def stored_keys(directory: Path) -> tuple[StoredKey, ...]:
    """List the keys of a depot, by name."""
    if not directory.is_dir():
        return ()
    names = sorted(path.name.removesuffix(".pub") for path in directory.iterdir() if path.name.endswith(".pub"))
    return tuple(_stored(directory, name) for name in names if is_label(name))


def require_sound(key: PublicKey) -> None:
    """Refuse a key that anyone could sign for, or that no honest key generator made; see the module's rules."""
    if key.kind in _CURVES:
        _require_on_curve(key)
    elif fault := ed25519.point_fault(key.point):
        raise UntrustedError(f"the public key {key.fingerprint} {fault}")
    if key.application is not None and not key.application.startswith("ssh:"):
        raise UntrustedError(f"expected a security key made for ssh:, found {shown(key.application)!r}")


def verify_signature(key: PublicKey, signature: Signature, message: bytes, *, namespace: str) -> None:
    """Raise `UntrustedError` unless `key` made `signature` of `message`, which `sshsig.signed_data` gave."""
    if signature.key != key or signature.algorithm != key.kind:
        raise UntrustedError(f"expected a {key.kind} signature, found {signature.algorithm} or another key's")
    if signature.namespace != namespace:
        raise UntrustedError(f"signed as {shown(signature.namespace)!r}, expected {namespace!r}")
    require_sound(key)
    if key.application is not None:
        message = _token_message(key.application, signature, message)
    try:
        _verify_value(key, signature.value, message)
    except (InvalidSignature, ValueError) as cause:
        raise UntrustedError("the signature is not one of these bytes") from cause


def _verify_value(key: PublicKey, value: bytes | tuple[int, int], message: bytes) -> None:
    """Verify by the key's kind; OpenSSL itself requires 0 < r, s < n."""
    if isinstance(value, bytes):
        if int.from_bytes(value[32:], "little") >= ed25519.ORDER:
            raise UntrustedError("the signature was altered: its S is not below the group's order")
        Ed25519PublicKey.from_public_bytes(key.point).verify(value, message)
    else:
        curve, hash_algorithm = _CURVES[key.kind]
        public = ec.EllipticCurvePublicKey.from_encoded_point(curve, key.point)
        public.verify(encode_dss_signature(*value), message, ec.ECDSA(hash_algorithm))


def _token_message(application: str, signature: Signature, message: bytes) -> bytes:
    """Give what a security key signs (PROTOCOL.u2f), if a person was there when it did."""
    if not signature.flags & _USER_PRESENT:
        raise UntrustedError("the security key signed without a touch")
    said = signature.flags.to_bytes(1, "big") + signature.counter.to_bytes(4, "big")
    return hashlib.sha256(application.encode()).digest() + said + hashlib.sha256(message).digest()


def _require_on_curve(key: PublicKey) -> None:
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(_CURVES[key.kind][0], key.point)
    except ValueError as cause:
        raise UntrustedError(f"the public key {key.fingerprint} is not on its curve") from cause


def _require_free(directory: Path, name: str) -> None:
    if checked_label(name).endswith(".pub"):
        raise UsageError(f"the name {name} ends in .pub, which the file of a public half does")
    taken = directory / f"{name}.pub"
    if os.path.lexists(taken):
        raise UsageError(f"there is a key {name} already", where=str(taken), hint="take another name")


def _set_orphan_aside(directory: Path, name: str) -> None:
    if os.path.lexists(directory / name):
        aside = (directory / f"{name}~{number}" for number in itertools.count(1))
        rename(directory / name, next(path for path in aside if not os.path.lexists(path)))


def _make_private_directory(directory: Path) -> None:
    make_directory(directory, 0o700)
    mode = stat.S_IMODE(directory.stat().st_mode)
    if mode & 0o077:
        raise DepotError(f"mode {mode:04o} lets others in", where=str(directory), hint=f"chmod 0700 {directory}")


def _forms() -> ModuleType:
    """Load what reads and writes private keys: half of cryptography's load time, which checking can do without."""
    from cryptography.hazmat.primitives import serialization

    return serialization


def _new_private(kind: KeyKind) -> _Private:
    if kind == "ed25519":
        return Ed25519PrivateKey.generate()
    return ec.generate_private_key(ec.SECP256R1() if kind == "ecdsa-p256" else ec.SECP384R1())


def _public_of(private: _Private) -> PublicKey:
    public = private.public_key()
    forms = _forms()
    line = public.public_bytes(forms.Encoding.OpenSSH, forms.PublicFormat.OpenSSH)
    return sshsig.parse_public_line(line.decode())


def _private_file(private: _Private, passphrase: bytes | None) -> bytes:
    if passphrase == b"":
        raise UsageError("the passphrase is empty", hint="to have none on purpose, leave it out")
    forms = _forms()
    guard = forms.NoEncryption() if passphrase is None else forms.BestAvailableEncryption(passphrase)
    try:
        return private.private_bytes(forms.Encoding.PEM, forms.PrivateFormat.OpenSSH, guard)
    except UnsupportedAlgorithm as cause:
        raise _no_cipher(cause) from cause


def _no_cipher(cause: UnsupportedAlgorithm) -> DepotError:
    return DepotError(f"cannot use a key with a passphrase: {cause}", hint="pip install 'cryptography[ssh]'")


def _read_public(directory: Path, name: str) -> PublicKey:
    path = directory / f"{checked_label(name)}.pub"
    data = read_small(path, forbidden=0o022)
    if data is None:
        raise UsageError(
            f"there is no key {name}", where=str(path), hint="issmedia keys list, or issmedia keys generate NAME"
        )
    try:
        public = sshsig.parse_public_line(data.decode("utf-8", "replace"))
    except FormatError as cause:
        raise FormatError(cause.message, where=str(path)) from cause
    require_sound(public)
    return public


def _stored(directory: Path, name: str) -> StoredKey:
    public = _read_public(directory, name)
    data = read_small(directory / name, forbidden=0o077)
    encrypted = data is not None and _is_encrypted(data, str(directory / name))
    return StoredKey(name, public, private=data is not None, encrypted=encrypted)


def _is_encrypted(data: bytes, where: str) -> bool:
    """Look at the cipher that the file's plain head names (OpenSSH's PROTOCOL.key)."""
    try:
        if not data.startswith(_BEGIN) or not data.endswith(_END):
            raise FormatError("no armor")
        body = data[len(_BEGIN) : -len(_END)].replace(b"\n", b"")
        reader = WireReader(sshsig.decode_base64(body))
        if reader.take(len(_MAGIC)) != _MAGIC:
            raise FormatError("another format")
        return reader.text() != "none"
    except FormatError as cause:
        raise DepotError(f"expected an OpenSSH private key, found {cause.message}", where=where) from cause


def _parse_private(data: bytes, ask: Callable[[], bytes | None], *, where: str) -> _Private:
    encrypted = _is_encrypted(data, where)
    passphrase = ask() if encrypted else None
    if encrypted and not passphrase:
        raise _no_passphrase("is needed", where)
    try:
        private = _forms().load_ssh_private_key(data, passphrase)
    except UnsupportedAlgorithm as cause:
        raise _no_cipher(cause) from cause
    except (ValueError, InvalidTag) as cause:
        if encrypted:
            raise _no_passphrase("does not open this key", where) from cause
        raise DepotError("the private key is damaged", where=where) from cause
    if not isinstance(private, _Private):
        raise DepotError("the private key is of a kind that is not used here", where=where)
    return private


def _no_passphrase(fault: str, where: str) -> UsageError:
    return UsageError(
        f"the passphrase {fault}",
        where=where,
        hint="put it in a file of mode 0600 and name that in ISSMEDIA_KEY_PASSPHRASE_FILE",
    )
