"""The hint where blobs lie: written once for all volumes, read as far as it can be."""

from pathlib import Path

import pytest

from issmedia.base.digest import Digest, digest_of
from issmedia.bundle import layout
from issmedia.bundle.coming import Coming
from issmedia.bundle.listing import unpack
from issmedia.bundle.places import encode_places, parse_places, read_places
from issmedia.depot.pending import Pending
from issmedia.depot.store import Store
from tests.makers.bundles import Bundle, verified
from tests.makers.volumes import media_of, random_content, set_of

A, B = Digest("0123456789abcdef" * 4), Digest("fedcba9876543210" * 4)


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    """A bundle of several volumes."""
    return set_of(tmp_path, media_of("500000"), zoo=random_content(12, 60_000))


def text_of(packed: bytes) -> bytes:
    """Unpack the hint."""
    return unpack(packed, 22, None, where="test")


def test_each_blob_has_a_line_sorted_by_its_digest() -> None:
    assert text_of(encode_places([[B], [A]])) == b"01234567 2\nfedcba98 1\n"


@pytest.mark.parametrize("line", [b"0123456 1", b"01234567 0", b"01234567 1 ", b"x", b"01234567 -1", b"01234567"])
def test_a_line_of_another_form_is_passed_over(line: bytes) -> None:
    assert parse_places(line + b"\nfedcba98 1\n") == {"fedcba98": 1}


def test_every_volume_of_several_holds_the_same_hint_of_all(bundle: Bundle, tmp_path: Path) -> None:
    bundle.write(tmp_path / "set")
    planned = {
        file.sha256[:8]: one.entry.number for one in bundle.plan.volumes for file in one.files if file.is_payload
    }

    with verified(tmp_path, tmp_path / "set") as found:
        hints = {volume.index[layout.PLACES] for volume in found.volumes}
        read = parse_places(read_places(found))

    assert len(hints) == 1
    assert read == planned


def test_a_hint_that_is_damaged_on_one_volume_is_read_from_another(bundle: Bundle, tmp_path: Path) -> None:
    first = sorted(bundle.write(tmp_path / "set").glob("ISSM*"))[0]
    (first / layout.PLACES).write_bytes(b"damaged")

    with verified(tmp_path, tmp_path / "set") as found:
        assert parse_places(read_places(found))


def test_a_volume_of_which_all_is_here_already_is_not_asked_for(bundle: Bundle, tmp_path: Path) -> None:
    first, second, *_ = sorted(bundle.write(tmp_path / "set").glob("ISSM*"))
    wanted = next(file.sha256 for file in bundle.plan.volumes[1].files if file.is_payload)

    with verified(tmp_path, first) as found:
        coming = Coming(Pending(tmp_path), Store(tmp_path / "none"), found)
        asked = [one.volume.number for one in coming.arrivals({wanted}) if one.needed]

    assert (asked, second.name[-6:-4]) == ([2], "02")


def test_a_bundle_of_one_volume_has_no_hint(tmp_path: Path) -> None:
    bundle = set_of(tmp_path, (), zoo={"a.rpm": b"a"})

    assert layout.PLACES not in [file.path for file in bundle.plan.volumes[0].files]
    assert digest_of(b"a") in [file.sha256 for file in bundle.plan.volumes[0].files]
