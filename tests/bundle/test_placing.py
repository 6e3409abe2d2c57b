"""Placing files from sources that may be bad: the good ones come, the bad ones spread nowhere."""

import os
from pathlib import Path

import pytest

from issmedia.base import files
from issmedia.base.digest import digest_of
from issmedia.base.errors import IssmediaError, NotIntactError
from issmedia.base.events import ignore
from issmedia.bundle import layout
from issmedia.bundle.placing import Placing
from issmedia.bundle.volume import PlannedFile, PlannedVolume
from issmedia.bundle.writer import write_volume
from issmedia.model.manifest import VolumeEntry
from tests.makers.bundles import Bundle, bundle_of, content_of

SAME = {f"repos/p/zoo/{name}": b"same" for name in ("b.rpm", "c.rpm")}
FILES = {"README.txt": b"read me", **SAME}


def planned(contents: dict[str, bytes]) -> PlannedVolume:
    """Plan a volume of these files."""
    listed = tuple(PlannedFile(path, digest_of(data), len(data), data) for path, data in sorted(contents.items()))
    sums = layout.encode_sums((file.path, file.sha256) for file in listed)
    size = sum(file.size for file in listed)
    return PlannedVolume(VolumeEntry(1, "ISSM", "directory", None, len(listed), size, digest_of(sums)), listed, sums)


def place(directory: Path, contents: dict[str, bytes], *, bad: frozenset[str] = frozenset()) -> Placing:
    """Place files; the sources of the `bad` ones are not what was declared."""

    def fill(file: PlannedFile, out: files.Staged) -> None:
        out.write(file.content or b"")
        if file.path in bad:
            raise NotIntactError("expected something else")

    placing = Placing(planned(contents), b"{}", directory, fill, report=ignore)
    placing.place(b"signed", phase="placing", workers=2)
    return placing


def test_the_good_files_come_though_others_are_bad_and_the_bad_are_named(tmp_path: Path) -> None:
    bad = frozenset(SAME)

    with pytest.raises(NotIntactError, match="2 files not intact") as caught:
        place(tmp_path, FILES, bad=bad)

    assert [problem.where for problem in caught.value.problems] == sorted(bad)
    assert content_of(tmp_path) == {"README.txt": b"read me", layout.PARTIAL: b"{}"}


def test_a_bad_file_that_lay_there_is_not_linked_to_its_other_names(tmp_path: Path) -> None:
    (tmp_path / "repos/p/zoo").mkdir(parents=True)
    (tmp_path / "repos/p/zoo/b.rpm").write_bytes(b"EVIL")

    with pytest.raises(NotIntactError):
        place(tmp_path, FILES, bad=frozenset({"repos/p/zoo/b.rpm"}))

    assert (tmp_path / "repos/p/zoo/c.rpm").read_bytes() == b"same"


def test_what_was_placed_before_is_kept_and_counted(tmp_path: Path) -> None:
    place(tmp_path, FILES)

    again = place(tmp_path, FILES, bad=frozenset(FILES))

    assert again.kept == 2  # the third is a link to one of them
    assert content_of(tmp_path).keys() == {*FILES, layout.PARTIAL, layout.SUMS, layout.SIGNATURES}


@pytest.mark.parametrize("there", [b"on disk already", b"on disk, rotten"])
def test_a_planned_file_comes_from_the_disk_if_it_is_what_was_planned(tmp_path: Path, there: bytes) -> None:
    (tmp_path / "there").write_bytes(there)
    expected = b"on disk already"
    file = PlannedFile("parity/0001", digest_of(expected), len(expected), file=tmp_path / "there")
    whole = bundle_of(tmp_path, zoo={"a.rpm": b"a"})
    volume = PlannedVolume(planned({}).entry, (file,), b"")

    if there == expected:
        written(whole, volume, tmp_path / "stick")
        assert (tmp_path / "stick/parity/0001").read_bytes() == expected
    else:
        with pytest.raises(IssmediaError, match=r"not intact|expected sha256"):
            written(whole, volume, tmp_path / "stick")
        assert not (tmp_path / "stick/parity/0001").exists()


def written(bundle: Bundle, volume: PlannedVolume, directory: Path) -> None:
    """Write a volume of a bundle's plan."""
    write_volume(bundle.plan, volume, bundle.store, directory, signatures=b"", workers=1, report=ignore)
    assert os.listdir(directory)
