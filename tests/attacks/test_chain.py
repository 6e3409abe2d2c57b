"""Attacks on the order of bundles, on time and on who a bundle is for: rows 18 to 29 of the threats.

Those on deltas are in `test_deltas.py`, those on real sets of volumes in `test_volumes.py`.
"""

from pathlib import Path

import pytest
from msgspec.structs import replace

from issmedia.base.digest import Digest
from issmedia.base.errors import ExpiredError, UntrustedError
from issmedia.base.events import Event, Warned, ignore
from issmedia.bundle.reader import read
from issmedia.depot.keyring import Keyring
from issmedia.depot.keys import FileKey
from issmedia.model.manifest import VerifiedBundle
from issmedia.ops.verify import verify
from tests.makers.attacked import World, assert_imported, assert_refused
from tests.makers.forge import Document, copied, edit_manifest, manifest_of, put_manifest, replace_tree
from tests.makers.forge_sets import edit_set, reseal_set
from tests.makers.sites import Site
from tests.makers.sshkeys import ed25519_key

ALPHA = "repos/p/zoo/alpha-1.0-1.noarch.rpm"
PAST, FUTURE = "2020-01-01T00:00:00Z", "2099-01-01T00:00:00Z"


def bundle_id(lab: Site, volume: Path) -> str:
    """Ask what the bundle's id is."""
    return str(lab.do("inspect", volume, "--json").document["id"])


def numbered(volume: Path, sequence: int, *keys: FileKey) -> None:
    """Give a bundle another place in its chain."""
    edit_manifest(volume, lambda document: document.update(sequence=sequence), *keys)


def test_018_an_older_sequence_is_refused(lab: Site, volume: Path, world: World, release: FileKey) -> None:
    """An old bundle with known holes, never imported here, is put into the drive."""
    numbered(volume, 9, release)
    assert_imported(lab, volume)
    older = copied(world.newer, lab.root.parent / "replayed")
    numbered(older, 8, release)

    assert_refused(lab, older, 6, "has sequence 8", "already imported is 9")


def test_018_a_bundle_imported_long_ago_is_refused_when_it_is_replayed(lab: Site, volume: Path, world: World) -> None:
    """A bundle that was the newest once is put into the drive again, to be taken for news."""
    assert_imported(lab, volume)

    assert_refused(lab, world.older, 6, "has sequence 1", "already imported is 2")


def test_018_going_back_is_possible_by_name_and_written_down(lab: Site, volume: Path, world: World) -> None:
    """No attack: the operator names the one bundle that may be older, and the ledger remembers it."""
    assert_imported(lab, volume)
    wanted = bundle_id(lab, world.older)
    assert lab.call("import", world.older, "--allow-rollback", wanted[:11]).code == 6
    assert lab.call("import", world.older, "--allow-rollback", bundle_id(lab, volume)).code == 6

    lab.do("import", world.older, "--allow-rollback", wanted[:12])

    last = [line for line in lab.do("log", "--json").out.splitlines() if '"allowed_rollback": true' in line]
    assert len(last) == 1
    assert wanted in last[0]
    assert (lab.root / "published/p/zoo/alpha-0.9-1.noarch.rpm").is_file()


def test_019_one_sequence_with_two_contents_is_refused_with_an_alarm(lab: Site, volume: Path, release: FileKey) -> None:
    """Who holds the key gives two sites two different bundles of one number; not even the override takes the other."""
    assert_imported(lab, volume)
    first = bundle_id(lab, volume)
    edit_manifest(volume, lambda document: document.update(notes="another"), release)
    second = bundle_id(lab, volume)

    assert_refused(lab, volume, 6, "ALARM", first, second)

    assert lab.call("import", volume, "--allow-rollback", second).code == 6


def test_020_the_same_bundle_again_changes_nothing(lab: Site, volume: Path) -> None:
    """The same medium is put into the drive again."""
    assert_imported(lab, volume)
    before = lab.state()

    outcome = lab.do("import", volume)
    lab.do("verify", volume)

    assert lab.state() == before
    assert "imported before; nothing to do" in outcome.err


def test_021_revoking_a_stolen_key_undoes_its_fast_forward(
    lab: Site, volume: Path, world: World, release: FileKey
) -> None:
    """A stolen key signs the highest number there is, so that nothing newer can ever come."""
    numbered(volume, 2**53 - 1, release)
    assert_imported(lab, volume)
    successor = ed25519_key(21, "successor")
    lab.do("keys", "revoke", "hq")
    lab.do("keys", "trust", "hq-new", successor.public.line)
    after = copied(world.newer, lab.root.parent / "after")
    numbered(after, 3, successor)

    lab.do("import", after)

    assert_refused(lab, volume, 6, "expected 1 valid signature")


def test_021_another_key_is_still_held_by_what_it_signed(lab: Site, world: World, volume: Path) -> None:
    """A key is revoked that signed nothing here; old bundles of the good one are replayed."""
    assert_imported(lab, volume)
    lab.do("keys", "revoke", ed25519_key(21, "stray").public.line)

    assert_refused(lab, world.older, 6, "has sequence 1", "already imported is 2")


def test_022_the_age_of_a_chain_makes_status_fail(lab: Site, volume: Path, release: FileKey) -> None:
    """Somebody keeps newer bundles from this site."""
    edit_manifest(volume, lambda document: document.update(created=PAST), release)
    lab.do("import", volume)
    before = lab.state()

    outcome = lab.call("status", "--max-age", "30d")

    assert (outcome.code, lab.state()) == (7, before)
    assert "warning: hq #2: made " in outcome.err


def test_023_an_expired_bundle_is_refused_unless_it_is_named(lab: Site, volume: Path, release: FileKey) -> None:
    """An old bundle is kept back until its content is stale, and delivered then."""
    edit_manifest(volume, lambda document: document.update(created=PAST, expires="2020-02-01T00:00:00Z"), release)
    wanted = bundle_id(lab, volume)

    assert_refused(lab, volume, 6, "expired at 2020-02-01T00:00:00Z", "--allow-rollback")

    assert_imported(lab, volume, "--allow-rollback", wanted)
    assert '"allowed_rollback": true' in lab.do("log", "--json").out


def test_023_a_bundle_expires_to_the_second(lab: Site, volume: Path, release: FileKey) -> None:
    """The moment itself is too late."""
    edit_manifest(volume, lambda document: document.update(created=PAST, expires="2026-02-01T00:00:00Z"), release)

    assert verified_at(lab, volume, "2026-01-31T23:59:59Z", floor=PAST)
    with pytest.raises(ExpiredError, match="expired at 2026-02-01T00:00:00Z, it is 2026-02-01T00:00:00Z"):
        verified_at(lab, volume, "2026-02-01T00:00:00Z", floor=PAST)


@pytest.mark.parametrize("now", ["1970-01-01T00:00:00Z", "2026-01-31T00:00:00Z"])
def test_024_a_clock_that_is_behind_does_not_bring_expired_bundles_back(
    lab: Site, volume: Path, release: FileKey, now: str
) -> None:
    """The clock is set back to before the expiry; the newest bundle verified here was made after it."""
    edit_manifest(volume, lambda document: document.update(created=PAST, expires="2026-02-01T00:00:00Z"), release)
    events: list[Event] = []

    with pytest.raises(ExpiredError):
        verified_at(lab, volume, now, floor="2026-03-01T00:00:00Z", events=events)

    assert [event.message for event in events if isinstance(event, Warned) and "clock is behind" in event.message]
    assert verified_at(lab, volume, now, floor="2026-03-01T00:00:00Z", allow=bundle_id(lab, volume)).allowed


def test_024_a_clock_that_is_behind_does_not_bring_expired_keys_back(lab: Site, volume: Path, release: FileKey) -> None:
    """The clock is set back to when a key was valid that was given up since."""
    retired = ed25519_key(24, "retired")
    lab.do("keys", "trust", "retired", retired.public.line, "--valid-before", "2026-02-01")
    put_manifest(volume, (volume / "manifest.json").read_bytes(), retired)

    assert verified_at(lab, volume, "2026-01-31T00:00:00Z", floor=PAST)
    with pytest.raises(UntrustedError, match="found none"):
        verified_at(lab, volume, "2026-01-31T00:00:00Z", floor="2026-03-01T00:00:00Z")


@pytest.mark.parametrize("now", ["1970-01-01T00:00:00Z", "2099-12-31T23:59:59Z", "0001-01-01T00:00:00Z"])
def test_024_a_wrong_clock_does_not_keep_a_bundle_out_that_does_not_expire(lab: Site, volume: Path, now: str) -> None:
    """The battery of the clock is empty, or somebody set it far ahead."""
    assert verified_at(lab, volume, now, floor=PAST)


def test_024_a_sender_whose_clock_was_ahead_can_be_let_in_by_name(
    lab: Site, volume: Path, world: World, release: FileKey
) -> None:
    """One bundle says it was made in 2099, so all that expire before then look expired; the site is not lost."""
    edit_manifest(volume, lambda document: document.update(created=FUTURE), release)
    assert_imported(lab, volume, "--allow-rollback", bundle_id(lab, volume))
    after = copied(world.newer, lab.root.parent / "after")
    edit_manifest(after, lambda document: document.update(sequence=3, expires="2098-01-01T00:00:00Z"), release)

    assert_refused(lab, after, 6, "the clock is behind", "expired at 2098-01-01T00:00:00Z")

    lab.do("import", after, "--allow-rollback", bundle_id(lab, after))


def test_026_a_listing_that_is_not_the_signed_one_is_refused(lab: Site, volume: Path, release: FileKey) -> None:
    """The listing loses a line, and the manifest still promises the digest of the whole."""
    tree = manifest_of(volume)["trees"][0]["digest"]
    lines = lab.depot.store.tree(_current(lab)).encode()

    replace_tree(volume, lines, release, edit=lambda document: _promise(document, tree))

    assert_refused(lab, volume, 6, "the listing is on none of the volumes")


def test_027_a_bundle_for_another_site_is_refused(lab: Site, volume: Path, release: FileKey) -> None:
    """A bundle for a site with other rules is carried here."""
    edit_manifest(volume, lambda document: document.update(destination="prod"), release)

    assert_refused(lab, volume, 6, "meant for site 'prod', this is 'lab'")

    assert lab.call("import", volume, "--allow-rollback", bundle_id(lab, volume)).code == 6


def test_027_each_destination_has_its_own_chain(lab: Site, volume: Path, world: World, release: FileKey) -> None:
    """A bundle for this site alone, whose number an imported bundle for everybody has, is neither old nor an alarm."""
    edit_manifest(volume, lambda document: document.update(destination="lab", sequence=1), release)

    assert_imported(lab, volume)


def test_028_volumes_of_two_bundles_are_refused_together(lab: Site, volume: Path, world: World) -> None:
    """Discs of two bundles were mixed up in the bag; nothing is said to be whole that was not asked for, and named."""
    before = lab.state()

    for order in ((volume, world.older), (world.older, volume)):
        outcome = lab.call("verify", *order)
        assert (outcome.code, lab.state()) == (6, before)
        assert f"{order[1]}: is a volume of another bundle" in outcome.err
        assert "genuine" not in outcome.out


def test_028_of_volumes_of_two_bundles_an_import_takes_only_the_first(lab: Site, volume: Path, world: World) -> None:
    """The disc of last week is still in the other drive; it is named, and nothing of it comes back."""
    outcome = lab.call("import", volume, world.older)

    assert outcome.code == 7
    assert f"{world.older}: is a volume of another bundle than {volume}; it was left alone" in outcome.err
    assert_imported(lab, volume)


def test_028_the_files_of_another_bundle_are_refused(lab: Site, volume: Path, world: World) -> None:
    """Manifest and signatures are of one bundle, everything else on the volume is of another."""
    for name in ("manifest.json", "manifest.json.sig"):
        (volume / name).write_bytes((world.older / name).read_bytes())

    assert_refused(lab, volume, 6, "SHA256SUMS", "belongs to another bundle")


def test_029_a_volume_that_is_given_twice_counts_once(lab: Site, volume: Path) -> None:
    """The same disc is named twice."""
    said = f"volume 1 is given twice, and counts once: {volume}\n"

    verified, imported = lab.do("verify", volume, volume), lab.do("import", volume, volume)

    assert (verified.err, imported.err) == (said, said)
    assert_imported(lab, volume)


def test_029_a_missing_volume_is_asked_for_by_its_label(lab: Site, volume: Path, release: FileKey) -> None:
    """One of two discs stays at home."""
    second_disc(volume, release)
    before = lab.state()

    outcome = lab.call("import", volume)

    assert (outcome.code, lab.state()) == (7, before)
    assert outcome.out.splitlines()[-2:] == [
        "nothing has changed for clients yet; import what is still needed, in any order:",
        "THE-OTHER",
    ]


@pytest.mark.parametrize("swapped", [False, True], ids=["in order", "swapped"])
def test_029_volumes_are_imported_in_any_order(lab: Site, volume: Path, release: FileKey, swapped: bool) -> None:
    """The second disc is inserted first."""
    first, last = (volume, second_disc(volume, release))[:: -1 if swapped else 1]
    before = lab.state()

    waiting = lab.call("import", first)

    assert (waiting.code, lab.state()) == (7, before)
    assert_imported(lab, last)


def second_disc(volume: Path, key: FileKey) -> Path:
    """Move a package of a volume to another one, `THE-OTHER`, and sign both."""
    other = copied(volume, volume.with_name("other"))
    (volume / ALPHA).unlink()
    for path in other.rglob("[!a]*.rpm"):
        path.unlink()

    def two_volumes(document: Document) -> None:
        document["volumes"].append({**document["volumes"][0], "number": 2, "label": "THE-OTHER"})

    edit_set([volume, other], two_volumes, key)
    reseal_set([volume, other], key)
    return other


def verified_at(
    lab: Site, volume: Path, now: str, *, floor: str, allow: str | None = None, events: list[Event] | None = None
) -> VerifiedBundle:
    """Verify while the clock says `now`, at a site whose newest bundle was made at `floor`."""
    state = replace(lab.depot.state(), imported={}, marks={}, floor=floor)
    report = ignore if events is None else events.append
    with read([volume]) as unverified:
        return verify(unverified, Keyring(lab.depot.keyring), state, now=now, report=report, allow=allow)


def _current(lab: Site) -> Digest:
    return Digest(lab.trees()["p/zoo"])


def _promise(document: Document, tree: str) -> None:
    document["trees"][0]["digest"] = document["repositories"][0]["tree"] = tree
