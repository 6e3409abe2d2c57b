"""verify --repairable: what is at hand, damaged as it is, can still be imported, or cannot."""

from issmedia.base.errors import NotIntactError
from issmedia.cli.face import Face
from issmedia.model.names import shown
from issmedia.ops.repairable import Repairable

_MOST = 20
"""Files of a kind that are named; `--json` has them all."""


def answer(face: Face, found: Repairable) -> int:
    """Say what came of it, and give the exit code."""
    face.answer(_document(found), lambda: _text(found))
    return 0 if found.importable else NotIntactError.exit_code


def _document(found: Repairable) -> dict[str, object]:
    return {
        "importable": found.importable,
        "bundle": found.bundle.id,
        "bad": found.bad,
        "strays": found.strays,
        "missing": [entry.number for entry in found.missing],
        "lost": found.lost,
    }


def _text(found: Repairable) -> str:
    chain, bad = shown(found.bundle.manifest.chain), [*found.bad[:_MOST]]
    lines = [f"bad: {one.where}: {one.message}" for one in (*bad, *found.strays)]
    lines += [f"bad: {len(found.bad) - len(bad):,} more; --json names them all"] if len(found.bad) > len(bad) else []
    lines += [f"not at hand: {entry.label}" for entry in found.missing]
    lines += [f"lost: {one.where}: {one.message}" for one in found.lost[:_MOST]]
    more = len(found.lost) - _MOST
    lines += [f"lost: {more:,} more; --json names them all"] if more > 0 else []
    verdict = "can be imported from what is at hand" if found.importable else "can NOT be imported from what is at hand"
    return "\n".join([*lines, f"{chain} {verdict}"])
