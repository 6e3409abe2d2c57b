"""RPM packages made in memory: some ten thousand small ones a second, the same bytes each time."""

import random
import re
from collections.abc import Callable, Iterable, Mapping

import rpm_rs

BUILT = 1_700_000_000
"""When every package was built, seconds since 1970."""

_RELATION = re.compile(r"(\S+)(?:\s+(<=|>=|<|>|=)\s+(\S+))?\Z")
_FLAGS = {
    "<": rpm_rs.DependencyFlags.LESS,
    ">": rpm_rs.DependencyFlags.GREATER,
    "=": rpm_rs.DependencyFlags.EQUAL,
    "<=": rpm_rs.DependencyFlags.LESS | rpm_rs.DependencyFlags.EQUAL,
    ">=": rpm_rs.DependencyFlags.GREATER | rpm_rs.DependencyFlags.EQUAL,
}
_CONFIG = rpm_rs.BuildConfig(
    format=rpm_rs.RpmFormat.V4,
    compression=rpm_rs.CompressionType.NONE,
    source_date=BUILT,
    reserved_space=0,
)


def build_rpm(
    name: str,
    version: str = "1.0",
    release: str = "1",
    *,
    arch: str = "noarch",
    epoch: int = 0,
    requires: Iterable[str] = (),
    provides: Iterable[str] = (),
    files: Mapping[str, bytes] | None = None,
    size: int | None = None,
    signer: rpm_rs.Signer | None = None,
    summary: str = "A package made for a test",
) -> bytes:
    """Build a package that rpm and dnf install.

    Relations read as in a spec file: `"name"` or `"name >= 1.0-1"`. `files` maps absolute paths to contents; without
    it the package holds one small file. `size` adds a file of incompressible bytes, so that the package has about
    that many bytes. `signer` comes from an `OpenPGPKey`.
    """
    builder = rpm_rs.PackageBuilder(name, version, "MIT", arch, summary)
    builder.using_config(_CONFIG)
    builder.release(release)
    if epoch:
        builder.epoch(epoch)
    _relate(builder.requires, requires)
    _relate(builder.provides, provides)
    for path, content in _contents(name, version, files, size).items():
        builder.with_file_contents(content, rpm_rs.FileOptions.new(path))
    package = builder.build_and_sign(signer) if signer else builder.build()
    return bytes(package.to_bytes())


def filename(name: str, version: str = "1.0", release: str = "1", arch: str = "noarch") -> str:
    """Write the file name a package of this NEVRA goes by."""
    return f"{name}-{version}-{release}.{arch}.rpm"


def _relate(add: Callable[[str, str | None, rpm_rs.DependencyFlags | None], None], relations: Iterable[str]) -> None:
    for relation in relations:
        match = _RELATION.match(relation)
        if match is None:
            raise ValueError(f"not a relation: {relation!r}")
        name, operator, version = match.groups()
        add(name, version, _FLAGS[operator] if operator else None)


def _contents(name: str, version: str, files: Mapping[str, bytes] | None, size: int | None) -> dict[str, bytes]:
    contents = dict(files) if files is not None else {f"/usr/share/{name}/about": f"{name} {version}\n".encode()}
    if size:
        noise = random.Random(f"{name} {version}").randbytes(max(1, size - 2048))
        contents[f"/usr/share/{name}/noise"] = noise
    return contents
