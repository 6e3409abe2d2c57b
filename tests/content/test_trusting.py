"""Signatures while syncing: what is judged, when it is judged anew, and what the outcome says."""

import shutil
from pathlib import Path

import pytest

from issmedia.base.errors import FormatError, UntrustedError, UpstreamError
from issmedia.base.events import Event, Note, Started, Warned
from issmedia.content.base import Checks, Choice
from issmedia.content.yum.trusting import PHASE
from issmedia.model.judgement import Counts, Outcome, Policy, Signer
from issmedia.model.selection import Selection
from tests.makers.http_server import FOR_EVER, Answer, Before, serving
from tests.makers.openpgp import OpenPGPKey, openpgp_key
from tests.makers.repos import BuiltRepo, PackageSpec, build_repo
from tests.makers.sink import MemorySink
from tests.makers.syncs import reasons, sync
from tests.makers.verdicts import LATER

VENDOR, OTHER = openpgp_key("vendor"), openpgp_key("other")
ASC = "repodata/repomd.xml.asc"


def checks(*keys: OpenPGPKey, packages: Policy | None = None, metadata: Policy | None = None) -> Checks:
    """Pin keys, and say what is asked."""
    return Checks(tuple(key.public for key in keys), packages, metadata, LATER)


def outcome(found: Outcome | None) -> Outcome:
    """Take an outcome that must be there."""
    assert found is not None
    return found


def judged(events: list[Event]) -> list[int | None]:
    """Say how many packages were judged, each time."""
    return [event.files for event in events if isinstance(event, Started) and event.phase == PHASE]


def mixed(directory: Path, *unsigned: str, metadata: OpenPGPKey = VENDOR) -> BuiltRepo:
    """Build a repository of three signed packages, and some that are not."""
    packages = [PackageSpec(name).build(VENDOR) for name in ("app", "base", "library")]
    return build_repo(directory, [*packages, *(PackageSpec(name).build() for name in unsigned)], sign_with=metadata)


def test_a_signed_repository_is_good_and_the_outcome_says_by_whom(signed_repo: BuiltRepo) -> None:
    found = outcome(sync(signed_repo.path, checks=checks(VENDOR, OTHER)).trust)

    assert (found.policy, found.metadata_policy) == ("require", "require")
    assert found.keys == tuple(sorted((VENDOR.fingerprint, OTHER.fingerprint)))
    assert found.counts == Counts(good=len(signed_repo.packages))
    assert found.signers == (Signer(VENDOR.fingerprint, len(signed_repo.packages)),)
    assert found.metadata is not None
    assert (found.metadata.verdict, found.metadata.key) == ("good", VENDOR.fingerprint)
    assert found.is_clean


def test_without_a_key_nothing_is_judged_and_a_hint_says_so_where_upstream_signs(
    signed_repo: BuiltRepo, repo: BuiltRepo
) -> None:
    signed: list[Event] = []
    unsigned: list[Event] = []

    found = [sync(signed_repo.path, report=signed.append).trust, sync(repo.path, report=unsigned.append).trust]

    assert found == [None, None]
    assert ["no key is pinned" in event.message for event in signed if isinstance(event, Note)] == [True]
    assert [event for event in unsigned if isinstance(event, Note)] == []


@pytest.mark.parametrize("pinned", [(), (VENDOR,)])
def test_what_is_off_is_not_looked_at(tmp_path: Path, pinned: tuple[OpenPGPKey, ...]) -> None:
    repo = mixed(tmp_path / "upstream", "naked", metadata=OTHER)
    events: list[Event] = []

    synced = sync(repo.path, checks=checks(*pinned, packages="off", metadata="off"), report=events.append)

    assert synced.trust is None
    assert synced.incomplete == ()
    assert [event for event in events if isinstance(event, Note | Warned)] == []


def test_unsigned_metadata_are_taken_where_upstream_never_signed_them(tmp_path: Path) -> None:
    repo = build_repo(tmp_path / "upstream", [PackageSpec("app").build(VENDOR)])

    found = outcome(sync(repo.path, checks=checks(VENDOR)).trust)

    assert (found.metadata_policy, found.metadata, found.counts) == ("off", None, Counts(good=1))


def test_what_is_not_signed_is_left_out_with_the_reason(tmp_path: Path) -> None:
    repo = mixed(tmp_path / "upstream", "naked")
    href = repo.package("naked").href

    synced = sync(repo.path, checks=checks(VENDOR))

    assert reasons(synced) == {href: "unsigned: has no signature"}
    assert synced.tree.find(href) is None
    assert outcome(synced.trust).counts == Counts(good=3, unsigned=1)
    assert synced.inventory is not None
    assert sorted(one.name for _, one in synced.inventory.packages) == ["app", "base", "library"]


def test_a_warning_takes_it_and_says_so(tmp_path: Path) -> None:
    repo = mixed(tmp_path / "upstream", "naked", metadata=OTHER)
    events: list[Event] = []

    synced = sync(repo.path, checks=checks(VENDOR, packages="warn", metadata="warn"), report=events.append)

    found = outcome(synced.trust)
    assert synced.incomplete == ()
    assert [one.path for one in found.exceptions] == [repo.package("naked").href]
    assert found.metadata is not None
    assert found.metadata.verdict == "cannot judge"
    assert [event.where for event in events if isinstance(event, Warned)] == [
        "repodata/repomd.xml",
        repo.package("naked").href,
    ]


def test_where_nothing_is_signed_by_a_pinned_key_nothing_is_synced(signed_repo: BuiltRepo) -> None:
    with pytest.raises(UntrustedError, match="none of 5 packages is signed by a pinned key") as caught:
        sync(signed_repo.path, checks=checks(OTHER, metadata="off"))

    assert len(caught.value.problems) == 5


def test_a_second_sync_judges_nothing(signed_repo: BuiltRepo) -> None:
    sink, events = MemorySink(), list[Event]()
    first = sync(signed_repo.path, sink, checks=checks(VENDOR))

    again = sync(signed_repo.path, sink, previous=first, checks=checks(VENDOR), report=events.append)

    assert again.unchanged
    assert again.trust == first.trust
    assert judged(events) == []


@pytest.mark.parametrize(
    "now",
    [checks(VENDOR, OTHER), checks(VENDOR, packages="warn"), checks(VENDOR, metadata="warn"), checks()],
    ids=["another key", "another policy", "another policy for metadata", "no key"],
)
def test_other_keys_or_policies_judge_an_unchanged_upstream_anew(signed_repo: BuiltRepo, now: Checks) -> None:
    sink, events = MemorySink(), list[Event]()
    first = sync(signed_repo.path, sink, checks=checks(VENDOR))

    again = sync(signed_repo.path, sink, previous=first, checks=now, report=events.append)

    assert not again.unchanged
    assert again.tree == first.tree
    assert again.trust == sync(signed_repo.path, checks=now).trust


def test_a_key_that_is_pinned_later_judges_what_is_there(signed_repo: BuiltRepo) -> None:
    sink = MemorySink()
    first = sync(signed_repo.path, sink)

    again = sync(signed_repo.path, sink, previous=first, checks=checks(VENDOR))

    assert outcome(again.trust).counts == Counts(good=5)


@pytest.mark.parametrize("policy", ["require", "warn"])
def test_only_what_is_new_or_was_not_good_is_judged(tmp_path: Path, policy: Policy) -> None:
    sink, events, asked = MemorySink(), list[Event](), checks(VENDOR, packages=policy)
    mixed(tmp_path / "upstream", "naked")
    first = sync(tmp_path / "upstream", sink, checks=asked)
    shutil.rmtree(tmp_path / "upstream")
    packages = [PackageSpec(name).build(VENDOR) for name in ("app", "library", "new")]
    build_repo(tmp_path / "upstream", [*packages, PackageSpec("naked").build()], sign_with=VENDOR)

    second = sync(tmp_path / "upstream", sink, previous=first, checks=asked, report=events.append)

    assert judged(events) == [2]
    assert second.trust == sync(tmp_path / "upstream", checks=asked).trust


def test_where_several_keys_signed_all_are_judged_again(tmp_path: Path) -> None:
    sink, events, asked = MemorySink(), list[Event](), checks(VENDOR, OTHER)
    packages = [PackageSpec("app").build(VENDOR), PackageSpec("base").build(OTHER)]
    build_repo(tmp_path / "upstream", packages)
    first = sync(tmp_path / "upstream", sink, checks=asked)
    build_repo(tmp_path / "upstream", [*packages, PackageSpec("new").build(OTHER)])

    second = sync(tmp_path / "upstream", sink, previous=first, checks=asked, report=events.append)

    assert judged(events) == [3]
    assert {one.key: one.packages for one in outcome(second.trust).signers} == {
        VENDOR.fingerprint: 1,
        OTHER.fingerprint: 2,
    }


def test_the_packages_of_a_selection_are_judged_and_so_is_upstreams_repomd(tmp_path: Path) -> None:
    repo, sink = mixed(tmp_path / "upstream", "naked", "unwanted"), MemorySink()
    choice = Choice(Selection(exclude=("unwanted",)))

    synced = sync(repo.path, sink, choice=choice, checks=checks(VENDOR))
    again = sync(repo.path, sink, previous=synced, choice=choice, checks=checks(VENDOR))

    found = outcome(synced.trust)
    assert found.counts == Counts(good=3, unsigned=1)
    assert found.metadata is not None
    assert found.metadata.verdict == "good"
    assert list(reasons(synced)) == [repo.package("naked").href]
    assert again.trust == synced.trust


def test_an_unchanged_selection_is_judged_anew_by_other_keys(signed_repo: BuiltRepo) -> None:
    sink, choice = MemorySink(), Choice(Selection(include=("app",)))
    first = sync(signed_repo.path, sink, choice=choice, checks=checks(VENDOR))

    same = sync(signed_repo.path, sink, previous=first, choice=choice, checks=checks(VENDOR))

    assert same.unchanged
    with pytest.raises(UntrustedError):
        sync(signed_repo.path, sink, previous=first, choice=choice, checks=checks(OTHER))


def test_a_signature_that_cannot_be_had_for_now_is_upstreams_fault(signed_repo: BuiltRepo) -> None:
    with serving(signed_repo.path) as server:
        server.behave(ASC, Answer(500, times=FOR_EVER))

        with pytest.raises(UpstreamError, match="its signature cannot be had: the server answered 500"):
            sync(server.url, checks=checks(VENDOR))


def test_an_upstream_that_is_replaced_between_metadata_and_signature_is_read_again(
    tmp_path: Path, signed_repo: BuiltRepo
) -> None:
    newer = mixed(tmp_path / "newer")
    sink, asked = MemorySink(), checks(VENDOR)

    def replaced() -> None:
        shutil.rmtree(signed_repo.path)
        shutil.copytree(newer.path, signed_repo.path)

    with serving(signed_repo.path) as server:
        server.behave(ASC, Before(replaced))
        synced = sync(server.url, sink, checks=asked)

    assert outcome(synced.trust).counts == Counts(good=3)


def test_a_key_that_nobody_should_trust_any_more_stops_the_sync(signed_repo: BuiltRepo) -> None:
    damaged = Checks((b"no key",), None, None, LATER)

    with pytest.raises(FormatError, match="holds no OpenPGP public key") as caught:
        sync(signed_repo.path, checks=damaged)

    assert caught.value.where == "a pinned key"
