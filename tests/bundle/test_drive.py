"""What a drive says of itself, and which drives there are."""

from pathlib import Path

import pytest

from issmedia.base.errors import IssmediaError, UsageError
from issmedia.base.readback import Means
from issmedia.bundle.drive import Drive, Medium, checked_speed, forget, look, parse_drive, parse_toc, require_blank

WRITTEN = """
Drive current: -outdev '/dev/sr0'
Drive access : exclusive:unrestricted
Drive type   : vendor 'HL-DT-ST' product 'BD-RE BH16NS55' revision '1.02'
Drive id     : 'KLAI2B34567'
Media current: BD-R sequential recording
Media product: VERBAT/IMe/0 , Mitsubishi Chemical Corp.
Media status : is written , is closed
Media blocks : 11826176 readable , 0 writable , 11826176 overall
TOC layout   : Idx ,  sbsector ,       Size , Volume Id
ISO session  :   1 ,         0 ,  11826176s , BACKUP\033[31m
"""
BLANK = (
    "Media current: DVD+R\nMedia status : is blank\nMedia blocks : 0 readable , 2295104 writable , 2295104 overall\n"
)


def test_a_written_disc_is_told_from_a_blank_one() -> None:
    written, blank = parse_toc(WRITTEN), parse_toc(BLANK)

    assert (written.is_blank, blank.is_blank) == (False, True)
    assert (written.room, blank.room) == (0, 4_700_372_992)
    assert written.drive_id == "'KLAI2B34567'"
    assert written.product == "VERBAT/IMe/0 , Mitsubishi Chemical Corp."


def test_what_a_drive_says_is_safe_to_print() -> None:
    medium = parse_toc("Media product: \033[31mred\nMedia id     : " + "x" * 1000)

    assert medium.product == "\\x1b[31mred"
    assert len(medium.id) <= 301


def test_a_medium_that_holds_data_is_refused() -> None:
    with pytest.raises(UsageError, match=r"the medium holds data .*is closed"):
        require_blank(Drive("/dev/sr0"), parse_toc(WRITTEN))


def test_a_drive_without_a_medium_says_so() -> None:
    with pytest.raises(IssmediaError, match="no medium that can be written"):
        require_blank(Drive("/dev/sr0"), Medium(kind="is not present"))


def test_a_drive_is_a_device_or_a_file_that_stands_for_one(tmp_path: Path) -> None:
    assert parse_drive("/dev/sr0") == Drive("/dev/sr0")
    assert parse_drive(f"stdio:{tmp_path}/disc") == Drive(f"stdio:{tmp_path}/disc", tmp_path / "disc")


@pytest.mark.parametrize(
    "text", ["", "sr0", "stdio:", "stdio:/dev/null", "stdio:{}", "stdio:{}/none/x", "mmap:/dev/sr0"]
)
def test_anything_else_is_no_drive(text: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        parse_drive(text.format(tmp_path))


@pytest.mark.parametrize("link", ["elsewhere", "none"])
def test_a_link_is_no_file_that_may_be_written(link: str, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(b"")
    (tmp_path / "disc").symlink_to(tmp_path / link)

    with pytest.raises(UsageError, match="no regular file"):
        parse_drive(f"stdio:{tmp_path}/disc")


@pytest.mark.parametrize("text", ["8", "4x", "2.4", "10000k", "6b"])
def test_a_speed_is_what_xorriso_takes(text: str) -> None:
    assert checked_speed(text) == text


@pytest.mark.parametrize("text", ["", "fast", "-1", "8 dev=/dev/sda", "1" * 9])
def test_anything_else_is_no_speed(text: str) -> None:
    with pytest.raises(UsageError):
        checked_speed(text)


@pytest.mark.system("xorriso")
@pytest.mark.parametrize(
    ("content", "blank"), [(None, True), (b"", True), (b"\0" * 4096, False), (b"data" * 999, False)]
)
def test_a_file_is_blank_only_when_it_is_empty(content: bytes | None, blank: bool, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "disc").write_bytes(content)

    medium = look(parse_drive(f"stdio:{tmp_path}/disc"))

    assert medium.is_blank is blank


@pytest.mark.system("xorriso")
def test_a_drive_that_is_not_there_is_said_so() -> None:
    with pytest.raises(IssmediaError, match="xorriso ended with code"):
        look(Drive("/dev/issmedia-none"))


def test_a_file_in_memory_cannot_be_read_past_it(tmp_path: Path) -> None:
    (tmp_path / "disc").write_bytes(b"x")

    assert forget(tmp_path / "disc") in (Means.NONE, Means.DROPPED)
