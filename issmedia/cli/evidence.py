"""The reports that exports and imports leave, as JSON and as a page."""

import platform
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from issmedia import __version__
from issmedia.base.digest import Digest
from issmedia.base.errors import DepotError, IssmediaError
from issmedia.base.events import Note
from issmedia.base.events import Report as Tell
from issmedia.base.units import bytes_text, count_text
from issmedia.cli.changes_page import page_parts
from issmedia.cli.page import Markup, grid, heading, listing, page, paragraph
from issmedia.cli.trusted import trust_parts
from issmedia.cli.versions import versions
from issmedia.depot.depot import Depot, OwnedDepot
from issmedia.depot.keyring import Keyring
from issmedia.depot.keys import stored_keys
from issmedia.model.manifest import Manifest, VerifiedBundle
from issmedia.model.report import NAMESPACE_REPORT, Report, Signer, report_of
from issmedia.model.state import State, bundle_state
from issmedia.ops import evidence
from issmedia.ops.diff import Compared, Side, diff
from issmedia.ops.signing import Signers, load_signers

_STANDS_ON = ("createrepo-c", "cryptography", "msgspec", "pysequoia", "rpm-rs", "zstandard")


def leave_export_report(
    depot: Depot,
    bundle: Digest,
    manifest: Manifest,
    bases: Iterable[State],
    directory: Path,
    signed: Iterable[str],
    signers: Signers,
) -> None:
    """Leave the report of an export beside the bundle; of several bases, what changed since the first.

    `signed` are fingerprints of all who signed the bundle, `signers` sign the report.

    `DepotError` where it cannot be written: the bundle, which was finished before, is whole.
    """
    old = next(iter(bases), None) or evidence.nothing_before(manifest)
    found = diff(depot, Side(old), Side(bundle_state(bundle, manifest)))
    report = report_of(
        "export",
        bundle,
        manifest,
        found.diff,
        at=depot.site(),
        time=manifest.created,
        signers=tuple(Signer(one, "") for one in signed),
        trust=evidence.trust_in_export(manifest),
        steps=evidence.steps_of_export(manifest),
        tools=_tools(),
    )
    try:
        evidence.leave(report, _page(report, found), directory, lambda data: signers.sign(data, NAMESPACE_REPORT))
    except DepotError as cause:
        cause.message = f"the bundle is whole, but its report is not there: {cause.message}"
        cause.hint = "carry it without the report, or export again into an empty directory with more room"
        raise


class LeftReport(msgspec.Struct, frozen=True):
    """Where the report of an import lies, and what that changed; None where the report was there before."""

    directory: Path
    changes: Compared | None


def leave_import_report(depot: OwnedDepot, bundle: VerifiedBundle, tell: Tell) -> LeftReport:
    """Leave the report of an import in the depot, where it is not there yet."""
    imports = evidence.imports_of(depot, bundle.id)
    directory = evidence.directory_of(depot, bundle.manifest, bundle.id, imports)
    if evidence.is_left(directory):
        return LeftReport(directory, None)
    names = {key.public.fingerprint: key.name for key in Keyring(depot.keyring).trusted()}
    old = evidence.before_import(bundle.manifest, imports)
    trust = evidence.trust_in_import(depot, bundle.manifest)
    found = diff(depot, Side(old), Side(bundle_state(bundle.id, bundle.manifest)))
    report = report_of(
        "import",
        bundle.id,
        bundle.manifest,
        found.diff,
        at=depot.site(),
        time=old.entry.created,
        signers=tuple(Signer(one, names.get(one, "")) for one in bundle.signers),
        trust=trust,
        steps=evidence.steps_of_import(bundle, trust),
        tools=_tools(),
    )
    evidence.leave(report, _page(report, found), directory, _signer(depot, tell))
    return LeftReport(directory, found)


def _signer(depot: OwnedDepot, tell: Tell) -> Callable[[bytes], bytes] | None:
    """Give this site's only key, where it needs no passphrase that nobody gave; None too where it has none."""
    if not stored_keys(depot.keys):
        return None
    try:
        signers = load_signers(depot, (), ask=lambda _name: ())
    except IssmediaError as cause:
        tell(Note(f"the report is not signed: {cause.message}"))
        return None
    return lambda data: signers.sign(data, NAMESPACE_REPORT)


def _tools() -> dict[str, str]:
    return {"issmedia": __version__, "python": platform.python_version(), **versions(_STANDS_ON)}


def _page(report: Report, found: Compared) -> str:
    return page(f"Report of an {report.kind}: {report.chain}", _parts(report, found))


def _parts(report: Report, found: Compared) -> Iterable[Markup]:
    yield grid((), _facts(report))
    if report.left_out:
        yield heading("Left out")
        yield listing(f"{one.repository}: {one.path}: {one.reason}" for one in report.left_out)
    yield heading("CVEs that the new advisories name")
    yield listing(report.cves) if report.cves else paragraph("none")
    yield from trust_parts(report.trust)
    yield heading("What was checked")
    yield grid(("step", "found"), ((f"{one.number}. {one.name}", one.found) for one in report.steps))
    yield heading("What changed")
    yield from page_parts(found)


def _facts(report: Report) -> list[tuple[str, str]]:
    signers = ", ".join(f"{one.name} {one.fingerprint}".strip() for one in report.signers)
    return [
        ("bundle", report.bundle),
        ("kind", report.bundle_kind),
        ("made by", f"{report.made_by.name} ({report.made_by.id}) at {report.created}"),
        (f"{report.kind}ed at", f"{report.at.name} ({report.at.id}) at {report.time}"),
        ("destination", report.destination or "any site"),
        ("expires", report.expires or "never"),
        ("starts at", " or ".join(base.name for base in report.bases) or "nothing: a full bundle"),
        ("signed by", signers or "nobody"),
        ("content", f"{count_text(report.content.blobs, 'blob')}, {bytes_text(report.content.bytes)}"),
        ("tools", ", ".join(f"{name} {number}" for name, number in report.tools.items())),
    ]
