"""All that is said to libcurl: nothing is left to its defaults, or to its surroundings (proxies, .netrc, CAs)."""

import math
import os
from urllib.parse import quote, urlsplit

import pycurl

from issmedia.base.digest import CHUNK
from issmedia.net.identity import Identity
from issmedia.net.messages import Whose

Options = dict[int, object]
"""What `setopt` takes."""

_TRICKLE = 100
"""Bytes of a body in a second; who gives fewer all through the time limit is as good as silent."""

_SUPPRESS_CONNECT_HEADERS = 265
"""An option of libcurl that pycurl has no name for: what a proxy says of a tunnel is no answer."""

_SAFE = "".join(map(chr, range(0x21, 0x7F)))
_HTTP = pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS

_SETTINGS: Options = {
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


def of_identity(whose: Whose) -> Options:
    """Say what holds for all requests over connections of an identity."""
    return _SETTINGS | _tls(whose) | _proxy(whose.identity)


def of_limits(timeout_s: float, *, steady: bool) -> Options:
    """Say how long to wait for a connection, and with `steady` for more than a trickle."""
    return {
        pycurl.CONNECTTIMEOUT_MS: max(1, int(timeout_s * 1000)),
        pycurl.LOW_SPEED_LIMIT: _TRICKLE if steady else 0,
        pycurl.LOW_SPEED_TIME: math.ceil(timeout_s) if steady else 0,
    }


def of_url(url: str) -> Options:
    """Say what is asked for; characters that no URL may hold are escaped."""
    plain = url.isascii() and url.isprintable() and " " not in url
    return {pycurl.URL: url if plain else quote(url, safe=_SAFE)}


def _tls(whose: Whose) -> Options:
    """Say how a server, and a proxy, proves itself: always, to the same CAs; and what we show the server alone."""
    identity, (file, directory) = whose.identity, whose.authorities
    settings: Options = {
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


def _proxy(identity: Identity) -> Options:
    """Say which proxy is asked: none but this, whatever the environment names."""
    proxy = identity.proxy
    if proxy is None:
        return {pycurl.PROXY: "", pycurl.NOPROXY: "*"}
    settings: Options = {
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
