"""libcurl: what a `Handle` asks, over one connection of its own, one request at a time. Nobody else uses pycurl.

libcurl is driven step by step, by whoever reads: it receives only when all that came before was read, so no more than
one step waits in memory. All that it would take from its surroundings (proxies, .netrc, cookies, CAs) is said here.
"""

import contextlib
import math
import os
import select
import socket
import threading
from collections import deque
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

import pycurl

from issmedia.base.digest import CHUNK
from issmedia.net.heads import Head, fault, read_head
from issmedia.net.identity import Identity
from issmedia.net.tls import authorities

_TRICKLE = 100
"""Bytes of a body in a second; who gives fewer all through the time limit is as good as silent."""

_SLICE_S = 1.0
"""The longest that nobody looks whether the request was ended."""

_SUPPRESS_CONNECT_HEADERS = 265
"""An option of libcurl that pycurl has no name for: what a proxy says of a tunnel is no answer."""

_LENGTH = getattr(pycurl, "CONTENT_LENGTH_DOWNLOAD_T", None) or pycurl.CONTENT_LENGTH_DOWNLOAD
_CAME = getattr(pycurl, "SIZE_DOWNLOAD_T", None) or pycurl.SIZE_DOWNLOAD
"""Old releases of pycurl give floats, new ones warn of them."""

_SAFE = "".join(map(chr, range(0x21, 0x7F)))
_HTTP = pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS

_SETTINGS = {
    pycurl.NOSIGNAL: 1,
    pycurl.PROTOCOLS: _HTTP,
    pycurl.REDIR_PROTOCOLS: _HTTP,
    pycurl.FOLLOWLOCATION: 0,
    pycurl.HTTP_VERSION: pycurl.CURL_HTTP_VERSION_1_1,
    pycurl.HTTP09_ALLOWED: 0,
    pycurl.HTTP_CONTENT_DECODING: 0,
    pycurl.NETRC: pycurl.NETRC_IGNORED,
    pycurl.PATH_AS_IS: 1,
    pycurl.BUFFERSIZE: CHUNK,
    _SUPPRESS_CONNECT_HEADERS: 1,
}

REFUSED, CUT_SHORT, TIMED_OUT = pycurl.E_COULDNT_CONNECT, pycurl.E_PARTIAL_FILE, pycurl.E_OPERATION_TIMEDOUT
NO_HOST, NO_PROXY = pycurl.E_COULDNT_RESOLVE_HOST, pycurl.E_COULDNT_RESOLVE_PROXY
NOT_TRUSTED = pycurl.E_PEER_FAILED_VERIFICATION
CLOSED = pycurl.E_GOT_NOTHING

_OF_TLS = frozenset(
    {
        NOT_TRUSTED,
        pycurl.E_SSL_CERTPROBLEM,
        pycurl.E_SSL_CIPHER,
        pycurl.E_SSL_CACERT_BADFILE,
        pycurl.E_SSL_ISSUER_ERROR,
        pycurl.E_SSL_INVALIDCERTSTATUS,
    }
)
_MAY_BE_OF_TLS = frozenset({pycurl.E_SSL_CONNECT_ERROR, pycurl.E_RECV_ERROR, pycurl.E_SEND_ERROR})


@dataclass(frozen=True, slots=True)
class Failure:
    """What libcurl says: its code, its words, the system's error, bytes that came and that are still lacking.

    `lacking` is -1 where nobody knows, `connect_status` what a proxy answered to a wish for a tunnel, else 0.
    """

    code: int
    text: str
    errno: int = 0
    came: int = 0
    lacking: int = -1
    by_proxy: bool = False
    connect_status: int = 0

    @property
    def is_tls(self) -> bool:
        """Say whether the two could not agree on TLS; a connection that was cut is no disagreement."""
        at_odds = "SSL routines" in self.text and "unexpected eof" not in self.text
        return self.code in _OF_TLS or (self.code in _MAY_BE_OF_TLS and at_odds)


class TransferError(Exception):
    """There was no answer, or no end of one."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.text)
        self.failure = failure


class Handle:
    """One connection, made where there is none that still stands. Only `end` is for other threads than the user's."""

    def __init__(self, identity: Identity) -> None:
        self._easy = pycurl.Curl()
        self._multi = pycurl.CurlMulti()
        self._lines: list[bytes] = []
        self._pieces: deque[bytes] = deque()
        self._headers: list[str] = []
        self._limits = (0.0, False)
        self._sockets: list[socket.socket] = []
        self._connected = False
        self._guard = threading.Lock()
        self._ended = False
        self._closed = False
        self._under_way = False
        self._failure: Failure | None = None
        self._timeout_s = 0.0
        self._has_proxy = identity.proxy is not None
        self._multi.setopt(pycurl.M_MAXCONNECTS, 1)
        for option, value in (_SETTINGS | _tls(identity) | _proxy(identity)).items():
            self._easy.setopt(option, value)
        self._easy.setopt(pycurl.HEADERFUNCTION, self._lines.append)
        self._easy.setopt(pycurl.WRITEFUNCTION, self._pieces.append)
        self._easy.setopt(pycurl.SOCKOPTFUNCTION, self._connects)

    def ask(self, url: str, headers: list[str], *, timeout_s: float, steady: bool) -> Head:
        """Ask for a URL; give the head of the answer. `TransferError` where there is none.

        `steady` gives up who only trickles.
        """
        self._timeout_s = timeout_s
        self._lines.clear()
        self._failure = None
        try:
            self._say(url, headers, (timeout_s, steady))
        except pycurl.error as cause:
            raise TransferError(Failure(*cause.args)) from cause
        self._multi.add_handle(self._easy)
        self._under_way = True
        self._advance()
        while (head := read_head(self._lines)) is None:
            self._require_more()
            self._advance()
        if self._connected:
            self._keep_one_socket()
        self._lines.clear()
        return head

    @property
    def length(self) -> int:
        """Give the bytes of the body, as they were announced; -1 where they were not."""
        return int(self._easy.getinfo(_LENGTH))

    @property
    def waiting(self) -> int:
        """Give the bytes that came and were not read yet."""
        return sum(map(len, self._pieces))

    @property
    def is_free(self) -> bool:
        """Say whether the answer was read to its end, and the connection may serve again."""
        return not (self._under_way or self._failure or self._pieces or self._ended)

    def readinto(self, buffer: memoryview) -> int:
        """Read on into a buffer that is not empty; 0 at the end. `TransferError` where the body ends early."""
        while not (count := self._taken(buffer)) and (self._under_way or self._failure):
            self._require_more()
            self._advance()
        return count

    def end(self) -> None:
        """Have what waits for this connection fail: below TLS, whose own call is not for two threads."""
        with self._guard:
            self._ended = True
            for one in self._sockets:
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the connection; once more does nothing."""
        if self._closed:
            return
        self._closed = True
        if self._under_way:
            self._multi.remove_handle(self._easy)
            self._under_way = False
        self._multi.close()
        self._easy.close()
        with self._guard:
            for one in self._sockets:
                one.close()
            self._sockets.clear()

    def __del__(self) -> None:
        self.close()

    def _say(self, url: str, headers: list[str], limits: tuple[float, bool]) -> None:
        """Tell libcurl what is to be asked, as far as it differs from the last time."""
        plain = url.isascii() and url.isprintable() and " " not in url
        self._easy.setopt(pycurl.URL, url if plain else quote(url, safe=_SAFE))
        if headers != self._headers:
            self._easy.setopt(pycurl.HTTPHEADER, headers)
            self._headers = headers
        if limits != self._limits:
            timeout_s, steady = self._limits = limits
            self._easy.setopt(pycurl.CONNECTTIMEOUT_MS, max(1, int(timeout_s * 1000)))
            self._easy.setopt(pycurl.LOW_SPEED_LIMIT, _TRICKLE if steady else 0)
            self._easy.setopt(pycurl.LOW_SPEED_TIME, math.ceil(timeout_s) if steady else 0)

    def _taken(self, buffer: memoryview) -> int:
        """Move what waits into a buffer, as far as it goes; say how many bytes."""
        pieces = self._pieces
        at, room = 0, len(buffer)
        while pieces and at < room:
            piece = pieces.popleft()
            if (end := at + len(piece)) > room:
                pieces.appendleft(piece[room - at :])
                piece, end = piece[: room - at], room
            buffer[at:end] = piece
            at = end
        return at

    def _require_more(self) -> None:
        """Raise what ended the transfer, where it has ended."""
        if self._failure:
            raise TransferError(self._failure)
        if not self._under_way:
            raise TransferError(Failure(CLOSED, "the answer has no head"))

    def _advance(self) -> None:
        """Wait until lines or bytes come, or the transfer ends; `TransferError` where the server is silent."""
        silent_s = 0.0
        before = len(self._lines)
        while not self._step() and len(self._lines) == before:
            if silent_s >= self._timeout_s:
                raise TransferError(Failure(TIMED_OUT, "silence"))
            if self._ended:
                raise TransferError(Failure(CLOSED, "ended"))
            silent_s = self._waited(silent_s)
        if self._lines and (why := fault(self._lines)):
            raise TransferError(Failure(pycurl.E_FTP_WEIRD_SERVER_REPLY, why))

    def _step(self) -> bool:
        """Let libcurl do what it can at once; say whether bytes came, or the transfer ended."""
        self._multi.perform()
        _, good, bad = self._multi.info_read()
        if good or bad:
            self._failure = self._found(bad[0][1], bad[0][2]) if bad else None
            self._multi.remove_handle(self._easy)
            self._under_way = False
        return bool(self._pieces) or not self._under_way

    def _waited(self, silent_s: float) -> float:
        """Wait for a socket; give the silence up to now, in seconds."""
        timer_ms = self._multi.timeout()
        wait_s = min(_SLICE_S, self._timeout_s - silent_s, timer_ms / 1000 if timer_ms >= 0 else _SLICE_S)
        reads, writes, odd = self._multi.fdset()
        ready = select.select(reads, writes, odd, wait_s)
        return 0.0 if any(ready) else silent_s + wait_s

    def _found(self, code: int, text: str) -> Failure:
        came = int(self._easy.getinfo(_CAME))
        return Failure(
            code,
            text,
            errno=self._easy.getinfo(pycurl.OS_ERRNO),
            came=came,
            lacking=self.length - came if self.length >= 0 else -1,
            by_proxy=self._has_proxy,
            connect_status=self._easy.getinfo(pycurl.HTTP_CONNECTCODE),
        )

    def _connects(self, fd: int, _purpose: int) -> int:
        """Keep a second name of a new socket: the first may be another file's, once libcurl has closed it."""
        with self._guard:
            if self._ended:
                return int(pycurl.SOCKOPT_ERROR)
            try:
                self._sockets.append(socket.socket(fileno=os.dup(fd)))
            except OSError:  # too many files are open
                return int(pycurl.SOCKOPT_ERROR)
            self._connected = True
        return int(pycurl.SOCKOPT_OK)

    def _keep_one_socket(self) -> None:
        """Let go of the sockets of attempts to connect, and of connections that are no more."""
        port = self._easy.getinfo(pycurl.LOCAL_PORT)
        with self._guard:
            kept = [one for one in self._sockets if one.getsockname()[1] == port]
            for one in self._sockets:
                if one not in kept:
                    one.close()
            self._sockets = kept
            self._connected = False


def _tls(identity: Identity) -> dict[int, object]:
    """Say how a server, and a proxy, proves itself: always, to the same CAs; and what we show the server alone."""
    file, directory = authorities(identity.ca_bundle)
    settings: dict[int, object] = {
        pycurl.SSLVERSION: pycurl.SSLVERSION_TLSv1_2,
        pycurl.SSL_VERIFYPEER: 1,
        pycurl.SSL_VERIFYHOST: 2,
        pycurl.CAINFO: file,
        pycurl.CAPATH: directory,
        pycurl.PROXY_SSLVERSION: pycurl.SSLVERSION_TLSv1_2,
        pycurl.PROXY_SSL_VERIFYPEER: 1,
        pycurl.PROXY_SSL_VERIFYHOST: 2,
        pycurl.PROXY_CAINFO: file,
        pycurl.PROXY_CAPATH: directory,
    }
    if identity.scheme == "https" and identity.client_cert:
        settings[pycurl.SSLCERT] = os.fsencode(identity.client_cert)
        settings[pycurl.SSLKEY] = os.fsencode(identity.client_key or identity.client_cert)
        settings[pycurl.KEYPASSWD] = ""  # else OpenSSL would ask the terminal
    return settings


def _proxy(identity: Identity) -> dict[int, object]:
    """Say which proxy is asked: none but this, whatever the environment names."""
    proxy = identity.proxy
    if proxy is None:
        return {pycurl.PROXY: "", pycurl.NOPROXY: "*"}
    settings: dict[int, object] = {
        pycurl.PROXY: _with_port(proxy.url),
        pycurl.NOPROXY: "",
        pycurl.PROXYAUTH: pycurl.HTTPAUTH_BASIC,
    }
    if proxy.username:
        settings[pycurl.PROXYUSERNAME] = proxy.username.encode()
        settings[pycurl.PROXYPASSWORD] = proxy.password.encode()
    return settings


def _with_port(url: str) -> str:
    """Name the port that the scheme means: libcurl would take 1080."""
    parts = urlsplit(url)
    return url if parts.port else f"{url}:{443 if parts.scheme == 'https' else 80}"
