"""dnf's `.repo` files, as far as they say where a repository lies and how it is fetched.

Source: dnf.conf(5), "Repo options". What we do not know is named, never guessed.
"""

import configparser
import re
from collections.abc import Collection
from dataclasses import dataclass, field

from issmedia.base.errors import FormatError, Problem, UsageError
from issmedia.model.names import shown
from issmedia.model.transport import Kind, Transport

MAX_FILE = 1 << 20
"""The longest `.repo` file, in bytes."""

_TRUE = frozenset({"1", "yes", "true", "on"})
_FALSE = frozenset({"0", "no", "false", "off"})
_ABSENT = frozenset({"", "_none_"})
_FOR_CLIENTS = frozenset(
    {
        "cost",
        "priority",
        "metadata_expire",
        "skip_if_unavailable",
        "countme",
        "exclude",
        "excludepkgs",
        "includepkgs",
        "module_hotfixes",
        "type",
        "fastestmirror",
        "keepcache",
        "deltarpm",
        "enablegroups",
        "failovermethod",
        "minrate",
        "ip_resolve",
        "http_caching",
        "enabled_metadata",
        "sslverifystatus",
    }
)
"""What only tells a client how to choose; it has no meaning for a mirror."""


@dataclass(frozen=True, slots=True)
class RepoSection:
    """One repository of a `.repo` file; `transport` has all that is no secret, `secrets` the rest, never shown.

    `gpgkeys` are where the file says the vendor's keys lie: named, not trusted; `gpgcheck` and `repo_gpgcheck` are None
    where it is silent. `passed_over` are options of it that mean nothing here. Of a section that nobody asked for only
    the name is read.
    """

    id: str
    name: str
    source: str
    transport: Transport
    enabled: bool
    gpgcheck: bool | None
    repo_gpgcheck: bool | None
    gpgkeys: tuple[str, ...] = ()
    passed_over: tuple[str, ...] = ()
    secrets: dict[str, str] = field(default_factory=dict, repr=False)


def read_repofile(data: bytes, *, where: str, only: Collection[str] = ()) -> list[RepoSection]:
    """Read a `.repo` file, sections in order, `[main]` left out; `FormatError` where it is none.

    Asked for are `only` these sections, or else all that are enabled; what stands in another one stops nothing.
    """
    if len(data) > MAX_FILE:
        raise FormatError(f"expected at most {MAX_FILE:,} bytes, found more", where=where)
    parser = configparser.ConfigParser(interpolation=None, delimiters=("=",), comment_prefixes=("#", ";"))
    try:
        parser.read_string(data.decode("utf-8"))
    except (configparser.Error, UnicodeDecodeError) as cause:
        raise FormatError("not a .repo file", where=where, hint=_FORM, problems=[Problem(where, _why(cause))]) from None
    names = [name for name in parser.sections() if name != "main"]
    if not names:
        raise FormatError("describes no repository", where=where, hint=_FORM)
    return [_section(name, dict(parser[name]), f"{where}: [{shown(name)}]", only) for name in names]


_FORM = "each repository stands under its name in [brackets], in lines NAME=VALUE"


def _why(cause: configparser.Error | UnicodeDecodeError) -> str:
    """Say which line is wrong, in our words: those of `cause` repeat lines, and so passwords."""
    if isinstance(cause, configparser.MissingSectionHeaderError):
        return f"line {cause.lineno} stands before any [section]"
    if isinstance(cause, configparser.ParsingError):
        return f"line {cause.errors[0][0]} is no [section] and no NAME=VALUE"
    if isinstance(cause, configparser.DuplicateSectionError | configparser.DuplicateOptionError):
        return f"line {cause.lineno} gives a name a second time"
    return "is not UTF-8"


def _section(name: str, options: dict[str, str], where: str, only: Collection[str]) -> RepoSection:
    said = _Options(options, where)
    if name not in only if only else not said.flag("enabled", default=True):
        return RepoSection(name, name, "", Transport(), enabled=False, gpgcheck=None, repo_gpgcheck=None)
    if not said.flag("sslverify", default=True):
        raise UsageError(
            "sslverify=0 would let anybody answer", where=where, hint="name the CA instead: sslcacert=FILE"
        )
    source, kind, others = _place(said)
    secrets = {key: value for key in _SECRETS if (value := said.text(key))}
    if ("username" in secrets) != ("password" in secrets):
        raise UsageError("username and password stand together", where=where)
    found = RepoSection(
        id=name,
        name=said.text("name") or name,
        source=source,
        transport=_transport(said, kind, others),
        enabled=said.flag("enabled", default=True),
        gpgcheck=said.choice("gpgcheck", "pkg_gpgcheck"),
        repo_gpgcheck=said.choice("repo_gpgcheck"),
        gpgkeys=said.words("gpgkey"),
        passed_over=tuple(sorted(options.keys() - said.asked - _FOR_CLIENTS)),
        secrets=secrets,
    )
    return found


_SECRETS = ("username", "password", "proxy_username", "proxy_password")


class _Options:
    """The options of a section, each in its form; `asked` are those that mean something here."""

    def __init__(self, options: dict[str, str], where: str) -> None:
        self._options = options
        self.where = where
        self.asked: set[str] = set()

    def text(self, key: str) -> str | None:
        """Give one value, None where it is absent, empty or `_none_`."""
        self.asked.add(key)
        value = self._options.get(key, "").strip()
        return None if value.lower() in _ABSENT else value

    def words(self, key: str) -> tuple[str, ...]:
        """Give a list: by blanks, commas or lines."""
        return tuple(re.split(r"[\s,]+", self.text(key) or "")) if self.text(key) else ()

    def flag(self, key: str, *, default: bool) -> bool:
        """Give a yes or no; `FormatError` for anything else."""
        value = (self.text(key) or "").lower()
        if value and value not in _TRUE | _FALSE:
            raise FormatError(f"{key} is neither yes nor no", where=self.where)
        return value in _TRUE if value else default

    def choice(self, *keys: str) -> bool | None:
        """Give a yes where one of these says so, else a no where one does, None where all are absent."""
        said = [self.flag(key, default=False) for key in keys if self.text(key) is not None]
        return any(said) if said else None

    def number(self, key: str) -> int | None:
        """Give a positive number, with k, M or G behind it; None where it is absent or 0."""
        value = self.text(key)
        if value is None:
            return None
        found = re.fullmatch(r"([0-9]{1,9})([kKmMgG]?)", value)
        if not found:
            raise FormatError(f"{key} is no number", where=self.where)
        return int(found[1]) * 1024 ** (" kmg".index(found[2].lower() or " ")) or None


def _place(said: _Options) -> tuple[str, Kind, tuple[str, ...]]:
    """Say where it lies: as dnf, a metalink goes before a mirrorlist, and that before base URLs."""
    metalink, mirrorlist, urls = said.text("metalink"), said.text("mirrorlist"), said.words("baseurl")
    if metalink:
        return metalink, Kind.METALINK, ()
    if mirrorlist:
        return mirrorlist, Kind.METALINK if "metalink" in mirrorlist else Kind.MIRRORLIST, ()
    if not urls:
        raise FormatError("has neither baseurl, mirrorlist nor metalink", where=said.where)
    return urls[0], Kind.PLAIN, urls[1:]


def _transport(said: _Options, kind: Kind, others: tuple[str, ...]) -> Transport:
    timeout_s = said.number("timeout")
    return Transport(
        kind=kind,
        others=others,
        jobs=said.number("max_parallel_downloads"),
        timeout_s=None if timeout_s is None else float(timeout_s),
        tries=said.number("retries"),
        rate=said.number("throttle"),
        proxy=said.text("proxy"),
        client_cert=said.text("sslclientcert"),
        client_key=said.text("sslclientkey"),
        ca_bundle=said.text("sslcacert"),
    )
