"""OpenSSH's allowed signers: what is understood, and that the rest is refused."""

import pytest

from issmedia.base.errors import FormatError
from issmedia.model.signers import TrustedKey, is_moment, parse_signers, render_signer, signer_lines
from tests.makers.sshkeys import BUNDLE, NOW, ed25519_key

KEY = ed25519_key(1).public
OTHER = ed25519_key(2).public


def parsed(line: str) -> TrustedKey:
    """Parse a file of one line."""
    (key,) = parse_signers(line + "\n", where="allowed_signers")
    return key


def test_a_file_written_by_hand_is_read() -> None:
    text = (
        "# the export room\n\n"
        f'alice@example.com  namespaces="issmedia-bundle,git",valid-before="20300101Z" {KEY.line} laptop\n'
        f'  bob\tVALID-AFTER="202401020304Z",Namespaces="*" {OTHER.line}\r\n'
        "   # end"
    )

    alice, bob = parse_signers(text, where="allowed_signers")

    assert alice == TrustedKey("alice@example.com", KEY, ("issmedia-bundle", "git"), None, "2030-01-01T00:00:00Z")
    assert bob == TrustedKey("bob", OTHER, ("*",), "2024-01-02T03:04:00Z", None)


def test_a_line_without_options_trusts_for_everything_as_with_ssh_keygen() -> None:
    assert parsed(f"alice {KEY.line}") == TrustedKey("alice", KEY, ("*",))


@pytest.mark.parametrize(
    "key",
    [
        TrustedKey("alice", KEY),
        TrustedKey("alice", KEY, ("issmedia-bundle", "issmedia-*")),
        TrustedKey("alice", KEY, ("a",), "2024-01-01T00:00:00Z", "2030-12-31T23:59:59Z"),
    ],
)
def test_what_is_written_reads_the_same(key: TrustedKey) -> None:
    assert parsed(render_signer(key)) == key


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (f"alice cert-authority {KEY.line}", "cert-authority"),
        (f'alice cert-authority,namespaces="a" {KEY.line}', "cert-authority"),
        (f'alice namespaces="!issmedia-bundle,*" {KEY.line}', "namespace"),
        (f'alice namespaces="" {KEY.line}', "namespace"),
        (f'alice namespaces="a?" {KEY.line}', "namespace"),
        (f'alice namespaces="a",namespaces="b" {KEY.line}', "twice"),
        (f"alice namespaces {KEY.line}", "with a value"),
        (f"alice namespaces=a {KEY.line}", "options like"),
        (f'alice namespaces="a", {KEY.line}', "options like"),
        (f'alice no-touch-required="x" {KEY.line}', "no-touch-required"),
        (f'alice valid-before="20300101" {KEY.line}', "UTC"),
        (f'alice valid-before="20300230Z" {KEY.line}', "no such time"),
        (f'alice valid-before="2030010124Z" {KEY.line}', "UTC"),
        ("alice", "expected NAME"),
        (f"{KEY.line}", "expected NAME"),
        (f"*@example.com {KEY.line}", "expected NAME"),
        (f"alice,bob {KEY.line}", "expected NAME"),
        (f'"alice" {KEY.line}', "expected NAME"),
        ("alice ssh-rsa AAAA", "expected a key of kind"),
        ("alice ssh-ed25519 AAAA", "expected"),
        (f'alice namespaces="a {KEY.line}', "expected NAME"),
    ],
)
def test_a_line_that_is_not_understood_is_refused_by_number(line: str, said: str) -> None:
    with pytest.raises(FormatError, match=said) as caught:
        parse_signers(f"# comment\n{line}\n", where="allowed_signers")

    assert caught.value.where == "allowed_signers, line 2"


def test_lines_keep_their_text() -> None:
    text = f"# comment\n\nalice {KEY.line} x\n"

    assert "\n".join(line for line, _ in signer_lines(text, where="x")) == text


@pytest.mark.parametrize(
    ("key", "usable"),
    [
        (TrustedKey("a", KEY, (BUNDLE,)), True),
        (TrustedKey("a", KEY, ("x", "issmedia-*")), True),
        (TrustedKey("a", KEY, ("issmedia-receipt",)), False),
        (TrustedKey("a", KEY, ("issmedia-bundle-2", "bundle", "ISSMEDIA-BUNDLE")), False),
        (TrustedKey("a", KEY, valid_after=NOW, valid_before=NOW), True),
        (TrustedKey("a", KEY, valid_after="2026-06-01T12:00:01Z"), False),
        (TrustedKey("a", KEY, valid_before="2026-06-01T11:59:59Z"), False),
    ],
)
def test_a_key_counts_for_its_namespaces_and_within_its_times(key: TrustedKey, usable: bool) -> None:
    assert (key.fault(BUNDLE, now=NOW) is None) == usable


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (NOW, True),
        ("0999-01-01T00:00:00Z", True),
        ("2026-02-29T00:00:00Z", False),
        ("2026-06-01T24:00:00Z", False),
        ("2026-06-01T12:00:00", False),
        ("2026-06-01T12:00:00.5Z", False),
        ("2026-06-01", False),
        ("20260601T120000Z", False),
    ],
)
def test_a_moment_has_one_form(text: str, expected: bool) -> None:
    assert is_moment(text) == expected
