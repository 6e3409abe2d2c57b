import pytest

from issmedia.base.errors import UpstreamError
from issmedia.content.yum.checksums import checksum_fault, strong_checksum


@pytest.mark.parametrize(("kind", "digits"), [("sha224", 56), ("sha256", 64), ("sha384", 96), ("sha512", 128)])
def test_sha2_is_accepted(kind: str, digits: int) -> None:
    assert strong_checksum(kind, "0a" * (digits // 2), of="x") == (kind, "0a" * (digits // 2))


@pytest.mark.parametrize(
    ("kind", "value", "fault"),
    [
        ("md5", "0" * 32, "has a checksum of type md5, which proves nothing"),
        ("sha", "0" * 40, "has a checksum of type sha, which proves nothing"),
        ("sha1", "0" * 40, "has a checksum of type sha1, which proves nothing"),
        ("crc32\x1b", "0" * 8, "has a checksum of type crc32\\x1b, which proves nothing"),
        ("sha256", "0" * 63, "has a malformed sha256 checksum"),
        ("sha256", "A" * 64, "has a malformed sha256 checksum"),
        ("sha256", "", "has no checksum"),
        (None, None, "has no checksum"),
    ],
)
def test_what_proves_nothing_is_refused_by_name(kind: str | None, value: str | None, fault: str) -> None:
    assert checksum_fault(kind, value) == fault

    with pytest.raises(UpstreamError) as caught:
        strong_checksum(kind, value, of="primary")

    assert caught.value.message == f"primary {fault}"
