"""Attacks on what looks at volumes without checking signatures: row 45 of the threats, for copy, burn and simulate."""

import os
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from issmedia.bundle import layout
from issmedia.bundle.declared import MAX_UNVERIFIED
from tests.makers.forge import Document, edit_manifest
from tests.makers.forge_sets import put_index
from tests.makers.shelves import Shelf
from tests.makers.sites import Site


@contextmanager
def little_memory() -> Iterator[None]:
    """See that no more than 32 MiB are taken."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < 32 << 20
    finally:
        tracemalloc.stop()


@pytest.fixture
def swollen(volume: Path) -> Path:
    """A volume whose `SHA256SUMS` is as long as the format allows, and whose manifest says that it is right so."""
    os.truncate(volume / layout.SUMS, layout.MAX_SUMS)

    def claim(document: Document) -> None:
        document["volumes"][0]["files"] = layout.MAX_SUMS // layout.LONGEST_LINE + 1

    edit_manifest(volume, claim)
    return volume


@pytest.mark.parametrize(
    "command", [("copy", "--to", "{target}"), ("burn", "--device", "stdio:{target}/disc")], ids=lambda one: one[0]
)
def test_045_sums_of_a_gibibyte_are_neither_copied_nor_burned(
    lab: Site, swollen: Path, tmp_path: Path, command: tuple[str, ...]
) -> None:
    """Anybody's stick has an index that would fill the memory, and a manifest that allows it."""
    name, *options = (part.format(target=tmp_path / "target") for part in command)
    (tmp_path / "target").mkdir()
    before = lab.state()

    with little_memory():
        outcome = lab.call(name, swollen, *options)

    assert (outcome.code, lab.state()) == (5, before), outcome.err
    assert f"{swollen}: SHA256SUMS: is 1,073,741,824 bytes long, at most {MAX_UNVERIFIED:,} are read" in outcome.err
    assert list((tmp_path / "target").iterdir()) == []


def test_045_sums_of_a_gibibyte_tell_simulate_nothing(lab: Site, swollen: Path) -> None:
    """The same stick is asked what its loss would cost."""
    with little_memory():
        outcome = lab.call("simulate", swollen, "--lose", "1")

    assert outcome.code == 6
    assert "lost: all of volume 1" in outcome.out


def test_045_a_copy_begun_on_anybodys_stick_reads_no_more_of_it_than_it_wrote(
    lab: Site, volume: Path, tmp_path: Path
) -> None:
    """The target claims to hold this copy already, and its `SHA256SUMS` is longer than the memory."""
    (tmp_path / "stick").mkdir()
    (tmp_path / "stick/manifest.json").write_bytes((volume / "manifest.json").read_bytes())
    (tmp_path / "stick/SHA256SUMS").touch()
    os.truncate(tmp_path / "stick/SHA256SUMS", layout.MAX_SUMS)

    with little_memory():
        outcome = lab.call("copy", volume, "--to", tmp_path / "stick")

    assert outcome.code == 2
    assert "holds another volume of this bundle" in outcome.err


def test_045_an_index_of_parity_longer_than_the_set_could_have_is_not_unpacked(parity: Shelf, tmp_path: Path) -> None:
    """A parity volume of a small set has an index that unpacks to 100 MiB: the other volumes tell what is lost."""
    spoiled = parity.copied(tmp_path / "spoiled")
    put_index(spoiled.volumes, bytes(100 << 20))

    with little_memory():
        outcome = parity.hq.call("simulate", *spoiled.volumes, "--lose", "1,2")

    assert outcome.code == 6
    assert "lost: p/zoo: " in outcome.out


@pytest.mark.parametrize("stripes", [1 << 23, 1 << 40])
def test_045_stripes_that_no_index_could_name_are_refused(parity: Shelf, tmp_path: Path, stripes: int) -> None:
    """The manifest says of a small set that its parity has more blocks than there are bytes on all its volumes."""
    spoiled = parity.copied(tmp_path / "spoiled")
    edit_manifest(spoiled.volume(3), lambda document: document["recovery"].update(stripes=stripes))

    with little_memory():
        outcome = parity.hq.call("simulate", spoiled.volume(3), "--lose", "1")

    assert outcome.code == 5
    assert f"recovery: {stripes} stripes" in outcome.err
