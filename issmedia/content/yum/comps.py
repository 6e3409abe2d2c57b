"""Package groups of comps.xml. Runs in the parsing child, on a document whose prologue was judged.

Other elements (categories, environments, langpacks) are passed over. A group's digest is taken over its elements with
their attributes sorted and their text stripped, so that it does not depend on the form of the file.
"""

from collections.abc import Iterator
from typing import BinaryIO
from xml.etree.ElementTree import Element, ParseError, iterparse

import msgspec

from issmedia.base.digest import Digest, digest_of
from issmedia.base.errors import FormatError
from issmedia.model.package import Group

_DEPTH = 32
_TEXT = 500
"""Characters kept of a name."""


def groups(file: BinaryIO) -> Iterator[Group]:
    """Yield the groups in order, one in memory at a time; `FormatError` where it is malformed or nested deeply."""
    try:
        yield from (_group(element) for element in children(file) if element.tag == "group")
    except (ParseError, ValueError) as cause:
        raise FormatError(f"not XML: {cause}") from cause


def children(file: BinaryIO) -> Iterator[Element]:
    """Yield the elements below the root, each whole, and forget it. Entities cannot be there, so no bomb is parsed."""
    inside: list[Element] = []
    for event, element in iterparse(file, ("start", "end")):  # noqa: S314
        if event == "start":
            inside.append(element)
        else:
            inside.pop()
            if len(inside) == 1:
                yield element
                inside[0].clear()
        if len(inside) > _DEPTH:
            raise FormatError(f"its elements are nested more than {_DEPTH} deep")


def _group(element: Element) -> Group:
    identity = (element.findtext("id") or "").strip()
    if not identity:
        raise FormatError("it has a group without an id")
    name = next(((one.text or "").strip() for one in element.iterfind("name") if not one.attrib), "")
    return Group(identity, name[:_TEXT], _digest(element))


def _digest(element: Element) -> Digest:
    return digest_of(msgspec.json.encode(_content(element)))


def _content(element: Element) -> tuple[object, ...]:
    children = [_content(one) for one in element]
    return element.tag, sorted(element.attrib.items()), (element.text or "").strip(), children
