"""inspect: quick, so nothing heavy is imported here."""

from pathlib import Path

import click
from msgspec.structs import asdict

from issmedia.base.units import bytes_text, count_text
from issmedia.bundle.reader import read
from issmedia.cli.face import Face, command
from issmedia.cli.render import left_out_lines, table
from issmedia.cli.trusted import outcome_text
from issmedia.model.manifest import Manifest
from issmedia.model.names import shown
from issmedia.ops.inspect import Inspected, inspect


@command(None, "inspect", "issmedia inspect /mnt/issmedia")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...", type=click.Path(path_type=Path))
def inspect_command(face: Face, paths: tuple[Path, ...]) -> None:
    """Say what a volume is, from whom and when, as it says itself: nothing is checked."""
    with read(paths) as bundle:
        found = inspect(bundle)
    document = {"verified": False, **asdict(found)}
    face.answer(document, lambda: _text(found))


def _text(found: Inspected) -> str:
    facts = found.manifest
    head = [
        ("bundle", f"{shown(facts.chain)}, {facts.kind}"),
        ("id", found.id),
        ("from", f"{shown(facts.site.name)} ({facts.site.id})"),
        ("for", shown(facts.destination or "any site")),
        (
            "made",
            f"{facts.created}, expires {facts.expires or 'never'}, by {_tool(facts)}",
        ),
        ("content", f"{count_text(facts.content.blobs, 'blob')}, {bytes_text(facts.content.bytes)}"),
    ]
    head += [("starts at", f"{shown(base.name)} of {base.created[:10]}") for base in facts.bases]
    head += [("volume", _volume(found, where)) for where, _ in found.volumes]
    head += [("signed by", shown(one)) for one in found.signatures] or [("signed by", "nobody")]
    head += [("notes", shown(facts.notes))] if facts.notes else []
    lines = [f"{name + ':':<11}{value}" for name, value in head]
    rows = [
        (one.path, f"{one.packages:,}", bytes_text(one.all.bytes), bytes_text(one.added.bytes), one.tree[:16])
        for one in facts.repositories
    ]
    lines += ["", table(("REPOSITORY", "PACKAGES", "SIZE", "CARRIED", "TREE"), rows)]
    lines += [
        "",
        *left_out_lines(facts.incomplete),
        *(
            f"{one.path}: upstream's signatures, as the sender says: {outcome_text(one.trust)}"
            for one in facts.repositories
            if one.trust
        ),
    ]
    lines.append("NOT VERIFIED: this is what the medium says of itself; issmedia verify checks it")
    return "\n".join(lines)


def _tool(facts: Manifest) -> str:
    return shown(f"{facts.tool.name} {facts.tool.version}")


def _volume(found: Inspected, where: str) -> str:
    entry = dict(found.volumes)[where]
    if isinstance(entry, str):
        return f"{where}: {shown(entry)}"
    of = len(found.manifest.volumes)
    return f"{entry.number} of {of}, {shown(entry.label)}: {count_text(entry.files, 'file')}, {bytes_text(entry.bytes)}"
