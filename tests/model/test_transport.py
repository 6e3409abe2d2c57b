import msgspec
import pytest

from issmedia.base.errors import UsageError
from issmedia.model.transport import NOTHING_CHOSEN, Kind, Transport, checked_variables, substituted


@pytest.mark.parametrize(
    "url",
    ["https://h/$releasever/$basearch/", "https://h/${releasever}/${basearch}/"],
)
def test_variables_stand_in_urls(url: str) -> None:
    assert substituted(url, {"releasever": "9", "basearch": "x86_64"}) == "https://h/9/x86_64/"


def test_a_variable_without_a_value_is_refused() -> None:
    with pytest.raises(UsageError, match=r"\$basearch has no value") as caught:
        substituted("https://h/$basearch", {"releasever": "9"})

    assert "say --var basearch=VALUE (it may be empty)" in str(caught.value.hint)


@pytest.mark.parametrize("value", ["..", ".a", "a/b", "a@b", "9?x", "a b", "-\n", "x" * 200])
def test_a_value_that_would_lead_elsewhere_is_refused(value: str) -> None:
    with pytest.raises(UsageError):
        checked_variables({"releasever": value})


@pytest.mark.parametrize("value", ["", "-x", "-beta"])
def test_a_variable_may_be_empty_or_begin_with_a_hyphen_as_rockys_rltype(value: str) -> None:
    variables = checked_variables({"rltype": value})

    assert substituted("https://h/?repo=os-9$rltype", variables) == f"https://h/?repo=os-9{value}"


@pytest.mark.parametrize("url", ["https://h/a/.$x./b", "https://h/a/${x}..", "https://h/a/..${x}?b"])
def test_an_empty_variable_leads_no_directory_up(url: str) -> None:
    with pytest.raises(UsageError, match=r"would make a \.\."):
        substituted(url, {"x": ""})


def test_what_was_not_chosen_is_not_written() -> None:
    assert msgspec.json.encode(NOTHING_CHOSEN) == b"{}"
    assert msgspec.json.encode(Transport(jobs=4)) == b'{"jobs":4}'


def test_what_is_said_replaces_what_was_chosen_and_nothing_takes_it_back() -> None:
    old = Transport(Kind.METALINK, ("u",), {"a": "1", "b": "2"}, jobs=4, proxy="p", rate=5)

    new = old.updated(Transport(variables={"b": "3"}, proxy="", rate=0, tries=2))

    assert new == Transport(Kind.METALINK, ("u",), {"a": "1", "b": "3"}, jobs=4, tries=2)


def test_a_new_place_has_its_own_kind() -> None:
    assert Transport(Kind.METALINK, jobs=4).moved(Transport(others=("u",))) == Transport(others=("u",), jobs=4)
