"""Make the newest golden bundle, or the schemas.

    python -m tests.golden.make              writes tests/golden/NEWEST and NEWEST-delta, which must not be there
    python -m tests.golden.make --schemas    writes schemas/

Everything that a bundle's bytes depend on is fixed here: repositories, site, key, moment, name of the tool.
"""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from msgspec.structs import replace

from issmedia.base import files
from issmedia.base.digest import Digest
from issmedia.base.events import ignore
from issmedia.bundle.sets import Destination
from issmedia.content.yum.content import YUM
from issmedia.content.yum.describing import describing_yum
from issmedia.depot.depot import OwnedDepot
from issmedia.model import schemas
from issmedia.model.manifest import Tool
from issmedia.model.trust import NAMESPACE_BUNDLE
from issmedia.net.directory import DirectoryUpstream
from issmedia.ops import setup
from issmedia.ops.exports import Describing, ExportOptions, complete, export_bundle, plan_export
from issmedia.ops.states import find_state
from issmedia.ops.sync import sync
from tests.makers.openpgp import openpgp_key
from tests.makers.repos import build_repo, sample_repo
from tests.makers.sshkeys import ed25519_key

GOLDEN = Path(__file__).parent
NEWEST = GOLDEN / "v1"
"""The bundle that today's exporter must make again, bit for bit; a full one."""

DELTA = GOLDEN / f"{NEWEST.name}-delta"
"""The delta after it, as today's exporter must make it."""

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


def export_golden(work: Path, sources: dict[str, Path], volume: Path, delta: Path) -> None:
    """Sync these sources into a depot in `work`, write the bundle to `volume`, and the next one, a delta, to `delta`.

    Between them the farm becomes what the zoo is.
    """
    depot = setup.init(work / "depot", name="golden", site_id="0123456789abcdef" * 2, now=CREATED)
    with depot.owned("golden", now=CREATED) as owned:
        for path, source in sources.items():
            _add(owned, path)
            _sync(owned, path, source)
        first = _export(owned, OPTIONS, volume)
        _sync(owned, "demo/farm", sources["demo/zoo"])
        _export(owned, replace(OPTIONS, bases=(find_state(owned, first),)), delta)


def write_schemas() -> None:
    """Write `schemas/`."""
    for name in schemas.SCHEMAS:
        files.write_atomic(SCHEMAS / name, schemas.schema(name))


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
        made = {NEWEST: Path(work) / "volume", DELTA: Path(work) / "delta"}
        export_golden(Path(work), upstreams(Path(work) / "upstream"), *made.values())
        for golden, volume in made.items():
            shutil.rmtree(golden, ignore_errors=True)
            shutil.copytree(volume, golden)
    (GOLDEN / "golden.pub").write_text(f"{SIGNER.public.line} golden\n")


def _export(depot: OwnedDepot, options: ExportOptions, volume: Path) -> Digest:
    with describing_yum(depot.store.open, ignore) as describe:
        bundle = plan_export(depot, options, volume, describing=Describing(describe), tool=TOOL, now=CREATED)
    plan = complete(bundle, depot, volume, workers=1, report=ignore)
    export_bundle(
        plan,
        depot,
        Destination(volume),
        sign=lambda data: SIGNER.sign(data, NAMESPACE_BUNDLE),
        signers=[SIGNER.public.fingerprint],
        now=CREATED,
        workers=1,
        report=ignore,
    )
    return plan.id


def _url(path: str) -> str:
    return f"https://mirror.example.com/{path}/"


def _add(depot: OwnedDepot, path: str) -> None:
    keys = (setup.KeyFile("golden.asc", VENDOR.public),) if path == "demo/zoo" else ()
    signatures = setup.Signatures(keys=keys)
    setup.add_repository(depot, path, _url(path), name=None, signatures=signatures, now=CREATED)


def _sync(depot: OwnedDepot, path: str, source: Path) -> None:
    with depot.catalog.reading() as db:
        repository = db.names.repository(path)
    assert repository is not None
    with DirectoryUpstream(source, url=_url(path), listed=True) as upstream:
        sync(repository, upstream, depot, YUM, now=CREATED, report=ignore)


if __name__ == "__main__":
    main()
