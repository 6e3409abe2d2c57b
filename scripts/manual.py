"""Man pages made from the help of the command line, so that both always agree: `python -m scripts.manual DIR`."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from issmedia import __version__
from issmedia.cli.main import cli

_STATUS = """0 done; 1 other; 2 usage; 3 upstream; 4 the depot; 5 format; 6 not trusted or not intact;
7 done, but something asked for was left out; 8 busy; 130 interrupted."""
_ENVIRONMENT = {
    "ISSMEDIA_DEPOT": "The depot, where --depot does not name it.",
    "ISSMEDIA_KEY_PASSPHRASE_FILE": "A file, readable by its owner only, one passphrase a line.",
    "SOURCE_DATE_EPOCH": "Seconds since 1970: export takes it for the moment of creation.",
    "NO_COLOR": "No colour.",
}


def main() -> None:
    """Write a page for each command into the directory given."""
    directory = Path(sys.argv[1])
    directory.mkdir(parents=True, exist_ok=True)
    for context in commands():
        (directory / f"{_name(context)}.1").write_text(page(context))


def commands(context: click.Context | None = None) -> Iterator[click.Context]:
    """Walk the command line: the program, each family, each command."""
    here = context or click.Context(cli, info_name="issmedia", **cli.context_settings)
    yield here
    if isinstance(here.command, click.Group):
        for name in here.command.list_commands(here):
            command = here.command.get_command(here, name)
            assert command is not None
            yield from commands(click.Context(command, info_name=name, parent=here))


def page(context: click.Context) -> str:
    """Write the page of one command, in man(7)."""
    command = context.command
    usage = " ".join(command.collect_usage_pieces(context))
    known = [one for one in command.get_params(context) if isinstance(one, click.Option)]
    options = [record for one in known if (record := one.get_help_record(context))]
    below = [
        (one.info_name or "", one.command.get_short_help_str(200)) for one in commands(context) if one.parent is context
    ]
    example = (command.epilog or "").removeprefix("Example: ")
    parts = [
        f'.TH "{_name(context).upper()}" 1 "" "issmedia {__version__}" "User Commands"',
        f".SH NAME\n{_name(context)} \\- {_text(command.get_short_help_str(200).rstrip('.'))}",
        f".SH SYNOPSIS\n.B {_text(context.command_path)}\n{_text(usage)}",
        f".SH DESCRIPTION\n{_text((command.help or '').strip())}",
        f".SH EXAMPLE\n.EX\n{_text(example)}\n.EE" if example else "",
        _listed("OPTIONS", options),
        _listed("COMMANDS", below),
    ]
    if context.parent is None:
        parts += [_listed("ENVIRONMENT", list(_ENVIRONMENT.items())), f".SH EXIT STATUS\n{_text(_STATUS)}"]
    return "\n".join(part for part in parts if part) + "\n"


def _listed(title: str, items: list[tuple[str, str]]) -> str:
    entries = "\n".join(f".TP\n.B {_text(term)}\n{_text(meaning)}" for term, meaning in items)
    return f".SH {title}\n{entries}" if items else ""


def _name(context: click.Context) -> str:
    return context.command_path.replace(" ", "-")


def _text(text: str) -> str:
    plain = re.sub(r"(?m)^ +", "", text).replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"(?m)^([.'])", r"\\&\1", plain.replace("\n\n", "\n.PP\n")).replace("\\&.PP", ".PP")


if __name__ == "__main__":
    main()
