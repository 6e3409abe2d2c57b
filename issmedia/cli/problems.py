"""Errors for people and for programs."""

import sys

from issmedia.base.errors import IssmediaError
from issmedia.cli.plainjson import plain_json
from issmedia.model.names import shown

_MOST = 200
"""Problems shown one by one; `--json` has them all."""


def show_error(error: IssmediaError, *, as_json: bool) -> int:
    """Write an error to stderr and return its exit code."""
    if as_json:
        sys.stderr.write(plain_json({"error": _document(error)}) + "\n")
    else:
        sys.stderr.write(_text(error))
    return error.exit_code


def _text(error: IssmediaError) -> str:
    where = f"{_line(error.where)}: " if error.where and not error.problems else ""
    lines = [f"error: {where}{_line(error.message)}"]
    lines += [f"  {_line(one.where)}: {_line(one.message)}" for one in error.problems[:_MOST]]
    if len(error.problems) > _MOST:
        lines.append(f"  … and {len(error.problems) - _MOST:,} more; --json names them all")
    if error.hint:
        lines.append(f"hint: {_line(error.hint)}")
    return "\n".join(lines) + "\n"


def _line(text: str) -> str:
    return "".join(shown(text[start : start + 300]) for start in range(0, min(len(text), 3000), 300))


def _document(error: IssmediaError) -> dict[str, object]:
    return {
        "exit_code": error.exit_code,
        "kind": type(error).__name__,
        "message": error.message,
        "where": error.where,
        "hint": error.hint,
        "problems": [{"where": one.where, "message": one.message} for one in error.problems],
    }
