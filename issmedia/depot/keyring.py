"""The keyring of a site: whose signatures count, and how many of them.

    keyring/
    ├── allowed_signers     names, keys, namespaces and times, in OpenSSH's format; may be written by hand
    ├── revoked             public key lines; a key that stands here never counts, whatever the other file says
    ├── revoked_prints      fingerprints of keys that never count: for a warning that does not give the key itself
    └── policy.json         {"threshold": N}: how many distinct public keys must have signed; without it, 1

Stock OpenSSH reads the same files: `ssh-keygen -Y verify -f allowed_signers -r revoked …`. Nothing on a medium leads
here: a key is trusted when a person of this site says so. Changes are made under the depot's lock.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

import msgspec

from issmedia.base.errors import FormatError, UntrustedError, UsageError
from issmedia.base.files import make_directory
from issmedia.depot.keys import require_sound
from issmedia.depot.smallfile import read_small, write_small
from issmedia.model import signers, strictjson
from issmedia.model.names import checked_label, shown
from issmedia.model.signers import TrustedKey
from issmedia.model.sshsig import MAX_SIGNATURES, PublicKey, parse_public_line

DEFAULT_NAMESPACES = ("issmedia-bundle", "issmedia-receipt")
"""What a key is trusted for unless something else is asked."""

_FINGERPRINT = re.compile(r"SHA256:[A-Za-z0-9+/]{43}")


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The content of `policy.json`; more signatures than are looked at can never be met."""

    threshold: Annotated[int, msgspec.Meta(ge=1, le=MAX_SIGNATURES)] = 1


class Revoked(msgspec.Struct, frozen=True):
    """A key that never counts; `public` is None where only its fingerprint is known, `name` as it was trusted."""

    fingerprint: str
    public: PublicKey | None
    name: str = ""

    def means(self, key: PublicKey) -> bool:
        """Say whether this is that key: of one fingerprint, or of one private half, whatever the kinds."""
        return key.fingerprint == self.fingerprint or (self.public is not None and key.point == self.public.point)


class Keyring:
    """A site's keyring in `directory`, which need not be there yet. Each call reads the files anew."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._signers = directory / "allowed_signers"
        self._revoked = directory / "revoked"
        self._prints = directory / "revoked_prints"
        self._policy = directory / "policy.json"

    def trusted(self) -> tuple[TrustedKey, ...]:
        """List the keys that are trusted and not revoked.

        `FormatError` names a line that is not understood, `UntrustedError` a key that no one should trust.
        """
        revoked = self.revoked()
        return tuple(key for key in self._listed() if not any(one.means(key.public) for one in revoked))

    def revoked(self) -> tuple[Revoked, ...]:
        """List the keys that never count."""
        found = [(path, line) for path in (self._revoked, self._prints) for line in _lines(_text(path))]
        return tuple(_revoked_key(line, path) for path, line in found)

    def threshold(self) -> int:
        """Give how many distinct public keys must have signed."""
        data = read_small(self._policy, forbidden=0o022)
        policy = Policy() if data is None else strictjson.parse(data, Policy, where=str(self._policy))
        return policy.threshold

    def threshold_at(self, namespace: str, *, now: str) -> int:
        """Give the threshold for checking signatures now; `UntrustedError` where too few keys are usable to meet it.

        With no usable key at all it stands as it is: no signature can count then, and the caller's refusal
        (`model.trust.require_threshold`) shows the fingerprints that were found.
        """
        threshold = self.threshold()
        usable = {key.public.point for key in self.trusted() if key.fault(namespace, now=now) is None}
        if 0 < len(usable) < threshold:
            raise UntrustedError(
                f"the threshold is {threshold} keys, usable for {namespace} at {now} are {len(usable)}",
                where=str(self._policy),
                hint="issmedia keys trust NAME FILE, or issmedia keys threshold N",
            )
        return threshold

    def trust(
        self,
        name: str,
        public: PublicKey,
        *,
        valid_after: str | None = None,
        valid_before: str | None = None,
        namespaces: tuple[str, ...] = DEFAULT_NAMESPACES,
    ) -> TrustedKey:
        """Trust a key from now on; moments are RFC 3339 UTC texts. `UsageError` if it is trusted or revoked already."""
        key = TrustedKey(name, public, namespaces, valid_after, valid_before)
        self.require_trustable(key)
        self._append(self._signers, [signers.render_signer(key)])
        return key

    def require_trustable(self, key: TrustedKey) -> None:
        """Raise `UsageError` for a key that is trusted or revoked already, `UntrustedError` for an unsound one."""
        checked_label(key.name)
        _require_sensible(key)
        _require_sound(key.public, None)
        self._require_new(key.public)

    def revocable(self, text: str) -> tuple[Revoked, ...]:
        """Give what to revoke: all keys of a name in `allowed_signers`, or the key of a fingerprint or public key line.

        That one need not be trusted. `UsageError` for any other text, and for what is revoked already.
        """
        listed = [Revoked(key.public.fingerprint, key.public, key.name) for key in self._listed()]
        if named := [one for one in listed if one.name == text]:
            return tuple(named)
        given = _given(text)
        if known := [one for one in listed if one.public and given.means(one.public)]:
            return tuple(known)
        if given.fingerprint in (one.fingerprint for one in self.revoked()):
            raise UsageError(
                f"the key {given.fingerprint} is revoked already",
                where=str(self._revoked),
                hint="nothing is left to do; issmedia keys list",
            )
        return (given,)

    def revoke(self, text: str) -> tuple[Revoked, ...]:
        """Revoke what `revocable` gives, for good; give what was revoked.

        What is revoked is written first, `allowed_signers` after it: the key counts at no moment between, and the same
        call again finishes what was interrupted there.
        """
        keys, before = self.revocable(text), {one.fingerprint for one in self.revoked()}
        new = [key for key in keys if key.fingerprint not in before]
        self._append(self._revoked, [f"{key.public.line} {key.name}".rstrip() for key in new if key.public])
        self._append(self._prints, [key.fingerprint for key in new if key.public is None])
        self._remove({key.public for key in keys if key.public})
        return keys

    def set_threshold(self, threshold: int) -> None:
        """Set how many distinct public keys must sign; `UsageError` unless from 1 to the number of trusted keys."""
        self.require_possible(threshold)
        self._write(self._policy, strictjson.render(Policy(threshold)).decode())

    def require_possible(self, threshold: int) -> None:
        """Raise `UsageError` for a threshold that is not from 1 to the number of trusted keys."""
        keys = len(self.trusted())
        if threshold < 1 or threshold > min(keys, MAX_SIGNATURES):
            raise UsageError(
                f"expected a threshold from 1 to {min(keys, MAX_SIGNATURES)}, found {threshold}",
                hint=f"trusted keys: {keys}; trust more first: issmedia keys trust NAME FILE",
            )

    def _listed(self) -> tuple[TrustedKey, ...]:
        keys = signers.parse_signers(_text(self._signers), where=str(self._signers))
        for key in keys:
            _require_sound(key.public, self._signers)
        _require_once(keys, self._signers)
        return keys

    def _require_new(self, public: PublicKey) -> None:
        if any(one.means(public) for one in self.revoked()):
            raise UsageError(
                f"the key {public.fingerprint} is revoked",
                where=str(self._revoked),
                hint="a revoked key is never trusted again: ask its owner for a new one",
            )
        known = next((key for key in self.trusted() if key.public.point == public.point), None)
        if known is not None:
            raise UsageError(
                f"the key {public.fingerprint} is trusted already, as {known.name}", hint="issmedia keys list"
            )

    def _remove(self, gone: set[PublicKey]) -> None:
        lines = signers.signer_lines(_text(self._signers), where=str(self._signers))
        kept = [line for line, key in lines if key is None or key.public not in gone]
        self._write(self._signers, "\n".join(kept))

    def _append(self, path: Path, lines: Sequence[str]) -> None:
        if lines:
            self._write(path, _whole_lines(_text(path)) + "".join(f"{line}\n" for line in lines))

    def _write(self, path: Path, text: str) -> None:
        make_directory(self.directory)
        write_small(path, text.encode(), 0o644)


def _text(path: Path) -> str:
    try:
        return (read_small(path, forbidden=0o022) or b"").decode("utf-8")
    except UnicodeDecodeError as cause:
        raise FormatError("expected UTF-8 text", where=str(path)) from cause


def _whole_lines(text: str) -> str:
    return text if text == "" or text.endswith("\n") else text + "\n"


def _lines(text: str) -> Iterator[str]:
    """Yield what is neither blank nor a comment."""
    lines = (line.strip() for line in text.split("\n"))
    return (line for line in lines if line and not line.startswith("#"))


def _given(text: str) -> Revoked:
    try:
        return _key_or_print(text)
    except FormatError as cause:
        raise UsageError(f"no trusted key {shown(text)!r}", hint="issmedia keys list") from cause


def _revoked_key(line: str, path: Path) -> Revoked:
    try:
        return _key_or_print(line)
    except FormatError as cause:
        hint = "one public key line or fingerprint for each revoked key"
        raise FormatError(cause.message, where=str(path), hint=hint) from cause


def _key_or_print(line: str) -> Revoked:
    """Read what stands for a key: its fingerprint, or its public key line."""
    if _FINGERPRINT.fullmatch(line):
        return Revoked(line, None)
    public = parse_public_line(line)
    return Revoked(public.fingerprint, public)


def _require_sound(public: PublicKey, path: Path | None) -> None:
    try:
        require_sound(public)
    except UntrustedError as cause:
        where = None if path is None else str(path)
        raise UntrustedError(
            cause.message, where=where, hint="no honest tool makes such a key: ask where it is from"
        ) from cause


def _require_once(keys: tuple[TrustedKey, ...], path: Path) -> None:
    points: set[bytes] = set()
    for key in keys:
        if key.public.point in points:
            raise FormatError(f"the key {key.public.fingerprint} ({key.name}) stands twice", where=str(path))
        points.add(key.public.point)


def _require_sensible(key: TrustedKey) -> None:
    for moment in (key.valid_after, key.valid_before):
        if moment is not None and not signers.is_moment(moment):
            raise UsageError(f"expected a time like 2030-12-31T00:00:00Z, found {shown(moment)!r}")
    if key.valid_after and key.valid_before and key.valid_after >= key.valid_before:
        raise UsageError(f"valid from {key.valid_after} to {key.valid_before} is never")
    if fault := signers.namespace_fault(key.namespaces):
        raise UsageError(f"the key {fault}")
