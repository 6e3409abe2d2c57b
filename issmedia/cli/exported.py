"""What an export says: the plan, volume by volume."""

from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from issmedia.base.events import Note, Report
from issmedia.base.units import bytes_text, count_text
from issmedia.bundle.volume import Plan, PlannedVolume
from issmedia.cli.face import Face
from issmedia.cli.render import left_out_lines, table
from issmedia.model.manifest import Manifest, RepositoryEntry
from issmedia.model.names import shown

_HARDLY = 0.8
"""Share of the full bundle from which a delta is hardly worth its base."""

_BESIDE = 3
"""Files of a volume that its sums do not list: they themselves, manifest and signatures."""


def show(face: Face, plan: Plan, written: dict[int, Path], *, parity: int = 0) -> int:
    """Answer with the plan; `written` says where each volume is, none for a plan that was not carried out.

    `parity` counts the parity volumes that such a plan would have besides.
    """
    document = plan.manifest if not written else _document(plan, written)
    face.answer(document, _text(plan, written, parity))
    return face.done(plan.manifest.incomplete)


def announce(volumes: Iterable[PlannedVolume], report: Report, *, parity: int = 0) -> None:
    """Say which volumes will be written, before they are, and how many parity volumes come besides."""
    for one in volumes:
        fill = f", {one.used * 100 / one.entry.capacity:.1f} % of it" if one.entry.capacity else ""
        files = count_text(one.entry.files + _BESIDE, "file")
        report(Note(f"{one.entry.label} on {one.entry.medium}: {files}, {bytes_text(one.entry.bytes)}{fill}"))
    if parity:
        report(Note(_parity(parity)))


def _document(plan: Plan, written: dict[int, Path]) -> dict[str, object]:
    volumes = {str(number): str(path) for number, path in written.items()}
    directory = str(next(iter(written.values()))) if len(written) == 1 else str(next(iter(written.values())).parent)
    return {
        "bundle": plan.id,
        "directory": directory,
        "volumes": volumes,
        "manifest": msgspec.to_builtins(plan.manifest),
    }


def _text(plan: Plan, written: dict[int, Path], parity: int) -> Callable[[], str]:
    facts = plan.manifest
    done = "is" if written else "would be"
    lines = [
        f"{facts.chain} ({facts.kind}) {done} {plan.id}" if not parity else f"{facts.chain} ({facts.kind})",
        *_volumes(plan, parity),
        "",
        table(("REPOSITORY", "PACKAGES", "SIZE", "CARRIED", "TREE"), [_row(one) for one in facts.repositories]),
    ]
    lines += [f"starts at {shown(base.name)} ({base.created[:10]})" for base in facts.bases]
    lines += _advice(facts)
    lines += left_out_lines(facts.incomplete)
    lines += [_written(written)] if written else []
    return lambda: "\n".join(lines)


def _volumes(plan: Plan, parity: int) -> Iterable[str]:
    """Say what each volume holds; a medium's fill counts all that its file system needs."""
    volumes = plan.volumes
    if len(volumes) == 1 and volumes[0].entry.capacity is None:
        one = volumes[0]
        total = one.entry.bytes + len(one.sums) + len(plan.manifest_bytes)
        files = count_text(one.entry.files + _BESIDE, "file")
        return [f"{files}, {total:,} bytes, signatures not counted; volume {one.entry.label}"]
    rows = [
        (
            one.entry.label,
            one.entry.medium,
            f"{one.entry.files + _BESIDE:,}",
            f"{one.entry.bytes:,}",
            f"{one.used * 100 / one.entry.capacity:.1f} %" if one.entry.capacity else "",
        )
        for one in volumes
    ]
    lines = ["", table(("VOLUME", "MEDIUM", "FILES", "BYTES", "FILL"), rows)]
    if parity:
        lines.append(_parity(parity))
    return lines


def _parity(count: int) -> str:
    return f"and {count_text(count, 'parity volume')}, each about as large as the largest of these"


def _written(written: dict[int, Path]) -> str:
    if len(written) == 1:
        (path,) = written.values()
        return f"written to {path}" + ("" if path.suffix == ".iso" else "; it can be unmounted now")
    parent = next(iter(written.values())).parent
    return f"written to {parent}; next: issmedia copy or issmedia burn, volume by volume"


def _row(one: RepositoryEntry) -> tuple[str, ...]:
    return one.path, f"{one.packages:,}", bytes_text(one.all.bytes), bytes_text(one.added.bytes), one.tree[:16]


def _advice(manifest: Manifest) -> list[str]:
    """Say when a delta hardly saves anything: a full bundle asks nothing of the site that imports it."""
    everything = sum(one.all.bytes for one in manifest.repositories)
    carried = manifest.content.bytes
    if manifest.kind == "full" or carried <= everything * _HARDLY:
        return []
    share = f"{carried * 100 // max(1, everything)} %"
    return [f"this delta carries {share} of the full bundle, which any site could import: consider --full"]
