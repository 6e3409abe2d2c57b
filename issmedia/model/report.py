"""The report that an export or an import leaves: what crossed, from where, who signed, what changed, what was checked.

It is signed where a key of the site is at hand, in a namespace of its own, and checked as a bundle is:
`ssh-keygen -Y verify -n issmedia-report … < report.json`.
"""

from typing import Literal

import msgspec

from issmedia.base.digest import Digest
from issmedia.model.diff import Diff, Totals
from issmedia.model.judgement import Outcome
from issmedia.model.manifest import BaseEntry, Count, Manifest, Missing, SiteName

NAMESPACE_REPORT = "issmedia-report"


class Signer(msgspec.Struct, frozen=True):
    """Who signed the bundle: the key's fingerprint, and the name it is trusted under, where it is known."""

    fingerprint: str
    name: str


class Trust(msgspec.Struct, frozen=True):
    """What checking upstream's signatures of a repository gave `here`, by the keys pinned at this site, and what the
    site that made the bundle has `claimed` of it; None where nobody looked.
    """

    repository: str
    here: Outcome | None
    claimed: Outcome | None


class Step(msgspec.Struct, frozen=True):
    """One of the numbered verification steps of `docs/format.md`, and what it found; a bundle that fails one has no
    report."""

    number: int
    name: str
    found: str


class Report(msgspec.Struct, frozen=True):
    """What an export or an import did. `changes` compares what was before with what the bundle brings.

    `time` is when the bundle was made, or imported; `tools` maps a program's or library's name → version.
    """

    format: Literal["issmedia-report"]
    version: Literal[1]
    kind: Literal["export", "import"]
    time: str
    at: SiteName
    bundle: Digest
    chain: str
    bundle_kind: str
    made_by: SiteName
    destination: str | None
    sequence: int
    created: str
    expires: str | None
    bases: tuple[BaseEntry, ...]
    signers: tuple[Signer, ...]
    content: Count
    totals: Totals
    cves: tuple[str, ...]
    changes: Diff
    left_out: tuple[Missing, ...]
    trust: tuple[Trust, ...]
    steps: tuple[Step, ...]
    tools: dict[str, str]


def report_of(
    kind: Literal["export", "import"],
    bundle: Digest,
    manifest: Manifest,
    changes: Diff,
    *,
    at: SiteName,
    time: str,
    signers: tuple[Signer, ...],
    trust: tuple[Trust, ...],
    steps: tuple[Step, ...],
    tools: dict[str, str],
) -> Report:
    """Put a report together."""
    return Report(
        format="issmedia-report",
        version=1,
        kind=kind,
        time=time,
        at=at,
        bundle=bundle,
        chain=manifest.chain,
        bundle_kind=manifest.kind,
        made_by=manifest.site,
        destination=manifest.destination,
        sequence=manifest.sequence,
        created=manifest.created,
        expires=manifest.expires,
        bases=manifest.bases,
        signers=signers,
        content=manifest.content,
        totals=changes.totals,
        cves=changes.cves,
        changes=changes,
        left_out=manifest.incomplete,
        trust=trust,
        steps=steps,
        tools=tools,
    )
