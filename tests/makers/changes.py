"""A repository in two states, with every kind of change between them; and the sites and bundles that hold them."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.makers.extras import AdvisorySpec, ModuleSpec
from tests.makers.repos import PackageSpec, build_repo
from tests.makers.sites import Site, connected_site, disconnected_site

_KNOWN = AdvisorySpec("T-1", ("app",), title="Known before", cves=("CVE-2023-1111",))


def old_state(directory: Path) -> Path:
    """Write the first state."""
    packages = [
        PackageSpec("app"),
        PackageSpec("library", epoch=1),
        PackageSpec("lowered", version="3.0"),
        PackageSpec("gone"),
        PackageSpec("rebuilt", files={"/a": b"1"}),
        PackageSpec("kept"),
    ]
    groups = {"tools": ["app"], "games": ["gone"]}
    modules = [ModuleSpec("streamed", "5", ("app",))]
    return build_repo(directory, packages, advisories=[_KNOWN], groups=groups, modules=modules).path


def new_state(directory: Path) -> Path:
    """Write the second state in its place."""
    shutil.rmtree(directory)
    packages = [
        PackageSpec("app"),
        PackageSpec("library", epoch=1, version="2.0"),
        PackageSpec("lowered", version="2.0"),
        PackageSpec("fresh"),
        PackageSpec("rebuilt", files={"/a": b"2"}),
        PackageSpec("kept"),
        PackageSpec("kept", version="1.1"),
    ]
    advisories = [
        _KNOWN,
        AdvisorySpec("T-2", ("app",), severity="Low", title="A small fix"),
        AdvisorySpec("T-3", ("library",), severity="Critical", cves=("CVE-2024-2222", "CVE-2024-10000")),
    ]
    groups = {"tools": ["app", "fresh"], "desktop": ["fresh"]}
    modules = [ModuleSpec("streamed", "6", ("app",))]
    return build_repo(directory, packages, advisories=advisories, groups=groups, modules=modules).path


@dataclass(frozen=True)
class Changes:
    """`hq` has both states as p/zoo@1 and p/zoo@2, and p/farm; `first` is a bundle of the first, `delta` of the second.

    `lab` trusts hq and imported nothing, `stranger` trusts nobody. Nobody changes them.
    """

    hq: Site
    lab: Site
    stranger: Site
    first: Path
    delta: Path


def changes(root: Path) -> Changes:
    """Make them all below `root`."""
    farm = build_repo(root / "farm", ["cow"]).path
    hq = connected_site(root / "hq", zoo=old_state(root / "zoo"), farm=farm)
    hq.do("export", "--to", root / "first")
    new_state(root / "zoo")
    hq.do("sync")
    hq.do("export", "--to", root / "delta", "--base", root / "first")
    lab, stranger = disconnected_site(root / "lab", hq), disconnected_site(root / "stranger")
    return Changes(hq, lab, stranger, root / "first", root / "delta")
