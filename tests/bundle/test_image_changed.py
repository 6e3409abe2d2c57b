"""An image of which any bytes were changed: our errors only, within the image, in few reads."""

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from issmedia.base.errors import FormatError, NotIntactError
from issmedia.bundle.image import ImageVolume
from tests.makers.images import SECTOR, Watched, tree
from tests.makers.programs import require, run
from tests.makers.streams import whole

FILES = {
    "README.txt": b"read me",
    "a/" + "n" * 240: b"long",
    **{f"a/{number}.rpm": bytes([number]) * 10 for number in range(40)},
    "/".join("0123456789ab") + "/file": b"deep",
}
MOST_READS = 100
"""A sound image takes two thirds of them."""


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of a small image that xorriso wrote, with moved directories and names that go on elsewhere."""
    require("xorriso")
    folder = tree(tmp_path_factory.mktemp("sound") / "folder", FILES)
    image = folder.parent / "v.iso"
    options = ("-compliance", "deep_paths_off", "-padding", "0")
    run("xorriso", *options, "-outdev", f"stdio:{image}", "-map", folder, "/", "-commit")
    return image.read_bytes()


@pytest.fixture(scope="module")
def places(sound: bytes) -> list[int]:
    """Where the descriptors, records and fields of that image are not zero."""
    return [place for place in range(16 * SECTOR, sound.index(b"deep")) if sound[place]]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where each changed image is written."""
    return tmp_path_factory.mktemp("changed") / "v.iso"


def read_all(path: Path) -> dict[str, bytes]:
    """Read all that an image gives, and pass by what it refuses as it should."""
    found: dict[str, bytes] = {}
    try:
        volume = ImageVolume(path)
    except FormatError as refused:
        assert str(refused).isprintable()
        return found
    with volume:
        for name in FILES:
            try:
                with volume.open(name) as file:
                    found[name] = whole(file)
            except NotIntactError as refused:
                assert (refused.where, str(refused).isprintable()) == (name, True)
        try:
            assert all(name.isprintable() for name in volume.stray(frozenset(FILES)))
        except NotIntactError as refused:
            assert str(refused).isprintable()
    return found


def test_the_sound_image_is_read_whole(sound: bytes, path: Path) -> None:
    path.write_bytes(sound)

    assert read_all(path) == FILES


@settings(max_examples=200)
@given(data=st.data())
def test_changed_bytes_lead_nowhere(sound: bytes, places: list[int], path: Path, data: st.DataObject) -> None:
    image = bytearray(sound)
    anywhere = st.integers(16 * SECTOR, len(sound) - 1)
    chosen = st.lists(st.one_of(st.sampled_from(places), st.sampled_from(places), anywhere), min_size=1, max_size=8)
    for place in data.draw(chosen):
        image[place] = data.draw(st.integers(0, 255))
    path.write_bytes(image)
    watched = Watched()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "preadv", watched)
        read_all(path)

    assert watched.end() <= len(image)
    assert len(watched.spans) <= MOST_READS
    assert watched.bytes() <= len(image)
