"""copy: one volume of a bundle → a mounted medium, read back from it; the ledger keeps what came of it.

No trust is needed to copy: what is whole is copied as it is, and who signed it is said. Whoever imports it decides.
"""

import os
from dataclasses import asdict
from pathlib import Path

import msgspec

from issmedia.base.digest import Digest
from issmedia.base.errors import FormatError, NotIntactError, UsageError
from issmedia.base.events import Report, Warned
from issmedia.base.mounts import Device, device_of, kind_at, mount_point
from issmedia.base.readback import Means
from issmedia.bundle import layout
from issmedia.bundle.copying import Original, copy_to, original, read_back
from issmedia.bundle.placing import finish_volume
from issmedia.depot.depot import OwnedDepot
from issmedia.depot.keyring import Keyring
from issmedia.depot.keys import stored_keys
from issmedia.depot.signatures import check_signatures
from issmedia.model.manifest import Manifest, UnverifiedBundle, VolumeEntry
from issmedia.model.names import shown
from issmedia.model.signers import TrustedKey
from issmedia.model.trust import NAMESPACE_BUNDLE

_NAMED = 100
"""Bad files that the ledger names."""


class Medium(msgspec.Struct, frozen=True):
    """Where a copy lies: `mounted` is None where that is no medium, but the system's own file system."""

    directory: str
    file_system: str
    mounted: str | None
    device: Device


class Copy(msgspec.Struct, frozen=True):
    """A copy that its medium gave back as it was written; `kept` files were there already.

    `signers` maps the fingerprint of each key that signed and is known here to its name; empty: nobody known did.
    """

    bundle: Digest
    manifest: Manifest
    volume: VolumeEntry
    medium: Medium
    kept: int
    means: Means
    signers: dict[str, str]


def copy_volume(
    bundle: UnverifiedBundle,
    depot: OwnedDepot,
    directory: Path,
    *,
    origin: Path,
    now: str,
    workers: int,
    report: Report,
) -> Copy:
    """Copy the volume that lies at `origin`, read it back, record that, then finish it. Killed, the same call goes on.

    What was read back otherwise than written is recorded too, and raised: a `NotIntactError` that names every file.
    """
    _require_apart(directory, depot.root, origin)
    one = original(bundle)
    kept = copy_to(one, directory, workers=workers, report=report)
    medium = _medium(directory)
    try:
        means = read_back(one, directory, workers=workers, report=report)
    except NotIntactError as bad:
        named = [problem.where for problem in bad.problems[:_NAMED]]
        _record(one, depot, medium, {"outcome": "bad", "bad": len(bad.problems), "named": named}, now=now)
        raise
    signers = _signers(bundle, depot, now=now, report=report)
    facts = {"outcome": "whole", "means": means.text, "kept": kept, "signers": list(signers)}
    _record(one, depot, medium, facts, now=now)
    finish_volume(directory)
    return Copy(bundle.id, one.manifest, one.entry, medium, kept, means, signers)


def _require_apart(directory: Path, *others: Path) -> None:
    """Refuse a target in the depot or in what is copied, or one that they lie in: bad files are removed from it."""
    target = directory.resolve()
    for other in others:
        found = other.resolve()
        same = target.exists() and found.exists() and os.path.samefile(target, found)  # noqa: PTH121
        if same or target.is_relative_to(found) or found.is_relative_to(target):
            raise UsageError(
                f"and {shown(str(other))} lie one in the other",
                where=str(directory),
                hint="name the mount point of another medium",
            )


def _medium(directory: Path) -> Medium:
    at = mount_point(directory)
    mounted = None if at == Path("/") else str(at)
    return Medium(str(directory), kind_at(directory), mounted, device_of(directory))


def _signers(bundle: UnverifiedBundle, depot: OwnedDepot, *, now: str, report: Report) -> dict[str, str]:
    """Say which keys that this site trusts, or has itself, signed the bundle."""
    own = [TrustedKey(key.name, key.public) for key in stored_keys(depot.keys)]
    trusted = [*Keyring(depot.keyring).trusted(), *own]
    try:
        verdict = check_signatures(bundle.manifest, bundle.signatures, trusted, namespace=NAMESPACE_BUNDLE, now=now)
    except FormatError as bad:
        report(Warned(bad.message, where=layout.SIGNATURES))
        return {}
    return dict(verdict.signers)


def _record(one: Original, depot: OwnedDepot, medium: Medium, came: dict[str, object], *, now: str) -> None:
    facts = {
        "bundle": one.bundle.id,
        "volume": one.entry.number,
        "label": shown(one.entry.label),
        "target": medium.directory,
        "file_system": medium.file_system,
        "device": asdict(medium.device),
        "files": one.entry.files,
        "bytes": one.entry.bytes,
        **came,
    }
    with depot.catalog.changing() as db:
        db.ledger.append("copy", facts, now=now)
