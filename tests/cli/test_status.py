"""issmedia status: chains and their age, receipts and theirs."""

from pathlib import Path

import pytest

from issmedia.base.events import Event, Warned
from issmedia.ops.status import Status, status
from tests.makers.sites import Site

MADE, AFTER_30_DAYS, AFTER_31_DAYS = "2026-10-04T08:00:00Z", "2026-11-03T23:00:00Z", "2026-11-04T08:00:00Z"


@pytest.fixture
def fresh(hq: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A site that imported a bundle made at `MADE`."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1791100800")
    hq.do("export", "--to", tmp_path / "dated", "--to-site", _added(hq))
    lab = Site(tmp_path / "fresh")
    lab.do("init", "--name", "lab")
    lab.do("keys", "trust", "hq", hq.public_key)
    lab.do("import", tmp_path / "dated")
    return lab


def _added(hq: Site) -> str:
    hq.do("site", "add", "lab")
    return "lab"


def seen(site: Site, now: str, days: int | None, events: list[Event]) -> Status:
    """Look at a site at a moment."""
    return status(site.depot, now=now, report=events.append, max_age_days=days)


@pytest.mark.parametrize(("now", "age", "too_old"), [(AFTER_30_DAYS, 30, False), (AFTER_31_DAYS, 31, True)])
def test_a_chain_is_too_old_from_the_day_after_its_last(fresh: Site, now: str, age: int, too_old: bool) -> None:
    events: list[Event] = []

    (chain,) = seen(fresh, now, 30, events).chains

    assert (chain.chain, chain.created, chain.age_days, chain.too_old) == ("hq → lab #1", MADE, age, too_old)
    assert events == ([Warned("made 31 days ago, expected at most 30", "hq → lab #1")] if too_old else [])


def test_a_clock_that_is_behind_makes_nothing_old(fresh: Site) -> None:
    (chain,) = seen(fresh, "1970-01-01T00:00:00Z", 0, []).chains

    assert (chain.age_days, chain.too_old) == (0, False)


@pytest.mark.parametrize("age", ["0", "0d", "30", "30d"])
def test_what_is_older_makes_the_exit_code_7_and_is_named(fresh: Site, age: str) -> None:
    outcome = fresh.call("status", "--max-age", age, "--quiet")

    assert outcome.code == 7
    assert outcome.err.startswith("warning: hq → lab #1: made ")


def test_what_is_young_enough_exits_0(fresh: Site) -> None:
    told = fresh.do("status", "--max-age", "36500d").out

    assert "newest bundle imported: hq → lab #1, made 2026-10-04, " in told


@pytest.mark.parametrize("age", ["", "x", "-1", "1.5", "90dd", "999999"])
def test_what_is_no_number_of_days_is_refused(hq: Site, age: str) -> None:
    outcome = hq.call("status", "--max-age", age)

    assert outcome.code == 2
    assert "is not a number of days" in outcome.err


def test_the_age_of_the_newest_receipt_is_shown(hq: Site, lab: Site, tmp_path: Path) -> None:
    lab.do("keys", "generate", "release")
    hq.do("site", "add", "lab", "--key", lab.public_key)
    before = hq.do("status").out
    lab.do("receipt", "--to", tmp_path / "r")
    hq.do("receipt", "accept", tmp_path / "r")

    (site,) = hq.do("status", "--json").document["sites"]

    assert "newest receipt of lab: none yet" in before
    assert (site["label"], site["age_days"]) == ("lab", 0)


def test_a_repository_that_was_removed_is_no_sign_of_an_old_backup(lab: Site) -> None:
    lab.do("repo", "remove", "p/farm", "--yes")

    assert lab.do("status", "--json").document["unknown"] == []
