"""Digests, and hashing while copying."""

import hashlib
import io
from pathlib import Path

import pytest

from issmedia.base.digest import CHUNK, copy_and_hash, digest_of, hash_all, is_digest, take_all
from issmedia.base.files import Staged


@pytest.mark.parametrize("text", ["a" * 64, "0123456789abcdef" * 4])
def test_64_lower_case_hex_digits_are_a_digest(text: str) -> None:
    assert is_digest(text)


@pytest.mark.parametrize("text", ["", "a" * 63, "a" * 65, "A" * 64, "g" * 64, "a" * 64 + "\n", " " + "a" * 63])
def test_anything_else_is_none(text: str) -> None:
    assert not is_digest(text)


@pytest.mark.parametrize("size", [0, 1, CHUNK, CHUNK + 1])
def test_copying_hashes_what_was_written(tmp_path: Path, size: int) -> None:
    data = b"x" * size

    with Staged(tmp_path) as out:
        digest, count, others = copy_and_hash(io.BytesIO(data).readinto, out, limit=size, also=("sha512", "md5"))
        out.close(0o600, durable=False)

    assert (Path(out.path).read_bytes(), count, digest) == (data, size, digest_of(data))
    assert others == {"sha512": hashlib.sha512(data).hexdigest(), "md5": hashlib.md5(data).hexdigest()}


def test_a_source_past_its_limit_is_read_one_byte_further_and_no_more() -> None:
    source = io.BytesIO(b"x" * 100)

    _, size, _ = hash_all(source.readinto, limit=10)

    assert (size, source.tell()) == (11, 11)


@pytest.mark.parametrize("size", [0, 1, CHUNK + 1])
def test_what_is_taken_into_memory_is_hashed(size: int) -> None:
    data = bytes(range(256)) * (size // 256) + bytes(size % 256)

    assert take_all(io.BytesIO(data).readinto, limit=size) == (data, digest_of(data))


def test_all_that_is_hashed_can_be_looked_at() -> None:
    data, seen = b"x" * CHUNK + b"y", bytearray()

    digest, _, _ = hash_all(io.BytesIO(data).readinto, limit=len(data), hand=seen.extend)

    assert (bytes(seen), digest) == (data, digest_of(data))
