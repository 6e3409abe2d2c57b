"""JSON Schemas of the documents that travel, generated from their types; `schemas/` holds them for readers."""

import json

import msgspec

from issmedia.model.manifest import Manifest
from issmedia.model.tree import Entry

DOCUMENTS: dict[str, type[msgspec.Struct]] = {
    "manifest.schema.json": Manifest,
    "tree-entry.schema.json": Entry,
}


def schema(name: str) -> bytes:
    """Write one schema: JSON Schema 2020-12, keys sorted, two-space indent."""
    described = {"$schema": "https://json-schema.org/draft/2020-12/schema", **msgspec.json.schema(DOCUMENTS[name])}
    return json.dumps(described, sort_keys=True, indent=2, ensure_ascii=False).encode() + b"\n"
