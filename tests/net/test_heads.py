import pytest

from issmedia.net.heads import Head, Tally, read_head

FOUND = [b"HTTP/1.1 302 Found\r\n", b"Server: x\r\n", b"location:  /there \r\n", b"\r\n"]


def test_the_head_of_an_answer_is_its_status_and_what_is_read_of_it() -> None:
    assert read_head(FOUND) == Head(302, location="/there")


def test_a_head_without_its_end_is_none() -> None:
    assert read_head([]) is None
    assert read_head(FOUND[:-1]) is None


def test_what_is_announced_is_no_answer() -> None:
    announced = [b"HTTP/1.1 103 Early Hints\r\n", b"Location: /no\r\n", b"\r\n"]

    assert read_head(announced) is None
    assert read_head(announced + FOUND) == Head(302, location="/there")


def test_trailers_change_nothing_and_of_two_headers_the_first_counts() -> None:
    lines = [*FOUND[:-1], b"Location: /elsewhere\r\n", b"\r\n", b"Location: /trailer\r\n", b"\r\n"]

    assert read_head(lines) == Head(302, location="/there")


@pytest.mark.parametrize(("data", "text"), [("/ü".encode(), "/ü"), ("/ü".encode("latin-1"), "/ü"), (b"\xff\xfe", "ÿþ")])
def test_headers_of_either_encoding_are_read(data: bytes, text: str) -> None:
    assert read_head([b"HTTP/1.1 302\r\n", b"Location: " + data + b"\r\n", b"\r\n"]) == Head(302, location=text)


@pytest.mark.parametrize("line", [b"HTTP/1.1\r\n", b"HTTP/1.1 OK\r\n", b"HTTP/1.1 2000 OK\r\n"])
def test_a_status_that_is_no_number_is_no_answer(line: bytes) -> None:
    assert read_head([line, b"\r\n"]) is None


def test_too_much_is_a_fault() -> None:
    assert Tally().fault(FOUND) is None
    assert Tally().fault([b"X: " + bytes(1000)] * 200) == "its head has no end"
    assert Tally().fault([b"HTTP/1.1 100 Continue\r\n", b"\r\n"] * 9) == "it announces answers and gives none"


def test_a_header_that_is_read_has_an_end() -> None:
    long = Head(302, location="/" * 9000)

    assert long.is_endless
    assert not Head(302, location="/" * 8000).is_endless
