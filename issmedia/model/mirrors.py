"""Lists of mirrors: metalink (with checksums of repomd.xml) and mirrorlist. Both are hostile; they are capped unread.

Source: RFC 5854 names the ideas; what mirror managers write is version 3.0, `http://www.metalinker.org/`.
"""

import re
from urllib.parse import urlsplit
from xml.parsers import expat

import msgspec

from issmedia.base.errors import UpstreamError
from issmedia.model.names import shown

MAX_LIST = 4 << 20
"""The longest list, in bytes."""

MAX_MIRRORS = 1000
_REPOMD = "repodata/repomd.xml"
_DEPTH = 32
_LENGTHS = {"sha256": 64, "sha512": 128, "sha384": 96}
_HEX = re.compile(r"[0-9a-f]+\Z")


class Mirrors(msgspec.Struct, frozen=True):
    """Base URLs, the preferred first. `checksums` of repomd.xml (type → hex) and its `size` are a metalink's."""

    urls: tuple[str, ...]
    checksums: tuple[tuple[str, str], ...] = ()
    size: int | None = None


def read_mirrorlist(data: bytes, *, where: str) -> Mirrors:
    """Read a text of base URLs, one a line; `UpstreamError` where it names none."""
    lines = (line.strip() for line in data.decode("utf-8", "replace").splitlines())
    urls = tuple(line for line in lines if line.startswith(("http://", "https://")) and _is_plain(line))
    return Mirrors(_some(urls, where))


def read_metalink(data: bytes, *, where: str) -> Mirrors:
    """Read the mirrors of repomd.xml and its strong checksums; `UpstreamError` where either is not there."""
    reading = _Metalink()
    try:
        reading.parser.Parse(data, True)
    except (expat.ExpatError, _Refused, ValueError) as cause:
        raise UpstreamError(f"no metalink: {shown(str(cause))}", where=where) from cause
    if not reading.checksums:
        raise UpstreamError("the metalink has no sha256 or sha512 of repomd.xml", where=where)
    ranked = sorted(reading.found, key=lambda one: -one[0])
    bases = (url.removesuffix(_REPOMD) for _, url in ranked if url.endswith("/" + _REPOMD) and _is_plain(url))
    return Mirrors(_some(tuple(bases), where), tuple(reading.checksums.items()), reading.size)


class _Refused(Exception):
    """What no metalink has."""


class _Metalink:
    """The elements of one metalink as they pass; those of older versions (alternates) are passed over."""

    def __init__(self) -> None:
        self.found: list[tuple[int, str]] = []
        self.checksums: dict[str, str] = {}
        self.size: int | None = None
        self._open: list[str] = []
        self._attributes: dict[str, str] = {}
        self._text = ""
        self._ours = False
        self.parser = expat.ParserCreate(namespace_separator=" ")
        self.parser.StartDoctypeDeclHandler = self._doctype
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._characters

    def _doctype(self, *_: object) -> None:
        raise _Refused("it declares a document type")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._open.append(name.rpartition(" ")[2])
        if len(self._open) > _DEPTH:
            raise _Refused("its elements are nested too deep")
        self._attributes, self._text = attributes, ""
        if self._open[-1] == "file" and "alternates" not in self._open:
            self._ours = attributes.get("name") == "repomd.xml"

    def _characters(self, text: str) -> None:
        if len(self._text) < 10_000:
            self._text += text

    def _end(self, _: str) -> None:
        text = self._text.strip()
        if self._ours and "alternates" not in self._open:
            match self._open[-1]:
                case "hash":
                    self._hash(self._attributes.get("type", "").lower(), text.lower())
                case "url" if len(self.found) < MAX_MIRRORS:
                    self.found.append((_preference(self._attributes.get("preference", "")), text))
                case "size" if text.isascii() and text.isdigit() and len(text) < 16:
                    self.size = int(text)
        self._open.pop()
        self._text = ""

    def _hash(self, kind: str, value: str) -> None:
        if _LENGTHS.get(kind) == len(value) and _HEX.match(value):
            self.checksums.setdefault(kind, value)


def _preference(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 4 else 0


def _is_plain(url: str) -> bool:
    """Say whether a base URL is one that may be asked: of the web, without user, query or blank."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    plain = url.isascii() and url.isprintable() and " " not in url and "$" not in url
    bare = not (parts.query or parts.fragment or "@" in parts.netloc)
    return plain and bare and parts.scheme in ("http", "https") and bool(parts.hostname)


def _some(urls: tuple[str, ...], where: str) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(url.rstrip("/") + "/" for url in urls))[:MAX_MIRRORS]
    if not found:
        raise UpstreamError("the list names no mirror of the web", where=where, hint="see what the URL gives")
    return found
