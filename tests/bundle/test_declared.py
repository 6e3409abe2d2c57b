"""What a volume declares: found by its digest, read once, and no more of it than its manifest allows."""

import os
from pathlib import Path

import msgspec
import pytest

from issmedia.base.digest import digest_of
from issmedia.base.errors import FormatError, NotIntactError
from issmedia.bundle import layout
from issmedia.bundle.declared import declared
from issmedia.bundle.reader import DirectoryVolume
from issmedia.model.manifest import Manifest, UnverifiedVolume, VolumeEntry
from tests.makers.documents import sample_manifest
from tests.makers.media import Medium

INDEX = {"README.txt": digest_of(b"read"), "repos/p/zoo/a.rpm": digest_of(b"a")}
SUMS = layout.encode_sums(INDEX.items())


@pytest.fixture
def medium(tmp_path: Path) -> Medium:
    """A volume with nothing but its sums."""
    (tmp_path / layout.SUMS).write_bytes(SUMS)
    return Medium(DirectoryVolume(tmp_path))


def entry(number: int, *, files: int, sums: bytes = SUMS) -> VolumeEntry:
    """Make what a manifest says of a volume."""
    return VolumeEntry(number, f"V{number}", "dvd", None, files, 100, digest_of(sums))


def manifest(*entries: VolumeEntry) -> Manifest:
    """Make a manifest of these volumes."""
    return msgspec.structs.replace(sample_manifest(), volumes=entries)


def at(medium: Medium) -> UnverifiedVolume:
    """Call the volume `stick`."""
    return UnverifiedVolume("stick", medium, None)


def test_the_volume_is_the_one_that_has_these_sums(medium: Medium) -> None:
    second = entry(2, files=2)

    found = declared(at(medium), manifest(entry(1, files=2, sums=b"other"), second))

    assert (found.entry, found.sums, found.index) == (second, SUMS, INDEX)
    assert medium.given == {layout.SUMS: len(SUMS)}


def test_sums_that_the_manifest_does_not_list_are_refused(medium: Medium) -> None:
    with pytest.raises(NotIntactError, match=f"read {digest_of(SUMS)}") as caught:
        declared(at(medium), manifest(entry(1, files=2, sums=b"other")))

    assert caught.value.where == "stick: SHA256SUMS"


def test_as_many_files_are_expected_as_the_manifest_says(medium: Medium) -> None:
    with pytest.raises(FormatError, match="expected 3 files, found 2"):
        declared(at(medium), manifest(entry(1, files=3)))


def test_what_cannot_be_read_is_not_intact(medium: Medium, tmp_path: Path) -> None:
    (tmp_path / layout.SUMS).unlink()

    with pytest.raises(NotIntactError):
        declared(at(medium), manifest(entry(1, files=2)))


def test_sums_longer_than_the_caller_allows_are_refused_unread(medium: Medium, tmp_path: Path) -> None:
    os.truncate(tmp_path / layout.SUMS, 1001)

    with pytest.raises(FormatError, match="is 1,001 bytes long, at most 1,000 are read") as caught:
        declared(at(medium), manifest(entry(1, files=5)), most=1000)

    assert "issmedia verify" in str(caught.value.hint)
    assert medium.given == {}


def test_sums_longer_than_those_of_any_volume_are_not_read_to_their_end(medium: Medium, tmp_path: Path) -> None:
    os.truncate(tmp_path / layout.SUMS, 1 << 40)

    with pytest.raises(NotIntactError, match="expected sha256"):
        declared(at(medium), manifest(entry(1, files=2), entry(2, files=1)), most=3000)

    assert medium.given == {layout.SUMS: 2 * layout.LONGEST_LINE + 1}
