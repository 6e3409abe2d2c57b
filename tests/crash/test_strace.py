"""Rows 63, 65 and 66 on whole processes: the kernel kills them, or refuses them, at system calls that strace names."""

import pytest

from tests.crash.conftest import Eve
from tests.crash.sweeps import require_completion, require_old_or_new
from tests.makers.crash import Scene, Trial

pytestmark = pytest.mark.system("strace")

RENAME = "?rename,?renameat,?renameat2"
LINK = "?link,?linkat"
UNLINK = "?unlink,?unlinkat"
MKDIR = "?mkdir,?mkdirat"
SYNC = "fsync,fdatasync"


def strike(scene: Scene, calls: str, fault: str) -> Trial:
    """Inject a fault into some system calls of a command, and see that old or new is served and a rerun completes."""
    old, new = scene.before, scene.after
    ended = scene.straced("-f", "-e", f"trace={calls}", "-e", f"inject={calls}:{fault}")
    trial = Trial(scene, ended, calls, f"{scene.arguments[0]}: {calls}:{fault}")
    require_old_or_new(trial, scene.facts(), old, new)
    require_completion(trial, new)
    return trial


@pytest.mark.parametrize(
    ("calls", "number"),
    [(RENAME, 3), (LINK, 7), (UNLINK, 5), (MKDIR, 6), ("syncfs", 2), (SYNC, 2), ("?pwrite64", 3)],
)
def test_063_import_killed_by_the_kernel_serves_old_or_new_and_completes(eve: Eve, calls: str, number: int) -> None:
    trial = strike(eve.scene("unimported", "import", eve.bundle), calls, f"signal=KILL:when={number}")

    assert trial.ended.code is None


@pytest.mark.parametrize(("calls", "number"), [(RENAME, 9), (LINK, 1), (UNLINK, 1), (MKDIR, 4), (SYNC, 4)])
def test_063_export_killed_by_the_kernel_completes_to_the_same_bytes(
    eve: Eve, monkeypatch: pytest.MonkeyPatch, calls: str, number: int
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")

    trial = strike(eve.scene("unexported", "export", "--to", "@stick"), calls, f"signal=KILL:when={number}")

    assert trial.ended.code is None


@pytest.mark.parametrize(
    ("calls", "fault"),
    [
        (LINK, "error=ENOSPC:when=5"),
        (MKDIR, "error=ENOSPC:when=2"),
        ("?pwrite64", "error=ENOSPC:when=3+"),
        ("syncfs", "error=EIO:when=1"),
        (SYNC, "error=EIO:when=3"),
    ],
)
def test_065_066_import_refused_by_the_kernel_serves_the_old_state_and_completes(
    eve: Eve, calls: str, fault: str
) -> None:
    trial = strike(eve.scene("unimported", "import", eve.bundle), calls, fault)

    assert trial.ended.code == 4
