"""Attacks through documents that a trusted key signed, and on their reading: rows 15, 16, 17, 45 and 46 of the threats.

Everything here is signed by the key that the site trusts, so that the parser is reached.
"""

import copy
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from issmedia.base.digest import Digest
from issmedia.base.errors import FormatError
from issmedia.base.events import ignore
from issmedia.bundle import layout
from issmedia.bundle.reader import read
from issmedia.depot.keyring import Keyring
from issmedia.depot.keys import FileKey
from issmedia.model.manifest import parse_manifest
from issmedia.model.tree import Entry, Tree
from issmedia.ops.verify import verify
from tests.makers.attacked import World, assert_refused, command_line
from tests.makers.forge import Document, edit_manifest, handmade, manifest_of, put_manifest, put_sums, replace_tree
from tests.makers.programs import run
from tests.makers.sites import Site
from tests.makers.sshkeys import NOW

HOSTILE = {
    "a key twice": (b'"version": 1', b'"version": 1, "version": 1'),
    "a key twice in a part": (b'"number": 1', b'"number": 1, "number": 1'),
    "NaN": (b'"sequence": 2', b'"sequence": NaN'),
    "Infinity": (b'"sequence": 2', b'"sequence": Infinity'),
    "1e999": (b'"sequence": 2', b'"sequence": 1e999'),
    "a float": (b'"sequence": 2', b'"sequence": 2.0'),
    "an exponent": (b'"sequence": 2', b'"sequence": 2e0'),
    "2^53": (b'"sequence": 2', b'"sequence": 9007199254740992'),
    "an integer of 5000 digits": (b'"sequence": 2', b'"sequence": ' + b"9" * 5000),
    "a leading zero": (b'"sequence": 2', b'"sequence": 02'),
    "a lone surrogate": (b'"the second"', b'"\\ud800"'),
    "a lone surrogate as a key": (b'"notes": ', b'"\\udfff": 1, "notes": '),
    "bytes that are not UTF-8": (b'"the second"', b'"\xff"'),
    "a surrogate in UTF-8": (b'"the second"', b'"\xed\xa0\x80"'),
    "a raw NUL": (b'"the second"', b'"\0"'),
    "a raw newline": (b'"the second"', b'"\n"'),
    "a comment": (b'"version": 1', b'"version": 1 /* one */'),
    "single quotes": (b'"the second"', b"'the second'"),
    "a comma at the end": (b'"views": []', b'"views": [],'),
    "an unknown field": (b'"notes": ', b'"note": 1, "notes": '),
    "an unknown field in a part": (b'"number": 1', b'"number": 1, "url": null'),
    "a field missing": (b'"notes": "the second",', b""),
    "a nest in a field": (b'"the second"', b"[" * 100_000 + b"]" * 100_000),
    "a nest of objects": (b'"the second"', b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
}

WHOLE = {
    "nothing": b"",
    "blanks": b" \n" * 10,
    "null": b"null",
    "a number": b"1",
    "a list": b"[]",
    "an empty object": b"{}",
    "a deep nest": b"[" * 1_000_000,
    "zeros": b"\0" * 100_000,
    "noise": bytes(range(256)) * 64,
    "HTML": b"<html><body>login</body></html>",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_015_hostile_json_is_refused(lab: Site, volume: Path, release: FileKey, name: str) -> None:
    """The document says one thing to one parser and another to the next, or wears out the parser."""
    good = (volume / "manifest.json").read_bytes()
    old, new = HOSTILE[name]
    assert good.count(old) == 1
    put_manifest(volume, good.replace(old, new), release)

    assert_refused(lab, volume, 5, "manifest.json: ")


@pytest.mark.parametrize("around", [("\ufeff", ""), ("", "\0"), ("", "{}"), ("", "x"), ("\0", ""), ("[", "]")])
def test_015_more_than_one_document_is_refused(
    lab: Site, volume: Path, release: FileKey, around: tuple[str, str]
) -> None:
    """A byte-order mark stands before the document, or something after it."""
    before, after = around
    good = (volume / "manifest.json").read_bytes()
    put_manifest(volume, before.encode() + good + after.encode(), release)

    assert_refused(lab, volume, 5, "manifest.json: ")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-16-le"])
def test_015_another_encoding_is_refused(lab: Site, volume: Path, release: FileKey, encoding: str) -> None:
    """Python's parser guesses encodings when it is handed bytes."""
    put_manifest(volume, (volume / "manifest.json").read_text().encode(encoding), release)

    assert_refused(lab, volume, 5, "manifest.json: ")


def test_015_no_field_takes_a_value_of_another_kind(volume: Path) -> None:
    """In each field in turn stands something that is not what belongs there: refused, and never a bug of ours."""
    good = manifest_of(volume)
    wrong: tuple[object, ...] = (None, True, -1, 0, 2**53, "", "x\n", "../..", "9" * 5000, [], [[]], {}, [None])

    for path in _fields(good):
        for value in wrong:
            changed = _with(good, path, value)
            try:
                parse_manifest(json.dumps(changed).encode())
            except FormatError as refused:
                assert refused.where is not None and refused.where.startswith("manifest.json")
                continue
            assert type(value) is type(_at(good, path)) or _may_be_null(path), (path, value)


@pytest.mark.parametrize(
    ("list_name", "field"), [("products", "label"), ("repositories", "label"), ("trees", "digest"), ("volumes", "sums")]
)
def test_015_an_entry_that_stands_twice_is_refused(
    lab: Site, volume: Path, release: FileKey, list_name: str, field: str
) -> None:
    """Two entries of one name: which of them counts is left to chance."""

    def double(document: Document) -> None:
        document[list_name].append({**document[list_name][0]})

    edit_manifest(volume, double, release)

    assert_refused(lab, volume, 5, f"manifest.json: {list_name}")


@pytest.mark.parametrize("label", ["..", "a/b", "con", "issmedia.repo", "x\n", "-rf", "", "a.", "p/zoo", "é"])
def test_015_a_label_that_is_none_is_refused(lab: Site, volume: Path, release: FileKey, label: str) -> None:
    """A product or repository has a name that would be a path, a device, an option, or our own client file."""
    good = manifest_of(volume)
    for list_name, names in (("products", ("label",)), ("repositories", ("label",)), ("repositories", ("product",))):
        changed = copy.deepcopy(good)
        changed[list_name].append({**changed[list_name][0], **dict.fromkeys(names, label)})
        put_manifest(volume, changed, release)

        assert_refused(lab, volume, 5, "manifest.json")


@pytest.mark.parametrize("field", ["created", "expires", "taken"])
@pytest.mark.parametrize(
    "time", ["9999-99-99T99:99:99Z", "2026-02-30T00:00:00Z", "2026-01-01T24:00:00Z", "0000-01-01T00:00:00Z"]
)
def test_015_a_time_that_never_comes_is_refused(
    lab: Site, volume: Path, release: FileKey, field: str, time: str
) -> None:
    """The newest time of all is a floor under our clock: let it be none that any clock can reach."""

    def set_time(document: Document) -> None:
        (document["repositories"][0] if field == "taken" else document)[field] = time

    edit_manifest(volume, set_time, release)

    assert_refused(lab, volume, 5, f"no such time: {time}")


@pytest.mark.system("strace")
def test_016_the_manifest_and_each_file_are_opened_once(world: World, lab: Site, tmp_path: Path) -> None:
    """A medium that answers a second reading otherwise than the first never gets to answer it."""
    calls = "trace=open,openat,openat2"

    run("strace", "-ff", "-qq", "-e", calls, "-o", tmp_path / "trace", *command_line(lab, "import", world.newer))

    lines = [line for trace in tmp_path.glob("trace.*") for line in trace.read_text().splitlines()]
    opened = [line.split('"')[1] for line in lines if '"' in line and "= -1" not in line]
    names = {path.name for path in world.newer.rglob("*") if path.is_file()} - layout.BESIDE
    assert {name: opened.count(name) for name in names} == dict.fromkeys(names, 1)


def test_016_a_manifest_that_is_swapped_after_its_reading_does_not_count(
    lab: Site, volume: Path, release: FileKey
) -> None:
    """The medium shows a good manifest to the signature check, and another to the parser."""
    with read([volume]) as unverified:
        edit_manifest(volume, lambda document: document.update(notes="swapped"), release)
        keyring = Keyring(lab.depot.keyring)
        verified = verify(unverified, keyring, lab.depot.state(), now=NOW, report=ignore)

    assert verified.manifest.notes == "the second"
    assert b'"the second"' in verified.manifest_bytes


@pytest.mark.parametrize("name", WHOLE)
def test_017_garbage_with_a_good_signature_is_refused(lab: Site, volume: Path, release: FileKey, name: str) -> None:
    """The signature is good and what it signs is no manifest (CVE-2026-39395: reported as success)."""
    put_manifest(volume, WHOLE[name], release)

    assert_refused(lab, volume, 5, "manifest.json: ")


def test_045_a_manifest_of_ten_gigabytes_is_not_read(lab: Site, volume: Path) -> None:
    """The manifest is longer than memory."""
    os.truncate(volume / "manifest.json", 10 << 30)

    assert_refused(lab, volume, 5, "manifest.json", "at most 33554432 are allowed")


def test_045_signatures_of_ten_gigabytes_are_not_read(lab: Site, volume: Path) -> None:
    """The signature file is longer than memory."""
    os.truncate(volume / "manifest.json.sig", 10 << 30)

    assert_refused(lab, volume, 5, "manifest.json.sig", "at most 65536 are allowed")


def test_045_sums_of_ten_gigabytes_are_read_as_far_as_the_manifest_allows(lab: Site, volume: Path) -> None:
    """`SHA256SUMS` is longer than memory; `inspect`, too, answers at once."""
    os.truncate(volume / "SHA256SUMS", 10 << 30)

    assert_refused(lab, volume, 6, "SHA256SUMS")


@pytest.mark.parametrize("name", ["README.txt", "issmedia.repo", "schemas/manifest.schema.json", "trees"])
def test_045_other_files_of_ten_gigabytes_are_not_read_through(lab: Site, volume: Path, name: str) -> None:
    """A listing or a text for people is longer than memory."""
    path = volume / name if name != "trees" else next((volume / "trees").iterdir())
    os.truncate(path, 10 << 30)

    assert_refused(lab, volume, 6, path.relative_to(volume).as_posix())


def test_045_a_listing_may_not_be_declared_longer_than_a_gigabyte(lab: Site, volume: Path, release: FileKey) -> None:
    """The manifest asks for ten gigabytes of memory for one listing."""
    edit_manifest(volume, lambda document: document["trees"][0].update(size=10 << 30), release)

    assert_refused(lab, volume, 5, "trees/", "at most 1073741824 are allowed")


@pytest.mark.parametrize("size", ["-1", "true", '"5"', "5.0", "null", "9007199254740992", "18446744073709551616"])
def test_046_a_size_that_is_no_plain_number_is_refused(lab: Site, volume: Path, release: FileKey, size: str) -> None:
    """A listing says that a file is -1 bytes long, or more than fits into what adds it up."""
    tree = lab.depot.store.tree(Digest(lab.trees()["p/zoo"])).encode()
    first = tree.split(b"\n")[0]
    head, _, _ = first.rpartition(b'"size":')

    replace_tree(volume, tree.replace(first, head + b'"size":' + size.encode() + b"}"), release)

    assert_refused(lab, volume, 5, "trees/")


@pytest.mark.parametrize("size", [(2 << 30) + 1, (4 << 30) + 1, 1 << 40, 2**53 - 1])
def test_046_a_size_beyond_the_disk_is_refused_before_anything_is_copied(
    lab: Site, world: World, tmp_path: Path, release: FileKey, size: int
) -> None:
    """A file of a few bytes says that it is huge (beyond 31 and 32 bits, too); the sum of many is more than 64 bits."""
    good = handmade(world.hq.depot.site(), {"a": b"some bytes"})
    many = [Entry(f"b{number:04}", Digest(f"{number:064x}"), size) for number in range(2000)]
    lie = Tree((Entry("a", good.tree.entries[0].sha256, size), *many))
    volume = good.__class__(good.site, lie, good.blobs).write(tmp_path / "lie", release)

    before = lab.state()
    checked, imported = lab.call("verify", volume), lab.call("import", volume)

    assert (checked.code in {5, 6}, lab.state()) == (True, before), checked.err
    assert imported.code in {4, 5}, imported.err
    assert list((lab.root / "store/incoming").iterdir()) == []


def test_046_two_sizes_for_one_blob_are_refused(lab: Site, world: World, tmp_path: Path, release: FileKey) -> None:
    """One listing gives a blob two sizes, so that one of them is never checked."""
    good = handmade(world.hq.depot.site(), {"a": b"some bytes"})
    (entry,) = good.tree.entries
    lie = Tree((entry, Entry("b", entry.sha256, entry.size + 1)))
    volume = good.__class__(good.site, lie, good.blobs).write(tmp_path / "lie", release)

    assert_refused(lab, volume, 5, "two sizes for one digest")


@pytest.mark.parametrize("field", ["files", "all"])
def test_046_counts_that_the_listing_belies_are_refused(lab: Site, volume: Path, release: FileKey, field: str) -> None:
    """The manifest, which people approve, says of a repository what its listing does not hold."""
    lie = {"files": 1, "all": {"blobs": 1, "bytes": 1}}[field]
    edit_manifest(volume, lambda document: document["repositories"][0].update({field: lie}), release)

    assert_refused(lab, volume, 5, "p/zoo")


@pytest.mark.parametrize("files", [0, 1, 2**53 - 1])
def test_046_a_number_of_files_that_the_sums_belie_is_refused(
    lab: Site, volume: Path, release: FileKey, files: int
) -> None:
    """The manifest says that the volume has no files, or more than there can be."""
    put_sums(volume, (volume / "SHA256SUMS").read_bytes(), release, files=files)

    before = lab.state()
    outcome = lab.call("import", volume)

    assert (outcome.code in {5, 6}, lab.state()) == (True, before)
    assert "SHA256SUMS" in outcome.err


def _fields(document: object, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    if path:
        yield path
    if isinstance(document, dict):
        for name, value in document.items():
            yield from _fields(value, (*path, name))
    elif isinstance(document, list):
        for position, value in enumerate(document):
            yield from _fields(value, (*path, position))


def _at(document: object, path: tuple[str | int, ...]) -> object:
    for step in path:
        assert isinstance(document, dict | list)
        document = document[step]  # type: ignore[index]
    return document


def _with(document: Document, path: tuple[str | int, ...], value: object) -> Document:
    changed = copy.deepcopy(document)
    parent = _at(changed, path[:-1])
    assert isinstance(parent, dict | list)
    parent[path[-1]] = value  # type: ignore[index]
    return changed


def _may_be_null(path: tuple[str | int, ...]) -> bool:
    return path[-1] in {"destination", "previous", "expires", "upstream", "dictionary", "capacity"}
