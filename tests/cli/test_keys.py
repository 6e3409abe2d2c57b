"""issmedia keys: passphrases, agents, the keyring."""

import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import World
from tests.makers.programs import run
from tests.makers.repos import BuiltRepo
from tests.makers.sites import Site, connected_site
from tests.makers.sshkeys import ed25519_key, needs_ssh_agent, needs_ssh_keygen, running_agent


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A site without keys."""
    made = Site(tmp_path / "site")
    made.do("init", "--name", "hq")
    return made


@pytest.fixture
def passphrase(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that ISSMEDIA_KEY_PASSPHRASE_FILE names."""
    path = tmp_path / "passphrase"
    path.write_bytes(b"correct horse\nnot this line\n")
    path.chmod(0o600)
    monkeypatch.setenv("ISSMEDIA_KEY_PASSPHRASE_FILE", str(path))
    return path


@pytest.mark.parametrize(
    ("kind", "name"),
    [("ed25519", "ssh-ed25519"), ("ecdsa-p256", "ecdsa-sha2-nistp256"), ("ecdsa-p384", "ecdsa-sha2-nistp384")],
)
def test_a_key_is_made_and_shown(site: Site, kind: str, name: str) -> None:
    made = site.do("keys", "generate", "release", "--type", kind, "--json").document

    shown = site.do("keys", "show", "release", "--public").out
    assert made["public"].startswith(f"{name} AAAA")
    assert shown == f"{made['public']} release\n"
    assert (site.root / "keys/release").stat().st_mode & 0o777 == 0o600


def test_a_key_with_a_passphrase_signs_with_its_file(hq: Site, tmp_path: Path, passphrase: Path) -> None:
    hq.do("keys", "generate", "secret")

    held = hq.do("keys", "show", "secret", "--json").document["held"]
    hq.do("export", "p/farm", "--to", tmp_path / "out", "--key", "secret")

    assert held == "here, with a passphrase"
    assert b"ENCRYPTED" not in (hq.root / "keys/release").read_bytes()


@pytest.mark.parametrize("content", [b"wrong\n", b"\n", b""])
def test_a_wrong_passphrase_is_refused_before_anything_is_written(
    hq: Site, tmp_path: Path, passphrase: Path, content: bytes
) -> None:
    hq.do("keys", "generate", "secret")
    passphrase.write_bytes(content)

    outcome = hq.call("export", "p/farm", "--to", tmp_path / "out", "--key", "secret")

    assert outcome.code == 2
    assert "passphrase" in outcome.err.lower() or "empty file" in outcome.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("mode", [0o604, 0o640, 0o660])
def test_a_passphrase_that_others_can_read_is_refused(site: Site, passphrase: Path, mode: int) -> None:
    passphrase.chmod(mode)

    outcome = site.call("keys", "generate", "secret")

    assert outcome.code == 2
    assert f"hint: chmod 600 {passphrase}" in outcome.err
    assert not (site.root / "keys/secret").exists()


def test_without_a_terminal_or_file_a_key_with_a_passphrase_is_refused(
    hq: Site, tmp_path: Path, passphrase: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hq.do("keys", "generate", "secret")
    monkeypatch.delenv("ISSMEDIA_KEY_PASSPHRASE_FILE")

    outcome = hq.call("export", "p/farm", "--to", tmp_path / "out", "--key", "secret")

    assert outcome.code == 2
    assert "ISSMEDIA_KEY_PASSPHRASE_FILE" in outcome.err


def test_a_passphrase_file_that_is_absent_is_named(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISSMEDIA_KEY_PASSPHRASE_FILE", "/nowhere/passphrase")

    outcome = site.call("keys", "generate", "secret")

    assert outcome.code in (2, 4)
    assert outcome.err.startswith("error: /nowhere/passphrase: ")
    assert list((site.root / "keys").iterdir()) == []


def test_asking_for_a_passphrase_without_a_terminal_is_refused(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = site.call("keys", "generate", "secret", "--passphrase")

    assert outcome.code == 2
    assert "no terminal" in outcome.err


@needs_ssh_keygen
@needs_ssh_agent
def test_a_key_that_the_agent_holds_signs(hq: Site, lab: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = tmp_path / "id"
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key)
    with running_agent() as socket:
        monkeypatch.setenv("SSH_AUTH_SOCK", socket)
        run("ssh-add", "-q", key)
        key.unlink()
        hq.do("keys", "agent", "hsm", f"{key}.pub")
        held = hq.do("keys", "show", "hsm", "--json").document["held"]
        hq.do("export", "p/farm", "--to", tmp_path / "out", "--key", "hsm")
    before = lab.call("verify", tmp_path / "out").code
    lab.do("keys", "trust", "hsm", f"{key}.pub")

    after = lab.do("verify", tmp_path / "out")

    assert (held, before) == ("by ssh-agent", 6)
    assert "genuine and whole" in after.out


@needs_ssh_keygen
def test_an_agent_that_is_not_there_is_said(hq: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    hq.do("keys", "agent", "hsm", ed25519_key(5).public.line)

    outcome = hq.call("export", "p/farm", "--to", tmp_path / "out", "--key", "hsm")

    assert outcome.code == 2
    assert "ssh-keygen could not sign" in outcome.err
    assert "SSH_AUTH_SOCK" in outcome.err


def test_a_bundle_signed_by_several_meets_a_threshold(hq: Site, lab: Site, tmp_path: Path) -> None:
    hq.do("keys", "generate", "second")
    hq.do("export", "p/farm", "--to", tmp_path / "one", "--key", "release")
    hq.do("export", "p/farm", "--to", tmp_path / "both", "--key", "release", "--key", "second", "--key", "second")
    lab.do("keys", "trust", "second", hq.do("keys", "show", "second", "--public").out.strip())
    lab.do("keys", "threshold", "2")

    codes = [lab.call("verify", tmp_path / name).code for name in ("one", "both")]

    assert codes == [6, 0]
    assert (tmp_path / "both/manifest.json.sig").read_bytes().count(b"BEGIN SSH SIGNATURE") == 2


def test_one_key_under_two_names_is_refused(hq: Site, tmp_path: Path) -> None:
    for name in ("release", "release.pub"):
        shutil.copy(hq.root / "keys" / name, hq.root / "keys" / name.replace("release", "twin"))

    outcome = hq.call("export", "--to", tmp_path / "out", "--key", "release", "--key", "twin")

    assert outcome.code == 2
    assert "one key is named twice" in outcome.err


def test_with_several_keys_one_must_be_named(hq: Site, tmp_path: Path) -> None:
    hq.do("keys", "generate", "second")

    outcome = hq.call("export", "--to", tmp_path / "out")

    assert outcome.code == 2
    assert "several keys could sign: release, second" in outcome.err


def test_a_key_is_trusted_from_a_file_and_for_a_time(site: Site, tmp_path: Path) -> None:
    public = tmp_path / "key.pub"
    public.write_text(f"{ed25519_key(1).public.line} a comment\n")

    site.do("keys", "trust", "a", public, "--valid-after", "2026-01-01", "--valid-before", "2027-12-31T12:00:00Z")

    (found,) = site.do("keys", "list", "--json").document["trusted"]
    assert (found["name"], found["state"]) == ("a", "from 2026-01-01 until 2027-12-31T12:00:00Z")


def test_a_key_whose_time_is_over_counts_no_more(hq: Site, world: World, tmp_path: Path) -> None:
    site = Site(tmp_path / "late")
    site.do("init")
    site.do("keys", "trust", "hq", hq.public_key, "--valid-before", "2001-01-01")

    outcome = site.call("verify", world.stick)

    assert outcome.code == 6
    assert "was valid until 2001-01-01" in outcome.err


def test_a_revoked_key_counts_no_more_nor_when_it_is_trusted_again(hq: Site, lab: Site, world: World) -> None:
    lab.do("keys", "revoke", "hq")

    refused, again = lab.call("verify", world.stick), lab.call("keys", "trust", "hq2", hq.public_key)

    assert (refused.code, again.code) == (6, 2)
    assert [one["state"] for one in lab.do("keys", "list", "--json").document["trusted"]] == ["revoked"]


def test_a_key_that_a_vendor_warned_of_is_never_trusted(site: Site) -> None:
    warned, other = ed25519_key(1).public, ed25519_key(2).public
    site.do("keys", "revoke", warned.fingerprint)
    site.do("keys", "revoke", other.line)

    codes = [site.call("keys", "trust", "vendor", key.line).code for key in (warned, other)]

    assert codes == [2, 2]
    listed = site.do("keys", "list", "--json").document["trusted"]
    assert {one["fingerprint"] for one in listed} == {warned.fingerprint, other.fingerprint}


def test_what_was_done_with_keys_stands_in_the_log(site: Site) -> None:
    site.do("keys", "generate", "release")
    site.do("keys", "trust", "a", ed25519_key(1).public.line)
    site.do("keys", "threshold", "1")
    site.do("keys", "revoke", "a")

    text = site.do("log").out
    assert all(event in text for event in ("key generated", "key trusted", "threshold", "key revoked"))


def test_two_keys_with_a_passphrase_each_sign_together(
    tmp_path: Path, repo: BuiltRepo, monkeypatch: pytest.MonkeyPatch
) -> None:
    hq = connected_site(tmp_path / "hq", zoo=repo.path)
    secrets = tmp_path / "secrets"
    monkeypatch.setenv("ISSMEDIA_KEY_PASSPHRASE_FILE", str(secrets))
    for name in ("first", "second"):
        secrets.write_text(f"the secret of {name}\n")
        secrets.chmod(0o600)
        hq.do("keys", "generate", name)
    secrets.write_text("the secret of first\nthe secret of second\n")

    hq.do("export", "--to", tmp_path / "stick", "--key", "first", "--key", "second")

    assert len(hq.do("inspect", tmp_path / "stick", "--json").document["signatures"]) == 2
