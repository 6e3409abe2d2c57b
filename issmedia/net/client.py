"""One client of the web: pools of connections, redirects, further tries, credentials for those they are meant for.

Nothing here is trusted: bodies are streamed to a caller who caps them, answers to be retried are closed unread. No
redirect leads from https to http, and neither a password, a token nor the client certificate goes to a host that the
operator did not name. All retries are made here, none by urllib3, for its waits cannot be ended.
"""

import base64
import contextlib
import socket
import ssl
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import urljoin, urlsplit

import urllib3
from urllib3 import connection, exceptions

from issmedia import __version__
from issmedia.base.errors import UpstreamError
from issmedia.model.names import shown
from issmedia.model.transport import NOTHING_CHOSEN, Transport
from issmedia.net import tls
from issmedia.net.manners import Manners, Pace
from issmedia.net.proxies import Proxy, parse_proxy, proxy_for
from issmedia.net.secrets import Secrets
from issmedia.net.words import NO_ANSWER, reason, refusal

_HOPS = 5
_GIVE_UP = 8
"""Requests in a row without any answer after which a host is asked for nothing more."""

_PART = 64 << 10
"""Bytes read at a time where a rate is set."""

_TRANSIENT = frozenset({408, 429, 500, 502, 503, 504})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_HEADERS = {"User-Agent": f"issmedia/{__version__}", "Accept": "*/*", "Accept-Encoding": "identity"}


@dataclass(frozen=True, slots=True)
class Access:
    """By what right, and by which way, a client asks.

    `origins` are those that get `secrets` and the client certificate of `transport`; `environment` may name proxies.
    """

    transport: Transport = NOTHING_CHOSEN
    secrets: Secrets = field(default_factory=Secrets, repr=False)
    origins: frozenset[str] = frozenset()
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)


class HttpStream:
    """The body of an answer, as it arrives; `start` is where in the file it begins."""

    def __init__(self, response: urllib3.BaseHTTPResponse, where: str, pace: Pace | None, start: int) -> None:
        self.start = start
        self._response = response
        self._where = where
        self._pace = pace

    @property
    def fileno(self) -> int | None:
        """Give None: these bytes are no local file."""
        return None

    def read(self, size: int, /) -> bytes:
        """Read up to `size` bytes; empty at the end. `UpstreamError` where the body ends early."""
        try:
            data = self._response.read(min(size, _PART) if self._pace else size, decode_content=False)
        except NO_ANSWER as cause:
            raise UpstreamError(f"the transfer broke off: {reason(cause)}", where=self._where) from cause
        if self._pace:
            self._pace.passed(len(data))
        return data


class Client:
    """Asks servers. Threads may use one at once."""

    def __init__(self, manners: Manners, access: Access) -> None:
        self.manners = manners
        self._access = access
        self._interrupted = threading.Event()
        self._pace = Pace(manners, self._interrupted)
        self._silent: dict[str, int] = {}
        self._sockets: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        self._guard = threading.Lock()
        self._pools: dict[tuple[str, bool, Proxy | None], urllib3.PoolManager] = {}
        self._contexts: dict[bool, ssl.SSLContext] = {}
        if access.transport.client_cert or access.transport.ca_bundle:
            self._context(ours=True)  # what is wrong with these files is said before anybody is asked

    @contextlib.contextmanager
    def get(self, url: str, *, start: int = 0, tries: int | None = None) -> Iterator[HttpStream]:
        """Open the body of a URL, at byte `start` if the server can; ask so often for an answer."""
        response, begins = self._answer(url, start, tries or self.manners.tries)
        try:
            yield HttpStream(response, url, self._pace if self.manners.rate else None, begins)
        finally:
            response.close()
            response.release_conn()

    def pause(self, failures: int) -> None:
        """Wait before what failed so often is asked for again."""
        self._pace.pause(self.manners.pause_s(failures, None))

    def interrupt(self) -> None:
        """End what other threads wait for: reads that are blocked fail, and nothing further is asked for."""
        with self._guard:
            self._interrupted.set()
            sockets = list(self._sockets)
        for one in sockets:
            _shut_down(one)

    def close(self) -> None:
        """Close every connection."""
        with self._guard:
            for pool in self._pools.values():
                pool.clear()

    def _answer(self, url: str, start: int, tries: int) -> tuple[urllib3.BaseHTTPResponse, int]:
        """Follow redirects to an answer of 200, or 206 for the middle, or raise; say where the body begins."""
        target = url
        for _ in range(_HOPS):
            response = self._patiently(target, start, tries, where=url)
            if response.status == HTTPStatus.OK:
                return response, 0
            if start and response.status == HTTPStatus.PARTIAL_CONTENT and _begins_at(response, start):
                return response, start
            response.close()
            if start and response.status in (HTTPStatus.PARTIAL_CONTENT, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE):
                return self._answer(url, 0, tries)
            if response.status not in _REDIRECTS:
                raise refusal(response.status, url)
            target = redirect_target(target, response.headers.get("Location", ""), where=url)
        raise UpstreamError(f"more than {_HOPS} redirects", where=url)

    def _patiently(self, url: str, start: int, tries: int, *, where: str) -> urllib3.BaseHTTPResponse:
        """Ask again while there is no answer or one that may pass, each time after a longer wait."""
        for failures in range(1, tries):
            asked: str | None = None
            try:
                response = self._ask(url, start, where=where)
            except exceptions.SSLError as cause:
                raise self._silence(cause, url, where) from cause
            except NO_ANSWER:
                pass
            else:
                if response.status not in _TRANSIENT:
                    return response
                asked = response.headers.get("Retry-After")
                response.close()
            self._pace.pause(self.manners.pause_s(failures, asked))
        try:
            return self._ask(url, start, where=where)
        except NO_ANSWER as cause:
            raise self._silence(cause, url, where) from cause

    def _silence(self, cause: Exception, url: str, where: str) -> UpstreamError:
        with self._guard:
            self._silent[origin_of(url)] = self._silent.get(origin_of(url), 0) + 1
        tls_hint = "a CA of your own is named by --ca-bundle FILE" if isinstance(cause, exceptions.SSLError) else None
        return UpstreamError(f"no answer: {reason(cause)}", where=where, hint=tls_hint)

    def _ask(self, url: str, start: int, *, where: str) -> urllib3.BaseHTTPResponse:
        if self._interrupted.is_set():
            raise UpstreamError("fetching was given up", where=where)
        origin = origin_of(url)
        if self._silent.get(origin, 0) >= _GIVE_UP:
            raise UpstreamError(f"not asked for: {_GIVE_UP} files before it got no answer", where=where)
        headers = _HEADERS | ({"Range": f"bytes={start}-"} if start else {}) | self._credentials(origin)
        response = self._pool(url, origin).urlopen(
            "GET", url, headers=headers, redirect=False, preload_content=False, decode_content=False
        )
        self._silent.pop(origin, None)
        return response

    def _credentials(self, origin: str) -> dict[str, str]:
        """Give the header for an origin that the operator named, by https: for any other, none."""
        secrets = self._access.secrets
        if origin not in self._access.origins or not origin.startswith("https:"):
            return {}
        if secrets.bearer:
            return {"Authorization": f"Bearer {secrets.bearer}"}
        if not secrets.username:
            return {}
        return {"Authorization": _basic(secrets.username, secrets.password)}

    def _pool(self, url: str, origin: str) -> urllib3.PoolManager:
        """Give the pools for a URL: by proxy, and apart for those that see our certificate."""
        transport = self._access.transport
        proxy = parse_proxy(transport.proxy) if transport.proxy else proxy_for(url, self._access.environment)
        ours, scheme = origin in self._access.origins, urlsplit(url).scheme
        with self._guard:
            if (scheme, ours, proxy) not in self._pools:
                self._pools[scheme, ours, proxy] = self._new_pool(scheme, proxy, ours=ours)
            return self._pools[scheme, ours, proxy]

    def _context(self, *, ours: bool) -> ssl.SSLContext:
        if ours not in self._contexts:
            self._contexts[ours] = tls.context(self._access.transport, ours=ours)
        return self._contexts[ours]

    def _new_pool(self, scheme: str, proxy: Proxy | None, *, ours: bool) -> urllib3.PoolManager:
        timeout = urllib3.Timeout(connect=self.manners.timeout_s, read=self.manners.timeout_s)
        size = self.manners.connections
        context = self._context(ours=ours) if scheme == "https" else None
        if proxy is None:
            pool = urllib3.PoolManager(maxsize=size, timeout=timeout, retries=False, ssl_context=context)
        else:
            secrets = self._access.secrets
            user, password = proxy.username or secrets.proxy_username, proxy.password or secrets.proxy_password
            pool = urllib3.ProxyManager(
                proxy.url,
                proxy_headers={"Proxy-Authorization": _basic(user, password)} if user else None,
                proxy_ssl_context=self._context(ours=False) if proxy.url.startswith("https:") else None,
                maxsize=size,
                timeout=timeout,
                retries=False,
                ssl_context=context,
            )
        pool.pool_classes_by_scheme = _pools_that_tell(self._connected)
        return pool

    def _connected(self, new: socket.socket) -> None:
        """Remember a socket; one that was being connected when the interruption came is shut down here."""
        with self._guard:
            self._sockets.add(new)
        if self._interrupted.is_set():
            _shut_down(new)


def origin_of(url: str) -> str:
    """Give scheme, host and port of a URL of the web: what credentials are bound to."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return f"{parts.scheme}://{(parts.hostname or '').lower()}:{port}"


def redirect_target(url: str, location: str, *, where: str) -> str:
    """Resolve a redirect to a URL of the web without a user name, never from https to http; else `UpstreamError`."""
    try:
        target = urljoin(url, location)
        parts = urlsplit(target)
        _ = parts.port
    except ValueError as cause:
        raise UpstreamError("redirected to what is no URL", where=where) from cause
    allowed = ("https",) if url.startswith("https:") else ("http", "https")
    if parts.scheme not in allowed or not parts.hostname or "@" in parts.netloc:
        raise UpstreamError(
            f"redirected to {shown(parts.scheme)}://{shown(parts.hostname or '')}, which is not followed", where=where
        )
    return target


def read_whole(client: Client, url: str, *, limit: int, tries: int | None = None) -> bytes:
    """Read a small body; `UpstreamError` where it is larger than `limit` bytes."""
    parts: list[bytes] = []
    left = limit + 1
    with client.get(url, tries=tries) as stream:
        while left > 0 and (part := stream.read(left)):
            parts.append(part)
            left -= len(part)
    if left <= 0:
        raise UpstreamError(f"expected at most {limit:,} bytes, got more", where=shown(url))
    return b"".join(parts)


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def _begins_at(response: urllib3.BaseHTTPResponse, start: int) -> bool:
    return response.headers.get("Content-Range", "").startswith(f"bytes {start}-")


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
