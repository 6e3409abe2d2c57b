"""Which proxy a URL is asked through: the one that was chosen, else what the environment says, as curl reads it.

`http_proxy` (in small letters only: a server that runs us as CGI could be told another by a header), `https_proxy`,
`all_proxy`, `no_proxy`: names of domains, `*`, addresses and networks.
"""

import ipaddress
from collections.abc import Mapping
from urllib.parse import SplitResult, unquote, urlsplit

import msgspec

from issmedia.base.errors import UsageError


class Proxy(msgspec.Struct, frozen=True):
    """A proxy, without its credentials; these are in no repr."""

    url: str
    username: str = ""
    password: str = ""

    def __repr__(self) -> str:
        return f"Proxy({self.url!r})"

    @property
    def place(self) -> str:
        """Give the URL with the port that the scheme means: libcurl would take 1080."""
        parts = urlsplit(self.url)
        return self.url if parts.port else f"{self.url}:{443 if parts.scheme == 'https' else 80}"


def proxy_for(url: str, environment: Mapping[str, str]) -> Proxy | None:
    """Find the proxy that the environment names for a URL; None where there is none. `UsageError` for an odd one."""
    target = urlsplit(url)
    if _is_direct(target, environment.get("no_proxy") or environment.get("NO_PROXY") or ""):
        return None
    names = [f"{target.scheme}_proxy", "HTTPS_PROXY" if target.scheme == "https" else "", "all_proxy", "ALL_PROXY"]
    found = next((value for name in names if name and (value := environment.get(name))), None)
    return None if found is None else parse_proxy(found)


def parse_proxy(text: str) -> Proxy:
    """Take a proxy's URL apart: `http://[USER:PASSWORD@]HOST:PORT`, or https; `UsageError` for any other."""
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        parts, port = urlsplit(""), ""
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path not in ("", "/") or parts.query:
        raise UsageError("the proxy is none that can be used", hint="write http://HOST:PORT or https://HOST:PORT")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return Proxy(f"{parts.scheme}://{host}{port}", unquote(parts.username or ""), unquote(parts.password or ""))


def _is_direct(target: SplitResult, exceptions: str) -> bool:
    host = (target.hostname or "").rstrip(".").lower()
    return any(_matches(host, one.strip().lower()) for one in exceptions.split(",") if one.strip())


def _matches(host: str, exception: str) -> bool:
    if exception == "*":
        return True
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(exception, strict=False)
    except ValueError:
        name = exception.partition(":")[0].lstrip("*").lstrip(".")
        return bool(name) and (host == name or host.endswith(f".{name}"))
