"""Media: names, capacities, file systems."""

import pytest

from issmedia.base.errors import UsageError
from issmedia.model.medium import parse_medium


@pytest.mark.parametrize(
    ("text", "capacity", "system"),
    [
        ("cd", 736_100_352, "iso"),
        ("dvd", 4_700_372_992, "iso"),
        ("dvd-dl", 8_497_135_616, "iso"),
        ("bd25", 24_220_008_448, "iso"),
        ("bd50", 48_440_016_896, "iso"),
        ("bd100", 96_882_130_944, "iso"),
        ("bd128", 123_706_802_176, "iso"),
        ("usb:16G", 16_000_000_000, "fat32"),
        ("usb:16GiB", 16 << 30, "fat32"),
        ("8GB", 8_000_000_000, "plain"),
        ("15931539456", 15_931_539_456, "plain"),
        ("directory", None, "plain"),
    ],
)
def test_media_have_exact_capacities_and_usual_file_systems(text: str, capacity: int | None, system: str) -> None:
    medium = parse_medium(text)

    assert (text, capacity, system) == (medium.name, medium.capacity, medium.filesystem.name)


@pytest.mark.parametrize("fs", ["fat32", "exfat", "ext4", "iso"])
@pytest.mark.parametrize("text", ["dvd", "usb:16G", "4.7G"])
def test_a_file_system_may_be_named(text: str, fs: str) -> None:
    assert fs == parse_medium(text, fs=fs).filesystem.name


def test_what_is_reserved_is_not_to_be_used() -> None:
    assert parse_medium("dvd", reserve=1_000_000).room == 4_700_372_992 - 1_000_000
    assert parse_medium("directory", reserve=5).room is None


@pytest.mark.parametrize("text", ["", "floppy", "DVD", "usb:", "usb:x", "usb:0", "0", "-1", "bd", "usb:usb:1G", "16X"])
def test_what_is_no_medium_is_refused_with_the_list_of_media(text: str) -> None:
    with pytest.raises(UsageError) as raised:
        parse_medium(text)

    assert raised.value.hint is not None
    assert "cd, dvd, dvd-dl, bd25, bd50, bd100, bd128, usb:SIZE, SIZE" in raised.value.hint


def test_an_unknown_file_system_is_refused() -> None:
    with pytest.raises(UsageError):
        parse_medium("dvd", fs="ntfs")


@pytest.mark.parametrize("reserve", [-1, 4_700_372_992])
def test_a_reserve_is_less_than_the_medium(reserve: int) -> None:
    with pytest.raises(UsageError):
        parse_medium("dvd", reserve=reserve)


def test_a_directory_without_a_size_has_no_file_system_of_its_own() -> None:
    with pytest.raises(UsageError):
        parse_medium("directory", fs="fat32")
