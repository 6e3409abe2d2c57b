"""Module streams of modules.yaml. Runs in the parsing child; the only module that imports yaml.

Documents are built from the parser's events, every scalar as the text that stands there: a stream `1.10` stays that,
and no tag makes an object. Aliases are refused: modulemd has none, and a few lines of them can stand for gigabytes.
Documents of other kinds (defaults, obsoletes, translations) are passed over, except where slices are asked for: there
each is a slice. That of a module stream has its artifacts in one line, so that each can be cut out; all else stands as
upstream wrote it.
"""

from collections.abc import Iterator, Sequence
from typing import BinaryIO

import msgspec
import yaml

from issmedia.base.digest import digest_of
from issmedia.base.errors import FormatError
from issmedia.content.yum.parsed import Part, Slice, module_key, stream_key
from issmedia.model.names import shown
from issmedia.model.package import ModuleStream

Node = str | list["Node"] | dict[str, "Node"]

_DEPTH = 32
_MAX_VERSION = 2**64 - 1
_BREAKS = "\r\n"
_ABOUT = ("modulemd-defaults", "modulemd-obsoletes", "modulemd-translations")
"""Documents about a module or a stream of it."""

_Loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
"""libyaml where PyYAML was built with it: twenty times as fast."""


def module_streams(file: BinaryIO) -> Iterator[ModuleStream]:
    """Yield the streams in order, one document in memory at a time; `FormatError` where one cannot be read."""
    for document in _documents(file):
        if isinstance(document, dict) and document.get("document") == "modulemd":
            yield _stream(document)


def module_slices(text: str) -> Iterator[tuple[Slice, bytes]]:
    """Yield each document that can be told to belong to a module, in order; `FormatError` as above."""
    for events in _event_lists(text):
        stream = iter(events[1:-1])
        document = _node(next(stream), stream, 0)
        if isinstance(document, dict) and isinstance(document.get("data"), dict):
            yield from _slice(document, events, text)


def _slice(document: dict[str, Node], events: Sequence[yaml.Event], text: str) -> Iterator[tuple[Slice, bytes]]:
    kind, data = document.get("document"), document["data"]
    begin, end = _end(events[0]) if getattr(events[0], "explicit", False) else _start(events[0]), _start(events[-1])
    if kind == "modulemd":
        yield _stream_slice(_stream(document), events, (text, begin, end))
    elif isinstance(kind, str) and kind in _ABOUT and isinstance(data, dict):
        body = _framed(text[begin:end])
        yield Slice(len(body), needs=tuple(_needs(data))), body


def _needs(data: dict[str, Node]) -> Iterator[str]:
    """Name the stream that a document is about, or the module where it is about all of it; and what took its place."""
    for one in (data, data.get("obsoleted_by")):
        if isinstance(one, dict):
            stream = _text(one, "stream", default="")
            yield stream_key(_text(one, "module"), stream) if stream else module_key(_text(one, "module"))


def _stream_slice(
    found: ModuleStream, events: Sequence[yaml.Event], place: tuple[str, int, int]
) -> tuple[Slice, bytes]:
    text, begin, end = place
    gives = stream_key(found.name, found.stream), module_key(found.name)
    key, *listing = _under(_under(_under(events[:-1], "data"), "artifacts"), "rpms") or (events[0],)
    if not listing or not isinstance(listing[0], yaml.SequenceStartEvent):
        body = _framed(text[begin:end])
        return Slice(len(body), whole=Part(0, len(body)), gives=gives, stream=found), body
    head = f"---\n{text[begin : _end(key)].lstrip(_BREAKS)}: [".encode()
    names = [event.value for event in listing[1:-1] if isinstance(event, yaml.ScalarEvent)]
    parts, items = _items(names, len(head))
    body = head + b"".join(items) + b"]" + _ended(_after(listing, text) + text[_end(listing[-1]) : end])
    return Slice(len(body), whole=Part(0, len(body), inner=tuple(parts)), gives=gives, stream=found), body


def _items(names: Sequence[str], start: int) -> tuple[list[Part], list[bytes]]:
    """Write the names as items of a sequence in one line, which begins at `start`."""
    items = [msgspec.json.encode(name) + b", " for name in names]
    parts: list[Part] = []
    for name, item in zip(names, items, strict=True):
        parts.append(Part(start, start + len(item), name))
        start += len(item)
    return parts, items


def _after(listing: Sequence[yaml.Event], text: str) -> str:
    """Give what must stand between a sequence that is written in one line now and what follows it."""
    end = _end(listing[-1])
    in_line = getattr(listing[0], "flow_style", False)
    return "" if in_line else "\n" + " " * (end - text.rfind("\n", 0, end) - 1)


def _start(event: yaml.Event) -> int:
    assert event.start_mark
    return event.start_mark.index


def _end(event: yaml.Event) -> int:
    assert event.end_mark
    return event.end_mark.index


def _framed(body: str) -> bytes:
    return b"---\n" + _ended(body.lstrip(_BREAKS))


def _ended(body: str) -> bytes:
    return body.rstrip("\n ").encode() + b"\n...\n"


def _event_lists(text: str) -> Iterator[list[yaml.Event]]:
    """Yield the events of one document after another, from its start to its end."""
    events: list[yaml.Event] = []
    try:
        for event in yaml.parse(text, Loader=_Loader):
            if isinstance(event, yaml.DocumentStartEvent):
                events = []
            events.append(event)
            if isinstance(event, yaml.DocumentEndEvent):
                yield events
    except (yaml.YAMLError, UnicodeError) as cause:
        raise FormatError(f"not YAML: {cause}") from cause


def _under(pair: Sequence[yaml.Event], key: str) -> Sequence[yaml.Event]:
    """Give the events of a key and its value in a mapping, which is the value of `pair`; nothing where it has none."""
    if len(pair) < 2 or not isinstance(pair[1], yaml.MappingStartEvent):
        return ()
    at = 2
    while at < len(pair) - 1:
        end, found = _node_end(pair, at + 1), pair[at]
        if isinstance(found, yaml.ScalarEvent) and found.value == key:
            return pair[at:end]
        at = end
    return ()


def _node_end(events: Sequence[yaml.Event], at: int) -> int:
    """Find where the node ends that begins at an index."""
    depth = 0
    while True:
        depth += isinstance(events[at], yaml.CollectionStartEvent) - isinstance(events[at], yaml.CollectionEndEvent)
        at += 1
        if depth <= 0:
            return at


def _stream(document: dict[str, Node]) -> ModuleStream:
    data = document.get("data")
    if document.get("version") not in ("1", "2") or not isinstance(data, dict):
        raise FormatError("it has a modulemd document that is neither of version 1 nor 2, or without data")
    version = _text(data, "version")
    if not (version.isascii() and version.isdigit() and len(version) <= 20 and int(version) <= _MAX_VERSION):
        raise FormatError(f"expected a number below 2^64 as the version of a module stream, got {shown(version)!r}")
    return ModuleStream(
        name=_text(data, "name"),
        stream=_text(data, "stream"),
        version=int(version),
        context=_text(data, "context", default=""),
        arch=_text(data, "arch", default=""),
        digest=digest_of(msgspec.json.encode(document, order="sorted")),
    )


def _text(data: dict[str, Node], key: str, *, default: str | None = None) -> str:
    found = data.get(key, default)
    if not isinstance(found, str) or (not found and default is None):
        raise FormatError(f"it has a module stream whose {key} is missing, or no text")
    return found


def _documents(file: BinaryIO) -> Iterator[Node]:
    events = yaml.parse(file, Loader=_Loader)
    try:
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                yield _node(next(events), events, 0)
    except (yaml.YAMLError, UnicodeError) as cause:
        raise FormatError(f"not YAML: {cause}") from cause


def _node(event: yaml.Event, events: Iterator[yaml.Event], depth: int) -> Node:
    """Build what an event begins; takes the events up to its end."""
    if isinstance(event, yaml.ScalarEvent):
        return str(event.value)
    if isinstance(event, yaml.AliasEvent):
        raise FormatError("it has an alias; modulemd has none, and none is followed")
    if depth >= _DEPTH:
        raise FormatError(f"it is nested more than {_DEPTH} deep")
    if isinstance(event, yaml.SequenceStartEvent):
        return [_node(one, events, depth + 1) for one in _until(yaml.SequenceEndEvent, events)]
    return _mapping(events, depth)


def _mapping(events: Iterator[yaml.Event], depth: int) -> dict[str, Node]:
    found: dict[str, Node] = {}
    for event in _until(yaml.MappingEndEvent, events):
        key = _node(event, events, depth + 1)
        if not isinstance(key, str) or key in found:
            raise FormatError("it has a key that stands twice, or is no text")
        found[key] = _node(next(events), events, depth + 1)
    return found


def _until(end: type[yaml.Event], events: Iterator[yaml.Event]) -> Iterator[yaml.Event]:
    for event in events:
        if isinstance(event, end):
            return
        yield event
