"""diff: what changed between two states, on the terminal, as JSON, as a page."""

import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path

import click
import msgspec

from issmedia.base.digest import Digest
from issmedia.base.errors import UntrustedError, UsageError
from issmedia.base.events import Report, Warned
from issmedia.base.files import system_error, write_atomic
from issmedia.bundle.reader import read
from issmedia.cli.changes import Section, alarm, headline, sections, side_text, totals, unknown_text
from issmedia.cli.changes_page import page_parts
from issmedia.cli.face import Face, command
from issmedia.cli.page import page
from issmedia.depot.depot import Depot, open_depot
from issmedia.depot.keyring import Keyring
from issmedia.model.names import shown
from issmedia.model.tree import Tree
from issmedia.ops.diff import Compared, Side, diff, opened
from issmedia.ops.states import find_state, require_trees
from issmedia.ops.verify import require_signatures

_MOST = 20
"""Rows of each list that a terminal shows unless all are asked for."""

_WIDTH = 80
_WIDEST = 44
"""The widest column that others are aligned to."""


@command(None, "diff", "issmedia diff current /mnt/issmedia --html changes.html")
@click.argument("old", metavar="OLD")
@click.argument("new", metavar="NEW")
@click.option("--html", "file", type=click.Path(path_type=Path), metavar="FILE", help="Write it as a page, too.")
@click.option("--all", "everything", is_flag=True, help="Show long lists whole.")
def diff_command(face: Face, old: str, new: str, file: Path | None, everything: bool) -> None:
    """Show what changed from OLD to NEW: packages, advisories, groups, module streams, and the bytes to carry.

    Each is a bundle (its path or id), a receipt (its file or id), PRODUCT/REPO, PRODUCT/REPO@N or `current`. A bundle
    need not be imported: then its packages are told by their file names, and its advisories are not known.
    """
    depot = open_depot(face.root)
    with face.reporting() as report:
        before = _side(depot, old, {}, face, report)
        after = _side(depot, new, before.listed, face, report)
    found = diff(depot, before, after)
    if file is not None:
        _write(file, _page(found))
    face.answer(_document(found) if face.as_json else None, lambda: "\n".join(_text(found, everything=everything)))


def _side(depot: Depot, text: str, known: Mapping[Digest, Tree], face: Face, report: Report) -> Side:
    """Find the state that a text names; a bundle that this site knows nothing of is opened where it lies."""
    try:
        state = find_state(depot, text)
    except UsageError:
        if not Path(text).is_dir():
            raise
    else:
        require_trees([state])
        return Side(state)
    with read([Path(text)]) as bundle:
        try:
            keyring = Keyring(depot.keyring)
            signers = require_signatures(bundle, keyring, depot.state(), now=face.now, report=report).signers
        except UntrustedError as cause:
            report(Warned(f"not verified: {cause.message}", where=text))
            signers = {}
        return opened(bundle, tuple(signers), depot.store, known)


def _write(path: Path, text: str) -> None:
    try:
        write_atomic(path, text.encode())
    except OSError as cause:
        raise system_error(cause, str(path)) from cause


def _document(found: Compared) -> dict[str, object]:
    repositories = [
        {**msgspec.structs.asdict(one), "unknown": found.unknown.get(one.repository, ())}
        for one in found.diff.repositories
    ]
    return {
        "old": _side_document(found.old),
        "new": _side_document(found.new),
        "totals": found.diff.totals,
        "cves": found.diff.cves,
        "repositories": repositories,
    }


def _side_document(side: Side) -> dict[str, object]:
    facts = side.state.entry
    return {
        "name": facts.name,
        "kind": facts.kind,
        "id": facts.id,
        "created": facts.created,
        "verified": side.verified,
        "signers": side.signers,
    }


def _text(found: Compared, *, everything: bool) -> Iterator[str]:
    yield f"old: {shown(side_text(found.old))}"
    yield f"new: {shown(side_text(found.new))}"
    if warning := alarm(found):
        yield from textwrap.wrap(warning, _WIDTH)
    yield from textwrap.wrap(totals(found), _WIDTH)
    for one in found.diff.repositories:
        yield ""
        yield from textwrap.wrap(f"{shown(one.repository)}: {headline(one, found)}", _WIDTH, subsequent_indent="  ")
        if doubt := unknown_text(one, found):
            yield from textwrap.wrap(doubt, _WIDTH, initial_indent="  ", subsequent_indent="  ")
        for section in sections(one):
            yield from _section_lines(section, len(section.rows) if everything else _MOST)


def _section_lines(section: Section, most: int) -> Iterator[str]:
    yield f"  {section.title}"
    rows = [[shown(cell) for cell in row] for row in section.rows[:most]]
    widths = [min(_WIDEST, max(map(len, column))) for column in zip(*rows, strict=True)]
    for row in rows:
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        yield from _wrapped(line)
    if more := len(section.rows) - len(rows):
        yield f"    … and {more:,} more (--all shows them)"


def _wrapped(line: str) -> list[str]:
    """Keep a line within the terminal, as far as blanks allow."""
    if len(line) <= _WIDTH - 4:
        return [f"    {line}"]
    return textwrap.wrap(
        line,
        _WIDTH,
        initial_indent=" " * 4,
        subsequent_indent=" " * 8,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _page(found: Compared) -> str:
    return page(f"What changed: {found.diff.old} → {found.diff.new}", page_parts(found))
