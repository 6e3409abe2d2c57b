"""Paths of a repository, and URLs, written as the web wants them."""

import re
from urllib.parse import quote

_PLAIN = re.compile(r"[A-Za-z0-9_.~/-]*")
_ESCAPED = re.compile(r"(%[0-9A-Fa-f]{2})")
_SAFE = "".join(map(chr, range(0x21, 0x7F)))


def quoted(path: str) -> str:
    """Escape what is between the escapes, and a `%` that begins none."""
    if _PLAIN.fullmatch(path):
        return path
    parts = _ESCAPED.split(path)
    return "".join(part if index % 2 else quote(part) for index, part in enumerate(parts))


def escaped(url: str) -> str:
    """Escape characters that no URL may hold."""
    plain = url.isascii() and url.isprintable() and " " not in url
    return url if plain else quote(url, safe=_SAFE)
