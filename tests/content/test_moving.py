"""An upstream that is published anew while it is synced: one moment of it, or nothing."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from issmedia.base.errors import UpstreamError
from issmedia.base.events import Event, Warned
from tests.makers.http_server import FOR_EVER, HttpServer, Then, serving
from tests.makers.repos import BuiltRepo, build_repo
from tests.makers.sink import MemorySink
from tests.makers.syncs import contents, sync

REPOMD = "repodata/repomd.xml"


def republish(repo: BuiltRepo, newer: BuiltRepo) -> Callable[[], object]:
    """Put another repository in a repository's place."""

    def act() -> None:
        shutil.rmtree(repo.path)
        shutil.copytree(newer.path, repo.path)

    return act


def moves(server: HttpServer, path: str, *acts: Callable[[], object]) -> None:
    """Do these after each answer for a path, in turn."""
    server.behave(path, *map(Then, acts))


@pytest.fixture
def newer(tmp_path: Path) -> BuiltRepo:
    return build_repo(tmp_path / "newer", ["fresh", "other"])


def test_a_repository_that_changed_before_its_packages_were_read_is_synced_as_it_is_now(
    repo: BuiltRepo, newer: BuiltRepo
) -> None:
    seen: list[Event] = []
    sink = MemorySink()
    with serving(repo.path) as server:
        moves(server, REPOMD, republish(repo, newer))

        synced = sync(server.url, sink, report=seen.append)

    assert set(contents(synced, sink)) == set(newer.files())
    assert synced.incomplete == ()
    assert [one.message for one in seen if isinstance(one, Warned)] == ["upstream changed while it was read"]


def test_a_repository_that_changed_behind_its_last_package_is_synced_as_it_is_now(
    repo: BuiltRepo, newer: BuiltRepo
) -> None:
    sink = MemorySink()
    with serving(repo.path) as server:
        for one in repo.packages:
            moves(server, one.href, lambda: (repo.path / REPOMD).write_bytes((newer.path / REPOMD).read_bytes()))
        with pytest.raises(UpstreamError):
            sync(server.url, sink)
        republish(repo, newer)()

        assert set(contents(sync(server.url, sink), sink)) == set(newer.files())


def test_one_that_changes_each_time_fails_cleanly(repo: BuiltRepo) -> None:
    number = 0

    def touch() -> None:
        nonlocal number
        number += 1
        text = (repo.path / REPOMD).read_text().partition("<!--")[0]
        (repo.path / REPOMD).write_text(f"{text}<!-- {number} -->")

    with serving(repo.path) as server:
        server.behave(REPOMD, Then(touch, times=FOR_EVER))

        with pytest.raises(UpstreamError, match="changed each of the 2 times it was read") as caught:
            sync(server.url)

    assert "nothing was changed" in str(caught.value.hint)


def test_a_fault_of_one_that_did_not_change_is_said_as_it_is(repo: BuiltRepo) -> None:
    primary = next(path for path in repo.files() if "primary" in path)
    (repo.path / primary).write_bytes(b"damaged")

    with serving(repo.path) as server:
        with pytest.raises(UpstreamError, match="expected"):
            sync(server.url)

        assert server.requests.count(REPOMD) == 2
