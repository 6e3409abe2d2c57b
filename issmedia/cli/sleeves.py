"""Labels to print for the sleeves of discs and sticks: a page with one for each volume of a bundle.

A label says which bundle this is, which volume of how many, and what to type. It is for people who look for a disc:
what it says of keys is to be compared with what they know already, and is no reason to trust them.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from issmedia.base import files
from issmedia.base.errors import DepotError
from issmedia.base.units import bytes_text, count_text
from issmedia.bundle import layout
from issmedia.bundle.volume import Plan, PlannedVolume
from issmedia.cli.page import Markup, box, drawing, grid, heading, page, paragraph
from issmedia.cli.qr import inline_svg
from issmedia.model.manifest import Manifest, chain_name

_STYLE = """
:root { color-scheme: light; --line: #999; --soft: #fff; --alarm: #000; }
body { color: #000; background: #fff; max-width: none; }
.sleeve { width: 120mm; height: 120mm; box-sizing: border-box; padding: 5mm; margin: 0 0 6mm; overflow: hidden;
  border: .3mm solid #000; font-size: 8.5pt; line-height: 1.3; display: flex; flex-direction: column;
  break-inside: avoid; page-break-inside: avoid; }
.sleeve > * { flex: none; } .sleeve > .facts { flex: 0 1 auto; min-height: 0; overflow: hidden; }
.sleeve h2 { font-size: 13pt; line-height: 1.15; margin: 0; }
.sleeve p { margin: 0; overflow-wrap: anywhere; }
.sleeve .name, .sleeve .code { font-family: ui-monospace, monospace; }
.sleeve .name { font-size: 22pt; font-weight: 700; white-space: nowrap; letter-spacing: -.02em; }
.sleeve .count { font-size: 13pt; font-weight: 700; }
.sleeve .alarm { margin: 1mm 0; padding: 1mm 2mm; border: .6mm solid #000; font-size: 10pt; }
.sleeve table { margin: 1mm 0; line-height: 1.2; } .sleeve td { padding: .3mm 2mm .3mm 0; }
.sleeve td:first-child { min-width: 0; width: 18mm; font-weight: 600; }
.keys td:last-child { font: 8pt ui-monospace, monospace; }
.foot { display: flex; gap: 4mm; align-items: end; margin-top: auto; }
.foot svg { flex: none; width: 38mm; height: 38mm; margin: 0 0 -2.5mm -2.5mm; }
.foot .code { font-size: 9pt; white-space: pre; } .foot .id { font-size: 12pt; line-height: 1.25; }
.foot .part { font-weight: 600; }
@page { margin: 12mm; }
@media print { h1, body > p { display: none; } }
"""

_REPOSITORIES, _BASES, _FINGERPRINTS = 5, 2, 3
"""How many of them a label names."""

_LONGEST = 28
"""Letters of a name on a label; what is longer is cut."""


def leave_sleeves(plan: Plan, directory: Path, fingerprints: Sequence[str]) -> Path:
    """Write the labels into the directory where the volumes were written; `fingerprints` are those of the signers.

    The same plan gives the same bytes. `DepotError` where they cannot be written: the bundle is whole without them.
    """
    path = directory / layout.SLEEVES
    try:
        files.write_atomic(path, _page(plan, fingerprints).encode())
    except OSError as cause:
        raise _not_there(files.system_error(cause, str(path))) from cause
    return path


def _not_there(error: DepotError) -> DepotError:
    error.message = f"the bundle is whole, but its labels are not there: {error.message}"
    error.hint = "carry it without the labels, or export again into an empty directory with more room"
    return error


def _page(plan: Plan, fingerprints: Sequence[str]) -> str:
    return page(f"Labels: {_chain(plan.manifest)}", _parts(plan, fingerprints), style=_STYLE)


def _parts(plan: Plan, fingerprints: Sequence[str]) -> Iterator[Markup]:
    yield paragraph("Print this at 100 %: each label is 120 mm wide and high, as the sleeve of a disc is.")
    for volume in plan.volumes:
        yield box("sleeve", _label(plan, volume, fingerprints))


def _label(plan: Plan, volume: PlannedVolume, fingerprints: Sequence[str]) -> Iterator[Markup]:
    manifest, entry = plan.manifest, volume.entry
    yield heading(_chain(manifest))
    yield paragraph(entry.label, "name")
    yield paragraph(f"volume {entry.number} of {len(manifest.volumes)} · {_short(entry.medium)}", "count")
    if manifest.recovery is not None and entry.number in manifest.recovery.volumes:
        yield paragraph(f"PARITY: mends up to {count_text(manifest.recovery.m, 'lost volume')}", "alarm")
    yield box("facts", [grid((), _facts(manifest, volume))])
    yield box("keys", [grid((), _keys(fingerprints))])
    known = "\n".join((f"issmedia {entry.label}", plan.id, *fingerprints[:_FINGERPRINTS]))
    yield box("foot", [drawing(inline_svg(known)), box("text", _identity(plan))])


def _facts(manifest: Manifest, volume: PlannedVolume) -> Iterator[tuple[str, str]]:
    entry = volume.entry
    yield "made at", f"{_short(manifest.site.name)}, {_moment(manifest.created)}"
    yield "expires", _moment(manifest.expires) if manifest.expires else "never"
    yield "kind", _kind(manifest)
    yield "holds", f"{count_text(entry.files, 'file')}, {bytes_text(entry.bytes)} ({entry.bytes:,} bytes)"
    if repositories := _repositories(volume):
        yield "of", _few(repositories, _REPOSITORIES)


def _chain(manifest: Manifest) -> str:
    """Name the bundle within its chain; of long names the beginning, of its number all."""
    destination = manifest.destination and _short(manifest.destination)
    return chain_name(_short(manifest.site.name), destination, manifest.sequence)


def _keys(fingerprints: Sequence[str]) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(fingerprints[:_FINGERPRINTS]):
        yield "" if number else "signed by", line
    if len(fingerprints) > _FINGERPRINTS:
        yield "", f"and {len(fingerprints) - _FINGERPRINTS} more"


def _identity(plan: Plan) -> Iterator[Markup]:
    yield paragraph("bundle", "part")
    for line in _groups(plan.id):
        yield paragraph(line, "code id")
    several = len(plan.manifest.volumes) > 1
    yield paragraph("to import, volumes in any order" if several else "to import", "part")
    yield paragraph("issmedia import /mnt/issmedia" + (" --wait" if several else ""), "code")


def _kind(manifest: Manifest) -> str:
    if manifest.kind == "full":
        return "full: needs nothing before it"
    bases = [f"{_short(base.name, 2 * _LONGEST)} ({base.created[:10]})" for base in manifest.bases]
    return f"DELTA: starts at {_few(bases, _BASES, ' or ')}"


def _repositories(volume: PlannedVolume) -> list[str]:
    """List the repositories of which files lie here, in order: `repos/PRODUCT/REPO/…`."""
    parts = (file.path.split("/", 3) for file in volume.files)
    names = {(part[1], part[2]) for part in parts if part[0] == "repos"}
    return [f"{_short(product)}/{_short(repository)}" for product, repository in sorted(names)]


def _few(items: Sequence[str], most: int, between: str = ", ") -> str:
    rest = f" and {len(items) - most:,} more" if len(items) > most else ""
    return between.join(items[:most]) + rest


def _groups(text: str) -> list[str]:
    """Group for reading aloud: four letters a group, four groups a line."""
    groups = [text[start : start + 4] for start in range(0, len(text), 4)]
    return [" ".join(groups[start : start + 4]) for start in range(0, len(groups), 4)]


def _moment(time: str) -> str:
    return time.replace("T", " ").replace("Z", " UTC")


def _short(text: str, most: int = _LONGEST) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"
