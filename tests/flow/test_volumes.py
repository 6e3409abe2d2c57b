"""Each volume stands alone: stock tools check it, dnf installs from it, and no byte is over its medium."""

import re
from pathlib import Path

import pytest

from tests.makers.clients import DnfClient
from tests.makers.programs import run, try_run
from tests.makers.shelves import ANIMALS, IMAGE, Shelf, shelve, zoo
from tests.makers.sites import Site

NUMBERS = range(1, 8)
ALONE = 3
QUERY = ("repoquery", "--disable-modular-filtering", "--qf", "%{name}\n")


@pytest.fixture
def client(tmp_path: Path) -> DnfClient:
    """A host."""
    return DnfClient(tmp_path / "client")


def extracted(image: Path, directory: Path) -> Path:
    """Take everything out of an image with a program that is not ours."""
    directory.mkdir()
    run("xorriso", "-no_rc", "-osirrox", "on", "-indev", f"stdio:{image}", "-extract", "/", directory)
    run("chmod", "-R", "u+w", directory)
    return directory


def use_alone(client: DnfClient, volume: Path) -> None:
    """Configure a volume by its own client file, its path said, as its comment asks; nothing is signed here."""
    text = (volume / "issmedia.repo").read_text().replace("file:///mnt/issmedia/", f"{volume.resolve().as_uri()}/")
    client.repositories.append(text.replace("gpgcheck=1", "gpgcheck=0"))


@pytest.mark.system("ssh-keygen", "sha256sum")
@pytest.mark.parametrize("number", NUMBERS)
def test_every_volume_is_checked_by_stock_tools(shelf: Shelf, tmp_path: Path, number: int) -> None:
    volume = shelf.volume(number)
    signers = tmp_path / "allowed_signers"
    signers.write_text(f"hq {shelf.hq.public_key}\n")
    verify = ("ssh-keygen", "-Y", "verify", "-f", signers, "-I", "hq", "-n", "issmedia-bundle")

    checked = run("sha256sum", "-c", "--strict", "SHA256SUMS", cwd=volume)
    signed = run(*verify, "-s", volume / "manifest.json.sig", stdin=(volume / "manifest.json").read_bytes())
    listed = run("sha256sum", volume / "SHA256SUMS")[:64]

    assert set(re.findall(": (.*)$", checked, re.MULTILINE)) == {"OK"}
    assert "Good" in signed
    assert f'"sums": "{listed}"' in (volume / "manifest.json").read_text()


@pytest.mark.parametrize("number", NUMBERS)
def test_every_volume_is_verified_alone(shelf: Shelf, lab: Site, number: int) -> None:
    before = lab.state()

    found = lab.do("verify", shelf.volume(number), "--strict", "--json").document

    assert (found["verified"], found["volumes"]) == (True, [number])
    assert found["missing"] == [one for one in NUMBERS if one != number]
    assert before == lab.state()


@pytest.mark.parametrize("number", NUMBERS)
def test_every_volume_says_which_it_is(shelf: Shelf, number: int) -> None:
    volume = shelf.volume(number)

    assert re.fullmatch(f"ISSM_[0-9A-F]{{8}}_V0{number}OF07", volume.name)
    assert f"volume {number} of 7" in (volume / "README.txt").read_text()
    assert shelf.label(number) in (shelf.directory / "labels.html").read_text()


def test_every_package_lies_on_one_volume_and_upstreams_metadata_on_one(shelf: Shelf) -> None:
    names = [sorted({path.name.partition("-")[0] for path in one.rglob("*.rpm")}) for one in shelf.volumes]
    metadata = [path for volume in shelf.volumes for path in volume.glob("blobs/*/*")]

    assert [set(names[0]) - {"hen"}, *map(set, names[1:])] == [*map(set, ANIMALS), set(), set()]
    assert len(metadata) == len({path.name for path in metadata}) > 0


def test_no_volume_is_a_byte_over_its_medium(shelf: Shelf) -> None:
    """A directory of this medium is counted in blocks of 4 KiB, what lies at two paths once."""
    facts = [{stat.st_ino: stat for stat in map(Path.stat, one.rglob("*"))} for one in shelf.volumes]

    used = [sum(-(-stat.st_size // 4096) * 4096 for stat in found.values()) for found in facts]

    assert max(used) <= 1_400_000


@pytest.mark.root
@pytest.mark.system("dnf", "rpm")
class TestVolumeThreeAlone:
    """What the real dnf makes of the third of five volumes."""

    def test_it_installs_what_lies_there_with_dependencies(self, shelf: Shelf, client: DnfClient) -> None:
        use_alone(client, shelf.volume(ALONE))

        listed = client.dnf(*QUERY).split()
        client.dnf("install", "cow")

        assert sorted(listed) == list(ANIMALS[ALONE - 1])
        assert client.installed() == ["cat-1.0-1.noarch", "cow-1.0-1.noarch"]

    def test_it_sees_the_advisories_groups_and_modules_of_what_lies_there(
        self, shelf: Shelf, client: DnfClient
    ) -> None:
        use_alone(client, shelf.volume(ALONE))

        client.dnf("group", "install", "herd")
        client.dnf("module", "install", "cub:5/default")

        assert client.installed() == ["cat-1.0-1.noarch", "cow-1.0-1.noarch", "cub-1.0-1.noarch"]
        advisories = client.dnf("updateinfo", "list", "--all")
        assert set(re.findall("TEST-([a-z]+)", advisories)) == set(ANIMALS[ALONE - 1])

    def test_it_updates_by_an_advisory(self, shelf: Shelf, client: DnfClient, tmp_path: Path) -> None:
        older = zoo(tmp_path / "older", version="0.9")
        client.use("older", older.path.as_uri())
        client.dnf("install", "cat", "--repo", "older")
        use_alone(client, shelf.volume(ALONE))

        client.dnf("update", "--advisory", "TEST-cat")

        assert client.installed() == ["cat-1.0-1.noarch"]

    def test_a_package_of_two_repositories_is_had_from_both(self, shelf: Shelf, client: DnfClient) -> None:
        use_alone(client, shelf.volume(1))

        listed = {label: client.dnf(*QUERY, "--repo", label).split() for label in ("p:zoo", "p:zoo-extra")}
        client.dnf("install", "ant", "hen", "--repo", "p:zoo-extra")

        assert {label: sorted(names) for label, names in listed.items()} == {
            "p:zoo": ["ant", "ape", "asp"],
            "p:zoo-extra": ["ant", "hen"],
        }
        assert client.installed() == ["ant-1.0-1.noarch", "hen-1.0-1.noarch"]

    @pytest.mark.system("xorriso")
    def test_it_installs_from_an_image_alone(self, images: Shelf, client: DnfClient, tmp_path: Path) -> None:
        volume = extracted(images.volume(ALONE), tmp_path / "extracted")
        use_alone(client, volume)

        client.dnf("install", "cow")

        run("sha256sum", "-c", "--strict", "--quiet", "SHA256SUMS", cwd=volume)
        assert client.installed() == ["cat-1.0-1.noarch", "cow-1.0-1.noarch"]


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    """The same volumes as images."""
    return shelve(tmp_path_factory.mktemp("images"), "--parity", "2", "--iso", "--fs", "iso", medium=IMAGE)


@pytest.mark.system("xorriso")
def test_images_carry_the_same_and_fit_too(images: Shelf, shelf: Shelf, lab: Site) -> None:
    sizes = [path.stat().st_size for path in images.volumes]

    found = [lab.do("inspect", path, "--json").document["manifest"] for path in (images.volume(1), shelf.volume(1))]

    assert [path.suffix for path in images.volumes] == [".iso"] * 7
    assert max(sizes) <= 1_500_000
    assert found[0]["trees"][0]["digest"] == found[1]["trees"][0]["digest"]


@pytest.mark.system("xorriso", "ssh-keygen")
def test_two_exports_of_images_are_identical_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    one = shelve(tmp_path / "one", "--iso", "--fs", "iso", volumes=2, medium=IMAGE)
    run("cp", "-a", one.hq.root, tmp_path / "twin")
    for site, directory in ((one.hq, "first"), (Site(tmp_path / "twin"), "second")):
        site.do("export", "--to", tmp_path / directory, "--medium", "1400k", "--iso", "--fs", "iso", "--parity", "1")

    images = [sorted((tmp_path / directory).glob("*.iso")) for directory in ("first", "second")]

    assert [path.name for path in images[0]] == [path.name for path in images[1]]
    assert [path.read_bytes() for path in images[0]] == [path.read_bytes() for path in images[1]]


def test_a_dry_run_shows_the_volumes_and_writes_nothing(shelf: Shelf, tmp_path: Path) -> None:
    before = shelf.hq.state()

    said = shelf.hq.do("export", "--dry-run", "--medium", "1400k", "--parity", "2", "--to", tmp_path / "none").out

    assert len(re.findall(r"ISSM_[0-9A-F]{8}_V0[1-7]OF07 +1400k", said)) >= 5
    assert (before, (tmp_path / "none").exists()) == (shelf.hq.state(), False)


def test_a_package_larger_than_the_medium_is_refused_by_name_without_splitting(shelf: Shelf, tmp_path: Path) -> None:
    outcome = shelf.hq.call("export", "--to", tmp_path / "set", "--medium", "200k", "--no-split")

    assert outcome.code == 2
    assert "--no-split" in outcome.err or "too small" in outcome.err


def test_what_nobody_declared_makes_a_strict_check_of_a_set_fail(shelf: Shelf, lab: Site, tmp_path: Path) -> None:
    copied = shelf.copied(tmp_path / "copied")
    (copied.volume(2) / "autorun.inf").write_bytes(b"x")

    outcome = lab.call("verify", copied.directory, "--strict")

    assert (outcome.code, "autorun.inf" in outcome.err) == (6, True)
    assert try_run("test", "-e", lab.root / "pending").returncode == 1
