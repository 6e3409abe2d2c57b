"""A server that answers with bytes, whatever HTTP says of them."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator

Reply = Callable[[socket.socket], None]


@contextlib.contextmanager
def answering(reply: Reply) -> Iterator[str]:
    """Give the URL of a server that reads the head of each request and lets `reply` write what follows."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=_serve, args=(server, reply), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}"
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


@contextlib.contextmanager
def saying(data: bytes) -> Iterator[str]:
    """Give the URL of a server that says this, and then nothing until the block is left."""
    left = threading.Event()

    def reply(client: socket.socket) -> None:
        client.sendall(data)
        left.wait(10)

    with answering(reply) as url:
        try:
            yield url
        finally:
            left.set()


def endless(begin: bytes) -> Reply:
    """Make a reply that begins so, and sends until nobody listens."""

    def reply(client: socket.socket) -> None:
        client.sendall(begin)
        while True:
            client.sendall(bytes(1 << 20))

    return reply


def _serve(server: socket.socket, reply: Reply) -> None:
    with contextlib.suppress(OSError):
        while True:
            client, _ = server.accept()
            with client, contextlib.suppress(OSError):
                while b"\r\n\r\n" not in client.recv(65536):
                    pass
                reply(client)
