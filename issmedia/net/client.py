"""One client of the web: redirects, further tries, credentials for those they are meant for.

Nothing here is trusted: bodies are streamed to a caller who caps them, answers to be retried are closed unread. No
redirect leads from https to http, and neither a password, a token nor the client certificate goes to a host that the
operator did not name. All retries are made here, for only our waits can be ended.
"""

import contextlib
import functools
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from http import HTTPStatus
from urllib.parse import urljoin, urlsplit

from msgspec.structs import replace

from issmedia import __version__
from issmedia.base.digest import take_all
from issmedia.base.errors import UpstreamError
from issmedia.model.names import shown
from issmedia.model.transport import Transport
from issmedia.net.connections import Answer, Connections, Flight, Place, basic
from issmedia.net.heads import Head
from issmedia.net.identity import Identity
from issmedia.net.manners import Manners, Pace
from issmedia.net.proxies import Proxy, parse_proxy, proxy_for
from issmedia.net.secrets import Secrets
from issmedia.net.words import NO_ANSWER, hint, is_final, reason, refusal

_HOPS = 5
_GIVE_UP = 8
"""Files in a row without any answer, or put off at each try, after which a host is asked for nothing more."""

_PART = 64 << 10
"""Bytes read at a time where a rate is set."""

_TRANSIENT = frozenset({408, 429, 500, 502, 503, 504})
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_HEADERS = {"User-Agent": f"issmedia/{__version__}", "Accept": "*/*", "Accept-Encoding": "identity"}


class Access:
    """By what right, and by which way, a client asks.

    `origins` are those that get `secrets` and the client certificate of `transport`; `environment` may name proxies.
    """

    def __init__(
        self, transport: Transport, secrets: Secrets, origins: frozenset[str], environment: Mapping[str, str]
    ) -> None:
        self.transport = transport
        self.secrets = secrets
        self.origins = origins
        self.environment = environment


class HttpStream:
    """The body of an answer, as it arrives; `start` is where in the file it begins."""

    def __init__(
        self, answer: Answer, start: int, *, paces: Sequence[Pace], landed: Callable[[], None], where: str
    ) -> None:
        self.start = start
        self._readinto = answer.readinto
        self._leave = answer.close
        self._paces = paces
        self._landed = landed
        self._where = where

    def close(self) -> None:
        """Let go of the connection: it serves again if this was read to its end."""
        try:
            self._leave()
        finally:
            self._landed()

    @property
    def fileno(self) -> int | None:
        """Give None: these bytes are no local file."""
        return None

    def readinto(self, buffer: memoryview, /) -> int:
        """Read on into a buffer; 0 at the end. `UpstreamError` where the body ends early."""
        part = buffer[:_PART] if self._paces else buffer
        try:
            count = self._readinto(part)
        except NO_ANSWER as cause:
            raise UpstreamError(f"the transfer broke off: {reason(cause)}", where=self._where) from cause
        for pace in self._paces:
            pace.passed(count)
        return count


class Client:
    """Asks servers. Threads may use one at once."""

    def __init__(self, manners: Manners, access: Access, connections: Connections | None = None) -> None:
        self.manners = manners
        self._access = access
        self._own = connections is None
        self._connections = connections or Connections(manners.connections)
        self._interrupted = threading.Event()
        self._pace = Pace(manners, self._interrupted)
        self._failed: dict[str, int] = {}
        self._flights: set[Flight] = set()
        self._places: dict[str, Place] = {}
        self._paces = [self._pace] if manners.rate else []
        """What slows this down: the rate of this repository, and that of the run."""
        self._guard = threading.Lock()
        if self._connections.pace is not None:
            self._paces.append(self._connections.pace)
        if access.transport.client_cert or access.transport.ca_bundle:
            self._connections.require_files(access.transport)  # before anybody is asked

    @contextlib.contextmanager
    def get(self, url: str, *, start: int = 0, tries: int | None = None, extra: bool = False) -> Iterator[HttpStream]:
        """Open the body of a URL, at byte `start` if the server can; ask so often for an answer.

        An `extra` request is made at once, however many others are under way.
        """
        stream = self.open(url, start=start, tries=tries, extra=extra)
        try:
            yield stream
        finally:
            stream.close()

    def open(self, url: str, *, start: int = 0, tries: int | None = None, extra: bool = False) -> HttpStream:
        """Do as `get`; whoever calls this must close the stream."""
        flight = self._connections.flight(self._interrupted, extra=extra)
        with self._guard:
            self._flights.add(flight)
        try:
            answer, begins = self._answer(url, flight, start, tries or self.manners.tries)
        except BaseException:
            self._landed(flight)
            raise
        return HttpStream(answer, begins, paces=self._paces, landed=lambda: self._landed(flight), where=url)

    def _landed(self, flight: Flight) -> None:
        flight.rest()
        with self._guard:
            self._flights.discard(flight)

    def pause(self, failures: int) -> None:
        """Wait before what failed so often is asked for again."""
        self._pace.pause(self.manners.pause_s(failures, None))

    def interrupt(self) -> None:
        """End what other threads wait for: reads that are blocked fail, and nothing further is asked for."""
        with self._guard:
            self._interrupted.set()
            flights = list(self._flights)
        for one in flights:
            one.end()

    def close(self) -> None:
        """Close every connection that is not shared with others."""
        if self._own:
            self._connections.close()

    def _answer(self, url: str, flight: Flight, start: int, tries: int) -> tuple[Answer, int]:
        """Follow redirects to an answer of 200, or 206 for the middle, or raise; say where the body begins."""
        target = url
        for _ in range(_HOPS):
            answer = self._patiently(target, flight, start, tries, where=url)
            head = answer.head
            if head.status == HTTPStatus.OK:
                return answer, 0
            if start and head.status == HTTPStatus.PARTIAL_CONTENT and _begins_at(head, start):
                return answer, start
            answer.skip()
            if start and head.status in (HTTPStatus.PARTIAL_CONTENT, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE):
                return self._answer(url, flight, 0, tries)
            if head.status not in _REDIRECTS:
                raise refusal(head.status, url)
            target = redirect_target(target, head.location, where=url)
        raise UpstreamError(f"more than {_HOPS} redirects", where=url)

    def _patiently(self, url: str, flight: Flight, start: int, tries: int, *, where: str) -> Answer:
        """Ask again while there is no answer or one that may pass, each time after a longer wait."""
        for failures in range(1, tries):
            asked = ""
            try:
                answer = self._ask(url, flight, start, where=where)
            except NO_ANSWER as cause:
                if is_final(cause):
                    raise self._silence(cause, url, where) from cause
            else:
                if answer.head.status not in _TRANSIENT:
                    return answer
                asked = answer.head.retry_after
                answer.close()
            flight.rest()
            self._pace.pause(self.manners.pause_s(failures, asked))
        try:
            answer = self._ask(url, flight, start, where=where)
        except NO_ANSWER as cause:
            raise self._silence(cause, url, where) from cause
        if answer.head.status in _TRANSIENT:
            self._count_failure(url)
        return answer

    def _count_failure(self, url: str) -> None:
        with self._guard:
            self._failed[origin_of(url)] = self._failed.get(origin_of(url), 0) + 1

    def _silence(self, cause: Exception, url: str, where: str) -> UpstreamError:
        self._count_failure(url)
        return UpstreamError(f"no answer: {reason(cause)}", where=where, hint=hint(cause))

    def _ask(self, url: str, flight: Flight, start: int, *, where: str) -> Answer:
        flight.begin()
        if self._interrupted.is_set():
            raise UpstreamError("fetching was given up", where=where)
        origin = origin_of(url)
        if self._failed.get(origin, 0) >= _GIVE_UP:
            raise UpstreamError(f"not asked for: {_GIVE_UP} files got no answer or were put off", where=where)
        credentials = self._credentials(origin)
        headers = _HEADERS | ({"Range": f"bytes={start}-"} if start else {}) | credentials
        place = self._places.get(origin)
        if place is None:
            identity = self._identity(url, origin, credentials.get("Authorization", ""))
            place = self._places[origin] = self._connections.place(identity, origin)
        timeout_s, steady = self.manners.timeout_s, not self._paces
        answer = self._connections.ask(url, headers, place, flight=flight, timeout_s=timeout_s, steady=steady)
        if answer.head.status not in _TRANSIENT:
            self._failed.pop(origin, None)
        return answer

    def _credentials(self, origin: str) -> dict[str, str]:
        """Give the header for an origin that the operator named, by https: for any other, none."""
        secrets = self._access.secrets
        if origin not in self._access.origins or not origin.startswith("https:"):
            return {}
        if secrets.bearer:
            return {"Authorization": f"Bearer {secrets.bearer}"}
        if not secrets.username:
            return {}
        return {"Authorization": basic(secrets.username, secrets.password)}

    def _identity(self, url: str, origin: str, authorization: str) -> Identity:
        """Say what an origin's connections are kept apart by: our certificate goes where the operator said."""
        transport, secrets = self._access.transport, self._access.secrets
        proxy = parse_proxy(transport.proxy) if transport.proxy else proxy_for(url, self._access.environment)
        if proxy is not None and not proxy.username:
            proxy = Proxy(proxy.url, secrets.proxy_username, secrets.proxy_password)
        identity = Identity(urlsplit(url).scheme, transport.ca_bundle, proxy=proxy, authorization=authorization)
        if origin not in self._access.origins:
            return identity
        return replace(identity, client_cert=transport.client_cert, client_key=transport.client_key)


def origin_of(url: str) -> str:
    """Give scheme, host and port of a URL of the web: what credentials are bound to."""
    return _origin("/".join(url.split("/", 3)[:3]))


@functools.lru_cache(maxsize=256)
def _origin(begin: str) -> str:
    parts = urlsplit(begin)
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


def read_whole(client: Client, url: str, *, limit: int, tries: int | None = None, extra: bool = False) -> bytes:
    """Read a small body; `UpstreamError` where it is larger than `limit` bytes. `extra` as of `Client.get`."""
    with client.get(url, tries=tries, extra=extra) as stream:
        data, _ = take_all(stream.readinto, limit=limit)
    if len(data) > limit:
        raise UpstreamError(f"expected at most {limit:,} bytes, got more", where=shown(url))
    return data


def _begins_at(head: Head, start: int) -> bool:
    return head.content_range.startswith(f"bytes {start}-")
