"""JSON that was signed or travels: parsed without the leniencies of the standard parser.

Duplicate keys, floats, NaN, integers beyond 2^53-1, lone surrogates, a byte-order mark, trailing data and
deep nesting are refused. Source: RFC 8259; `docs/format.md`, clause "Documents".
"""

import json
from typing import Any, TypeVar

import msgspec

from issmedia.base.errors import FormatError
from issmedia.model.names import shown

MAX_INTEGER = 2**53 - 1

T = TypeVar("T")


def parse(data: bytes, kind: type[T], *, where: str) -> T:
    """Parse bytes as a document of type `kind`, or raise `FormatError` naming the field."""
    try:
        plain = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_float=_no_float,
            parse_constant=_no_float,
            parse_int=_bounded,
        )
        json.dumps(plain, ensure_ascii=False).encode("utf-8")
        return msgspec.convert(plain, kind, strict=True)
    except (UnicodeError, ValueError, RecursionError) as cause:
        raise FormatError(f"not a valid document: {shown(str(cause))}", where=where) from cause


def render(document: msgspec.Struct) -> bytes:
    """Write a document: UTF-8, keys sorted, two-space indent, one newline at the end."""
    plain = msgspec.to_builtins(document)
    return json.dumps(plain, sort_keys=True, indent=2, ensure_ascii=False).encode() + b"\n"


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return found


def _no_float(text: str) -> None:
    raise ValueError(f"the number {text[:40]} is not an integer")


def _bounded(text: str) -> int:
    if len(text) > 17 or abs(int(text)) > MAX_INTEGER:
        raise ValueError(f"the integer {text[:40]} is out of range")
    return int(text)
