"""The reports: what an export leaves beside its bundle, an import in the depot."""

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest

from issmedia.base.digest import digest_of
from issmedia.depot.signatures import check_signatures
from issmedia.model.openpgp import grouped
from issmedia.model.report import NAMESPACE_REPORT
from issmedia.model.signers import TrustedKey
from issmedia.model.sshsig import parse_public_line
from tests.cli.conftest import World
from tests.makers.crash import forked
from tests.makers.extras import AdvisorySpec
from tests.makers.openpgp import OpenPGPKey
from tests.makers.repos import BuiltRepo, PackageSpec, build_repo
from tests.makers.rpms import build_rpm
from tests.makers.sites import Site, disconnected_site

NOW = "2026-11-01T00:00:00Z"
ALARM = "<script>alert(1)</script>"


def signers(directory: Path, site: Site) -> set[str]:
    """Say which of a site's keys signed the report in a directory."""
    key = TrustedKey("r", parse_public_line(site.public_key), (NAMESPACE_REPORT,))
    data, armored = (directory / "report.json").read_bytes(), (directory / "report.json.sig").read_bytes()
    return set(check_signatures(data, armored, [key], namespace=NAMESPACE_REPORT, now=NOW).signers.values())


def left(site: Site) -> list[Path]:
    """List the directories of the reports in a depot."""
    return sorted((site.root / "reports").iterdir())


def read(directory: Path) -> Any:
    """Read a report."""
    return json.loads((directory / "report.json").read_bytes())


@pytest.fixture
def fix(hq: Site, tmp_path: Path) -> Path:
    """A delta that brings an upgrade, and an advisory with a hostile title."""
    advisory = AdvisorySpec("TEST-2026:1", ("app",), title=ALARM, cves=("CVE-2026-0007",))
    farm = build_repo(tmp_path / "farm", [PackageSpec("app", "9.0")], advisories=[advisory])
    hq.do("repo", "set", "p/farm", "--source", farm.path)
    hq.do("sync", "p/farm")
    hq.do("export", "p/farm", "--since-last", "--to", tmp_path / "fix")
    return tmp_path / "fix"


def test_an_export_leaves_a_signed_report_beside_the_bundle(hq: Site, fix: Path) -> None:
    report = read(fix)

    assert signers(fix, hq) == {"r"}
    assert (report["kind"], report["chain"], report["bundle_kind"]) == ("export", "hq #2", "delta")
    assert report["cves"] == ["CVE-2026-0007"]
    assert [base["name"] for base in report["bases"]] == ["hq #1"]
    assert {"issmedia", "python", "createrepo-c"} <= report["tools"].keys()


def test_an_import_leaves_a_report_in_the_depot_with_every_step(lab: Site, fix: Path) -> None:
    said = lab.do("import", fix).out

    directory = left(lab)[-1]
    report = read(directory)
    assert f"report: {directory}/report.html" in said
    assert (report["kind"], report["at"]["name"], report["made_by"]["name"]) == ("import", "lab", "hq")
    assert [step["number"] for step in report["steps"]] == list(range(1, 14))
    assert [one["name"] for one in report["signers"]] == ["hq"]
    assert report["totals"]["advisories"] == 1


def test_the_report_of_an_import_stays_as_it_is(lab: Site, fix: Path) -> None:
    lab.do("import", fix)
    before = {path: path.read_bytes() for path in left(lab)[-1].iterdir()}

    lab.do("import", fix)

    assert before == {path: path.read_bytes() for path in left(lab)[-1].iterdir()}


def test_going_back_to_a_bundle_and_on_again_leaves_a_report_of_each_import(lab: Site, fix: Path, world: World) -> None:
    lab.do("import", fix)
    older = digest_of((world.stick / "manifest.json").read_bytes())

    lab.do("import", world.stick, "--allow-rollback", older)
    lab.do("import", fix)

    reports = [read(directory) for directory in left(lab)]
    assert [directory.name[10:].split("-")[1] for directory in left(lab)] == ["1", "1", "2", "2"]
    assert [report["totals"]["downgraded"] for report in reports] == [0, 1, 0, 0]
    assert [report["totals"]["upgraded"] for report in reports[2:]] == [1, 1]


def test_a_report_that_was_lost_is_made_again_from_the_ledger(lab: Site, fix: Path) -> None:
    lab.do("import", fix)
    directory = left(lab)[-1]
    before = (directory / "report.json").read_bytes()
    (directory / "report.json").unlink()

    lab.do("import", fix)

    assert before == (directory / "report.json").read_bytes()


def test_a_site_without_a_key_leaves_its_report_unsigned(lab: Site, fix: Path) -> None:
    outcome = lab.do("import", fix)

    assert not (left(lab)[-1] / "report.json.sig").exists()
    assert "signed" not in outcome.err


def test_a_site_with_a_key_signs_its_report(lab: Site, fix: Path) -> None:
    lab.do("keys", "generate", "release")

    lab.do("import", fix)

    assert signers(left(lab)[-1], lab) == {"r"}


def test_a_site_whose_keys_cannot_sign_now_says_so(lab: Site, fix: Path) -> None:
    lab.do("keys", "generate", "one")
    lab.do("keys", "generate", "two")

    outcome = lab.do("import", fix)

    assert "the report is not signed: several keys could sign: one, two" in outcome.err


def test_a_dry_run_leaves_none(lab: Site, fix: Path) -> None:
    before = left(lab)

    lab.do("import", "--dry-run", fix)

    assert before == left(lab)


def test_an_empty_delta_and_its_report_are_small(hq: Site, tmp_path: Path) -> None:
    hq.do("export", "--since-last", "--to", tmp_path / "empty")

    files = [path for path in (tmp_path / "empty").rglob("*") if path.is_file()]
    sizes = [path.stat().st_size for path in files if path.name != "README.txt" and path.parent.name != "schemas"]
    assert read(tmp_path / "empty")["changes"]["repositories"][0].keys() == {"repository", "old", "new"}
    assert sum(sizes) <= 14_000


def test_a_medium_too_small_for_the_report_holds_a_whole_bundle_and_the_error_says_so(hq: Site, tmp_path: Path) -> None:
    def full(_kind: str, name: str) -> None:
        if "report." in name:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), name)

    ended = forked(lambda: hq.call("export", "--to", tmp_path / "small"), full)

    assert ended.code == 4
    assert "the bundle is whole, but its report is not there: the disk is full\nhint: carry it without" in ended.err
    assert disconnected_site(tmp_path / "fresh", hq).call("verify", tmp_path / "small").code == 0


def test_a_page_escapes_what_it_shows(fix: Path) -> None:
    page = (fix / "report.html").read_text()

    assert ALARM not in page
    assert "&lt;script&gt;alert(1)" in page


def test_reports_on_a_medium_are_no_strays_and_no_part_of_the_bundle(lab: Site, fix: Path) -> None:
    (fix / "report.html").write_text("anybody may have written this")

    assert lab.do("verify", "--strict", fix, "--json").document["verified"]


def test_the_reports_say_what_came_of_upstreams_signatures_at_either_site(
    hq: Site, lab: Site, signed_repo: BuiltRepo, key: OpenPGPKey, tmp_path: Path
) -> None:
    (tmp_path / "vendor.asc").write_bytes(key.public)
    hq.do("repo", "add", "p/signed", signed_repo.path, "--gpg-key", tmp_path / "vendor.asc")
    hq.do("sync", "p/signed")

    hq.do("export", "p/signed", "--to", tmp_path / "out")
    said = lab.do("import", tmp_path / "out").out

    count = len(signed_repo.packages)
    assert f"p/signed: upstream's signatures, as the sender says: {count} packages good by {key.fingerprint}" in said
    (exported,), (imported,) = read(tmp_path / "out")["trust"], read(left(lab)[-1])["trust"]
    assert (exported["here"]["counts"]["good"], exported["claimed"]) == (count, None)
    assert (imported["here"], imported["claimed"]) == (None, exported["here"])
    assert grouped(key.fingerprint) in (left(lab)[-1] / "report.html").read_text()


def test_a_page_names_what_is_not_good(hq: Site, lab: Site, key: OpenPGPKey, tmp_path: Path) -> None:
    (tmp_path / "vendor.asc").write_bytes(key.public)
    mixed = build_repo(tmp_path / "mixed", [build_rpm("plain"), build_rpm("good", signer=key.signer)])
    hq.do("repo", "add", "p/mixed", mixed.path, "--gpg-key", tmp_path / "vendor.asc", "--gpgcheck", "warn")
    hq.do("sync", "p/mixed")

    hq.do("export", "p/mixed", "--to", tmp_path / "out")

    page = (tmp_path / "out/report.html").read_text()
    assert "plain-1.0-1.noarch.rpm: unsigned: has no signature" in page
    assert "1 package good" in lab.do("inspect", tmp_path / "out").out
