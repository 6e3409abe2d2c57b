"""The schemas say what strict parsing accepts, and lie in `schemas/` as they are generated.

`python -m tests.golden.make --schemas` writes them.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

from issmedia.base.errors import FormatError
from issmedia.model import strictjson
from issmedia.model.manifest import Manifest
from issmedia.model.receipt import Receipt, Refusal
from issmedia.model.schemas import DOCUMENTS, SCHEMAS, schema
from issmedia.model.tree import Entry
from tests.makers.documents import NOW, changed, places, plain_manifest, sample_outcome
from tests.makers.receipts import sample_receipt


def with_trust(manifest: dict[str, Any]) -> dict[str, Any]:
    """Let a repository's signatures have been judged, some of them good."""
    manifest["repositories"][0]["trust"] = json.loads(strictjson.render(sample_outcome()))
    return manifest


COMMITTED = Path(__file__).parents[2] / "schemas"
OPTIONAL = {
    "manifest.schema.json": {
        "RepositoryEntry": {"trust"},
        "Outcome": {"keys", "counts", "signers", "exceptions", "metadata"},
        "Counts": {"good", "bad", "unsigned", "cannot_judge"},
        "Judged": {"key", "reason"},
    }
}
"""What a document may leave out."""

SAMPLES: dict[str, dict[str, Any]] = {
    "manifest.schema.json": with_trust(plain_manifest()),
    "receipt.schema.json": json.loads(strictjson.render(sample_receipt(refused=(Refusal(NOW, "hq #1", "old"),)))),
    "tree-entry.schema.json": {"path": "a", "sha256": "a" * 64, "size": 1},
}


def validator(name: str) -> jsonschema.Draft202012Validator:
    """Load a schema."""
    return jsonschema.Draft202012Validator(json.loads(schema(name)))


def variants(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Change a document at one place each."""
    for path in places(document):
        values: tuple[object, ...] = (None, 0, -1, 2**53, "", "x", "a" * 64, "x" * 5000, True, [], {}, {"surprise": 1})
        for value in values:
            yield changed(document, path, value)
        if isinstance(path[-1], str):
            yield changed(document, (*path[:-1], "surprise"), 1)


def parses(data: dict[str, Any], kind: type[msgspec.Struct]) -> bool:
    """Say whether strict parsing takes it."""
    try:
        strictjson.parse(json.dumps(data).encode(), kind, where="here")
    except FormatError:
        return False
    return True


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_the_committed_schema_is_the_generated_one(name: str) -> None:
    assert (COMMITTED / name).read_bytes() == schema(name)


def test_nothing_else_is_committed() -> None:
    assert sorted(path.name for path in COMMITTED.iterdir()) == sorted(SCHEMAS)


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_a_schema_is_one_and_refuses_unknown_fields_everywhere(name: str) -> None:
    found = json.loads(schema(name))

    jsonschema.Draft202012Validator.check_schema(found)
    assert found["$schema"].endswith("2020-12/schema")
    objects = [one for one in found["$defs"].values() if one["type"] == "object"]
    arrays = [one for one in found["$defs"].values() if one["type"] != "object"]
    assert {one["additionalProperties"] for one in objects} == {False}
    optional = {one["title"]: set(one["properties"]) - set(one["required"]) for one in objects}
    assert {title: names for title, names in optional.items() if names} == OPTIONAL.get(name, {})
    assert all(one["minItems"] == one["maxItems"] == len(one["prefixItems"]) for one in arrays)


@pytest.mark.parametrize("name", sorted(SAMPLES))
def test_schema_and_parser_agree_on_every_small_change(name: str) -> None:
    check, kind = validator(name), SCHEMAS[name]

    disagreed = [one for one in variants(SAMPLES[name]) if check.is_valid(one) != parses(one, kind)]

    assert check.is_valid(SAMPLES[name])
    assert disagreed == []


def test_each_document_that_travels_has_a_schema() -> None:
    assert set(DOCUMENTS.values()) == {Manifest, Entry}
    assert set(SCHEMAS.values()) == {Manifest, Entry, Receipt}
