"""A real web server for tests: serves a directory on 127.0.0.1, and misbehaves where it is told to.

    with serving(directory) as server:
        server.behave("repodata/repomd.xml", Answer(503, times=2), Cut(10))
        … server.url … server.requests

Behaviours of a path are used up in the order given; then its file is served, and of it the range that is asked for. No
waiting, and all threads and sockets are gone when the block is left. It speaks TLS, and asks for credentials, where it
is told to; as a proxy it is asked with whole URLs, and answers these from its directory.
"""

import re
import select
import socket
import ssl
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import TCPServer, ThreadingMixIn
from urllib.parse import unquote

FOR_EVER = 1 << 30
"""For `times`."""


@dataclass(frozen=True)
class Answer:
    """Answer with a status and headers, and no file."""

    status: int
    times: int = 1
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Redirect:
    """Answer 302 with a location, as it stands."""

    location: str
    times: int = 1


@dataclass(frozen=True)
class Cut:
    """Announce the whole file, send its first `at` bytes, and hang up."""

    at: int
    times: int = 1


@dataclass(frozen=True)
class WrongLength:
    """Announce `length` bytes, send the whole file, and hang up."""

    length: int
    times: int = 1


@dataclass(frozen=True)
class HangUp:
    """Hang up without a word."""

    times: int = 1


@dataclass(frozen=True)
class Silence:
    """Never answer; `reached` is set once somebody waits."""

    reached: threading.Event
    times: int = 1


@dataclass(frozen=True)
class Body:
    """Answer 200 with other bytes than those of the file."""

    data: bytes
    times: int = 1


@dataclass(frozen=True)
class NoRange:
    """Serve the whole file whatever range is asked for."""

    times: int = 1


@dataclass(frozen=True)
class WrongRange:
    """Answer 206 with the file's end, beginning at another byte than was asked for."""

    times: int = 1


@dataclass(frozen=True)
class Then:
    """Serve the file as it lies there, and do something once it was sent."""

    act: Callable[[], object]
    times: int = 1


@dataclass(frozen=True)
class Before:
    """Do something, wait say, before the file is served as it lies there."""

    act: Callable[[], object]
    times: int = 1


Behaviour = Answer | Redirect | Cut | WrongLength | HangUp | Silence | Body | NoRange | WrongRange | Then | Before


class HttpServer(ThreadingMixIn, TCPServer):
    """Serves `directory`; `requests` lists the paths asked for, `connections` counts those accepted.

    `headers` are those of each request; `authorization` is what it asks for, where that is set.
    """

    allow_reuse_address = True
    daemon_threads = False

    def __init__(self, directory: Path, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.tls = tls
        self.authorization: str | None = None
        self.headers: list[tuple[str, Mapping[str, str]]] = []
        self.directory = directory
        self.requests: list[str] = []
        self.connections = 0
        self._open: set[socket.socket] = set()
        self._behaviours: dict[str, deque[Behaviour]] = {}
        self._guard = threading.Lock()

    @property
    def url(self) -> str:
        """Give the URL of the directory."""
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.server_address[1]}"

    @property
    def ranges(self) -> list[tuple[str, str]]:
        """List the ranges asked for, each with its path."""
        return [(path, headers["Range"]) for path, headers in self.headers if "Range" in headers]

    def finish_request(self, request: object, client_address: object) -> None:
        """Speak TLS where it is told to: in the connection's own thread, for a client may refuse."""
        assert isinstance(request, socket.socket)
        if self.tls is None:
            super().finish_request(request, client_address)
            return
        with suppress(OSError), self.tls.wrap_socket(request, server_side=True) as wrapped:
            super().finish_request(wrapped, client_address)

    def behave(self, path: str, *behaviours: Behaviour) -> None:
        """Let a path behave so, in this order, before it is served as it lies there."""
        each = (one for behaviour in behaviours for one in [behaviour] * min(behaviour.times, 1000))
        self._behaviours[path] = deque(each)

    def next_behaviour(self, path: str, headers: Mapping[str, str]) -> Behaviour | None:
        """Count a request, and take the path's next behaviour."""
        with self._guard:
            self.requests.append(path)
            self.headers.append((path, headers))
            left = self._behaviours.get(path)
            return left.popleft() if left else None

    def opened(self, connection: socket.socket) -> None:
        """Remember a connection."""
        with self._guard:
            self.connections += 1
            self._open.add(connection)

    def closed(self, connection: socket.socket) -> None:
        """Forget a connection."""
        with self._guard:
            self._open.discard(connection)

    def hang_up(self) -> None:
        """End every connection, so that their threads end."""
        with self._guard:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: clients may hang up."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    server: HttpServer

    def setup(self) -> None:
        super().setup()
        self.server.opened(self.connection)

    def finish(self) -> None:
        with suppress(OSError):
            super().finish()
        self.server.closed(self.connection)

    def do_GET(self) -> None:
        path = unquote(re.sub("^https?://[^/]*", "", self.path).partition("?")[0]).lstrip("/")
        behaviour = self.server.next_behaviour(path, dict(self.headers.items()))
        if self.server.authorization not in (None, self.headers.get("Authorization")):
            behaviour = Answer(401)
        match behaviour:
            case Answer(status, _, headers):
                self._answer(status, b"no\n", headers)
            case Redirect(location):
                self._answer(302, b"there\n", {"Location": location})
            case HangUp():
                self.close_connection = True
            case Silence(reached):
                reached.set()
                self.connection.recv(1)
                self.close_connection = True
            case Cut(at):
                self._file(path, None, at)
            case WrongLength(length):
                self._file(path, length, None)
            case Body(data):
                self._answer(200, data, {})
            case NoRange():
                self._file(path, None, None)
            case WrongRange():
                data = (self.server.directory / path).read_bytes()
                self._answer(206, data[1:], {"Content-Range": f"bytes 1-{len(data) - 1}/{len(data)}"})
            case Then(act):
                self._file(path, None, None)
                self.wfile.flush()
                act()
            case Before(act):
                act()
                self._range(path)
            case None:
                self._range(path)

    def do_CONNECT(self) -> None:
        """Be a tunnel to another server of this machine."""
        self.server.next_behaviour(f"CONNECT {self.path}", dict(self.headers.items()))
        self.close_connection = True
        host, _, port = self.path.rpartition(":")
        with socket.create_connection((host, int(port))) as other:
            self.send_response(200)
            self.end_headers()
            self.wfile.flush()
            self._relay(other)

    def _relay(self, other: socket.socket) -> None:
        ways = {self.connection: other, other: self.connection}
        with suppress(OSError):
            while True:
                for one in select.select(list(ways), [], [])[0]:
                    if not (data := one.recv(1 << 16)):
                        return
                    ways[one].sendall(data)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def _range(self, path: str) -> None:
        """Serve a file, from the byte on that is asked for."""
        asked = re.fullmatch(r"bytes=([0-9]+)-", self.headers.get("Range", ""))
        file = self.server.directory / path
        if not asked or not file.is_file():
            self._file(path, None, None)
            return
        data, start = file.read_bytes(), int(asked[1])
        if start >= len(data):
            self._answer(416, b"", {"Content-Range": f"bytes */{len(data)}"})
        else:
            self._answer(206, data[start:], {"Content-Range": f"bytes {start}-{len(data) - 1}/{len(data)}"})

    def _file(self, path: str, length: int | None, cut: int | None) -> None:
        file = self.server.directory / path
        if not file.is_file():
            self._answer(404, b"not here\n", {})
            return
        data = file.read_bytes()
        announced = len(data) if length is None else length
        self._answer(200, data[:cut], {"Content-Length": str(announced)})
        self.close_connection = self.close_connection or cut is not None or length is not None

    def _answer(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def serving(directory: Path, *, tls: ssl.SSLContext | None = None) -> Iterator[HttpServer]:
    """Serve a directory while the block runs; by https with a context of TLS."""
    with HttpServer(directory, tls) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, name="http-server")
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            server.hang_up()
            thread.join()
