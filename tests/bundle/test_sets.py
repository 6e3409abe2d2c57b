"""A set of volumes: where each lies, written the same twice, and nothing half-made looks whole."""

from pathlib import Path

import pytest

from issmedia.base import files
from issmedia.base.errors import UsageError
from issmedia.base.events import ignore
from issmedia.bundle import layout
from issmedia.bundle.sets import Destination, finish_set, require_no_other, signatures_before, unfinished, write_set
from issmedia.model.manifest import SiteName
from issmedia.model.trust import NAMESPACE_BUNDLE
from tests.makers.bundles import SIGNER, Bundle, content_of, verified
from tests.makers.documents import SITE, header
from tests.makers.volumes import media_of, random_content, set_of


@pytest.fixture
def bundle(tmp_path: Path) -> Bundle:
    """A bundle of three volumes."""
    return set_of(tmp_path, media_of("500000"), zoo=random_content(12, 60_000))


def write(bundle: Bundle, to: Destination, *, signed: list[bytes] | None = None) -> None:
    """Write a set, and count how often it is signed."""

    def sign(data: bytes) -> bytes:
        if signed is not None:
            signed.append(data)
        return SIGNER.sign(data, NAMESPACE_BUNDLE)

    write_set(bundle.plan, bundle.store, to, sign=sign, workers=2, report=ignore)
    finish_set(bundle.plan, to)


class StopError(Exception):
    """Stands for the kill in these tests."""


def stopped(bundle: Bundle, to: Destination, kind: str, name: str) -> None:
    """Stop the writing of a set before a change of the disk."""

    def stop(step: str, path: str) -> None:
        if (step, path) == (kind, name):
            raise StopError

    with files.observing(stop), pytest.raises(StopError):
        write(bundle, to)


def labels(bundle: Bundle) -> list[str]:
    """Name the volumes."""
    return [volume.entry.label for volume in bundle.plan.volumes]


def test_volumes_lie_in_directories_named_by_their_labels(bundle: Bundle, tmp_path: Path) -> None:
    write(bundle, Destination(tmp_path / "set"))

    assert sorted(path.name for path in (tmp_path / "set").iterdir()) == labels(bundle)
    assert len(labels(bundle)) == 3


def test_a_set_written_twice_is_the_same(bundle: Bundle, tmp_path: Path) -> None:
    write(bundle, Destination(tmp_path / "one"))
    write(bundle, Destination(tmp_path / "two"))

    assert content_of(tmp_path / "one") == content_of(tmp_path / "two")


@pytest.mark.system("xorriso")
def test_a_set_of_images_written_twice_is_the_same(tmp_path: Path) -> None:
    bundle = set_of(tmp_path, media_of("700000", fs="iso"), zoo=random_content(12, 60_000))

    write(bundle, Destination(tmp_path / "one", images=True))
    write(bundle, Destination(tmp_path / "two", images=True))

    images = content_of(tmp_path / "one")
    assert images == content_of(tmp_path / "two")
    assert sorted(images) == [f"{label}.iso" for label in labels(bundle)]
    assert all(len(images[f"{one.entry.label}.iso"]) <= one.used <= 700_000 for one in bundle.plan.volumes)


def test_one_volume_is_the_directory_itself(tmp_path: Path) -> None:
    bundle = set_of(tmp_path, media_of("900000"), zoo={"a.rpm": b"a"})

    write(bundle, Destination(tmp_path / "set"))

    assert (tmp_path / "set/manifest.json").read_bytes() == bundle.plan.manifest_bytes


@pytest.mark.system("xorriso")
def test_one_image_lies_in_the_directory_under_its_label(tmp_path: Path) -> None:
    bundle = set_of(tmp_path, media_of("900000", fs="iso"), zoo={"a.rpm": b"a"})

    write(bundle, Destination(tmp_path / "set", images=True))

    assert [path.name for path in (tmp_path / "set").iterdir()] == [f"{labels(bundle)[0]}.iso"]


def test_a_set_is_signed_once(bundle: Bundle, tmp_path: Path) -> None:
    signed: list[bytes] = []

    write(bundle, Destination(tmp_path / "set"), signed=signed)

    assert signed == [bundle.plan.manifest_bytes]
    assert len({path.read_bytes() for path in (tmp_path / "set").glob("*/manifest.json.sig")}) == 1


def test_each_volume_can_be_verified_alone(bundle: Bundle, tmp_path: Path) -> None:
    write(bundle, Destination(tmp_path / "set"))

    for label in labels(bundle):
        with verified(tmp_path, tmp_path / "set" / label) as found:
            assert [one.entry.label for one in found.volumes] == [label]


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_stopped_set_does_not_look_whole_and_goes_on_to_the_same(bundle: Bundle, tmp_path: Path, number: int) -> None:
    to = Destination(tmp_path / "set")
    package = next(file.path for file in bundle.plan.volumes[number - 1].files if file.path.endswith(".rpm"))
    stopped(bundle, to, "rename", package.rpartition("/")[2])
    half = list((tmp_path / "set").glob("*/manifest.json"))
    begun = unfinished(to.directory, SITE)

    write(bundle, to)
    write(bundle, Destination(tmp_path / "other"))

    assert half == []
    assert begun is not None
    assert begun.id == bundle.plan.id
    assert content_of(tmp_path / "set") == content_of(tmp_path / "other")


def test_stopped_among_the_last_names_the_set_goes_on(bundle: Bundle, tmp_path: Path) -> None:
    to = Destination(tmp_path / "set")
    stopped(bundle, to, "unlink", layout.PARTIAL)

    write(bundle, to)

    assert not (tmp_path / "set" / layout.PARTIAL).exists()
    assert len(list((tmp_path / "set").glob("*/manifest.json"))) == 3


def test_volumes_of_an_earlier_plan_go(bundle: Bundle, tmp_path: Path) -> None:
    to = Destination(tmp_path / "set")
    stopped(bundle, to, "unlink", layout.PARTIAL)
    for manifest in (tmp_path / "set").glob("*/manifest.json"):
        manifest.rename(manifest.with_name(layout.PARTIAL))
    later = header(created="2026-06-02T12:00:00Z")
    other = set_of(tmp_path, media_of("500000"), facts=later, zoo=random_content(12, 60_000))

    write(other, to)

    assert sorted(path.name for path in (tmp_path / "set").iterdir()) == labels(other)
    assert set(labels(other)).isdisjoint(labels(bundle))


def test_a_finished_set_gives_its_way_to_no_other(bundle: Bundle, tmp_path: Path) -> None:
    to = Destination(tmp_path / "set")
    write(bundle, to)
    before = content_of(to.directory)
    other = set_of(tmp_path, media_of("500000"), zoo=random_content(3, 60_000, seed=2))

    with pytest.raises(UsageError, match="holds a finished bundle"):
        write(other, to)

    assert content_of(to.directory) == before


def test_a_finished_set_is_told_from_the_one_that_is_meant(bundle: Bundle, tmp_path: Path) -> None:
    to = Destination(tmp_path / "set")
    write(bundle, to)

    require_no_other(to.directory, lambda manifest: manifest == bundle.plan.manifest)
    require_no_other(tmp_path / "absent", lambda manifest: False)
    with pytest.raises(UsageError, match="holds a finished bundle"):
        require_no_other(to.directory, lambda manifest: manifest != bundle.plan.manifest)


def test_what_is_no_manifest_is_not_the_one_that_is_meant(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_bytes(b"{}")

    with pytest.raises(UsageError, match="holds a finished bundle"):
        require_no_other(tmp_path, lambda manifest: True)


def test_the_signatures_of_an_earlier_run_are_found_for_this_bundle_alone(bundle: Bundle, tmp_path: Path) -> None:
    to = Destination(tmp_path / "set")
    stopped(bundle, to, "unlink", layout.PARTIAL)
    other = set_of(tmp_path, media_of("500000"), facts=header(sequence=2), zoo=random_content(12, 60_000))
    for manifest in to.directory.glob("*/manifest.json"):
        manifest.rename(manifest.with_name(layout.PARTIAL))

    assert signatures_before(bundle.plan, to) == SIGNER.sign(bundle.plan.manifest_bytes, NAMESPACE_BUNDLE)
    assert signatures_before(other.plan, to) == b""


def test_an_empty_directory_holds_nothing_unfinished(tmp_path: Path) -> None:
    assert unfinished(tmp_path, SITE) is None
    assert unfinished(tmp_path / "absent", SITE) is None


def test_what_another_site_began_is_left_alone(bundle: Bundle, tmp_path: Path) -> None:
    write(bundle, Destination(tmp_path / "set"))

    with pytest.raises(UsageError, match="holds a bundle of another site: hq"):
        unfinished(tmp_path / "set", SiteName("f" * 32, "other"))


def test_a_directory_of_other_things_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()

    with pytest.raises(UsageError, match=r"holds 'thesis.tex'"):
        unfinished(tmp_path, SITE)


def test_a_set_with_parity_holds_its_parity_volumes(tmp_path: Path) -> None:
    bundle = set_of(tmp_path, media_of("500000"), parity=1, zoo=random_content(12, 60_000))

    write(bundle, Destination(tmp_path / "set"))

    *data, parity = labels(bundle)
    assert (tmp_path / "set" / parity / "parity/0001").is_file()
    assert not any((tmp_path / "set" / label / "parity").exists() for label in data)
    assert len(data) >= 2
