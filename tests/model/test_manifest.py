"""The manifest: strict, and its parts fit together."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from issmedia.base.digest import digest_of
from issmedia.base.errors import FormatError
from issmedia.model import strictjson
from issmedia.model.documents import LeftOut
from issmedia.model.manifest import Missing, UnverifiedBundle, left_out, parse_manifest
from tests.makers.documents import Where, changed, header, places, plain_manifest, sample_manifest

PLAIN = plain_manifest()


def altered(path: Where, value: object) -> bytes:
    """Write the manifest with another value at one place; `...` leaves the field out."""
    return json.dumps(changed(PLAIN, path, value)).encode()


def test_what_is_written_is_parsed_back() -> None:
    manifest = sample_manifest()

    assert parse_manifest(strictjson.render(manifest)) == manifest


@pytest.mark.parametrize("path", [one for one in places(PLAIN) if isinstance(one[-1], str)], ids=str)
def test_a_missing_field_is_refused(path: Where) -> None:
    with pytest.raises(FormatError):
        parse_manifest(altered(path, ...))


@pytest.mark.parametrize("path", [(), *(one for one in places(PLAIN) if isinstance(one[-1], int))], ids=str)
def test_an_unknown_field_is_refused_by_name(path: Where) -> None:
    with pytest.raises(FormatError, match="surprise"):
        parse_manifest(altered((*path, "surprise"), 1))


@pytest.mark.parametrize("path", list(places(PLAIN)), ids=str)
@pytest.mark.parametrize("value", [1.5, {}, -1, "\ud800", [[]]], ids=str)
def test_a_value_of_no_kind_that_fits_is_refused(path: Where, value: object) -> None:
    with pytest.raises(FormatError):
        parse_manifest(altered(path, value))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("site", "id"), "A" * 32),
        (("site", "id"), "a" * 32 + "\n"),
        (("destination",), "not a label"),
        (("destination",), "lab\n"),
        (("destination",), "con"),
        (("sequence",), 0),
        (("sequence",), True),
        (("sequence",), 2**53),
        (("previous",), "a" * 63),
        (("created",), "2026-06-01"),
        (("created",), "2026-06-01T12:00:00+00:00"),
        (("created",), "2026-06-01T12:00:00Z\n"),
        (("expires",), ""),
        (("notes",), "x" * 4097),
        (("kind",), "other"),
        (("views",), [1]),
        (("recovery",), {}),
        (("volumes",), []),
        (("products", 0, "label"), "a/b"),
        (("products", 0, "label"), "p\n"),
        (("repositories", 0, "label"), "zoo."),
        (("repositories", 0, "label"), "zoo\n"),
        (("repositories", 0, "content_type"), "deb"),
        (("trees", 0, "digest"), "A" * 64),
        (("volumes", 0, "bytes"), 2**64),
    ],
    ids=str,
)
def test_a_value_past_its_limits_is_refused(path: Where, value: object) -> None:
    with pytest.raises(FormatError):
        parse_manifest(altered(path, value))


@pytest.mark.parametrize(
    ("path", "value", "found"),
    [
        (("format",), "other", "expected format 'issmedia-bundle', found 'other'"),
        (("version",), 2, "expected version 1, found 2"),
        (("version",), 0, "expected version 1, found 0"),
    ],
)
def test_an_unknown_format_or_version_is_refused_by_name(path: Where, value: object, found: str) -> None:
    with pytest.raises(FormatError) as caught:
        parse_manifest(altered(path, value))

    assert caught.value.message == found


def test_a_newer_version_is_told_from_a_damaged_one_whatever_else_it_holds() -> None:
    document = {**PLAIN, "version": 2, "surprise": 1}

    with pytest.raises(FormatError, match="found 2") as caught:
        parse_manifest(json.dumps(document).encode())

    assert caught.value.hint is not None
    assert "update" in caught.value.hint


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("trees", "stands twice"),
        ("repositories", "stands twice"),
        ("products", "stands twice"),
        ("volumes", "numbered"),
    ],
)
def test_an_entry_that_stands_twice_is_refused(name: str, fault: str) -> None:
    with pytest.raises(FormatError, match=fault):
        parse_manifest(altered((name,), [*PLAIN[name], PLAIN[name][0]]))


@pytest.mark.parametrize(
    ("path", "value", "fault"),
    [
        (("repositories", 0, "label"), "ZOO", None),
        (("repositories", 1, "product"), "nobody", "no such product"),
        (("repositories", 0, "tree"), "f" * 64, "no tree"),
        (("volumes", 0, "number"), 2, "numbered"),
        (("products", 1, "label"), "P", "stands twice"),
    ],
)
def test_parts_that_do_not_fit_together_are_refused(path: Where, value: object, fault: str | None) -> None:
    data = altered(path, value)

    if fault is None:
        parse_manifest(data)
    else:
        with pytest.raises(FormatError, match=fault):
            parse_manifest(data)


def test_two_repositories_that_differ_only_in_case_are_refused() -> None:
    twin = {**PLAIN["repositories"][0], "label": "ZOO"}

    with pytest.raises(FormatError, match="stands twice"):
        parse_manifest(altered(("repositories",), [*PLAIN["repositories"], twin]))


@given(st.integers(0, 10_000), st.binary(min_size=1, max_size=3))
def test_noise_in_a_manifest_is_refused_or_read_but_never_a_bug(at: int, noise: bytes) -> None:
    data = strictjson.render(sample_manifest())
    position = at % len(data)

    try:
        parse_manifest(data[:position] + noise + data[position + len(noise) :])
    except FormatError as error:
        assert error.message.isprintable()


def test_a_bundle_is_named_by_the_bytes_of_its_manifest() -> None:
    assert UnverifiedBundle(b"{}", b"", ()).id == digest_of(b"{}")


def test_a_chain_names_site_destination_and_sequence() -> None:
    manifest = parse_manifest(json.dumps({**PLAIN, "destination": "lab", "sequence": 7}).encode())

    assert manifest.chain == "hq → lab #7"
    assert sample_manifest().chain == f"{header().site.name} #1"


def test_what_a_snapshot_lacks_is_cut_to_what_the_manifest_may_hold() -> None:
    found = left_out("p/zoo", (LeftOut("x" * 5000, "y" * 5000),))

    assert found == (Missing("p/zoo", "x" * 4096, "y" * 4096),)
