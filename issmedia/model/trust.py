"""Pure rules: how many must sign, no rollback, no equivocation, not expired, meant for this site.

`now` and all times are RFC 3339 UTC texts of one form, so they compare as text. Each rule raises; none returns False.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from issmedia.base.digest import Digest
from issmedia.base.errors import (
    DestinationError,
    EquivocationError,
    ExpiredError,
    FutureError,
    RollbackError,
    UntrustedError,
)
from issmedia.model.manifest import Manifest

NAMESPACE_BUNDLE = "issmedia-bundle"

_FORM = "%Y-%m-%dT%H:%M:%SZ"
_PLAUSIBLE = timedelta(days=400)
_PROGRAM_MADE = "2026-11-01T00:00:00Z"
_GO_BACK = "to go back on purpose: issmedia import --allow-rollback {}"


@dataclass(frozen=True, slots=True)
class ChainMark:
    """The newest bundle imported of one chain."""

    sequence: int
    id: Digest
    created: str


@dataclass(frozen=True, slots=True)
class SiteState:
    """What the rules need to know of this site.

    `imported` maps (site id, destination or "", sequence) → bundle id, `marks` a chain → its newest bundle, `held`
    PRODUCT/REPO → (id of the site it came from, when that site took it). `floor` is the newest verified `created`.
    """

    name: str
    imported: Mapping[tuple[str, str, int], Digest]
    marks: Mapping[tuple[str, str], ChainMark]
    floor: str
    held: Mapping[str, tuple[str, str]] = field(default_factory=dict)

    def mark(self, manifest: Manifest) -> ChainMark | None:
        """Give the newest imported bundle of this manifest's chain, or None."""
        return self.marks.get(chain_of(manifest))


def chain_of(manifest: Manifest) -> tuple[str, str]:
    """Name the chain a bundle belongs to: site id, and destination without regard to case ("" for any site)."""
    return manifest.site.id, (manifest.destination or "").casefold()


def require_threshold(signers: Mapping[str, str], threshold: int, *, untrusted: tuple[str, ...]) -> None:
    """Refuse fewer than `threshold` distinct public keys; `signers` maps fingerprint → name."""
    if threshold < 1:
        raise UntrustedError(f"the keyring's threshold is {threshold}, it must be at least 1")
    if len(signers) >= threshold:
        return
    seen = f"; found {', '.join(untrusted)}, not trusted here" if untrusted else "; found none"
    raise UntrustedError(
        f"expected {threshold} valid signature(s) by trusted keys, found {len(signers)}{seen}",
        where="manifest.json.sig",
        hint="compare the fingerprint with the sender by another way, then: issmedia keys trust NAME FILE",
    )


def effective_now(now: str, state: SiteState) -> str:
    """Give the clock, or the newest verified `created` where the clock is behind it."""
    return max(now, state.floor)


def require_fresh(manifest: Manifest, now: str) -> None:
    """Refuse an expired bundle."""
    if manifest.expires is not None and now >= manifest.expires:
        raise ExpiredError(
            f"expired at {manifest.expires}, it is {now}",
            where=manifest.chain,
            hint="ask for a new bundle, or name this one: issmedia import --allow-rollback ID",
        )


def require_plausible(manifest: Manifest, now: str) -> None:
    """Refuse a bundle made more than 400 days after `now`: believed, its moment would be the clock's floor for ever.

    A clock that is behind this program's own making is wrong itself, and judges nothing.
    """
    if now < _PROGRAM_MADE:
        return
    latest = datetime.strptime(now, _FORM) + _PLAUSIBLE
    if manifest.created > latest.strftime(_FORM):
        raise FutureError(
            f"made at {manifest.created}, it is {now}: one of two clocks is wrong",
            where=manifest.chain,
            hint="set this site's clock; where the sender's was wrong, name the bundle: --allow-rollback ID",
        )


def require_progress(bundle: Digest, manifest: Manifest, state: SiteState) -> None:
    """Refuse a bundle older than the newest imported of its chain, and alarm at a sequence with two contents.

    So is one of another chain of the same site (to any site, to this site) whose repositories are older than ours.
    The newest again is fine; an older one is refused though it was imported once: who replays it hopes that it counts.
    """
    known = state.imported.get((*chain_of(manifest), manifest.sequence))
    if known is not None and known != bundle:
        raise EquivocationError(
            f"ALARM: two bundles with sequence {manifest.sequence}: imported {known}, this one is {bundle}",
            where=manifest.chain,
            hint="one key signed two different bundles: do not import; call the sender by another way",
        )
    mark = state.mark(manifest)
    if mark is not None and manifest.sequence < mark.sequence:
        raise RollbackError(
            f"this bundle has sequence {manifest.sequence}, already imported is {mark.sequence}",
            where=manifest.chain,
            hint=_GO_BACK.format(bundle[:16]),
        )
    for entry in manifest.repositories:
        site, taken = state.held.get(entry.path, ("", ""))
        if site == manifest.site.id and entry.taken < taken:
            raise RollbackError(
                f"this bundle has {entry.path} as of {entry.taken}, already imported is {taken}",
                where=manifest.chain,
                hint=_GO_BACK.format(bundle[:16]),
            )


def require_destination(manifest: Manifest, state: SiteState) -> None:
    """Refuse a bundle meant for another site."""
    if manifest.destination is not None and manifest.destination.casefold() != state.name.casefold():
        raise DestinationError(f"meant for site {manifest.destination!r}, this is {state.name!r}", where=manifest.chain)
