"""What keeps connections apart."""

from dataclasses import dataclass, field

from issmedia.net.proxies import Proxy


@dataclass(frozen=True, slots=True)
class Identity:
    """What is shown and demanded: our certificate with its key, the CAs, the proxy with its password, credentials."""

    scheme: str
    ca_bundle: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    proxy: Proxy | None = None
    authorization: str = field(default="", repr=False)
