"""How the files of a repository are fetched: what an operator chose, and what `$releasever` in a URL stands for."""

import re
from collections.abc import Mapping
from enum import StrEnum

import msgspec

from issmedia.base.errors import UsageError
from issmedia.model.names import shown

_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_NAME = re.compile(r"\w{1,64}\Z")
_VALUE = re.compile(r"(?:[A-Za-z0-9_-][A-Za-z0-9._~-]{0,127})?\Z")
_UP = re.compile(r"/\.\.(?:[/?#]|\Z)")


class Kind(StrEnum):
    """What lies at a source: the repository itself, or a list of the places where it lies."""

    PLAIN = "plain"
    MIRRORLIST = "mirrorlist"
    METALINK = "metalink"


class Transport(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """How files are fetched; what is None was not chosen. No secret stands here: files are named by their paths.

    `others` are further base URLs of the same repository. `variables` are what `$NAME` in a URL stands for. `jobs` are
    connections at a time, `timeout_s` the longest silence, `tries` how often a file is asked for, `rate` bytes a
    second. `credentials` is a file with a user name and password or a bearer token.
    """

    kind: Kind = Kind.PLAIN
    others: tuple[str, ...] = ()
    variables: dict[str, str] = {}
    jobs: int | None = None
    timeout_s: float | None = None
    tries: int | None = None
    rate: int | None = None
    proxy: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    ca_bundle: str | None = None
    credentials: str | None = None

    def updated(self, said: "Transport") -> "Transport":
        """Take over what was said of options, not of the place; an empty text, or 0, takes a choice back."""
        changes: dict[str, object] = {}
        for name in self.__struct_fields__:
            value = getattr(said, name)
            if value is not None and name not in ("kind", "others", "variables"):
                changes[name] = value or None
        return msgspec.structs.replace(self, variables={**self.variables, **said.variables}, **changes)

    def moved(self, said: "Transport") -> "Transport":
        """Lie elsewhere: of the kind and at the further places that were said."""
        return msgspec.structs.replace(self, kind=said.kind, others=said.others)


NOTHING_CHOSEN = Transport()


def checked_variables(variables: Mapping[str, str]) -> dict[str, str]:
    """Give variables that can change no URL's host or depth, or raise `UsageError`."""
    for name, value in variables.items():
        if not _NAME.match(name) or not _VALUE.match(value):
            raise UsageError(
                f"{shown(name)}={shown(value)} is no variable of a URL",
                hint="for example releasever=9; a value has letters, digits and . _ ~ -, or is empty",
            )
    return dict(variables)


def substituted(url: str, variables: Mapping[str, str]) -> str:
    """Put the values of `$NAME` and `${NAME}` into a URL; `UsageError` for one that has none, or makes a `..`."""

    def value(match: re.Match[str]) -> str:
        name = match[1] or match[2]
        if name not in variables:
            raise UsageError(
                f"${name} has no value",
                where=shown(url),
                hint=f"say --var {name}=VALUE (it may be empty); "
                f"of a repository that is there already: issmedia repo set PRODUCT/REPO --var {name}=VALUE",
            )
        return variables[name]

    found = _VARIABLE.sub(value, url)
    if _UP.search(found) and not _UP.search(url):
        raise UsageError(
            "its variables would make a .. of it", where=shown(url), hint="give them other values: --var NAME=VALUE"
        )
    return found
