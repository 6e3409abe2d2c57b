"""The options that say what is wanted of a repository, and `check`."""

from pathlib import Path

import pytest

from tests.cli.conftest import World
from tests.makers.sites import Site

ALL = (
    "--newest", "2", "--arch", "x86_64", "--include", "a*", "--include", "b", "--exclude", "c", "--no-source",
    "--no-debug", "--advisories", "security", "--with-dependencies", "--no-kickstart", "--packing", "zstd",
)  # fmt: skip
SELECTION = {
    "newest": 2,
    "archs": ["x86_64"],
    "include": ["a*", "b"],
    "exclude": ["c"],
    "sources": False,
    "debug": False,
    "advisories": ["security"],
    "with_dependencies": True,
    "kickstart": False,
    "packing": "zstd",
}


def test_every_option_is_kept(hq: Site) -> None:
    added = hq.do("repo", "add", "q/r", "/srv", *ALL, "--json").document

    assert added["selection"] == SELECTION
    assert hq.do("repo", "show", "q/r", "--json").document["repository"]["selection"] == SELECTION


def test_what_is_not_named_stays_and_everything_begins_anew(hq: Site) -> None:
    hq.do("repo", "add", "q/r", "/srv", "--newest", "2", "--no-debug")

    more = hq.do("repo", "set", "q/r", "--newest", "1", "--json").document["selection"]
    anew = hq.do("repo", "set", "q/r", "--everything", "--arch", "x86_64", "--json").document["selection"]
    everything = hq.do("repo", "set", "q/r", "--everything", "--json").document["selection"]

    assert (more, anew, everything) == ({"newest": 1, "debug": False}, {"archs": ["x86_64"]}, None)


def test_the_list_says_what_is_wanted(hq: Site) -> None:
    hq.do("repo", "add", "q/r", "/srv", *ALL)

    (line,) = [line for line in hq.do("repo", "list").out.splitlines() if line.startswith("q/r")]

    words = (
        "newest 2; arch x86_64; include a* b; exclude c; advisories security; no sources; no debug; no kickstart; "
        "with dependencies; packing zstd"
    )
    assert line.endswith(words)


@pytest.mark.parametrize("wrong", [("--newest", "0"), ("--newest", "all"), ("--packing", "rar")])
def test_a_wish_that_cannot_be_is_refused(hq: Site, wrong: tuple[str, str]) -> None:
    before = hq.state()

    assert hq.call("repo", "add", "q/r", "/srv", *wrong).code == 2
    assert before == hq.state()


def test_sync_says_that_it_is_a_selection(hq: Site, world: World) -> None:
    hq.do("repo", "add", "q/r", world.farm, "--include", "app")

    assert "q/r: synced: 1 package selected, " in hq.do("sync", "q").out


def test_check_lists_what_would_not_install(hq: Site, world: World) -> None:
    hq.do("repo", "add", "q/r", world.farm, "--include", "app")
    hq.do("sync", "q")

    wrong, fine = hq.call("check", "q"), hq.call("check", "p/farm")

    assert (wrong.code, fine.code) == (7, 0)
    assert wrong.out == "q/r: app-1.0-1.noarch lacks library >= 2.0\n1 package of q/r: 1 would not install\n"
    assert fine.out == "5 packages of p/farm: all would install\n"


def test_check_answers_json_with_the_same_code(hq: Site, world: World) -> None:
    hq.do("repo", "add", "q/r", world.farm, "--include", "app")
    hq.do("sync", "q")

    outcome = hq.call("check", "q", "--json")

    assert outcome.code == 7
    assert outcome.document["broken"] == [
        {"repository": "q/r", "package": "app-1.0-1.noarch", "requires": ["library >= 2.0"]}
    ]


def test_check_works_where_things_came_by_import(lab: Site) -> None:
    assert lab.do("check").out.endswith("all would install\n")


def test_check_of_what_is_not_there_is_refused(hq: Site, tmp_path: Path) -> None:
    assert hq.call("check", "nothing").code == 2
