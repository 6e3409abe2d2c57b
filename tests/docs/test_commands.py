"""Every command and option that a document or a help text names exists, and every command has a man page."""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from scripts.manual import commands
from scripts.source import ROOT
from tests.makers.markdown import code, documents, rows, section

KNOWN = {" ".join(context.command_path.split()[1:]): context for context in commands()}
"""The command line after `issmedia` → the command; "" is the program itself."""

SCRIPTS = {
    option
    for path in (ROOT / "scripts").iterdir()
    if path.is_file()
    for option in re.findall(r"--[a-z][a-z-]+", path.read_text())
}
"""Options of the scripts, and what the scripts pass on."""

OF_OTHERS = {"--setopt", "--no-index", "--find-links", "--patch-from"}
"""Options of dnf, pip and zstd that our documents name."""


def faults(text: str) -> Iterator[str]:
    """Find what a piece of shell names that the command line does not have."""
    for part in re.split(r"&&|\|\||[|;<>#]", text):
        try:
            line = shlex.split(part)
        except ValueError:
            line = part.split()
        line = line[1:] if line[:1] == ["$"] else line
        if line[:1] == ["issmedia"]:
            yield from _wrong(line[1:])


def _wrong(line: list[str]) -> Iterator[str]:
    """Judge what stands behind `issmedia`."""
    context = KNOWN[""]
    while isinstance(context.command, click.Group):
        line = line[2:] if line[:1] == ["--depot"] else line
        if not line or line[0].startswith("-"):
            break
        name = " ".join([*context.command_path.split()[1:], line[0]])
        if name not in KNOWN:
            yield f"no command issmedia {name}"
            return
        context, line = KNOWN[name], line[1:]
    options = {option for one in context.command.get_params(context) for option in one.opts}
    yield from (f"{context.command_path} has no {word}" for word in line if word[:1] == "-" and word not in options)


@pytest.mark.parametrize("document", documents(), ids=lambda path: path.name)
def test_a_document_names_only_commands_that_exist(document: Path) -> None:
    shown = code(document.read_text())

    assert [fault for line in shown for fault in faults(line)] == []


@pytest.mark.parametrize("document", documents(), ids=lambda path: path.name)
def test_a_document_names_only_options_that_exist(document: Path) -> None:
    options = {
        option for context in KNOWN.values() for one in context.command.get_params(context) for option in one.opts
    }
    named = {option for span in code(document.read_text()) for option in re.findall(r"(?:^| )(--[a-z][a-z-]+)", span)}

    assert named - options - SCRIPTS - OF_OTHERS == set()


@pytest.mark.parametrize("name", [name for name, one in KNOWN.items() if not isinstance(one.command, click.Group)])
def test_the_example_in_a_commands_help_is_one_of_that_command(name: str) -> None:
    example = (KNOWN[name].command.epilog or "").removeprefix("Example: ")

    assert f"issmedia {name}" in re.sub(r" --depot \S+", "", example)
    assert list(faults(example)) == []


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("issmedia frob", "no command issmedia frob"),
        ("issmedia keys frob", "no command issmedia keys frob"),
        ("$ issmedia --depot x sync --frob", "issmedia sync has no --frob"),
        ("true && issmedia export --frob | cat", "issmedia export has no --frob"),
    ],
)
def test_what_does_not_exist_is_found(text: str, fault: str) -> None:
    assert list(faults(text)) == [fault]


def test_the_readme_lists_every_command() -> None:
    listed = re.findall(r"`([a-z]+)`", section((ROOT / "README.md").read_text(), "Commands").partition("\n")[2])

    assert {name.partition(" ")[0] for name in KNOWN if name} <= set(listed)


def test_the_readme_lists_the_exit_codes() -> None:
    table = rows(section((ROOT / "README.md").read_text(), "When something is wrong"))

    assert [row[0] for row in table] == [*map(str, range(9)), "130"]


def test_every_command_has_a_man_page_with_its_options(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "scripts.manual", str(tmp_path)], cwd=ROOT, check=True)

    pages = {path.name: path.read_text().replace("\\-", "-") for path in tmp_path.iterdir()}

    assert {f"issmedia {name}".strip().replace(" ", "-") + ".1" for name in KNOWN} == set(pages)
    for name, context in KNOWN.items():
        text = pages[f"issmedia {name}".strip().replace(" ", "-") + ".1"]
        options = [one for one in context.command.get_params(context) if isinstance(one, click.Option)]
        assert [one.opts[-1] for one in options if f".B {one.opts[0]}" not in text] == []


def test_a_shell_can_complete_commands_and_options() -> None:
    def completed(*words: str) -> set[str]:
        given = {
            "COMP_WORDS": " ".join(words),
            "COMP_CWORD": str(len(words) - 1),
            "_ISSMEDIA_COMPLETE": "bash_complete",
        }
        program = [sys.executable, "-c", "from issmedia.cli.main import main; main()"]
        done = subprocess.run(program, env=given, capture_output=True, text=True, check=True)
        return {line.partition(",")[2] for line in done.stdout.splitlines()}

    assert {"repo", "receipt"} == completed("issmedia", "re")
    assert {"add", "import", "list", "show", "set", "remove"} == completed("issmedia", "repo", "")
    assert {"--to", "--to-site"} == completed("issmedia", "export", "--to")
