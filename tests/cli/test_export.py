"""issmedia export: exact, deterministic, and careful where it writes."""

import json
import os
import re
import shutil
from pathlib import Path

import pytest

from issmedia.base import files
from issmedia.bundle import layout
from tests.cli.conftest import World
from tests.makers.bundles import content_of
from tests.makers.repos import PackageSpec, build_repo
from tests.makers.sites import Site

EPOCH = "1700000000"
CREATED = "2023-11-14T22:13:20Z"


@pytest.fixture
def fixed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fix the moment of creation."""
    monkeypatch.setenv("SOURCE_DATE_EPOCH", EPOCH)


def copied(site: Site, target: Path) -> Site:
    """Copy a site with its depot."""
    return Site(shutil.copytree(site.root, target, symlinks=True))


@pytest.mark.usefixtures("fixed")
@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_a_copied_depot_gives_the_same_volume_bit_by_bit(hq: Site, tmp_path: Path, umask: int) -> None:
    twin = copied(hq, tmp_path / "elsewhere")
    hq.do("export", "--to", tmp_path / "one")
    before = os.umask(umask)
    try:
        twin.do("export", "--to", tmp_path / "two")
    finally:
        os.umask(before)

    facts = [
        {path.relative_to(root).as_posix(): path.stat().st_mode for path in root.rglob("*")}
        for root in (tmp_path / "one", tmp_path / "two")
    ]

    assert content_of(tmp_path / "one") == content_of(tmp_path / "two")
    assert facts[0] == facts[1]


@pytest.mark.usefixtures("fixed")
def test_the_moment_of_creation_is_the_one_that_was_given(hq: Site, tmp_path: Path) -> None:
    found = hq.do("export", "--to", tmp_path / "out", "--expires", "90d", "--json").document["manifest"]

    assert (found["created"], found["expires"]) == (CREATED, "2024-02-12T22:13:20Z")


@pytest.mark.parametrize("value", ["x", "", "1e9", "99999999999999999999"])
def test_a_moment_that_is_none_is_refused(
    hq: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", value)

    outcome = hq.call("export", "--to", tmp_path / "out")

    assert (outcome.code, "SOURCE_DATE_EPOCH" in outcome.err) == (2, True)


@pytest.mark.usefixtures("fixed")
def test_a_dry_run_prints_the_manifest_that_is_then_written(hq: Site, tmp_path: Path) -> None:
    before = hq.state()

    plan = hq.do("export", "--dry-run", "--json")

    assert before == hq.state()
    hq.do("export", "--to", tmp_path / "out")
    assert plan.document == json.loads((tmp_path / "out/manifest.json").read_bytes())


@pytest.mark.usefixtures("fixed")
def test_a_dry_run_says_how_many_bytes_it_would_be(hq: Site, tmp_path: Path) -> None:
    said = hq.do("export", "--dry-run").out

    hq.do("export", "--to", tmp_path / "out")

    found = {path: data for path, data in content_of(tmp_path / "out").items() if path not in layout.BESIDE}
    signatures = len(found.pop("manifest.json.sig"))
    assert signatures > 0
    assert f"{len(found) + 1} files, {sum(map(len, found.values())):,} bytes, signatures not counted" in said


@pytest.mark.parametrize(
    ("what", "paths"), [((), ["p/farm", "p/zoo"]), (("p",), ["p/farm", "p/zoo"]), (("p/zoo",), ["p/zoo"])]
)
def test_what_is_named_is_exported(hq: Site, what: tuple[str, ...], paths: list[str]) -> None:
    plan = hq.do("export", *what, "--dry-run", "--json").document

    assert paths == [f"{one['product']}/{one['label']}" for one in plan["repositories"]]


def test_bundles_of_one_destination_make_a_chain(hq: Site, tmp_path: Path) -> None:
    hq.do("site", "add", "lab")
    hq.do("site", "add", "field")
    ids, sequences = [], []
    for number, to in enumerate(("lab", "lab", "field")):
        done = hq.do("export", "p/farm", "--to", tmp_path / str(number), "--to-site", to, "--json").document
        ids.append((done["bundle"], done["manifest"]["previous"]))
        sequences.append(done["manifest"]["sequence"])

    assert sequences == [1, 2, 1]
    assert [previous for _, previous in ids] == [None, ids[0][0], None]


def test_a_bundle_is_addressed_dated_and_annotated(hq: Site, tmp_path: Path) -> None:
    hq.do("site", "add", "lab")
    hq.do("export", "p/farm", "--to", tmp_path / "out", "--to-site", "lab", "--expires", "2027-01-31", "--notes", "né")

    found = hq.do("inspect", tmp_path / "out", "--json").document["manifest"]

    assert (found["destination"], found["expires"], found["notes"]) == ("lab", "2027-01-31T00:00:00Z", "né")


def test_the_same_export_again_into_its_directory_changes_nothing(hq: Site, tmp_path: Path) -> None:
    hq.do("export", "--to", tmp_path / "out")
    before, state = content_of(tmp_path / "out"), hq.state()

    hq.do("export", "--to", tmp_path / "out")

    assert (before, state) == (content_of(tmp_path / "out"), hq.state())


def test_another_export_into_a_finished_directory_is_refused(hq: Site, tmp_path: Path) -> None:
    hq.do("export", "--to", tmp_path / "out")
    before, state = content_of(tmp_path / "out"), hq.state()

    outcome = hq.call("export", "p/farm", "--to", tmp_path / "out")

    assert outcome.code == 2
    assert "holds a finished bundle" in outcome.err
    assert (before, state) == (content_of(tmp_path / "out"), hq.state())


def test_a_directory_with_something_else_is_refused_and_left(hq: Site, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/photo.jpg").write_bytes(b"mine")
    state = hq.state()

    outcome = hq.call("export", "--to", tmp_path / "out")

    assert outcome.code == 2
    assert "the directory holds 'photo.jpg'" in outcome.err
    assert (content_of(tmp_path / "out"), state) == ({"photo.jpg": b"mine"}, hq.state())


@pytest.mark.parametrize("where", ["", "published", "store/x", "new"])
def test_an_export_into_the_depot_is_refused(hq: Site, where: str) -> None:
    before, state = sorted(hq.root.rglob("*")), hq.state()

    outcome = hq.call("export", "--to", hq.root / where)

    assert outcome.code in (2, 4)
    assert (before, state) == (sorted(hq.root.rglob("*")), hq.state())


def test_a_link_into_the_depot_is_refused_too(hq: Site, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(hq.root / "store")

    outcome = hq.call("export", "--to", tmp_path / "link" / "new")

    assert (outcome.code, "lies in the depot" in outcome.err) == (4, True)


@pytest.mark.parametrize("how", [("--to", "{out}"), ("--dry-run",), ("--to", "{out}", "--dry-run")], ids=" ".join)
def test_a_repository_that_was_never_synced_is_refused_by_name(hq: Site, tmp_path: Path, how: tuple[str, ...]) -> None:
    hq.do("repo", "add", "p/new", tmp_path)
    before = hq.state()

    outcome = hq.call("export", *(one.format(out=tmp_path / "out") for one in how))

    hint = "issmedia sync p/new; or name the others; or issmedia repo remove p/new --yes"
    assert (outcome.code, f"error: p/new: was never synced\nhint: {hint}" in outcome.err) == (2, True)
    assert (before, (tmp_path / "out").exists()) == (hq.state(), False)


def test_what_the_hint_names_exports_the_others(hq: Site, tmp_path: Path) -> None:
    hq.do("repo", "add", "p/new", tmp_path)

    hq.do("export", "p/zoo", "p/farm", "--to", tmp_path / "named")
    hq.do("repo", "remove", "p/new", "--yes")

    hq.do("export", "--to", tmp_path / "all")


def test_several_that_were_never_synced_are_named_together(hq: Site, tmp_path: Path) -> None:
    for label in ("new", "other"):
        hq.do("repo", "add", f"p/{label}", tmp_path)

    outcome = hq.call("export", "--dry-run")

    assert outcome.code == 2
    assert outcome.err.startswith(
        "error: 2 repositories have nothing to carry\n  p/new: was never synced\n  p/other: was never synced\n"
        "hint: issmedia sync p/new p/other; or name the others; or "
    )


def test_a_repository_that_was_rolled_back_to_nothing_is_refused_with_the_way_back(hq: Site, tmp_path: Path) -> None:
    hq.do("rollback", "p/farm", "--no-publish")

    shown = hq.do("status").out
    outcome = hq.call("export", "p/farm", "--to", tmp_path / "out")

    assert [line.split(maxsplit=1)[1] for line in shown.splitlines() if line.startswith("p/farm")] == [
        "rolled back to nothing"
    ]
    assert "error: p/farm: was rolled back to nothing\nhint: undo that: issmedia rollback p/farm" in outcome.err
    hq.do("rollback", "p/farm")
    hq.do("export", "p/farm", "--to", tmp_path / "out")


def test_packages_with_odd_names_cross(hq: Site, lab: Site, tmp_path: Path) -> None:
    names = ("c++~rc1^git", "naïve", "日本語", "a=b,c@d%20e")
    repo = build_repo(tmp_path / "odd", [PackageSpec(f"odd{number}") for number in range(2)], layout="{filename}")
    for number, name in enumerate(names):
        (repo.path / f"{name}.txt").write_bytes(b"%d" % number)
    hq.do("repo", "add", "p/odd", repo.path)
    hq.do("sync", "p/odd")
    hq.do("export", "p/odd", "--to", tmp_path / "out")

    lab.do("import", tmp_path / "out")

    assert content_of(lab.root / "published/p/odd") == content_of(repo.path)


def test_the_volume_has_no_secret(hq: Site, world: World) -> None:
    private = (hq.root / "keys/release").read_bytes()
    secret = max(private.split(b"\n"), key=len)

    leaking = [path for path, data in content_of(world.stick).items() if secret in data or b"PRIVATE KEY" in data]

    assert leaking == []


def test_the_volumes_are_announced_before_parity_is_computed(hq: Site, tmp_path: Path) -> None:
    rotten = max((hq.root / "store").rglob("?" * 64), key=lambda path: path.stat().st_size)
    rotten.chmod(0o644)
    rotten.write_bytes(bytes(rotten.stat().st_size))

    outcome = hq.call("export", "--to", tmp_path / "out", "--medium", "1M", "--parity", "1")

    assert outcome.code == 4
    announced, refusal = outcome.err.split("error: ")
    assert re.search(r"ISSM_[0-9A-F]{8}_V01OF[0-9]{2} on 1M: [0-9]+ files", announced)
    assert "and 1 parity volume, each about as large as the largest of these" in announced
    assert rotten.name in refusal


def test_each_volume_is_announced_once(hq: Site, tmp_path: Path) -> None:
    outcome = hq.do("export", "--to", tmp_path / "out", "--medium", "1M", "--parity", "1")

    labels = sorted(path.name for path in (tmp_path / "out").glob("ISSM_*"))
    assert re.findall(r"(ISSM_\w+) on 1M:", outcome.err) == labels


def test_the_labels_name_who_signed_in_an_earlier_run(hq: Site, tmp_path: Path) -> None:
    hq.do("keys", "generate", "second")
    export = ("export", "--to", tmp_path / "out", "--medium", "1M")

    def stop(step: str, path: str) -> None:
        if (step, path) == ("rename", "manifest.json"):
            raise InterruptedError

    with files.observing(stop):
        assert hq.call(*export, "--key", "release").code != 0
    hq.do(*export, "--key", "second")

    page = (tmp_path / "out/labels.html").read_text()
    fingerprints = [one["fingerprint"] for one in hq.do("keys", "list", "--json").document["own"]]
    assert len(fingerprints) == 2
    assert [one for one in fingerprints if one not in page] == []


@pytest.mark.parametrize(
    "options", [("--medium", "1M"), ("--reserve", "1M"), ("--medium", "directory")], ids=lambda one: one[-1]
)
def test_a_medium_without_end_stands_alone(hq: Site, tmp_path: Path, options: tuple[str, ...]) -> None:
    outcome = hq.call("export", "--to", tmp_path / "out", "--medium", "directory", *options)

    assert outcome.code == 2
    assert "--medium directory takes all there is" in outcome.err
    assert not (tmp_path / "out").exists()
    assert hq.do("export", "--to", tmp_path / "out", "--medium", "directory").code == 0
