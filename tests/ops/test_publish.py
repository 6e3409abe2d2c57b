"""publish: what clients see of what this site holds."""

from pathlib import Path

import pytest

from issmedia.base import files
from issmedia.base.errors import UsageError
from issmedia.base.events import ignore
from issmedia.ops.publish import BASE_URL, Published, publish
from tests.makers.documents import NOW
from tests.makers.programs import run
from tests.makers.repos import sample_repo
from tests.makers.sites import Site, connected_site


@pytest.fixture(scope="module")
def synced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The depot of a site that synced one upstream as two repositories; nobody changes it."""
    root = tmp_path_factory.mktemp("synced")
    upstream = sample_repo(root / "zoo").path
    return connected_site(root / "hq", zoo=upstream, twin=upstream).root


@pytest.fixture
def hq(synced: Path, tmp_path: Path) -> Site:
    """A copy of it."""
    run("cp", "-a", synced, tmp_path)
    return Site(tmp_path / "hq")


def published(site: Site, *what: str, base_url: str | None = None) -> Published:
    """Publish."""
    with site.depot.owned("publish", now=NOW) as depot:
        return publish(depot, what, now=NOW, report=ignore, base_url=base_url)


def events(site: Site) -> list[str]:
    """List what the ledger says."""
    with site.depot.catalog.reading() as db:
        return [entry.event for entry in db.ledger.entries()]


def test_two_repositories_of_one_tree_share_their_files(hq: Site) -> None:
    done = published(hq)

    assert (done.changed, done.repositories, done.made) == (True, ("p/twin", "p/zoo"), ("p/twin", "p/zoo"))
    assert (hq.root / "published/p/twin").resolve() == (hq.root / "published/p/zoo").resolve()


def test_publishing_again_changes_nothing_and_says_so(hq: Site) -> None:
    published(hq)
    before = events(hq)

    done = published(hq)

    assert (done.changed, done.made) == (False, ())
    assert before == events(hq)


def test_a_site_without_snapshots_publishes_an_empty_client_file(tmp_path: Path) -> None:
    site = connected_site(tmp_path / "hq")
    site.do("repo", "add", "p/zoo", tmp_path)

    done = published(site)

    assert done.repositories == ()
    assert [path.name for path in (site.root / "published").iterdir()] == ["issmedia.repo"]


def test_a_removed_repository_is_gone_at_the_next_publish(hq: Site) -> None:
    published(hq)
    hq.do("repo", "remove", "p/twin", "--yes")

    done = published(hq)

    assert done.repositories == ("p/zoo",)
    assert "p:twin" not in (hq.root / "published/issmedia.repo").read_text()


def test_a_new_base_url_shows_clients_a_new_file_and_makes_no_tree(hq: Site) -> None:
    published(hq)

    done = published(hq, base_url="https://repos.example.com")

    assert (done.changed, done.made) == (True, ())
    assert "baseurl=https://repos.example.com/p/zoo/\n" in (hq.root / "published/issmedia.repo").read_text()


def test_the_same_base_url_again_changes_nothing(hq: Site) -> None:
    published(hq, base_url="https://repos.example.com")
    before = hq.state()

    done = published(hq, base_url="https://repos.example.com")

    assert (done.changed, hq.state()) == (False, before)


def test_the_word_file_is_the_directory_again(hq: Site) -> None:
    published(hq)
    before = (hq.root / "published/issmedia.repo").read_bytes()
    published(hq, base_url="https://repos.example.com")

    published(hq, base_url="file")
    published(hq)

    assert before == (hq.root / "published/issmedia.repo").read_bytes()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "repos.example.com",
        "ftp://repos.example.com",
        "http://",
        "http:///x",
        "file://host/x",
        "http://a/\ngpgcheck=0",
        "http://a/\r",
        "http://a/ b",
        "http://a/,http://evil",
        "http://bücher.example",
        "http://a/\x7f",
        "http://a/\n",
    ],
)
def test_what_is_no_base_url_is_refused_and_nothing_is_changed(hq: Site, url: str) -> None:
    before = hq.state()

    with pytest.raises(UsageError, match="expected a base URL"):
        published(hq, base_url=url)

    assert before == hq.state()


@pytest.mark.parametrize("url", ["http://a", "https://a:8443/b%20c/", "file:///srv/p", "http://[::1]/x", "http://a/$b"])
def test_a_base_url_of_http_https_or_file_is_taken(hq: Site, url: str) -> None:
    published(hq, base_url=url)

    assert f"baseurl={url.rstrip('/')}/p/zoo/\n" in (hq.root / "published/issmedia.repo").read_text()


def test_a_base_url_is_remembered_before_clients_see_it(hq: Site) -> None:
    published(hq)

    remembered: list[str | None] = []

    def look(kind: str, name: str) -> None:
        if (kind, name) == ("rename", "published"):
            with hq.depot.catalog.reading() as db:
                remembered.append(db.names.setting(BASE_URL))

    with files.observing(look):
        published(hq, base_url="https://repos.example.com")

    assert remembered == ["https://repos.example.com"]


def test_each_change_of_what_clients_see_stands_in_the_ledger(hq: Site) -> None:
    done = published(hq)

    with hq.depot.catalog.reading() as db:
        *_, entry = db.ledger.entries()
    assert (entry.event, entry.facts) == ("publish", {"generation": done.generation, "trees": hq.trees()})
