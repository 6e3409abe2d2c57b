"""What went wrong on the wire, in a few words; never with a URL or a header in them."""

from http import HTTPStatus
from http.client import HTTPException

from urllib3 import exceptions

from issmedia.base.errors import AbsentError, UpstreamError
from issmedia.model.names import shown

NO_ANSWER = (exceptions.HTTPError, HTTPException, OSError, UnicodeError)
"""How urllib3 and the system say that there was no answer, or no end of one."""

_ABSENT = frozenset({403, 404, 410})
"""403 too: object stores answer so for a file that is not there."""

_HINTS = {
    401: "credentials stand in a file of mode 0600: issmedia repo set PRODUCT/REPO --credentials FILE",
    407: "the proxy wants a proxy_username and proxy_password, in the file that --credentials names",
}


def refusal(status: int, where: str) -> UpstreamError:
    """Make an answer that is none an error; `AbsentError` where the file is not there."""
    try:
        text = f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        text = str(status)
    kind = AbsentError if status in _ABSENT else UpstreamError
    return kind(f"the server answered {text}", where=where, hint=_HINTS.get(status))


def reason(cause: BaseException) -> str:
    """Say what the network did."""
    if isinstance(cause, exceptions.MaxRetryError) and cause.reason is not None:
        cause = cause.reason
    if isinstance(cause, exceptions.NameResolutionError):
        return "the host's name cannot be resolved"
    if isinstance(cause, exceptions.TimeoutError) and not isinstance(cause, exceptions.NewConnectionError):
        return "the host is silent"
    if isinstance(cause, exceptions.SSLError):
        return shown(f"TLS: {cause}")
    inner = cause.__cause__ or cause.__context__ or cause
    if isinstance(cause, exceptions.ProxyError):
        return shown(f"the proxy: {inner}")
    if isinstance(inner, exceptions.IncompleteRead):
        return f"{inner.partial:,} bytes came, {inner.expected:,} more were announced"
    if isinstance(inner, exceptions.ProtocolError):
        return "the connection was closed"
    return shown(getattr(inner, "strerror", None) or str(inner) or type(inner).__name__)
