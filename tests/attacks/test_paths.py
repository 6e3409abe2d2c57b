"""Attacks through the names in listings and sums: rows 36 and 41 of the threats."""

import os
import unicodedata
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from issmedia.base.digest import Digest, digest_of
from issmedia.base.errors import FormatError
from issmedia.depot.keys import FileKey
from issmedia.model.names import path_fault
from issmedia.model.tree import Entry, Tree, parse_tree
from tests.makers.attacked import World, assert_refused
from tests.makers.forge import handmade, put_sums, replace_tree, reseal
from tests.makers.repos import FLAT, build_repo
from tests.makers.sites import Site, connected_site

EVIL = [
    "../evil",
    "a/../../evil",
    "..",
    ".",
    "./a",
    "a/.",
    "a/./b",
    "/evil",
    "//evil",
    "a//b",
    "a/",
    "",
    "\0",
    "a\0b",
    "a\\b",
    "..\\evil",
    "C:\\evil",
    "c:evil",
    "-rf",
    "a/-rf",
    "a.",
    "a ",
    "a./b",
    "...",
    "CON",
    "a/nul.rpm",
    "com1",
    "COM¹.txt",
    "a\nb",
    "a\rb",
    "a\x1b[2J",
    "a\x7f",
    "a\x85b",
    "a\u202eb",
    "a\u200bb",
    "a\u2066b",
    "\ufeffa",
    "a\u2028b",
    "a*",
    "a?",
    "a|b",
    "<a>",
    'a"b',
    "A\u030a",
    "x" * 256,
    "é" * 128,
    "/".join(["x" * 100] * 11),
]


UNSEEN = {"Cc", "Cf", "Cs", "Zl", "Zp"}
"""Control, format (bidi, zero-width), surrogate, line and paragraph separator."""


def listing(*paths: str) -> bytes:
    """Write a listing of these paths, each with the same few bytes, in the canonical form."""
    return Tree(tuple(Entry(path, digest_of(b"evil"), 4) for path in sorted(paths))).encode()


@pytest.mark.parametrize("path", EVIL, ids=ascii)
def test_036_a_listing_with_an_evil_name_is_refused(
    lab: Site, world: World, tmp_path: Path, release: FileKey, path: str
) -> None:
    """A signed listing names a file outside of its directory, or one that another system would see there."""
    canary = {name.name for name in tmp_path.parent.iterdir()}
    volume = handmade(world.hq.depot.site(), {path: b"evil", "good": b"good"}).write(tmp_path / "evil-volume", release)

    assert_refused(lab, volume, 5, "the name ")

    assert not lab.depot.store.has(digest_of(b"good"), 4)
    assert {name.name for name in tmp_path.parent.iterdir()} == canary
    assert [name for name in tmp_path.rglob("*") if name.name == "evil"] == []


@pytest.mark.parametrize("path", [path for path in EVIL if "\n" not in path and len(path) < 1000], ids=ascii)
def test_036_sums_with_an_evil_name_are_refused(lab: Site, volume: Path, release: FileKey, path: str) -> None:
    """Signed sums name a file beside the volume."""
    sums = (volume / "SHA256SUMS").read_bytes().splitlines(keepends=True)
    evil = f"{digest_of(b'evil')}  {path}\n".encode()

    lines = sorted([*sums, evil], key=lambda line: line[66:])
    put_sums(volume, b"".join(lines), release, files=len(lines))

    assert_refused(lab, volume, 5, "SHA256SUMS" if path == "" else "the name ")


@pytest.mark.parametrize(
    "line",
    [
        b"\\" + b"0" * 64 + b"  a\\nb\n",
        b"0" * 64 + b" *binary\n",
        b"0" * 64 + b" one-blank\n",
        b"0" * 63 + b"  short\n",
        b"A" * 64 + b"  upper\n",
        b"0" * 64 + b"  latin-\xe9\n",
        b"0" * 64 + b"  no-newline",
        b"0" * 64 + b"  carriage\r\n",
        b"# comment\n",
        b"\n",
        b"SHA256 (a) = " + b"0" * 64 + b"\n",
    ],
)
def test_036_sums_of_another_form_are_refused(lab: Site, volume: Path, release: FileKey, line: bytes) -> None:
    """`sha256sum` reads more forms than we do; what it would skip or unescape is refused here."""
    put_sums(volume, (volume / "SHA256SUMS").read_bytes() + line, release, files=12)

    assert_refused(lab, volume, 5, "SHA256SUMS" if b"carriage" not in line else "the name ")


def test_036_sums_out_of_order_or_with_one_name_twice_are_refused(lab: Site, volume: Path, release: FileKey) -> None:
    """Two digests stand for one name, and which of them counts is left to chance."""
    lines = (volume / "SHA256SUMS").read_bytes().splitlines(keepends=True)

    for wrong in (lines[::-1], [*lines, lines[-1]], [*lines[:-1], b"0" * 64 + lines[-1][64:], lines[-1]]):
        put_sums(volume, b"".join(wrong), release, files=len(set(wrong)))
        assert_refused(lab, volume, 5, "SHA256SUMS")


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.text(st.characters(codec="utf-8"), max_size=40)
    | st.lists(st.sampled_from(["..", ".", "a", "", "-", "\\", "CON"])).map("/".join)
)
def test_036_no_name_that_is_accepted_leaves_its_root(path: str) -> None:
    """Any text at all: what the grammar lets through is one file beneath any root, on every medium."""
    root = Path("/srv/root")

    try:
        parse_tree(listing(path), where="tree")
    except FormatError as refusal:
        assert path_fault(path) is not None
        assert {unicodedata.category(character) for character in f"{refusal}{refusal.where}"}.isdisjoint(UNSEEN)
        return

    inside = Path(os.path.normpath(root / path))
    assert inside.is_relative_to(root) and inside != root
    assert inside.relative_to(root).as_posix() == path == unicodedata.normalize("NFC", path)
    assert {unicodedata.category(character) for character in path}.isdisjoint(UNSEEN)
    assert not set(path) & set('\\:<>"|?*\0')


@pytest.mark.parametrize(
    "bytes_of_listing",
    [
        b'{"path":"a","sha256":"%s","size":4,"mode":511}\n',
        b'{"path":"a","path":"b","sha256":"%s","size":4}\n',
        b'{"path":"\\u0061","sha256":"%s","size":4}\n',
        b'{"path": "a","sha256":"%s","size":4}\n',
        b'{"sha256":"%s","path":"a","size":4}\n',
        b'{"path":"a","sha256":"%s","size":4}',
        b'\n{"path":"a","sha256":"%s","size":4}\n',
        b'{"path":"b","sha256":"%s","size":4}\n{"path":"a","sha256":"%s","size":4}\n',
        b'{"path":"a","sha256":"%s","size":4}\n{"path":"a","sha256":"%s","size":4}\n',
        b'{"path":"\\ud800","sha256":"%s","size":4}\n',
        b'{"path":"\xff","sha256":"%s","size":4}\n',
        b'["a","%s",4]\n',
        b"[" * 100_000 + b"%s",
    ],
)
def test_036_a_listing_that_is_not_canonical_is_refused(
    lab: Site, volume: Path, release: FileKey, bytes_of_listing: bytes
) -> None:
    """A listing is written so that two readers see two trees in it."""
    replace_tree(volume, bytes_of_listing.replace(b"%s", digest_of(b"evil").encode()), release)

    assert_refused(lab, volume, 5, "trees/", "not a tree")


COLLIDING = [
    ("A", "a"),
    ("Dir/x", "dir/y"),
    ("straße", "STRASSE"),
    ("é", "É"),
    ("a", "a/b"),
    ("ſ", "s"),
    ("Å", "å"),
    ("a/B/c", "a/b/d"),
]


@pytest.mark.parametrize("pair", COLLIDING, ids=ascii)
def test_041_names_that_collide_are_refused_in_a_listing(
    lab: Site, world: World, tmp_path: Path, release: FileKey, pair: tuple[str, str]
) -> None:
    """Two names become one file on a medium that folds case, and one of them is never checked."""
    volume = handmade(world.hq.depot.site(), {name: name.encode() for name in pair}).write(tmp_path / "evil", release)

    assert_refused(lab, volume, 5, "collide")


@pytest.mark.parametrize("pair", COLLIDING, ids=ascii)
def test_041_names_that_collide_are_refused_in_sums(
    lab: Site, volume: Path, release: FileKey, pair: tuple[str, str]
) -> None:
    """The same on the volume, or with `MANIFEST.JSON`."""
    zeros = Digest("0" * 64)

    for names in (pair, ("MANIFEST.JSON",), ("sha256sums",), ("Manifest.json.SIG",), ("readme.TXT",)):
        reseal(volume, release, extra=[(name, zeros) for name in names])
        assert_refused(lab, volume, 5, "collide")


def test_041_names_that_collide_are_not_exported(tmp_path: Path) -> None:
    """Upstream has `A` and `a`; no medium must carry one of them in place of the other."""
    upstream = build_repo(tmp_path / "upstream", ["alpha"], layout=FLAT).path
    (upstream / "Notes").write_text("one")
    (upstream / "notes").write_text("two")
    hq = connected_site(tmp_path / "hq")
    hq.do("repo", "add", "p/zoo", upstream)

    outcome = hq.call("sync")

    assert outcome.code == 7, outcome.err
    assert "only in case or form" in outcome.out + outcome.err
