"""What lies where on a volume: payload at its paths, repodata whose hrefs lead to it, what every volume holds."""

import posixpath
from collections.abc import Mapping, Sequence

import pytest

from issmedia.base.digest import digest_of
from issmedia.bundle import layout
from issmedia.bundle.volume import Plan
from issmedia.model.medium import FILE_SYSTEMS
from issmedia.model.tree import Tree
from tests.makers.documents import target
from tests.makers.volumes import MadeFile, media_of, paths, planned, repository

LARGE = {f"Packages/{number:03}.rpm": 90_000 + number for number in range(60)}
METADATA = {"repodata/repomd.xml": 500, "repodata/primary.xml": 700}


def made(plan: Plan) -> list[dict[str, dict[str, str]]]:
    """Read the repodata that was made: for each volume repository → path in its tree → href."""
    found = []
    for volume in plan.volumes:
        files = {file.path: file for file in volume.files if file.path.endswith("/repodata/repomd.xml")}
        lines = {path: (file.content or b"").decode().splitlines() for path, file in files.items()}
        found.append(
            {
                path.removeprefix("repos/").removesuffix("/repodata/repomd.xml"): dict(line.split() for line in own)
                for path, own in lines.items()
                if files[path].content is not None
            }
        )
    return found


def require_resolving(plan: Plan) -> None:
    """See that each href of made repodata leads to a file of its volume with the right bytes."""
    for volume, repodata in zip(plan.volumes, made(plan), strict=True):
        here = {file.path: file.sha256 for file in volume.files}
        for repo, hrefs in repodata.items():
            for href in hrefs.values():
                assert posixpath.normpath(layout.repo_path(repo, href)) in here


@pytest.mark.parametrize("fs", [None, *FILE_SYSTEMS])
def test_a_repository_on_several_volumes_has_repodata_of_what_is_there_on_each(fs: str | None) -> None:
    plan = planned([repository("p/r", LARGE | METADATA)], media_of("4000000", fs=fs))

    require_resolving(plan)
    listed = [set(one["p/r"]) for one in made(plan)]
    there = [{path[len("repos/p/r/") :] for path in own if path.endswith(".rpm")} for own in paths(plan)]
    assert len(plan.volumes) > 1
    assert listed == there
    assert set().union(*there) == set(LARGE)


def test_a_repository_whole_on_one_volume_keeps_what_upstream_wrote() -> None:
    small = repository("p/small", {"a.rpm": 10_000} | METADATA)

    plan = planned([repository("p/large", LARGE | METADATA), small], media_of("3000000"))

    there = [own for own in paths(plan) if "repos/p/small/a.rpm" in own]
    assert len(there) == 1
    assert {"repos/p/small/repodata/repomd.xml", "repos/p/small/repodata/primary.xml"} <= set(there[0])
    assert all("p/small" not in one for one in made(plan))


def test_upstreams_metadata_of_a_spread_repository_travel_as_blobs() -> None:
    plan = planned([repository("p/r", LARGE | METADATA)], media_of("3000000"))

    blobs = [layout.blob_path(digest_of(f"{name} {size}".encode())) for name, size in METADATA.items()]
    every = [path for own in paths(plan) for path in own]
    assert all(every.count(path) == 1 for path in blobs)


def test_a_blob_of_two_repositories_has_a_path_in_each_where_links_are_and_one_where_not() -> None:
    targets = [target("p/a", {"x.rpm": b"same", "y.rpm": b"a"}), target("p/b", {"sub/x.rpm": b"same", "z.rpm": b"b"})]

    linked, copied = (planned(targets, media_of("40000000", fs=fs)) for fs in ("ext4", "fat32"))

    assert {"repos/p/a/x.rpm", "repos/p/b/sub/x.rpm"} <= set(paths(linked)[0])
    assert made(linked) == [{}]
    assert "repos/p/b/sub/x.rpm" not in paths(copied)[0]
    assert made(copied) == [{"p/b": {"sub/x.rpm": "../a/x.rpm", "z.rpm": "z.rpm"}}]
    require_resolving(copied)


def test_across_products_the_way_leads_up_twice() -> None:
    targets = [target("p/a", {"x.rpm": b"same"}), target("q/b", {"x.rpm": b"same", "z.rpm": b"b"})]

    plan = planned(targets, media_of("40000000", fs="exfat"))

    assert made(plan)[0]["q/b"]["x.rpm"] == "../../p/a/x.rpm"
    require_resolving(plan)


def test_a_blob_at_two_paths_of_one_repository_is_one_file_where_no_links_are() -> None:
    plan = planned([target("p/a", {"x.rpm": b"same", "y.rpm": b"same"})], media_of("40000000", fs="fat32"))

    assert made(plan) == [{"p/a": {"x.rpm": "x.rpm", "y.rpm": "x.rpm"}}]


def test_a_delta_has_repodata_of_what_it_brings() -> None:
    content = {"old.rpm": b"old", "new.rpm": b"new", "repodata/repomd.xml": b"xml"}

    plan = planned([target("p/a", content, bases=[{"old.rpm": b"old"}])], media_of("1000000"))

    assert made(plan) == [{"p/a": {"new.rpm": "new.rpm"}}]
    assert layout.blob_path(digest_of(b"xml")) in paths(plan)[0]


def test_a_part_is_no_package() -> None:
    plan = planned([repository("p/r", {"large.rpm": 9_000_000, "a.rpm": 1})], media_of("3000000"))

    require_resolving(plan)
    assert {path for one in made(plan) for own in one.values() for path in own} == {"a.rpm"}


def test_each_volume_names_for_dnf_the_repositories_it_serves() -> None:
    plan = planned([repository("p/a", LARGE), target("p/z", {"x.rpm": b"x"})], media_of("3000000"))

    for volume in plan.volumes:
        client = next(file.content or b"" for file in volume.files if file.path == "issmedia.repo").decode()
        here = {repo for repo in ("p/a", "p/z") if any(f"repos/{repo}/" in file.path for file in volume.files)}
        assert {repo for repo in ("p/a", "p/z") if f"/repos/{repo}/" in client} == here


def test_marks_tell_the_volumes_of_a_set_apart_and_one_volume_alone_has_none() -> None:
    plan = planned([repository("p/a", LARGE)], media_of("3000000"))
    alone = planned([target("p/z")], media_of("3000000"))

    marks = [
        {file.path: file.content for file in volume.files if file.path in (layout.DISCINFO, layout.MEDIA_MARK)}
        for volume in plan.volumes
    ]
    assert all(len(one) == 2 for one in marks)
    assert len({one[layout.MEDIA_MARK] for one in marks}) == len(marks)
    assert layout.DISCINFO not in paths(alone)[0]


def test_the_made_repodata_is_dated_as_the_bundle() -> None:
    asked: list[str] = []

    def dated(tree: Tree, parts: Sequence[Mapping[str, str]], moment: str) -> list[list[MadeFile]]:
        asked.append(moment)
        return [[] for _ in parts]

    planned([repository("p/a", LARGE)], media_of("3000000"), describe=dated)

    assert set(asked) == {"2026-06-01T12:00:00Z"}
