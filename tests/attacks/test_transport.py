"""What an upstream, its mirrors, and who gets at half-fetched files may try on the wire."""

import os
from pathlib import Path

import pytest

from issmedia.base.errors import UpstreamError
from issmedia.model.mirrors import read_metalink
from tests.makers.http_server import FOR_EVER, Answer, Body, Cut, serving
from tests.makers.mirrors import metalink
from tests.makers.repos import BuiltRepo
from tests.makers.sites import Site, connected_site
from tests.makers.tls import Authority
from tests.makers.webs import secret_file


@pytest.fixture
def hq(tmp_path: Path) -> Site:
    """A connected site."""
    return connected_site(tmp_path / "hq")


def half(hq: Site, url: str) -> Path:
    """Sync an upstream that cuts a package off, and give what is kept of that."""
    hq.do("repo", "add", "p/zoo", url, "--tries", "1")
    assert hq.call("sync").code == 7
    (part,) = (hq.root / "store/incoming").iterdir()
    return part


def test_067_a_half_file_that_was_changed_is_not_trusted_when_it_is_resumed(hq: Site, repo: BuiltRepo) -> None:
    """The attacker changes bytes of a package that broke off, before the sync goes on with it."""
    package = repo.packages[0].href
    with serving(repo.path) as server:
        server.behave(package, Cut(500))
        part = half(hq, server.url)
        part.write_bytes(b"evil" + part.read_bytes()[4:])
        hq.do("repo", "set", "p/zoo", "--tries", "2")

        hq.do("sync")

    assert repo.packages[0].sha256 in {path.name for path in (hq.root / "store").glob("??/*")}
    assert all(b"evil" not in path.read_bytes()[:4] for path in (hq.root / "store").glob("??/*"))


@pytest.mark.parametrize("kind", ["link", "fifo", "directory"])
def test_067_a_half_file_that_is_none_is_not_followed(hq: Site, repo: BuiltRepo, tmp_path: Path, kind: str) -> None:
    """The attacker puts a link, a fifo or a directory in the place of a half file."""
    (tmp_path / "secret").write_bytes(b"secret")
    with serving(repo.path) as server:
        server.behave(repo.packages[0].href, Cut(500))
        part = half(hq, server.url)
        part.unlink()
        match kind:
            case "link":
                part.symlink_to(tmp_path / "secret")
            case "fifo":
                os.mkfifo(part)
            case _:
                part.mkdir()

        hq.do("sync")

    assert (tmp_path / "secret").read_bytes() == b"secret"
    assert list((hq.root / "store/incoming").iterdir()) == []


def test_067_a_half_file_that_is_a_blob_by_another_name_is_not_written_to(hq: Site, repo: BuiltRepo) -> None:
    """The attacker, or a crash, leaves a blob's second name where a half file lay."""
    with serving(repo.path) as server:
        server.behave(repo.packages[0].href, Cut(500))
        part = half(hq, server.url)
        blob = next(path for path in (hq.root / "store").glob("??/*"))
        before = blob.read_bytes()
        part.unlink()
        os.link(blob, part)

        hq.call("sync")

    assert before == blob.read_bytes()


def test_050_a_mirror_that_lies_changes_nothing(hq: Site, repo: BuiltRepo, tmp_path: Path) -> None:
    """The attacker runs the only mirror, and gives an older repomd.xml than the metalink names."""
    (tmp_path / "lists").mkdir()
    with serving(repo.path) as mirror, serving(tmp_path / "lists") as lists:
        (tmp_path / "lists/metalink").write_bytes(metalink([mirror.url], repo.repomd.read_bytes()))
        mirror.behave("repodata/repomd.xml", Body(b"<repomd/>", times=FOR_EVER))
        hq.do("repo", "add", "p/zoo", f"{lists.url}/metalink", "--metalink")
        before = hq.state()

        outcome = hq.call("sync")

    assert outcome.code == 3
    assert "no mirror has the repomd.xml that the metalink names" in outcome.err
    assert before == hq.state()


@pytest.mark.parametrize("bomb", ["entities", "depth", "external"])
def test_049_a_metalink_with_entities_or_depth_is_refused(bomb: str) -> None:
    """The attacker answers for the list of mirrors with an XML bomb, or with a document that fetches another."""
    plain = metalink(["https://a"], b"x").partition(b"\n")[2]
    data = {
        "entities": b'<!DOCTYPE m [<!ENTITY a "b"><!ENTITY c "&a;&a;&a;">]>' + plain,
        "depth": b"<metalink>" * 1000 + plain,
        "external": b'<!DOCTYPE m SYSTEM "file:///etc/passwd">' + plain,
    }[bomb]

    with pytest.raises(UpstreamError, match="no metalink"):
        read_metalink(data, where="x")


def test_050_a_password_is_nowhere_but_in_its_file(hq: Site, repo: BuiltRepo, tmp_path: Path) -> None:
    """The attacker reads all that a site shows or sends: reports, JSON, the catalog, the bundle."""
    authority = Authority(tmp_path / "ca")
    secret = secret_file(tmp_path / "secret", "username = alice\npassword = s3cret\n")
    with serving(repo.path, tls=authority.server()) as server:
        server.authorization = "Basic YWxpY2U6czNjcmV0"
        said = ("--ca-bundle", authority.bundle, "--credentials", secret)
        outcomes = [hq.do("repo", "add", "p/zoo", server.url, *said, "--json"), hq.do("sync", "--verbose", "--json")]
        server.authorization = "other"
        server.behave("repodata/repomd.xml", Answer(500))
        outcomes += [hq.call("sync"), hq.call("sync", "--json"), hq.do("export", "--to", tmp_path / "stick", "--json")]
        outcomes += [hq.do("repo", "show", "p/zoo"), hq.do("repo", "show", "p/zoo", "--json")]
        outcomes += [hq.do("status", "--json"), hq.do("log", "--json")]

    said_anywhere = "".join(one.out + one.err for one in outcomes).encode()
    kept = [path.read_bytes() for place in (hq.root, tmp_path / "stick") for path in place.rglob("*") if path.is_file()]
    for word in (b"s3cret", b"alice", b"YWxpY2U6"):
        assert word not in said_anywhere
        assert [data for data in kept if word in data] == []
