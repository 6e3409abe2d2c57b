"""Files of keys from the web: by https, and with nothing shown to hosts that the repository does not lie at."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from issmedia.base.errors import UpstreamError, UsageError
from issmedia.model.transport import Transport
from issmedia.net.keyfile import fetch_key
from tests.makers.http_server import HttpServer, serving
from tests.makers.tls import Authority
from tests.makers.webs import secret_file


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "ca")


@pytest.fixture
def server(tmp_path: Path, authority: Authority) -> Iterator[HttpServer]:
    """A server by TLS that has a file `key`."""
    (tmp_path / "served").mkdir()
    (tmp_path / "served/key").write_bytes(b"a key")
    with serving(tmp_path / "served", tls=authority.server()) as found:
        yield found


def fetch(url: str, *sources: str, transport: Transport, limit: int = 100) -> bytes:
    return fetch_key(url, limit=limit, sources=sources, transport=transport, environment={})


def test_a_key_is_fetched_as_the_repository_is(server: HttpServer, authority: Authority, tmp_path: Path) -> None:
    secrets = secret_file(tmp_path / "token", "bearer = t0ken\n")
    transport = Transport(variables={"name": "key"}, ca_bundle=str(authority.bundle), credentials=secrets)

    data = fetch(f"{server.url}/$name", f"{server.url}/repo", transport=transport)

    assert data == b"a key"
    assert [headers.get("Authorization") for _, headers in server.headers] == ["Bearer t0ken"]


def test_a_host_that_is_not_the_repositorys_is_shown_nothing(
    server: HttpServer, authority: Authority, tmp_path: Path
) -> None:
    secrets = secret_file(tmp_path / "token", "bearer = t0ken\n")
    transport = Transport(ca_bundle=str(authority.bundle), credentials=secrets)

    fetch(f"{server.url}/key", "https://127.0.0.1:1/", transport=transport)

    assert [headers.get("Authorization") for _, headers in server.headers] == [None]


def test_another_host_must_be_known_to_the_system(server: HttpServer, authority: Authority) -> None:
    transport = Transport(ca_bundle=str(authority.bundle), tries=1)

    with pytest.raises(UpstreamError, match="no answer"):
        fetch(f"{server.url}/key", "https://elsewhere.example/", transport=transport)


def test_a_file_that_is_too_long_is_refused(server: HttpServer, authority: Authority) -> None:
    transport = Transport(ca_bundle=str(authority.bundle))

    with pytest.raises(UpstreamError, match="at most 4 bytes"):
        fetch(f"{server.url}/key", server.url, transport=transport, limit=4)


@pytest.mark.parametrize(
    "url",
    [
        "http://host/key",
        "ftp://host/key",
        "file:///etc/passwd",
        "https://bob:s3cret@host/key",
        "https://host:x/key",
        "https:///key",
        "https://host/a key",
        "https://host/$nothing",
    ],
)
def test_what_is_no_https_url_is_refused(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        fetch(url, transport=Transport())

    assert "s3cret" not in f"{caught.value.message}{caught.value.where}"
