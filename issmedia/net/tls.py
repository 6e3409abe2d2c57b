"""What a server must show, and what we show it."""

from pathlib import Path
from typing import TYPE_CHECKING

from issmedia.base.errors import UsageError
from issmedia.model.names import shown
from issmedia.model.transport import Transport
from issmedia.net.secrets import require_private

if TYPE_CHECKING:
    import ssl


def context(transport: Transport) -> "ssl.SSLContext":
    """Make a context that checks a server against the CA bundle chosen, else the system's; there is none without.

    It has the client certificate. `UsageError` for files that are none, and for a key that others can read.
    """
    import ssl  # 5 ms, which a sync over http is spared

    try:
        made = ssl.create_default_context(cafile=transport.ca_bundle)
    except (OSError, ValueError) as cause:
        raise UsageError("no bundle of CA certificates (PEM)", where=shown(transport.ca_bundle or "")) from cause
    if transport.client_cert:
        _show(made, transport.client_cert, transport.client_key or transport.client_cert)
    return made


def authorities(ca_bundle: str | None) -> tuple[str | None, str | None]:
    """Name the file and the directory of CAs that `context` checks against; None for one that is not there."""
    if ca_bundle is not None:
        return ca_bundle, None
    import ssl

    paths = ssl.get_default_verify_paths()
    file, directory = (path and str(Path(path).absolute()) for path in (paths.cafile, paths.capath))
    return file, directory


def _show(made: "ssl.SSLContext", certificate: str, key: str) -> None:
    require_private(Path(key))
    try:
        made.load_cert_chain(certificate, key, password=lambda: b"")  # else OpenSSL would ask the terminal
    except (OSError, ValueError) as cause:
        raise UsageError(
            "no certificate with its key: expected PEM, the key without a passphrase", where=shown(certificate)
        ) from cause
