"""A sync that broke off and is repeated fetches nothing again that came."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from issmedia.base.errors import UpstreamError
from issmedia.base.events import ignore
from issmedia.content.yum.content import YUM
from issmedia.depot.depot import Depot
from issmedia.net.upstream import open_upstream
from issmedia.ops import setup
from issmedia.ops.sync import SyncResult, sync
from tests.makers.documents import NOW, SITE
from tests.makers.http_server import FOR_EVER, Answer, Cut, HttpServer, NoRange, serving
from tests.makers.repos import BuiltRepo

CUT = 700


@dataclass(frozen=True)
class Desk:
    """A depot with the repository p/zoo, and its upstream."""

    root: Path
    server: HttpServer
    repo: BuiltRepo

    def sync(self) -> SyncResult:
        """Sync p/zoo without waiting."""
        depot = Depot(self.root)
        with depot.owned("sync", now=NOW) as owned, open_upstream(self.server.url, backoff_s=0) as upstream:
            with owned.catalog.reading() as db:
                (repository,) = db.names.select(["p/zoo"])
            return sync(repository, upstream, owned, YUM, now=NOW, report=ignore)

    @property
    def incoming(self) -> list[Path]:
        """List what is on its way in."""
        return sorted((self.root / "store/incoming").iterdir())

    @property
    def package(self) -> str:
        """Name a package."""
        return self.repo.packages[0].href


@pytest.fixture
def desk(tmp_path: Path, repo: BuiltRepo) -> Iterator[Desk]:
    depot = setup.init(tmp_path / "depot", name="hq", site_id=SITE.id, now=NOW)
    with serving(repo.path) as server:
        with depot.owned("test", now=NOW) as owned:
            setup.add_repository(owned, "p/zoo", server.url, name=None, now=NOW)
        yield Desk(depot.root, server, repo)


def test_within_a_run_a_file_goes_on_where_it_broke_off(desk: Desk) -> None:
    desk.server.behave(desk.package, Cut(CUT))

    result = desk.sync()

    assert result.incomplete == ()
    assert desk.server.ranges == [(desk.package, f"bytes={CUT}-")]
    assert desk.incoming == []


def test_the_next_run_goes_on_where_the_last_one_ended(desk: Desk) -> None:
    desk.server.behave(desk.package, Cut(CUT), Answer(500, times=FOR_EVER))
    first = desk.sync()
    desk.server.behave(desk.package)
    desk.server.requests.clear()
    desk.server.headers.clear()

    second = desk.sync()

    assert [one.path for one in first.incomplete] == [desk.package]
    assert second.incomplete == ()
    assert desk.server.ranges == [(desk.package, f"bytes={CUT}-")]
    assert [path for path in desk.server.requests if path.endswith(".rpm")] == [desk.package]
    assert desk.incoming == []


def test_a_server_without_ranges_costs_the_file_again_and_nothing_else(desk: Desk) -> None:
    desk.server.behave(desk.package, Cut(CUT), NoRange())

    assert desk.sync().incomplete == ()
    assert desk.incoming == []


def test_a_file_that_came_whole_before_a_kill_is_not_asked_for(desk: Desk) -> None:
    desk.server.behave(desk.package, Cut(CUT), Answer(500, times=FOR_EVER))
    desk.sync()
    (part,) = desk.incoming
    part.write_bytes((desk.repo.path / desk.package).read_bytes())
    part.chmod(0o444)
    desk.server.requests.clear()

    assert desk.sync().incomplete == ()
    assert desk.package not in desk.server.requests
    assert desk.incoming == []


def test_metadata_that_cannot_be_had_leave_the_packages_of_before(desk: Desk) -> None:
    desk.server.behave("repodata/repomd.xml", Answer(500, times=FOR_EVER))

    with pytest.raises(UpstreamError):
        desk.sync()

    assert desk.incoming == []
