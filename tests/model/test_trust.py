"""The rules of trust: each raises, none returns False."""

import msgspec
import pytest
from msgspec.structs import replace

from issmedia.base.digest import Digest
from issmedia.base.errors import (
    BaseMissingError,
    DestinationError,
    EquivocationError,
    ExpiredError,
    FutureError,
    RollbackError,
    UntrustedError,
)
from issmedia.model import trust
from issmedia.model.manifest import BaseEntry, Manifest
from issmedia.model.strictjson import MAX_INTEGER
from issmedia.model.trust import ChainMark, SiteState
from tests.makers.documents import NOW, SITE, sample_manifest

OLD, NEW, OTHER = (Digest(letter * 64) for letter in "abc")
BEFORE, AFTER = "2026-05-01T00:00:00Z", "2026-07-01T00:00:00Z"
EMPTY = SiteState(name="lab", imported={}, marks={}, floor="")


def manifest(
    *, sequence: int = 1, destination: str | None = None, expires: str | None = None, site: str = SITE.id
) -> Manifest:
    """Make a manifest of this chain."""
    base = sample_manifest()
    return msgspec.structs.replace(
        base,
        sequence=sequence,
        destination=destination,
        expires=expires,
        site=msgspec.structs.replace(base.site, id=site),
    )


def state(sequence: int, bundle: Digest = OLD, *, destination: str = "") -> SiteState:
    """Be a site that imported one bundle of this chain."""
    chain = (SITE.id, destination)
    return replace(EMPTY, imported={(*chain, sequence): bundle}, marks={chain: ChainMark(sequence, bundle, NOW)})


@pytest.mark.parametrize(("signers", "threshold"), [(1, 1), (2, 1), (2, 2), (3, 2)])
def test_enough_distinct_keys_pass(signers: int, threshold: int) -> None:
    trust.require_threshold({f"key{number}": "hq" for number in range(signers)}, threshold, untrusted=())


@pytest.mark.parametrize(("signers", "threshold"), [(0, 1), (1, 2), (5, 6), (1, 0), (0, 0), (1, -1)])
def test_too_few_keys_or_a_threshold_below_one_are_refused(signers: int, threshold: int) -> None:
    with pytest.raises(UntrustedError):
        trust.require_threshold({f"key{number}": "hq" for number in range(signers)}, threshold, untrusted=())


def test_a_refusal_counts_and_names_the_keys_that_are_not_trusted() -> None:
    with pytest.raises(UntrustedError) as caught:
        trust.require_threshold({"SHA256:a": "hq"}, 2, untrusted=("SHA256:x", "SHA256:y"))

    assert caught.value.where == "manifest.json.sig"
    assert caught.value.message == (
        "expected 2 valid signatures by trusted keys, found 1: hq (SHA256:a); not trusted here: SHA256:x, SHA256:y"
    )


def test_a_refusal_speaks_of_one_signature_and_of_none() -> None:
    with pytest.raises(UntrustedError) as caught:
        trust.require_threshold({}, 1, untrusted=())

    assert caught.value.message == "expected 1 valid signature by trusted keys, found none"


@pytest.mark.parametrize(("now", "floor", "effective"), [(NOW, "", NOW), (NOW, BEFORE, NOW), (NOW, AFTER, AFTER)])
def test_the_clock_is_never_behind_what_was_verified(now: str, floor: str, effective: str) -> None:
    assert effective == trust.effective_now(now, replace(EMPTY, floor=floor))


@pytest.mark.parametrize("expires", [None, AFTER])
def test_a_bundle_that_is_not_expired_passes(expires: str | None) -> None:
    trust.require_fresh(NEW, manifest(expires=expires), NOW)


@pytest.mark.parametrize("expires", [NOW, BEFORE])
def test_an_expired_bundle_is_refused_from_the_very_moment(expires: str) -> None:
    with pytest.raises(ExpiredError, match=expires) as caught:
        trust.require_fresh(NEW, manifest(expires=expires), NOW)

    assert str(caught.value.hint).endswith(f"issmedia import --allow-rollback {NEW[:16]} PATH")


def test_a_bundle_of_the_far_future_is_refused_with_the_command_that_allows_it() -> None:
    with pytest.raises(FutureError) as caught:
        trust.require_plausible(
            NEW, msgspec.structs.replace(manifest(), created="2099-01-01T00:00:00Z"), "2027-01-01T00:00:00Z"
        )

    assert str(caught.value.hint).endswith(f"issmedia import --allow-rollback {NEW[:16]} PATH")


@pytest.mark.parametrize("sequence", [1, 5])
def test_the_first_bundle_of_a_chain_may_have_any_sequence(sequence: int) -> None:
    trust.require_progress(NEW, manifest(sequence=sequence), EMPTY)


@pytest.mark.parametrize("sequence", [8, 100])
def test_a_newer_bundle_passes(sequence: int) -> None:
    trust.require_progress(NEW, manifest(sequence=sequence), state(7))


def test_the_same_bundle_again_passes() -> None:
    trust.require_progress(OLD, manifest(sequence=7), state(7))


def test_an_older_bundle_is_refused_with_both_numbers() -> None:
    with pytest.raises(RollbackError, match="sequence 6, already imported is 7"):
        trust.require_progress(NEW, manifest(sequence=6), state(7))


def test_one_sequence_with_two_contents_is_an_alarm_naming_both() -> None:
    with pytest.raises(EquivocationError, match=f"ALARM.*{OLD}.*{NEW}"):
        trust.require_progress(NEW, manifest(sequence=7), state(7))


def test_an_old_bundle_is_refused_though_it_was_imported_before() -> None:
    site = replace(state(7), imported={(SITE.id, "", 7): OLD, (SITE.id, "", 6): OTHER})

    with pytest.raises(RollbackError, match="has sequence 6, already imported is 7"):
        trust.require_progress(OTHER, manifest(sequence=6), site)


def test_chains_of_other_sites_and_destinations_do_not_count() -> None:
    trust.require_progress(NEW, manifest(sequence=1, site="f" * 32), state(7))
    trust.require_progress(NEW, manifest(sequence=1, destination="lab"), state(7))
    trust.require_progress(NEW, manifest(sequence=1), state(7, destination="lab"))


@pytest.mark.parametrize("destination", [None, "lab", "LAB"])
def test_a_bundle_for_this_site_or_any_passes(destination: str | None) -> None:
    trust.require_destination(manifest(destination=destination), EMPTY)


def test_a_bundle_for_another_site_is_refused_naming_both() -> None:
    with pytest.raises(DestinationError, match="meant for site 'field', this is 'lab'"):
        trust.require_destination(manifest(destination="field"), EMPTY)


@pytest.mark.parametrize(
    ("base", "at", "first"),
    [
        ("hq #5", 2, "import #3, #4 and #5 first; or: "),
        ("hq #5", 4, "import #5 first; or: "),
        ("hq #20", 2, "import #3, #4, #5, #6, #7, #8, #9, #10, #11, #12, #13, … and #20 first; or: "),
        (f"hq #{MAX_INTEGER}", 7, "import #8, #9, #10, #11, #12, #13, #14, #15, #16, #17, #18, … and #90071992547409"),
        ("hq → lab #5", 2, "import hq → lab #5 first; or: "),
        ("hq #5", 5, ""),
    ],
)
def test_a_delta_without_its_base_names_what_comes_first(base: str, at: int, first: str) -> None:
    found = manifest(sequence=21)
    entry = BaseEntry("bundle", base, NOW, OLD, int(base.rpartition("#")[2]), None, None)
    repository = msgspec.structs.replace(found.repositories[0], base_trees=(OLD,))
    delta = msgspec.structs.replace(found, bases=(entry,), repositories=(repository,))

    with pytest.raises(BaseMissingError) as caught:
        trust.require_base(delta, state(at))

    assert str(caught.value.hint).startswith(first)
    assert "issmedia receipt tells the sender" in str(caught.value.hint)
