"""The head of an answer: of all that a server may say there, what is read here."""

from typing import NamedTuple

_MOST_INTERIM = 8
"""Answers of status 1xx to one request; they only announce another."""

_MOST_BYTES = 128 << 10
"""Bytes of all lines of one answer, those of interim ones and trailers with it."""

_MOST_READ = 8 << 10
"""Bytes of a header that is read."""

_READ = frozenset({b"location", b"content-range", b"retry-after"})


class Head(NamedTuple):
    """A status, and the headers that are read; empty where one is absent."""

    status: int
    location: str = ""
    content_range: str = ""
    retry_after: str = ""

    @property
    def is_endless(self) -> bool:
        """Say whether one of these is longer than anybody means it."""
        return any(len(text) > _MOST_READ for text in self[1:])


class Tally:
    """Counts the lines of one answer as they come, each once."""

    def __init__(self) -> None:
        self._counted = self._bytes = self._heads = 0

    def fault(self, lines: list[bytes]) -> str | None:
        """Say why the lines that came by now are too many; None where they are not."""
        for line in lines[self._counted :]:
            self._bytes += len(line)
            self._heads += line.startswith(b"HTTP/")
        self._counted = len(lines)
        if self._bytes > _MOST_BYTES:
            return "its head has no end"
        return "it announces answers and gives none" if self._heads > _MOST_INTERIM else None


def read_head(lines: list[bytes]) -> Head | None:
    """Read the first head that is no announcement; None where it is not there to its end.

    Of a header that stands there twice, the first counts.
    """
    status, found = 0, dict[bytes, bytes]()
    for line in lines:
        if not status:
            status = _status(line)
        elif not line.rstrip(b"\r\n"):
            if status >= 200:
                return Head(status, *(_text(found, name) for name in (b"location", b"content-range", b"retry-after")))
            status, found = 0, {}
        elif line[:1] in b"cClLrR":
            name, _, value = line.partition(b":")
            if (name := name.strip().lower()) in _READ:
                found.setdefault(name, value.strip())
    return None


def _status(line: bytes) -> int:
    """Read a status line; one without a number is an announcement, which nobody believes."""
    number = line.split(maxsplit=2)[1:2]
    return int(number[0]) if number and number[0].isdigit() and len(number[0]) == 3 else 100


def _text(found: dict[bytes, bytes], name: bytes) -> str:
    data = found.get(name, b"")
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("latin-1")
