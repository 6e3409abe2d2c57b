"""Where a repository comes from: a directory, a `file://` URL, or HTTP(S).

The only module that imports urllib3. Nothing here is trusted: bodies are streamed to a caller who caps them, answers
to be retried are closed unread, `Retry-After` is not obeyed, and no redirect leads from https to http.
Neither proxies nor credentials are taken from the environment.
"""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from urllib.parse import SplitResult, quote, unquote, urljoin, urlsplit

import urllib3
from urllib3 import exceptions

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
        except (exceptions.HTTPError, OSError) as cause:
            raise UpstreamError(f"the transfer broke off: {_reason(cause)}", where=self._where) from cause


class HttpUpstream:
    """A repository on a web server. `timeout_s` is the longest silence, `backoff_s` the first wait before a retry."""

    def __init__(self, url: str, *, timeout_s: float, backoff_s: float) -> None:
        self.url = url
        self._base = url.rstrip("/") + "/"
        self._backoff_s = backoff_s
        self._silent = 0
        self._pool = urllib3.PoolManager(
            maxsize=16, timeout=urllib3.Timeout(connect=timeout_s, read=timeout_s), headers=_HEADERS
        )

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

    def close(self) -> None:
        """Close every connection."""
        self._pool.clear()

    def __enter__(self) -> "HttpUpstream":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

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
        """Ask again while the answer is one that may pass, each time after a longer wait."""
        for attempt in range(_ATTEMPTS - 1):
            response = self._ask(url, where=where)
            if response.status not in _TRANSIENT:
                return response
            response.close()
            time.sleep(self._backoff_s * 2**attempt)
        return self._ask(url, where=where)

    def _ask(self, url: str, *, where: str) -> urllib3.BaseHTTPResponse:
        if self._silent >= _GIVE_UP:
            raise UpstreamError(f"not asked for: {_GIVE_UP} files before it got no answer", where=where)
        retries = urllib3.Retry(
            _ATTEMPTS - 1, status=0, redirect=0, backoff_factor=self._backoff_s, respect_retry_after_header=False
        )
        try:
            response = self._pool.urlopen(
                "GET", url, retries=retries, redirect=False, preload_content=False, decode_content=False
            )
        except (exceptions.HTTPError, OSError) as cause:
            self._silent += 1
            raise UpstreamError(f"no answer: {_reason(cause)}", where=where) from cause
        self._silent = 0
        return response


def open_upstream(source: str, *, timeout_s: float = 60.0, backoff_s: float = 0.5) -> DirectoryUpstream | HttpUpstream:
    """Open a directory (which can be listed), a `file://` URL (which cannot), or an `http(s)://` URL.

    `UsageError` for any other source; `UpstreamError` where a directory is not there. No connection is made yet.
    """
    if "://" not in source:
        return DirectoryUpstream(Path(source), url=source, listed=True)
    url = _split(source)
    if url.scheme == "file":
        return DirectoryUpstream(_file_path(url), url=source, listed=False)
    if url.scheme not in ("http", "https") or not url.hostname:
        raise UsageError(f"{url.scheme}:// with this host is no source", hint=_HINT)
    return HttpUpstream(source, timeout_s=timeout_s, backoff_s=backoff_s)


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


def _file_path(url: SplitResult) -> Path:
    if url.netloc not in ("", "localhost"):
        raise UsageError("a file:// source names another host", where=shown(url.netloc), hint="write file:///DIRECTORY")
    return Path(unquote(url.path))


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
