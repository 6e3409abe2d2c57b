"""Real yum repositories, written by createrepo_c: the same bytes each time.

    DIR/Packages/a/alpha-1.0-1.noarch.rpm    where `layout` says
    DIR/repodata/repomd.xml                  and what it names; repomd.xml.asc and .key where signed
    DIR/.treeinfo, DIR/images/…              where `treeinfo` gives images

`python -m tests.makers.repos DIR --packages 300 --size 3400000` writes one for a demonstration or a measurement.
"""

import argparse
import contextlib
import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import createrepo_c
import rpm_rs

from tests.makers import extras
from tests.makers.extras import AdvisorySpec, Listed, ModuleSpec
from tests.makers.openpgp import OpenPGPKey, openpgp_key
from tests.makers.rpms import BUILT, build_rpm

BY_INITIAL = "Packages/{initial}/{filename}"
FLAT = "{filename}"

_COMPRESSIONS = {
    "gz": (createrepo_c.GZ_COMPRESSION, ".gz"),
    "zstd": (createrepo_c.ZSTD_COMPRESSION, ".zst"),
    "none": (createrepo_c.NO_COMPRESSION, ""),
}


@dataclass(frozen=True)
class PackageSpec:
    """A package to build: the arguments of `build_rpm`."""

    name: str
    version: str = "1.0"
    release: str = "1"
    arch: str = "noarch"
    epoch: int = 0
    requires: tuple[str, ...] = ()
    provides: tuple[str, ...] = ()
    files: Mapping[str, bytes] | None = None
    size: int | None = None

    def build(self, key: OpenPGPKey | None = None) -> bytes:
        """Build it, signed where a key is given."""
        return build_rpm(
            self.name,
            self.version,
            self.release,
            arch=self.arch,
            epoch=self.epoch,
            requires=self.requires,
            provides=self.provides,
            files=self.files,
            size=self.size,
            signer=key.signer if key else None,
        )


@dataclass(frozen=True)
class BuiltRepo:
    """A repository on disk and what is in it, packages in the order they were given."""

    path: Path
    packages: tuple[Listed, ...]
    key: OpenPGPKey | None = None

    @property
    def repomd(self) -> Path:
        """Name its repomd.xml."""
        return self.path / "repodata/repomd.xml"

    def package(self, name: str) -> Listed:
        """Give the first package of this name."""
        return next(one for one in self.packages if one.name == name)

    def files(self) -> dict[str, bytes]:
        """Read the whole repository: relative path → bytes. For small ones."""
        found = sorted(path for path in self.path.rglob("*") if path.is_file())
        return {path.relative_to(self.path).as_posix(): path.read_bytes() for path in found}


@dataclass
class _Writer:
    """Writes repodata, record by record."""

    directory: Path
    compression: str
    repomd: createrepo_c.Repomd = field(default_factory=createrepo_c.Repomd)

    def add(self, kind: str, path: Path) -> None:
        """Name a finished file in repomd.xml, with its digest in its file name."""
        record = createrepo_c.RepomdRecord(kind, str(path))
        record.set_timestamp(BUILT)
        record.fill(createrepo_c.SHA256)
        record.rename_file()
        self.repomd.set_record(record)

    def add_text(self, kind: str, name: str, text: str) -> None:
        """Write a document, compressed as the rest, and name it."""
        compression, suffix = _COMPRESSIONS[self.compression]
        path = self.directory / (name + suffix)
        with contextlib.closing(createrepo_c.CrFile(str(path), createrepo_c.MODE_WRITE, compression)) as file:
            file.write(text)
        self.add(kind, path)

    def finish(self, key: OpenPGPKey | None) -> None:
        """Write repomd.xml, and its signature and key where it is signed."""
        self.repomd.set_revision(str(BUILT))
        self.repomd.sort_records()
        data = self.repomd.xml_dump().encode()
        (self.directory / "repomd.xml").write_bytes(data)
        if key:
            (self.directory / "repomd.xml.asc").write_bytes(key.sign_detached(data))
            (self.directory / "repomd.xml.key").write_bytes(key.public)


def build_repo(
    directory: Path,
    packages: Iterable[bytes | PackageSpec | str],
    *,
    layout: str = BY_INITIAL,
    compression: str = "gz",
    advisories: Iterable[AdvisorySpec] = (),
    groups: Mapping[str, Iterable[str]] | None = None,
    modules: Iterable[ModuleSpec] = (),
    treeinfo: Mapping[str, bytes] | None = None,
    productid: str | None = None,
    sign_with: OpenPGPKey | None = None,
) -> BuiltRepo:
    """Write a repository, replacing one that is there.

    Packages are consumed one at a time: bytes as `build_rpm` gives them, specs, or bare names. `layout` is a pattern
    of `{initial}` and `{filename}`. `sign_with` signs the packages built from specs, and repomd.xml.
    """
    if (directory / "repodata").is_dir():
        shutil.rmtree(directory)
    repodata = directory / "repodata"
    repodata.mkdir(parents=True)
    hrefs = [_place(directory, data, layout) for data in _built(packages, sign_with)]
    writer = _Writer(repodata, compression)
    listed = _write_lists(writer, directory, hrefs)
    if found := list(advisories):
        writer.add_text("updateinfo", "updateinfo.xml", extras.updateinfo(found, listed))
    if groups:
        _write_groups(writer, extras.comps(groups))
    if streams := list(modules):
        writer.add_text("modules", "modules.yaml", extras.modules_yaml(streams, listed))
    if productid:
        writer.add_text("productid", "productid", productid)
    if treeinfo:
        _write_tree(directory, treeinfo)
    writer.finish(sign_with)
    return BuiltRepo(directory, tuple(listed), sign_with)


def sample_repo(directory: Path, *, key: OpenPGPKey | None = None, compression: str = "gz") -> BuiltRepo:
    """Write a small repository with something of everything; `app` needs `library` needs `base`."""
    return build_repo(
        directory,
        [
            PackageSpec("app", requires=("library >= 2.0",)),
            PackageSpec("library", version="1.0"),
            PackageSpec("library", version="2.0", requires=("base",)),
            PackageSpec("base", epoch=1),
            PackageSpec("streamed", version="5.1"),
        ],
        compression=compression,
        advisories=[AdvisorySpec("TEST-2023:0001", ("library",), title="Fix library", cves=("CVE-2023-0001",))],
        groups={"tools": ["app"]},
        modules=[ModuleSpec("streamed", "5", ("streamed",))],
        treeinfo={"images/boot.img": b"boot image\n"},
        productid="-----BEGIN CERTIFICATE-----\nMAo=\n-----END CERTIFICATE-----\n",
        sign_with=key,
    )


def many_specs(count: int, *, size: int | None = None, newer: int = 0, related: int = 0) -> Iterator[PackageSpec]:
    """Name `count` packages, the last `newer` at version 2.0 rather than 1.0: a repository's next state.

    Each provides `related` capabilities, and requires as many of the packages before it.
    """
    for number in range(count):
        name, version = f"package{number:06}", "2.0" if number >= count - newer else "1.0"
        provides = tuple(f"lib{name}-{one}.so.1()(64bit)" for one in range(related))
        asked = range(max(0, number - related), number)
        requires = tuple(f"libpackage{other:06}-{other % related}.so.1()(64bit)" for other in asked)
        yield PackageSpec(name, version, size=size, provides=provides, requires=requires)


def in_versions(specs: Iterable[PackageSpec], versions: int) -> Iterator[PackageSpec]:
    """Give each package in so many versions, 1.0 first."""
    for spec in specs:
        yield from (replace(spec, version=f"{number}.0") for number in range(1, versions + 1))


def _again(specs: Iterable[PackageSpec], built: Path) -> Iterator[bytes | PackageSpec]:
    """Take the packages that another repository of `many_specs` has from there: building large ones takes long."""
    for spec in specs:
        name = f"{spec.name}-{spec.version}-1.noarch.rpm"
        found = built / BY_INITIAL.format(initial=name[0], filename=name)
        yield found.read_bytes() if found.is_file() else spec


def _built(packages: Iterable[bytes | PackageSpec | str], key: OpenPGPKey | None) -> Iterator[bytes]:
    for package in packages:
        if isinstance(package, bytes):
            yield package
        else:
            yield (PackageSpec(package) if isinstance(package, str) else package).build(key)


def _place(directory: Path, data: bytes, layout: str) -> str:
    """Write one package where the layout says, with a fixed time, and give its href."""
    metadata = rpm_rs.PackageMetadata.from_bytes(data)
    filename = f"{metadata.name}-{metadata.version}-{metadata.release}.{metadata.arch}.rpm"
    href = layout.format(initial=filename[0].lower(), filename=filename)
    path = directory / href
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    os.utime(path, (BUILT, BUILT))
    return href


def _write_lists(writer: _Writer, directory: Path, hrefs: Sequence[str]) -> list[Listed]:
    """Write primary, filelists and other, reading one package at a time."""
    compression, suffix = _COMPRESSIONS[writer.compression]
    lists = {
        kind: (make, writer.directory / f"{kind}.xml{suffix}")
        for kind, make in (
            ("primary", createrepo_c.PrimaryXmlFile),
            ("filelists", createrepo_c.FilelistsXmlFile),
            ("other", createrepo_c.OtherXmlFile),
        )
    }
    files = [make(str(path), compression) for make, path in lists.values()]
    for file in files:
        file.set_num_of_pkgs(len(hrefs))
    listed = []
    for href in hrefs:
        package = createrepo_c.package_from_rpm(str(directory / href), createrepo_c.SHA256, href)
        for file in files:
            file.add_pkg(package)
        listed.append(_listed(package))
    for file in files:
        file.close()
    for kind, (_, path) in lists.items():
        writer.add(kind, path)
    return listed


def _listed(package: createrepo_c.Package) -> Listed:
    return Listed(
        package.name,
        package.epoch or "0",
        package.version,
        package.release,
        package.arch,
        package.location_href,
        package.pkgId,
        package.size_package,
    )


def _write_groups(writer: _Writer, text: str) -> None:
    """Write comps twice, plain and compressed, as createrepo_c does."""
    plain = writer.directory / "comps.xml"
    plain.write_text(text)
    _, suffix = _COMPRESSIONS[writer.compression]
    if suffix:
        writer.add_text(f"group_{suffix[1:]}", "comps.xml", text)
    writer.add("group", plain)


def _write_tree(directory: Path, images: Mapping[str, bytes]) -> None:
    for name, data in images.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (directory / ".treeinfo").write_text(extras.treeinfo(images))


def main(arguments: Sequence[str] | None = None) -> None:
    """Write a repository of many packages."""
    parser = argparse.ArgumentParser(prog="python -m tests.makers.repos", description=main.__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--packages", type=int, default=300, help="how many")
    parser.add_argument("--size", type=int, help="bytes of each, about; small without it")
    parser.add_argument("--newer", type=int, default=0, help="how many of them at version 2.0, for the next state")
    parser.add_argument("--versions", type=int, default=1, help="of each package; --packages counts all")
    parser.add_argument("--related", type=int, default=0, help="how much each requires and provides")
    parser.add_argument("--like", type=Path, help="an earlier state, to take what is the same from")
    parser.add_argument("--advisories", type=int, default=0, help="how many, one package each, the last packages first")
    parser.add_argument("--layout", default=BY_INITIAL, help="pattern of {initial} and {filename}")
    parser.add_argument("--compression", choices=sorted(_COMPRESSIONS), default="gz")
    parser.add_argument("--sign", metavar="NAME", help="sign packages and metadata with the throw-away key NAME")
    options = parser.parse_args(arguments)
    names = options.packages // options.versions
    specs = many_specs(names, size=options.size, newer=options.newer, related=options.related)
    specs = in_versions(specs, options.versions) if options.versions > 1 else specs
    last = range(options.packages - 1, options.packages - 1 - options.advisories, -1)
    repo = build_repo(
        options.directory,
        _again(specs, options.like) if options.like else specs,
        layout=options.layout,
        compression=options.compression,
        advisories=[
            AdvisorySpec(f"TEST-2023:{number:04}", (f"package{number:06}",), cves=(f"CVE-2023-{number:04}",))
            for number in last
        ],
        sign_with=openpgp_key(options.sign) if options.sign else None,
    )
    total = sum(one.size for one in repo.packages)
    sys.stdout.write(f"{repo.path}: {len(repo.packages):,} packages, {total:,} bytes\n")


if __name__ == "__main__":
    main()
