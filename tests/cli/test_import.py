"""issmedia import and publish: what moves, what clients see, and what stays."""

import os
from pathlib import Path

import pytest

from tests.cli.conftest import World
from tests.makers.bundles import content_of
from tests.makers.repos import PackageSpec, build_repo
from tests.makers.sites import Site, disconnected_site


@pytest.fixture
def fresh(hq: Site, tmp_path: Path) -> Site:
    """A disconnected site that imported nothing."""
    return disconnected_site(tmp_path / "fresh", hq)


@pytest.fixture
def next_stick(hq: Site, tmp_path: Path) -> Path:
    """The next bundle of the chain: p/farm has changed."""
    farm = build_repo(tmp_path / "farm", [PackageSpec("app", version="9")])
    hq.do("repo", "set", "p/farm", "--source", farm.path)
    hq.do("sync", "p/farm")
    hq.do("export", "--to", tmp_path / "next")
    return tmp_path / "next"


def test_a_dry_run_says_what_would_change_and_changes_nothing(fresh: Site, world: World) -> None:
    before = content_of(fresh.root)

    said, answered = (fresh.do("import", world.stick, "--dry-run", *more) for more in ((), ("--json",)))

    assert "p/zoo: would be new: tree" in said.out
    assert (answered.document["dry_run"], answered.document["published"]) == (True, None)
    assert before == content_of(fresh.root)


def test_a_dry_run_tells_what_the_import_then_does(fresh: Site, world: World) -> None:
    planned = fresh.do("import", world.stick, "--dry-run", "--json").document["imported"]

    done = fresh.do("import", world.stick, "--json").document["imported"]

    assert planned == done


def test_a_dry_run_leaves_alone_what_the_import_then_does(fresh: Site, world: World, tmp_path: Path) -> None:
    given = (world.stick, tmp_path / "absent")

    planned, done = (fresh.do("import", *given, *more, "--json").document for more in (("--dry-run",), ()))

    (alone,) = done["left_alone"]
    assert planned["left_alone"] == [alone]
    assert (alone["where"], alone["another_bundle"]) == (str(tmp_path / "absent"), False)


def test_an_import_says_what_moved_and_what_clients_see(fresh: Site, world: World) -> None:
    said = fresh.do("import", world.stick).out

    assert "p/farm: new: tree " in said
    assert f"clients now see 2 repositories in {fresh.root}/published" in said


def test_only_what_changed_moves(lab: Site, next_stick: Path) -> None:
    done = lab.do("import", next_stick, "--json").document

    assert [one["repository"] for one in done["imported"]["moved"]] == ["p/farm"]
    assert done["published"]["made"] == ["p/farm"]


def test_an_import_says_what_changed_as_diff_counts_it(lab: Site, next_stick: Path) -> None:
    counted = lab.do("diff", "p/farm", next_stick, "--json").document["totals"]

    done = lab.do("import", next_stick)

    moved, changes = done.out.splitlines()[:2]
    assert moved.startswith("p/farm: moved: tree ")
    assert changes.startswith(f"  changes: {counted['upgraded']} upgraded, {counted['removed']} removed")
    assert counted["removed"] > 0


def test_as_json_the_counts_of_each_repository_that_moved(lab: Site, next_stick: Path) -> None:
    first, again = (lab.do("import", next_stick, "--json").document["changes"] for _ in range(2))

    (farm,) = first
    assert (farm["repository"], farm["added"], farm["upgraded"], farm["removed"]) == ("p/farm", 0, 1, 4)
    assert (farm["unknown"], again) == ([], [])


def test_importing_again_changes_nothing(lab: Site, world: World) -> None:
    before = lab.state()

    outcome = lab.do("import", world.stick)

    assert before == lab.state()
    assert "was imported before; nothing to do" in outcome.err


def test_without_publishing_clients_see_what_they_saw(lab: Site, next_stick: Path) -> None:
    before = content_of(lab.root / "published/p/farm")

    lab.do("import", next_stick, "--no-publish")

    assert before == content_of(lab.root / "published/p/farm")
    (farm,) = (one for one in lab.do("status", "p/farm", "--json").document["repositories"])
    assert farm["published"] != farm["snapshot"]["tree"]
    lab.do("publish")
    assert before != content_of(lab.root / "published/p/farm")


def test_publishing_one_leaves_the_others_as_clients_see_them(hq: Site) -> None:
    hq.do("publish", "p/farm")
    first = [path.name for path in (hq.root / "published/p").iterdir()]

    hq.do("publish", "p/zoo")

    assert first == ["farm"]
    assert sorted(path.name for path in (hq.root / "published/p").iterdir()) == ["farm", "zoo"]


def test_publishing_one_does_not_show_what_changed_in_another(lab: Site, next_stick: Path) -> None:
    lab.do("import", next_stick, "--no-publish")
    before = content_of(lab.root / "published/p/farm")

    lab.do("publish", "p/zoo")

    assert before == content_of(lab.root / "published/p/farm")


def test_the_client_file_has_the_checks_on_and_only_pinned_keys(lab: Site) -> None:
    published = lab.root / "published"

    text = (published / "issmedia.repo").read_text()

    farm, zoo = text.split("[p:zoo]")
    assert "gpgcheck=1\nrepo_gpgcheck=0\n" in farm
    assert "gpgkey" not in farm
    assert "gpgcheck=1\nrepo_gpgcheck=1\n" in zoo
    (key,) = (published / "_keys").iterdir()
    assert f"gpgkey=file://{published}/_keys/{key.name}\n" in zoo


def test_a_base_url_is_remembered(lab: Site) -> None:
    lab.do("publish", "--base-url", "http://repos.example.com/issmedia/")
    lab.do("publish")

    text = (lab.root / "published/issmedia.repo").read_text()

    assert "baseurl=http://repos.example.com/issmedia/p/zoo/\n" in text
    assert "file://" not in text


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_clients_can_read_everything_whatever_the_umask(hq: Site, world: World, tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        site = disconnected_site(tmp_path / "site", hq)
        site.do("import", world.stick)
    finally:
        os.umask(before)

    published = site.root / "published"
    below = [*published.resolve().rglob("*"), *(published / "p/zoo/").rglob("*")]
    assert all(path.stat().st_mode & 0o044 == 0o044 for path in below)
    assert all((site.root / name).stat().st_mode & 0o777 == 0o700 for name in ("keys", "store/incoming"))
    for part in (site.root, site.root / "publications", site.root / "publications/trees"):
        assert part.stat().st_mode & 0o055 == 0o055


def test_a_bundle_for_another_site_is_refused(hq: Site, lab: Site, tmp_path: Path) -> None:
    hq.do("site", "add", "field")
    hq.do("export", "p/farm", "--to", tmp_path / "out", "--to-site", "field")
    before = lab.state()

    outcome = lab.call("import", tmp_path / "out")

    assert outcome.code == 6
    assert "meant for site 'field', this is 'lab'" in outcome.err
    assert before == lab.state()


def test_going_back_needs_its_name(lab: Site, world: World, next_stick: Path, hq: Site, tmp_path: Path) -> None:
    site = disconnected_site(tmp_path / "behind", hq)
    site.do("import", next_stick)
    bundle = site.do("inspect", world.stick, "--json").document["id"]

    refused = site.call("import", world.stick)
    site.do("import", world.stick, "--allow-rollback", bundle[:16])

    assert refused.code == 6
    assert f"issmedia import --allow-rollback {bundle[:16]}" in refused.err
    assert site.trees() == Site(world.root / "hq").trees()


def test_files_that_are_not_declared_are_reported_and_refused_when_strict(fresh: Site, stick: Path) -> None:
    (stick / "virus.exe").write_bytes(b"x")
    before = fresh.state()

    strict = fresh.call("import", stick, "--strict")

    assert (strict.code, "virus.exe" in strict.err, before == fresh.state()) == (6, True, True)
    lenient = fresh.do("import", stick)
    assert "warning: " in lenient.err
    assert "virus.exe: is not declared by SHA256SUMS; it was not opened" in lenient.err


def test_a_blob_that_audit_set_aside_comes_back_to_store_and_clients(lab: Site, world: World) -> None:
    package = lab.root / "published/p/zoo/Packages/a/app-1.0-1.noarch.rpm"
    good = package.read_bytes()
    package.chmod(0o644)
    package.write_bytes(b"rotten")

    audited = lab.call("audit")
    withdrawn = not package.exists()
    lab.do("import", world.stick)

    assert (audited.code, withdrawn) == (4, True)
    assert package.read_bytes() == good
    lab.do("audit")
