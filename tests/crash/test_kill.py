"""Rows 63 and 70: power is lost, or the process killed, before any change of the disk that a command makes."""

import pytest

from tests.crash.conftest import Eve
from tests.crash.sweeps import sweep
from tests.makers.crash import KINDS, Scene, kill_at
from tests.makers.sshkeys import ed25519_key

BRANCH = ed25519_key(7).public.line


def test_063_import_killed_anywhere_serves_old_or_new_and_completes(eve: Eve) -> None:
    struck = sweep(eve.scene("unimported", "import", eve.bundle), kill_at)

    assert set(struck) == KINDS


def test_063_publish_killed_anywhere_serves_old_or_new_and_completes(eve: Eve) -> None:
    struck = sweep(eve.scene("unpublished", "publish"), kill_at)

    assert set(struck) == KINDS


def test_063_export_killed_anywhere_completes_to_the_same_bytes(eve: Eve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")

    struck = sweep(eve.scene("unexported", "export", "--to", "@stick"), kill_at)

    assert set(struck) == KINDS


def test_063_sync_killed_anywhere_keeps_the_snapshot_before_and_completes(eve: Eve) -> None:
    struck = sweep(eve.scene("unsynced", "sync", "p/one"), kill_at)

    assert set(struck) == KINDS - {"fsync", "rename"}


def test_063_init_killed_anywhere_is_completed_by_the_same_command(eve: Eve) -> None:
    scene = eve.scene("nothing", "init", "--name", "lab")
    new, struck = scene.after, set[str]()

    for trial in scene.trials(kill_at):
        struck.add(trial.kind)
        again = scene.call()
        assert again.code == 0 or "there is a depot already" in again.err, f"{trial}: {again.err}"
        assert new.disk == scene.facts().disk, str(trial)
        assert scene.site.call("audit").code == 0, str(trial)

    assert struck == {"mkdir", "create", "syncfs", "commit"}


@pytest.mark.parametrize(
    ("arguments", "event", "done"),
    [(("trust", "branch", BRANCH), "key trusted", "already"), (("revoke", "hq"), "key revoked", "no trusted key")],
    ids=["trust", "revoke"],
)
def test_063_a_keyring_killed_anywhere_is_old_or_new_and_no_change_lacks_its_entry(
    eve: Eve, arguments: tuple[str, ...], event: str, done: str
) -> None:
    scene = eve.scene("unimported", "keys", *arguments)
    old, new = _trusted(scene, before=True), _trusted(scene, before=False)
    struck: set[str] = set()

    for trial in scene.trials(kill_at):
        struck.add(trial.kind)
        left, entries = scene.site.do("keys", "list", "--json").out, scene.facts().events
        assert left == old or (left == new and entries[-1].startswith(event)), str(trial)
        again = scene.call()
        assert again.code == 0 or (left == new and done in again.err), f"{trial}: {again.err}"
        assert scene.after.disk == scene.facts().disk, str(trial)

    assert struck == {"commit", "create", "write", "fsync", "rename"}


def test_063_a_threshold_killed_anywhere_is_old_or_new_and_no_change_lacks_its_entry(eve: Eve) -> None:
    scene = eve.scene("unimported", "keys", "threshold", "1")

    for trial in scene.trials(kill_at):
        changed = (scene.site.root / "keyring/policy.json").exists()
        assert not changed or scene.facts().events[-1].startswith("threshold"), str(trial)
        assert scene.call().code == 0, str(trial)
        assert scene.after.disk == scene.facts().disk, str(trial)


def test_063_a_key_whose_making_was_killed_anywhere_is_made_by_the_same_command(eve: Eve) -> None:
    scene = eve.scene("unimported", "keys", "generate", "own")

    for trial in scene.trials(kill_at):
        left = (scene.site.root / "keys/own.pub").exists()
        again = scene.call()
        assert again.code == 0 or (left and "there is a key own already" in again.err), f"{trial}: {again.err}"
        public = scene.site.do("keys", "show", "own", "--json").document
        assert f'"{public["fingerprint"]}"' in scene.facts().events[-1], str(trial)
        assert scene.site.call("export", "--to", scene.place / "stick", "--key", "own").code == 0, str(trial)


def _trusted(scene: Scene, *, before: bool) -> str:
    facts = scene.before if before else scene.after
    assert facts.disk
    return scene.site.do("keys", "list", "--json").out
