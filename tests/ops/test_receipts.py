"""Receipts: made here, and accepted from other sites; what is refused changes nothing."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from issmedia.base.digest import digest_of
from issmedia.base.errors import FormatError, FutureError, IssmediaError, RollbackError, UntrustedError, UsageError
from issmedia.base.events import Event, Warned, ignore
from issmedia.depot.keys import FileKey
from issmedia.depot.refusals import Refusals
from issmedia.model.manifest import LedgerHead, SiteName, Tool
from issmedia.model.receipt import (
    NAMESPACE_RECEIPT,
    Receipt,
    parse_receipt,
    refusal,
    render_receipt,
    split_receipt,
)
from issmedia.model.spoken import spoken_lines
from issmedia.ops import setup, sites
from issmedia.ops.accept import Accepted, accept_receipt
from issmedia.ops.receipts import Made, make_receipt
from tests.makers.documents import NOW
from tests.makers.receipts import SIGNER, sample_receipt, signed
from tests.makers.sites import Site
from tests.makers.sshkeys import ed25519_key

LATER = "2026-06-08T12:00:00Z"
RECEIPT = sample_receipt()
"""What the site `lab-north` says at `NOW`."""

STRANGER = ed25519_key(9)


@pytest.fixture
def hq(tmp_path: Path) -> Site:
    """A site that knows `lab-north` by the key `SIGNER`, and `south` by another."""
    depot = setup.init(tmp_path / "hq", name="hq", site_id="a" * 32, now=NOW)
    with depot.owned("test", now=NOW) as owned:
        sites.add_site(owned, "lab-north", [SIGNER.public.line], now=NOW)
        sites.add_site(owned, "south", [ed25519_key(4).public.line], now=NOW)
    return Site(depot.root)


def altered(**fields: object) -> Receipt:
    """Give the sample with other fields."""
    return msgspec.structs.replace(RECEIPT, **fields)


def signed_by(key: FileKey, receipt: Receipt, namespace: str = NAMESPACE_RECEIPT) -> bytes:
    """Give the file of a receipt that another key signed."""
    document = render_receipt(receipt)
    return document + key.sign(document, namespace)


def accepted(hq: Site, data: bytes, *, now: str = LATER, events: list[Event] | None = None) -> Accepted:
    """Accept a receipt."""
    with hq.depot.owned("test", now=now) as owned:
        return accept_receipt(owned, data, now=now, report=(events if events is not None else []).append)


def assert_refused(hq: Site, data: bytes, error: type[IssmediaError], *says: str, now: str = LATER) -> None:
    """See that a receipt is refused in these words, and that nothing changed."""
    before = hq.state()

    with pytest.raises(error) as caught:
        accepted(hq, data, now=now)

    assert hq.state() == before
    told = f"{caught.value.message} {caught.value.hint}"
    assert [word for word in says if word not in told] == [], told


def made(site: Site, *, now: str = NOW, sign: Callable[[bytes], bytes] | None = None) -> Made:
    """Make a receipt."""
    by_signer = sign or (lambda document: SIGNER.sign(document, NAMESPACE_RECEIPT))
    with site.depot.owned("test", now=now) as owned:
        return make_receipt(owned, tool=Tool("issmedia", "0"), now=now, sign=by_signer, report=ignore)


def test_a_receipt_is_recorded_and_carries_the_ledgers_head_before_that(hq: Site) -> None:
    with hq.depot.catalog.reading() as db:
        head = db.ledger.head()

    receipt = made(hq)

    with hq.depot.catalog.reading() as db:
        (recorded,) = db.sites.receipts()
        newest = db.ledger.newest("receipt")
    assert (receipt.receipt.ledger.number, receipt.receipt.ledger.hash) == head == recorded.ledger
    assert (recorded.id, recorded.document) == (receipt.id, split_receipt(receipt.data)[0])
    assert newest is not None
    assert newest.facts["receipt"] == receipt.id == digest_of(recorded.document)
    assert parse_receipt(recorded.document) == receipt.receipt


def test_a_receipt_tells_the_newest_eight_refusals(hq: Site) -> None:
    refusals = [refusal(NOW, f"hq #{number}", "older") for number in range(10)]
    for one in refusals:
        Refusals(hq.root).add(one)

    receipt = made(hq)

    assert receipt.receipt.refused == tuple(reversed(refusals))[:8]


def test_a_receipt_that_cannot_be_signed_is_not_recorded(hq: Site) -> None:
    before = hq.state()

    def refuse(_document: bytes) -> bytes:
        raise UsageError("no key")

    with pytest.raises(UsageError):
        made(hq, sign=refuse)

    assert hq.state() == before


def test_a_receipt_is_recorded_with_its_site(hq: Site) -> None:
    result = accepted(hq, signed(RECEIPT))

    with hq.depot.catalog.reading() as db:
        (recorded,) = db.sites.receipts("lab-north")
        newest = db.ledger.newest("receipt-accepted")
        site = db.sites.get("lab-north").site
    assert (result.site, result.site_id, result.again) == ("lab-north", RECEIPT.site.id, False)
    assert (recorded.id, recorded.created, recorded.recorded) == (result.receipt, NOW, LATER)
    assert site == RECEIPT.site.id
    assert newest is not None
    assert newest.facts["receipt"] == result.receipt


def test_typed_lines_are_the_same_receipt(hq: Site) -> None:
    typed = "\n".join(spoken_lines(signed(RECEIPT))).lower().encode()

    result = accepted(hq, typed)

    assert result.receipt == digest_of(render_receipt(RECEIPT))


def test_the_same_again_changes_nothing(hq: Site) -> None:
    accepted(hq, signed(RECEIPT))
    before = hq.state()

    again = accepted(hq, signed(RECEIPT), now="2026-07-01T00:00:00Z")

    assert again.again
    assert hq.state() == before


@pytest.mark.parametrize(
    ("data", "hint"),
    [
        (signed_by(STRANGER, RECEIPT), "issmedia site add NAME --key FILE"),
        (b"{not json}\n" + STRANGER.sign(b"{not json}\n", NAMESPACE_RECEIPT), "issmedia site add NAME --key FILE"),
        (signed(RECEIPT).replace(b'"number":1234', b'"number":1235'), "carry it again, as it is"),
        (signed_by(SIGNER, RECEIPT, "issmedia-bundle"), "carry it again, as it is"),
        (
            render_receipt(RECEIPT) + b"-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----\n",
            "carry it again, as it is",
        ),
    ],
    ids=["a strange key", "not even JSON", "altered", "another namespace", "no signature"],
)
def test_what_no_pinned_key_signed_is_refused_unparsed(hq: Site, data: bytes, hint: str) -> None:
    assert_refused(hq, data, UntrustedError, "pinned for a site", hint)


def test_a_signature_does_not_help_what_is_no_receipt(hq: Site) -> None:
    document = b'{"format":"issmedia-receipt","version":2}\n'

    assert_refused(hq, document + SIGNER.sign(document, NAMESPACE_RECEIPT), FormatError, "expected version 1, found 2")


def test_the_key_of_one_site_does_not_sign_for_another(hq: Site) -> None:
    south = signed_by(ed25519_key(4), RECEIPT)

    assert_refused(hq, south, UntrustedError, "is of site lab-north", "pinned for south")


def test_a_known_site_does_not_change_its_name_to_anothers(hq: Site) -> None:
    accepted(hq, signed(RECEIPT))
    renamed = altered(site=SiteName(RECEIPT.site.id, "south"), created=LATER)

    assert_refused(hq, signed_by(ed25519_key(4), renamed), UntrustedError, "is of site lab-north")


def test_another_sites_id_under_a_known_label_is_refused(hq: Site) -> None:
    accepted(hq, signed(RECEIPT))
    other = altered(site=SiteName("f" * 32, "lab-north"), created=LATER)

    assert_refused(hq, signed(other), UntrustedError, "expected site id", "f" * 32, "issmedia site remove lab-north")


def test_an_older_receipt_is_refused(hq: Site) -> None:
    accepted(hq, signed(altered(created=LATER)))

    assert_refused(hq, signed(RECEIPT), RollbackError, f"made at {NOW}", LATER)


def test_a_receipt_of_the_far_future_is_refused(hq: Site) -> None:
    assert_refused(
        hq,
        signed(altered(created="2028-12-01T00:00:00Z")),
        FutureError,
        "one of two clocks",
        now="2026-12-01T00:00:00Z",
    )


def test_lines_with_a_wrong_character_are_refused(hq: Site) -> None:
    lines = list(spoken_lines(signed(RECEIPT)))
    lines[2] = lines[2][:-1] + ("0" if lines[2][-1] != "0" else "1")

    assert_refused(hq, "\n".join(lines).encode(), FormatError, "lines are wrong or missing")


@pytest.mark.parametrize("data", [b"", b"\xff", b"{", b"x" * (1 << 20)], ids=["nothing", "no text", "half", "too long"])
def test_what_is_neither_file_nor_lines_is_refused(hq: Site, data: bytes) -> None:
    assert_refused(hq, data, FormatError)


def test_a_site_of_another_name_is_known_by_its_key_and_the_name_is_warned_of(hq: Site) -> None:
    events: list[Event] = []

    result = accepted(hq, signed(altered(site=SiteName("c" * 32, "nord"))), events=events)

    assert result.site == "lab-north"
    assert [event.message for event in events if isinstance(event, Warned)] == [
        "the site calls itself nord: it refuses bundles for lab-north"
    ]


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"ledger": LedgerHead(1200, digest_of(b"old"))}, f"its ledger has 1200 entries, at {NOW} it had 1234"),
        ({"ledger": LedgerHead(1234, digest_of(b"other"))}, f"entry 1234 of its ledger is not the one of {NOW}"),
        ({"chains": ()}, f"of the chain of hq it has nothing, at {NOW} it had #41"),
        (
            {"chains": (msgspec.structs.replace(RECEIPT.chains[0], sequence=40),)},
            f"of the chain of hq it has #40, at {NOW} it had #41",
        ),
    ],
    ids=["a shorter ledger", "another ledger", "a chain gone", "a chain gone back"],
)
def test_a_site_that_went_back_is_accepted_with_a_warning(hq: Site, fields: dict[str, object], says: str) -> None:
    accepted(hq, signed(RECEIPT))
    events: list[Event] = []

    result = accepted(hq, signed(altered(created=LATER, **fields)), events=events)

    assert result.restored == (says,)
    assert [event.message.startswith(says) for event in events if isinstance(event, Warned)] == [True]


def test_a_site_that_went_on_is_accepted_without_a_warning(hq: Site) -> None:
    accepted(hq, signed(RECEIPT))
    events: list[Event] = []

    result = accepted(hq, signed(altered(created=LATER, ledger=LedgerHead(1300, digest_of(b"new")))), events=events)

    assert (result.restored, events) == ((), [])
