"""Row 63 for deltas: the import of one is killed before any change of the disk that it makes."""

from pathlib import Path

import pytest

from tests.crash.conftest import Eve
from tests.crash.sweeps import sweep
from tests.makers.crash import KINDS, kill_at
from tests.makers.sites import Site


@pytest.fixture(scope="module")
def delta(eve: Eve) -> Path:
    """A delta from what the disconnected site holds to the newest state; its listings are patches."""
    hq = Site(eve.root / "hq")
    done = hq.do("export", "--base", eve.root / "second", "--to", eve.root / "delta", "--json").document["manifest"]
    assert (done["kind"], all(tree["dictionary"] for tree in done["trees"])) == ("delta", True)
    return eve.root / "delta"


def test_063_import_of_a_delta_killed_anywhere_serves_old_or_new_and_completes(eve: Eve, delta: Path) -> None:
    struck = sweep(eve.scene("unimported", "import", delta), kill_at)

    assert set(struck) == KINDS
