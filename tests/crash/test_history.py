"""A rollback and a prune that are killed before any change of the disk they make."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.crash.conftest import Eve
from tests.crash.sweeps import require_completion, require_old_or_new
from tests.makers.crash import Facts, kill_at
from tests.makers.sites import Site


@pytest.fixture(scope="module")
def imported(eve: Eve) -> str:
    """Name the state of a site that imported and published three bundles."""
    site = Site(eve.scene("unpublished").place / "depot")
    eve.scene("unpublished").fresh()
    site.do("publish")
    eve.keep(site, "imported")
    return "imported"


@pytest.mark.parametrize("arguments", [(), ("p/one",), ("p/one", "--to", "1")], ids=" ".join)
def test_a_rollback_killed_anywhere_serves_old_or_new_and_completes(
    eve: Eve, imported: str, arguments: tuple[str, ...]
) -> None:
    scene = eve.scene(imported, "rollback", *arguments)
    old, new, seen = scene.before, scene.after, set[str]()
    kinds: set[str] = set()

    for trial in scene.trials(kill_at):
        kinds.add(trial.kind)
        left = scene.facts()
        require_old_or_new(trial, left, old, new)
        if left.key not in seen and left != new:
            require_completion(trial, new)
        seen.add(left.key)

    assert kinds >= {"commit", "syncfs", "rename", "link", "fsync"}


def test_a_prune_killed_anywhere_loses_nothing_and_the_next_one_finishes(eve: Eve, imported: str) -> None:
    scene = eve.scene(imported, "prune", "--keep", "1", "--yes")
    _leave_half_a_blob(eve.root / imported / "depot")
    old, new, seen = scene.before, scene.after, set[str]()
    kinds: list[str] = []

    for trial in scene.trials(kill_at):
        kinds.append(trial.kind)
        left = scene.facts()
        require_old_or_new(trial, left, old, new)
        if left.key not in seen:
            assert scene.site.call("audit").code == 0, str(trial)
            assert scene.call().code == 0, str(trial)
            assert _without_ledger(new) == _without_ledger(scene.facts()), str(trial)
        seen.add(left.key)

    assert new.leftovers == []
    assert (old.published, old.names) == (new.published, new.names)
    assert set(kinds) == {"commit", "unlink"}
    assert len(old.disk) > len(new.disk)


def _without_ledger(facts: Facts) -> Facts:
    """Leave out how often a prune was begun."""
    return replace(facts, events=())


def _leave_half_a_blob(depot: Path) -> None:
    (depot / "store/incoming" / f".tmp-{'0' * 32}").write_bytes(b"half")
