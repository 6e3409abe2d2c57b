"""Where a repository comes from: a directory, a `file://` URL, HTTP(S), or a list of mirrors.

Nothing here is trusted, and nothing read from the environment: what it says of proxies is handed down by the face.
"""

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from issmedia.base.errors import UpstreamError, UsageError
from issmedia.model.mirrors import MAX_LIST, Mirrors, read_metalink, read_mirrorlist
from issmedia.model.names import shown
from issmedia.model.transport import NOTHING_CHOSEN, Kind, Transport, checked_variables, substituted
from issmedia.net.client import Access, Client, origin_of, read_whole
from issmedia.net.connections import Connections
from issmedia.net.directory import DirectoryUpstream
from issmedia.net.manners import Manners
from issmedia.net.proxies import parse_proxy
from issmedia.net.secrets import Secrets, read_secrets
from issmedia.net.tls import context
from issmedia.net.web import HttpUpstream

_HINT = "a source is a directory, file:///DIRECTORY, http://HOST/PATH or https://HOST/PATH"
_MOST_JOBS = 64


def checked_source(source: str, transport: Transport = NOTHING_CHOSEN) -> str:
    """Give back a source that `open_upstream` takes; `UsageError` for any other, and for a relative directory.

    What `transport` names is checked as far as that needs no file.
    """
    listed = transport.kind != Kind.PLAIN
    places = [source, *transport.others]
    if "://" not in source:
        if listed or transport.others or not source.startswith("/"):
            raise UsageError("the source is no absolute path and no URL", where=shown(source), hint=_HINT)
        return source
    for place in places:
        url = _require_url(substituted(place, checked_variables(transport.variables)), listed=listed)
        if (listed or transport.others) and url.scheme == "file":
            raise UsageError("expected URLs of the web", where=shown(place), hint=_HINT)
        if transport.credentials and url.scheme == "http":
            raise UsageError("a password is sent by https only", where=shown(url.netloc), hint="use the https:// URL")
    require_sane(transport)
    return source


def checked_files(transport: Transport) -> None:
    """Refuse files of credentials and certificates that cannot be used: `UsageError`."""
    if transport.credentials:
        read_secrets(Path(transport.credentials))
    if transport.client_cert or transport.ca_bundle:
        context(transport)


def open_upstream(
    source: str,
    transport: Transport = NOTHING_CHOSEN,
    *,
    timeout_s: float = 60.0,
    backoff_s: float = 0.5,
    manners: Manners | None = None,
    environment: Mapping[str, str] | None = None,
    connections: Connections | None = None,
) -> DirectoryUpstream | HttpUpstream:
    """Open a directory (which can be listed), a `file://` URL (which cannot), a URL of the web, or a list of mirrors.

    `UsageError` for any other source, and for files of `transport` that cannot be used; `UpstreamError` where a
    directory is not there. No connection is made yet. `environment` is what names proxies. `connections` are shared
    with other upstreams, and stay open when this one is closed.
    """
    if "://" not in source:
        return DirectoryUpstream(Path(source), url=source, listed=True)
    checked_source(source, transport)
    bases = [substituted(one, transport.variables) for one in (source, *transport.others)]
    if (url := urlsplit(bases[0])).scheme == "file":
        return DirectoryUpstream(Path(unquote(url.path)), url=bases[0], listed=False)
    chosen = (manners or Manners(timeout_s=timeout_s, backoff_s=backoff_s)).chosen(transport)
    secrets = read_secrets(Path(transport.credentials)) if transport.credentials else Secrets()
    access = Access(transport, secrets, frozenset(map(origin_of, bases)), environment or {})
    client = Client(chosen, access, connections)
    if transport.kind == Kind.PLAIN:
        places = Mirrors(tuple(base.rstrip("/") + "/" for base in bases))
        return HttpUpstream(bases[0], client, lambda: places, listed=False)
    return HttpUpstream(bases[0], client, lambda: _mirrors(client, bases[0], transport.kind), listed=True)


def _mirrors(client: Client, url: str, kind: Kind) -> Mirrors:
    """Read a list; what was asked for by https names mirrors by https only."""
    data = read_whole(client, url, limit=MAX_LIST)
    found = (read_metalink if kind == Kind.METALINK else read_mirrorlist)(data, where=shown(url))
    if not url.startswith("https:"):
        return found
    safe = tuple(one for one in found.urls if one.startswith("https:"))
    if not safe:
        raise UpstreamError("the list names no mirror by https, as it came itself", where=shown(url))
    return Mirrors(safe, found.checksums, found.size)


_LONGEST_S = 86_400
"""The longest silence: a day."""


def require_sane(transport: Transport) -> None:
    """Refuse numbers and a proxy that nobody can mean: `UsageError`."""
    if transport.client_key and not transport.client_cert:
        raise UsageError("a client key wants its certificate", hint="--client-cert FILE")
    if transport.jobs is not None and not 1 <= transport.jobs <= _MOST_JOBS:
        raise UsageError(f"expected 1 to {_MOST_JOBS} jobs, got {transport.jobs}")
    for name in ("timeout_s", "tries", "rate"):
        value = getattr(transport, name)
        if value is not None and not 0 < value < 1 << 40:
            raise UsageError(f"{name} must be more than 0")
    if transport.timeout_s is not None and transport.timeout_s > _LONGEST_S:
        raise UsageError(f"expected at most {_LONGEST_S:,} seconds of silence, got {transport.timeout_s:,.0f}")
    if transport.proxy and ("@" in transport.proxy or parse_proxy(transport.proxy).username):
        raise UsageError("the proxy holds a user name", hint="put proxy_username and proxy_password in --credentials")


def _require_url(source: str, *, listed: bool) -> SplitResult:
    """Take a URL apart that is a source, or raise `UsageError`; only that of a list may have a query."""
    url = _split(source, listed=listed)
    if url.scheme == "file":
        if url.netloc not in ("", "localhost"):
            raise UsageError(
                "a file:// source names another host", where=shown(url.netloc), hint="write file:///DIRECTORY"
            )
    elif url.scheme not in ("http", "https") or not url.hostname:
        raise UsageError(f"{shown(url.scheme)}:// with this host is no source", hint=_HINT)
    return url


def _split(source: str, *, listed: bool) -> SplitResult:
    """Take a URL apart; its text is in no message, for it may hold a password."""
    try:
        url = urlsplit(source)
        _ = url.port
    except ValueError as cause:
        raise UsageError("the source is not a valid URL", hint=_HINT) from cause
    if "@" in url.netloc:
        raise UsageError(
            "the source holds a user name or password",
            where=f"{url.scheme}://{url.hostname}",
            hint="leave them out: --credentials FILE keeps them apart",
        )
    if (url.query and not listed) or url.fragment or not source.isprintable() or " " in source:
        raise UsageError("the source has a query, a fragment or a blank", where=shown(url.netloc), hint=_HINT)
    return url
