"""All that is said to libcurl: nothing is left to its defaults, or to its surroundings (proxies, .netrc, CAs)."""

import math
import os

import pycurl

from issmedia.net.messages import Whose

Options = dict[int, object]
"""What `setopt` takes."""

_TRICKLE = 100
"""Bytes of a body in a second; who gives fewer all through the time limit is as good as silent."""

_SUPPRESS_CONNECT_HEADERS = 265
"""An option of libcurl that pycurl has no name for: what a proxy says of a tunnel is no answer."""

_BUFFER = 128 << 10
"""Bytes that are received at a time."""

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
    pycurl.BUFFERSIZE: _BUFFER,
    _SUPPRESS_CONNECT_HEADERS: 1,
}


def of_connection(whose: Whose) -> Options:
    """Say what holds for all requests over a connection."""
    return _SETTINGS | _tls(whose) | _proxy(whose)


def of_limits(timeout_s: float, *, steady: bool) -> Options:
    """Say how long to wait for a connection, and with `steady` for more than a trickle."""
    return {
        pycurl.CONNECTTIMEOUT_MS: max(1, int(timeout_s * 1000)),
        pycurl.LOW_SPEED_LIMIT: _TRICKLE if steady else 0,
        pycurl.LOW_SPEED_TIME: math.ceil(timeout_s) if steady else 0,
    }


def _tls(whose: Whose) -> Options:
    """Say how a server, and a proxy, proves itself: always, to the same CAs; and what we show the server alone."""
    file, directory = (None if path is None else os.fsencode(path) for path in whose.authorities)
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
    if whose.certificate and whose.key:
        settings[pycurl.SSLCERT] = os.fsencode(whose.certificate)
        settings[pycurl.SSLKEY] = os.fsencode(whose.key)
        settings[pycurl.KEYPASSWD] = ""  # else OpenSSL would ask the terminal
    return settings


def _proxy(whose: Whose) -> Options:
    """Say which proxy is asked: none but this, whatever the environment names."""
    if whose.proxy is None:
        return {pycurl.PROXY: "", pycurl.NOPROXY: "*"}
    settings: Options = {pycurl.PROXY: whose.proxy, pycurl.NOPROXY: "", pycurl.PROXYAUTH: pycurl.HTTPAUTH_BASIC}
    if whose.proxy_username:
        settings[pycurl.PROXYUSERNAME] = whose.proxy_username.encode()
        settings[pycurl.PROXYPASSWORD] = whose.proxy_password.encode()
    return settings
