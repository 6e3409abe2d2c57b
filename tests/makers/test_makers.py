"""The makers make what they say, the same each time."""

import gzip
import hashlib
import time
from pathlib import Path

import createrepo_c
import pysequoia
import pytest
import rpm_rs

from tests.makers import repos
from tests.makers.extras import ModuleSpec
from tests.makers.openpgp import OpenPGPKey, openpgp_key
from tests.makers.repos import FLAT, BuiltRepo, PackageSpec, build_repo, many_specs, sample_repo
from tests.makers.rpms import build_rpm, filename


def test_a_package_says_what_was_asked() -> None:
    data = build_rpm(
        "app", "2.0", "3", epoch=1, requires=["library >= 1.0"], provides=["web = 4"], files={"/opt/x": b"y"}
    )

    package = rpm_rs.Package.from_bytes(data)
    metadata = package.metadata

    assert (
        f"{metadata.name}-{metadata.epoch}:{metadata.version}-{metadata.release}.{metadata.arch}"
        == "app-1:2.0-3.noarch"
    )
    assert ("library", "1.0") in [(one.name, one.version) for one in metadata.requires()]
    assert ("web", "4") in [(one.name, one.version) for one in metadata.provides()]
    assert metadata.file_paths() == ["/opt/x"]
    assert package.check_digests().is_ok()


def test_a_package_has_the_same_bytes_each_time() -> None:
    assert build_rpm("app", size=100_000) == build_rpm("app", size=100_000)
    assert build_rpm("app", size=100_000) != build_rpm("other", size=100_000)


@pytest.mark.parametrize("size", [10_000, 1_000_000])
def test_a_package_is_as_large_as_asked_and_does_not_compress(size: int) -> None:
    data = build_rpm("app", size=size)

    assert abs(len(data) - size) < 2048
    assert len(gzip.compress(data)) > 0.8 * size


def test_a_thousand_packages_take_less_than_a_second_of_cpu() -> None:
    start = time.process_time()

    for number in range(1000):
        build_rpm(f"package{number}")

    assert time.process_time() - start < 1


def test_a_relation_that_reads_wrong_is_refused() -> None:
    with pytest.raises(ValueError, match="not a relation"):
        build_rpm("app", requires=["library => 1"])


def test_a_signed_package_checks_against_its_key_only(key: OpenPGPKey) -> None:
    package = rpm_rs.Package.from_bytes(build_rpm("app", signer=key.signer))

    assert package.check_signatures(rpm_rs.Verifier(key.public)).is_ok()
    assert not package.check_signatures(rpm_rs.Verifier(openpgp_key("stranger").public)).is_ok()


def test_a_signed_package_has_the_same_bytes_each_time(key: OpenPGPKey) -> None:
    assert build_rpm("app", signer=key.signer) == build_rpm("app", signer=key.signer)


def test_a_key_follows_from_its_name() -> None:
    first = openpgp_key("one")
    openpgp_key.cache_clear()

    assert first.public == openpgp_key("one").public
    assert first.fingerprint != openpgp_key("two").fingerprint


@pytest.mark.parametrize("name", [f"name{number}" for number in range(40)])
def test_sequoia_accepts_keys_and_detached_signatures(name: str) -> None:
    key = openpgp_key(name)
    certificate = pysequoia.Cert.from_bytes(key.public)
    signature = pysequoia.Sig.from_bytes(key.sign_detached(b"data"))

    valid = pysequoia.verify(b"data", store=lambda ids: [certificate], signature=signature).valid_sigs

    assert [key.fingerprint.lower()] == [one.certificate for one in valid]


def test_sequoia_refuses_a_signature_of_other_bytes(key: OpenPGPKey) -> None:
    certificate = pysequoia.Cert.from_bytes(key.public)
    signature = pysequoia.Sig.from_bytes(key.sign_detached(b"data"))

    with pytest.raises(RuntimeError):
        pysequoia.verify(b"date", store=lambda ids: [certificate], signature=signature)


def test_a_repository_lists_its_packages_with_their_digests(repo: BuiltRepo) -> None:
    primary = repo.path / _href(repo, "primary")
    found: list[tuple[str, str]] = []
    createrepo_c.xml_parse_primary(str(primary), pkgcb=lambda one: found.append((one.location_href, one.pkgId)))

    assert found == [(one.href, one.sha256) for one in repo.packages]
    assert all(one.sha256 == hashlib.sha256((repo.path / one.href).read_bytes()).hexdigest() for one in repo.packages)


def test_a_repository_names_every_kind_of_metadata(repo: BuiltRepo) -> None:
    document = createrepo_c.Repomd(str(repo.repomd))

    kinds = [record.type for record in document.records]

    assert kinds == ["primary", "filelists", "other", "group", "group_gz", "modules", "productid", "updateinfo"]
    for record in document.records:
        data = (repo.path / record.location_href).read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (record.size, record.checksum)
        assert record.type == "group" or hashlib.sha256(gzip.decompress(data)).hexdigest() == record.checksum_open


@pytest.mark.parametrize("compression", ["gz", "zstd", "none"])
def test_a_repository_has_the_same_bytes_each_time(tmp_path: Path, key: OpenPGPKey, compression: str) -> None:
    first = sample_repo(tmp_path / "a", key=key, compression=compression)
    second = sample_repo(tmp_path / "b", key=key, compression=compression)

    assert first.files() == second.files()


def test_a_repository_replaces_the_one_before(tmp_path: Path) -> None:
    build_repo(tmp_path / "repo", ["old"])

    built = build_repo(tmp_path / "repo", ["new"])

    assert [path for path in built.files() if path.endswith(".rpm")] == ["Packages/n/new-1.0-1.noarch.rpm"]


def test_a_flat_repository_takes_packages_as_bytes(tmp_path: Path) -> None:
    built = build_repo(tmp_path / "repo", [build_rpm("app", "3.1")], layout=FLAT)

    assert [filename("app", "3.1")] == [one.href for one in built.packages]


def test_an_advisory_names_the_packages_it_fixes(repo: BuiltRepo) -> None:
    document = createrepo_c.UpdateInfo(str(repo.path / _href(repo, "updateinfo")))

    [advisory] = document.updates

    assert advisory.id == "TEST-2023:0001"
    assert [reference.id for reference in advisory.references] == ["CVE-2023-0001"]
    assert [one.filename for one in advisory.collections[0].packages] == [
        "library-1.0-1.noarch.rpm",
        "library-2.0-1.noarch.rpm",
    ]


def test_modules_and_groups_name_packages(tmp_path: Path) -> None:
    built = build_repo(
        tmp_path / "repo",
        [PackageSpec("streamed", epoch=2)],
        groups={"tools": ["streamed"]},
        modules=[ModuleSpec("m", "1", ("streamed",))],
        compression="none",
    )

    assert b"- streamed-2:1.0-1.noarch\n" in (built.path / _href(built, "modules")).read_bytes()
    assert b'<packagereq type="mandatory">streamed</packagereq>' in (built.path / _href(built, "group")).read_bytes()


def test_signed_metadata_check_against_the_key_that_lies_beside(signed_repo: BuiltRepo, key: OpenPGPKey) -> None:
    repodata = signed_repo.path / "repodata"

    assert key.public == (repodata / "repomd.xml.key").read_bytes()
    assert key.sign_detached(signed_repo.repomd.read_bytes()) == (repodata / "repomd.xml.asc").read_bytes()


def test_the_next_state_differs_in_as_many_packages_as_asked(tmp_path: Path) -> None:
    before = build_repo(tmp_path / "a", many_specs(10))
    after = build_repo(tmp_path / "b", many_specs(10, newer=3))

    assert len({one.sha256 for one in before.packages} & {one.sha256 for one in after.packages}) == 7


def test_the_command_line_writes_a_repository(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    repos.main([str(tmp_path / "repo"), "--packages", "3", "--size", "5000", "--advisories", "2", "--sign", "vendor"])

    assert "3 packages" in capsys.readouterr().out
    assert (tmp_path / "repo/repodata/repomd.xml.asc").is_file()


def _href(repo: BuiltRepo, kind: str) -> str:
    document = createrepo_c.Repomd(str(repo.repomd))
    return next(str(record.location_href) for record in document.records if record.type == kind)
