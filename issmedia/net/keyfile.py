"""Files of OpenPGP keys from the web, to be pinned: a person judges what came by its fingerprint."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from msgspec.structs import replace

from issmedia.base.errors import UsageError
from issmedia.model.names import shown
from issmedia.model.transport import Transport, substituted
from issmedia.net.client import Access, Client, origin_of, read_whole
from issmedia.net.manners import Manners
from issmedia.net.secrets import Secrets, read_secrets

_HINT = "fetch it, check its fingerprint, and name the file"


def fetch_key(
    url: str, *, limit: int, sources: Sequence[str], transport: Transport, environment: Mapping[str, str]
) -> bytes:
    """Fetch a file of at most `limit` bytes by https, as the repository at the URLs `sources` is fetched.

    Passwords and our certificate go to those alone, and another host is asked by the CAs of the system. `UsageError`
    for other URLs than https, `UpstreamError` where the file cannot be had.
    """
    url = _checked(substituted(url, transport.variables))
    if urlsplit(url).hostname not in [urlsplit(one).hostname for one in sources]:
        transport = replace(transport, ca_bundle=None, client_cert=None, client_key=None)
    secrets = read_secrets(Path(transport.credentials)) if transport.credentials else Secrets()
    bases = [substituted(one, transport.variables) for one in sources]
    origins = frozenset(origin_of(one) for one in bases if one.startswith(("http:", "https:")))
    manners = Manners(timeout_s=60.0, backoff_s=0.5).chosen(transport)
    client = Client(manners, Access(transport, secrets, origins, environment))
    try:
        return read_whole(client, url, limit=limit)
    finally:
        client.close()


def _checked(url: str) -> str:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as cause:
        raise UsageError("the key's URL is none", hint=_HINT) from cause
    if parts.scheme != "https" or not parts.hostname:
        raise UsageError(f"a key is fetched by https only, not by {shown(parts.scheme)}", hint=_HINT)
    if "@" in parts.netloc or parts.fragment or not url.isprintable() or " " in url:
        raise UsageError("the key's URL holds a password, a fragment or a blank", hint=_HINT)
    return url
