"""What a server may answer that is no HTTP as anybody means it."""

import socket
from pathlib import Path

import pytest

from tests.makers.raw_server import answering, endless
from tests.makers.repos import BuiltRepo
from tests.makers.sites import Site, connected_site

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.fixture
def hq(tmp_path: Path) -> Site:
    """A connected site."""
    return connected_site(tmp_path / "hq")


def only_announcing(client: socket.socket) -> None:
    """Announce an answer until nobody listens."""
    while True:
        client.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")


def negative(client: socket.socket) -> None:
    """Say a size that no chunk has."""
    client.sendall(CHUNKED + b"-5\r\nabc\r\n0\r\n\r\n")


def endless_head(client: socket.socket) -> None:
    """Write headers until nobody listens."""
    client.sendall(b"HTTP/1.1 200 OK\r\n")
    while True:
        client.sendall(b"X: y\r\n" * 1000)


def endless_trailer(client: socket.socket) -> None:
    """End the body, and write what may follow it until nobody listens."""
    client.sendall(CHUNKED + b"0\r\n")
    while True:
        client.sendall(b"X: y\r\n" * 1000)


ALL_THERE_IS = CHUNKED + b"-1\r\n"
"""A size below nothing."""

NO_HEADS = [b"HTTP/1.1 101 X\r\n\r\n", b"HTTP/1.1 200OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nA: b\r\n\rc\n"]
"""What libcurl takes for a head, and we do not."""


@pytest.mark.parametrize(
    "reply",
    [negative, only_announcing, endless_head, endless_trailer, *map(endless, (ALL_THERE_IS, *NO_HEADS))],
)
def test_050_an_answer_that_is_none_fails_its_repository_alone(hq: Site, repo: BuiltRepo, reply: object) -> None:
    """The attacker runs an upstream whose answers have sizes below nothing, or never begin."""
    hq.do("repo", "add", "p/good", str(repo.path))
    with answering(reply) as url:  # type: ignore[arg-type]
        hq.do("repo", "add", "p/evil", url, "--tries", "1")

        outcome = hq.call("sync", "--json")

    assert outcome.code == 7
    assert [one["where"].partition(":")[0] for one in outcome.document["failed"]] == ["p/evil"]
    assert [one["repository"] for one in outcome.document["repositories"]] == ["p/good"]
