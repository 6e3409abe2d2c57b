"""Many repositories, two nights: from servers of which one fails to what clients of the other side see."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.makers.extras import AdvisorySpec
from tests.makers.http_server import FOR_EVER, Answer, Cut, HttpServer, serving
from tests.makers.repos import PackageSpec, build_repo
from tests.makers.sites import Site, connected_site, disconnected_site

LABELS = ["baseos", "appstream", "extras", "epel", "tools"]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[HttpServer]:
    """Serve five repositories that have a package in common."""
    for label in LABELS:
        build_repo(tmp_path / "web" / label, ["shared", PackageSpec(label, size=100_000)])
    with serving(tmp_path / "web") as server:
        yield server


@pytest.fixture
def hq(tmp_path: Path, server: HttpServer) -> Site:
    """A site with all of them, and one that is on no server."""
    site = connected_site(tmp_path / "hq")
    for label in LABELS:
        site.do("repo", "add", f"el9/{label}", f"{server.url}/{label}")
    site.do("repo", "add", "el9/gone", f"{server.url}/gone")
    return site


def test_two_nights_of_many_repositories_reach_the_other_side(tmp_path: Path, hq: Site, server: HttpServer) -> None:
    server.behave("epel/Packages/e/epel-1.0-1.noarch.rpm", Cut(5_000))
    first = hq.call("sync", "--json")
    advisory = AdvisorySpec("FIX-1", ("tools",), severity="Critical")
    build_repo(tmp_path / "web/tools", ["shared", PackageSpec("tools", version="2.0")], advisories=[advisory])
    server.behave("extras/repodata/repomd.xml", Answer(503, times=FOR_EVER))
    requests = len(server.requests)
    second = hq.call("sync", "--json", "--tries", "1")
    hq.do("repo", "remove", "el9/gone", "--yes")
    hq.do("export", "--to", tmp_path / "stick")
    lab = disconnected_site(tmp_path / "lab", hq)
    lab.do("import", tmp_path / "stick")

    assert (first.code, second.code) == (7, 7)
    assert [one["where"].split(":")[0] for one in first.document["failed"]] == ["el9/gone"]
    assert [one["where"].split(":")[0] for one in second.document["failed"]] == ["el9/extras", "el9/gone"]
    assert [one["repository"] for one in second.document["news"]] == ["el9/tools"]
    assert [one["id"] for one in second.document["news"][0]["advisories"]] == ["FIX-1"]
    assert [path for path in server.requests[requests:] if path.endswith(".rpm")] == [
        "tools/Packages/t/tools-2.0-1.noarch.rpm"
    ]
    assert lab.trees() == hq.trees()
    assert {path.name for path in (lab.root / "published/el9").iterdir()} >= set(LABELS)
    assert server.connections <= 16
