"""Half a year of weekly discs between one sender and two sites, with what goes wrong in half a year.

`lab` sends a receipt back every week, so each of its discs starts from what it holds. From `ship` nothing comes back
unless it must: its discs start from the last one, and nobody knows whether that arrived. Every refusal is followed by
what its hint says, to the letter.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from issmedia.cli import clock
from tests.makers.clients import DnfClient
from tests.makers.extras import AdvisorySpec
from tests.makers.programs import run
from tests.makers.weeks import (
    Calendar,
    Months,
    Vendor,
    begin,
    command_in,
    hint,
    numbers_in,
    refused,
)

WEEKS = 26
FIRST = {
    "tools": {"app": "1.0", "library": "1.0", "editor": "1.0", "old-0": "1.0"},
    "fixes": {"kernel": "1.0", "shell": "1.0"},
}


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Months]:
    """Play the half year."""
    calendar = Calendar()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clock, "now", calendar.now)
        months = begin(tmp_path_factory.mktemp("months"), calendar, FIRST)
        for week in range(1, WEEKS + 1):
            play(months, week)
        yield months


def test_at_the_end_all_sites_hold_the_same_trees(played: Months) -> None:
    trees = played.hq.trees()

    assert sorted(trees) == ["p/extras", "p/fixes", "p/tools"]
    assert trees == played.lab.trees()
    assert trees == played.ship.trees()


def test_clients_see_upstreams_bytes(played: Months) -> None:
    for label in played.vendor.packages:
        upstream = files(played.vendor.path(label))

        assert upstream == files(played.lab.root / "published/p" / label)
        assert upstream == files(played.ship.root / "published/p" / label)


def test_every_site_is_whole_and_its_ledger_unbroken(played: Months) -> None:
    said = [site.do("audit").out for site in (played.hq, played.lab, played.ship)]

    assert ["all well" in text for text in said] == [True] * 3


def test_the_ledgers_tell_what_was_allowed(played: Months) -> None:
    told = [site.do("log", "--json").out.count('"allowed_rollback": true') for site in (played.lab, played.ship)]

    assert told == [1, 0]


@pytest.mark.root
@pytest.mark.system("dnf", "rpm")
@pytest.mark.parametrize("name", ["lab", "ship"])
def test_dnf_sees_the_packages_that_upstream_has(played: Months, tmp_path: Path, name: str) -> None:
    for label in played.vendor.packages:
        published = played.root / name / "published/p" / label

        seen = packages(tmp_path / label / name, published)

        assert len(seen) == len(played.vendor.packages[label])
        assert packages(tmp_path / label / "upstream", played.vendor.path(label)) == seen


def play(months: Months, week: int) -> None:
    """Let a week pass: upstream moves on, the sender syncs, and each site gets a disc, or what happens instead."""
    months.calendar.next_week()
    UPSTREAM.get(week, ordinary_change)(months.vendor, week)
    months.vendor.write()
    if week == NEW_REPOSITORY:
        months.hq.do("repo", "add", "p/extras", months.vendor.path("extras"))
    months.hq.do("sync")
    AT_LAB.get(week, disc_and_receipt)(months)
    AT_SHIP.get(week, disc_since_last)(months)


# Upstream


def ordinary_change(vendor: Vendor, week: int) -> None:
    """One package is new, one is upgraded, one is gone; now and then an advisory says why."""
    tools = vendor.packages["tools"]
    tools[f"old-{week}"] = "1.0"
    tools.pop(f"old-{week - 3}", None)
    name = ("app", "library", "editor")[week % 3]
    tools[name] = f"1.{week}"
    if week % 4 == 0:
        advisory = AdvisorySpec(f"TEST-2027:{week:04}", (name,), cves=(f"CVE-2027-{week:04}",))
        vendor.advisories.setdefault("tools", []).append(advisory)


def no_change(_vendor: Vendor, _week: int) -> None:
    """Upstream sleeps."""


def new_repository(vendor: Vendor, _week: int) -> None:
    """A repository appears."""
    vendor.packages["extras"] = {"game": "1.0", "theme": "0.9"}


def downgrade(vendor: Vendor, week: int) -> None:
    """Upstream takes an upgrade back."""
    ordinary_change(vendor, week)
    vendor.packages["fixes"]["shell"] = "0.9"


# An ordinary week


def disc_and_receipt(months: Months) -> None:
    """A disc that starts from the newest receipt, and a receipt of what it brought."""
    months.lab.do("import", months.burn(months.lab))
    months.report(months.lab)


def disc_since_last(months: Months) -> None:
    """A disc that starts from the last one."""
    months.ship.do("import", months.burn(months.ship, "--since-last"))


def first_disc(months: Months) -> None:
    """Nothing was exported to the ship yet: the refusal to guess says so, and its hint makes a full disc."""
    outcome = months.hq.call("export", "--to-site", "ship", "--since-last", "--dry-run")

    assert outcome.code == 2
    assert hint(outcome) == "leave out --since-last: the first bundle is full"
    months.ship.do("import", months.burn(months.ship))


# What goes wrong


def disc_for_the_lab_at_the_ship(months: Months) -> None:
    """The courier takes the wrong disc; the ship says for whom it is, and how the sender makes its own."""
    wrong = months.shelf["lab"][-1]

    outcome = refused(months.ship, "import", wrong)

    assert "meant for site 'lab', this is 'ship'" in outcome.err
    right = months.next_disc(months.ship)
    months.hq.do(*command_in(hint(outcome), DIR=right))
    months.ship.do("import", right)


def disc_that_changes_nothing(months: Months) -> None:
    """An empty delta proves that nothing changed."""
    disc = months.burn(months.lab)
    before = months.lab.trees()

    imported = months.lab.do("import", disc, "--json").document["imported"]

    assert (imported["moved"], imported["added"]) == ([], 0)
    assert before == months.lab.trees()
    months.report(months.lab)


def disc_is_lost(months: Months) -> None:
    """The disc never arrives."""
    months.burn(months.ship, "--since-last")


def disc_after_two_that_were_lost(months: Months) -> None:
    """The gap is found before anything is read; its discs are gone, so the other way in the hint is taken."""
    disc = months.burn(months.ship, "--since-last")
    overdue = months.ship.call("status", "--max-age", "10d")

    outcome = refused(months.ship, "import", disc)

    assert (overdue.code, "made 21 days ago, expected at most 10" in overdue.err) == (7, True)
    assert "this delta starts at hq → ship #10 (" in outcome.err
    assert "this site is at #8" in outcome.err
    discs, _, receipt = hint(outcome).partition("; or: ")
    assert (numbers_in(discs), receipt.startswith("issmedia receipt")) == ([9, 10], True)
    accepted = months.report(months.ship)
    assert "hq → ship #11" in accepted.out.partition("refused there at ")[2]
    other = months.next_disc(months.ship)
    months.hq.do(*command_in(accepted.out, DIR=other))
    months.ship.do("import", other)
    assert months.ship.call("status", "--max-age", "10d").code == 0


def same_disc_again(months: Months) -> None:
    """The disc of this week was left in the drive: nothing happens."""
    disc_since_last(months)
    before = months.ship.state()

    again = months.ship.do("import", months.shelf["ship"][-1])

    assert "imported before; nothing to do" in again.err
    assert before == months.ship.state()


def disc_is_late(months: Months) -> None:
    """The disc is still on its way."""
    months.burn(months.ship, "--since-last")


def disc_before_the_one_it_builds_on(months: Months) -> None:
    """The newer disc came first; the hint names the other one, and in that order both work."""
    disc = months.burn(months.ship, "--since-last")

    outcome = refused(months.ship, "import", disc)

    discs, _, _ = hint(outcome).partition("; or: ")
    for number in numbers_in(discs):
        months.ship.do("import", months.disc(months.ship, number))
    months.ship.do("import", disc)


def old_disc_again(months: Months) -> None:
    """Somebody puts a disc of last month into the drive; whoever wants that must name it, and can take it back."""
    disc_and_receipt(months)
    old = months.shelf["lab"][-4]
    now = months.lab.trees()

    outcome = refused(months.lab, "import", old)

    assert "this bundle has sequence 12, already imported is 15" in outcome.err
    months.lab.do(*command_in(hint(outcome), PATH=old))
    assert now != months.lab.trees()
    months.lab.do("rollback")
    assert now == months.lab.trees()


def old_receipt_again(months: Months) -> None:
    """An old receipt would move the base back; a new one is asked for."""
    disc_and_receipt(months)

    outcome = refused(months.hq, "receipt", "accept", months.receipts[2])

    assert "already accepted is one made at" in outcome.err
    assert hint(outcome).startswith("ask for a new receipt")
    months.report(months.lab)


def backup_is_taken(months: Months) -> None:
    """The lab's disk is backed up."""
    disc_and_receipt(months)
    run("cp", "-a", months.lab.root, months.root / "backup")


def backup_is_restored(months: Months) -> None:
    """The lab's disk died, and its backup is weeks old: the next disc shows it, and a receipt mends it."""
    disc = months.burn(months.lab)
    months.lab.root.rename(months.root / "lost")
    (months.root / "backup").rename(months.lab.root)

    outcome = refused(months.lab, "import", disc)

    assert "this site was restored from an older backup" in outcome.err
    assert hint(outcome).startswith("issmedia receipt tells the sender what this site holds")
    accepted = months.report(months.lab)
    assert "restored from an older backup" in accepted.err
    other = months.next_disc(months.lab)
    months.hq.do(*command_in(accepted.out, DIR=other))
    months.lab.do("import", other)
    months.report(months.lab)


def receipt_by_voice(months: Months) -> None:
    """Nothing may be carried out this week: the receipt is read aloud, and typed at the sender."""
    months.lab.do("import", months.burn(months.lab))
    typed = months.next_receipt()
    typed.write_text(months.lab.do("receipt", "show", "--text").out.lower())

    months.hq.do("receipt", "accept", typed)

    assert months.lab.trees() == months.hq.trees()


def downgrade_is_looked_at(months: Months) -> None:
    """Before the import somebody reads what the disc changes."""
    disc = months.burn(months.lab)

    said = months.lab.do("diff", "current", disc).out

    assert "DOWNGRADE: 1 package would become OLDER, in p/fixes" in said
    months.lab.do("import", disc)
    months.report(months.lab)


def everybody_prunes(months: Months) -> None:
    """Old snapshots go everywhere; what the next deltas start from stays."""
    disc_and_receipt(months)
    for site in (months.hq, months.lab, months.ship):
        site.do("prune", "--keep", "1", "--yes")


def one_disc_for_both(months: Months) -> None:
    """The lab lags behind the ship; one disc starts from both receipts, and serves either site."""
    months.report(months.ship)
    disc = months.root / "discs/both"
    bases = [word for receipt in months.receipts[-2:] for word in ("--base", str(receipt))]

    made = months.hq.do("export", *bases, "--to", disc, "--json").document["manifest"]

    assert [base["name"].partition(" of ")[2] for base in made["bases"]] == ["lab", "ship"]
    assert months.lab.trees() != months.ship.trees()
    months.lab.do("import", disc)
    months.ship.do("import", disc)


def nothing(_months: Months) -> None:
    """No disc for this site this week."""


NEW_REPOSITORY = 12
UPSTREAM: dict[int, Callable[[Vendor, int], None]] = {5: no_change, NEW_REPOSITORY: new_repository, 22: downgrade}
AT_LAB: dict[int, Callable[[Months], None]] = {
    5: disc_that_changes_nothing,
    15: old_disc_again,
    16: backup_is_taken,
    18: old_receipt_again,
    20: backup_is_restored,
    21: receipt_by_voice,
    22: downgrade_is_looked_at,
    24: everybody_prunes,
    25: nothing,
    26: nothing,
}
AT_SHIP: dict[int, Callable[[Months], None]] = {
    1: first_disc,
    7: disc_for_the_lab_at_the_ship,
    9: disc_is_lost,
    10: disc_is_lost,
    11: disc_after_two_that_were_lost,
    13: disc_is_late,
    14: disc_before_the_one_it_builds_on,
    17: same_disc_again,
    26: one_disc_for_both,
}


def packages(host: Path, repository: Path) -> list[str]:
    """Ask dnf on a host of its own what a repository offers."""
    client = DnfClient(host)
    client.use("one", repository.as_uri())
    return sorted(client.dnf("repoquery", "--qf", "%{name}-%{epoch}:%{version}-%{release}.%{arch}\n").split())


def files(root: Path) -> dict[str, bytes]:
    """Read a directory: path → bytes."""
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}
