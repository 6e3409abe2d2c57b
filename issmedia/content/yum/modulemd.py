"""Module streams of modules.yaml. Runs in the parsing child; the only module that imports yaml.

Documents are built from the parser's events, every scalar as the text that stands there: a stream `1.10` stays that,
and no tag makes an object. Aliases are refused: modulemd has none, and a few lines of them can stand for gigabytes.
Documents of other kinds (defaults, obsoletes, translations) are passed over.
"""

from collections.abc import Iterator
from typing import BinaryIO

import msgspec
import yaml

from issmedia.base.digest import digest_of
from issmedia.base.errors import FormatError
from issmedia.model.names import shown
from issmedia.model.package import ModuleStream

Node = str | list["Node"] | dict[str, "Node"]

_DEPTH = 32
_MAX_VERSION = 2**64 - 1
_Loader = getattr(yaml, "CBaseLoader", yaml.BaseLoader)
"""libyaml where PyYAML was built with it: twenty times as fast."""


def module_streams(file: BinaryIO) -> Iterator[ModuleStream]:
    """Yield the streams in order, one document in memory at a time; `FormatError` where one cannot be read."""
    for document in _documents(file):
        if isinstance(document, dict) and document.get("document") == "modulemd":
            yield _stream(document)


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
