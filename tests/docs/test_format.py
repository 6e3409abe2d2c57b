"""`docs/format.md` says what the code does: every field of the manifest, every limit and step, the code of parity."""

import importlib
import re
from collections.abc import Iterator, Mapping

import msgspec
import pytest

from issmedia.base.digest import Digest, digest_of
from issmedia.bundle import layout
from issmedia.bundle.stripes import Code
from issmedia.model import judgement, manifest, recovery
from issmedia.model.tree import Entry
from issmedia.ops import verify
from scripts.source import ROOT
from tests.makers.markdown import rows, section

TEXT = (ROOT / "docs/format.md").read_text()

CLAUSES: dict[str, type[msgspec.Struct]] = {
    "The manifest": manifest.Manifest,
    "`site`": manifest.SiteName,
    "`tool`": manifest.Tool,
    "`products[]`": manifest.ProductEntry,
    "`repositories[]`": manifest.RepositoryEntry,
    "`repositories[].trust`": judgement.Outcome,
    "`trust.counts`": judgement.Counts,
    "`trust.signers[]`": judgement.Signer,
    "`trust.exceptions[]`": judgement.Exempt,
    "`trust.metadata`": judgement.Judged,
    "counts": manifest.Count,
    "`trees[]`": manifest.TreeEntry,
    "`trees[].stored`": manifest.Stored,
    "`volumes[]`": manifest.VolumeEntry,
    "`recovery`": recovery.Recovery,
    "`recovery.index`": recovery.IndexFile,
    "`incomplete[]`": manifest.Missing,
    "`bases[]`": manifest.BaseEntry,
    "`bases[].ledger`": manifest.LedgerHead,
    "`split[]`": manifest.SplitEntry,
    "The index": recovery.RecoveryIndex,
    "A stream in the index": recovery.Column,
}


@pytest.mark.parametrize("heading", CLAUSES)
def test_a_clause_lists_the_fields_in_their_order(heading: str) -> None:
    listed = [row[0].strip("`") for row in rows(section(TEXT, heading))]

    assert listed == list(CLAUSES[heading].__struct_fields__)


def test_every_part_of_the_manifest_has_a_clause() -> None:
    assert set(CLAUSES.values()) == {
        *documents_of(manifest.__name__),
        *documents_of(judgement.__name__),
        *documents_of(recovery.__name__),
    }


def test_the_limits_are_those_of_the_code() -> None:
    table = [(row[1].strip("`"), row[2]) for row in rows(section(TEXT, "Limits"))]

    assert len(table) >= 22
    assert table == [(name, f"{constant(name):,}") for name, _ in table]


def test_verification_has_the_steps_that_the_code_cites() -> None:
    steps = re.findall(r"^([0-9]+)\. ", section(TEXT, "Verification"), re.MULTILINE)

    assert steps == [str(number) for number in range(1, 14)]
    assert 'clause "Verification"' in (verify.__doc__ or "")


def test_the_tree_line_that_is_shown_is_canonical() -> None:
    shown = section(TEXT, "A tree").split("```\n")[1].replace("<64 hexadecimal digits>", "0" * 64)

    tree = importlib.import_module("issmedia.model.tree").parse_tree(shown.encode(), where="docs/format.md")

    assert [entry.path for entry in tree.entries] == ["Packages/a.rpm"]


def test_the_index_of_parity_has_the_form_that_is_shown() -> None:
    block = recovery.LEAST_BLOCK
    data = recovery.Column(1, (Entry("a", digest_of(b"a"), 1),), digest_of(b"block"))
    parity = recovery.Column(2, (Entry("parity/0001", digest_of(b"b"), block),), digest_of(b"block"))
    (shown,) = re.findall(r"`(\{\"format\".*\})`", section(TEXT, "Parity"))

    for one in data, parity:
        shown = shown.replace("STREAM,…", msgspec.json.encode(one).decode(), 1)

    facts = recovery.Recovery("zfec", 1, 1, block, 1, (2,), recovery.IndexFile(Digest("0" * 64), 1))
    index = recovery.parse_index(f"{shown}\n".encode(), facts, where="docs/format.md")
    assert (data, parity) == index.columns


def test_the_code_that_is_described_is_the_one_that_is_used() -> None:
    k, m = 20, 7
    data = [bytes([(37 * number + 11) % 256]) for number in range(k)]

    parity = Code(k, m).parity(data)

    known = {number: block[0] for number, block in enumerate(data, 1)}
    assert [block[0] for block in parity] == [value_at(volume, known) for volume in range(k + 1, k + m + 1)]


def test_any_k_blocks_give_the_others_as_it_is_described() -> None:
    text = " ".join(section(TEXT, "Parity").split())
    data, parity = (
        [int(number) for number in re.findall(r"\d+", found)] for found in re.findall(r"bytes ((?:\d+, )+\d+)", text)
    )

    stripe = dict(enumerate([*data, *parity], 1))
    kept = {volume: stripe[volume] for volume in (2, 4, 5)}

    assert len(stripe) == 5
    assert stripe == {volume: value_at(volume, kept) for volume in stripe}


def test_a_label_is_made_as_it_is_described() -> None:
    facts = manifest.parse_manifest((ROOT / "tests/golden/v1/manifest.json").read_bytes())

    text = f"{facts.site.id} {facts.destination or ''} {facts.sequence} {facts.created}"

    assert facts.volumes[0].label == f"ISSM_{digest_of(text.encode())[:8].upper()}_V01OF01"
    assert layout.is_volume_label(re.findall(r"`(ISSM_\w+)`", section(TEXT, "Volumes"))[0])


def documents_of(module: str) -> Iterator[type[msgspec.Struct]]:
    """Give the public structures that a module describes documents by: those that refuse what they do not know."""
    for name, kind in vars(importlib.import_module(module)).items():
        own = isinstance(kind, type) and issubclass(kind, msgspec.Struct) and kind.__module__ == module
        if own and kind.__struct_fields__ and kind.__struct_config__.forbid_unknown_fields and not name.startswith("_"):
            yield kind


def value_at(volume: int, known: Mapping[int, int]) -> int:
    """Give the byte of a volume where those of as many as there are data volumes are `known`: Lagrange's formula."""
    found = 0
    for one, value in known.items():
        term = value
        for other in known.keys() - {one}:
            term = times(term, times(point(volume) ^ point(other), inverse(point(one) ^ point(other))))
        found ^= term
    return found


def point(volume: int) -> int:
    """Give p(volume): 0, then the powers of 2."""
    found = 1
    for _ in range(volume - 2):
        found = times(found, 2)
    return found if volume > 1 else 0


def times(one: int, other: int) -> int:
    """Multiply in GF(2^8), modulo x^8 + x^4 + x^3 + x^2 + 1."""
    product = 0
    while other:
        product ^= one * (other & 1)
        one, other = (one << 1) ^ (0x11D * (one >> 7)), other >> 1
    return product


def inverse(one: int) -> int:
    """Find what gives 1 with it."""
    return next(other for other in range(1, 256) if times(one, other) == 1)


def constant(name: str) -> int:
    """Give the value of `layer.module.NAME` in issmedia."""
    module, _, attribute = name.rpartition(".")
    return int(getattr(importlib.import_module(f"issmedia.{module}"), attribute))
