"""sync of several repositories on a server: what overlaps, what is shared, what fails alone."""

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from issmedia.base import files
from issmedia.base.events import Advanced, Event, Finished, Started, Within
from issmedia.cli.main import run
from issmedia.content.base import Upstream
from issmedia.model.documents import Repository
from issmedia.model.transport import Transport
from issmedia.ops.sync_many import How, sources, sync_many
from tests.makers.http_server import FOR_EVER, Answer, Before, HttpServer, Silence, serving
from tests.makers.repos import build_repo
from tests.makers.sites import Site

REPOMD = "repodata/repomd.xml"
LABELS = "abcdef"
INTERRUPTIBLE = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from issmedia.cli.main import main
main()
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[HttpServer]:
    """Serve six repositories: each has a package of its own, and one that all of them have."""
    for label in LABELS:
        build_repo(tmp_path / "web" / label, ["shared", f"own-{label}"])
    with serving(tmp_path / "web") as server:
        yield server


def site_of(root: Path, server: HttpServer, labels: str) -> Site:
    """Make a site with some of the repositories, none synced."""
    site = Site(root / "hq")
    site.do("init", "--name", "hq")
    for label in labels:
        site.do("repo", "add", f"p/{label}", f"{server.url}/{label}")
    return site


def test_the_first_question_is_asked_of_all_at_once(tmp_path: Path, server: HttpServer) -> None:
    site = site_of(tmp_path, server, LABELS)
    together = threading.Barrier(len(LABELS))
    for label in LABELS:
        server.behave(f"{label}/{REPOMD}", Before(lambda: together.wait(20)))

    site.do("sync")

    assert not together.broken


def test_a_few_are_fetched_at_a_time_while_the_others_are_asked(tmp_path: Path, server: HttpServer) -> None:
    site = site_of(tmp_path, server, LABELS)
    asked = threading.Semaphore(0)
    all_asked = threading.Event()

    def ask() -> None:
        asked.release()
        if all(asked.acquire(blocking=False) for _ in LABELS):
            all_asked.set()

    for label in LABELS:
        server.behave(f"{label}/{REPOMD}", Before(ask))
    seen: list[set[str]] = []

    def fetch() -> None:
        seen.append({path[0] for path in server.requests if path.endswith(".rpm")})

    for label in LABELS:
        server.behave(f"{label}/Packages/o/own-{label}-1.0-1.noarch.rpm", Before(fetch))

    site.do("sync")

    first_of_each = [server.requests.index(f"{label}/{REPOMD}") for label in LABELS]
    early = {path[0] for path in server.requests[: max(first_of_each)] if not path.endswith(REPOMD)}
    assert len(early) <= 3
    assert len(seen) == len(LABELS)


def test_a_package_in_three_repositories_is_fetched_once_at_the_same_time(tmp_path: Path, server: HttpServer) -> None:
    site = site_of(tmp_path, server, "abc")
    own = threading.Barrier(4)
    for label in "abc":
        server.behave(f"{label}/Packages/o/own-{label}-1.0-1.noarch.rpm", Before(lambda: own.wait(20)))
        server.behave(f"{label}/Packages/s/shared-1.0-1.noarch.rpm", Before(lambda: own.wait(20)))

    site.do("sync", "--jobs", "16")

    assert not own.broken
    assert len([path for path in server.requests if "shared" in path]) == 1
    assert len(set(site.trees().values())) == 3


def test_a_package_whose_fetching_fails_for_one_is_had_for_another(tmp_path: Path, server: HttpServer) -> None:
    site = site_of(tmp_path, server, "ab")
    server.behave("a/Packages/s/shared-1.0-1.noarch.rpm", Answer(404, times=FOR_EVER))

    outcome = site.call("sync", "--json")

    lacking = {one["repository"]: len(one["incomplete"]) for one in outcome.document["repositories"]}
    assert lacking["p/b"] == 0
    assert outcome.code == (7 if lacking["p/a"] else 0)  # where b was first, a has it from there


def test_five_repositories_on_one_server_need_no_more_connections_than_jobs(tmp_path: Path, server: HttpServer) -> None:
    site = site_of(tmp_path, server, "abcde")

    site.do("sync", "--jobs", "3")
    site.do("sync", "--jobs", "3")

    assert server.connections <= 2 * 3


def test_results_and_failures_stand_in_the_order_that_was_asked_for(tmp_path: Path, server: HttpServer) -> None:
    site = site_of(tmp_path, server, LABELS)
    for label in "be":
        server.behave(f"{label}/{REPOMD}", Answer(500, times=FOR_EVER))

    outcome = site.call("sync", "--json", "--tries", "1")

    assert outcome.code == 7
    assert [one["repository"] for one in outcome.document["repositories"]] == ["p/a", "p/c", "p/d", "p/f"]
    assert [one["where"][:3] for one in outcome.document["failed"]] == ["p/b", "p/e"]


def test_nothing_at_all_is_an_upstream_error(tmp_path: Path, server: HttpServer) -> None:
    site = site_of(tmp_path, server, "abc")
    for label in "abc":
        server.behave(f"{label}/{REPOMD}", Answer(404, times=FOR_EVER))

    assert site.call("sync").code == 3


def test_a_depot_that_fails_stops_those_that_are_under_way(tmp_path: Path, server: HttpServer) -> None:
    site = site_of(tmp_path, server, LABELS)

    def fail(kind: str, name: str) -> None:
        if kind == "syncfs":
            raise OSError(5, "Input/output error")

    with files.observing(fail):
        outcome = site.call("sync", "--json")

    assert (outcome.code, outcome.out) == (4, "")
    assert site.call("status", "--json").document["repositories"][0]["snapshot"] is None


def test_an_interruption_ends_all_that_are_under_way(tmp_path: Path, server: HttpServer) -> None:
    site = site_of(tmp_path, server, LABELS)
    silences = [Silence(threading.Event()) for _ in range(3)]
    for label, silence in zip("abc", silences, strict=True):
        server.behave(f"{label}/{REPOMD}", silence)
    command = [sys.executable, "-c", INTERRUPTIBLE, "--depot", str(site.root), "sync"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        for silence in silences:
            assert silence.reached.wait(30)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)

    assert process.returncode == 130
    assert said.endswith(b"interrupted: the same command again goes on where this stopped\n")
    assert site.call("sync").code == 0


def test_odd_numbers_are_refused_before_anybody_is_asked(tmp_path: Path, server: HttpServer) -> None:
    site = site_of(tmp_path, server, "ab")

    assert run(["--depot", str(site.root), "sync", "--jobs", "-1"]) == 2
    assert server.requests == []


def test_events_name_their_repository_and_count_it_when_it_is_done(tmp_path: Path, server: HttpServer) -> None:
    site, seen = site_of(tmp_path, server, "ab"), list[Event]()

    def one(repository: Repository, upstream: Upstream, report: object) -> "Done":
        assert callable(report)
        report(Started("packages", 1))
        return Done(repository.path)

    with site.depot.owned("sync", now="2026-01-01T00:00:00Z") as depot:
        how = How(Transport(), {})
        found = sync_many(sources(depot, ()), depot, one, how=how, report=seen.append)

    assert [one.repository for one in found.results] == ["p/a", "p/b"]
    assert seen[0] == Started("syncing", repositories=2)
    assert seen[-1] == Finished("syncing")
    assert seen.count(Advanced(repositories=1)) == 2
    within = [event.event for event in seen if isinstance(event, Within) and event.repository == "p/a"]
    assert within == [Started("packages", 1), Finished("packages")]


class Done:
    """What syncing one repository gave."""

    changed = True

    def __init__(self, repository: str) -> None:
        self.repository = repository


def test_nobody_promises_a_file_before_its_turn(tmp_path: Path, server: HttpServer) -> None:
    """Three hold the turns and want the file that a fourth would fetch, which waits for a turn."""
    for label in "abcd":
        build_repo(tmp_path / "web" / label, ["shared", "more"])
    site = site_of(tmp_path, server, "abcd")
    together = threading.Barrier(4)
    for label in "abcd":
        server.behave(f"{label}/{REPOMD}", Before(lambda: together.wait(20)))

    site.do("sync")

    assert len([path for path in server.requests if path.endswith("primary.xml.gz")]) == 1
    assert len(site.trees()) == 4


def test_signatures_are_asked_for_at_once(tmp_path: Path, server: HttpServer) -> None:
    site = site_of(tmp_path, server, "ab")
    together = threading.Barrier(2)
    for label in "ab":
        server.behave(f"{label}/{REPOMD}.asc", Before(lambda: together.wait(20)))

    site.do("sync")

    assert not together.broken


def test_what_is_damaged_of_one_repository_stops_no_other(tmp_path: Path, server: HttpServer) -> None:
    site = site_of(tmp_path, server, "ab")
    site.do("sync")
    site.do("repo", "set", "p/a", "--newest", "1", "--with-dependencies")
    tree = site.trees()["p/b"]
    (site.root / "store" / tree[:2] / tree).unlink()

    outcome = site.call("sync", "--json")

    assert [one["repository"] for one in outcome.document["repositories"]] == ["p/b"]
    assert [one["where"].partition(":")[0] for one in outcome.document["failed"]] == ["p/a"]
    assert outcome.code == 7


def test_a_host_that_puts_everything_off_is_given_up(tmp_path: Path, server: HttpServer) -> None:
    build_repo(tmp_path / "web" / "a", [f"package-{number}" for number in range(30)])
    site = site_of(tmp_path, server, "a")
    for number in range(30):
        server.behave(f"a/Packages/p/package-{number}-1.0-1.noarch.rpm", Answer(503, times=FOR_EVER))

    site.call("sync", "--tries", "1", "--jobs", "2")

    assert len([path for path in server.requests if path.endswith(".rpm")]) < 20
