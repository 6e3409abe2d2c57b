"""Golden bundles: each verifies and imports with today's code, and today's code makes the newest one again."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import zstandard

from issmedia.base.digest import digest_of
from tests.golden.make import DELTA, GOLDEN, NEWEST, export_golden
from tests.makers.bundles import content_of
from tests.makers.sites import Site

BUNDLES = sorted(path.parent for path in GOLDEN.glob("*/manifest.json") if not path.parent.name.endswith("-delta"))
DELTAS = sorted(path.parent for path in GOLDEN.glob("*-delta/manifest.json"))
KEY = (GOLDEN / "golden.pub").read_text().strip()

every_bundle = pytest.mark.parametrize("bundle", BUNDLES, ids=lambda path: path.name)
every_delta = pytest.mark.parametrize("delta", DELTAS, ids=lambda path: path.name)


@pytest.fixture
def lab(tmp_path: Path) -> Site:
    """A site that trusts the golden key."""
    site = Site(tmp_path / "lab")
    site.do("init", "--name", "lab")
    site.do("keys", "trust", "golden", KEY)
    return site


def validator(schema: Path) -> jsonschema.Draft202012Validator:
    """Load a schema that lies on a volume."""
    return jsonschema.Draft202012Validator(json.loads(schema.read_bytes()))


def before(delta: Path) -> Path:
    """Name the full bundle that a delta starts from."""
    return delta.with_name(delta.name.removesuffix("-delta"))


def listing(path: Path) -> list[dict[str, Any]]:
    """Read a tree as it lies on a volume."""
    data = zstandard.ZstdDecompressor().decompress(path.read_bytes())
    return [json.loads(line) for line in data.splitlines()]


@every_bundle
def test_it_verifies(bundle: Path, lab: Site) -> None:
    found = lab.do("verify", bundle, "--strict", "--json").document

    assert found["verified"]
    assert found["bundle"] == digest_of((bundle / "manifest.json").read_bytes())


@every_bundle
def test_it_imports_and_clients_see_what_lies_on_it(bundle: Path, lab: Site) -> None:
    manifest = json.loads((bundle / "manifest.json").read_bytes())

    lab.do("import", bundle)

    assert lab.trees() == {f"{one['product']}/{one['label']}": one["tree"] for one in manifest["repositories"]}
    for path in lab.trees():
        assert content_of(bundle / "repos" / path) == content_of(lab.root / "published" / path)


@every_bundle
def test_it_does_not_verify_without_its_key(bundle: Path, tmp_path: Path) -> None:
    site = Site(tmp_path / "stranger")
    site.do("init")

    assert site.call("verify", bundle).code == 6


@every_bundle
def test_its_documents_are_what_its_schemas_say(bundle: Path) -> None:
    schemas = bundle / "schemas"

    validator(schemas / "manifest.schema.json").validate(json.loads((bundle / "manifest.json").read_bytes()))
    entries = [entry for path in sorted((bundle / "trees").iterdir()) for entry in listing(path)]
    for entry in entries:
        validator(schemas / "tree-entry.schema.json").validate(entry)

    assert entries


@every_delta
def test_a_delta_imports_where_its_base_was_imported(delta: Path, lab: Site) -> None:
    manifest = json.loads((delta / "manifest.json").read_bytes())
    lab.do("import", before(delta))

    lab.do("verify", delta, "--strict")
    lab.do("import", delta)

    assert lab.trees() == {f"{one['product']}/{one['label']}": one["tree"] for one in manifest["repositories"]}


@every_delta
def test_a_delta_is_refused_without_its_base(delta: Path, lab: Site) -> None:
    before = lab.state()

    assert lab.call("import", delta).code == 6

    assert lab.state() == before


@every_delta
def test_a_deltas_manifest_is_what_its_schema_says(delta: Path) -> None:
    validator(delta / "schemas/manifest.schema.json").validate(json.loads((delta / "manifest.json").read_bytes()))


def test_todays_exporter_makes_the_newest_again_bit_for_bit(tmp_path: Path) -> None:
    sources = {f"demo/{label}": NEWEST / "repos/demo" / label for label in ("farm", "zoo")}

    export_golden(tmp_path, sources, tmp_path / "again", tmp_path / "delta")

    assert content_of(tmp_path / "again") == content_of(NEWEST)
    assert content_of(tmp_path / "delta") == content_of(DELTA)


def test_the_newest_is_among_the_golden_ones() -> None:
    assert NEWEST in BUNDLES
    assert DELTA in DELTAS
