"""issmedia export: which base a delta starts from, and what it says of that."""

import os
import signal
from pathlib import Path

import pytest

from tests.cli.conftest import World
from tests.makers.bundles import content_of
from tests.makers.crash import forked
from tests.makers.programs import run
from tests.makers.repos import PackageSpec, build_repo
from tests.makers.sites import Outcome, Site


@pytest.fixture
def grown(hq: Site, tmp_path: Path) -> Site:
    """The connected site; p/farm has one package more than on the stick."""
    farm = build_repo(tmp_path / "farm", [PackageSpec("app", "1.0"), PackageSpec("news", "9")])
    hq.do("repo", "set", "p/farm", "--source", farm.path)
    hq.do("sync", "p/farm")
    return hq


@pytest.fixture
def told(grown: Site, lab: Site, tmp_path: Path) -> Site:
    """The connected site that accepted a receipt of `lab`, which is at the stick."""
    lab.do("keys", "generate", "release")
    grown.do("site", "add", "lab", "--key", lab.public_key)
    lab.do("receipt", "--to", tmp_path / "receipt")
    grown.do("receipt", "accept", tmp_path / "receipt")
    return grown


def exported(site: Site, to: Path, *arguments: str | Path) -> tuple[str, list[str]]:
    """Export; give the kind of the bundle, and the names of what it starts from."""
    manifest = site.do("export", "--to", to, *arguments, "--json").document["manifest"]
    return manifest["kind"], [base["name"] for base in manifest["bases"]]


def refused(site: Site, *arguments: str | Path) -> Outcome:
    """See that an export is refused as a usage error, and changes nothing."""
    before = site.state()
    outcome = site.call("export", *arguments)
    assert (outcome.code, site.state()) == (2, before), outcome.err
    return outcome


@pytest.mark.parametrize("state", ["stick", "p/farm@1"])
def test_a_delta_from_a_named_base_is_imported_where_that_is_held(
    grown: Site, lab: Site, world: World, tmp_path: Path, state: str
) -> None:
    base = world.stick if state == "stick" else Path(state)

    kind, bases = exported(grown, tmp_path / "out", "p/farm", "--base", base)

    assert (kind, len(bases)) == ("delta", 1)
    lab.do("verify", tmp_path / "out")
    lab.do("import", tmp_path / "out")
    assert lab.trees() == grown.trees()


def test_a_delta_says_where_it_starts(grown: Site, world: World, tmp_path: Path) -> None:
    said = grown.do("export", "--to", tmp_path / "out", "--base", world.stick, "--base", "p/farm@1").out

    assert "hq #2 (delta) is " in said
    assert "\nstarts at hq #1 (" in said
    assert "\nstarts at p/farm@1 (" in said


def test_since_last_starts_from_the_last_export_and_warns(grown: Site, lab: Site, tmp_path: Path) -> None:
    outcome = grown.do("export", "--since-last", "--to", tmp_path / "out")

    assert "warning: assumes that hq #1 arrived; a receipt of the site would tell" in outcome.err
    assert "starts at hq #1" in outcome.out
    lab.do("import", tmp_path / "out")
    assert lab.trees() == grown.trees()


@pytest.mark.parametrize("dry_run", [(), ("--dry-run",)])
def test_since_last_is_refused_where_nothing_was_exported(grown: Site, tmp_path: Path, dry_run: tuple[str]) -> None:
    grown.do("site", "add", "field")

    outcome = refused(grown, "--since-last", "--to-site", "field", "--to", tmp_path / "out", *dry_run)

    assert "nothing was exported there yet\nhint: leave out --since-last: the first bundle is full" in outcome.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "choices", [("--full", "--since-last"), ("--full", "--base", "current"), ("--since-last", "--base", "current")]
)
def test_ways_to_choose_the_base_exclude_one_another(hq: Site, tmp_path: Path, choices: tuple[str, ...]) -> None:
    outcome = refused(hq, *choices, "--to", tmp_path / "out")

    assert "--full, --since-last and --base exclude one another" in outcome.err


def test_a_base_that_nobody_knows_is_refused(hq: Site, tmp_path: Path) -> None:
    outcome = refused(hq, "--base", "f" * 64, "--to", tmp_path / "out")

    assert f"this site knows no state {'f' * 64}\nhint: name a bundle" in outcome.err


def test_a_site_that_was_not_added_is_refused(hq: Site, tmp_path: Path) -> None:
    outcome = refused(hq, "--to-site", "field", "--to", tmp_path / "out")

    assert "no site field\nhint: issmedia site list; issmedia site add" in outcome.err


def test_the_newest_receipt_of_a_site_is_the_base(told: Site, lab: Site, tmp_path: Path) -> None:
    kind, (base,) = exported(told, tmp_path / "out", "--to-site", "lab")

    assert kind == "delta"
    assert base.startswith("receipt ")
    assert base.endswith(" of lab")
    lab.do("import", tmp_path / "out")
    assert lab.trees() == told.trees()


@pytest.mark.parametrize(
    ("choice", "expected"), [(("--full",), ("full", [])), (("--base", "p/farm@1"), ("delta", ["p/farm@1"]))]
)
def test_another_base_than_the_receipt_can_be_asked_for(
    told: Site, tmp_path: Path, choice: tuple[str, ...], expected: tuple[str, list[str]]
) -> None:
    assert expected == exported(told, tmp_path / "out", "--to-site", "lab", *choice)


def test_without_a_receipt_everything_is_carried_and_this_is_said(grown: Site, tmp_path: Path) -> None:
    grown.do("site", "add", "field")

    outcome = grown.do("export", "--to-site", "field", "--to", tmp_path / "out", "--json")

    assert "no receipt of field names what is known here: this bundle carries everything" in outcome.err
    assert outcome.document["manifest"]["kind"] == "full"


def test_a_receipt_that_names_nothing_known_is_as_good_as_none(grown: Site, tmp_path: Path) -> None:
    field = Site(tmp_path / "field")
    field.do("init", "--name", "field")
    field.do("keys", "generate", "release")
    field.do("receipt", "--to", tmp_path / "receipt")
    grown.do("site", "add", "field", "--key", field.public_key)
    grown.do("receipt", "accept", tmp_path / "receipt")

    assert exported(grown, tmp_path / "out", "--to-site", "field") == ("full", [])


def test_a_delta_that_hardly_saves_anything_says_so(hq: Site, world: World, tmp_path: Path) -> None:
    farm = build_repo(tmp_path / "farm", [PackageSpec("other", size=100_000)])
    hq.do("repo", "set", "p/farm", "--source", farm.path)
    hq.do("sync", "p/farm")

    much, little = (
        hq.do("export", *what, "--dry-run", "--base", base).out
        for what, base in ((("p/farm",), world.stick), (("p/zoo",), "current"))
    )

    assert " % of the full bundle, which any site could import: consider --full" in much
    assert "consider --full" not in little


def test_an_empty_delta_is_imported_and_proves_that_nothing_changed(hq: Site, lab: Site, tmp_path: Path) -> None:
    done = hq.do("export", "--since-last", "--to", tmp_path / "out", "--json").document["manifest"]

    lab.do("verify", tmp_path / "out")
    imported = lab.do("import", tmp_path / "out", "--json").document["imported"]

    assert (done["kind"], done["content"]["blobs"]) == ("delta", 0)
    assert (imported["again"], imported["moved"], imported["added"]) == (False, [], 0)


def test_an_export_since_the_last_that_died_after_its_record_goes_on_as_the_same_bundle(
    grown: Site, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    arguments = ("export", "--since-last", "--to", out)

    def die_before_the_last_rename(kind: str, name: str) -> None:
        if (kind, name) == ("rename", "manifest.json"):
            os.kill(os.getpid(), signal.SIGKILL)

    ended = forked(lambda: grown.call(*arguments), die_before_the_last_rename)
    begun = (out / "manifest.json.partial").read_bytes()
    recorded = len(grown.do("status", "--json").document["bundles"])
    outcome = grown.do(*arguments)

    assert (ended.code, recorded) == (None, 2)
    assert begun == (out / "manifest.json").read_bytes()
    assert "assumes that hq #1 arrived" in outcome.err


@pytest.mark.system("sha256sum")
def test_new_hashes_are_those_that_no_bundle_carried(grown: Site, world: World, tmp_path: Path) -> None:
    grown.do("export", "--full", "--to", tmp_path / "out", "--new-hashes", tmp_path / "new")

    names = [line.partition("  ")[2] for line in (tmp_path / "new").read_text().splitlines()]
    old = set(content_of(world.stick).values())
    fresh = {
        path for path, data in content_of(tmp_path / "out").items() if path.startswith("repos/") and data not in old
    }
    assert set(names) == fresh
    assert "repos/p/farm/Packages/n/news-9-1.noarch.rpm" in names
    assert "OK" in run("sha256sum", "-c", tmp_path / "new", cwd=tmp_path / "out")


def test_a_dry_run_tells_the_same_new_hashes_and_what_was_sent_is_new_no_more(grown: Site, tmp_path: Path) -> None:
    for name, more in (("planned", ("--dry-run",)), ("sent", ("--to", str(tmp_path / "out")))):
        grown.do("export", "--since-last", *more, "--new-hashes", tmp_path / name)
    grown.do("export", "--full", "--dry-run", "--new-hashes", tmp_path / "after")

    planned, sent, after = ((tmp_path / name).read_text() for name in ("planned", "sent", "after"))

    assert planned == sent != ""
    assert "repos/" not in after


def test_what_a_delta_took_for_granted_is_new_until_a_bundle_carries_it(grown: Site, tmp_path: Path) -> None:
    farm = build_repo(tmp_path / "farm", [PackageSpec("news", "9"), PackageSpec("more", "1")])
    grown.do("repo", "set", "p/farm", "--source", farm.path)
    grown.do("sync", "p/farm")
    for name, choice in (("delta", ("--base", "p/farm@2")), ("full", ("--full",)), ("again", ("--full",))):
        grown.do("export", "p/farm", *choice, "--to", tmp_path / name, "--new-hashes", tmp_path / f"{name}.sums")

    delta, full, again = ((tmp_path / f"{name}.sums").read_text() for name in ("delta", "full", "again"))

    assert ("more-1-1" in delta, "news-9-1" in delta) == (True, False)
    assert "news-9-1" in full
    assert again == ""
