"""What we say of signed packages is what `rpmkeys` says with `_pkgverify_level all`, or stricter: each case by name."""

from pathlib import Path

import pytest

from issmedia.content.yum.judge import Judge, PackageFile
from tests.makers.openpgp import openpgp_key
from tests.makers.programs import run, try_run
from tests.makers.rpms import build_rpm
from tests.makers.signed_rpms import Variant, changed_at, segments, variants
from tests.makers.verdicts import LATER, opened, pinned, written

STRICTER = {
    "after its key expired": "rpm 4.18 knows no expiry",
    "by a revoked key": "rpm 4.18 knows no revocation",
    "before its key was made": "rpm 4.18 knows no moments",
    "version 3, SHA-1": "rpm 4.18 takes SHA-1 in signatures",
    "format 6": "rpm 4.18 looks at what it knows of it",
    "whole only, version 3": "Sequoia verifies no version 3, rpm-rs no signature over header and payload",
}
"""Where rpm takes a package that we do not call good, and why."""


@pytest.mark.system("rpm", "rpmkeys")
@pytest.mark.parametrize("name", variants())
def test_rpmkeys_says_of_a_package_what_the_table_says(tmp_path: Path, name: str) -> None:
    variant = variants()[name]

    assert rpm_takes(variant, tmp_path) == variant.rpm_takes_it


@pytest.mark.system("rpm", "rpmkeys")
def test_nothing_is_good_that_rpmkeys_refuses_and_little_is_refused_that_it_takes(tmp_path: Path) -> None:
    ours, theirs = set(), set()
    with Judge() as judge:
        for number, (name, variant) in enumerate(variants().items()):
            (tmp_path / str(number)).mkdir()
            theirs |= {name} if rpm_takes(variant, tmp_path / str(number)) else set()
            keys = pinned(judge, variant.keys)
            package = PackageFile(name, len(variant.package), opened(tmp_path / str(number) / "package.rpm"))
            ours |= {name} if judge.judge_batch([package], keys, now=LATER)[0].verdict == "good" else set()

    assert (ours - theirs, theirs - ours) == (set(), set(STRICTER))


@pytest.mark.system("rpm", "rpmkeys")
def test_what_is_changed_before_the_header_is_good_only_where_rpmkeys_takes_it(tmp_path: Path) -> None:
    vendor = openpgp_key()
    signed = build_rpm("app", signer=vendor.signer)
    packages = written(tmp_path, (changed_at(signed, at) for at in range(0, segments(signed)[0], 5)))
    database = pinned_by_rpm(tmp_path, (vendor.public,))

    with Judge() as judge:
        found = judge.judge_batch(packages, pinned(judge, [vendor.public]), now=LATER)

    good = [package.path for package, one in zip(packages, found, strict=True) if one.verdict == "good"]
    assert [path for path in good if not checked_by_rpm(database, tmp_path / path)] == []


def rpm_takes(variant: Variant, directory: Path) -> bool:
    """Ask rpmkeys, with a database of its own that holds the pinned keys."""
    package = directory / "package.rpm"
    package.write_bytes(variant.package)
    return checked_by_rpm(pinned_by_rpm(directory, variant.keys), package)


def pinned_by_rpm(directory: Path, keys: tuple[bytes, ...]) -> Path:
    """Make a database that holds keys; rpm refuses to import some."""
    database = directory / "database"
    database.mkdir()
    run("rpmdb", "--dbpath", database, "--initdb")
    for number, key in enumerate(keys):
        (directory / f"{number}.asc").write_bytes(key)
        try_run("rpmkeys", "--dbpath", database, "--import", directory / f"{number}.asc")
    return database


def checked_by_rpm(database: Path, package: Path) -> bool:
    """Say whether rpmkeys takes a package."""
    level = ("--define", "_pkgverify_level all")
    return try_run("rpmkeys", "--dbpath", database, *level, "--checksig", package).returncode == 0
