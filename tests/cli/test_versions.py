"""Versions of what is installed."""

from importlib import metadata
from pathlib import Path

import pytest

from issmedia.cli.versions import versions

LIBRARIES = ("createrepo-c", "cryptography", "msgspec", "pysequoia", "rpm-rs", "zstandard")


def test_they_are_those_that_the_packages_declare() -> None:
    assert versions(LIBRARIES) == {name: metadata.version(name) for name in LIBRARIES}


def test_the_first_on_the_path_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for directory, version in (("first", "1.0"), ("second", "2.0")):
        (tmp_path / directory / f"Some_Thing-{version}.dist-info").mkdir(parents=True)
    monkeypatch.syspath_prepend(tmp_path / "second")
    monkeypatch.syspath_prepend(tmp_path / "first")

    assert versions(["some-thing"]) == {"some-thing": "1.0"}


def test_what_is_not_installed_is_an_error() -> None:
    with pytest.raises(metadata.PackageNotFoundError):
        versions(["no-such-thing"])
