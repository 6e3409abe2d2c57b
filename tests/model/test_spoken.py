"""What is typed is what was printed, or is refused with the line that is wrong."""

import zlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from issmedia.base.errors import FormatError, UsageError
from issmedia.model.spoken import MAX_DATA, MAX_TEXT, parse_spoken, spoken_lines
from tests.makers.receipts import sample_receipt, signed

RECEIPT = signed(sample_receipt(3))
LINES = spoken_lines(RECEIPT)
TEXT = "\n".join(LINES)
SHORT = "\n".join(spoken_lines(b"a few bytes that make two lines: 0123456789"))
LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcoiluz:;.- \n\té…"


def refused(text: str) -> FormatError:
    """Give the error that a text makes."""
    with pytest.raises(FormatError) as caught:
        parse_spoken(text)
    return caught.value


def names(error: FormatError) -> list[str]:
    """Name the lines that an error complains of."""
    return [problem.where for problem in error.problems]


def means(text: str) -> bytes | None:
    """Give what a text means, or None where it is refused."""
    try:
        return parse_spoken(text)
    except FormatError:
        return None


def with_line(number: int, line: str | None) -> str:
    """Give the receipt's lines with another one at a place, or without it."""
    lines: list[str | None] = [*LINES]
    lines[number - 1] = line
    return "\n".join(one for one in lines if one is not None)


@given(st.binary(max_size=3000))
def test_bytes_are_read_back(data: bytes) -> None:
    assert parse_spoken("\n".join(spoken_lines(data))) == data


def test_a_receipt_of_three_repositories_takes_little_typing() -> None:
    assert len(LINES) <= 20
    assert max(map(len, LINES)) <= 60
    assert parse_spoken(TEXT) == RECEIPT


def test_case_blanks_line_ends_and_order_do_not_matter() -> None:
    muddled = "  ".join(reversed(LINES)).lower().replace(" ", "\r\n\t").replace(":", " :")

    assert parse_spoken(muddled) == RECEIPT


def test_letters_that_look_like_digits_are_those_digits() -> None:
    assert parse_spoken(TEXT.replace("0", "O").replace("1", "l")) == RECEIPT
    assert parse_spoken(TEXT.replace("0", "o").replace("1", "I")) == RECEIPT


def test_a_line_that_stands_twice_counts_once() -> None:
    assert parse_spoken(f"{TEXT}\n{LINES[3]}") == RECEIPT


def test_every_other_character_is_refused_or_means_the_same() -> None:
    meanings = {means(SHORT[:place] + letter + SHORT[place + 1 :]) for place in range(len(SHORT)) for letter in LETTERS}

    assert meanings == {None, parse_spoken(SHORT)}


def test_every_swap_of_neighbours_is_refused_or_means_the_same() -> None:
    swapped = (TEXT[:place] + b + a + TEXT[place + 2 :] for place, (a, b) in enumerate(pairwise(TEXT)))

    assert {means(text) for text in swapped} == {None, RECEIPT}


def test_every_character_left_out_is_refused_or_means_the_same() -> None:
    assert {means(SHORT[:place] + SHORT[place + 1 :]) for place in range(len(SHORT))} == {None, parse_spoken(SHORT)}


@given(st.integers(1, len(LINES)), st.integers(0, 38), st.sampled_from("023456789ABCDEFGHJKMNPQRSTVWXYZ"))
def test_a_wrong_character_is_found_in_its_line(number: int, place: int, letter: str) -> None:
    label, code = LINES[number - 1].split(": ")
    at = place + place // 5 if place < len(code.replace(" ", "")) else 0
    wrong = code[:at] + letter + code[at + 1 :]

    text = with_line(number, f"{label}: {wrong}")

    assert means(text) == RECEIPT if wrong == code else names(refused(text)) == [f"line {number}"]


@given(st.data())
def test_up_to_four_wrong_characters_in_a_line_never_pass(data: st.DataObject) -> None:
    places = data.draw(st.sets(st.integers(0, 44), min_size=1, max_size=4))
    code = list(LINES[6].split(": ")[1].replace(" ", ""))
    for place in places:
        code[place] = data.draw(st.sampled_from("0123456789ABCDEFGHJKMNPQRSTVWXYZ".replace(code[place], "")))

    assert names(refused(with_line(7, f"7: {''.join(code)}"))) == ["line 7"]


@pytest.mark.parametrize("number", range(1, len(LINES) + 1))
def test_a_line_left_out_is_named(number: int) -> None:
    assert names(refused(with_line(number, None))) == [f"line {number}"]


def test_all_wrong_lines_are_named_at_once() -> None:
    lines = [*LINES]
    lines[2] = lines[2][:-1] + "?"
    lines[4] = lines[4] + "7"
    del lines[8]

    error = refused("\n".join(lines))

    assert names(error) == ["line 3", "line 5", "line 9"]
    assert "'?'" in error.problems[0].message
    assert "found 46" in error.problems[1].message


def test_a_line_under_another_number_is_refused() -> None:
    relabelled = LINES[4].replace("5:", "6:", 1)

    assert names(refused(with_line(5, relabelled))) == ["line 6", "line 5"]


def test_a_colon_left_out_is_found_where_it_should_be() -> None:
    assert names(refused(with_line(5, LINES[4].replace(":", "")))) == ["line 4", "line 5"]


def test_lines_of_two_texts_do_not_mix() -> None:
    other = spoken_lines(signed(sample_receipt(4)))

    swapped, beside = refused(with_line(7, other[6])), refused(f"{TEXT}\n{other[6]}")

    assert "not all together" in swapped.message
    assert names(beside) == ["line 7"]


def test_a_line_beyond_the_last_is_named() -> None:
    longer = spoken_lines(signed(sample_receipt(9)))

    error = refused(f"{TEXT}\n{longer[len(LINES)]}")

    assert names(error) == [f"line {len(LINES) + 1}"]


@given(st.text(max_size=300) | st.text(LETTERS, max_size=300))
def test_no_text_makes_the_reader_stumble(text: str) -> None:
    assert means(text) is None


def test_too_much_is_neither_printed_nor_read() -> None:
    noise = b"".join(zlib.crc32(b"%d" % number).to_bytes(4, "big") for number in range(7000))

    with pytest.raises(UsageError, match="too many"):
        spoken_lines(noise)
    with pytest.raises(UsageError, match="too many"):
        spoken_lines(b"a" * (MAX_DATA + 1))
    assert "at most" in refused(TEXT + " " * MAX_TEXT).message


def test_the_text_stays_what_it_is() -> None:
    """What was printed by this version is read by every later one."""
    assert parse_spoken(OLD) == b'{"format":"issmedia-receipt","version":1}\n'


OLD = "1: 0400H AY63F ECHQG 302ZE Q50QT R4V02"
