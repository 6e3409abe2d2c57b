"""Delta RPMs, which only prestodelta.xml names, are part of a repository as it is: over the wire too."""

import gzip
import hashlib
from pathlib import Path

import pytest

from issmedia.base.events import Event, Warned
from tests.makers.http_server import serving
from tests.makers.repodata import Pkg, Rec, primary_record, primary_xml, write_repo
from tests.makers.sink import MemorySink
from tests.makers.syncs import contents, reasons, sync

HREF = "drpms/a-1-1_1-2.noarch.drpm"
DATA = b"a delta"


def prestodelta(*, kind: str = "sha256", href: str = HREF, size: str = str(len(DATA))) -> bytes:
    """Write a prestodelta.xml of one delta."""
    checksum = hashlib.new(kind, DATA, usedforsecurity=False).hexdigest()
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<prestodelta>\n'
        '<newpackage name="a" epoch="0" version="1" release="2" arch="noarch">\n'
        '<delta oldepoch="0" oldversion="1" oldrelease="1">\n'
        f"<filename>{href}</filename><sequence>a-1-1-0123</sequence><size>{size}</size>"
        f'<checksum type="{kind}">{checksum}</checksum>\n</delta></newpackage></prestodelta>\n'
    ).encode()


def repository(directory: Path, document: bytes, *, kind: str = "prestodelta", data: bytes = DATA) -> Path:
    """Write a repository of one package, and a delta to it."""
    package = Pkg("a.rpm")
    records = [
        primary_record(primary_xml([package])),
        Rec(kind, "repodata/prestodelta.xml.gz", gzip.compress(document)),
    ]
    return write_repo(directory, records, {"a.rpm": package.data, HREF: data})


def files(directory: Path) -> dict[str, bytes]:
    """Read a directory whole."""
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


@pytest.mark.parametrize("kind", ["prestodelta", "deltainfo"])
def test_they_are_fetched_over_the_wire(tmp_path: Path, kind: str) -> None:
    document = prestodelta().replace(b"prestodelta", kind.encode())
    upstream, sink = repository(tmp_path / "up", document, kind=kind), MemorySink()

    with serving(upstream) as server:
        found = sync(server.url, sink)

    assert contents(found, sink) == files(upstream)
    assert found.incomplete == ()
    assert found.tree == sync(upstream).tree


def test_one_that_is_not_what_is_said_of_it_is_left_out(tmp_path: Path) -> None:
    upstream = repository(tmp_path / "up", prestodelta(), data=b"a other")

    with serving(upstream) as server:
        found = sync(server.url)

    assert list(reasons(found)) == [HREF]
    assert found.tree.find("a.rpm") is not None


@pytest.mark.parametrize(
    ("document", "path"),
    [(prestodelta(kind="md5"), HREF), (prestodelta(href="../evil.drpm"), "../evil.drpm")],
    ids=["weak checksum", "leads out"],
)
def test_one_that_proves_nothing_or_leads_out_is_not_asked_for(tmp_path: Path, document: bytes, path: str) -> None:
    upstream = repository(tmp_path / "up", document)

    with serving(upstream) as server:
        found = sync(server.url)

    assert list(reasons(found)) == [path]
    assert not [one for one in server.requests if "drpm" in str(one)]


@pytest.mark.parametrize("document", [b"<prestodelta>", prestodelta(size="-1"), b"<other/>"])
def test_a_document_that_cannot_be_read_is_carried_and_told(tmp_path: Path, document: bytes) -> None:
    upstream, said = repository(tmp_path / "up", document), list[Event]()

    with serving(upstream) as server:
        found = sync(server.url, report=said.append)

    assert found.tree.find("repodata/prestodelta.xml.gz") is not None
    assert found.tree.find(HREF) is None
    assert ["carried as it is" in one.message for one in said if isinstance(one, Warned)] == [True]
