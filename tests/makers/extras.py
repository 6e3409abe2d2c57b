"""What stands in a yum repository beside its packages: advisories, groups, modules, the installer's `.treeinfo`."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.sax.saxutils import escape

import createrepo_c

ISSUED = datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
"""When every advisory was issued."""

_COMPS = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE comps PUBLIC "-//Red Hat, Inc.//DTD Comps info//EN" "comps.dtd">
<comps>
{groups}</comps>
"""
_GROUP = """  <group>
    <id>{id}</id>
    <name>{id}</name>
    <description>The group {id}</description>
    <default>true</default>
    <uservisible>true</uservisible>
    <packagelist>
{packages}    </packagelist>
  </group>
"""
_MODULE = """---
document: modulemd
version: 2
data:
  name: {name}
  stream: "{stream}"
  version: {version}
  context: deadbeef
  arch: noarch
  summary: The module {name}
  description: The module {name}, stream {stream}
  license:
    module: [MIT]
  profiles:
    default:
      rpms: [{names}]
  artifacts:
    rpms:
{artifacts}...
"""
_TREEINFO = """[general]
arch = x86_64
family = Test
name = Test 1
packagedir = Packages
platforms = x86_64
repository = .
timestamp = 1700000000
variant = BaseOS
version = 1

[header]
type = productmd.treeinfo
version = 1.2

[checksums]
{checksums}
[images-x86_64]
{images}"""


@dataclass(frozen=True)
class Listed:
    """A package as it lies in a built repository: `href` relative to it, `sha256` and `size` of its file."""

    name: str
    epoch: str
    version: str
    release: str
    arch: str
    href: str
    sha256: str
    size: int

    @property
    def nevra(self) -> str:
        """Write `name-epoch:version-release.arch`, the epoch always there, as modules do."""
        return f"{self.name}-{self.epoch}:{self.version}-{self.release}.{self.arch}"


@dataclass(frozen=True)
class AdvisorySpec:
    """An advisory to write; `packages` are names of packages in the repository."""

    id: str
    packages: tuple[str, ...] = ()
    kind: str = "security"
    severity: str = "Important"
    title: str = "An update for a test"
    cves: tuple[str, ...] = ()


@dataclass(frozen=True)
class ModuleSpec:
    """A module stream to write; `packages` are packages in the repository, as `name` or `name-version`."""

    name: str
    stream: str
    packages: tuple[str, ...] = ()
    version: int = 20231114221320


def updateinfo(advisories: Iterable[AdvisorySpec], packages: Sequence[Listed]) -> str:
    """Write updateinfo.xml; every listed package of an advisory's names goes into its collection."""
    document = createrepo_c.UpdateInfo()
    for advisory in advisories:
        document.append(_record(advisory, packages))
    return str(document.xml_dump())


def comps(groups: Mapping[str, Iterable[str]]) -> str:
    """Write comps.xml: group id → names of its mandatory packages."""
    line = '      <packagereq type="mandatory">{}</packagereq>\n'
    return _COMPS.format(
        groups="".join(
            _GROUP.format(id=escape(group), packages="".join(line.format(escape(name)) for name in names))
            for group, names in groups.items()
        )
    )


def modules_yaml(modules: Iterable[ModuleSpec], packages: Sequence[Listed]) -> str:
    """Write modules.yaml, one document for each stream."""
    return "".join(
        _MODULE.format(
            name=module.name,
            stream=module.stream,
            version=module.version,
            names=", ".join(dict.fromkeys(one.name for one in packages if _is_of(one, module))),
            artifacts="".join(f"    - {one.nevra}\n" for one in packages if _is_of(one, module)),
        )
        for module in modules
    )


def treeinfo(images: Mapping[str, bytes]) -> str:
    """Write the `.treeinfo` of an installable tree: path of each image → its bytes."""
    sums = "".join(f"{path} = sha256:{hashlib.sha256(data).hexdigest()}\n" for path, data in images.items())
    names = "".join(f"{path.rpartition('/')[2]} = {path}\n" for path in images)
    return _TREEINFO.format(checksums=sums, images=names)


def _is_of(package: Listed, module: ModuleSpec) -> bool:
    return package.name in module.packages or f"{package.name}-{package.version}" in module.packages


def _record(advisory: AdvisorySpec, packages: Sequence[Listed]) -> createrepo_c.UpdateRecord:
    record = createrepo_c.UpdateRecord()
    record.id = advisory.id
    record.type = advisory.kind
    record.severity = advisory.severity
    record.title = advisory.title
    record.summary = advisory.title
    record.description = f"{advisory.title}."
    record.fromstr = "vendor@example.com"
    record.status = "final"
    record.version = "1"
    record.release = "1"
    record.issued_date = ISSUED
    record.updated_date = ISSUED
    for cve in advisory.cves:
        record.append_reference(_reference(cve))
    record.append_collection(_collection(one for one in packages if one.name in advisory.packages))
    return record


def _reference(cve: str) -> createrepo_c.UpdateReference:
    reference = createrepo_c.UpdateReference()
    reference.href = f"https://cve.example.com/{cve}"
    reference.id = cve
    reference.title = cve
    reference.type = "cve"
    return reference


def _collection(packages: Iterable[Listed]) -> createrepo_c.UpdateCollection:
    collection = createrepo_c.UpdateCollection()
    collection.shortname = "updates"
    collection.name = "Updates"
    for one in packages:
        entry = createrepo_c.UpdateCollectionPackage()
        entry.name, entry.epoch, entry.version = one.name, one.epoch, one.version
        entry.release, entry.arch = one.release, one.arch
        entry.filename = one.href.rpartition("/")[2]
        entry.src = f"{one.name}-{one.version}-{one.release}.src.rpm"
        entry.sum, entry.sum_type = one.sha256, createrepo_c.SHA256
        collection.append(entry)
    return collection
