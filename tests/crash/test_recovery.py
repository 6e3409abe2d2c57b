"""A repair, and the making of parity, killed or failing before any change of the disk: run again, they complete."""

import itertools
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from msgspec.structs import replace

from issmedia.base.errors import IssmediaError
from issmedia.base.events import ignore
from issmedia.bundle.parity import encode
from issmedia.depot.store import Store
from issmedia.model.recovery import LEAST_BLOCK
from tests.makers.crash import Fault, fail_at, forked, full_from, kill_at
from tests.makers.parity import ParitySet, parity_set, random_payload, stream
from tests.makers.sites import Outcome


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> ParitySet:
    """Two data volumes and a parity volume."""
    return parity_set(tmp_path_factory.mktemp("made"), random_payload(2), m=1)


def struck(work: Callable[[], object], fault: Fault, number: int) -> int:
    """Do a work in a process that is struck at its n-th change; say how many changes it announced."""

    def call() -> Outcome:
        try:
            work()
        except (IssmediaError, OSError) as error:
            return Outcome(4, "", str(error))
        return Outcome(0, "", "")

    return len(forked(call, fault(number)).steps)


@pytest.mark.parametrize("fault", [kill_at, fail_at, full_from], ids=["killed", "failing", "full"])
def test_a_repair_that_was_struck_anywhere_goes_on_when_it_is_run_again(made: ParitySet, fault: Fault) -> None:
    lab = made.root / "lab"
    with made.media(None, {1}) as media:
        for number in itertools.count(1):
            shutil.rmtree(lab, ignore_errors=True)
            store = made.good({1})
            if struck(partial(made.repair_from, media, store), fault, number) < number:
                break
            require_digests(store)

            made.repair_from(media, store)

            assert store.missing(made.blobs) == {}
            assert list((lab / "incoming").iterdir()) == []
    assert number > 10


def require_digests(store: Store) -> None:
    """See that whatever has a name in the store is what the name says."""
    for digest, size in store.walk():
        store.read(digest, size)


@pytest.mark.parametrize("fault", [kill_at, fail_at], ids=["killed", "failing"])
def test_encoding_that_was_struck_anywhere_is_done_again_in_a_new_directory(
    made: ParitySet, tmp_path: Path, fault: Fault
) -> None:
    streams = [stream(number, content) for number, content in enumerate(made.payload, 1)]

    def work() -> object:
        return encode(
            streams, made.store.open, m=1, block=LEAST_BLOCK, directory=tmp_path / "work", workers=2, report=ignore
        )

    for number in itertools.count(1):
        shutil.rmtree(tmp_path / "work", ignore_errors=True)
        if struck(work, fault, number) < number:
            break
        shutil.rmtree(tmp_path / "work", ignore_errors=True)

        assert work() == _moved(made, tmp_path / "work")
    assert number > 4


def _moved(made: ParitySet, directory: Path) -> object:
    """Give what was made before, as if made in another directory."""
    volumes = tuple(
        tuple(replace(one, file=directory / one.file.name) for one in volume) for volume in made.encoded.volumes
    )
    return replace(made.encoded, volumes=volumes)
