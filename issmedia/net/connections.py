"""The connections of one run: shared by the clients of all its repositories, so many in use at a time.

What a server or a proxy is shown, and must show, keeps connections apart: requests share one only where all of their
`Identity` is the same. So no certificate and no password of one repository reaches a host in the name of another.
"""

import base64
import contextlib
import http.client
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import urllib3
from urllib3 import connection

from issmedia.model.transport import Transport
from issmedia.net import tls
from issmedia.net.manners import Manners, Pace
from issmedia.net.proxies import Proxy

MOST = 8
"""Connections in use at a time, unless somebody says otherwise."""

_MOST_INTERIM = 8
"""Answers to one request, of which all but the last are of status 100."""

_HOSTS = 256
"""Hosts of one identity whose connections are kept."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What is shown and demanded: our certificate with its key, the CAs, the proxy with its password, credentials."""

    scheme: str
    ca_bundle: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    proxy: Proxy | None = None
    authorization: str = field(default="", repr=False)


class Flight:
    """One request and its answer: has a turn while it goes on, and can be ended by another thread."""

    def __init__(self, ended: threading.Event, turns: threading.Semaphore | None) -> None:
        self._ended = ended
        self._turns = turns
        self._has_turn = False
        self._socket: socket.socket | None = None

    def begin(self) -> None:
        """Wait for a turn."""
        if self._turns and not self._has_turn:
            self._turns.acquire()
            self._has_turn = True

    def rest(self) -> None:
        """Give the turn to others."""
        if self._turns and self._has_turn:
            self._has_turn = False
            self._turns.release()

    def uses(self, one: socket.socket) -> None:
        """Learn the socket; where the end came before, it is shut down here."""
        self._socket = one
        if self._ended.is_set():
            self.end()

    def end(self) -> None:
        """Have reads that are blocked fail: below TLS, whose own call is not for two threads."""
        if self._socket is not None:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(getattr(self._socket, "socket", self._socket), socket.SHUT_RDWR)


class Connections:
    """Pools of connections, by identity; `most` are in use at a time, and `rate` bytes a second pass over all.

    `wait` replaces waiting, for tests.
    """

    def __init__(
        self, most: int = MOST, *, rate: int | None = None, wait: Callable[[float], object] | None = None
    ) -> None:
        self.most = most
        self._interrupted = threading.Event()
        self._turns = threading.Semaphore(most)
        self.pace = Pace(Manners(rate=rate, wait=wait), self._interrupted) if rate else None
        self._pools: dict[Identity, urllib3.PoolManager] = {}
        self._contexts: dict[tuple[str | None, ...], ssl.SSLContext] = {}
        self._here = threading.local()
        self._guard = threading.Lock()

    @contextlib.contextmanager
    def flight(self, ended: threading.Event, *, extra: bool = False) -> Iterator[Flight]:
        """Prepare a request that `ended` ends; an `extra` one waits for no turn."""
        flight = Flight(ended, None if extra else self._turns)
        try:
            yield flight
        finally:
            flight.rest()

    def ask(
        self, url: str, headers: Mapping[str, str], identity: Identity, *, flight: Flight, timeout_s: float
    ) -> urllib3.BaseHTTPResponse:
        """Send a request when its turn comes; give the answer, its body unread."""
        flight.begin()
        self._here.flight = flight
        return self._pool(identity).urlopen(
            "GET",
            url,
            headers=headers,
            redirect=False,
            preload_content=False,
            decode_content=False,
            timeout=urllib3.Timeout(connect=timeout_s, read=timeout_s),
        )

    def require_files(self, transport: Transport) -> None:
        """Raise `UsageError` where certificates cannot be used."""
        with self._guard:
            self._context(transport.ca_bundle, transport.client_cert, transport.client_key)

    def interrupt(self) -> None:
        """Let nobody wait for the rate any more."""
        self._interrupted.set()

    def close(self) -> None:
        """Close every connection."""
        with self._guard:
            for pool in self._pools.values():
                pool.clear()

    def __enter__(self) -> "Connections":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _pool(self, identity: Identity) -> urllib3.PoolManager:
        with self._guard:
            if identity not in self._pools:
                self._pools[identity] = self._new_pool(identity)
            return self._pools[identity]

    def _context(self, ca_bundle: str | None, cert: str | None, key: str | None) -> ssl.SSLContext:
        wanted = (ca_bundle, cert, key)
        if wanted not in self._contexts:
            shows = Transport(ca_bundle=ca_bundle, client_cert=cert, client_key=key)
            self._contexts[wanted] = tls.context(shows, ours=True)
        return self._contexts[wanted]

    def _new_pool(self, identity: Identity) -> urllib3.PoolManager:
        context = None
        if identity.scheme == "https":
            context = self._context(identity.ca_bundle, identity.client_cert, identity.client_key)
        if (proxy := identity.proxy) is None:
            pool = urllib3.PoolManager(_HOSTS, maxsize=self.most, retries=False, ssl_context=context)
        else:
            login = {"Proxy-Authorization": basic(proxy.username, proxy.password)} if proxy.username else None
            secure = proxy.url.startswith("https:")
            pool = urllib3.ProxyManager(
                proxy.url,
                _HOSTS,
                proxy_headers=login,
                proxy_ssl_context=self._context(identity.ca_bundle, None, None) if secure else None,
                maxsize=self.most,
                retries=False,
                ssl_context=context,
            )
        pool.pool_classes_by_scheme = _pools_that_tell(lambda used: self._here.flight.uses(used))
        return pool


def basic(user: str, password: str) -> str:
    """Write the header that names a user."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


class _Response(http.client.HTTPResponse):
    """An answer that is bounded where the standard library's is not."""

    _interim = 0

    def _read_status(self) -> tuple[str, int, str]:
        """Read a status line; of answers that only announce another, a few are heard."""
        self._interim += 1
        if self._interim > _MOST_INTERIM:
            raise http.client.HTTPException("it announces answers and gives none")
        status: tuple[str, int, str] = super()._read_status()  # type: ignore[misc]
        return status

    def _read_next_chunk_size(self) -> int:
        """Read a chunk's size; the standard library takes negative ones, and then reads without end."""
        size: int = super()._read_next_chunk_size()  # type: ignore[misc]
        if size < 0:
            raise http.client.IncompleteRead(b"")
        return size


def _pools_that_tell(using: Callable[[socket.socket], None]) -> dict[str, type[urllib3.HTTPConnectionPool]]:
    """Make classes of connection pools that tell, in the thread that asks, which socket it uses."""

    class Http(connection.HTTPConnection):
        response_class = _Response

        def connect(self) -> None:
            super().connect()
            using(self.sock)

        def request(self, *args: object, **kwargs: object) -> None:
            if self.sock is not None:
                using(self.sock)
            super().request(*args, **kwargs)  # type: ignore[arg-type]

    class Https(connection.HTTPSConnection):
        response_class = _Response

        def connect(self) -> None:
            super().connect()
            using(self.sock)

        def request(self, *args: object, **kwargs: object) -> None:
            if self.sock is not None:
                using(self.sock)
            super().request(*args, **kwargs)  # type: ignore[arg-type]

    class HttpPool(urllib3.HTTPConnectionPool):
        ConnectionCls = Http

    class HttpsPool(urllib3.HTTPSConnectionPool):
        ConnectionCls = Https

    return {"http": HttpPool, "https": HttpsPool}
