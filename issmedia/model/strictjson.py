"""JSON that was signed or travels: parsed without the leniencies of the standard parser.

Duplicate keys, floats, NaN, integers beyond 2^53-1, lone surrogates, a byte-order mark, trailing data and
deep nesting are refused, and so are more than `MAX_PARTS` parts. Source: RFC 8259; `docs/format.md`, "Documents".
"""

import json
import re
from typing import Any, TypeVar, cast

import msgspec

from issmedia.base.errors import FormatError
from issmedia.model.names import shown

MAX_INTEGER = 2**53 - 1
MAX_PARTS = 1_000_000
"""Braces, brackets and commas in one document: they bound the objects that parsing makes, and so the memory."""

_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
"""How a surrogate is written; UTF-8 cannot carry one otherwise."""

_HINT = "it is damaged, or nothing that issmedia wrote: ask for another copy of it"

T = TypeVar("T")


def parse(data: bytes, kind: type[T], *, where: str) -> T:
    """Parse bytes as a document of type `kind`, or raise `FormatError` naming the field."""
    return convert(parse_plain(data, where=where), kind, where=where)


def parse_plain(data: bytes, *, where: str) -> object:
    """Parse bytes as plain JSON types, or raise `FormatError`; more than `MAX_PARTS` parts are refused unparsed.

    The parts are counted as they are written, in strings too, so that no more objects are made than were allowed.
    """
    parts = sum(map(data.count, (b"{", b"[", b",")))
    if parts > MAX_PARTS:
        raise FormatError(f"has {parts} parts, at most {MAX_PARTS} are allowed", where=where)
    try:
        plain = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_float=_no_float,
            parse_constant=_no_float,
            parse_int=_bounded,
        )
        if _SURROGATE.search(data):
            _require_text(plain)
    except (UnicodeError, ValueError, RecursionError) as cause:
        raise FormatError(f"not a valid document: {shown(str(cause))}", where=where, hint=_HINT) from cause
    return cast(object, plain)


def convert(plain: object, kind: type[T], *, where: str) -> T:
    """Make plain JSON types a document of type `kind`, or raise `FormatError` naming the field."""
    try:
        return msgspec.convert(plain, kind, strict=True)
    except (ValueError, RecursionError) as cause:
        raise FormatError(f"not a valid document: {shown(str(cause))}", where=where, hint=_HINT) from cause


def require_head(plain: object, name: str, version: int, *, where: str) -> None:
    """Refuse a document of another format or version by name, whatever else it holds."""
    head = convert(plain, _Head, where=where)
    if head.format != name:
        raise FormatError(f"expected format {name!r}, found {head.format!r}", where=where)
    if head.version != version:
        raise FormatError(
            f"expected version {version}, found {head.version}",
            where=where,
            hint="a newer issmedia wrote this; update issmedia on this side",
        )


def render(document: msgspec.Struct) -> bytes:
    """Write a document: UTF-8, keys sorted, two-space indent, one newline at the end."""
    plain = msgspec.to_builtins(document)
    return json.dumps(plain, sort_keys=True, indent=2, ensure_ascii=False).encode() + b"\n"


class _Head(msgspec.Struct):
    format: str
    version: int


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return found


def _require_text(plain: object) -> None:
    """Refuse lone surrogates, wherever they stand; pairs were joined by the parser."""
    left = [plain]
    while left:
        one = left.pop()
        if isinstance(one, str):
            one.encode("utf-8")
        elif isinstance(one, dict):
            left += one
            left += one.values()
        elif isinstance(one, list):
            left += one


def _no_float(text: str) -> None:
    raise ValueError(f"the number {text[:40]} is not an integer")


def _bounded(text: str) -> int:
    if len(text) > 17 or abs(int(text)) > MAX_INTEGER:
        raise ValueError(f"the integer {text[:40]} is out of range")
    return int(text)
