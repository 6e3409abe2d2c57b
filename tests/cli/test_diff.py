"""issmedia diff: on a terminal, for programs, as a page."""

import unicodedata
from html.parser import HTMLParser
from pathlib import Path

import pytest

from issmedia.base.digest import digest_of
from issmedia.model.package import Advisory, Group, Inventory, ModuleStream, Package
from tests.makers.catalogs import hold, many_packages
from tests.makers.changes import Changes, changes
from tests.makers.forge import copied, edit_manifest
from tests.makers.sites import Site, disconnected_site

EVIL = "<script>alert('x')</script>&amp;\"\x1b[2J\u202e\nDOWNGRADE: none"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Changes:
    """Sites and bundles; nobody changes them."""
    return changes(tmp_path_factory.mktemp("changes"))


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A site of its own."""
    return disconnected_site(tmp_path / "site")


def block(text: str, title: str) -> list[str]:
    """Give the lines below a section's title."""
    lines = text.splitlines()
    start = lines.index(f"  {title}") + 1
    rest = [number for number, line in enumerate(lines[start:], start) if not line.startswith("    ")]
    return [line.strip() for line in lines[start : rest[0] if rest else len(lines)]]


def test_a_terminal_shows_what_gets_older_first_and_loudly(world: Changes) -> None:
    lines = world.hq.do("diff", "p/zoo@1", "p/zoo@2").out.splitlines()

    assert lines[2] == "DOWNGRADE: 1 package would become OLDER, in p/zoo"
    assert next(line for line in lines if line.startswith("p/zoo: ")).startswith("p/zoo: 1 DOWNGRADED, 2 upgraded")
    assert [line.strip() for line in lines if line.startswith("  ")][1:3] == [
        "DOWNGRADED",
        "lowered.noarch  3.0-1 → 2.0-1",
    ]


def test_a_terminal_shows_every_kind_of_change(world: Changes) -> None:
    text = world.hq.do("diff", "p/zoo@1", "current").out

    assert block(text, "upgraded") == [
        "kept.noarch     1.0-1 → 1.1-1 (the old one stays)",
        "library.noarch  1:1.0-1 → 1:2.0-1",
    ]
    assert block(text, "added") == ["fresh-1.0-1.noarch"]
    assert block(text, "removed") == ["gone-1.0-1.noarch"]
    assert block(text, "replaced: other bytes under one version") == ["rebuilt-1.0-1.noarch"]
    assert block(text, "groups") == ["desktop  added", "games    removed", "tools    changed"]
    assert block(text, "module streams") == ["streamed:6  added", "streamed:5  removed"]


def test_advisories_are_sorted_by_severity_with_their_cves(world: Changes) -> None:
    assert block(world.hq.do("diff", "p/zoo@1", "current").out, "advisories") == [
        "Critical  T-3  An update for a test  CVE-2024-10000 CVE-2024-2222",
        "Low       T-2  A small fix",
    ]


def test_nothing_is_wider_than_a_terminal(world: Changes, site: Site) -> None:
    long = Advisory("T-1", "security", "Important", "words " * 40, "2026-01-01", ("CVE-2026-1234",) * 20)
    hold(site.depot, Inventory((), ()))
    hold(site.depot, Inventory(many_packages(3).packages, (long,)))

    for shown in (site.do("diff", "p/zoo@1", "p/zoo@2"), world.hq.do("diff", world.first, "current")):
        assert max(map(len, shown.out.splitlines())) <= 80


def test_a_long_list_is_cut_and_says_so_unless_all_is_asked_for(site: Site) -> None:
    hold(site.depot, many_packages(1500))
    hold(site.depot, many_packages(1500, newer=1300))

    cut, whole = (block(site.do("diff", "p/zoo@1", "current", *more).out, "upgraded") for more in ((), ("--all",)))

    assert (len(cut), cut[-1]) == (21, "… and 1,280 more (--all shows them)")
    assert len(whole) == 1300


def test_two_bundles_are_compared_without_importing_them(world: Changes) -> None:
    before = world.stranger.state()

    outcome = world.stranger.do("diff", world.first, world.delta)

    assert outcome.out.splitlines()[0].endswith(", NOT VERIFIED")
    assert "advisories, groups and module streams are not known: not imported" in " ".join(outcome.out.split())
    assert "advisories not known" in outcome.out
    assert outcome.err.count("not verified: expected 1 valid signature by trusted keys") == 2
    assert world.stranger.state() == before


def test_a_program_reads_whether_a_bundle_is_verified_and_what_is_unknown(world: Changes) -> None:
    trusting, strange = (
        site.do("diff", world.first, world.delta, "--json").document for site in (world.lab, world.stranger)
    )

    assert (trusting["old"]["verified"], strange["old"]["verified"]) == (True, False)
    assert trusting["new"]["signers"] != []
    assert [one["unknown"] for one in strange["repositories"]] == [[], ["epochs", "advisories", "groups", "modules"]]
    assert strange["repositories"] == trusting["repositories"]


def test_a_program_reads_all_of_it(world: Changes) -> None:
    found = world.hq.do("diff", "p/zoo@1", "p/zoo@2", "--json").document

    (one,) = found["repositories"]
    assert found["totals"]["downgraded"] == 1
    assert found["cves"] == ["CVE-2024-2222", "CVE-2024-10000"]
    assert found["totals"]["carry"] == one["carry"]
    assert one["downgraded"][0]["new"]["version"] == "2.0"
    assert one["groups"] == {"added": ["desktop"], "changed": ["tools"], "removed": ["games"]}


def test_a_delta_before_its_base_is_refused_with_what_to_do(world: Changes) -> None:
    outcome = world.stranger.call("diff", world.delta, world.first)

    assert outcome.code == 6
    assert "hint: give the bundle it starts from as the first of the two" in outcome.err


@pytest.mark.parametrize("name", ["nothing", "p/none", "p/zoo@3", "00000000"])
def test_what_nobody_knows_is_refused(world: Changes, name: str) -> None:
    assert world.hq.call("diff", "current", name).code == 2


def test_a_directory_that_is_no_volume_is_refused(world: Changes, tmp_path: Path) -> None:
    outcome = world.hq.call("diff", "current", tmp_path)

    assert (outcome.code, "not a volume of a bundle" in outcome.err) == (5, True)


def test_nothing_changed_is_no_error(world: Changes) -> None:
    assert "p/zoo: no change" in world.hq.do("diff", "current", "current").out


def test_a_receipt_is_a_side(world: Changes, tmp_path: Path) -> None:
    hq, lab = (Site(copied(one.root, tmp_path / one.root.name)) for one in (world.hq, world.lab))
    lab.do("import", world.first)
    lab.do("keys", "generate", "release")
    lab.do("receipt", "--to", tmp_path / "receipt")
    hq.do("site", "add", "lab", "--key", lab.public_key)
    hq.do("receipt", "accept", tmp_path / "receipt")

    found = hq.do("diff", tmp_path / "receipt", "current", "--json").document

    assert found["old"]["kind"] == "receipt"
    assert found["totals"] == hq.do("diff", "p/zoo@1", "current", "--json").document["totals"]


class _Page(HTMLParser):
    """What a browser would find in a page: its elements, and the text between them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.attributes: list[str] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.attributes += [name for name, _ in attrs]

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def _page(site: Site, *arguments: str | Path) -> str:
    """Write a page, and give it."""
    path = site.root / "page.html"
    site.do("diff", *arguments, "--html", path)
    return path.read_text()


def test_a_page_is_one_file_without_script_that_loads_nothing(world: Changes) -> None:
    page = _Page(_page(world.hq, world.first, "current"))

    assert {"html", "head", "meta", "title", "style", "body", "table", "ul"} <= set(page.elements)
    assert {"script", "link", "img", "iframe", "a"}.isdisjoint(page.elements)
    assert set(page.attributes) <= {"lang", "charset", "http-equiv", "content", "name", "class"}


def test_a_page_has_everything_and_the_same_bytes_each_time(world: Changes) -> None:
    text = _page(world.hq, world.first, "current")

    texts = _Page(text).texts
    assert {"lowered.noarch", "3.0-1 → 2.0-1", "CVE-2024-10000 CVE-2024-2222", "Critical", "streamed:6"} <= set(texts)
    assert "DOWNGRADE: 1 package would become OLDER, in p/zoo" in texts
    assert text == _page(world.hq, world.first, "current")


def test_a_page_that_cannot_be_written_is_an_error(world: Changes, tmp_path: Path) -> None:
    outcome = world.hq.call("diff", "current", "current", "--html", tmp_path / "absent/page.html")

    assert (outcome.code, outcome.out) == (4, "")


def _evil() -> Inventory:
    package = Package(EVIL, "0", EVIL, "1", EVIL, "a.rpm", "sha256", "", 1, EVIL)
    advisory = Advisory(EVIL, EVIL, EVIL, EVIL, "2026-01-01", ("CVE-2026-1234",))
    digest = digest_of(b"")
    return Inventory(
        ((digest, package),), (advisory,), (Group(EVIL, EVIL, digest),), (ModuleStream(EVIL, EVIL, 1, "", "", digest),)
    )


def test_hostile_names_do_nothing_to_a_terminal_nor_to_a_browser(site: Site) -> None:
    hold(site.depot, many_packages(1))
    hold(site.depot, _evil())

    text, page = site.do("diff", "p/zoo@1", "p/zoo@2").out, _page(site, "p/zoo@1", "p/zoo@2")

    assert {unicodedata.category(one) for one in text.replace("\n", "")}.isdisjoint({"Cc", "Cf", "Zl", "Zp"})
    assert {unicodedata.category(one) for one in page.replace("\n", "")}.isdisjoint({"Cc", "Cf", "Zl", "Zp"})
    assert [line for line in text.splitlines() if line.startswith("DOWNGRADE")] == []
    assert "script" not in _Page(page).elements
    assert any("<script>alert('x')</script>&amp;\"\\x1b[2J\\u202e\\nDOWNGRADE" in one for one in _Page(page).texts)


def test_the_name_of_a_hostile_bundle_is_escaped_too(world: Changes, site: Site, tmp_path: Path) -> None:
    volume = copied(world.first, tmp_path / "volume")
    edit_manifest(volume, lambda document: document["site"].update(name=EVIL))

    page = _page(site, volume, volume)

    assert "script" not in _Page(page).elements
    assert "\x1b" not in page + site.do("diff", volume, volume).out
