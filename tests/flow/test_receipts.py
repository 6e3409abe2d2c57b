"""A receipt goes back, as a file or by hand, and the next bundle starts from it."""

from pathlib import Path

import pytest

from issmedia.base.digest import digest_of
from tests.makers.repos import FLAT, build_repo
from tests.makers.sites import Site, connected_site, disconnected_site


@pytest.fixture
def upstream(tmp_path: Path) -> Path:
    """A repository of two packages."""
    build_repo(tmp_path / "upstream", ["alpha", "beta"], layout=FLAT)
    return tmp_path / "upstream"


@pytest.fixture
def hq(tmp_path: Path, upstream: Path) -> Site:
    """A connected site."""
    return connected_site(tmp_path / "hq", zoo=upstream)


@pytest.fixture
def lab(tmp_path: Path, hq: Site) -> Site:
    """A disconnected site that signs, is known at `hq`, and imported the first bundle."""
    lab = disconnected_site(tmp_path / "lab", hq)
    lab.do("keys", "generate", "release")
    hq.do("site", "add", "lab", "--key", lab.public_key)
    hq.do("export", "--to-site", "lab", "--to", tmp_path / "first")
    lab.do("import", tmp_path / "first")
    return lab


@pytest.fixture
def grown(hq: Site, lab: Site, upstream: Path) -> None:
    """Upstream has one package more."""
    build_repo(upstream, ["alpha", "beta", "gamma"], layout=FLAT)
    hq.do("sync")


def typed(site: Site, path: Path) -> Path:
    """Read a receipt aloud, and type it in small letters."""
    path.write_text(site.do("receipt", "--text").out.lower())
    return path


@pytest.mark.usefixtures("grown")
def test_the_next_bundle_carries_what_the_receipt_lacks(hq: Site, lab: Site, tmp_path: Path) -> None:
    lab.do("receipt", "--to", tmp_path / "receipt")

    (lacks,) = hq.do("receipt", "accept", tmp_path / "receipt", "--json").document["repositories"]
    exported = hq.do("export", "--to-site", "lab", "--to", tmp_path / "second", "--json").document["manifest"]
    lab.do("import", tmp_path / "second")

    assert (exported["kind"], lacks["standing"]) == ("delta", "behind")
    assert exported["content"] == {"blobs": lacks["blobs"], "bytes": lacks["bytes"]}
    assert hq.trees() == lab.trees()


@pytest.mark.usefixtures("grown")
def test_what_was_typed_is_as_good_as_the_file(hq: Site, lab: Site, tmp_path: Path) -> None:
    hq.do("receipt", "accept", typed(lab, tmp_path / "typed"))

    exported = hq.do("export", "--to-site", "lab", "--to", tmp_path / "second", "--json").document["manifest"]

    assert exported["bases"][0]["kind"] == "receipt"


def test_a_wrong_character_is_found_in_its_line_and_nothing_changes(hq: Site, lab: Site, tmp_path: Path) -> None:
    path = typed(lab, tmp_path / "typed")
    lines = path.read_text().splitlines()
    lines[3] = lines[3][:-1] + ("x" if lines[3][-1] != "x" else "y")
    path.write_text("\n".join(lines))
    before = hq.state()

    outcome = hq.call("receipt", "accept", path)

    assert (outcome.code, hq.state()) == (5, before)
    assert "  line 4: its check characters do not fit" in outcome.err


def test_a_receipt_of_a_site_that_is_not_known_is_refused_with_the_way_there(
    hq: Site, lab: Site, tmp_path: Path
) -> None:
    lab.do("receipt", "--to", tmp_path / "receipt")
    key = lab.public_key
    hq.do("site", "remove", "lab", "--yes")
    before = hq.state()

    refused = hq.call("receipt", "accept", tmp_path / "receipt")
    unchanged = hq.state()
    hq.do("site", "add", "lab", "--key", key)
    hq.do("receipt", "accept", tmp_path / "receipt")

    assert (refused.code, unchanged) == (6, before)
    assert "issmedia site add NAME --key FILE" in refused.err


def test_a_repository_that_never_crossed_lacks_everything(hq: Site, lab: Site, upstream: Path, tmp_path: Path) -> None:
    hq.do("repo", "add", "p/farm", upstream)
    hq.do("sync", "p/farm")
    lab.do("repo", "add", "own/draft", upstream)
    lab.do("sync")
    lab.do("receipt", "--to", tmp_path / "receipt")

    accepted = hq.do("receipt", "accept", tmp_path / "receipt", "--json").document

    farm, zoo = accepted["repositories"]
    assert (farm["repository"], farm["standing"], farm["packages"]) == ("p/farm", "never imported", 2)
    assert (zoo["repository"], zoo["standing"]) == ("p/zoo", "up to date")
    assert accepted["restored"] == []


@pytest.mark.usefixtures("grown")
def test_a_receipt_leaves_out_what_is_damaged_so_that_it_comes_whole_again(
    hq: Site, lab: Site, upstream: Path, tmp_path: Path
) -> None:
    alpha = next(upstream.glob("alpha*.rpm"))
    Path(lab.depot.store.path(digest_of(alpha.read_bytes()))).unlink()

    said = lab.do("receipt", "--to", tmp_path / "receipt")
    (lacks,) = hq.do("receipt", "accept", tmp_path / "receipt", "--json").document["repositories"]
    hq.do("export", "--to-site", "lab", "--to", tmp_path / "second")
    lab.do("import", tmp_path / "second")

    assert "warning: p/zoo: is not whole here: the receipt leaves it out" in said.err
    assert (lacks["standing"], lacks["packages"]) == ("never imported", 3)
    assert lab.do("audit", "--json").document["problems"] == []
