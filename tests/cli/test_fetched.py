"""issmedia repo show: how a repository is fetched, as it was chosen, and no secret."""

from pathlib import Path

from tests.makers.openpgp import openpgp_key
from tests.makers.sites import Site
from tests.makers.tls import Authority
from tests.makers.webs import secret_file

URL = "https://mirror.example/$releasever/metalink"


def lines_of(site: Site, path: str) -> list[str]:
    """Give what stands indented below the repository."""
    return [line.strip() for line in site.do("repo", "show", path).out.splitlines() if line.startswith("  ")]


def test_each_choice_stands_on_a_line_of_its_own(hq: Site, tmp_path: Path) -> None:
    ours = Authority(tmp_path).issue("client")
    secret = secret_file(tmp_path / "secret", "username = alice\npassword = s3cret\n")
    place = ("--metalink", "--releasever", "9", "--var", "rltype=")
    how = ("--jobs", "4", "--timeout", "9.5", "--tries", "2", "--limit-rate", "5M", "--proxy", "http://proxy:3128")
    files = ("--ca-bundle", tmp_path / "ca.pem", "--client-cert", ours.certificate, "--client-key", ours.key)
    hq.do("repo", "add", "q/r", URL, *place, *how, *files, "--credentials", secret)

    found = lines_of(hq, "q/r")

    assert found == [
        "kind: metalink",
        "variable: releasever=9",
        "variable: rltype=",
        "jobs: 4",
        "timeout: 9.5 s",
        "tries: 2",
        "rate: 5.0 MB/s",
        "proxy: http://proxy:3128",
        f"CA bundle: {tmp_path / 'ca.pem'}",
        f"client certificate: {ours.certificate}",
        f"client key: {ours.key}",
        f"credentials: {secret}",
    ]


def test_further_places_selection_and_policies_are_shown(hq: Site, tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(openpgp_key("vendor").public)
    signed = ("--gpg-key", tmp_path / "key", "--gpgcheck", "warn")
    hq.do("repo", "add", "q/r", "https://a.example/r", "--also", "https://b.example/r", "--newest", "2", *signed)

    shown, found = hq.do("repo", "show", "q/r").out.splitlines()[1], lines_of(hq, "q/r")

    assert shown.endswith("newest 2")
    assert found[:2] == ["kind: plain", "also: https://b.example/r"]
    assert found[2].startswith("key 6490 B895")
    assert found[3] == "gpgcheck warn"


def test_what_was_not_chosen_is_not_shown(hq: Site, lab: Site) -> None:
    hq.do("repo", "add", "q/r", "/srv")

    assert (lines_of(hq, "q/r"), lines_of(lab, "p/farm")) == (["kind: plain"], [])


def test_as_json_the_choices_and_always_the_kind(hq: Site) -> None:
    hq.do("repo", "add", "q/plain", "/srv", "--tries", "2")
    hq.do("repo", "add", "q/list", URL, "--mirrorlist", "--releasever", "9")

    plain, listed = (
        hq.do("repo", "show", path, "--json").document["repository"]["transport"] for path in ("q/plain", "q/list")
    )

    assert plain == {"kind": "plain", "tries": 2}
    assert listed == {"kind": "mirrorlist", "variables": {"releasever": "9"}}


def test_of_credentials_only_the_path_is_shown(hq: Site, tmp_path: Path) -> None:
    secret = secret_file(tmp_path / "file", "username = alice\npassword = s3cret\n")
    hq.do("repo", "add", "q/r", "https://a.example/r", "--credentials", secret)

    outcomes = [hq.do("repo", "show", "q/r"), hq.do("repo", "show", "q/r", "--json")]

    assert all(str(secret) in one.out for one in outcomes)
    assert not any(word in one.out + one.err for one in outcomes for word in ("alice", "s3cret"))
