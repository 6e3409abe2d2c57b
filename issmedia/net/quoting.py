"""Paths of a repository, written as URLs want them."""

import re
from urllib.parse import quote

_PLAIN = re.compile(r"[A-Za-z0-9_.~/-]*")
_ESCAPED = re.compile(r"(%[0-9A-Fa-f]{2})")


def quoted(path: str) -> str:
    """Escape what is between the escapes, and a `%` that begins none."""
    if _PLAIN.fullmatch(path):
        return path
    parts = _ESCAPED.split(path)
    return "".join(part if index % 2 else quote(part) for index, part in enumerate(parts))
