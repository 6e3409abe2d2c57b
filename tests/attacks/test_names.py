"""Attacks through names that mean something to programs, and through their number: rows 43 and 44 of the threats."""

import json
import resource
import subprocess
import time
from pathlib import Path

import pytest
import zstandard

from issmedia.base.digest import digest_of
from issmedia.depot.keys import FileKey
from issmedia.model.manifest import parse_manifest
from issmedia.model.names import path_fault
from issmedia.model.tree import Entry, Tree
from tests.makers.attacked import World, assert_refused, command_line
from tests.makers.forge import handmade, manifest_of, reseal
from tests.makers.programs import run
from tests.makers.repos import FLAT, build_repo
from tests.makers.sites import Site, connected_site, disconnected_site

SHELL = [
    "$(touch pwned)",
    ";touch pwned",
    "`touch pwned`",
    "a && touch pwned",
    "{a,b}",
    "'a",
    "~",
    "%s%n",
    "#",
    "!!",
    "&",
]


def test_043_names_that_mean_something_to_a_shell_cross_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Upstream names files so that a shell would run them."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    upstream = build_repo(tmp_path / "upstream", ["alpha"], layout=FLAT).path
    usable = [name for name in SHELL if path_fault(name) is None]
    for name in usable:
        (upstream / name).write_text(name)
    hq = connected_site(tmp_path / "hq", zoo=upstream)
    lab = disconnected_site(tmp_path / "lab", hq)

    hq.do("export", "--to", tmp_path / "stick")
    lab.do("import", tmp_path / "stick")

    published = lab.root / "published/p/zoo"
    assert {name: (published / name).read_text() for name in usable} == {name: name for name in usable}
    assert len(usable) > 6
    assert list((tmp_path / "here").iterdir()) == []
    assert list(tmp_path.rglob("pwned")) == []
    run("sh", "-c", 'cd "$1" && sha256sum --quiet -c SHA256SUMS', "sh", tmp_path / "stick")


def test_043_names_that_look_like_options_are_left_out_by_name(tmp_path: Path) -> None:
    """Upstream names files so that a program would take them for its options."""
    upstream = build_repo(tmp_path / "upstream", ["alpha"], layout=FLAT).path
    for name in ("-rf", "--help", "-"):
        (upstream / name).write_text(name)
    hq = connected_site(tmp_path / "hq")
    hq.do("repo", "add", "p/zoo", upstream)

    outcome = hq.call("sync")

    assert outcome.code == 7
    assert [name for name in ("-rf", "--help", "-") if f"{name}: " not in outcome.err] == [], outcome.err


@pytest.mark.parametrize("label", ["-rf", "$(touch x)", ";id", "a/b/c", "../x", ""])
def test_043_labels_are_labels(lab: Site, label: str) -> None:
    """A repository is given a name that would be an option, a command or a path."""
    before = lab.state()

    outcome = lab.call("repo", "add", "--", f"p/{label}", "/srv/upstream")

    assert (outcome.code, lab.state()) == (2, before)


@pytest.mark.parametrize("component", ["x" * 255, "é" * 127])
def test_044_names_as_long_as_may_be_cross(
    world: World, lab: Site, tmp_path: Path, release: FileKey, component: str
) -> None:
    """Names and depth go to the limits of the grammar."""
    deep = "/".join(["d"] * 511 + ["f"])
    long = "/".join([component] * 4)
    volume = handmade(world.hq.depot.site(), {long[:1024]: b"long", deep: b"deep"}).write(tmp_path / "long", release)

    lab.do("verify", volume)
    lab.do("import", volume)

    assert (lab.root / "published/p/zoo" / deep).read_bytes() == b"deep"


def test_044_very_many_names_are_read_in_bounded_memory(
    world: World, lab: Site, tmp_path: Path, release: FileKey
) -> None:
    """A listing of a few hundred kilobytes names two hundred thousand files."""
    good = handmade(world.hq.depot.site(), {"a": b"a"})
    names = sorted(f"{number % 97}/{number}" for number in range(200_000))
    many = Tree(tuple(Entry(name, digest_of(b"a"), 1) for name in names))
    volume = good.__class__(good.site, many, good.blobs).write(tmp_path / "many", release)

    outcome = subprocess.run(
        command_line(lab, "verify", volume),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30)),
        capture_output=True,
        check=False,
    )

    assert outcome.returncode == 0, outcome.stderr.decode()


def test_044_very_many_repositories_are_checked_in_bounded_time(volume: Path) -> None:
    """A manifest names twenty thousand repositories, each with a tree of its own."""
    document = manifest_of(volume)
    (repository,), (tree,) = document["repositories"], document["trees"]
    digests = [f"{number:064x}" for number in range(20_000)]
    document["trees"] = [{**tree, "digest": digest} for digest in digests]
    document["repositories"] = [{**repository, "label": digest, "tree": digest} for digest in digests]
    data = json.dumps(document).encode()
    started = time.process_time()

    manifest = parse_manifest(data)

    assert len(manifest.repositories) == 20_000
    assert time.process_time() - started < 3


def test_044_a_listing_that_unpacks_to_more_than_it_says_is_refused(lab: Site, volume: Path, release: FileKey) -> None:
    """Two kilobytes on the medium unpack to a gigabyte of zeros."""
    (old,) = (volume / "trees").iterdir()
    packer = zstandard.ZstdCompressor(level=19).compressobj()
    bomb = b"".join(packer.compress(bytes(1 << 20)) for _ in range(1024)) + packer.flush()
    old.write_bytes(bomb)

    reseal(
        volume,
        release,
        edit=lambda document: document["trees"][0].update(stored={"sha256": digest_of(bomb), "size": len(bomb)}),
    )

    assert_refused(lab, volume, 5, "trees/", "expected a frame of")
