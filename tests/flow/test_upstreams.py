"""From an upstream as the world has them to a bundle: metalink, TLS, a client certificate, a mirror that lags."""

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.makers.http_server import FOR_EVER, Answer, Body, Cut, HttpServer, Silence, serving
from tests.makers.mirrors import metalink
from tests.makers.openpgp import OpenPGPKey
from tests.makers.repos import BuiltRepo
from tests.makers.sites import Site, connected_site, disconnected_site
from tests.makers.tls import Authority
from tests.makers.webs import secret_file

REPOMD = "repodata/repomd.xml"
INTERRUPTIBLE = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from issmedia.cli.main import main
main()
"""


@dataclass(frozen=True)
class World:
    """A list server that wants a token, two mirrors that want a certificate, and dnf's file for them."""

    hq: Site
    lists: HttpServer
    good: HttpServer
    stale: HttpServer
    file: Path
    token: str


@pytest.fixture
def world(tmp_path: Path, signed_repo: BuiltRepo) -> Iterator[World]:
    """Serve a signed repository by a metalink."""
    authority = Authority(tmp_path / "ca")
    (tmp_path / "lists").mkdir()
    with ExitStack() as stack:
        lists = stack.enter_context(serving(tmp_path / "lists", tls=authority.server()))
        good, stale = (stack.enter_context(serving(signed_repo.path, tls=authority.server())) for _ in range(2))
        stale.behave(REPOMD, Body(b"<repomd/>", times=FOR_EVER))
        (tmp_path / "lists/metalink").write_bytes(metalink([stale.url, good.url], signed_repo.repomd.read_bytes()))
        lists.authorization = "Bearer t0ken"
        file = tmp_path / "vendor.repo"
        file.write_text(
            f"[vendor-$releasever]\nname=x\nbaseurl=https://nowhere.invalid/\nenabled=0\n"
            f"[vendor]\nname=The vendor\nmetalink={lists.url}/metalink?repo=v-$releasever&arch=$basearch\n"
            f"gpgcheck=1\nrepo_gpgcheck=1\nsslcacert={authority.bundle}\n"
        )
        token = secret_file(tmp_path / "token", "bearer = t0ken\n")
        yield World(connected_site(tmp_path / "hq"), lists, good, stale, file, token)


def added(world: World, *more: str | Path) -> None:
    """Take over the vendor's file."""
    line = ("--product", "v", "--releasever", "9", "--basearch", "x86_64", "--credentials", world.token)
    world.hq.do("repo", "import", world.file, *line, *more)


def test_a_vendors_repo_file_leads_to_published_packages(
    world: World, tmp_path: Path, signed_repo: BuiltRepo, key: OpenPGPKey
) -> None:
    (tmp_path / "key.asc").write_bytes(key.public)
    added(world, "--gpg-key", tmp_path / "key.asc")
    world.good.behave(signed_repo.packages[0].href, Cut(300))

    world.hq.do("sync", "--tries", "3")
    world.hq.do("export", "--to", tmp_path / "stick")
    lab = disconnected_site(tmp_path / "lab", world.hq)
    lab.do("import", tmp_path / "stick")

    published = lab.root / "published/v/vendor"
    metadata = {path for path in signed_repo.files() if path.startswith("repodata/") or path.endswith(".rpm")}
    assert {path: (published / path).read_bytes() for path in metadata} == {
        path: data for path, data in signed_repo.files().items() if path in metadata
    }
    assert [path for path in world.stale.requests if path.endswith(".rpm")] in ([], [signed_repo.packages[0].href])


def test_the_token_goes_to_the_list_and_to_no_mirror(world: World) -> None:
    added(world)

    world.hq.do("sync")

    assert {headers.get("Authorization") for _, headers in world.lists.headers} == {"Bearer t0ken"}
    assert {headers.get("Authorization") for _, headers in world.good.headers + world.stale.headers} == {None}


def test_a_sync_that_failed_half_way_is_taken_up_where_it_was(world: World, signed_repo: BuiltRepo) -> None:
    added(world)
    missing = signed_repo.packages[0].href
    for server in (world.good, world.stale):
        server.behave(missing, Answer(404, times=FOR_EVER))
    first = world.hq.call("sync", "--tries", "1")
    for server in (world.good, world.stale):
        server.behave(missing)
        server.requests.clear()

    second = world.hq.call("sync")

    assert (first.code, second.code) == (7, 0)
    fetched = [path for path in world.good.requests + world.stale.requests if path.endswith(".rpm")]
    assert fetched == [missing]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_sync_that_was_killed_fetches_nothing_again(
    tmp_path: Path, signed_repo: BuiltRepo, how: signal.Signals
) -> None:
    hq, silence = connected_site(tmp_path / "hq"), Silence(threading.Event())
    with serving(signed_repo.path) as server:
        server.behave(signed_repo.packages[-1].href, silence)
        hq.do("repo", "add", "p/zoo", server.url, "--jobs", "1")
        command = [sys.executable, "-c", INTERRUPTIBLE, "--depot", str(hq.root), "sync"]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            assert silence.reached.wait(60)
            process.send_signal(how)
            process.wait(30)
        came = {path for path in server.requests if path.endswith(".rpm")} - {signed_repo.packages[-1].href}
        server.requests.clear()

        hq.do("sync")

    assert came
    assert came & set(server.requests) == set()
