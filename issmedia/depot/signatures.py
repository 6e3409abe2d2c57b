"""Who signed these bytes, of those this site trusts."""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from issmedia.base.errors import UntrustedError
from issmedia.depot.keys import verify_signature
from issmedia.model.signers import TrustedKey
from issmedia.model.sshsig import MalformedSignature, Signature, read_signatures, signed_data


class Verdict(msgspec.Struct, frozen=True):
    """What a signature file says to those who trust these keys.

    `signers` maps the fingerprint of each distinct public key with a valid signature to its name; `untrusted` are
    fingerprints that envelopes named and nobody here trusts; `invalid` says what is wrong with each other block.
    """

    signers: Mapping[str, str]
    untrusted: tuple[str, ...]
    invalid: tuple[str, ...]


class _Stranger(msgspec.Struct, frozen=True):
    fingerprint: str


class _Invalid(msgspec.Struct, frozen=True):
    reason: str


def check_signatures(
    data: bytes, armored: bytes, trusted: Sequence[TrustedKey], *, namespace: str, now: str
) -> Verdict:
    """Judge each block of a signature file; how many signers are enough is for `model.trust` to say.

    `now` is an RFC 3339 UTC text. `FormatError` where the file is no signature file at all.
    """
    blocks = read_signatures(armored)
    hash_names = {block.hash_name for block in blocks if isinstance(block, Signature)}
    messages = {name: signed_data(namespace, data, name) for name in hash_names}
    findings = [_judge(block, trusted, messages, namespace=namespace, now=now) for block in blocks]
    return Verdict(
        signers=_distinct(finding for finding in findings if isinstance(finding, TrustedKey)),
        untrusted=tuple({finding.fingerprint: None for finding in findings if isinstance(finding, _Stranger)}),
        invalid=tuple(finding.reason for finding in findings if isinstance(finding, _Invalid)),
    )


def _judge(
    block: Signature | MalformedSignature,
    trusted: Sequence[TrustedKey],
    messages: Mapping[str, bytes],
    *,
    namespace: str,
    now: str,
) -> TrustedKey | _Stranger | _Invalid:
    if isinstance(block, MalformedSignature):
        return _Invalid(block.reason)
    keys = [key for key in trusted if key.public == block.key]
    if not keys:
        return _Stranger(block.fingerprint)
    signer = next((key for key in keys if key.fault(namespace, now=now) is None), None)
    if signer is None:
        return _Invalid(f"{keys[0].name} ({block.fingerprint}) {keys[0].fault(namespace, now=now)}")
    try:
        verify_signature(signer.public, block, messages[block.hash_name], namespace=namespace)
    except UntrustedError as cause:
        return _Invalid(f"{signer.name} ({block.fingerprint}): {cause.message}")
    return signer


def _distinct(keys: Iterable[TrustedKey]) -> dict[str, str]:
    """Count a point once: one private half trusted as two kinds or under two names is still one signer."""
    first = {key.public.point: key for key in reversed(tuple(keys))}
    return {key.public.fingerprint: key.name for key in reversed(first.values())}
