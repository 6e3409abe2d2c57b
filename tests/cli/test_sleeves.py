"""Labels to print: what they say, that hostile names stay text, and that a real decoder reads their codes."""

import re
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from issmedia.base.digest import Digest
from issmedia.base.errors import DepotError
from issmedia.bundle.layout import BESIDE
from issmedia.bundle.volume import Plan, PlannedFile, PlannedVolume
from issmedia.cli.sleeves import leave_sleeves
from issmedia.model.manifest import Manifest, SiteName
from issmedia.model.recovery import IndexFile, Recovery
from tests.makers.documents import SITE, bundle_base, sample_plan
from tests.makers.programs import run

KEY = "SHA256:" + "A" * 43
HOSTILE = "<script>alert(1)</script>\"'\u202e\x1b[31m"


class _Words(HTMLParser):
    """Collects the text that a page shows, and the elements and links in it."""

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.elements: set[str] = set()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element, and what in it leads out of the page."""
        self.elements.add(tag)
        self.links += [name for name, _ in attrs if name in ("href", "src", "xlink:href", "onload", "onclick")]

    def handle_data(self, data: str) -> None:
        """Note shown text."""
        self.words.append(data)


def planned(count: int, *, parity: int = 0, repositories: Sequence[str] = ("p/zoo",), **changes: object) -> Plan:
    """Plan a bundle of so many volumes, the last of them parity; each data volume holds one file of each repository."""
    plan = sample_plan()
    (first,) = plan.volumes
    volumes = tuple(
        PlannedVolume(
            msgspec.structs.replace(
                first.entry, number=number, label=f"ISSM_0123ABCD_V{number:02}OF{count:02}", medium="bd25", files=7
            ),
            ()
            if number > count - parity
            else tuple(PlannedFile(f"repos/{one}/{number}.rpm", Digest("0" * 64), 1) for one in repositories),
            b"",
        )
        for number in range(1, count + 1)
    )
    numbers = tuple(range(count - parity + 1, count + 1))
    scheme = Recovery("zfec", count - parity, parity, 4096, 1, numbers, IndexFile(Digest("1" * 64), 1))
    manifest: Manifest = msgspec.structs.replace(
        plan.manifest,
        volumes=tuple(volume.entry for volume in volumes),
        recovery=scheme if parity else None,
        **changes,
    )
    return replace(plan, manifest=manifest, volumes=volumes)


def labels(plan: Plan, directory: Path, fingerprints: Sequence[str] = (KEY,)) -> list[str]:
    """Write the labels, and give the text of each in one line, head of the page left out."""
    words = _Words()
    words.feed(leave_sleeves(plan, directory, fingerprints).read_text())
    text = " ".join(" ".join(words.words).split())
    return re.split(r"(?=hq(?: → \S+)? #[0-9]+ ISSM_)", text)[1:]


def scanned(page: Path, scratch: Path) -> list[str]:
    """Draw the codes of a page, eight pixels a dot, and read them with zbarimg."""
    found = []
    for number, path in enumerate(re.findall(r'<path stroke="#000" d="([^"]+)"/>', page.read_text())):
        picture = scratch / f"{number}.pbm"
        picture.write_bytes(drawn(path))
        found.append(run("zbarimg", "--quiet", "--raw", "-Sdisable", "-Sqrcode.enable", picture))
    return found


def drawn(path: str) -> bytes:
    """Draw the lines of an SVG path of horizontal dashes as a picture (PBM)."""
    dots: set[tuple[int, int]] = set()
    x, y = 0, 0
    for step, first, second in re.findall(r"([Mmh])(-?[\d.]+)(?:[ ]?(-?[\d.]+))?", path):
        if step == "h":
            dots.update((x + one, y) for one in range(int(first)))
            x += int(first)
        else:
            start = (0, 0) if step == "M" else (x, y)
            x, y = start[0] + int(first), start[1] + int(float(second))
    side = max(x for x, _ in dots) + 5
    rows = [" ".join("1" if (x // 8, y // 8) in dots else "0" for x in range(8 * side)) for y in range(8 * side)]
    return f"P1\n{8 * side} {8 * side}\n{chr(10).join(rows)}\n".encode()


def test_each_volume_has_a_label_that_says_what_it_is(tmp_path: Path) -> None:
    plan = planned(3, destination="lab", sequence=7, expires="2026-09-01T00:00:00Z")

    found = labels(plan, tmp_path)

    assert [text.split(" made at")[0] for text in found] == [
        f"hq → lab #7 ISSM_0123ABCD_V{number:02}OF03 volume {number} of 3 · bd25" for number in (1, 2, 3)
    ]
    for fact in ("hq, 2026-06-01 12:00:00 UTC", "2026-09-01 00:00:00 UTC", "full", "7 files", "p/zoo", KEY):
        assert fact in found[0]
    assert "issmedia import /mnt/issmedia --wait" in found[0]


def test_the_bundles_id_stands_in_groups(tmp_path: Path) -> None:
    plan = planned(1)

    (found,) = labels(plan, tmp_path)

    (groups,) = re.findall(r"bundle ((?:[0-9a-f]{4} ){16})", found)
    assert groups.replace(" ", "") == plan.id


def test_a_bundle_of_one_volume_need_not_wait_for_others(tmp_path: Path) -> None:
    (found,) = labels(planned(1), tmp_path)

    assert "volume 1 of 1" in found
    assert "--wait" not in found


def test_parity_says_what_it_is_for(tmp_path: Path) -> None:
    found = labels(planned(5, parity=2), tmp_path)

    assert ["PARITY: mends up to 2 lost volumes" in text for text in found] == [False, False, False, True, True]
    assert "p/zoo" not in found[4]


def test_a_delta_says_what_it_starts_at(tmp_path: Path) -> None:
    bases = tuple(bundle_base(number) for number in range(1, 5))

    (found,) = labels(planned(1, kind="delta", bases=bases), tmp_path)

    assert "DELTA: starts at hq #1 (2026-06-01) or hq #2 (2026-06-01) and 2 more" in found


def test_of_many_repositories_the_first_are_named(tmp_path: Path) -> None:
    many = [f"p/r{number:02}" for number in range(30)]

    (found,) = labels(planned(1, repositories=many), tmp_path)

    assert "p/r00, p/r01, p/r02, p/r03, p/r04 and 25 more" in found


def test_of_many_keys_the_first_are_named(tmp_path: Path) -> None:
    keys = [f"SHA256:{number}" for number in range(32)]

    (found,) = labels(planned(1), tmp_path, keys)

    assert "signed by SHA256:0 SHA256:1 SHA256:2 and 29 more" in found


@pytest.mark.system("zbarimg")
def test_the_code_holds_bundle_volume_and_key(tmp_path: Path) -> None:
    plan = planned(2)

    found = scanned(leave_sleeves(plan, tmp_path, [KEY]), tmp_path)

    assert found == [f"issmedia ISSM_0123ABCD_V{number:02}OF02\n{plan.id}\n{KEY}\n" for number in (1, 2)]


def test_the_page_needs_nothing_from_elsewhere(tmp_path: Path) -> None:
    text = leave_sleeves(planned(2, parity=1), tmp_path, [KEY]).read_text()

    words = _Words()
    words.feed(text)
    assert (words.links, words.elements & {"script", "link", "img", "iframe", "object"}) == ([], set())
    assert "url(" not in text
    assert "@import" not in text
    assert "default-src 'none'" in text


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    site = SiteName(SITE.id, HOSTILE)
    base = msgspec.structs.replace(bundle_base(1), name=HOSTILE)
    plan = planned(1, repositories=(f"p/{HOSTILE}".replace("/s", "s"),), site=site, kind="delta", bases=(base,))

    text = leave_sleeves(plan, tmp_path, [KEY]).read_text()

    assert "<script" not in text
    assert "\u202e" not in text
    assert "\x1b" not in text
    assert text.count("&lt;script&gt;alert(1)&lt;") >= 4


def test_long_names_are_cut(tmp_path: Path) -> None:
    site = SiteName(SITE.id, "n" * 4096)

    text = leave_sleeves(planned(1, site=site, sequence=123), tmp_path, [KEY]).read_text()

    assert "n" * 29 not in text
    assert "n… #123</h2>" in text


def test_long_names_of_repositories_are_still_told_apart(tmp_path: Path) -> None:
    many = [f"{'p' * 100}/{'r' * 100}{number}" for number in range(9)]

    (found,) = labels(planned(1, repositories=many), tmp_path)

    assert "r… and 4 more" in found


def test_the_same_plan_gives_the_same_bytes(tmp_path: Path) -> None:
    plan = planned(3, parity=1)

    first, second = (leave_sleeves(plan, tmp_path, [KEY]).read_bytes() for _ in range(2))

    assert first == second


def test_the_labels_lie_beside_the_volumes_and_are_no_stray(tmp_path: Path) -> None:
    path = leave_sleeves(planned(1), tmp_path, [KEY])

    assert [one.name for one in tmp_path.iterdir()] == ["labels.html"]
    assert path.name in BESIDE


def test_labels_that_cannot_be_written_are_an_error_that_says_the_bundle_is_whole(tmp_path: Path) -> None:
    with pytest.raises(DepotError) as caught:
        leave_sleeves(planned(1), tmp_path / "absent", [KEY])

    assert caught.value.message.startswith("the bundle is whole, but its labels are not there: ")
    assert caught.value.where == str(tmp_path / "absent/labels.html")
