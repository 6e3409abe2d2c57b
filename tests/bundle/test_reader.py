"""Reading a hostile volume: capped, beneath its root, nothing believed."""

import stat
from pathlib import Path

import pytest

from issmedia.base.digest import digest_of
from issmedia.base.errors import FormatError, NotIntactError
from issmedia.bundle.reader import (
    DirectoryVolume,
    bears,
    expanded,
    names_device,
    open_volume,
    read,
    read_meant,
    refuse,
)
from issmedia.model.manifest import MAX_MANIFEST, MAX_SIGNATURES, parse_manifest
from tests.makers.bundles import bundle_of, content_of
from tests.makers.volumes import media_of, random_content, set_of


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


def test_a_link_below_dev_that_leads_to_a_block_device_may_be_followed() -> None:
    links = ("/dev/cdrom", "/dev/disk/by-label/ISSM_1234ABCD_V01OF01")

    assert all(names_device(Path(link), stat.S_IFBLK | 0o660) for link in links)


@pytest.mark.parametrize(
    ("link", "kind"),
    [
        ("/tmp/cdrom", stat.S_IFBLK),
        ("/dev/shm/cdrom", stat.S_IFBLK),
        ("/devices/cdrom", stat.S_IFBLK),
        ("/dev/stdin", stat.S_IFCHR),
        ("/dev/core", stat.S_IFREG),
        ("/dev/fd", stat.S_IFDIR),
    ],
)
def test_no_other_link_may(link: str, kind: int) -> None:
    assert not names_device(Path(link), kind | 0o666)


@pytest.mark.parametrize("to", ["stick", "stick/manifest.json", "none", "/dev/null"])
def test_a_link_elsewhere_is_not_opened_wherever_it_leads(stick: Path, tmp_path: Path, to: str) -> None:
    (tmp_path / "link").symlink_to(stick.parent / to)

    with pytest.raises(FormatError, match="cannot be opened as a volume"):
        open_volume(tmp_path / "link")


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


def test_the_manifest_that_most_volumes_hold_comes_first_and_the_others_are_kept(stick: Path, tmp_path: Path) -> None:
    other = bundle_of(tmp_path, zoo={"b.rpm": b"b"}).write(tmp_path / "other")
    manifest = (stick / "manifest.json").read_bytes()

    with read([other, stick, stick]) as found:
        assert manifest == found.manifest
        assert [head[0] for head in found.others] == [(other / "manifest.json").read_bytes()]
        assert [volume.manifest == manifest for volume in found.volumes] == [False, True, True]


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


@pytest.fixture
def several(tmp_path: Path) -> Path:
    """A set of three volumes."""
    return set_of(tmp_path, media_of("500000"), zoo=random_content(12, 60_000)).write(tmp_path / "set")


def test_a_directory_of_volumes_stands_for_all_of_them_in_order(several: Path) -> None:
    (several / "labels.html").touch()
    (several / "notes").mkdir()

    with read([several]) as found:
        assert [volume.where for volume in found.volumes] == [str(path) for path in sorted(several.glob("ISSM_*"))]


def test_a_directory_of_volumes_may_stand_beside_volumes(several: Path, stick: Path) -> None:
    assert expanded([stick, several]) == [stick, *sorted(several.iterdir())]


def test_a_volume_without_a_manifest_is_read_beside_others_that_have_one(several: Path) -> None:
    first, *others = sorted(several.iterdir())
    (first / "manifest.json").unlink()

    with read([first, *others]) as found:
        assert [volume.manifest is None for volume in found.volumes] == [True, False, False]
        assert found.manifest == (others[0] / "manifest.json").read_bytes()


def test_where_no_volume_has_a_manifest_the_first_fault_is_told(several: Path) -> None:
    volumes = sorted(several.iterdir())
    for volume in volumes:
        (volume / "manifest.json").unlink()

    with pytest.raises(FormatError, match=r"no manifest.json here") as caught, read(volumes):
        pass

    assert caught.value.where == str(volumes[0])


def test_of_a_tie_the_first_volume_comes_first_and_the_other_is_kept(several: Path) -> None:
    first, second, _ = sorted(several.iterdir())
    (first / "manifest.json").write_bytes(b"{}")

    with read([first, second]) as found:
        assert found.manifest == b"{}"
        assert [head[0] for head in found.others] == [(second / "manifest.json").read_bytes()]


def test_what_is_no_volume_is_left_alone_where_something_else_is_one(stick: Path, tmp_path: Path) -> None:
    left: list[FormatError | NotIntactError] = []

    with read_meant([tmp_path / "absent", stick], leave=left.append) as found:
        volumes = [volume.where for volume in found.volumes]

    assert (volumes, [one.where for one in left]) == ([str(stick)], [str(tmp_path / "absent")])


def test_where_nothing_is_a_volume_the_first_fault_is_raised_and_nothing_left(tmp_path: Path) -> None:
    left: list[FormatError | NotIntactError] = []

    with (
        pytest.raises(FormatError) as caught,
        read_meant([tmp_path / "absent", tmp_path], leave=left.append),
    ):
        pass

    assert (caught.value.where, left) == (str(tmp_path / "absent"), [])


def test_the_first_manifest_is_meant_or_the_one_that_was_asked_for(stick: Path, tmp_path: Path) -> None:
    other = bundle_of(tmp_path, zoo={"b.rpm": b"b"}).write(tmp_path / "other")
    first, second = ((path / "manifest.json").read_bytes() for path in (other, stick))

    with read_meant([other, stick, stick], leave=refuse) as found:
        usual = found.manifest
    with read_meant([other, stick, stick], leave=refuse, meant=digest_of(second)) as found:
        asked = found.manifest

    assert (usual, asked) == (first, second)


@pytest.mark.parametrize(
    ("kept", "is_of_it"),
    [("trees", True), ("repos/p/zoo", True), ("repos/p", True), ("README.txt", False), ("schemas", False), ("", False)],
)
def test_a_volume_bears_a_bundle_by_the_names_of_what_lies_there(
    stick: Path, tmp_path: Path, kept: str, is_of_it: bool
) -> None:
    manifest = parse_manifest((stick / "manifest.json").read_bytes())
    rest = tmp_path / "rest"
    rest.mkdir()
    if kept:
        (rest / kept).parent.mkdir(parents=True, exist_ok=True)
        (stick / kept).rename(rest / kept)

    with DirectoryVolume(rest) as volume:
        assert bears(volume, manifest) is is_of_it


def test_links_in_the_place_of_names_are_no_sign_of_a_bundle(stick: Path, tmp_path: Path) -> None:
    manifest = parse_manifest((stick / "manifest.json").read_bytes())
    rest = tmp_path / "rest"
    rest.mkdir()
    for name in ("trees", "repos"):
        (rest / name).symlink_to(stick / name)

    with DirectoryVolume(rest) as volume:
        assert not bears(volume, manifest)
