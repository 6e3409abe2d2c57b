"""One command, struck at each change of the disk in turn: what holds after it, and after the same command again."""

from collections import Counter

from tests.makers.crash import Facts, Fault, Scene, Trial


def sweep(scene: Scene, fault: Fault) -> Counter[str]:
    """Strike a command at each change: the old state or the new is served, and the command again completes.

    Gives how often each kind of change was struck. Of runs that left the same disk one is audited and completed.
    """
    old, new = scene.before, scene.after
    kinds: Counter[str] = Counter()
    seen: set[str] = set()
    for trial in scene.trials(fault):
        kinds[trial.kind] += 1
        left = scene.facts()
        require_old_or_new(trial, left, old, new)
        if left.key not in seen:
            seen.add(left.key)
            require_completion(trial, new)
    return kinds


def require_old_or_new(trial: Trial, left: Facts, old: Facts, new: Facts) -> None:
    """Killed, or one clean error; what clients see, what names say and each publication is old or new."""
    ended = trial.ended
    clean = ended.err.startswith("error: ") and "Traceback" not in ended.err
    assert ended.code in (None, 0) or (ended.code == 4 and clean), f"{trial}: {ended.code}\n{ended.err}"
    assert left.published in (old.published, new.published), f"{trial}: clients see something between"
    assert left.names in (old.names, new.names), f"{trial}: names stand between"
    if left.published != old.published:
        assert left.names == new.names, f"{trial}: clients see what the catalog does not know"
    for name, files in left.publications.items():
        assert files in (old.publications.get(name), new.publications.get(name)), f"{trial}: {name} is named, not whole"
    if ended.code is not None:
        assert not any("store/incoming/" in path for path in left.disk), f"{trial}: room is not given back"


def require_completion(trial: Trial, new: Facts) -> None:
    """The ledger's chain, trees and blobs are whole, and the same command again ends as if uninterrupted."""
    audited = trial.scene.site.call("audit")
    assert audited.code == 0, f"{trial}: {audited.err}"
    again = trial.scene.call()
    assert again.code == 0, f"{trial}: {again.err}"
    found = trial.scene.facts()
    assert new == found, f"{trial}: the same command again ends otherwise than uninterrupted"
    assert found.leftovers == [], str(trial)
