"""One command, struck at each change of the disk in turn: what holds after it, and after the same command again."""

from collections import Counter

from tests.makers.crash import Facts, Fault, Scene, Trial


def sweep(scene: Scene, fault: Fault) -> Counter[str]:
    """Strike a command at each change: the old state or the new is served, and the command again completes.

    Gives how often each kind of change was struck. Two runs that left the same disk are completed once.
    """
    old, new = scene.before, scene.after
    kinds: Counter[str] = Counter()
    seen: set[str] = set()
    for trial in scene.trials(fault):
        kinds[trial.kind] += 1
        left = scene.facts()
        _check_ending(trial)
        _check_left(trial, left, old, new)
        if left.key not in seen:
            seen.add(left.key)
            _check_completion(trial, new)
    return kinds


def _check_ending(trial: Trial) -> None:
    """Killed, or one clean error; a failure that could be worked around is none."""
    ended = trial.ended
    clean = ended.err.startswith("error: ") and "Traceback" not in ended.err
    assert ended.code in (None, 0) or (ended.code == 4 and clean), f"{trial}: {ended.code}\n{ended.err}"


def _check_left(trial: Trial, left: Facts, old: Facts, new: Facts) -> None:
    assert left.published in (old.published, new.published), f"{trial}: clients see something between"
    assert left.names in (old.names, new.names), f"{trial}: names stand between"
    if left.published != old.published:
        assert left.names == new.names, f"{trial}: clients see what the catalog does not know"
    audited = trial.scene.site.call("audit")
    assert audited.code == 0, f"{trial}: {audited.err}"


def _check_completion(trial: Trial, new: Facts) -> None:
    again = trial.scene.call()
    assert again.code == 0, f"{trial}: {again.err}"
    assert new == trial.scene.facts(), f"{trial}: the same command again ends otherwise than uninterrupted"
