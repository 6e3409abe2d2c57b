"""keys: make, name and trust keys; gather the ones that sign an export."""

from collections.abc import Callable, Sequence

import msgspec

from issmedia.base.errors import UsageError
from issmedia.depot import keys
from issmedia.depot.depot import Depot, OwnedDepot
from issmedia.depot.keyring import DEFAULT_NAMESPACES, Keyring
from issmedia.model.signers import TrustedKey
from issmedia.model.sshsig import PublicKey, parse_public_line
from issmedia.model.trust import NAMESPACE_BUNDLE

KeyKind = keys.KeyKind


class OwnKey(msgspec.Struct, frozen=True):
    """A signing key: `held` says where its private half is."""

    name: str
    fingerprint: str
    public: str
    held: str


class Trusted(msgspec.Struct, frozen=True):
    """A key of the keyring: trusted (and for how long) or revoked."""

    name: str
    fingerprint: str
    state: str


class Keys(msgspec.Struct, frozen=True):
    """This site's signing keys, whom it trusts, and how many must sign."""

    own: tuple[OwnKey, ...]
    trusted: tuple[Trusted, ...]
    threshold: int


class Signers(msgspec.Struct, frozen=True):
    """The keys that sign one export or one receipt, distinct."""

    keys: tuple[keys.SigningKey, ...]

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """Name the keys."""
        return tuple(key.public.fingerprint for key in self.keys)

    def sign(self, data: bytes, namespace: str = NAMESPACE_BUNDLE) -> bytes:
        """Give one armored signature a key, one after another."""
        return b"".join(key.sign(data, namespace) for key in self.keys)


Ask = Callable[[str], Sequence[bytes]]
"""Gives the passphrases to try for the key of this name, in order; none where nobody can be asked."""


def load_signers(depot: OwnedDepot, names: Sequence[str], *, ask: Ask) -> Signers:
    """Load the keys named, or the only one there is; `ask` is called where a key needs a passphrase."""
    chosen = tuple(dict.fromkeys(names)) or _only_key(depot)
    loaded = tuple(_load(depot, name, ask) for name in chosen)
    if len({key.public.fingerprint for key in loaded}) != len(loaded):
        raise UsageError("one key is named twice", hint="each signature must be of another key")
    return Signers(loaded)


def generate_key(depot: OwnedDepot, name: str, kind: KeyKind, *, passphrase: bytes | None, now: str) -> PublicKey:
    """Make a signing key. The ledger knows first."""

    def record(public: PublicKey) -> None:
        _record(depot, "key generated", name, public.fingerprint, now=now)

    return keys.generate(depot.keys, name, kind, passphrase=passphrase, before=record)


def register_agent_key(depot: OwnedDepot, name: str, line: str, *, now: str) -> PublicKey:
    """Name a key that ssh-agent holds. The ledger knows first."""

    def record(public: PublicKey) -> None:
        _record(depot, "key registered", name, public.fingerprint, now=now)

    return keys.add_public(depot.keys, name, line, before=record)


def list_keys(depot: Depot) -> Keys:
    """List signing keys, trusted and revoked keys."""
    keyring = Keyring(depot.keyring)
    trusted = [
        Trusted(key.name, key.public.fingerprint, _span(key.valid_after, key.valid_before)) for key in keyring.trusted()
    ]
    revoked = [Trusted("", key.fingerprint, "revoked") for key in keyring.revoked()]
    return Keys(tuple(map(_own, keys.stored_keys(depot.keys))), (*trusted, *revoked), keyring.threshold())


def own_key(depot: Depot, name: str) -> OwnKey:
    """Show one signing key."""
    for key in keys.stored_keys(depot.keys):
        if key.name == name:
            return _own(key)
    raise UsageError(f"no signing key {name!r}", hint="issmedia keys list")


def trust_key(
    depot: OwnedDepot, name: str, line: str, *, valid_after: str | None, valid_before: str | None, now: str
) -> PublicKey:
    """Trust a public key given as an OpenSSH line. The ledger knows first: no key counts that it does not name."""
    public, keyring = parse_public_line(line), Keyring(depot.keyring)
    keyring.require_trustable(TrustedKey(name, public, DEFAULT_NAMESPACES, valid_after, valid_before))
    _record(depot, "key trusted", name, public.fingerprint, now=now)
    keyring.trust(name, public, valid_after=valid_after, valid_before=valid_before)
    return public


def revoke_key(depot: OwnedDepot, name: str, *, now: str) -> None:
    """Revoke all keys of a name, or the key of a fingerprint or public key line. The ledger knows first."""
    keyring = Keyring(depot.keyring)
    for key in keyring.revocable(name):
        _record(depot, "key revoked", key.name, key.fingerprint, now=now)
    keyring.revoke(name)


def set_threshold(depot: OwnedDepot, number: int, *, now: str) -> None:
    """Set how many distinct keys must sign. The ledger knows first."""
    keyring = Keyring(depot.keyring)
    keyring.require_possible(number)
    with depot.catalog.changing() as db:
        db.ledger.append("threshold", {"threshold": number}, now=now)
    keyring.set_threshold(number)


def _load(depot: OwnedDepot, name: str, ask: Ask) -> keys.SigningKey:
    """Load a key, trying each passphrase that is offered."""
    offered: list[bytes] | None = None

    def next_one() -> bytes | None:
        nonlocal offered
        offered = list(ask(name)) if offered is None else offered
        return offered.pop(0) if offered else None

    while True:
        try:
            return keys.load(depot.keys, name, next_one)
        except UsageError:
            if not offered:
                raise


def _only_key(depot: OwnedDepot) -> tuple[str, ...]:
    stored = keys.stored_keys(depot.keys)
    if not stored:
        raise UsageError("no key to sign with", hint="issmedia keys generate NAME")
    if len(stored) > 1:
        names = ", ".join(key.name for key in stored)
        raise UsageError(f"several keys could sign: {names}", hint="name one or more: --key NAME")
    return (stored[0].name,)


def _own(key: keys.StoredKey) -> OwnKey:
    held = "by ssh-agent" if not key.private else "here, with a passphrase" if key.encrypted else "here"
    return OwnKey(key.name, key.public.fingerprint, key.public.line, held)


def _span(after: str | None, before: str | None) -> str:
    """Say from when to when a key is trusted; of a midnight only the day."""
    moments = (("from", after), ("until", before))
    return " ".join(f"{word} {text.removesuffix('T00:00:00Z')}" for word, text in moments if text) or "trusted"


def _record(depot: OwnedDepot, event: str, name: str, fingerprint: str, *, now: str) -> None:
    with depot.catalog.changing() as db:
        db.ledger.append(event, {"name": name, "fingerprint": fingerprint}, now=now)
