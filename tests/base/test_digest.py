"""Digests, and hashing while copying."""

import hashlib
import io

import pytest

from issmedia.base.digest import CHUNK, copy_and_hash, digest_of, is_digest


@pytest.mark.parametrize("text", ["a" * 64, "0123456789abcdef" * 4])
def test_64_lower_case_hex_digits_are_a_digest(text: str) -> None:
    assert is_digest(text)


@pytest.mark.parametrize("text", ["", "a" * 63, "a" * 65, "A" * 64, "g" * 64, "a" * 64 + "\n", " " + "a" * 63])
def test_anything_else_is_none(text: str) -> None:
    assert not is_digest(text)


@pytest.mark.parametrize("size", [0, 1, CHUNK, CHUNK + 1])
def test_copying_hashes_what_was_written(size: int) -> None:
    data, out = b"x" * size, io.BytesIO()

    digest, count, others = copy_and_hash(io.BytesIO(data).read, out.write, limit=size, also=("sha512", "md5"))

    assert (out.getvalue(), count, digest) == (data, size, digest_of(data))
    assert others == {"sha512": hashlib.sha512(data).hexdigest(), "md5": hashlib.md5(data).hexdigest()}


def test_a_source_past_its_limit_is_read_one_byte_further_and_no_more() -> None:
    source = io.BytesIO(b"x" * 100)

    _, size, _ = copy_and_hash(source.read, len, limit=10)

    assert (size, source.tell()) == (11, 11)
