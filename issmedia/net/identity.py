"""What keeps connections apart."""

import msgspec

from issmedia.net.proxies import Proxy


class Identity(msgspec.Struct, frozen=True):
    """What is shown and demanded: our certificate with its key, the CAs, the proxy with its password, credentials."""

    scheme: str
    ca_bundle: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    proxy: Proxy | None = None
    authorization: str = ""

    def __repr__(self) -> str:
        return f"Identity({self.scheme!r}, …)"

    @property
    def speaks_tls(self) -> bool:
        """Say whether anybody must prove who it is: the server, or the proxy."""
        return self.scheme == "https" or (self.proxy is not None and self.proxy.url.startswith("https:"))
