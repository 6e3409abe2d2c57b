"""What checking upstream's signatures gave, and what a policy makes of it."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from issmedia.base.errors import Problem, UntrustedError
from issmedia.model.judgement import (
    MAX_EXCEPTIONS,
    Counts,
    Exempt,
    Judged,
    Outcome,
    Policy,
    Signer,
    Verdict,
    is_refused,
    metadata_policy_in_force,
    outcome_fault,
    outcome_of,
    policy_in_force,
    problems,
    require_good,
    warnings,
)

KEY, OTHER = "A" * 40, "B" * 40
GOOD = Judged("good", KEY)
BAD, UNSIGNED = Judged("bad", reason="the digest of its payload is another"), Judged("unsigned", reason="has none")


def outcome(*judged: tuple[str, Judged], metadata: Judged | None = None) -> Outcome:
    """Make the outcome of these verdicts."""
    return outcome_of(judged, (OTHER, KEY), policy="require", metadata_policy="off", metadata=metadata)


@pytest.mark.parametrize(
    ("said", "pinned", "expected"),
    [
        (None, True, "require"),
        (None, False, "off"),
        ("warn", True, "warn"),
        ("off", True, "off"),
        ("require", False, "require"),
    ],
)
def test_packages_must_be_good_once_a_key_is_pinned(said: Policy | None, pinned: bool, expected: Policy) -> None:
    assert policy_in_force(said, pinned=pinned) == expected


@pytest.mark.parametrize(
    ("said", "pinned", "signed", "expected"),
    [
        (None, True, True, "require"),
        (None, True, False, "off"),
        (None, False, True, "off"),
        ("require", True, False, "require"),
        ("off", True, True, "off"),
    ],
)
def test_metadata_must_be_good_where_upstream_signs_them(
    said: Policy | None, pinned: bool, signed: bool, expected: Policy
) -> None:
    assert metadata_policy_in_force(said, pinned=pinned, signed=signed) == expected


@pytest.mark.parametrize("verdict", ["bad", "unsigned", "cannot judge"])
def test_only_require_refuses_and_only_what_is_not_good(verdict: Verdict) -> None:
    policies: tuple[Policy, ...] = ("require", "warn", "off")

    assert [is_refused(Judged(verdict), policy) for policy in policies] == [True, False, False]
    assert not any(is_refused(GOOD, policy) for policy in policies)


def test_verdicts_are_counted_and_what_is_not_good_is_named() -> None:
    found = outcome(("c", BAD), ("a", GOOD), ("b", UNSIGNED), ("d", Judged("good", OTHER)), ("e", GOOD))

    assert found.counts == Counts(good=3, bad=1, unsigned=1)
    assert found.signers == (Signer(KEY, 2), Signer(OTHER, 1))
    assert found.keys == (KEY, OTHER)
    assert found.exceptions == (
        Exempt("b", "unsigned", "has none"),
        Exempt("c", "bad", "the digest of its payload is another"),
    )


@given(st.permutations([("a", GOOD), ("b", BAD), ("c", UNSIGNED), ("d", GOOD)]))
def test_the_order_of_verdicts_says_nothing(judged: list[tuple[str, Judged]]) -> None:
    assert outcome(*judged) == outcome(("a", GOOD), ("b", BAD), ("c", UNSIGNED), ("d", GOOD))


def test_many_exceptions_are_counted_and_the_first_named() -> None:
    found = outcome(*((f"{number:05}", BAD) for number in reversed(range(MAX_EXCEPTIONS + 7))))

    assert len(found.exceptions) == MAX_EXCEPTIONS
    assert found.exceptions[0].path == "00000"
    assert found.unnamed == 7
    assert [one.message for one in problems(found)][-1] == "and 7 more packages"


@pytest.mark.parametrize(
    ("judged", "metadata", "clean"),
    [(GOOD, None, True), (GOOD, GOOD, True), (BAD, None, False), (GOOD, UNSIGNED, False)],
)
def test_an_outcome_is_clean_when_all_that_was_looked_at_is_good(
    judged: Judged, metadata: Judged | None, clean: bool
) -> None:
    assert outcome(("a", judged), metadata=metadata).is_clean == clean


def test_an_outcome_travels_as_json() -> None:
    found = outcome(("a", GOOD), ("b", BAD), metadata=UNSIGNED)

    assert msgspec.json.decode(msgspec.json.encode(found), type=Outcome) == found


@pytest.mark.parametrize("text", ["a" * 40, "A" * 39, "A" * 41, "", "G" * 40, "A" * 40 + "\n"])
def test_what_is_no_fingerprint_is_refused(text: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"verdict": "good", "key": text}, Judged)


def test_an_outcome_that_was_made_here_has_no_fault() -> None:
    judged = [("a.rpm", Judged("good", KEY)), ("b.rpm", Judged("bad", reason="changed"))]

    made = outcome_of(judged, [KEY], policy="warn", metadata_policy="require", metadata=Judged("good", KEY))

    assert outcome_fault(made) is None


def test_what_is_required_and_not_good_is_refused_with_the_settings_that_let_it_pass() -> None:
    packages = outcome_of([("a.rpm", Judged("bad", reason="changed"))], [], policy="require", metadata_policy="off")
    metadata = outcome_of([], [], policy="off", metadata_policy="require", metadata=Judged("unsigned", reason="none"))

    with pytest.raises(UntrustedError) as caught:
        require_good({"p/zoo": packages, "p/farm": metadata, "p/fine": Outcome("require", "require")})

    assert [one.where for one in caught.value.problems] == ["p/zoo: a.rpm", "p/farm: repodata/repomd.xml"]
    assert "issmedia repo set p/zoo --gpgcheck warn; issmedia repo set p/farm --repo-gpgcheck warn" in str(
        caught.value.hint
    )


def test_a_warning_is_no_refusal() -> None:
    made = outcome_of([("a.rpm", Judged("bad", reason="changed"))], [], policy="warn", metadata_policy="off")

    require_good({"p/zoo": made})

    assert list(warnings({"p/zoo": made})) == [Problem("p/zoo: a.rpm", "bad: changed")]
