"""What an upstream or a child may do to us by documents that are cut apart. Numbers are rows of the threat table."""

import gzip
import hashlib
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from issmedia.base.errors import FormatError
from issmedia.base.events import Event, Warned
from issmedia.content.yum.reader import Parser, Unpacked
from tests.makers.parts import document, parts_of
from tests.makers.repodata import Pkg, Rec, primary_record, primary_xml, write_repo
from tests.makers.sink import MemorySink
from tests.makers.syncs import sync

GOOD = Pkg("good.rpm", b"good", "good")
BAD = Pkg("bad.rpm", b"bad", "bad")
SHARE = {"good.rpm": "good.rpm"}


def upstream(directory: Path, *records: Rec, primary: bytes | None = None) -> Path:
    """Write a repository of the packages good and bad, and these records."""
    found = [primary_record(primary_xml([GOOD, BAD]) if primary is None else primary), *records]
    return write_repo(directory, found, {"good.rpm": b"good", "bad.rpm": b"bad"})


def filelists(*elements: str) -> Rec:
    text = f"<filelists>{''.join(elements)}</filelists>"
    return Rec("filelists", "repodata/filelists.xml", text.encode())


def files_of(package: Pkg, file: str) -> str:
    pkgid = hashlib.sha256(package.data).hexdigest()
    return f'<package pkgid="{pkgid}" name="n" arch="noarch"><file>{file}</file></package>'


def test_051_files_of_packages_that_are_not_listed_are_passed_over(tmp_path: Path) -> None:
    """The attacker has filelists speak of a package that primary does not list, and twice of one that it does."""
    record = filelists(files_of(Pkg("x.rpm", b"x"), "/x"), files_of(GOOD, "/first"), files_of(GOOD, "/second"))
    sink = MemorySink()

    (files,) = parts_of(sync(upstream(tmp_path, record), sink).tree, sink, [SHARE])

    assert document(files, "filelists").count("<package ") == 1
    assert "<file>/first</file>" in document(files, "filelists")


def test_051_a_package_in_a_package_is_refused(tmp_path: Path) -> None:
    """The attacker hides a package's element in another's, where a parser passes over it."""
    inner = BAD.xml().replace("bad.rpm", "good.rpm")
    text = primary_xml([GOOD, BAD]).decode().replace("<format/>", f"<format>{inner}</format>", 1)
    sink = MemorySink()
    tree = sync(upstream(tmp_path, primary=primary_xml([GOOD, BAD])), sink).tree
    primary = next(entry for entry in tree.entries if "primary" in entry.path)
    sink.blobs[primary.sha256] = text.encode()

    with pytest.raises(FormatError, match="within each other"):
        parts_of(tree, sink, [SHARE])


@pytest.mark.parametrize(
    "element",
    [
        files_of(GOOD, "<open>"),
        files_of(GOOD, "&entity;"),
        files_of(GOOD, "<package></package>"),
    ],
)
def test_049_what_is_not_xml_is_left_out_and_told(tmp_path: Path, element: str) -> None:
    """The attacker has the bytes of a package end the document, or break it, where they are copied as they are."""
    sink, events = MemorySink(), list[Event]()

    tree = sync(upstream(tmp_path, filelists(element)), sink).tree
    (files,) = parts_of(tree, sink, [SHARE], report=events.append)

    assert document(files, "filelists") == ""
    assert [event.where for event in events if isinstance(event, Warned)] == ["repodata/filelists.xml"]


def test_049_what_follows_a_package_is_not_copied(tmp_path: Path) -> None:
    """The attacker has a package end the document, so that what follows would stand behind its end."""
    sink = MemorySink()

    tree = sync(upstream(tmp_path, filelists(files_of(GOOD, "</file></package></filelists><evil>"))), sink).tree
    (files,) = parts_of(tree, sink, [SHARE])

    assert document(files, "filelists").endswith("<file></file></package>\n</filelists>\n")


def test_047_a_bomb_in_filelists_stops_at_the_declared_size(tmp_path: Path) -> None:
    """The attacker packs 60 MB of blanks into filelists, which sync carries unopened."""
    packed = gzip.compress(b"<filelists>" + b" " * (60 << 20))
    sink, events = MemorySink(), list[Event]()
    record = Rec("filelists", "repodata/filelists.xml.gz", packed, open_size=1000)

    tree = sync(upstream(tmp_path, record), sink).tree
    (files,) = parts_of(tree, sink, [SHARE], report=events.append)

    assert document(files, "filelists") == ""
    assert [event.message for event in events if isinstance(event, Warned)] == [
        "cannot be read, and is left out of a part: it unpacks to more than 1,000 bytes"
    ]


def child(lines: Sequence[str]) -> Parser:
    """Make a parser whose children say that they are ready, then these lines."""
    script = "\n".join(["print('ready')", *(f"print({line!r})" for line in lines)])
    serving = f"from issmedia.content.yum.serving import serve\nserve(lambda job: exec({script!r}, {{}}))"
    return Parser((sys.executable, "-c", serving), timeout_s=60, max_said=1 << 20)


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (['{"size":100}', "short"], "said too little"),
        (['{"size":9007199254740991}'], "said too much"),
        (['{"size":2000000}'], "said too much"),
        (['{"size":-1}'], "lists what cannot be"),
        (['{"size":0,"whole":[0,1,"",[[]]]}'], "lists what cannot be"),
        (['{"size":0,"whole":' + '[0,1,"",[' * 10_000], "lists what cannot be"),
        (["null"], "lists what cannot be"),
    ],
)
def test_073_a_child_that_lies_about_slices_is_an_error(tmp_path: Path, lines: list[str], reason: str) -> None:
    """The attacker has taken over the child, and says slices that are none."""
    (tmp_path / "filelists.xml").touch()

    with (tmp_path / "filelists.xml").open("rb") as file, pytest.raises(FormatError, match=reason):
        list(child(lines).slices("filelists", file, Unpacked(), where="filelists.xml"))
