"""ssh-keygen, sha256sum and rpm judge a volume without us, and agree with us."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.makers.programs import run, try_run
from tests.makers.repos import FLAT, build_repo
from tests.makers.rpms import build_rpm
from tests.makers.sites import connected_site, disconnected_site
from tests.system.conftest import Crossed


@pytest.fixture
def stick(crossed: Crossed, tmp_path: Path) -> Path:
    """A copy of the volume, with the sender's key in `allowed_signers` as its README asks."""
    copy = shutil.copytree(crossed.stick, tmp_path / "stick")
    (copy / "allowed_signers").write_text(f"hq {crossed.hq.public_key}\n")
    return copy


def commands(stick: Path) -> list[str]:
    """Read the commands that README.txt prints for checking the volume."""
    text = (stick / "README.txt").read_text()
    section = text[text.index("and run here:\n") : text.index("manifest.json.sig may hold")]
    lines = section.replace("\\\n", " ").splitlines()[1:]
    return [" ".join(line.split()).replace("-I NAME", "-I hq") for line in lines if line.strip()]


def check(stick: Path) -> list[bool]:
    """Run them as a person would, and say of each whether it was content."""
    done = [try_run("sh", "-c", command, cwd=stick) for command in commands(stick)]
    digest = done[-1].stdout[:64]
    listed = f'"sums": "{digest}"' in (stick / "manifest.json").read_text()
    return [*(one.returncode == 0 for one in done[:-1]), listed]


@pytest.mark.system("ssh-keygen", "sha256sum")
def test_the_readmes_commands_accept_a_good_volume(stick: Path) -> None:
    names = [command.split()[0] for command in commands(stick)]

    assert names == ["ssh-keygen", "sha256sum", "sha256sum"]
    assert check(stick) == [True, True, True]


def a_byte_of_a_package(stick: Path) -> None:
    """Change a package, its size left."""
    package = stick / "repos/p/plain/Packages/a/app-1.0-1.noarch.rpm"
    data = package.read_bytes()
    package.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))


def a_package_and_its_sum(stick: Path) -> None:
    """Change a package, and SHA256SUMS so that it fits."""
    a_byte_of_a_package(stick)
    path = "repos/p/plain/Packages/a/app-1.0-1.noarch.rpm"
    sums = (stick / "SHA256SUMS").read_text().splitlines(keepends=True)
    fitting = run("sha256sum", path, cwd=stick)
    (stick / "SHA256SUMS").write_text("".join(fitting if line.endswith(f"  {path}\n") else line for line in sums))


def a_package_its_sum_and_the_manifest(stick: Path) -> None:
    """Change all three so that they fit."""
    before = run("sha256sum", "SHA256SUMS", cwd=stick)[:64]
    a_package_and_its_sum(stick)
    after = run("sha256sum", "SHA256SUMS", cwd=stick)[:64]
    manifest = stick / "manifest.json"
    manifest.write_text(manifest.read_text().replace(before, after))


@pytest.mark.system("ssh-keygen", "sha256sum")
@pytest.mark.parametrize(
    ("damage", "verdicts"),
    [
        (a_byte_of_a_package, [True, False, True]),
        (lambda stick: (stick / "README.txt").open("a").close(), [True, True, True]),
        (lambda stick: (stick / "issmedia.repo").unlink(), [True, False, True]),
        (a_package_and_its_sum, [True, True, False]),
        (a_package_its_sum_and_the_manifest, [False, True, True]),
    ],
    ids=["package", "nothing", "missing file", "package and sum", "package, sum and manifest"],
)
def test_they_reject_a_damaged_one_and_so_do_we(
    crossed: Crossed, stick: Path, damage: Callable[[Path], object], verdicts: list[bool]
) -> None:
    damage(stick)

    assert check(stick) == verdicts
    assert crossed.lab.call("verify", stick).code == (0 if all(verdicts) else 6)


@pytest.mark.system("ssh-keygen")
def test_a_stranger_is_no_signer(stick: Path, tmp_path: Path) -> None:
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "id")
    (stick / "allowed_signers").write_text(f"hq {(tmp_path / 'id.pub').read_text()}")

    assert check(stick)[0] is False


@pytest.mark.system("rpm", "rpmkeys")
def test_rpm_says_the_same_of_packages_before_and_after_the_crossing(crossed: Crossed, tmp_path: Path) -> None:
    signed, plain = build_rpm("signed", signer=crossed.key.signer), build_rpm("plain")
    damaged = build_rpm("damaged", signer=crossed.key.signer)
    damaged = damaged[:-1] + bytes([damaged[-1] ^ 1])
    repo = build_repo(tmp_path / "mixed", [signed, plain, damaged], layout=FLAT)
    hq = connected_site(tmp_path / "hq", mixed=repo.path)
    lab = disconnected_site(tmp_path / "lab", hq)
    hq.do("export", "--to", tmp_path / "stick")
    lab.do("import", tmp_path / "stick")

    verdicts = {
        place: {one.name: rpm_verdict(path / one.href, crossed, tmp_path) for one in repo.packages}
        for place, path in (
            ("upstream", repo.path),
            ("volume", tmp_path / "stick/repos/p/mixed"),
            ("published", lab.root / "published/p/mixed"),
        )
    }

    expected = {"signed": (True, "digests signatures OK"), "plain": (True, "digests OK"), "damaged": (False, "NOT OK")}
    assert verdicts == dict.fromkeys(verdicts, expected)


@pytest.mark.system("rpm", "rpmkeys")
def test_a_package_damaged_on_the_way_is_refused_by_rpm_and_by_us(
    crossed: Crossed, stick: Path, tmp_path: Path
) -> None:
    package = stick / "repos/p/signed/Packages/a/app-1.0-1.noarch.rpm"
    data = package.read_bytes()
    package.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))

    verdict, refused = rpm_verdict(package, crossed, tmp_path), crossed.lab.call("verify", stick)

    assert verdict == (False, "NOT OK")
    assert refused.code == 6
    assert "repos/p/signed/Packages/a/app-1.0-1.noarch.rpm" in refused.err


def rpm_verdict(package: Path, crossed: Crossed, work: Path) -> tuple[bool, str]:
    """Ask rpmkeys of a host that has the vendor's key."""
    database = work / "database"
    if not database.exists():
        database.mkdir()
        (work / "vendor.asc").write_bytes(crossed.key.public)
        run("rpmkeys", "--dbpath", database, "--import", work / "vendor.asc")
    done = try_run("rpmkeys", "--dbpath", database, "-K", package)
    said = done.stdout.strip().rpartition(": ")[2]
    return done.returncode == 0, "NOT OK" if said.endswith("NOT OK") else said
