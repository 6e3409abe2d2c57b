"""Sizes, counts and durations for people."""

import pytest

from issmedia.base.units import bytes_text, count_text, days_between, parse_size, seconds_text


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (1549, "1.5 kB"),
        (999_949, "999.9 kB"),
        (999_950, "1.0 MB"),
        (4_700_000_000, "4.7 GB"),
        (10**18, "1000.0 PB"),
    ],
)
def test_sizes_are_decimal(size: int, text: str) -> None:
    assert text == bytes_text(size)


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0 repositories"), (1, "1 repository"), (20_000, "20,000 repositories")],
)
def test_counts_agree_with_their_noun(number: int, text: str) -> None:
    assert text == count_text(number, "repository", "repositories")


def test_a_plural_is_made_with_s_where_none_is_given() -> None:
    assert count_text(2, "file") == "2 files"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.44, "0.4 s"), (59.9, "59.9 s"), (60, "1 min 00 s"), (200, "3 min 20 s"), (7500, "2 h 05 min")],
)
def test_durations_have_two_parts_at_most(seconds: float, text: str) -> None:
    assert text == seconds_text(seconds)


@pytest.mark.parametrize(
    ("later", "days"),
    [
        ("2026-06-01T12:00:00Z", 0),
        ("2026-06-02T11:59:59Z", 0),
        ("2026-06-02T12:00:00Z", 1),
        ("2027-06-01T12:00:00Z", 365),
        ("1970-01-01T00:00:00Z", 0),
    ],
)
def test_days_are_counted_whole_and_never_below_none(later: str, days: int) -> None:
    assert days == days_between("2026-06-01T12:00:00Z", later)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("0", 0),
        ("15931539456", 15_931_539_456),
        ("16G", 16_000_000_000),
        ("16GB", 16_000_000_000),
        ("16 gb", 16_000_000_000),
        ("16GiB", 16 << 30),
        ("16Gi", 16 << 30),
        ("4.7G", 4_700_000_000),
        ("1.5KiB", 1536),
        ("2T", 2 * 10**12),
        ("700M", 700_000_000),
        ("12B", 12),
    ],
)
def test_sizes_are_read_as_labels_write_them(text: str, size: int) -> None:
    assert size == parse_size(text)


@pytest.mark.parametrize(
    "text", ["", "G", "-1", "1e9", "1,000", "16GG", "16 iB", "1.G", ".5G", "١٦G", "16G\n", "9" * 99]
)
def test_what_is_no_size_is_not_read(text: str) -> None:
    assert parse_size(text) is None
