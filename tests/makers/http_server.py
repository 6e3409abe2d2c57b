"""A real web server for tests: serves a directory on 127.0.0.1, and misbehaves where it is told to.

    with serving(directory) as server:
        server.behave("repodata/repomd.xml", Answer(503, times=2), Cut(10))
        … server.url … server.requests

Behaviours of a path are used up in the order given; then its file is served. No waiting, and all threads and sockets
are gone when the block is left.
"""

import socket
import threading
from collections import deque
from collections.abc import Iterator, Mapping
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


Behaviour = Answer | Redirect | Cut | WrongLength | HangUp | Silence


class HttpServer(ThreadingMixIn, TCPServer):
    """Serves `directory`; `requests` lists the paths asked for, `connections` counts those accepted."""

    allow_reuse_address = True
    daemon_threads = False

    def __init__(self, directory: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.directory = directory
        self.requests: list[str] = []
        self.connections = 0
        self._open: set[socket.socket] = set()
        self._behaviours: dict[str, deque[Behaviour]] = {}
        self._guard = threading.Lock()

    @property
    def url(self) -> str:
        """Give the URL of the directory."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def behave(self, path: str, *behaviours: Behaviour) -> None:
        """Let a path behave so, in this order, before it is served as it lies there."""
        each = (one for behaviour in behaviours for one in [behaviour] * min(behaviour.times, 1000))
        self._behaviours[path] = deque(each)

    def next_behaviour(self, path: str) -> Behaviour | None:
        """Count a request, and take the path's next behaviour."""
        with self._guard:
            self.requests.append(path)
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
        path = unquote(self.path).lstrip("/")
        match self.server.next_behaviour(path):
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
            case None:
                self._file(path, None, None)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

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
def serving(directory: Path) -> Iterator[HttpServer]:
    """Serve a directory while the block runs."""
    with HttpServer(directory) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, name="http-server")
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            server.hang_up()
            thread.join()
