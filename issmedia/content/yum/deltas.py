"""Delta RPMs, as prestodelta.xml names them. Runs in the parsing child, on a document whose prologue was judged.

What they are deltas of is passed over: they are only carried. Format: `deltarpm` and createrepo_c's `--deltas`.
"""

from collections.abc import Iterator
from typing import BinaryIO
from xml.etree.ElementTree import Element, ParseError

from issmedia.base.errors import FormatError
from issmedia.content.yum.comps import children
from issmedia.content.yum.parsed import Delta


def deltas(file: BinaryIO) -> Iterator[Delta]:
    """Yield the deltas of each package in order; `FormatError` where it is malformed or nested deeply."""
    try:
        yield from (_delta(one) for package in children(file) for one in package.iterfind("delta"))
    except (ParseError, ValueError) as cause:
        raise FormatError(f"not XML: {cause}") from cause


def _delta(element: Element) -> Delta:
    size = (element.findtext("size") or "").strip()
    if not (size.isascii() and size.isdigit() and len(size) <= 15):
        raise FormatError("it has a delta without a size")
    checksum = element.find("checksum")
    kind, value = ("", "") if checksum is None else (checksum.get("type", ""), (checksum.text or "").strip())
    return Delta((element.findtext("filename") or "").strip(), int(size), kind, value)
