"""Rows 65 and 66: the disk is full, or broken, from any change on: one clean error, the old state, and a way on."""

import pytest

from tests.crash.conftest import Eve
from tests.crash.sweeps import sweep
from tests.makers.crash import KINDS, Fault, fail_at, full_from

FAULTS = pytest.mark.parametrize("fault", [full_from, fail_at], ids=["065-full", "066-broken"])


@FAULTS
def test_import_and_publish_on_a_disk_that_fails_anywhere_serves_the_old_state_and_completes(
    eve: Eve, fault: Fault
) -> None:
    struck = sweep(eve.scene("unimported", "import", eve.bundle), fault)

    assert set(struck) == KINDS


@FAULTS
def test_export_to_a_disk_that_fails_anywhere_completes_to_the_same_bytes(
    eve: Eve, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")

    struck = sweep(eve.scene("unexported", "export", "--to", "@stick"), fault)

    assert set(struck) == KINDS


def test_065_sync_on_a_full_disk_keeps_the_snapshot_before_and_completes(eve: Eve) -> None:
    struck = sweep(eve.scene("unsynced", "sync", "p/one"), full_from)

    assert set(struck) == KINDS - {"fsync", "rename"}
