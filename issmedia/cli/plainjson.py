"""JSON that a terminal can only show: nothing in it but printable ASCII and newlines of its own."""

import json


def plain_json(document: object, *, indent: int | None = None) -> str:
    """Write plain JSON types, keys sorted; every other character is escaped, so programs read what was there."""
    return json.dumps(document, sort_keys=True, indent=indent).replace("\x7f", "\\u007f")
