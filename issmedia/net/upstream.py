"""Where a repository comes from: a directory, a `file://` URL, or HTTP(S).

The only module that imports urllib3. Nothing here is trusted: bodies are streamed to a caller who caps them, answers
to be retried are closed unread, `Retry-After` is not obeyed, and no redirect leads from https to http.
Neither proxies nor credentials are taken from the environment. All retries are made here, none by urllib3, for its
waits cannot be ended.
"""

import contextlib
import re
import socket
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from urllib.parse import SplitResult, quote, unquote, urljoin, urlsplit

import urllib3
from urllib3 import connection, exceptions

from issmedia import __version__
from issmedia.base.errors import AbsentError, UpstreamError, UsageError
from issmedia.model.names import path_fault, shown
from issmedia.net.directory import DirectoryUpstream

_ATTEMPTS = 4
_HOPS = 5
_GIVE_UP = 8
"""Files in a row without any answer after which no further one is asked for."""

_ABSENT = frozenset({403, 404, 410})
"""403 too: object stores answer so for a file that is not there."""

_TRANSIENT = frozenset({408, 429, 500, 502, 503, 504})
_NO_ANSWER = (exceptions.HTTPError, OSError)
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_HEADERS = {"User-Agent": f"issmedia/{__version__}", "Accept": "*/*", "Accept-Encoding": "identity"}
_HINT = "a source is a directory, file:///DIRECTORY, http://HOST/PATH or https://HOST/PATH"
_ESCAPED = re.compile(r"(%[0-9A-Fa-f]{2})")


class HttpStream:
    """The body of an answer, as it arrives."""

    def __init__(self, response: urllib3.BaseHTTPResponse, where: str) -> None:
        self._response = response
        self._where = where

    @property
    def fileno(self) -> int | None:
        """Give None: these bytes are no local file."""
        return None

    def read(self, size: int, /) -> bytes:
        """Read up to `size` bytes; empty at the end. `UpstreamError` where the body ends early."""
        try:
            return self._response.read(size, decode_content=False)
        except _NO_ANSWER as cause:
            raise UpstreamError(f"the transfer broke off: {_reason(cause)}", where=self._where) from cause


class HttpUpstream:
    """A repository on a web server. `timeout_s` is the longest silence, `backoff_s` the first wait before a retry."""

    def __init__(self, url: str, *, timeout_s: float, backoff_s: float) -> None:
        self.url = url
        self._base = url.rstrip("/") + "/"
        self._backoff_s = backoff_s
        self._silent = 0
        self._interrupted = threading.Event()
        self._sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        self._pool = urllib3.PoolManager(
            maxsize=16, timeout=urllib3.Timeout(connect=timeout_s, read=timeout_s), headers=_HEADERS, retries=False
        )
        self._guard = threading.Lock()
        self._pool.pool_classes_by_scheme = _pools_that_tell(self._connected)

    @contextmanager
    def open(self, path: str) -> Iterator[HttpStream]:
        """Open the file at a path relative to the repository. Threads may call this at once.

        Characters that no URL may hold are escaped; an escape that stands in the path already is left as it is.
        """
        if fault := path_fault(path):
            raise UpstreamError(f"the name {fault}", where=shown(self._base + path))
        url = self._base + _quoted(path)
        response = self._answer(url)
        try:
            yield HttpStream(response, url)
        finally:
            response.close()
            response.release_conn()

    def listing(self) -> dict[str, int] | None:
        """Give None: a web server cannot be listed."""
        return None

    def interrupt(self) -> None:
        """End what other threads wait for: reads that are blocked fail, and nothing further is asked for."""
        with self._guard:
            self._interrupted.set()
            sockets = list(self._sockets)
        for one in sockets:
            _shut_down(one)

    def close(self) -> None:
        """Close every connection."""
        self._pool.clear()

    def __enter__(self) -> "HttpUpstream":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _connected(self, new: socket.socket) -> None:
        """Remember a socket; one that was being connected when the interruption came is shut down here."""
        with self._guard:
            self._sockets.add(new)
        if self._interrupted.is_set():
            _shut_down(new)

    def _answer(self, url: str) -> urllib3.BaseHTTPResponse:
        """Follow redirects to an answer of 200, or raise."""
        target = url
        for _ in range(_HOPS):
            response = self._patiently(target, where=url)
            if response.status == HTTPStatus.OK:
                return response
            response.close()
            if response.status not in _REDIRECTS:
                raise _refusal(response.status, url)
            target = redirect_target(target, response.headers.get("Location", ""), where=url)
        raise UpstreamError(f"more than {_HOPS} redirects", where=url)

    def _patiently(self, url: str, *, where: str) -> urllib3.BaseHTTPResponse:
        """Ask again while there is no answer or one that may pass, each time after a longer wait."""
        if self._silent >= _GIVE_UP:
            raise UpstreamError(f"not asked for: {_GIVE_UP} files before it got no answer", where=where)
        for attempt in range(_ATTEMPTS - 1):
            with contextlib.suppress(*_NO_ANSWER):
                response = self._ask(url, where=where)
                if response.status not in _TRANSIENT:
                    return response
                response.close()
            self._interrupted.wait(self._backoff_s * 2**attempt)
        try:
            return self._ask(url, where=where)
        except _NO_ANSWER as cause:
            self._silent += 1
            raise UpstreamError(f"no answer: {_reason(cause)}", where=where) from cause

    def _ask(self, url: str, *, where: str) -> urllib3.BaseHTTPResponse:
        if self._interrupted.is_set():
            raise UpstreamError("fetching was given up", where=where)
        response = self._pool.urlopen("GET", url, redirect=False, preload_content=False, decode_content=False)
        self._silent = 0
        return response


def _shut_down(one: socket.socket) -> None:
    """End both directions for whoever waits; below TLS, whose own call is not for two threads."""
    with contextlib.suppress(OSError):
        socket.socket.shutdown(one, socket.SHUT_RDWR)


def _pools_that_tell(connected: Callable[[socket.socket], None]) -> dict[str, type[urllib3.HTTPConnectionPool]]:
    """Make classes of connection pools that tell of each socket, so that one in use can be shut down."""

    class Http(connection.HTTPConnection):
        def connect(self) -> None:
            super().connect()
            connected(self.sock)

    class Https(connection.HTTPSConnection):
        def connect(self) -> None:
            super().connect()
            connected(self.sock)

    class HttpPool(urllib3.HTTPConnectionPool):
        ConnectionCls = Http

    class HttpsPool(urllib3.HTTPSConnectionPool):
        ConnectionCls = Https

    return {"http": HttpPool, "https": HttpsPool}


def checked_source(source: str) -> str:
    """Give back a source that `open_upstream` takes; `UsageError` for any other, and for a relative directory."""
    if "://" in source:
        _require_url(source)
    elif not source.startswith("/"):
        raise UsageError("the source is no absolute path and no URL", where=shown(source), hint=_HINT)
    return source


def open_upstream(source: str, *, timeout_s: float = 60.0, backoff_s: float = 0.5) -> DirectoryUpstream | HttpUpstream:
    """Open a directory (which can be listed), a `file://` URL (which cannot), or an `http(s)://` URL.

    `UsageError` for any other source; `UpstreamError` where a directory is not there. No connection is made yet.
    """
    if "://" not in source:
        return DirectoryUpstream(Path(source), url=source, listed=True)
    url = _require_url(source)
    if url.scheme == "file":
        return DirectoryUpstream(Path(unquote(url.path)), url=source, listed=False)
    return HttpUpstream(source, timeout_s=timeout_s, backoff_s=backoff_s)


def _require_url(source: str) -> SplitResult:
    """Take a URL apart that is a source, or raise `UsageError`."""
    url = _split(source)
    if url.scheme == "file":
        if url.netloc not in ("", "localhost"):
            raise UsageError(
                "a file:// source names another host", where=shown(url.netloc), hint="write file:///DIRECTORY"
            )
    elif url.scheme not in ("http", "https") or not url.hostname:
        raise UsageError(f"{shown(url.scheme)}:// with this host is no source", hint=_HINT)
    return url


def _split(source: str) -> SplitResult:
    """Take a URL apart; its text is in no message, for it may hold a password."""
    try:
        url = urlsplit(source)
        _ = url.port
    except ValueError as cause:
        raise UsageError("the source is not a valid URL", hint=_HINT) from cause
    if "@" in url.netloc:
        raise UsageError(
            "the source holds a user name or password",
            where=f"{url.scheme}://{url.hostname}",
            hint="leave them out: they would be kept in the depot and shown in reports",
        )
    if url.query or url.fragment or not source.isprintable() or " " in source:
        raise UsageError("the source has a query, a fragment or a blank", where=shown(url.netloc), hint=_HINT)
    return url


def _quoted(path: str) -> str:
    """Escape what is between the escapes, and a `%` that begins none."""
    parts = _ESCAPED.split(path)
    return "".join(part if index % 2 else quote(part) for index, part in enumerate(parts))


def redirect_target(url: str, location: str, *, where: str) -> str:
    """Resolve a redirect to a URL of the web without a user name, never from https to http; else `UpstreamError`."""
    try:
        target = urljoin(url, location)
        parts = urlsplit(target)
    except ValueError as cause:
        raise UpstreamError("redirected to what is no URL", where=where) from cause
    allowed = ("https",) if url.startswith("https:") else ("http", "https")
    if parts.scheme not in allowed or not parts.hostname or "@" in parts.netloc:
        raise UpstreamError(
            f"redirected to {shown(parts.scheme)}://{shown(parts.hostname or '')}, which is not followed", where=where
        )
    return target


def _refusal(status: int, where: str) -> UpstreamError:
    try:
        text = f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        text = str(status)
    hint = "credentials are not supported yet" if status == HTTPStatus.UNAUTHORIZED else None
    return (AbsentError if status in _ABSENT else UpstreamError)(f"the server answered {text}", where=where, hint=hint)


def _reason(cause: BaseException) -> str:
    """Say in a few words what the network did; never with a URL in it."""
    if isinstance(cause, exceptions.MaxRetryError) and cause.reason is not None:
        cause = cause.reason
    if isinstance(cause, exceptions.NameResolutionError):
        return "the host's name cannot be resolved"
    if isinstance(cause, exceptions.TimeoutError) and not isinstance(cause, exceptions.NewConnectionError):
        return "the host is silent"
    if isinstance(cause, exceptions.SSLError):
        return shown(f"TLS: {cause}")
    inner = cause.__cause__ or cause.__context__ or cause
    if isinstance(inner, exceptions.IncompleteRead):
        return f"{inner.partial:,} bytes came, {inner.expected:,} more were announced"
    if isinstance(inner, exceptions.ProtocolError):
        return "the connection was closed"
    return shown(getattr(inner, "strerror", None) or str(inner) or type(inner).__name__)
