"""What is remembered of bundles of which volumes are still to come."""

from pathlib import Path

import pytest

from issmedia.base import files
from issmedia.base.digest import digest_of
from issmedia.depot.pending import Begun, Pending

ONE = Begun(digest_of(b"one"), b"one", b"signed", {1: b"sums of 1"})
TWO = Begun(digest_of(b"two"), b"two", b"", {})


@pytest.fixture
def pending(tmp_path: Path) -> Pending:
    """What a depot keeps."""
    return Pending(tmp_path)


def test_nothing_is_kept_at_first_and_asking_makes_nothing(pending: Pending, tmp_path: Path) -> None:
    assert (pending.find(ONE.id), pending.all()) == (None, [])
    assert list(tmp_path.iterdir()) == []


def test_what_was_kept_is_found(pending: Pending) -> None:
    pending.keep(ONE)
    pending.keep(TWO)

    assert pending.find(ONE.id) == ONE
    assert pending.all() == sorted([ONE, TWO], key=lambda one: one.id)


def test_further_volumes_join_those_that_were_seen(pending: Pending) -> None:
    pending.keep(ONE)

    pending.keep(Begun(ONE.id, ONE.manifest, ONE.signatures, {3: b"sums of 3"}))

    assert pending.find(ONE.id) == Begun(ONE.id, b"one", b"signed", {1: b"sums of 1", 3: b"sums of 3"})


def test_the_same_again_changes_nothing(pending: Pending) -> None:
    pending.keep(ONE)
    steps: list[str] = []

    with files.observing(lambda kind, _name: steps.append(kind)):
        pending.keep(ONE)

    assert set(steps) <= {"mkdir"}


def test_sums_that_rotted_here_are_written_again(pending: Pending, tmp_path: Path) -> None:
    pending.keep(ONE)
    (tmp_path / "pending" / ONE.id / "1.sums").write_bytes(b"rotten")

    pending.keep(ONE)

    assert pending.find(ONE.id) == ONE


def test_other_signatures_take_the_place_of_the_first(pending: Pending) -> None:
    pending.keep(ONE)

    pending.keep(Begun(ONE.id, ONE.manifest, b"signed by two", {}))

    found = pending.find(ONE.id)
    assert found is not None
    assert (found.signatures, found.sums) == (b"signed by two", ONE.sums)


def test_the_manifest_comes_last_so_half_a_memory_is_none(pending: Pending) -> None:
    def stop(kind: str, name: str) -> None:
        if (kind, name) == ("rename", "manifest.json"):
            raise RuntimeError("stopped")

    with files.observing(stop), pytest.raises(RuntimeError, match="stopped"):
        pending.keep(ONE)

    assert (pending.find(ONE.id), pending.all()) == (None, [])
    pending.keep(ONE)
    assert pending.all() == [ONE]


def test_what_a_killed_run_left_half_written_is_swept(pending: Pending, tmp_path: Path) -> None:
    pending.keep(ONE)
    directory = tmp_path / "pending" / ONE.id
    (directory / ".tmp-0123456789abcdef0123456789abcdef").write_bytes(b"half")

    pending.keep(Begun(ONE.id, ONE.manifest, ONE.signatures, {2: b"sums of 2"}))

    assert sorted(path.name for path in directory.iterdir()) == [
        "1.sums",
        "2.sums",
        "manifest.json",
        "manifest.json.sig",
    ]


def test_what_was_forgotten_is_gone_and_may_be_forgotten_again(pending: Pending, tmp_path: Path) -> None:
    pending.keep(ONE)
    pending.keep(TWO)

    pending.forget(ONE.id)
    pending.forget(ONE.id)

    assert pending.all() == [TWO]
    assert [path.name for path in (tmp_path / "pending").iterdir()] == [TWO.id]


def test_what_is_no_bundle_and_no_sums_is_passed_over(pending: Pending, tmp_path: Path) -> None:
    pending.keep(ONE)
    (tmp_path / "pending/notes").mkdir()
    (tmp_path / "pending" / ONE.id / "x.sums").write_bytes(b"no number")
    (tmp_path / "pending" / digest_of(b"empty")).mkdir()

    assert pending.all() == [ONE]


@pytest.mark.parametrize("name", ["manifest.json", "manifest.json.sig"])
def test_what_was_half_forgotten_is_no_bundle_and_is_swept(pending: Pending, tmp_path: Path, name: str) -> None:
    pending.keep(ONE)
    (tmp_path / "pending" / ONE.id / name).unlink()

    found = pending.find(ONE.id), pending.all()
    pending.sweep()

    assert (found, list((tmp_path / "pending").iterdir())) == ((None, []), [])


def test_a_manifest_that_rotted_here_was_not_kept_and_may_be_kept_again(pending: Pending, tmp_path: Path) -> None:
    pending.keep(ONE)
    (tmp_path / "pending" / ONE.id / "manifest.json").write_bytes(b"One")

    found = pending.find(ONE.id), pending.all()
    pending.keep(ONE)

    assert found == (None, [])
    assert pending.all() == [ONE]
