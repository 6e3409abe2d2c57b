"""What an upstream may do to us by its repodata. Numbers are rows of the threat table."""

import bz2
import gzip
import lzma
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zstandard

from issmedia.base.errors import FormatError, IssmediaError, UpstreamError
from issmedia.base.events import ignore
from issmedia.content.yum.reader import Parser
from issmedia.content.yum.sync import sync as yum_sync
from issmedia.net.upstream import open_upstream
from tests.makers.http_server import serving
from tests.makers.repodata import (
    Pkg,
    Rec,
    primary_record,
    primary_xml,
    repomd_xml,
    write_packages,
    write_repo,
)
from tests.makers.sink import MemorySink
from tests.makers.syncs import contents, reasons, sync

GOOD = Pkg("good.rpm", b"good")
FILES = {"good.rpm": b"good"}
BAIT = b"root:x:0:0: bait"
MIB = 1 << 20


def refused(directory: Path, reason: str, kind: type[IssmediaError] = FormatError) -> IssmediaError:
    """Sync from the directory and by the web; assert that both refuse, and keep no package and no repomd.xml."""
    with serving(directory) as server:
        for source in (directory, server.url):
            sink = MemorySink()
            with pytest.raises(kind, match=reason) as caught:
                sync(source, sink)
            assert b"good" not in sink.blobs.values()
            assert not any(data.startswith(b"<?xml") and b"<repomd" in data for data in sink.blobs.values())
    return caught.value


@pytest.fixture
def upstream(tmp_path: Path) -> Path:
    return tmp_path / "upstream"


@pytest.mark.parametrize(
    ("href", "reason"),
    [
        ("../canary", "the name has the component '..'"),
        ("a/../../canary", "the name has the component '..'"),
        ("/etc/passwd", "the name is absolute"),
        ("a//b.rpm", "the name has an empty component"),
        ("./a.rpm", "the name has the component '.'"),
        ("a\\b.rpm", "the name has the character '\\\\'"),
        ("http://elsewhere/a.rpm", "the name has the character ':'"),
        ("-rf", "the name has a component that begins with '-'"),
        ("a\u202egpj.rpm", "the name has a control, bidi or zero-width character"),
        ("CON.rpm", "the name has a component that is a DOS device name"),
        ("x" * 256, "the name has a component of over 255 bytes"),
        ("a.rpm/", "the name has an empty component"),
    ],
)
def test_036_names_that_lead_out_are_refused_one_by_one(upstream: Path, href: str, reason: str) -> None:
    """The attacker lists a package under a name that leaves the tree, or that a medium or terminal misreads."""
    (upstream.parent / "canary").write_bytes(BAIT)
    write_packages(upstream, [GOOD], absent=[])
    data = primary_xml([GOOD, Pkg(href, BAIT)])
    write_repo(upstream, [primary_record(data)])
    sink = MemorySink()

    synced = sync(f"file://{upstream}", sink)

    assert list(reasons(synced).values()) == [reason]
    assert all(path.isprintable() for path in reasons(synced))
    assert set(contents(synced, sink)) == {"good.rpm", "repodata/primary.xml", "repodata/repomd.xml"}
    assert BAIT not in sink.blobs.values()


def bomb_of_zst(start: bytes, fill: bytes, size: int) -> bytes:
    """Write a zst frame by hand: `start`, then one byte `size` times, 128 kB for every four bytes (RFC 8878, 3.1.1)."""
    header = b"\x28\xb5\x2f\xfd" + b"\x00\x58"
    raw = (len(start) << 3).to_bytes(3, "little") + start
    block = ((128 << 10) << 3 | 0b010).to_bytes(3, "little") + fill
    return header + raw + block * (size // (128 << 10)) + (0b001).to_bytes(3, "little")


BLANKS = b" " * (60 * MIB)
BOMBS: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "xz": lambda data: lzma.compress(data, preset=0),
    "bz2": lambda data: bz2.compress(data, 1),
    "zst": lambda data: bomb_of_zst(data[:300], b" ", len(data)),
}


@pytest.mark.parametrize("form", BOMBS)
def test_047_a_bomb_stops_at_the_declared_size(upstream: Path, form: str) -> None:
    """The attacker packs 60 MB of blanks into a small primary and declares a harmless size."""
    bomb = BOMBS[form](primary_xml([GOOD]) + BLANKS)
    write_repo(upstream, [primary_record(bomb, open_size=1000)], FILES)

    refused(upstream, "unpacks to more than 1,000 bytes")


def test_047_a_bomb_without_a_declared_size_stops_at_ours(upstream: Path) -> None:
    """The attacker packs 2 GiB into 64 kB and declares nothing."""
    bomb = bomb_of_zst(primary_xml([GOOD]), b" ", 2 << 30)
    write_repo(upstream, [primary_record(bomb)], FILES)
    sink = MemorySink()

    with (
        open_upstream(str(upstream)) as source,
        pytest.raises(FormatError, match="unpacks to more than 67,108,864 bytes"),
    ):
        yum_sync(source, sink, None, ignore, parser=Parser(max_unpacked=64 * MIB))

    assert len(bomb) < 70_000
    assert list(sink.blobs.values()) == [bomb]


def test_047_a_bomb_that_declares_its_size_is_refused_unopened(upstream: Path) -> None:
    """The attacker declares the 2 GiB honestly."""
    write_repo(upstream, [primary_record(b"\x28\xb5\x2f\xfd", open_size=2 << 30)], FILES)

    refused(upstream, "declares 2,147,483,648 bytes unpacked")


def test_047_two_gigabytes_of_zeros_are_refused_at_the_first_bytes(upstream: Path) -> None:
    """The attacker packs zeros only, which are no document."""
    write_repo(upstream, [primary_record(bomb_of_zst(b"", b"\0", 2 << 30))], FILES)

    refused(upstream, "not XML")


def test_047_a_document_packed_twice_stays_packed(upstream: Path) -> None:
    """The attacker packs a packed primary, so that the parser's own unpacking, which has no cap, would run."""
    write_repo(upstream, [primary_record(gzip.compress(bz2.compress(primary_xml([GOOD]))))], FILES)

    refused(upstream, "not XML")


def test_047_a_text_that_outgrows_memory_kills_the_child_only(upstream: Path) -> None:
    """The attacker writes one summary of 500 MB, which the parser would gather in memory."""
    start = primary_xml([Pkg("a.rpm", summary="@@")]).split(b"@@")[0]
    write_repo(upstream, [primary_record(bomb_of_zst(start, b"x", 500 * MIB))], FILES)

    with open_upstream(str(upstream)) as source, pytest.raises(FormatError, match="memory"):
        yum_sync(source, MemorySink(), None, ignore, parser=Parser(memory=400 * MIB))


def test_047_an_updateinfo_that_is_a_bomb_fails_the_sync(upstream: Path) -> None:
    """The attacker hides the bomb in the second document that we parse."""
    bomb = gzip.compress(b"<updates>" + BLANKS)
    updateinfo = Rec("updateinfo", "repodata/updateinfo.xml.gz", bomb, open_size=100)
    write_repo(upstream, [primary_record(primary_xml([GOOD])), updateinfo], FILES)

    refused(upstream, "unpacks to more than 100 bytes")


PACK: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "xz": lzma.compress,
    "bz2": bz2.compress,
    "zst": zstandard.ZstdCompressor().compress,
}


@pytest.mark.parametrize("form", PACK)
def test_048_a_stream_cut_short_is_refused(upstream: Path, form: str) -> None:
    """The attacker cuts the stream before its end, hoping that what came first is believed."""
    packed = PACK[form](primary_xml([GOOD]))
    write_repo(upstream, [primary_record(packed[:-5])], FILES)

    refused(upstream, f"the {form} stream is cut short|damaged {form} data")


@pytest.mark.parametrize("form", PACK)
@pytest.mark.parametrize("behind", ["junk", "zeros", "member"])
def test_048_data_behind_the_stream_is_refused(upstream: Path, form: str, behind: str) -> None:
    """The attacker appends a second member that some clients read and others do not."""
    packed = PACK[form](primary_xml([GOOD]))
    tail = {"junk": b"junk", "zeros": bytes(100), "member": PACK[form](b"<evil/>")}[behind]
    write_repo(upstream, [primary_record(packed + tail)], FILES)

    refused(upstream, f"data behind the end of the {form} stream")


@pytest.mark.parametrize("form", PACK)
def test_048_a_damaged_stream_is_refused(upstream: Path, form: str) -> None:
    """The attacker changes bytes within the stream."""
    packed = bytearray(PACK[form](primary_xml([GOOD])))
    for place in range(len(packed) // 2, len(packed) // 2 + 20):
        packed[place] ^= 0x55
    write_repo(upstream, [primary_record(bytes(packed))], FILES)

    refused(upstream, f"damaged {form} data|not XML|Parse error")


def test_048_a_document_in_zchunk_is_not_parsed(upstream: Path) -> None:
    """The attacker has the parser's least-tried decoder unpack the primary."""
    write_repo(upstream, [primary_record(b"\0ZCK1" + bytes(100))], FILES)

    refused(upstream, "zchunk is carried but not parsed")


def with_doctype(subset: str, use: str) -> bytes:
    document = primary_xml([GOOD, Pkg("a.rpm", summary=use)])
    return document.replace(b"<metadata", f"<!DOCTYPE metadata [{subset}]>\n<metadata".encode(), 1)


def hostile_documents(bait: Path) -> Iterator[tuple[bytes, str]]:
    """Give documents with the reason of their refusal."""
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
    yield with_doctype(f'<!ENTITY l0 "lol">{laughs}', "&l9;"), "it has a DOCTYPE"
    yield with_doctype(f'<!ENTITY x SYSTEM "file://{bait}">', "&x;"), "it has a DOCTYPE"
    yield with_doctype(f'<!ENTITY % x SYSTEM "http://127.0.0.1:9/{bait.name}">%x;', "1"), "it has a DOCTYPE"
    plain = primary_xml([GOOD])
    yield plain.replace(b"<metadata", b'<!DOCTYPE metadata SYSTEM "http://127.0.0.1:9/x.dtd"><metadata'), "DOCTYPE"
    yield primary_xml([GOOD, Pkg("a.rpm", summary="&undefined;")]), "not defined"
    yield primary_xml([GOOD, Pkg("a.rpm", summary="@")]).replace(b"@", b"\xff\xfe"), "UTF-8"
    yield primary_xml([GOOD, Pkg("a.rpm", summary="@")]).replace(b"@", b"\xc0\xaf"), "UTF-8"
    yield plain.replace(b'encoding="UTF-8"', b'encoding="utf-16"'), "expected UTF-8|not XML"
    yield plain.decode().encode("utf-16"), "neither gz"
    yield plain[:-12], "parsing|Premature|Parse error"
    yield plain + b"<metadata/>", "Extra content"
    yield plain.replace(b"</metadata>", b"<x>" * 300_000), "Parse error|memory"
    yield b"<html>not found</html>", "expected the root element metadata"
    yield b"", "neither gz"


@pytest.mark.parametrize("number", range(14))
def test_049_hostile_xml_is_refused(upstream: Path, number: int) -> None:
    """The attacker writes entity bombs, external entities, endless nesting, bad encodings, broken documents."""
    bait = upstream.parent / "bait"
    bait.write_bytes(BAIT)
    document, reason = list(hostile_documents(bait))[number]
    write_repo(upstream, [primary_record(document)], FILES)

    error = refused(upstream, reason)

    assert BAIT.decode() not in str(error)
    assert "127.0.0.1" not in str(error)


def test_049_hostile_xml_in_repomd_is_refused(upstream: Path) -> None:
    """The attacker does the same to the first document of all."""
    write_repo(upstream, [primary_record(primary_xml([GOOD]))], FILES)
    repomd = upstream / "repodata/repomd.xml"
    text = repomd.read_text()

    repomd.write_text(text.replace("<repomd", '<!DOCTYPE repomd [<!ENTITY x SYSTEM "file:///etc/passwd">]><repomd'))
    refused(upstream, "it has a DOCTYPE")

    repomd.write_text(text[:-12])
    refused(upstream, "Parse error")

    repomd.write_bytes(b"<repomd>" + b" " * (16 << 20))
    refused(upstream, "expected at most 16,777,216 bytes", UpstreamError)


def test_050_a_location_with_an_xml_base_is_not_followed(upstream: Path) -> None:
    """The attacker sends clients to another place for one package's bytes."""
    write_packages(upstream, [GOOD, Pkg("a.rpm", BAIT, base="http://127.0.0.1:9/")])
    (upstream / "a.rpm").write_bytes(BAIT)
    sink = MemorySink()

    synced = sync(f"file://{upstream}", sink)

    assert reasons(synced) == {
        "a.rpm": "has an xml:base, http://127.0.0.1:9/, that leads out of the repository",
    }
    assert BAIT not in sink.blobs.values()


@pytest.mark.parametrize("href", ["../secret.xml", "/etc/passwd", "repodata/../../secret.xml"])
def test_050_a_record_that_leads_out_is_left_out(upstream: Path, href: str) -> None:
    """The attacker has repomd.xml name a file of the mirror's machine as one of its records."""
    upstream.mkdir()
    (upstream.parent / "secret.xml").write_bytes(BAIT)
    write_repo(upstream, [primary_record(primary_xml([GOOD])), Rec("other", href, BAIT)], FILES)
    sink = MemorySink()

    synced = sync(f"file://{upstream}", sink)

    assert list(reasons(synced)) == [href]
    assert BAIT not in sink.blobs.values()


@pytest.mark.parametrize(
    "record",
    [
        Rec("primary", "../primary.xml", primary_xml([GOOD])),
        Rec("primary", "repodata/primary.xml", primary_xml([GOOD]), base="http://127.0.0.1:9/"),
    ],
)
def test_050_a_primary_that_lies_elsewhere_fails_the_sync(upstream: Path, record: Rec) -> None:
    """The attacker has the list of packages itself come from elsewhere."""
    upstream.mkdir()
    write_repo(upstream, [record], FILES)
    (upstream.parent / "primary.xml").write_bytes(record.data)

    error = refused(upstream, "lists no primary that could be used")

    assert [problem.where for problem in error.problems] == [record.href]


@pytest.mark.parametrize("path", ["../secret", "/etc/passwd", "images/../../secret"])
def test_050_a_treeinfo_that_leads_out_is_not_followed(upstream: Path, path: str) -> None:
    """The attacker has the kickstart tree name a file of the mirror's machine."""
    (upstream.parent / "secret").write_bytes(BAIT)
    write_packages(upstream, [GOOD])
    (upstream / ".treeinfo").write_text(f"[stage2]\nmainimage = {path}\n")
    sink = MemorySink()

    synced = sync(f"file://{upstream}", sink)

    assert list(reasons(synced)) == [path]
    assert BAIT not in sink.blobs.values()


def test_050_links_in_a_mirrors_directory_are_not_followed(upstream: Path) -> None:
    """The attacker puts a link to a secret where a package should lie."""
    (upstream.parent / "secret").write_bytes(BAIT)
    write_packages(upstream, [GOOD, Pkg("a.rpm", BAIT)], absent=["a.rpm"])
    (upstream / "a.rpm").symlink_to("../secret")
    sink = MemorySink()

    synced = sync(upstream, sink)

    assert reasons(synced) == {"a.rpm": "is a symbolic link"}
    assert BAIT not in sink.blobs.values()


@pytest.mark.parametrize("count", [0, 1, 3, 999_999_999])
def test_051_a_count_that_lies_is_refused(upstream: Path, count: int) -> None:
    """The attacker drops a package from the list, or adds one, and leaves the count."""
    write_repo(upstream, [primary_record(primary_xml([GOOD, Pkg("a.rpm")], count=count))], FILES)

    refused(upstream, f"it claims {count:,} packages and lists 2")


@pytest.mark.parametrize("count", ["-1", "1e3", "٣", "two", "12345678901"])
def test_051_a_count_that_is_none_is_refused(upstream: Path, count: str) -> None:
    """The attacker hopes for a number that overflows or is read in two ways."""
    write_repo(upstream, [primary_record(primary_xml([GOOD], count=count))], FILES)

    refused(upstream, "is no count")


@pytest.mark.parametrize(
    "other", [Pkg("good.rpm", b"evil"), Pkg("good.rpm", b"good", size="5"), Pkg("repodata/primary.xml", b"evil")]
)
def test_051_one_name_with_two_checksums_or_sizes_is_refused(upstream: Path, other: Pkg) -> None:
    """The attacker lists one file twice, so that one client checks this and another that."""
    write_repo(upstream, [primary_record(primary_xml([GOOD, other]))], FILES)

    refused(upstream, "the metadata name it twice")


def test_051_a_package_named_like_repomd_is_refused(upstream: Path) -> None:
    """The attacker lists repomd.xml as a package, to have another one put in its place."""
    write_repo(upstream, [primary_record(primary_xml([GOOD, Pkg("repodata/repomd.xml", b"evil")]))], FILES)

    refused(upstream, "the metadata name it twice")


def test_051_a_package_in_the_place_of_repodata_is_refused(upstream: Path) -> None:
    """The attacker lists a package named as the directory of the metadata."""
    write_repo(upstream, [primary_record(primary_xml([Pkg("repodata", b"evil")]))])

    with pytest.raises(FormatError, match="lies below a path that is a file"):
        sync(f"file://{upstream}")


def test_051_two_primaries_are_refused(upstream: Path) -> None:
    """The attacker lists two primaries; clients differ on which of them counts."""
    two = [
        Rec("primary", "repodata/1.xml", primary_xml([GOOD])),
        Rec("primary", "repodata/2.xml", primary_xml([Pkg("a.rpm")])),
    ]
    write_repo(upstream, two, FILES)

    refused(upstream, "it has 2 records, and only 1 with a type of their own")


@pytest.mark.parametrize("lie", [{"checksum": "0" * 64}, {"size": 10}, {"size": 1 << 40}])
def test_051_a_primary_that_is_not_what_repomd_says_is_refused(upstream: Path, lie: dict[str, str]) -> None:
    """The attacker serves another primary than the one repomd.xml, which may be signed, names."""
    write_repo(upstream, [Rec("primary", "repodata/primary.xml", primary_xml([GOOD]), **lie)], FILES)  # type: ignore[arg-type]

    refused(upstream, "expected .* got", UpstreamError)


def test_051_a_primary_whose_unpacked_checksum_differs_is_refused(upstream: Path) -> None:
    """The attacker declares another document than the one that is packed."""
    packed = gzip.compress(primary_xml([GOOD]))
    record = Rec("primary", "repodata/primary.xml.gz", packed, open_checksum=("sha256", "0" * 64))
    write_repo(upstream, [record], FILES)

    refused(upstream, f"expected sha256 {'0' * 64} unpacked")


@pytest.mark.parametrize("mark", ["<location", "<name>", "<checksum", "<arch>", "<version"])
def test_051_a_package_that_lacks_a_part_is_refused(upstream: Path, mark: str) -> None:
    """The attacker lists a package without a name, place or checksum."""
    element = Pkg("a.rpm").xml()
    start = element.index(mark)
    end = element.index("<", element.index(">", start)) if mark[-1] != ">" else element.index("</", start)
    end = element.index(">", end) + 1 if element[end : end + 2] == "</" else end
    document = primary_xml([GOOD, Pkg("a.rpm")]).replace(element.encode(), (element[:start] + element[end:]).encode())
    write_repo(upstream, [primary_record(document)], FILES)

    refused(upstream, "lists what cannot be|without pkgid|Parse error|no checksum")


@pytest.mark.parametrize("size", ["-1", "-9223372036854775808"])
def test_051_a_size_that_cannot_be_is_refused(upstream: Path, size: str) -> None:
    """The attacker lists a package of negative size."""
    write_repo(upstream, [primary_record(primary_xml([GOOD, Pkg("a.rpm", size=size)]))], FILES)

    refused(upstream, "size of|lists what cannot be")


@pytest.mark.parametrize("kind", ["md5", "sha", "sha1"])
def test_052_a_weak_checksum_of_a_package_is_refused(upstream: Path, kind: str) -> None:
    """The attacker has two packages of one MD5 or SHA-1, and shows us the good one."""
    weak = Pkg("a.rpm", kind=kind, checksum="0" * (32 if kind == "md5" else 40))
    write_repo(upstream, [primary_record(primary_xml([GOOD, weak]))], FILES)

    error = refused(upstream, f"a.rpm has a checksum of type {kind}, which proves nothing", UpstreamError)

    assert error.hint is not None


@pytest.mark.parametrize("kind", ["primary", "filelists", "updateinfo"])
def test_052_a_weak_checksum_in_repomd_is_refused(upstream: Path, kind: str) -> None:
    """The attacker has two documents of one MD5."""
    others = [] if kind == "primary" else [primary_record(primary_xml([GOOD]))]
    weak = Rec(kind, f"repodata/{kind}.xml", primary_xml([GOOD]), checksum_kind="md5")
    write_repo(upstream, [*others, weak], FILES)

    refused(upstream, f"{kind} has a checksum of type md5", UpstreamError)


def test_052_a_weak_checksum_of_the_unpacked_document_is_refused(upstream: Path) -> None:
    """The attacker declares the unpacked document by SHA-1."""
    record = Rec("primary", "repodata/primary.xml", primary_xml([GOOD]), open_checksum=("sha1", "0" * 40))
    write_repo(upstream, [record], FILES)

    refused(upstream, "primary unpacked has a checksum of type sha1", UpstreamError)


def test_052_a_record_without_a_checksum_is_refused(upstream: Path) -> None:
    """The attacker leaves the checksum out."""
    record = primary_record(primary_xml([GOOD]))
    write_repo(upstream, [record], FILES)
    text = repomd_xml([record]).decode()
    start, end = text.index("<checksum"), text.index("</checksum>") + len("</checksum>")
    (upstream / "repodata/repomd.xml").write_text(text[:start] + text[end:])

    refused(upstream, "primary has no checksum", UpstreamError)


def test_052_a_weak_checksum_in_a_treeinfo_leaves_the_file_out(upstream: Path) -> None:
    """The attacker has two boot images of one MD5."""
    write_packages(upstream, [GOOD])
    (upstream / "boot.img").write_bytes(BAIT)
    (upstream / ".treeinfo").write_text(f"[checksums]\nboot.img = md5:{'0' * 32}\n[stage2]\nmainimage = boot.img\n")
    sink = MemorySink()

    synced = sync(upstream, sink)

    assert reasons(synced) == {"boot.img": "has a checksum of type md5, which proves nothing"}
    assert BAIT not in sink.blobs.values()


def test_053_databases_are_carried_and_never_opened(upstream: Path) -> None:
    """The attacker puts traps into the files for solvers: damaged SQLite, and a YAML of nested aliases."""
    with sqlite3.connect(":memory:") as database:
        database.execute("CREATE TABLE packages (pkgKey INTEGER)")
        trap = database.serialize()
    database.close()
    traps = {
        "primary_db": bz2.compress(trap[:100] + b"\xff" * 3000),
        "primary_zck": b"\0ZCK1" + b"\xff" * 300,
        "modules": b"a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n" * 50,
        "group": b'<!DOCTYPE comps [<!ENTITY x SYSTEM "file:///etc/passwd">]><comps>&x;</comps>',
        "solv": b"SOLV\xff\xff\xff\xff",
    }
    records = [Rec(kind, f"repodata/{kind}", data) for kind, data in traps.items()]
    write_repo(upstream, [primary_record(primary_xml([GOOD])), *records], FILES)
    sink = MemorySink()

    synced = sync(f"file://{upstream}", sink)

    carried = contents(synced, sink)
    assert {kind: carried[f"repodata/{kind}"] for kind in traps} == traps
    assert synced.incomplete == ()
