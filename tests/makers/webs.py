"""Upstreams on the web that do not wait between tries, and what one reads of them."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from issmedia.model.transport import Transport
from issmedia.net.manners import Manners
from issmedia.net.upstream import open_upstream
from issmedia.net.web import HttpUpstream
from tests.makers.streams import whole


def web(
    url: str,
    *,
    wait: Callable[[float], object] | None = None,
    environment: Mapping[str, str] | None = None,
    **said: Any,
) -> HttpUpstream:
    """Open a source of the web; `said` are fields of its `Transport`, `wait` sees how long would be waited."""
    manners = Manners(timeout_s=10, backoff_s=0.5 if wait else 0, wait=wait)
    upstream = open_upstream(url, Transport(**said), manners=manners, environment=environment)
    assert isinstance(upstream, HttpUpstream)
    return upstream


def read(upstream: HttpUpstream, path: str, *, start: int = 0) -> bytes:
    """Read a file to its end."""
    with upstream.open(path, start=start) as stream:
        return whole(stream)


def secret_file(path: Path, text: str, mode: int = 0o600) -> str:
    """Write a file of credentials."""
    path.touch(0o600)
    path.write_text(text)
    path.chmod(mode)
    return str(path)
