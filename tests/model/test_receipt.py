"""The receipt: strict, small, and a file that stock tools split and check."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from issmedia.base.digest import digest_of
from issmedia.base.errors import FormatError
from issmedia.depot.signatures import check_signatures
from issmedia.model.receipt import (
    MAX_RECEIPT,
    MAX_REFUSED,
    NAMESPACE_RECEIPT,
    ROOM,
    Refusal,
    fitted,
    held_trees,
    parse_receipt,
    refusal,
    render_receipt,
    split_receipt,
    tree_mark,
)
from issmedia.model.signers import TrustedKey
from tests.makers.documents import NOW, Where, changed, places
from tests.makers.programs import run
from tests.makers.receipts import SIGNER, sample_receipt, signed, tree_of_repository

REFUSAL = Refusal(NOW, "hq → lab-north #40", "older than what was imported")
PLAIN: dict[str, Any] = json.loads(render_receipt(sample_receipt(refused=(REFUSAL,))))
WORST = refusal(NOW, "w" * 1000, "ß" * 1000)


def altered(path: Where, value: object) -> bytes:
    """Write the receipt with another value at one place; `...` leaves it out."""
    return json.dumps(changed(PLAIN, path, value)).encode()


def test_what_is_written_is_parsed_back() -> None:
    receipt = sample_receipt(refused=(REFUSAL,))

    assert parse_receipt(render_receipt(receipt)) == receipt


def test_a_document_is_one_line_whatever_names_it_holds() -> None:
    document = render_receipt(sample_receipt(refused=(Refusal(NOW, "a\nb", "-----BEGIN SSH SIGNATURE-----\n"),)))

    assert document.endswith(b"}\n")
    assert document.count(b"\n") == 1


@pytest.mark.parametrize("path", list(places(PLAIN)), ids=str)
@pytest.mark.parametrize("value", [1.5, {}, -1, "\ud800", [[]]], ids=str)
def test_a_value_of_no_kind_that_fits_is_refused(path: Where, value: object) -> None:
    with pytest.raises(FormatError):
        parse_receipt(altered(path, value))


@pytest.mark.parametrize("path", [one for one in places(PLAIN) if isinstance(one[-1], str)], ids=str)
def test_a_missing_field_is_refused(path: Where) -> None:
    with pytest.raises(FormatError):
        parse_receipt(altered(path, ...))


@pytest.mark.parametrize("path", [(), ("site",), ("tool",), ("ledger",), ("chains", 0), ("refused", 0)], ids=str)
def test_an_unknown_field_is_refused_by_name(path: Where) -> None:
    with pytest.raises(FormatError, match="surprise"):
        parse_receipt(altered((*path, "surprise"), 1))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("site", "id"), "A" * 32),
        (("created",), "2026-02-30T12:00:00Z"),
        (("created",), "2026-06-01T12:00:00+00:00"),
        (("ledger", "hash"), "a" * 63),
        (("chains", 0, "sequence"), 0),
        (("chains", 0, "destination"), "con"),
        (("chains", 0, "created"), "2026-13-01T12:00:00Z"),
        (("chains",), [PLAIN["chains"][0], changed(PLAIN["chains"][0], ("destination",), "LAB-north")]),
        (("repositories", 0), ["alma9/baseos", "A" * 22]),
        (("repositories", 0), ["alma9/baseos", "A" * 22, 1, 1]),
        (("repositories", 0, 0), "baseos"),
        (("repositories", 0, 0), "alma9/baseos\n"),
        (("repositories", 0, 0), "a/b/c"),
        (("repositories", 0, 0), "ALMA9/appstream-x86_64"),
        (("repositories", 0, 1), "A" * 21 + "B"),
        (("repositories", 0, 1), "A" * 21),
        (("repositories", 0, 1), "A" * 22 + "\n"),
        (("refused",), [PLAIN["refused"][0]] * (MAX_REFUSED + 1)),
        (("refused", 0, "time"), "yesterday"),
        (("refused", 0, "reason"), "x" * 161),
    ],
    ids=str,
)
def test_a_value_past_its_limits_is_refused(path: Where, value: object) -> None:
    with pytest.raises(FormatError):
        parse_receipt(altered(path, value))


@pytest.mark.parametrize(
    ("field", "value", "found"),
    [
        ("format", "issmedia-bundle", "expected format 'issmedia-receipt', found 'issmedia-bundle'"),
        ("version", 2, "expected version 1, found 2"),
    ],
)
def test_an_unknown_format_or_version_is_refused_by_name(field: str, value: object, found: str) -> None:
    with pytest.raises(FormatError) as caught:
        parse_receipt(altered((field,), value))

    assert found == caught.value.message


def test_a_receipt_of_fifty_repositories_has_at_most_4_kb_with_its_signature() -> None:
    receipt = fitted(sample_receipt(50, refused=(WORST,) * MAX_REFUSED))

    assert len(signed(receipt)) <= 4000
    assert len(receipt.repositories) == 50


def test_the_newest_refusals_that_fit_are_kept() -> None:
    refused = (refusal(NOW, "newest", "x"), *(WORST,) * (MAX_REFUSED - 1))

    few, all_of_them = fitted(sample_receipt(45, refused=refused)), fitted(sample_receipt(1, refused=refused[:2]))

    assert few.refused[0].what == "newest"
    assert len(few.refused) < MAX_REFUSED
    assert len(render_receipt(few)) <= ROOM
    assert refused[:2] == all_of_them.refused


def test_more_repositories_than_fit_are_all_named() -> None:
    receipt = fitted(sample_receipt(50, refused=(REFUSAL,)))
    many = fitted(sample_receipt(50))

    assert receipt.repositories == many.repositories


def test_a_refusal_is_shortened_to_what_the_format_allows() -> None:
    receipt = sample_receipt(refused=(WORST,))

    assert parse_receipt(render_receipt(receipt)).refused[0].what.endswith("w…")


def test_the_file_splits_into_exactly_what_was_signed_and_its_signatures() -> None:
    receipt = sample_receipt()
    document = render_receipt(receipt)

    assert split_receipt(signed(receipt)) == (document, SIGNER.sign(document, NAMESPACE_RECEIPT))


def test_what_was_split_is_trusted_by_who_trusts_the_site() -> None:
    document, signatures = split_receipt(signed(sample_receipt()))
    trusted = TrustedKey("lab", SIGNER.public, (NAMESPACE_RECEIPT,))

    verdict = check_signatures(document, signatures, [trusted], namespace=NAMESPACE_RECEIPT, now=NOW)

    assert {SIGNER.public.fingerprint: "lab"} == verdict.signers


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        render_receipt(sample_receipt()),
        render_receipt(sample_receipt()) + b"\n" + signed(sample_receipt()).partition(b"\n")[2],
        signed(sample_receipt()).replace(b"\n", b"\r\n"),
        signed(sample_receipt()).partition(b"\n")[2],
        signed(sample_receipt()) + b"\n" * MAX_RECEIPT,
    ],
    ids=["nothing", "no signature", "one line", "an empty line", "CRLF", "no document", "too long"],
)
def test_another_file_is_no_receipt(data: bytes) -> None:
    with pytest.raises(FormatError):
        split_receipt(data)


def test_a_document_past_the_cap_is_refused_unparsed() -> None:
    with pytest.raises(FormatError, match="at most 65536 bytes"):
        parse_receipt(b"[" * (MAX_RECEIPT + 1))


@given(st.binary(max_size=200))
def test_no_bytes_make_the_parser_stumble(data: bytes) -> None:
    with pytest.raises(FormatError):
        parse_receipt(data)


def test_the_trees_a_receipt_names_are_found_among_the_known_ones() -> None:
    receipt = sample_receipt(3)
    known = [tree_of_repository(held.path) for held in receipt.repositories[:2]] * 2

    found = held_trees(receipt, [*known, digest_of(b"another")])

    assert {held.path: tree_of_repository(held.path) for held in receipt.repositories[:2]} == found


def test_a_mark_that_fits_two_trees_is_refused() -> None:
    tree = tree_of_repository("alma9/baseos-x86_64")
    twin = type(tree)(tree[:32] + "0" * 32)

    with pytest.raises(FormatError, match="same first 128 bits"):
        held_trees(sample_receipt(), [tree, twin])


def test_two_trees_of_one_mark_do_no_harm_to_a_receipt_that_does_not_name_it() -> None:
    tree = digest_of(b"another")

    assert held_trees(sample_receipt(), [tree, type(tree)(tree[:32] + "0" * 32)]) == {}


def test_a_mark_is_the_first_half_of_the_digest() -> None:
    digest = digest_of(b"")

    assert tree_mark(digest) == "47DEQpj8HBSa-_TImW-5JA"


@pytest.mark.system("bash", "ssh-keygen")
def test_stock_tools_check_a_receipt(tmp_path: Path) -> None:
    """The command that stands in the documentation of the format."""
    file, signers = tmp_path / "receipt", tmp_path / "allowed_signers"
    file.write_bytes(signed(sample_receipt()))
    signers.write_text(f"lab {SIGNER.public.line}\n")

    said = run(
        "bash",
        "-c",
        f"head -n 1 {file} | ssh-keygen -Y verify -f {signers} -I lab -n issmedia-receipt -s <(tail -n +2 {file})",
    )

    assert "Good" in said
