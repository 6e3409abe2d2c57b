"""Which bytes of an advisory, or of an element of comps, speak of which package. Runs in the parsing child."""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from xml.parsers import expat

from issmedia.base.errors import FormatError
from issmedia.content.yum.parsed import Part, Slice, group_key
from issmedia.model.package import nevra_key

_TAG = re.compile(rb"<(?:[^<>\"']|\"[^\"]*\"|'[^']*')*>\s*")
"""A tag and the blanks behind it."""

_DEPTH = 32

Attributes = Mapping[str, str]


def advisory_slice(data: bytes) -> Slice:
    """Describe an <update>: its collections, and their packages."""
    return Slice(len(data), whole=_Reading(data, {"package": _package}, holders=("collection",)).whole())


def comps_slice(data: bytes) -> Slice:
    """Describe a <group> by the packages it lists, a category, environment or the langpacks by what they refer to."""
    reading = _Reading(data, {"packagereq": _text, "groupid": _group, "match": _match})
    whole = reading.whole()
    gives = (group_key(reading.id),) if data.startswith(b"<group") and reading.id else ()
    return Slice(len(data), whole=whole, gives=gives)


def _package(attributes: Attributes, text: str) -> str:  # noqa: ARG001
    fields = (attributes.get(name, "") for name in ("name", "epoch", "version", "release", "arch"))
    return nevra_key(*fields)


def _text(attributes: Attributes, text: str) -> str:  # noqa: ARG001
    return text.strip()


def _group(attributes: Attributes, text: str) -> str:  # noqa: ARG001
    return group_key(text.strip())


def _match(attributes: Attributes, text: str) -> str:  # noqa: ARG001
    return attributes.get("name", "")


@dataclass(slots=True)
class _Open:
    """An element whose end was not seen yet; `inner` are the parts found in it."""

    name: str
    start: int
    attributes: Attributes
    text: list[str] = field(default_factory=list)
    inner: list[Part] = field(default_factory=list)


class _Reading:
    """Reads one element: `leaves` are the names of elements that speak of a package, `holders` those around them."""

    def __init__(
        self, data: bytes, leaves: Mapping[str, Callable[[Attributes, str], str]], *, holders: Collection[str] = ()
    ) -> None:
        self.id = ""
        self._data = data
        self._leaves = leaves
        self._holders = holders
        self._open: list[_Open] = []
        self._whole: Part | None = None
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._characters

    def whole(self) -> Part:
        """Give the element with its parts; `ExpatError` or `FormatError` where it is none."""
        self._parser.Parse(self._data, True)
        assert self._whole
        return self._whole

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if len(self._open) >= _DEPTH:
            raise FormatError(f"its elements are nested more than {_DEPTH} deep")
        self._open.append(_Open(name, self._parser.CurrentByteIndex, attributes))

    def _characters(self, text: str) -> None:
        self._open[-1].text.append(text)

    def _end(self, name: str) -> None:
        ended = self._open.pop()
        if not self._open:
            self._whole = Part(0, len(self._data), inner=tuple(ended.inner))
        elif name in self._leaves:
            key = self._leaves[name](ended.attributes, "".join(ended.text))
            self._open[-1].inner.append(Part(ended.start, self._end_of(ended), key))
        elif name in self._holders:
            self._open[-1].inner.append(Part(ended.start, self._end_of(ended), inner=tuple(ended.inner)))
        else:
            self._open[-1].inner.extend(ended.inner)
        if name == "id" and len(self._open) == 1:
            self.id = "".join(ended.text).strip()

    def _end_of(self, ended: _Open) -> int:
        """Find where an element ends that the parser is at the end of; an empty one has one tag only."""
        tag = _TAG.match(self._data, ended.start)
        if tag and not tag[0].rstrip().endswith(b"/>"):
            tag = _TAG.match(self._data, self._parser.CurrentByteIndex)
        assert tag
        return tag.end()
