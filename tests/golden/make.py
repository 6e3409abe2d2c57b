"""Make the newest golden bundle, or the schemas.

    python -m tests.golden.make              writes tests/golden/NEWEST, which must not be there
    python -m tests.golden.make --schemas    writes schemas/

Everything that a bundle's bytes depend on is fixed here: repositories, site, key, moment, name of the tool.
"""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from issmedia.base import files
from issmedia.base.events import ignore
from issmedia.content.yum import YUM
from issmedia.depot.depot import OwnedDepot
from issmedia.model.manifest import Tool
from issmedia.model.schemas import DOCUMENTS, schema
from issmedia.model.trust import NAMESPACE_BUNDLE
from issmedia.net.directory import DirectoryUpstream
from issmedia.ops import setup
from issmedia.ops.exports import ExportOptions, export_bundle, plan_export
from issmedia.ops.sync import sync
from tests.makers.openpgp import openpgp_key
from tests.makers.repos import build_repo, sample_repo
from tests.makers.sshkeys import ed25519_key

GOLDEN = Path(__file__).parent
NEWEST = GOLDEN / "v1"
"""The bundle that today's exporter must make again, bit for bit."""

SCHEMAS = GOLDEN.parents[1] / "schemas"
CREATED = "2023-11-14T22:13:20Z"
"""SOURCE_DATE_EPOCH=1700000000."""

SIGNER = ed25519_key(20231114, "golden")
VENDOR = openpgp_key("golden")
TOOL = Tool("issmedia", "golden")
OPTIONS = ExportOptions(notes="a golden bundle: read for ever", created=CREATED)


def upstreams(directory: Path) -> dict[str, Path]:
    """Build the repositories: one with something of everything, and one that shares a package with it."""
    zoo = sample_repo(directory / "zoo", key=VENDOR)
    shared = (zoo.path / zoo.package("base").href).read_bytes()
    farm = build_repo(directory / "farm", [shared], layout="{filename}", compression="zstd")
    return {"demo/farm": farm.path, "demo/zoo": zoo.path}


def export_golden(work: Path, sources: dict[str, Path], volume: Path) -> None:
    """Sync these sources into a depot in `work` and write the bundle to `volume`."""
    depot = setup.init(work / "depot", name="golden", site_id="0123456789abcdef" * 2, now=CREATED)
    with depot.owned("golden", now=CREATED) as owned:
        for path, source in sources.items():
            _sync(owned, path, source)
        plan = plan_export(owned, OPTIONS, volume, tool=TOOL, now=CREATED)
        export_bundle(
            plan,
            owned,
            volume,
            sign=lambda data: SIGNER.sign(data, NAMESPACE_BUNDLE),
            signers=[SIGNER.public.fingerprint],
            now=CREATED,
            workers=1,
            report=ignore,
        )


def write_schemas() -> None:
    """Write `schemas/`."""
    for name in DOCUMENTS:
        files.write_atomic(SCHEMAS / name, schema(name))


def main() -> None:
    """Make what is asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.golden.make", description=main.__doc__)
    parser.add_argument("--schemas", action="store_true", help="write schemas/ rather than the bundle")
    parser.add_argument("--replace", action="store_true", help="only before a release: replace the newest bundle")
    options = parser.parse_args()
    if options.schemas:
        write_schemas()
        return
    if NEWEST.exists() and not options.replace:
        sys.exit(f"{NEWEST} is there, and stays for ever: name the new one in {__file__}")
    with tempfile.TemporaryDirectory() as work:
        export_golden(Path(work), upstreams(Path(work) / "upstream"), Path(work) / "volume")
        shutil.rmtree(NEWEST, ignore_errors=True)
        shutil.copytree(Path(work) / "volume", NEWEST)
    (GOLDEN / "golden.pub").write_text(f"{SIGNER.public.line} golden\n")


def _sync(depot: OwnedDepot, path: str, source: Path) -> None:
    url = f"https://mirror.example.com/{path}/"
    keys = [VENDOR.public] if path == "demo/zoo" else []
    repository = setup.add_repository(depot, path, url, name=None, keys=keys, now=CREATED)
    with DirectoryUpstream(source, url=url, listed=True) as upstream:
        sync(repository, upstream, depot, YUM, now=CREATED, report=ignore)


if __name__ == "__main__":
    main()
