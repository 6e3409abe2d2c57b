"""Passphrases: from the file that ISSMEDIA_KEY_PASSPHRASE_FILE names, or from a terminal."""

import getpass
import os
import sys
from pathlib import Path
from shlex import quote

from issmedia.base.errors import UsageError

VARIABLE = "ISSMEDIA_KEY_PASSPHRASE_FILE"
_MOST = 64 << 10
"""Bytes of a passphrase file that are looked at."""


def ask_passphrases(name: str) -> tuple[bytes, ...]:
    """Give the passphrases to try for a key: the file's lines, or what is typed; none where nobody can be asked."""
    if os.environ.get(VARIABLE):
        return _from_file(Path(os.environ[VARIABLE]))
    if not sys.stdin.isatty():
        return ()
    return (getpass.getpass(f"passphrase of the signing key {name}: ").encode(),)


def new_passphrase(wanted: bool) -> bytes | None:
    """Give the passphrase for a new key, or None for a key without one."""
    if os.environ.get(VARIABLE):
        return _from_file(Path(os.environ[VARIABLE]))[0]
    if not wanted:
        return None
    if not sys.stdin.isatty():
        raise UsageError("no terminal to ask for a passphrase", hint=f"name a file that holds it in {VARIABLE}")
    first = getpass.getpass("new passphrase: ")
    if first != getpass.getpass("the same again: "):
        raise UsageError("the two passphrases differ", hint="run the same command again")
    return first.encode()


def _from_file(path: Path) -> tuple[bytes, ...]:
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_mode & 0o077:
            raise UsageError("others can read this passphrase", where=str(path), hint=f"chmod 600 {quote(str(path))}")
        lines = file.read(_MOST).splitlines()
    if not lines or not lines[0]:
        raise UsageError(
            f"{VARIABLE} names an empty file", where=str(path), hint="write the passphrase on its first line"
        )
    return tuple(line for line in lines if line)
