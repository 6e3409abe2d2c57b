"""What all commands have in common: help with an example, --json, --quiet, results on stdout."""

import json
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from issmedia import __version__
from issmedia.cli.main import cli, run
from tests.cli.conftest import World
from tests.makers.receipts import SIGNER, sample_receipt, signed
from tests.makers.sites import Site
from tests.makers.sshkeys import ed25519_key

Line = tuple[str, ...]


def commands(command: click.Command = cli, path: Line = ()) -> Iterator[Line]:
    """Walk the tree of commands."""
    if not isinstance(command, click.Group):
        yield path
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        below = command.get_command(context, name)
        assert below is not None
        yield from commands(below, (*path, name))


EVERY = list(commands())
SITE_FIELDS = {"label", "site", "added", "keys", "last_export", "receipts", "receipt"}
REPOSITORY_FIELDS = {
    "product",
    "label",
    "name",
    "source",
    "content_type",
    "keys",
    "transport",
    "selection",
    "gpgcheck",
    "repo_gpgcheck",
    "pinned",
}
LINES: dict[Line, tuple[Line, set[str]]] = {
    ("init",): ((), {"depot", "site"}),
    ("keys", "generate"): (("other",), {"name", "fingerprint", "public"}),
    ("keys", "agent"): (("other", "{key}"), {"name", "fingerprint"}),
    ("keys", "list"): ((), {"own", "trusted", "threshold"}),
    ("keys", "show"): (("release",), {"name", "fingerprint", "public", "held"}),
    ("keys", "trust"): (("other", "{key}"), {"name", "fingerprint"}),
    ("keys", "revoke"): (("friend",), {"revoked"}),
    ("keys", "threshold"): (("1",), {"threshold"}),
    ("product", "add"): (("q",), {"label", "name"}),
    ("product", "show"): (("p",), {"product", "repositories"}),
    ("product", "remove"): (("empty",), {"removed"}),
    ("repo", "add"): (("q/r", "/srv"), REPOSITORY_FIELDS),
    ("repo", "import"): (("{repofile}", "--product", "q"), {"sections"}),
    ("repo", "show"): (("p/zoo",), {"repository", "pinned", "snapshots"}),
    ("repo", "set"): (("p/zoo", "--name", "Zoo"), REPOSITORY_FIELDS),
    ("repo", "remove"): (("p/farm", "--yes"), {"removed"}),
    ("sync",): ((), {"repositories", "failed", "news"}),
    ("check",): ((), {"repositories", "packages", "broken"}),
    ("export",): (("--to", "{out}"), {"bundle", "directory", "manifest", "volumes"}),
    ("copy",): (("{stick}", "--to", "{blank}"), {"bundle", "volume", "medium", "kept", "read_back", "signers"}),
    ("burn",): (
        ("{stick}", "--device", "stdio:{disc}"),
        {"bundle", "volume", "device", "medium", "read_back", "again"},
    ),
    ("simulate",): (
        ("{set}", "--lose", "1"),
        {"verified", "bundle", "chain", "lose", "importable", "parity", "enough", "files", "lost", "unnamed"},
    ),
    ("inspect",): (("{stick}",), {"verified", "id", "manifest", "signatures", "volumes"}),
    ("verify",): (
        ("{stick}",),
        {"verified", "bundle", "chain", "signers", "volumes", "missing", "files", "bytes", "incomplete"},
    ),
    ("import",): (("{stick}",), {"dry_run", "imported", "changes", "published", "report", "left_alone", "trust"}),
    ("publish",): ((), {"changed", "generation", "repositories", "made"}),
    ("status",): (
        (),
        {
            "site",
            "depot",
            "repositories",
            "bundles",
            "chains",
            "sites",
            "unknown",
            "ledger_entries",
            "ledger_head",
        },
    ),
    ("site", "add"): (("new", "--key", "{key}"), SITE_FIELDS),
    ("site", "show"): (("lab-north",), SITE_FIELDS),
    ("site", "remove"): (("lab-north", "--yes"), {"removed"}),
    ("receipt", "show"): (("--to", "{out}"), {"id", "receipt"}),
    ("receipt", "accept"): (
        ("{receipt}",),
        {
            "site",
            "site_id",
            "receipt",
            "created",
            "ledger_entries",
            "again",
            "restored",
            "repositories",
            "refused",
        },
    ),
    ("diff",): (("p/zoo", "p/zoo@1"), {"old", "new", "totals", "cves", "repositories"}),
    ("search",): (("app",), {"packages", "advisories"}),
    ("rollback",): ((), {"dry_run", "rollback", "published"}),
    ("prune",): (("--keep", "1"), {"removed", "pruned"}),
    ("audit",): ((), {"entries", "trees", "blobs", "size", "problems", "quarantined"}),
}
"""Command → arguments that work on `site`, and the fields of what `--json` answers."""

LISTS: dict[Line, set[str]] = {
    ("product", "list"): {"label", "name"},
    ("repo", "list"): {"label", "product"},
    ("site", "list"): SITE_FIELDS,
}
"""Commands that answer a list, and fields of its items."""


@pytest.fixture
def site(hq: Site, world: World) -> Site:
    """A site that every line of `LINES` works on."""
    hq.do("keys", "trust", "hq", hq.public_key)
    hq.do("keys", "trust", "friend", ed25519_key(1).public.line)
    hq.do("product", "add", "empty")
    hq.do("site", "add", "lab-north", "--key", SIGNER.public.line)
    hq.do("site", "add", "other")
    return hq


def filled(arguments: Line, world: World, tmp_path: Path) -> Line:
    """Put the places in."""
    receipt = tmp_path / "receipt"
    receipt.write_bytes(signed(sample_receipt()))
    (tmp_path / "blank").mkdir(exist_ok=True)
    (tmp_path / "some.repo").write_text("[tools]\nbaseurl=https://mirror.example/tools/\n")
    places = {
        "repofile": tmp_path / "some.repo",
        "key": ed25519_key(2).public.line,
        "out": tmp_path / "out",
        "stick": world.stick,
        "receipt": receipt,
        "blank": tmp_path / "blank",
        "disc": tmp_path / "disc.img",
        "set": world.set,
    }
    return tuple(one.format(**places) for one in arguments)


def test_every_command_is_tried_here() -> None:
    assert set(EVERY) == set(LINES) | set(LISTS) | {("log",)}


@pytest.mark.parametrize("path", EVERY, ids=" ".join)
def test_help_says_what_it_does_with_an_example(path: Line, tmp_path: Path) -> None:
    shown = Site(tmp_path / "none").do(*path, "--help").out

    text = " ".join(shown.split())
    assert f"Example: issmedia {' '.join(path)}" in text.replace("issmedia --depot /srv/issmedia init", "issmedia init")
    assert "--json" in shown
    assert max(map(len, shown.splitlines())) <= 100


@pytest.mark.parametrize("path", LINES, ids=" ".join)
def test_json_answers_one_object_and_nothing_else_on_stdout(
    path: Line, site: Site, world: World, tmp_path: Path
) -> None:
    arguments, fields = LINES[path]
    chosen, line = (Site(tmp_path / "new"), ()) if path == ("init",) else (site, filled(arguments, world, tmp_path))

    outcome = chosen.do(*path, *line, "--json")

    assert set(outcome.document) == fields
    assert outcome.out == json.dumps(outcome.document, sort_keys=True, indent=2, ensure_ascii=False) + "\n"


@pytest.mark.parametrize("path", LISTS, ids=" ".join)
def test_json_answers_a_list_where_things_are_listed(path: Line, site: Site) -> None:
    items = site.do(*path, "--json").document

    assert len(items) == 2
    assert all(LISTS[path] <= set(item) for item in items)


def test_the_log_is_json_lines(site: Site) -> None:
    lines = site.do("log", "--json").out.splitlines()

    entries = [json.loads(line) for line in lines]
    assert [one["number"] for one in entries] == list(range(1, len(entries) + 1))
    assert all(set(one) == {"number", "time", "event", "facts", "previous", "hash"} for one in entries)


@pytest.mark.parametrize("path", EVERY, ids=" ".join)
def test_quiet_says_nothing_where_nothing_is_wrong(path: Line, site: Site, world: World, tmp_path: Path) -> None:
    arguments, _ = LINES.get(path, ((), set()))
    chosen, line = (Site(tmp_path / "new"), ()) if path == ("init",) else (site, filled(arguments, world, tmp_path))

    outcome = chosen.do(*path, *line, "--quiet")

    warned = "" if path != ("burn",) else outcome.err  # a disc image in a memory file system cannot be read back
    assert (outcome.out, outcome.err) == ("", warned)


@pytest.mark.parametrize("path", EVERY, ids=" ".join)
def test_without_a_depot_a_command_says_how_to_make_one(path: Line, world: World, tmp_path: Path) -> None:
    arguments, _ = LINES.get(path, ((), set()))

    if path in {("init",), ("inspect",), ("simulate",)}:
        return
    outcome = Site(tmp_path / "none").call(*path, *filled(arguments, world, tmp_path))

    assert outcome.code == 4
    assert outcome.err == (
        f"error: {tmp_path}/none: no depot here\nhint: make one: issmedia --depot {tmp_path}/none init --name SITE\n"
    )
    assert not (tmp_path / "none").exists()


def test_the_version_names_what_it_stands_on(tmp_path: Path) -> None:
    lines = Site(tmp_path).do("--version").out.splitlines()

    assert lines[0] == f"issmedia {__version__}"
    assert all(name in lines[1] for name in ("click", "createrepo-c", "cryptography", "msgspec", "pycurl"))


@pytest.mark.parametrize("arguments", [(), ("keys",), ("product",), ("repo",)], ids=str)
def test_without_a_command_the_help_is_shown(arguments: Line, capsys: pytest.CaptureFixture[str]) -> None:
    code = run(list(arguments))

    assert code == 2
    assert "Commands:\n" in capsys.readouterr().err
