"""Cutting documents apart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from issmedia.base.errors import FormatError
from issmedia.content.yum.parsed import Part
from issmedia.content.yum.parts import advisory_slice, comps_slice
from issmedia.content.yum.slices import Slicer, href_of, pkgid_of, with_href

DOCUMENT = b"""<?xml version="1.0"?><!DOCTYPE all PUBLIC "a>b" 'c"d'>
<all count="2"><packager>p</packager><!-- <package> > -->
<package a="x">one<![CDATA[<b>&]]></package><package
>two <packager/></package> <?php <package> ?>
<packages/></all>"""
ELEMENTS = [b'<package a="x">one&lt;b&gt;&amp;</package>', b"<package\n>two <packager/></package>"]


def cut(document: bytes, sizes: list[int]) -> list[bytes]:
    """Cut a document that arrives in pieces of these sizes, the rest at once."""
    found: list[bytes] = []
    slicer = Slicer((b"package",), found.append)
    for size in sizes:
        slicer.feed(document[:size])
        document = document[size:]
    slicer.feed(document)
    slicer.finish()
    return found


@given(st.lists(st.integers(0, 30)))
def test_elements_are_the_same_however_the_document_arrives(sizes: list[int]) -> None:
    assert cut(DOCUMENT, sizes) == ELEMENTS


def test_byte_by_byte_is_the_same() -> None:
    assert cut(DOCUMENT, [1] * len(DOCUMENT)) == ELEMENTS


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (b"<all><package><package></package></all>", "within each other"),
        (b"<all><package></all>", "has no end"),
        (b"<all><package></package><package ", "cut short|has no end"),
        (b"<all><!-- ", "cut short"),
        (b"<all><package>" + b"x" * (33 << 20), "longer than"),
        (b"<all><!-- " + b"x" * (33 << 20), "longer than"),
    ],
    ids=range(6),
)
def test_what_cannot_be_told_apart_is_refused(document: bytes, reason: str) -> None:
    with pytest.raises(FormatError, match=reason):
        cut(document, [])


@pytest.mark.parametrize(
    ("element", "href"),
    [
        (b'<location href="a.rpm"/>', "a.rpm"),
        (b"<location xml:base='x'\n href = 'a&amp;\"b.rpm' />", 'a&"b.rpm'),
        (b"<location x=' href=\"evil\"' href='good'/>", "good"),
        ('<location href="ü.rpm"/>'.encode(), "ü.rpm"),
        (b'<location href="a"/><location href="b"/>', ""),
        (b'<location href="a"/><location\thref="b"/>', ""),
        (b'<location href="a" href="b"/>', ""),
        (b"<location/>", ""),
        (b"", ""),
    ],
)
def test_where_a_package_lies_is_said_once(element: bytes, href: str) -> None:
    assert href_of(b"<package>" + element + b"</package>") == href


def test_an_href_is_written_in_place() -> None:
    found = with_href(b"<package><location a='1'  href='x.rpm' /> x.rpm</package>", b'"../y.rpm"')

    assert found == b"<package><location a='1'  href=\"../y.rpm\" /> x.rpm</package>"


def test_a_checksum_is_that_of_the_elements_own_tag() -> None:
    assert pkgid_of(b"<package name='a' pkgid = 'abc'><x pkgid='d'/></package>") == "abc"
    assert pkgid_of(b"<package name='a'><x pkgid='d'/></package>") == ""


def test_parts_are_the_bytes_of_elements_empty_ones_too() -> None:
    package = b"<package name='a>' version='1' release='2' arch='x'/>"
    data = b"<update><collection>" + package + package + b"\n</collection></update>"

    whole = advisory_slice(data).whole

    assert whole is not None
    (collection,) = whole.inner
    assert data[collection.start : collection.end] == b"<collection>" + package + package + b"\n</collection>"
    assert [data[part.start : part.end] for part in collection.inner] == [package, package + b"\n"]
    assert collection.inner[0].key == "a>-0:1-2.x"


def test_a_group_gives_itself() -> None:
    found = comps_slice(b"<group><id> g </id><packagelist><packagereq>a</packagereq></packagelist></group>")

    assert found.gives == ("group g",)
    assert found.whole == Part(0, found.size, inner=(Part(32, 58, "a"),))
