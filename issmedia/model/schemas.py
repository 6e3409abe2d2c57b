"""JSON Schemas of the documents that travel, generated from their types; `schemas/` holds them for readers."""

import json
from inspect import cleandoc

import msgspec

from issmedia.model.manifest import Manifest
from issmedia.model.receipt import Receipt
from issmedia.model.tree import Entry

DOCUMENTS: dict[str, type[msgspec.Struct]] = {
    "manifest.schema.json": Manifest,
    "tree-entry.schema.json": Entry,
}
"""What lies on a volume; these schemas travel with it, so one more changes the bytes of every bundle."""

SCHEMAS: dict[str, type[msgspec.Struct]] = {**DOCUMENTS, "receipt.schema.json": Receipt}
"""All that travels: a receipt goes the other way, and its schema lies in `schemas/` alone."""


def schema(name: str) -> bytes:
    """Write one schema: JSON Schema 2020-12, keys sorted, two-space indent."""
    described = {"$schema": "https://json-schema.org/draft/2020-12/schema", **msgspec.json.schema(SCHEMAS[name])}
    for definition in described["$defs"].values():
        definition["description"] = cleandoc(definition["description"])  # Python 3.13 strips docstrings, older do not
    return json.dumps(described, sort_keys=True, indent=2, ensure_ascii=False).encode() + b"\n"
