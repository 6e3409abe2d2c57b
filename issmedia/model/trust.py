"""Pure rules: how many must sign, no rollback, no equivocation, not expired, meant for this site.

`now` and all times are RFC 3339 UTC texts of one form, so they compare as text. Each rule raises; none returns False.
"""

from collections.abc import Iterable, Mapping, Sequence, Set
from datetime import datetime, timedelta

import msgspec

from issmedia.base.digest import Digest
from issmedia.base.errors import (
    BaseMissingError,
    DestinationError,
    EquivocationError,
    ExpiredError,
    FutureError,
    Problem,
    RollbackError,
    UntrustedError,
)
from issmedia.base.units import count_text
from issmedia.model.manifest import BaseEntry, Manifest

NAMESPACE_BUNDLE = "issmedia-bundle"

_FORM = "%Y-%m-%dT%H:%M:%SZ"
_PLAUSIBLE = timedelta(days=400)
_PROGRAM_MADE = "2026-11-01T00:00:00Z"
_LISTED = 12
_ALLOW = "issmedia import --allow-rollback {} PATH"
_GO_BACK = f"to go back on purpose: {_ALLOW}"


class ChainMark(msgspec.Struct, frozen=True):
    """The newest bundle imported of one chain."""

    sequence: int
    id: Digest
    created: str


class SiteState(msgspec.Struct, frozen=True):
    """What the rules need to know of this site.

    `imported` maps (site id, destination or "", sequence) → bundle id, `marks` a chain → its newest bundle, `held`
    PRODUCT/REPO → (id of the site it came from, when that site took it). `floor` is the newest verified `created`.
    `trees` are held here whole, `ledger` maps an entry's number → its hash, `id` is the site's.
    """

    name: str
    imported: Mapping[tuple[str, str, int], Digest]
    marks: Mapping[tuple[str, str], ChainMark]
    floor: str
    held: Mapping[str, tuple[str, str]] = msgspec.field(default_factory=dict)
    trees: Set[Digest] = frozenset()
    ledger: Mapping[int, Digest] = msgspec.field(default_factory=dict)
    id: str = ""

    def mark(self, manifest: Manifest) -> ChainMark | None:
        """Give the newest imported bundle of this manifest's chain, or None."""
        return self.marks.get(chain_of(manifest))


def chain_of(manifest: Manifest) -> tuple[str, str]:
    """Name the chain a bundle belongs to: site id, and destination without regard to case ("" for any site)."""
    return chain_key(manifest.site.id, manifest.destination)


def chain_key(site: str, destination: str | None) -> tuple[str, str]:
    """Name a chain: site id, and destination without regard to case ("" for any site)."""
    return site, (destination or "").casefold()


def require_threshold(signers: Mapping[str, str], threshold: int, *, untrusted: Sequence[str]) -> None:
    """Refuse fewer than `threshold` distinct public keys; `signers` maps fingerprint → name."""
    if threshold < 1:
        raise UntrustedError(f"the keyring's threshold is {threshold}, it must be at least 1")
    if len(signers) >= threshold:
        return
    raise UntrustedError(
        f"expected {count_text(threshold, 'valid signature')} by trusted keys, found {_found(signers, untrusted)}",
        where="manifest.json.sig",
        hint="compare the fingerprint with the sender by another way, then: issmedia keys trust NAME FILE",
    )


def _found(signers: Mapping[str, str], untrusted: Sequence[str]) -> str:
    """Say how many signatures count and whose they are, and which keys are not trusted here."""
    counted = f"{len(signers)}: {', '.join(f'{name} ({key})' for key, name in signers.items())}" if signers else "none"
    return f"{counted}; not trusted here: {', '.join(untrusted)}" if untrusted else counted


def effective_now(now: str, state: SiteState) -> str:
    """Give the clock, or the newest verified `created` where the clock is behind it."""
    return max(now, state.floor)


def require_fresh(bundle: Digest, manifest: Manifest, now: str) -> None:
    """Refuse an expired bundle."""
    if manifest.expires is not None and now >= manifest.expires:
        raise ExpiredError(
            f"expired at {manifest.expires}, it is {now}",
            where=manifest.chain,
            hint=f"ask for a new bundle, or import this one on purpose: {_ALLOW.format(bundle[:16])}",
        )


def require_plausible(bundle: Digest, manifest: Manifest, now: str) -> None:
    """Refuse a bundle made more than 400 days after `now`: believed, its moment would be the clock's floor for ever."""
    if not is_plausible(manifest.created, now):
        raise FutureError(
            f"made at {manifest.created}, it is {now}: one of two clocks is wrong",
            where=manifest.chain,
            hint=f"set this site's clock; where the sender's was wrong: {_ALLOW.format(bundle[:16])}",
        )


def is_plausible(created: str, now: str) -> bool:
    """Say whether something was made at most 400 days after `now`.

    A clock that is behind this program's own making is wrong itself, and judges nothing.
    """
    if now < _PROGRAM_MADE:
        return True
    latest = datetime.strptime(now, _FORM) + _PLAUSIBLE
    return created <= latest.strftime(_FORM)


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
        raise DestinationError(
            f"meant for site {manifest.destination!r}, this is {state.name!r}",
            where=manifest.chain,
            hint=f"carry it there; the sender makes one for this site: issmedia export --to-site {state.name} --to DIR",
        )


def require_base(manifest: Manifest, state: SiteState) -> None:
    """Refuse a delta unless, of each repository that starts from a base, one of its base trees is held here."""
    lacking = [repo for repo in manifest.repositories if repo.base_trees and state.trees.isdisjoint(repo.base_trees)]
    if not lacking:
        return
    problems = [Problem(repo.path, f"starts from tree {_or(repo.base_trees)}") for repo in lacking]
    raise BaseMissingError(
        f"this delta starts at {_or(_base_text(base) for base in manifest.bases)}; {_place(manifest, state)}",
        where=manifest.chain,
        hint=_way_there(manifest, state),
        problems=problems,
    )


def restored(manifest: Manifest, state: SiteState) -> str | None:
    """Say how a base shows that this site was put back to an older state, or None.

    A receipt of ours told the sender how far our ledger had come; a ledger that lacks that entry was restored.
    """
    for base in manifest.bases:
        head = base.ledger
        if base.site == state.id and head and head.number and state.ledger.get(head.number) != head.hash:
            return f"{_base_text(base)} knew entry {head.number} of this site's ledger, which is not here"
    return None


def _base_text(base: BaseEntry) -> str:
    return f"{base.name} ({base.created[:10]})"


def _or(texts: Iterable[str]) -> str:
    return " or ".join(texts)


def _place(manifest: Manifest, state: SiteState) -> str:
    mark = state.mark(manifest)
    return f"this site is at #{mark.sequence}" if mark else "this site has imported nothing of its chain"


def _way_there(manifest: Manifest, state: SiteState) -> str:
    """Say which bundles to import first, oldest first, or what else to ask for."""
    ask = "issmedia receipt tells the sender what this site holds; ask for a bundle from that, or for a full one"
    mark = state.mark(manifest)
    first = _first(manifest, mark.sequence if mark else 0)
    return f"import {first} first; or: {ask}" if first else ask


def _first(manifest: Manifest, at: int) -> str:
    """Name what comes before a delta at a site that is `at` a place of its chain: of that chain, else of another."""
    chain = manifest.chain.rpartition("#")[0]
    bundles = {base.name: base.sequence for base in manifest.bases if base.sequence is not None}
    own = [number for name, number in bundles.items() if name == f"{chain}#{number}"]
    if any(number > at for number in own):
        return _listed(range(at + 1, min(n for n in own if n > at) + 1))
    return "" if own else _or(bundles)


def _listed(numbers: range) -> str:
    """Name bundles by their numbers, the last and the first few; whoever signed the manifest chose how many."""
    whole = len(numbers) <= _LISTED
    first = [f"#{number}" for number in (numbers if whole else numbers[: _LISTED - 1])]
    shown = first if whole else [*first, "…", f"#{numbers[-1]}"]
    return " and ".join((", ".join(shown[:-1]), shown[-1])) if len(shown) > 1 else shown[0]
