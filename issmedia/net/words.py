"""What went wrong on the wire, in a few words; never with a URL or a header in them."""

import os
from http import HTTPStatus

from issmedia.base.errors import AbsentError, UpstreamError
from issmedia.model.names import shown
from issmedia.net import messages

NO_ANSWER = (messages.TransferError, UnicodeError)
"""How it is said that there was no answer, or no end of one."""

_ABSENT = frozenset({403, 404, 410})
"""403 too: object stores answer so for a file that is not there."""

_HINTS = {
    401: "credentials stand in a file of mode 0600: issmedia repo set PRODUCT/REPO --credentials FILE",
    407: "the proxy wants a proxy_username and proxy_password, in the file that --credentials names",
}

_PLAIN = {
    messages.NO_HOST: "the host's name cannot be resolved",
    messages.NO_PROXY: "the proxy's name cannot be resolved",
    messages.TIMED_OUT: "the host is silent",
    messages.CLOSED: "the connection was closed",
    messages.CUT_SHORT: "the connection was closed",
}


def refusal(status: int, where: str) -> UpstreamError:
    """Make an answer that is none an error; `AbsentError` where the file is not there."""
    kind = AbsentError if status in _ABSENT else UpstreamError
    return kind(f"the server answered {_answer(status)}", where=where, hint=_HINTS.get(status))


def is_final(cause: BaseException) -> bool:
    """Say whether to ask again is of no use: who cannot be trusted will not be the next time."""
    return isinstance(cause, messages.TransferError) and cause.failure.is_tls


def hint(cause: BaseException) -> str | None:
    """Say what an operator can do about it, where that is known."""
    if not isinstance(cause, messages.TransferError):
        return None
    if cause.failure.is_tls:
        return "a CA of your own is named by --ca-bundle FILE"
    return _HINTS.get(cause.failure.connect_status)


def reason(cause: BaseException) -> str:
    """Say what the network did."""
    if not isinstance(cause, messages.TransferError):
        return shown(str(cause) or type(cause).__name__)
    failure = cause.failure
    if failure.is_tls:
        said = "certificate verify failed: " if failure.code == messages.NOT_TRUSTED else ""
        return shown(f"TLS: {said}{failure.text}")
    if failure.connect_status >= 300:
        return f"the proxy answered {_answer(failure.connect_status)}"
    if failure.code == messages.REFUSED:
        by = "the proxy: " if failure.by_proxy else ""
        return shown(by + (os.strerror(failure.errno) if failure.errno else failure.text))
    if failure.code == messages.CUT_SHORT and failure.lacking > 0:
        return f"{failure.came:,} bytes came, {failure.lacking:,} more were announced"
    return _PLAIN.get(failure.code) or shown(failure.text)


def _answer(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return str(status)
