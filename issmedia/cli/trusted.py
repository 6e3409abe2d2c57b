"""What checking upstream's signatures gave, in words: for the terminal and for the reports' pages."""

from collections.abc import Iterator, Sequence

from issmedia.base.units import count_text
from issmedia.cli.page import Markup, grid, heading, listing, paragraph
from issmedia.model.judgement import Counts, Judged, Outcome, problems
from issmedia.model.openpgp import grouped
from issmedia.model.report import Trust


def outcome_text(outcome: Outcome) -> str:
    """Say it in a line: `1,999 packages good by FINGERPRINT, 1 unsigned; repomd.xml good by FINGERPRINT`."""
    signers = [f"{count_text(one.packages, 'package')} good by {one.key}" for one in outcome.signers]
    others = [f"{count:,} {verdict}" for verdict, count in _not_good(outcome.counts)]
    packages = ", ".join([*signers, *others]) or ("packages not checked" if outcome.policy == "off" else "no packages")
    return packages if outcome.metadata is None else f"{packages}; repomd.xml {_verdict(outcome.metadata)}"


def trust_lines(trust: Sequence[Trust]) -> Iterator[str]:
    """Say for each repository what was found here, else what the sender claims."""
    for one in trust:
        if one.here is not None:
            yield f"{one.repository}: upstream's signatures: {outcome_text(one.here)}"
        elif one.claimed is not None:
            yield f"{one.repository}: upstream's signatures, as the sender says: {outcome_text(one.claimed)}"


def trust_parts(trust: Sequence[Trust]) -> Iterator[Markup]:
    """Say it on a page."""
    yield heading("Upstream's signatures")
    if not trust:
        yield paragraph("nobody checked them: no key is pinned")
    for one in trust:
        if one.here is not None:
            yield from _outcome_parts(one.repository, one.here)
        if one.claimed is not None:
            yield from _outcome_parts(f"{one.repository}, as the sender says", one.claimed)


def _outcome_parts(title: str, outcome: Outcome) -> Iterator[Markup]:
    counts = outcome.counts
    yield heading(title, 3, loud=not outcome.is_clean)
    rows = [
        ("policy", f"packages: {outcome.policy}, metadata: {outcome.metadata_policy}"),
        ("keys pinned", ", ".join(map(grouped, outcome.keys)) or "none"),
        ("good", f"{counts.good:,}"),
        *((verdict, f"{count:,}") for verdict, count in _not_good(counts, zeros=True)),
        *((f"signed by {grouped(one.key)}", count_text(one.packages, "package")) for one in outcome.signers),
        ("repomd.xml", "not checked" if outcome.metadata is None else _verdict(outcome.metadata)),
    ]
    yield grid((), rows)
    if outcome.exceptions:
        yield listing(f"{one.where}: {one.message}" for one in problems(outcome))


def _not_good(counts: Counts, *, zeros: bool = False) -> list[tuple[str, int]]:
    found = [("bad", counts.bad), ("unsigned", counts.unsigned), ("cannot judge", counts.cannot_judge)]
    return [(verdict, count) for verdict, count in found if count or zeros]


def _verdict(judged: Judged) -> str:
    return f"good by {judged.key}" if judged.verdict == "good" else f"{judged.verdict}: {judged.reason}"
