"""A real web server: nginx with TLS that asks for client certificates, and its own way with ranges."""

import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.makers.repos import BuiltRepo
from tests.makers.sites import Site, connected_site
from tests.makers.streams import whole
from tests.makers.tls import Authority, Issued
from tests.makers.webs import web

pytestmark = pytest.mark.system("nginx")

_CONFIGURATION = """
user root; worker_processes 1; daemon off; pid {here}/pid; error_log {here}/error.log notice;
events {{ worker_connections 64; }}
http {{
  access_log {here}/access.log; client_body_temp_path {here}/b; proxy_temp_path {here}/p; fastcgi_temp_path {here}/f;
  uwsgi_temp_path {here}/u; scgi_temp_path {here}/s;
  server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {server.certificate}; ssl_certificate_key {server.key};
    ssl_client_certificate {bundle}; ssl_verify_client on;
    root {root};
  }}
}}
"""


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """The CA of server and client."""
    return Authority(tmp_path / "ca")


@pytest.fixture
def client(authority: Authority) -> Issued:
    """Our certificate."""
    return authority.issue("client")


@pytest.fixture
def url(tmp_path: Path, repo: BuiltRepo, authority: Authority) -> Iterator[str]:
    """Serve the repository by nginx."""
    here = tmp_path / "nginx"
    here.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    configuration = here / "nginx.conf"
    configuration.write_text(
        _CONFIGURATION.format(
            here=here, port=port, server=authority.issue("server"), bundle=authority.bundle, root=repo.path
        )
    )
    ready = ["nginx", "-p", str(here), "-c", str(configuration), "-e", str(here / "error.log")]
    with subprocess.Popen(ready) as process:
        try:
            until_answered(port, process)
            yield f"https://127.0.0.1:{port}/"
        finally:
            process.terminate()


def until_answered(port: int, process: subprocess.Popen[bytes]) -> None:
    """Try to connect until somebody listens, or the server has ended."""
    while process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            continue
        return
    pytest.fail("nginx did not start")


def tried(site: Site, url: str, *options: str | Path) -> int:
    """Add and sync the repository; give the exit code."""
    site.do("repo", "add", "p/zoo", url, *options)
    return site.call("sync").code


def test_a_client_certificate_opens_a_repository(
    tmp_path: Path, url: str, repo: BuiltRepo, authority: Authority, client: Issued
) -> None:
    site = connected_site(tmp_path / "hq")
    ours = ("--client-cert", client.certificate, "--client-key", client.key, "--ca-bundle", authority.bundle)

    assert tried(site, url, *ours) == 0

    blobs = {path.name for path in (site.root / "store").glob("??/*")}
    assert {one.sha256 for one in repo.packages} <= blobs


def test_without_a_client_certificate_there_is_nothing(tmp_path: Path, url: str, authority: Authority) -> None:
    assert tried(connected_site(tmp_path / "hq"), url, "--ca-bundle", authority.bundle) == 3


def test_a_server_of_an_unknown_ca_is_refused(tmp_path: Path, url: str) -> None:
    assert tried(connected_site(tmp_path / "hq"), url) == 3


def test_the_end_of_a_file_is_had_by_itself(url: str, repo: BuiltRepo, authority: Authority, client: Issued) -> None:
    said: dict[str, Any] = {
        "client_cert": str(client.certificate),
        "client_key": str(client.key),
        "ca_bundle": str(authority.bundle),
    }
    package = repo.packages[0].href

    with web(url, **said) as upstream, upstream.open(package, start=100) as stream:
        assert stream.start == 100
        assert whole(stream) == (repo.path / package).read_bytes()[100:]
