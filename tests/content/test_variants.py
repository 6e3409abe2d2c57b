"""Repositories of variants within a kickstart tree are mirrored with it, over the wire too."""

from pathlib import Path

import pytest

from issmedia.base.digest import digest_of
from tests.makers.http_server import serving
from tests.makers.openpgp import OpenPGPKey
from tests.makers.repos import BuiltRepo, build_repo, sample_repo
from tests.makers.sink import MemorySink
from tests.makers.syncs import contents, reasons, sync


@pytest.fixture
def tree(repo: BuiltRepo, key: OpenPGPKey) -> BuiltRepo:
    """A repository whose `.treeinfo` names another one within, a signed one, and one elsewhere."""
    sample_repo(repo.path / "Extra", key=key)
    text = "\n[variant-Extra]\nrepository = Extra\n[variant-Far]\nrepository = ../far\n"
    treeinfo = repo.path / ".treeinfo"
    treeinfo.write_text(treeinfo.read_text() + text)
    for name in (".treeinfo", "images/boot.img"):
        (repo.path / "Extra" / name).unlink()
    return repo


def test_all_of_it_is_mirrored_over_the_wire(tree: BuiltRepo) -> None:
    sink = MemorySink()

    with serving(tree.path) as server:
        found = sync(server.url, sink)

    assert contents(found, sink) == tree.files()
    assert found.incomplete == ()
    assert found.inventory is not None
    assert len(found.inventory.packages) == 5


def test_a_directory_gives_the_same_tree(tree: BuiltRepo) -> None:
    with serving(tree.path) as server:
        assert sync(server.url).tree == sync(tree.path).tree


@pytest.mark.parametrize("content", [b"<repomd>", None])
def test_one_that_cannot_be_read_is_left_out_and_the_rest_stands(tree: BuiltRepo, content: bytes | None) -> None:
    repomd = tree.path / "Extra/repodata/repomd.xml"
    repomd.unlink()
    if content is not None:
        repomd.write_bytes(content)

    with serving(tree.path) as server:
        found = sync(server.url)

    assert list(reasons(found)) == ["Extra/repodata/repomd.xml"]
    assert found.tree.find("repodata/repomd.xml") is not None
    assert found.tree.find("Extra/repodata/repomd.xml") is None


def test_a_path_of_its_metadata_that_leads_out_is_not_followed(tmp_path: Path) -> None:
    repo = build_repo(tmp_path / "up", ["app"], treeinfo={"images/boot.img": b"boot"})
    within = build_repo(repo.path / "Extra", ["evil"], layout="{filename}", compression="none")
    (primary,) = (within.path / "repodata").glob("*primary.xml")
    old = primary.read_bytes()
    data = old.replace(b'href="evil-1.0', b'href="../../..')
    primary.with_name(primary.name.replace(digest_of(old), digest_of(data))).write_bytes(data)
    within.repomd.write_text(within.repomd.read_text().replace(digest_of(old), digest_of(data)))
    with (repo.path / ".treeinfo").open("a") as file:
        file.write("\n[variant-Extra]\nrepository = Extra\n")

    with serving(repo.path) as server:
        found = sync(server.url)
        asked = list(server.requests)

    assert not [path for path in asked if ".." in path]
    assert len(data) == len(old)
    assert [path for path, reason in reasons(found).items() if "the name" in reason] == ["Extra/../../..-1.noarch.rpm"]
