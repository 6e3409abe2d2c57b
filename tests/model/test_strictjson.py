"""JSON without leniencies."""

import msgspec
import pytest

from issmedia.base.errors import FormatError
from issmedia.model import strictjson


class Sample(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A document for these tests."""

    number: int
    text: str = ""
    nested: tuple["Sample", ...] = ()


def test_a_document_is_parsed() -> None:
    parsed = strictjson.parse(b'{"text": "\xc3\xa9 \\n", "number": 9007199254740991}', Sample, where="here")

    assert parsed == Sample(2**53 - 1, "é \n")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"{}",
        b"[]",
        b"null",
        b'{"number": 1} x',
        b'{"number": 1}{"number": 1}',
        b'\xef\xbb\xbf{"number": 1}',
        b'{"number": 1, "number": 1}',
        b'{"number": 1, "nested": [{"number": 1, "number": 2}]}',
        b'{"number": 1.0}',
        b'{"number": 1e3}',
        b'{"number": 1e999}',
        b'{"number": NaN}',
        b'{"number": -Infinity}',
        b'{"number": 9007199254740992}',
        b'{"number": -9007199254740992}',
        b'{"number": ' + b"9" * 5000 + b"}",
        b'{"number": "1"}',
        b'{"number": true}',
        b'{"number": null}',
        b'{"number": 1, "other": 1}',
        b'{"number": 1, "text": "\\ud800"}',
        b'{"number": 1, "nested": [{"number": 1, "text": "\\uDFFF"}]}',
        b'{"number": 1, "\\uDC00": 1}',
        b'{"number": 1, "text": "\xff"}',
        b'{"number": 1, "text": "a\nb"}',
        b'{"number": 1, "text": "a\0b"}',
        b'{"number": 1,}',
        b"{'number': 1}",
        b'{"number": 01}',
        b'{"number": 1} // a comment',
        b"[" * 100_000,
        b'{"number": 1, "nested": ' + b"[" * 100_000,
    ],
    ids=lambda data: ascii(data[:30]),
)
def test_a_document_that_is_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError) as caught:
        strictjson.parse(data, Sample, where="manifest.json")

    assert caught.value.where == "manifest.json"
    assert caught.value.message.isprintable()


@pytest.mark.parametrize("part", [b"{},", b"[],", b'"",'])
def test_too_many_parts_are_refused_before_they_are_parsed(part: bytes) -> None:
    data = b"[" + part * strictjson.MAX_PARTS  # not even JSON

    with pytest.raises(FormatError, match=f"parts, at most {strictjson.MAX_PARTS} are allowed"):
        strictjson.parse(data, Sample, where="manifest.json")


@pytest.mark.parametrize("text", [rb"\\ud800", rb"\ud83d\ude00", rb"\uD83D\uDE00"])
def test_a_pair_of_surrogates_and_an_escaped_backslash_are_text(text: bytes) -> None:
    parsed = strictjson.parse(b'{"number": 1, "text": "' + text + b'"}', Sample, where="here")

    assert parsed.text in {"\\ud800", "\U0001f600"}


def test_the_message_names_the_field() -> None:
    with pytest.raises(FormatError, match=r"\$\.nested\[0\]\.number"):
        strictjson.parse(b'{"number": 1, "nested": [{"number": "x"}]}', Sample, where="here")


def test_a_document_is_written_sorted_indented_and_ended_by_one_newline() -> None:
    written = strictjson.render(Sample(1, "é", (Sample(2),)))

    assert written.decode() == (
        '{\n  "nested": [\n    {\n      "nested": [],\n      "number": 2,\n      "text": ""\n    }\n  ],\n'
        '  "number": 1,\n  "text": "é"\n}\n'
    )
    assert strictjson.parse(written, Sample, where="here") == Sample(1, "é", (Sample(2),))
