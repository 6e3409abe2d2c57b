"""The `issmedia` command: finds the command's module, and turns errors into messages and exit codes."""

import contextlib
import importlib
import io
import os
import sys
from pathlib import Path
from typing import Any

import click

from issmedia import __version__
from issmedia.base.errors import IssmediaError, UsageError
from issmedia.base.files import system_error
from issmedia.cli.problems import show_error
from issmedia.model.names import shown

INTERRUPTED = 130

_COMMANDS = {
    "init": ("setup", "Make a depot and a site identity."),
    "keys": ("keys", "Signing keys, and whom this site trusts."),
    "product": ("setup", "Products: groups of repositories."),
    "repo": ("repos", "Repositories: where they come from, their pinned keys."),
    "sync": ("sync", "Bring upstream's state into the depot."),
    "check": ("check", "List packages that would not install."),
    "export": ("export", "Plan, write and sign a bundle."),
    "copy": ("copy", "Copy a volume to a stick, and read it back from there."),
    "burn": ("burn", "Burn a volume to a disc, and read it back from there."),
    "simulate": ("simulate", "Say whether a bundle could be imported without some volumes."),
    "inspect": ("inspect", "Say what a volume is; no keyring needed."),
    "verify": ("verify", "Check that a bundle is genuine and whole."),
    "import": ("imports", "Verify, store, switch and publish a bundle."),
    "publish": ("publish", "Show clients the current snapshots."),
    "status": ("status", "Show what this site holds."),
    "search": ("status", "Find packages, advisories and CVEs."),
    "log": ("status", "Show the ledger."),
    "diff": ("diff", "Show what changed between two states: packages, advisories."),
    "site": ("sites", "Sites that bundles are made for."),
    "receipt": ("receipt", "What this site holds, signed; accept another's."),
    "rollback": ("history", "Move repositories back to an earlier tree."),
    "prune": ("history", "Remove old snapshots, and files that nothing needs any more."),
    "audit": ("status", "Check the ledger's chain, the trees and every blob."),
}


class _LazyGroup(click.Group):
    """A group whose commands are imported when they are called, so that `--help` is quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """List the commands in the order of work."""
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:  # noqa: ARG002
        """Import a command."""
        if name not in _COMMANDS:
            return None
        module = importlib.import_module(f"issmedia.cli.{_COMMANDS[name][0]}")
        command = getattr(module, f"{name}_command")
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the list of commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _COMMANDS.items()])


class _DepotPath(click.Path):
    """A path that is given: `Path("")` would be the current directory."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Refuse an empty path, as an unset variable leaves it."""
        if value == "":
            self.fail("the path is empty", param, ctx)
        return super().convert(value, param, ctx)


@click.command(
    cls=_LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Example: issmedia --depot /srv/issmedia import /mnt/issmedia",
)
@click.option(
    "--depot",
    type=_DepotPath(path_type=Path),
    metavar="DIR",
    help="The depot; else $ISSMEDIA_DEPOT, else /var/lib/issmedia for root, else the user's data directory.",
)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=lambda c, _p, v: _version(c, v),
    help="Show the versions of issmedia and of what it stands on.",
)
@click.pass_context
def cli(context: click.Context, depot: Path | None) -> None:
    """Carry yum repositories across an air gap in signed bundles."""
    context.obj = depot


def main() -> None:
    """Run the command line and exit with the code of `interface`: one per branch of the error tree.

    Python is not taken apart at the end: that is 10 ms of each command, as long as many take for their work.
    """
    code = run(sys.argv[1:])
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            stream.flush()
    os._exit(code)


def run(arguments: list[str]) -> int:
    """Run one command line and return its exit code."""
    as_json = "--json" in arguments
    _show_everything()
    try:
        _require_utf8(arguments)
        code = cli.main(arguments, prog_name="issmedia", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return error.exit_code
    except click.ClickException as error:
        return show_error(_usage_error(error), as_json=as_json)
    except IssmediaError as error:
        return show_error(error, as_json=as_json)
    except (KeyboardInterrupt, click.Abort):
        sys.stderr.write("interrupted: the same command again goes on where this stopped\n")
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        return show_error(system_error(error, str(error.filename or "the system")), as_json=as_json)


def _show_everything() -> None:
    """Escape what the terminal's encoding lacks, where Python would stop with an error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _require_utf8(arguments: list[str]) -> None:
    """Refuse what could neither be signed, stored nor printed; names of files on media are not taken from here."""
    for argument in arguments:
        if any("\ud800" <= character <= "\udfff" for character in argument):
            raise UsageError("an argument is not UTF-8", where=shown(argument), hint="rename the file or directory")


def _usage_error(error: click.ClickException) -> UsageError:
    context = error.ctx if isinstance(error, click.UsageError) else None
    return UsageError(error.format_message(), hint=f"{context.command_path} --help" if context else None)


def _version(context: click.Context, wanted: bool) -> None:
    if not wanted:
        return
    from issmedia.cli.versions import versions

    click.echo(f"issmedia {__version__}")
    stands_on = ("click", "createrepo-c", "cryptography", "msgspec", "pycurl", "zstandard")
    click.echo(", ".join(f"{name} {version}" for name, version in versions(stands_on).items()))
    context.exit()
