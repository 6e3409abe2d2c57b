"""Trust in upstream: what became of checking its signatures, and what a repository's policy makes of that.

A signature is judged with four values. Only `good` is trust: a key that is pinned for this repository signed these
bytes, all of them. What cannot be judged (a key that is not pinned, an algorithm we do not know) is never good.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Annotated, Literal

import msgspec

from issmedia.base.errors import Problem
from issmedia.base.units import count_text

Verdict = Literal["good", "bad", "unsigned", "cannot judge"]
"""Of a package: `good`, a pinned key signed header and payload; `bad`, bytes were changed, or the key had expired or is
revoked; `unsigned`, no signature covers it whole; `cannot judge`, say a key that is not pinned."""

Policy = Literal["require", "warn", "off"]
"""What a verdict other than good does: `require` refuses, `warn` says so, `off` does not even look."""

Fingerprint = Annotated[str, msgspec.Meta(pattern="^[0-9A-F]{40}$", min_length=40, max_length=40)]
"""The fingerprint of an OpenPGP key of version 4, in capitals."""

Count = Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]

MAX_EXCEPTIONS = 100
"""Exceptions that are named; all are counted."""

MAX_REASON = 300


class Judged(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The verdict on one file; `key` is the primary fingerprint of the key that signed it, if it is good."""

    verdict: Verdict
    key: Fingerprint | None = None
    reason: Annotated[str, msgspec.Meta(max_length=MAX_REASON)] = ""


class Exempt(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file that is not good: `path` within the repository, and why."""

    path: str
    verdict: Literal["bad", "unsigned", "cannot judge"]
    reason: str


class Counts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Packages by verdict."""

    good: Count = 0
    bad: Count = 0
    unsigned: Count = 0
    cannot_judge: Count = 0


class Signer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A pinned key, and how many packages it signed."""

    key: Fingerprint
    packages: Count


class Outcome(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What checking one snapshot gave. `keys` were pinned then, `exceptions` are the first by path.

    `metadata` is the verdict on repomd.xml, None where nobody looked.
    """

    policy: Policy
    metadata_policy: Policy
    keys: tuple[Fingerprint, ...] = ()
    counts: Counts = Counts()
    signers: tuple[Signer, ...] = ()
    exceptions: tuple[Exempt, ...] = ()
    metadata: Judged | None = None

    @property
    def unnamed(self) -> int:
        """Count the exceptions that `exceptions` had no room for."""
        counts = self.counts
        return counts.bad + counts.unsigned + counts.cannot_judge - len(self.exceptions)

    @property
    def is_clean(self) -> bool:
        """Say whether all that was looked at is good."""
        return self.unnamed == 0 and not self.exceptions and (self.metadata is None or self.metadata.verdict == "good")


def policy_in_force(given: Policy | None, *, pinned: bool) -> Policy:
    """Give the policy for packages: what the operator said, else `require` once a key is pinned."""
    return given or ("require" if pinned else "off")


def metadata_policy_in_force(given: Policy | None, *, pinned: bool, signed: bool) -> Policy:
    """Give the policy for repomd.xml. Most vendors sign packages only, so unasked it is required where it is `signed`.

    `signed` says that upstream signs its metadata, now or in an earlier snapshot: to strip a signature helps nobody.
    """
    return given or ("require" if pinned and signed else "off")


def is_refused(judged: Judged, policy: Policy) -> bool:
    """Say whether a policy refuses what got this verdict."""
    return policy == "require" and judged.verdict != "good"


def outcome_of(
    judged: Iterable[tuple[str, Judged]],
    keys: Iterable[str],
    *,
    policy: Policy,
    metadata_policy: Policy,
    metadata: Judged | None = None,
) -> Outcome:
    """Count verdicts on packages, (path, verdict) in any order: the same verdicts give the same outcome."""
    counts: Counter[str] = Counter()
    signers: Counter[str] = Counter()
    exceptions = []
    for path, one in judged:
        counts[one.verdict] += 1
        if one.verdict != "good":
            exceptions.append(Exempt(path, one.verdict, one.reason))
        elif one.key:
            signers[one.key] += 1
    return Outcome(
        policy=policy,
        metadata_policy=metadata_policy,
        keys=tuple(sorted(keys)),
        counts=Counts(counts["good"], counts["bad"], counts["unsigned"], counts["cannot judge"]),
        signers=tuple(Signer(key, count) for key, count in sorted(signers.items())),
        exceptions=tuple(sorted(exceptions, key=lambda one: one.path)[:MAX_EXCEPTIONS]),
        metadata=metadata,
    )


def problems(outcome: Outcome) -> Iterator[Problem]:
    """Describe each exception, for an error or a warning."""
    for one in outcome.exceptions:
        yield Problem(one.path, f"{one.verdict}: {one.reason}")
    if outcome.unnamed:
        yield Problem("…", f"and {count_text(outcome.unnamed, 'more package')}")
