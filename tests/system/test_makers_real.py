"""What the makers make is accepted by the programs people have: rpm, dnf, gpg."""

from pathlib import Path

import pytest

from tests.makers.clients import DnfClient
from tests.makers.openpgp import OpenPGPKey, openpgp_key
from tests.makers.programs import run, try_run
from tests.makers.repos import BuiltRepo, sample_repo
from tests.makers.rpms import build_rpm


@pytest.mark.system("rpm")
def test_rpm_reads_a_package(tmp_path: Path) -> None:
    path = tmp_path / "app.rpm"
    path.write_bytes(build_rpm("app", epoch=1, requires=["library >= 1.0"]))

    output = run("rpm", "-qp", "--qf", "%{NEVRA} %{SIZE}\n", path) + run("rpm", "-qp", "--requires", path)

    assert "app-1:1.0-1.noarch 8\n" in output
    assert "library >= 1.0\n" in output


@pytest.mark.system("rpm", "rpmkeys")
def test_rpm_checks_a_signed_package(tmp_path: Path, key: OpenPGPKey) -> None:
    good, public, database = tmp_path / "app.rpm", tmp_path / "key.asc", tmp_path / "database"
    good.write_bytes(build_rpm("app", signer=key.signer))
    public.write_bytes(key.public)
    database.mkdir()

    before = try_run("rpmkeys", "--dbpath", database, "-K", good)
    run("rpmkeys", "--dbpath", database, "--import", public)
    after = run("rpmkeys", "--dbpath", database, "-K", good)

    assert before.returncode != 0
    assert "digests signatures OK" in after


@pytest.mark.system("rpm", "rpmkeys")
def test_rpm_refuses_a_package_signed_by_a_stranger(tmp_path: Path, key: OpenPGPKey) -> None:
    bad, public, database = tmp_path / "app.rpm", tmp_path / "key.asc", tmp_path / "database"
    bad.write_bytes(build_rpm("app", signer=openpgp_key("stranger").signer))
    public.write_bytes(key.public)
    database.mkdir()
    run("rpmkeys", "--dbpath", database, "--import", public)

    assert try_run("rpmkeys", "--dbpath", database, "-K", bad).returncode != 0


@pytest.mark.system("rpm")
@pytest.mark.root
def test_rpm_installs_a_package(tmp_path: Path) -> None:
    path = tmp_path / "app.rpm"
    path.write_bytes(build_rpm("app", files={"/opt/app/data": b"hello\n"}))
    (tmp_path / "host").mkdir()

    run("rpm", "--root", tmp_path / "host", "-i", path)

    assert (tmp_path / "host/opt/app/data").read_bytes() == b"hello\n"


@pytest.mark.system("gpg")
def test_gpg_checks_a_detached_signature(tmp_path: Path, key: OpenPGPKey) -> None:
    for name, data in {"data": b"x", "data.asc": key.sign_detached(b"x"), "key.asc": key.public}.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "home").mkdir(mode=0o700)
    gpg = ("gpg", "--batch", "--homedir", tmp_path / "home", "--no-autostart")
    run(*gpg, "--import", tmp_path / "key.asc")

    output = run(*gpg, "--status-fd", "1", "--verify", tmp_path / "data.asc", tmp_path / "data")

    assert f"VALIDSIG {key.fingerprint}" in output


@pytest.mark.system("dnf", "rpm")
@pytest.mark.root
@pytest.mark.parametrize("compression", ["gz", "zstd"])
def test_dnf_installs_with_dependencies(tmp_path: Path, compression: str) -> None:
    repo = sample_repo(tmp_path / "repo", compression=compression)
    client = DnfClient(tmp_path / "client")
    client.use("test", repo.path.as_uri())

    client.dnf("install", "app")

    assert client.installed() == ["app-1.0-1.noarch", "base-1:1.0-1.noarch", "library-2.0-1.noarch"]


@pytest.mark.system("dnf", "rpm")
@pytest.mark.root
def test_dnf_sees_advisories_groups_and_modules(tmp_path: Path, repo: BuiltRepo) -> None:
    client = DnfClient(tmp_path / "client")
    client.use("test", repo.path.as_uri())

    client.dnf("install", "library-1.0")

    assert "TEST-2023:0001" in client.dnf("updateinfo", "list")
    assert "tools" in client.dnf("group", "list", "--available")
    assert "streamed" in client.dnf("module", "list")
    assert client.try_dnf("install", "streamed").returncode != 0
    client.dnf("module", "install", "streamed:5/default")
    assert client.installed() == ["library-1.0-1.noarch", "streamed-5.1-1.noarch"]


@pytest.mark.system("dnf", "rpm")
@pytest.mark.root
def test_dnf_installs_with_both_checks_on(tmp_path: Path, signed_repo: BuiltRepo, key: OpenPGPKey) -> None:
    client = DnfClient(tmp_path / "client")
    client.use("test", signed_repo.path.as_uri(), key=key)

    client.dnf("install", "app")

    assert len(client.installed()) == 3


@pytest.mark.system("dnf", "rpm")
@pytest.mark.root
def test_dnf_refuses_metadata_signed_by_a_stranger(tmp_path: Path, signed_repo: BuiltRepo) -> None:
    client = DnfClient(tmp_path / "client")
    client.use("test", signed_repo.path.as_uri(), key=openpgp_key("stranger"))

    assert client.try_dnf("install", "app").returncode != 0
    assert client.installed() == []


@pytest.mark.system("dnf", "rpm")
@pytest.mark.root
def test_dnf_refuses_packages_signed_by_a_stranger(tmp_path: Path, signed_repo: BuiltRepo) -> None:
    client = DnfClient(tmp_path / "client")
    client.use("test", signed_repo.path.as_uri(), key=openpgp_key("stranger"), metadata_signed=False)

    assert client.try_dnf("install", "app").returncode != 0
    assert client.installed() == []
