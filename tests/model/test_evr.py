"""RPM's order of versions, against RPM's own facts, RPM itself and an independent implementation."""

import random
from pathlib import Path

import pytest
import rpm_rs
from hypothesis import given
from hypothesis import strategies as st

from issmedia.model.evr import EVR, compare_evr, compare_versions, evr_key
from tests.makers.programs import require, run

OLDER = [
    ("1.0", "2.0"),
    ("2.0", "2.0.1"),
    ("2.0.1", "2.0.1a"),
    ("5.5p1", "5.5p2"),
    ("5.5p1", "5.5p10"),
    ("xyz10", "xyz10.1"),
    ("xyz.4", "8"),
    ("xyz.4", "2"),
    ("5.6p1", "6.5p1"),
    ("6.0", "6.0.rc1"),
    ("10a2", "10b2"),
    ("1.0a", "1.0aa"),
    ("10.0001", "10.0039"),
    ("4.999.9", "5.0"),
    ("20101121", "20101122"),
    ("1.0~rc1", "1.0"),
    ("1.0~rc1", "1.0~rc2"),
    ("1.0~rc1~git123", "1.0~rc1"),
    ("1.0", "1.0^"),
    ("1.0^git1", "1.0^git2"),
    ("1.0^git1", "1.01"),
    ("1.0^20160101", "1.0.1"),
    ("1.0^20160101", "1.0^20160101^git1"),
    ("1.0~rc1", "1.0~rc1^git1"),
    ("1.0^git1~pre", "1.0^git1"),
    ("1.0~rc1^git1", "1.0"),
    ("0", "1" + "0" * 40),
    ("", "1"),
    ("~", ""),
]
"""The older and the newer; most of them stand in RPM's own tests, rpmvercmp.at."""

EQUAL = [
    ("1.0", "1.0"),
    ("2.0.1", "2_0_1"),
    ("fc4", "fc.4"),
    ("FC5", "FC.5"),
    ("a", "a+"),
    ("a+", "a_"),
    ("+", "_"),
    ("10.1", "10.01"),
    ("10.10001", "10.010001"),
    ("1.0~rc1", "1.0.~rc1"),
    ("1.0^", "1.0.^"),
    ("1.0.", "1.0"),
    ("1.0é", "1.0"),
    ("0", "000"),
]

versions = st.text("0019abZz.~^_+", max_size=10)
evrs = st.tuples(st.sampled_from("0012"), versions, versions)


@pytest.mark.parametrize(("older", "newer"), OLDER)
def test_an_older_version_comes_first(older: str, newer: str) -> None:
    assert (compare_versions(older, newer), compare_versions(newer, older)) == (-1, 1)


@pytest.mark.parametrize(("one", "other"), EQUAL)
def test_versions_that_differ_in_separators_and_zeros_are_equal(one: str, other: str) -> None:
    assert (compare_versions(one, other), compare_versions(other, one)) == (0, 0)


def test_the_epoch_decides_before_the_version_and_that_before_the_release() -> None:
    ascending: list[EVR] = [("0", "1", "1"), ("0", "1", "10"), ("0", "2", "1"), ("1", "0", "1"), ("10", "0", "0")]

    assert sorted(sorted(ascending), key=evr_key) == ascending


@given(evrs, evrs, evrs)
def test_it_is_an_order(one: EVR, other: EVR, third: EVR) -> None:
    low, middle, high = sorted([one, other, third], key=evr_key)

    assert compare_evr(one, other) == -compare_evr(other, one)
    assert max(compare_evr(low, middle), compare_evr(middle, high), compare_evr(low, high)) <= 0


@given(evrs, evrs)
def test_an_independent_implementation_agrees(one: EVR, other: EVR) -> None:
    ours, theirs = compare_evr(one, other), (rpm_rs.Evr(*one), rpm_rs.Evr(*other))

    assert ours == (theirs[0] > theirs[1]) - (theirs[0] < theirs[1])


@pytest.mark.system
def test_rpm_agrees_on_thousands_of_pairs(tmp_path: Path) -> None:
    require("rpm")
    pairs = [*OLDER, *EQUAL, *(random_pair(random.Random(seed)) for seed in range(5000))]
    labels = [(f"0:{one}-{other}", f"0:{other}-{one}") for one, other in pairs if one and other and one.isascii()]
    (tmp_path / "pairs").write_text("".join(f"{one}\t{other}\n" for one, other in labels))
    program = (
        f"for line in io.lines('{tmp_path}/pairs') do "
        "local tab = line:find('\\t'); print(rpm.vercmp(line:sub(1, tab - 1), line:sub(tab + 1)) .. ' ') end"
    )

    said = run("rpm", "--eval", f"%{{lua: {program}}}").split()

    assert [int(one) for one in said] == [compare_evr(split(one), split(other)) for one, other in labels]


def random_pair(source: random.Random) -> tuple[str, str]:
    """Make two versions that often begin alike."""
    parts = ["0", "1", "9", "10", "010", "a", "b", "rc", "el9", ".", "_", "~", "^", "+"]
    start = "".join(source.choices(parts, k=source.randint(0, 4)))
    one, other = (start + "".join(source.choices(parts, k=source.randint(1, 4))) for _ in "12")
    return one, other


def split(label: str) -> EVR:
    """Read `epoch:version-release`."""
    epoch, _, rest = label.partition(":")
    version, _, release = rest.partition("-")
    return epoch, version, release
