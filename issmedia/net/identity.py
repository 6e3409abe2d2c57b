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

    @property
    def speaks_tls(self) -> bool:
        """Say whether anybody must prove who it is: the server, or the proxy."""
        return self.scheme == "https" or (self.proxy is not None and self.proxy.url.startswith("https:"))
