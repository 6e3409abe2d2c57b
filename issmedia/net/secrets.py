"""Files with what must stay secret: user names, passwords, tokens, private keys of TLS.

    username = alice          or   bearer = TOKEN
    password = s3cret
    proxy_username = …             proxy_password = …

One `NAME = VALUE` a line. A file that others may read or write is refused. What is read is in no message and no repr.
"""

import os
import stat
from pathlib import Path

import msgspec

from issmedia.base.errors import UsageError
from issmedia.model.names import shown

_NAMES = ("username", "password", "bearer", "proxy_username", "proxy_password")
_MAX = 64 << 10
_FOR_OTHERS = 0o077


class Secrets(msgspec.Struct, frozen=True):
    """What a file of credentials says; empty texts where it is silent."""

    username: str = ""
    password: str = ""
    bearer: str = ""
    proxy_username: str = ""
    proxy_password: str = ""

    def __repr__(self) -> str:
        return "Secrets(…)"


def read_secrets(path: Path) -> Secrets:
    """Read a file of credentials; `UsageError` for one that others can read, and for one that is none."""
    lines = _read(path).decode("utf-8", "replace").splitlines()
    values: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        name, equals, value = (part.strip() for part in line.partition("="))
        if not line.strip() or line.startswith("#"):
            continue
        if not equals or name not in _NAMES or name in values or not _fits(name, value):
            raise UsageError(
                f"line {number} is not one of NAME = VALUE", where=_shown(path), hint=f"names: {', '.join(_NAMES)}"
            )
        values[name] = value
    found = Secrets(**values)
    if bool(found.username) != bool(found.password) or (found.username and found.bearer):
        raise UsageError("expected a username with its password, or a bearer token", where=_shown(path))
    return found


def require_private(path: Path) -> None:
    """Refuse a file that others can read or write, that is no regular file, or not there: `UsageError`."""
    os.close(_opened(path))


def _fits(name: str, value: str) -> bool:
    """Say whether a header can carry it."""
    return value.isprintable() and (value.isascii() or name != "bearer")


def _read(path: Path) -> bytes:
    with os.fdopen(_opened(path), "rb") as file:
        data = file.read(_MAX + 1)
    if len(data) > _MAX:
        raise UsageError(f"expected at most {_MAX:,} bytes, found more", where=_shown(path))
    return data


def _opened(path: Path) -> int:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as cause:
        raise UsageError(f"cannot be read: {cause.strerror}", where=_shown(path)) from cause
    facts = os.fstat(fd)
    mode = stat.S_IMODE(facts.st_mode)
    if stat.S_ISREG(facts.st_mode) and not mode & _FOR_OTHERS:
        return fd
    os.close(fd)
    if not stat.S_ISREG(facts.st_mode):
        raise UsageError("is not a regular file", where=_shown(path))
    raise UsageError(f"mode {mode:04o} lets others at it", where=_shown(path), hint=f"chmod 0600 {_shown(path)}")


def _shown(path: Path) -> str:
    return shown(str(path))
