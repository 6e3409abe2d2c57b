"""What changed, on a page: for `diff` and for the reports."""

from collections.abc import Iterator

from issmedia.cli.changes import alarm, headline, sections, side_text, totals, unknown_text
from issmedia.cli.page import Markup, grid, heading, listing, paragraph
from issmedia.model.diff import RepositoryDiff
from issmedia.ops.diff import Compared


def page_parts(found: Compared) -> Iterator[Markup]:
    """Say on a page what changed."""
    yield paragraph(f"old: {side_text(found.old)}", "" if found.old.verified else "alarm")
    yield paragraph(f"new: {side_text(found.new)}", "" if found.new.verified else "alarm")
    if warning := alarm(found):
        yield paragraph(warning, "alarm")
    yield paragraph(totals(found))
    rows = [(one.repository, headline(one, found)) for one in found.diff.repositories]
    yield grid(("repository", "what changed"), rows)
    for one in found.diff.repositories:
        yield from _repository_parts(one, found)


def _repository_parts(one: RepositoryDiff, found: Compared) -> Iterator[Markup]:
    parts = sections(one)
    doubt = unknown_text(one, found)
    if parts or doubt:
        yield heading(one.repository)
        yield paragraph(headline(one, found))
    if doubt:
        yield paragraph(doubt, "note")
    for section in parts:
        yield heading(f"{section.title} ({len(section.rows):,})", 3, loud=section.loud)
        alone = len(section.headers) == 1
        yield listing(cell for (cell,) in section.rows) if alone else grid(section.headers, section.rows)
