"""Trusted keys, and OpenSSH's ALLOWED SIGNERS format in which they are kept (ssh-keygen(1)).

A line is `NAME [OPTIONS] KIND BASE64 [COMMENT]`; empty lines and those that begin with `#` say nothing. The options
`namespaces`, `valid-after` and `valid-before` mean what they mean to `ssh-keygen -Y verify`. Whatever we do not
understand is refused rather than passed over: certificates, negated patterns, times in some local zone.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from fnmatch import fnmatchcase

import msgspec

from issmedia.base.errors import FormatError
from issmedia.model.names import shown
from issmedia.model.sshsig import PublicKey, parse_public_line

_LINE = re.compile(
    r'(?P<name>[^\s"#*?!,]{1,200})[ \t]+'
    r'(?:(?P<options>(?:[^\s"]|"[^"\\]*")+)[ \t]+)?'
    r"(?P<key>(?:ssh|ecdsa|sk)-\S+[ \t]+\S.*)\Z"
)
_OPTION = re.compile(r'(?P<name>[A-Za-z-]+)(?:="(?P<value>[^"]*)")?(?:,(?=.)|\Z)')
_NAMESPACE = re.compile(r"[A-Za-z0-9._@*-]+\Z")
_STAMP = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})(?:([0-9]{2})([0-9]{2})([0-9]{2})?)?Z\Z")
_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z\Z")
_KNOWN_OPTIONS = ("namespaces", "valid-after", "valid-before")


class TrustedKey(msgspec.Struct, frozen=True):
    """A key whose signatures count: under these namespaces (`*` matches any text), from and to these moments inclusive.

    Moments are RFC 3339 UTC texts, or None for no limit.
    """

    name: str
    public: PublicKey
    namespaces: tuple[str, ...] = ("*",)
    valid_after: str | None = None
    valid_before: str | None = None

    def fault(self, namespace: str, *, now: str) -> str | None:
        """Say why a signature of this key does not count for `namespace` at `now`, or None."""
        if not any(fnmatchcase(namespace, pattern) for pattern in self.namespaces):
            return f"is trusted for {', '.join(self.namespaces)}, not for {namespace}"
        if self.valid_after is not None and now < self.valid_after:
            return f"is valid from {self.valid_after}, it is {now}"
        if self.valid_before is not None and now > self.valid_before:
            return f"was valid until {self.valid_before}, it is {now}"
        return None


def parse_signers(text: str, *, where: str) -> tuple[TrustedKey, ...]:
    """Parse an `allowed_signers` file; `FormatError` names the line."""
    return tuple(key for _, key in signer_lines(text, where=where) if key is not None)


def signer_lines(text: str, *, where: str) -> Iterator[tuple[str, TrustedKey | None]]:
    """Yield each line as it stands, with the key it names, or None for a comment."""
    for number, line in enumerate(text.split("\n"), start=1):
        yield line, _parse_line(line.strip(), f"{where}, line {number}")


def render_signer(key: TrustedKey) -> str:
    """Write the line for a key, without newline."""
    options = [f'namespaces="{",".join(key.namespaces)}"']
    if key.valid_after is not None:
        options.append(f'valid-after="{_stamp(key.valid_after)}"')
    if key.valid_before is not None:
        options.append(f'valid-before="{_stamp(key.valid_before)}"')
    return f"{key.name} {','.join(options)} {key.public.line}"


def is_moment(text: str) -> bool:
    """Say whether `text` is an RFC 3339 UTC moment of the one form used here, and on the calendar."""
    try:
        return _MOMENT.match(text) is not None and _moment(_stamp(text)) == text
    except FormatError:
        return False


def namespace_fault(namespaces: tuple[str, ...]) -> str | None:
    """Say what is wrong with a list of namespaces, or None."""
    if not namespaces:
        return "names no namespace"
    bad = next((name for name in namespaces if not _NAMESPACE.match(name)), None)
    return None if bad is None else f"has the namespace {shown(bad)!r}: only A-Z a-z 0-9 . _ @ - and * are understood"


def _parse_line(line: str, where: str) -> TrustedKey | None:
    if line == "" or line.startswith("#"):
        return None
    match = _LINE.match(line)
    if match is None:
        raise FormatError("expected NAME [OPTIONS] KIND BASE64 [COMMENT]", where=where)
    try:
        return _trusted_key(match["name"], match["options"] or "", parse_public_line(match["key"]))
    except FormatError as cause:
        raise FormatError(cause.message, where=where, hint=cause.hint) from cause


def _trusted_key(name: str, text: str, public: PublicKey) -> TrustedKey:
    options = _options(text)
    namespaces = tuple(options.get("namespaces", "*").split(","))
    if fault := namespace_fault(namespaces):
        raise FormatError(f"the line {fault}")
    after, before = (options.get(option) for option in ("valid-after", "valid-before"))
    return TrustedKey(
        shown(name),
        public,
        namespaces,
        None if after is None else _moment(after),
        None if before is None else _moment(before),
    )


def _options(text: str) -> dict[str, str]:
    options: dict[str, str] = {}
    at = 0
    while at < len(text):
        match = _OPTION.match(text, at)
        if match is None:
            raise FormatError(f'expected options like namespaces="…",valid-before="…", found {shown(text)!r}')
        at = match.end()
        name = match["name"].lower()
        _check_option(name, match["value"], options)
        options[name] = match["value"]
    return options


def _check_option(name: str, value: str | None, earlier: dict[str, str]) -> None:
    if name == "cert-authority":
        raise FormatError("cert-authority is not supported", hint="trust the signing keys themselves, one a line")
    if name not in _KNOWN_OPTIONS or value is None:
        raise FormatError(f"expected one of {', '.join(_KNOWN_OPTIONS)} with a value, found {shown(name)!r}")
    if name in earlier:
        raise FormatError(f"the option {name} stands twice")


def _stamp(moment: str) -> str:
    return re.sub("[-:T]", "", moment)


def _moment(stamp: str) -> str:
    match = _STAMP.match(stamp)
    if match is None:
        raise FormatError(f"expected a time in UTC, YYYYMMDD[HHMM[SS]]Z, found {shown(stamp)!r}")
    try:
        time = datetime(*(int(digits or 0) for digits in match.groups()), tzinfo=UTC)  # type: ignore[arg-type,misc]
    except ValueError as cause:
        raise FormatError(f"no such time: {stamp}") from cause
    return time.isoformat()[:19] + "Z"
