"""Trust in upstream: what became of checking its signatures, and what a repository's policy makes of that.

A signature is judged with four values. Only `good` is trust: a key that is pinned for this repository signed these
bytes, all of them. What cannot be judged (a key that is not pinned, an algorithm we do not know) is never good.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Literal

import msgspec

from issmedia.base.errors import Problem, UntrustedError
from issmedia.base.units import count_text
from issmedia.model.names import MAX_PATH, path_fault

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
_REPOMD = "repodata/repomd.xml"

MAX_OUTCOME_KEYS = 1000
"""Keys that an outcome names; nobody pins as many for one repository."""

DELTA = "is a delta RPM, which is not installed as it is"
"""Why the judge gives no verdict on a file that rpm would refuse to install, whoever signed it."""


class Judged(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The verdict on one file; `key` is the primary fingerprint of the key that signed it, if it is good."""

    verdict: Verdict
    key: Fingerprint | None = None
    reason: Annotated[str, msgspec.Meta(max_length=MAX_REASON)] = ""


class Exempt(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file that is not good: `path` within the repository, and why."""

    path: Annotated[str, msgspec.Meta(max_length=MAX_PATH)]
    verdict: Literal["bad", "unsigned", "cannot judge"]
    reason: Annotated[str, msgspec.Meta(max_length=MAX_REASON)]


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

    `metadata` is the verdict on repomd.xml, None where nobody looked. An import judges those within the tree, too:
    where the first is good and another is not, its `reason` names that one.
    """

    policy: Policy
    metadata_policy: Policy
    keys: Annotated[tuple[Fingerprint, ...], msgspec.Meta(max_length=MAX_OUTCOME_KEYS)] = ()
    counts: Counts = Counts()
    signers: Annotated[tuple[Signer, ...], msgspec.Meta(max_length=MAX_OUTCOME_KEYS)] = ()
    exceptions: Annotated[tuple[Exempt, ...], msgspec.Meta(max_length=MAX_EXCEPTIONS)] = ()
    metadata: Judged | None = None

    @property
    def unnamed(self) -> int:
        """Count the exceptions that `exceptions` had no room for."""
        counts = self.counts
        return counts.bad + counts.unsigned + counts.cannot_judge - len(self.exceptions)

    @property
    def saw_signature(self) -> bool:
        """Say whether repomd.xml had a signature, whatever it was worth."""
        return self.metadata is not None and self.metadata.verdict != "unsigned"

    def doubted(self) -> "Outcome":
        """Give what is left of it once the keys are others: no verdict, but that there was a signature."""
        doubt = Judged("cannot judge", reason="the pinned keys were changed since") if self.saw_signature else None
        return Outcome("off", "off", metadata=doubt)

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


def outcome_fault(outcome: Outcome) -> str | None:
    """Say what in an outcome that somebody else wrote cannot be, or None; the answer is safe to print."""
    counts = outcome.counts
    named: Counter[str] = Counter(one.verdict for one in outcome.exceptions)
    signers, paths = [one.key for one in outcome.signers], [one.path for one in outcome.exceptions]
    if any(len(set(values)) != len(values) for values in (outcome.keys, signers, paths)):
        return "an entry stands twice"
    by_verdict = {"bad": counts.bad, "unsigned": counts.unsigned, "cannot judge": counts.cannot_judge}
    if any(named[verdict] > count for verdict, count in by_verdict.items()):
        return "names more exceptions than it counts"
    if sum(one.packages for one in outcome.signers) != counts.good:
        return "its signers did not sign what it counts as good"
    signing = [*signers, *([outcome.metadata.key] if outcome.metadata and outcome.metadata.key else [])]
    if not set(signing) <= set(outcome.keys):
        return "a key that signed was not pinned"
    return next((f"the path of an exception {fault}" for fault in map(path_fault, paths) if fault), None)


def require_good(trust: Mapping[str, Outcome]) -> None:
    """Raise `UntrustedError` where a repository's policy refuses something, PRODUCT/REPO → outcome: all, or nothing."""
    refused = {path: list(objections(outcome, "require")) for path, outcome in trust.items()}
    if found := [Problem(f"{path}: {one.where}", one.message) for path in refused for one in refused[path]]:
        settings = "; ".join(_setting(path, trust[path]) for path in refused if refused[path])
        raise UntrustedError(
            "upstream's signatures are not good by the keys that are pinned here: nothing was imported",
            hint=f"ask the sender what this is; to import it all the same: {settings}",
            problems=found,
        )


def warnings(trust: Mapping[str, Outcome]) -> Iterator[Problem]:
    """Say what the repositories' policies warn of."""
    for path, outcome in trust.items():
        for one in objections(outcome, "warn"):
            yield Problem(f"{path}: {one.where}", one.message)


def objections(outcome: Outcome, policy: Policy) -> Iterator[Problem]:
    """Describe what is not good where this policy is in force: `require` refuses that, `warn` warns of it."""
    if outcome.metadata is not None and _objects_to_metadata(outcome, policy):
        yield Problem(_REPOMD, f"{outcome.metadata.verdict}: {outcome.metadata.reason}")
    if outcome.policy == policy:
        yield from problems(outcome)


def _setting(path: str, outcome: Outcome) -> str:
    """Write the command that lets pass what was refused."""
    packages = ["--gpgcheck warn"] if outcome.policy == "require" and any(problems(outcome)) else []
    metadata = ["--repo-gpgcheck warn"] if _objects_to_metadata(outcome, "require") else []
    return " ".join(["issmedia repo set", path, *packages, *metadata])


def _objects_to_metadata(outcome: Outcome, policy: Policy) -> bool:
    judged = outcome.metadata
    return judged is not None and judged.verdict != "good" and outcome.metadata_policy == policy


def problems(outcome: Outcome) -> Iterator[Problem]:
    """Describe each exception, for an error or a warning."""
    for one in outcome.exceptions:
        yield Problem(one.path, f"{one.verdict}: {one.reason}")
    if outcome.unnamed:
        yield Problem("…", f"and {count_text(outcome.unnamed, 'more package')}")
