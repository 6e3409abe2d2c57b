"""verify: `UnverifiedBundle` → `VerifiedBundle`; and the check of a whole bundle, which writes nothing.

The steps carry the numbers of `docs/format.md`, clause "Verification". 1 and 2 are the reader's. Here:
3 signatures · 4 strict parsing · 5 not expired, not older, not another content · 6 destination · 7 each volume's
`SHA256SUMS` · 8 base trees. Steps 10 to 12 are the payload's, in `check`.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence, Set

import msgspec
from msgspec.structs import replace

from issmedia.base.digest import Digest
from issmedia.base.errors import (
    ExpiredError,
    FormatError,
    FutureError,
    NotIntactError,
    Problem,
    RollbackError,
    UntrustedError,
)
from issmedia.base.events import Note, Report, Warned
from issmedia.bundle import layout, payload
from issmedia.bundle.declared import declared
from issmedia.bundle.duplicates import blobs_on_copies
from issmedia.bundle.reader import Leave, bears, refuse
from issmedia.bundle.strays import strays
from issmedia.bundle.taking import hash_only, take_bytes
from issmedia.depot.keyring import Keyring
from issmedia.depot.signatures import Verdict, check_signatures
from issmedia.depot.store import Store
from issmedia.model import trust
from issmedia.model.manifest import (
    DamagedVolume,
    Manifest,
    UnverifiedBundle,
    UnverifiedVolume,
    VerifiedBundle,
    VerifiedVolume,
    parse_manifest,
)
from issmedia.model.names import shown
from issmedia.model.tree import Tree
from issmedia.model.trust import SiteState


class Checked(msgspec.Struct, frozen=True):
    """A bundle that is genuine and whole: `files` and `size` (bytes) that were read."""

    bundle: VerifiedBundle
    files: int
    size: int


def verify(
    bundle: UnverifiedBundle,
    keyring: Keyring,
    state: SiteState,
    *,
    now: str,
    report: Report,
    allow: str | None = None,
    leave: Leave = refuse,
) -> VerifiedBundle:
    """Do steps 3 to 8. `allow` is (the beginning of) the id of a bundle that may be older or expired.

    A volume of another bundle, or of none, is refused, or given to `leave` and not part of what is verified.
    """
    bundle, verdict = _signed(bundle, keyring, state, now=now, report=report)
    manifest = parse_manifest(bundle.manifest)
    allowed = _allowed(bundle.id, allow)
    _require_current(bundle.id, manifest, state, now=now, allowed=allowed)
    trust.require_destination(manifest, state)
    found = list(_volumes(bundle, manifest, leave))
    volumes, copies = _distinct([one for one in found if isinstance(one, VerifiedVolume)], report)
    _require_base(manifest, state, report)
    return VerifiedBundle(
        id=bundle.id,
        manifest=manifest,
        manifest_bytes=bundle.manifest,
        signatures=bundle.signatures,
        signers=tuple(verdict.signers),
        volumes=volumes,
        allowed=allowed,
        damaged=tuple(one for one in found if isinstance(one, DamagedVolume)),
        faults=tuple(_manifest_faults(bundle, {one.where for one in found})),
        copies=copies,
    )


def _signed(
    bundle: UnverifiedBundle, keyring: Keyring, state: SiteState, *, now: str, report: Report
) -> tuple[UnverifiedBundle, Verdict]:
    """Step 3, of whichever manifest on these volumes is signed well: the others are damaged, or of other bundles."""
    try:
        return bundle, require_signatures(bundle, keyring, state, now=now, report=report)
    except UntrustedError:
        for manifest, signatures in bundle.others:
            other = replace(bundle, manifest=manifest, signatures=signatures)
            with contextlib.suppress(UntrustedError):
                return other, require_signatures(other, keyring, state, now=now, report=report)
        raise


def _manifest_faults(bundle: UnverifiedBundle, kept: Set[str]) -> Iterator[Problem]:
    """Name copies of the manifest that are damaged; of the volumes that were left alone nobody asks."""
    for one in bundle.volumes:
        if one.where in kept and one.manifest != bundle.manifest:
            message = "is not the bundle's manifest, though the volume is of the bundle"
            yield Problem(f"{one.where}: {layout.MANIFEST}", message)


def check(bundle: VerifiedBundle, store: Store, *, strict: bool, workers: int, report: Report) -> Checked:
    """Do steps 10 to 12, the bytes going nowhere; raise once, naming every bad file, and when `strict` every stray.

    Of the volumes that are at hand, that is; whether the bundle is complete can be said only of all of them.

    `store` holds what a delta starts from.

    The kind of error is that of the step which failed first: a listing that was signed malformed is a `FormatError`.
    """
    found = payload.try_trees(bundle, store)
    blobs = payload.blobs_on(bundle, found)
    problems = payload.pass_payload(blobs, hash_only, workers=workers, report=report, phase="verifying")
    copies = blobs_on_copies(bundle, found) if bundle.copies else []
    problems += payload.pass_payload(copies, hash_only, workers=workers, report=report, phase="verifying copies")
    problems += [*found.spoiled, *bundle.faults, *(one.problem for one in bundle.damaged)]
    problems += _absent(bundle, found.trees, {blob.sha256 for blob in blobs}, store)
    problems += strays(bundle, strict=strict, report=report)
    if len(found.faults) == 1 and not problems:
        raise found.faults[0]
    problems = [Problem(fault.where or "", fault.message) for fault in found.faults] + problems
    kind = type(found.faults[0]) if found.faults else NotIntactError
    payload.require_none(problems, hint="copy the bundle again, or ask for another copy", kind=kind)
    entries = [volume.entry for volume in bundle.volumes]
    return Checked(bundle, sum(one.files for one in entries), sum(one.bytes for one in entries))


def _absent(bundle: VerifiedBundle, trees: Mapping[Digest, Tree], here: Set[Digest], store: Store) -> list[Problem]:
    """Name what is on no volume; while data volumes are not at hand, nobody can tell."""
    parity = bundle.manifest.recovery.volumes if bundle.manifest.recovery else ()
    if any(entry.number not in parity for entry in bundle.missing):
        return []
    held = store.has if bundle.manifest.kind == "delta" else _nowhere
    return payload.absent(bundle.manifest, trees, here, held)


def _nowhere(_digest: Digest, _size: int) -> bool:
    """Hold nothing: a full bundle is whole by itself."""
    return False


def report_strays(bundle: VerifiedBundle, *, strict: bool, report: Report) -> None:
    """Warn of files that no sums declare; they were not opened. `strict` refuses them, with all their names."""
    problems = strays(bundle, strict=strict, report=report)
    payload.require_none(problems, hint="remove what is not declared, or leave out --strict")


def require_signatures(
    bundle: UnverifiedBundle, keyring: Keyring, state: SiteState, *, now: str, report: Report
) -> Verdict:
    """Step 3: enough distinct trusted keys signed exactly these bytes."""
    at = trust.effective_now(now, state)
    if at != now:
        report(Warned(f"the clock says {now}, but a bundle verified earlier was made at {at}: the clock is behind"))
    try:
        verdict = check_signatures(
            bundle.manifest, bundle.signatures, keyring.trusted(), namespace=trust.NAMESPACE_BUNDLE, now=at
        )
    except FormatError as cause:
        raise UntrustedError(
            cause.message, where=layout.SIGNATURES, hint="ask the sender for the medium again"
        ) from cause
    for reason in verdict.invalid:
        report(Warned(f"a signature does not count: {reason}", where=layout.SIGNATURES))
    threshold = keyring.threshold_at(trust.NAMESPACE_BUNDLE, now=at)
    trust.require_threshold(verdict.signers, threshold, untrusted=verdict.untrusted)
    return verdict


def _allowed(bundle: Digest, allow: str | None) -> bool:
    if allow is None:
        return False
    if len(allow) < 12 or not bundle.startswith(allow.lower()):
        raise RollbackError(
            f"--allow-rollback names {allow[:64]}, this bundle is {bundle}",
            hint="give at least 12 digits of this bundle's id",
        )
    return True


def _require_current(bundle: Digest, manifest: Manifest, state: SiteState, *, now: str, allowed: bool) -> None:
    """Step 5. What the operator allowed by name may be old or expired; equivocation is never allowed."""
    at = trust.effective_now(now, state)
    try:
        trust.require_plausible(bundle, manifest, at)
        trust.require_fresh(bundle, manifest, at)
        trust.require_progress(bundle, manifest, state)
    except (ExpiredError, FutureError, RollbackError):
        if not allowed:
            raise


def _volumes(bundle: UnverifiedBundle, manifest: Manifest, leave: Leave) -> Iterator[VerifiedVolume | DamagedVolume]:
    """Step 7: each volume's sums are those of one that the manifest lists; with parity it may be damaged."""
    for volume in bundle.volumes:
        try:
            found = declared(volume, manifest)
        except NotIntactError as bad:
            if (stranger := _stranger(volume, bundle, manifest)) is not None:
                leave(stranger)
            elif manifest.recovery is None:
                raise
            else:
                problem = Problem(f"{volume.where}: {layout.SUMS}", bad.message)
                yield DamagedVolume(volume.where, volume.source, problem)
        else:
            yield VerifiedVolume(found.entry, volume.where, found.index, found.sums, volume.source)


def _stranger(
    volume: UnverifiedVolume, bundle: UnverifiedBundle, manifest: Manifest
) -> FormatError | NotIntactError | None:
    """Say what is wrong with a volume that is not even a damaged one of the bundle: nothing of it is here."""
    if volume.manifest == bundle.manifest:
        return None
    if volume.manifest is not None:
        return _of_another_bundle(volume, bundle)
    if bears(volume.source, manifest):
        return None
    return FormatError(
        f"not a volume of a bundle: neither {layout.MANIFEST} nor anything of {shown(manifest.chain)} can be read here",
        where=volume.where,
        hint=f"name the directory, image or drive where {layout.README} and {layout.MANIFEST} lie",
    )


def _of_another_bundle(volume: UnverifiedVolume, bundle: UnverifiedBundle) -> NotIntactError:
    others = [one.where for one in bundle.volumes if one.manifest == bundle.manifest]
    return NotIntactError(
        f"is a volume of another bundle than {others[0] if others else 'the others'}",
        where=volume.where,
        hint="name only the volumes of one bundle; issmedia inspect tells which is which",
    )


def _distinct(
    volumes: Sequence[VerifiedVolume], report: Report
) -> tuple[tuple[VerifiedVolume, ...], tuple[VerifiedVolume, ...]]:
    """Take each volume once; the second ones are kept apart, unless they are the same directory, image or drive."""
    first: dict[int, VerifiedVolume] = {}
    copies: dict[str, VerifiedVolume] = {}
    for volume in volumes:
        known = first.setdefault(volume.entry.number, volume)
        if known is volume:
            continue
        if known.where != volume.where:
            _require_copy(volume, known)
            copies[volume.where] = replace(volume, index=known.index, sums=known.sums)
        where = " and ".join(dict.fromkeys((known.where, volume.where)))
        report(Note(f"volume {known.entry.number} is given twice, and counts once: {where}"))
    return tuple(first.values()), tuple(copies.values())


def _require_copy(volume: VerifiedVolume, known: VerifiedVolume) -> None:
    """Refuse what has the sums of a volume and not its README, which tells volumes apart: it is another one."""
    try:
        take_bytes(volume.source, layout.README, known.index[layout.README], size=None, most=layout.SMALL)
    except (NotIntactError, KeyError) as cause:
        raise NotIntactError(
            f"claims to be volume {known.entry.number}, as {known.where} does, and has another {layout.README}",
            where=volume.where,
            hint=f"leave this one out: {known.where} is checked file by file",
        ) from cause


def _require_base(manifest: Manifest, state: SiteState, report: Report) -> None:
    """Step 8: of each repository of a delta a base tree is here."""
    if (sign := trust.restored(manifest, state)) is not None:
        report(Warned(f"{sign}: this site was restored from an older backup", where=manifest.chain))
    trust.require_base(manifest, state)
