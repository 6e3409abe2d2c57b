"""issmedia repo import, and the options of transport on the command line."""

from pathlib import Path

import pytest

from tests.makers.http_server import serving
from tests.makers.openpgp import openpgp_key
from tests.makers.repos import BuiltRepo
from tests.makers.sites import Site, connected_site


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return connected_site(tmp_path / "hq")


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_a_repo_file_is_taken_over_and_synced(site: Site, repo: BuiltRepo, tmp_path: Path) -> None:
    with serving(repo.path.parent) as server:
        text = f"[tools]\nname=Tools\nbaseurl={server.url}/$where\ngpgcheck=1\ngpgkey=https://k.example/key\nodd=1\n"
        text += "[debug]\nbaseurl=https://d.example/\nenabled=0\n"
        done = site.do("repo", "import", write(tmp_path / "x.repo", text), "--product", "q", "--var", "where=upstream")
        synced = site.do("sync", "--json").document

    assert f"q/tools comes from {server.url}/$where" in done.out
    assert "https://k.example/key" in done.out
    assert "without meaning here: odd" in done.out
    assert "[debug] is not enabled: left out (--only debug takes it)" in done.out
    assert [one["repository"] for one in synced["repositories"]] == ["q/tools"]
    assert site.do("repo", "show", "q/tools", "--json").document["repository"]["keys"] == []


def test_a_section_that_is_named_is_taken_though_it_is_not_enabled(site: Site, tmp_path: Path) -> None:
    file = write(tmp_path / "x.repo", "[a]\nbaseurl=https://a/\n[b]\nbaseurl=https://b/\nenabled=0\n")

    site.do("repo", "import", file, "--product", "q", "--only", "b")

    assert [one["label"] for one in site.do("repo", "list", "--json").document] == ["b"]
    assert "no section c" in site.call("repo", "import", file, "--product", "q", "--only", "c").err


def test_only_tells_nothing_of_the_other_sections(site: Site, tmp_path: Path) -> None:
    file = write(tmp_path / "x.repo", "[a]\nbaseurl=https://a/\n[b]\nbaseurl=https://b/\nsslverify=0\n")

    done = site.do("repo", "import", file, "--product", "q", "--only", "a")

    assert done.out.splitlines() == ["q/a comes from https://a/"]


def test_a_variable_may_be_empty_on_the_line(site: Site, tmp_path: Path) -> None:
    file = write(tmp_path / "x.repo", "[a]\nmirrorlist=https://a/?repo=os-$releasever$rltype\n")
    line = ("repo", "import", file, "--product", "q", "--releasever", "9")

    refused = site.call(*line)
    site.do(*line, "--var", "rltype=")

    assert (refused.code, "say --var rltype=VALUE (it may be empty)" in refused.err) == (2, True)


def test_keys_are_pinned_only_where_they_are_given(site: Site, tmp_path: Path) -> None:
    key = tmp_path / "key.asc"
    key.write_bytes(openpgp_key("vendor").public)
    file = write(tmp_path / "x.repo", "[a]\nbaseurl=https://a/\ngpgkey=https://k.example/key\n")

    site.do("repo", "import", file, "--product", "q", "--gpg-key", key)

    assert len(site.do("repo", "show", "q/a", "--json").document["repository"]["keys"]) == 1


def test_passwords_go_to_a_file_that_only_we_can_read_and_with_the_repository(site: Site, tmp_path: Path) -> None:
    file = write(tmp_path / "x.repo", "[a]\nbaseurl=https://a/\nusername=alice\npassword=s3cret\n")

    done = site.do("repo", "import", file, "--product", "q")

    kept = site.root / "secrets/q/a"
    assert f"credentials: {kept}" in done.out
    assert "s3cret" not in done.out
    assert kept.read_text() == "username = alice\npassword = s3cret\n"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert all(path.stat().st_mode & 0o777 == 0o700 for path in (kept.parent, kept.parent.parent))
    site.do("repo", "remove", "q/a", "--yes")
    assert not kept.exists()


@pytest.mark.parametrize(
    "text",
    [
        "[a]\nbaseurl=https://a/\n[b]\nbaseurl=https://b/\nsslverify=0\n",
        "[a]\nbaseurl=https://a/\n[b]\nbaseurl=https://u:s3cret@b/\n",
        "[a]\nbaseurl=https://a/\n[b]\nbaseurl=https://b/$releasever\n",
        "[a]\nbaseurl=https://a/\n[b c]\nbaseurl=https://b/\n",
        "[a]\nbaseurl=https://a/\n[b]\nbaseurl=http://b/\nusername=alice\npassword=s3cret\n",
        "[a]\nbaseurl=https://a/\n[b]\nbaseurl=https://b/\nsslclientcert=/nowhere\n",
        "nonsense s3cret",
    ],
)
def test_a_file_that_is_refused_adds_nothing(site: Site, tmp_path: Path, text: str) -> None:
    before = site.state()

    outcome = site.call("repo", "import", write(tmp_path / "x.repo", text), "--product", "q")

    assert outcome.code in (2, 5)
    assert "s3cret" not in outcome.err
    assert before == site.state()
    assert not (site.root / "secrets").exists()


def test_options_are_kept_changed_and_taken_back(site: Site) -> None:
    source = "https://m.example/metalink?repo=epel-$releasever&arch=$basearch"
    site.do("repo", "add", "q/a", source, "--metalink", "--releasever", "9", "--basearch", "x86_64", "--jobs", "3")

    site.do("repo", "set", "q/a", "--releasever", "10", "--limit-rate", "5M", "--jobs", "0")

    kept = site.do("repo", "show", "q/a", "--json").document["repository"]
    assert kept["source"] == source
    assert kept["transport"] == {
        "kind": "metalink",
        "variables": {"releasever": "10", "basearch": "x86_64"},
        "rate": 5_000_000,
    }


@pytest.mark.parametrize(
    "options",
    [
        ("--var", "x"),
        ("--releasever", "../.."),
        ("--limit-rate", "fast"),
        ("--metalink", "--mirrorlist"),
        ("--credentials", "/nowhere"),
        ("--proxy", "http://bob:s3cret@p:1"),
        ("--metalink",),
        ("--also", "https://b/"),
    ],
    ids=" ".join,
)
def test_options_that_cannot_be_meant_change_nothing(site: Site, options: tuple[str, ...]) -> None:
    site.do("repo", "add", "q/a", "https://a/")
    before = site.state()

    outcome = site.call("repo", "set", "q/a", *options)

    assert outcome.code == 2
    assert "s3cret" not in outcome.err
    assert before == site.state()


@pytest.mark.parametrize(
    ("options", "more", "policies", "says"),
    [
        ("gpgcheck=1\nrepo_gpgcheck=1\n", (), (None, "require"), ""),
        ("gpgcheck=0\nrepo_gpgcheck=0\n", (), ("warn", "warn"), "gpgcheck=0 in the file: what is not good is told"),
        ("", (), (None, None), ""),
        ("gpgcheck=0\n", ("--gpgcheck", "require"), ("require", None), ""),
    ],
)
def test_what_the_file_asks_of_signatures_is_taken_over_with_a_key(
    site: Site, tmp_path: Path, options: str, more: tuple[str, ...], policies: tuple[str | None, ...], says: str
) -> None:
    key = tmp_path / "key.asc"
    key.write_bytes(openpgp_key("vendor").public)
    file = write(tmp_path / "x.repo", f"[a]\nbaseurl=https://a/\n{options}")

    done = site.do("repo", "import", file, "--product", "q", "--gpg-key", key, *more)

    kept = site.do("repo", "show", "q/a", "--json").document["repository"]
    assert (kept["gpgcheck"], kept["repo_gpgcheck"]) == policies
    assert says in done.out


def test_without_a_key_the_file_breaks_no_sync_and_says_what_is_missing(site: Site, tmp_path: Path) -> None:
    file = write(tmp_path / "x.repo", "[a]\nbaseurl=https://a/\ngpgcheck=1\nrepo_gpgcheck=1\ngpgkey=https://k/key\n")

    done = site.do("repo", "import", file, "--product", "q")

    kept = site.do("repo", "show", "q/a", "--json").document["repository"]
    assert (kept["gpgcheck"], kept["repo_gpgcheck"]) == (None, None)
    assert "repo_gpgcheck=1 in the file: signatures are checked once a key is pinned" in done.out
