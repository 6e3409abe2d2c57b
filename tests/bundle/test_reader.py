"""Reading a hostile volume: capped, beneath its root, nothing believed."""

from pathlib import Path

import pytest

from issmedia.base.errors import FormatError, NotIntactError
from issmedia.bundle.reader import DirectoryVolume, read
from issmedia.model.manifest import MAX_MANIFEST, MAX_SIGNATURES
from tests.makers.bundles import bundle_of, content_of


@pytest.fixture
def stick(tmp_path: Path) -> Path:
    """A good volume."""
    return bundle_of(tmp_path, zoo={"a.rpm": b"a"}).write(tmp_path / "stick")


def test_the_manifest_and_signatures_are_read_as_they_are(stick: Path) -> None:
    with read([stick]) as bundle:
        assert bundle.manifest == (stick / "manifest.json").read_bytes()
        assert bundle.signatures == (stick / "manifest.json.sig").read_bytes()
        assert [volume.where for volume in bundle.volumes] == [str(stick)]


def test_a_bundle_without_signatures_is_read_as_such(stick: Path) -> None:
    (stick / "manifest.json.sig").unlink()

    with read([stick]) as bundle:
        assert bundle.signatures == b""


def test_nothing_is_parsed(stick: Path) -> None:
    (stick / "manifest.json").write_bytes(b"\xff")

    with read([stick]) as bundle:
        assert bundle.manifest == b"\xff"


@pytest.mark.parametrize(("name", "limit"), [("manifest.json", MAX_MANIFEST), ("manifest.json.sig", MAX_SIGNATURES)])
def test_a_file_past_its_cap_is_refused_unread(stick: Path, name: str, limit: int) -> None:
    with (stick / name).open("r+b") as file:
        file.truncate(limit + 1)

    with pytest.raises(FormatError, match=f"at most {limit} are allowed") as caught, read([stick]):
        pass

    assert caught.value.where == name


@pytest.mark.parametrize("name", ["manifest.json", "manifest.json.sig"])
def test_a_link_in_place_of_a_file_is_refused(stick: Path, name: str) -> None:
    (stick / name).rename(stick / "real")
    (stick / name).symlink_to("real")

    with pytest.raises(NotIntactError, match="is a symbolic link"), read([stick]):
        pass


def test_a_directory_without_a_manifest_is_no_volume(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"no manifest.json here") as caught, read([tmp_path]):
        pass

    assert (caught.value.where, bool(caught.value.hint)) == (str(tmp_path), True)


def test_an_unfinished_export_is_told_apart(stick: Path) -> None:
    (stick / "manifest.json").rename(stick / "manifest.json.partial")

    with pytest.raises(FormatError, match="an unfinished export"), read([stick]):
        pass


@pytest.mark.parametrize("kind", ["absent", "file", "link"])
def test_what_is_no_directory_is_no_volume(stick: Path, kind: str) -> None:
    path = stick.parent / kind
    if kind == "file":
        path.touch()
    elif kind == "link":
        path.symlink_to(stick)

    with pytest.raises(FormatError, match="cannot be opened as a volume"), read([path]):
        pass


def test_volumes_of_different_bundles_are_not_mixed(stick: Path, tmp_path: Path) -> None:
    other = bundle_of(tmp_path, zoo={"b.rpm": b"b"}).write(tmp_path / "other")

    with pytest.raises(NotIntactError, match="a volume of another bundle") as caught, read([stick, other]):
        pass

    assert caught.value.where == str(other)


def test_strays_are_listed_with_safe_names_and_their_directories_not_entered(stick: Path) -> None:
    known = frozenset(content_of(stick))
    (stick / "a\nb").touch()
    (stick / "d/e").mkdir(parents=True)
    (stick / "repos/link").symlink_to("/etc/passwd")

    with DirectoryVolume(stick) as volume:
        assert list(volume.stray(known)) == ["a\\nb", "d", "repos/link"]


@pytest.mark.parametrize("name", ["report.html", "report.json", "report.json.sig"])
def test_only_a_regular_file_passes_as_a_report(stick: Path, name: str) -> None:
    known = frozenset(content_of(stick)) | {name}
    (stick / "elsewhere").mkdir()
    (stick / name).symlink_to("elsewhere")

    with DirectoryVolume(stick) as volume:
        as_link = list(volume.stray(known))
    (stick / name).unlink()
    (stick / "elsewhere").rename(stick / name)
    with DirectoryVolume(stick) as volume:
        as_directory = list(volume.stray(known))

    assert (as_link, as_directory) == (["elsewhere", name], [name])


def test_a_file_that_is_missing_is_named(stick: Path) -> None:
    with DirectoryVolume(stick) as volume, pytest.raises(NotIntactError, match="is missing") as caught:
        volume.open("repos/p/zoo/gone.rpm")

    assert caught.value.where == "repos/p/zoo/gone.rpm"
