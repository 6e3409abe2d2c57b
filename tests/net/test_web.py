"""Ranges, waits, rates, TLS and credentials, over real sockets."""

from pathlib import Path
from typing import Any, cast

import pytest

from issmedia.base.errors import UpstreamError, UsageError
from tests.makers.http_server import FOR_EVER, Answer, NoRange, Redirect, WrongRange, serving
from tests.makers.streams import whole
from tests.makers.tls import Authority
from tests.makers.webs import read, secret_file, web


def test_the_middle_of_a_file_is_asked_for(served: Path) -> None:
    with serving(served) as server, web(server.url) as upstream, upstream.open("big", start=1000) as stream:
        assert stream.start == 1000
        assert whole(stream) == (served / "big").read_bytes()[1000:]
        assert server.ranges == [("big", "bytes=1000-")]


def test_a_server_without_ranges_gives_the_whole(served: Path) -> None:
    with serving(served) as server, web(server.url) as upstream:
        server.behave("big", NoRange())

        with upstream.open("big", start=1000) as stream:
            assert stream.start == 0
            assert len(whole(stream)) == 102400


@pytest.mark.parametrize("start", [102400, 999999])
def test_a_range_behind_the_end_is_answered_by_the_whole(served: Path, start: int) -> None:
    with serving(served) as server, web(server.url) as upstream, upstream.open("big", start=start) as stream:
        assert stream.start == 0
        assert len(whole(stream)) == 102400


def test_another_range_than_asked_for_is_not_taken(served: Path) -> None:
    with serving(served) as server, web(server.url) as upstream:
        server.behave("big", WrongRange())

        with upstream.open("big", start=1000) as stream:
            assert stream.start == 0
        assert server.requests == ["big", "big"]


def test_waits_grow_and_a_server_may_ask_for_longer_ones_within_bounds(served: Path) -> None:
    waited: list[float] = []
    with serving(served) as server, web(server.url, wait=waited.append) as upstream:
        server.behave(
            "small",
            Answer(503),
            Answer(503, headers={"Retry-After": "7"}),
            Answer(429, headers={"Retry-After": "86400"}),
        )

        assert read(upstream, "small") == b"a package"
    assert waited == [0.5, 7, 60]


@pytest.mark.parametrize("text", ["soon", "-1", "Wed, 21 Oct 2026 07:28:00 GMT", "٣", "1e9"])
def test_a_wait_that_is_no_number_of_seconds_is_ours(served: Path, text: str) -> None:
    waited: list[float] = []
    with serving(served) as server, web(server.url, wait=waited.append) as upstream:
        server.behave("small", Answer(503, headers={"Retry-After": text.encode("utf-8").decode("latin-1")}))

        read(upstream, "small")
    assert waited == [0.5]


def test_the_number_of_tries_is_chosen(served: Path) -> None:
    with serving(served) as server, web(server.url, tries=2) as upstream:
        server.behave("small", Answer(503, times=FOR_EVER))

        with pytest.raises(UpstreamError, match="503"):
            read(upstream, "small")
        assert server.requests == ["small"] * 2


def test_a_rate_makes_each_part_wait(served: Path) -> None:
    waited: list[float] = []
    with serving(served) as server, web(server.url, rate=10_000, wait=waited.append) as upstream:
        read(upstream, "big")

    assert sum(waited) == pytest.approx(10.24)


def test_a_server_of_an_unknown_ca_is_refused_at_once(served: Path, authority: Authority) -> None:
    waited: list[float] = []
    with (
        serving(served, tls=authority.server()) as server,
        web(server.url, wait=waited.append) as upstream,
        pytest.raises(UpstreamError, match=r"no answer: TLS: .*certificate verify failed") as caught,
    ):
        read(upstream, "small")

    assert caught.value.hint == "a CA of your own is named by --ca-bundle FILE"
    assert (waited, server.requests) == ([], [])


def test_a_certificate_for_another_name_is_refused(served: Path, authority: Authority) -> None:
    with serving(served, tls=authority.server()) as server:
        url = server.url.replace("127.0.0.1", "127.0.0.2")
        server.requests.clear()
        with web(url, ca_bundle=str(authority.bundle)) as upstream, pytest.raises(UpstreamError, match="no answer"):
            read(upstream, "small")

        assert server.requests == []


def test_a_ca_of_our_own_is_believed(served: Path, authority: Authority) -> None:
    with (
        serving(served, tls=authority.server()) as server,
        web(server.url, ca_bundle=str(authority.bundle)) as upstream,
    ):
        assert read(upstream, "small") == b"a package"


def test_a_client_certificate_opens_what_asks_for_one(served: Path, authority: Authority) -> None:
    ours = authority.issue("client")
    with serving(served, tls=authority.server(asks_clients=True)) as server:
        known: dict[str, Any] = {"client_cert": str(ours.certificate), "client_key": str(ours.key)}
        with web(server.url, ca_bundle=str(authority.bundle), **known) as upstream:
            assert read(upstream, "small") == b"a package"
        with web(server.url, ca_bundle=str(authority.bundle)) as upstream, pytest.raises(UpstreamError):
            read(upstream, "small")


def test_a_client_key_that_others_can_read_is_refused_before_anybody_is_asked(authority: Authority) -> None:
    ours = authority.issue("loose")
    ours.key.chmod(0o644)

    with pytest.raises(UsageError, match="mode 0644 lets others at it"):
        web("https://host/", client_cert=str(ours.certificate), client_key=str(ours.key))


@pytest.mark.parametrize("field", ["ca_bundle", "client_cert"])
def test_what_is_no_certificate_is_refused(tmp_path: Path, field: str) -> None:
    (tmp_path / "file").touch(0o600)

    with pytest.raises(UsageError, match="PEM"):
        web("https://host/", **cast(dict[str, Any], {field: str(tmp_path / "file")}))


@pytest.mark.parametrize(
    ("text", "header"),
    [("username = alice\npassword = s3cret\n", "Basic YWxpY2U6czNjcmV0"), ("bearer=t0ken", "Bearer t0ken")],
)
def test_credentials_come_from_a_file(
    served: Path, authority: Authority, tmp_path: Path, text: str, header: str
) -> None:
    with serving(served, tls=authority.server()) as server:
        server.authorization = header
        with web(
            server.url, ca_bundle=str(authority.bundle), credentials=secret_file(tmp_path / "secret", text)
        ) as upstream:
            assert read(upstream, "small") == b"a package"
        with (
            web(server.url, ca_bundle=str(authority.bundle)) as upstream,
            pytest.raises(UpstreamError, match="401") as caught,
        ):
            read(upstream, "small")

    assert "--credentials FILE" in str(caught.value.hint)


def test_credentials_are_sent_by_https_only(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="by https only"):
        web("http://host/", credentials=secret_file(tmp_path / "secret", "bearer = x"))


def test_credentials_do_not_follow_a_redirect_to_another_host(
    served: Path, authority: Authority, tmp_path: Path
) -> None:
    ours = authority.issue("client")
    with (
        serving(served, tls=authority.server(asks_clients=True)) as server,
        serving(served, tls=authority.server()) as other,
    ):
        server.behave("small", Redirect(f"{other.url}/big"), Redirect("/big"))
        said: dict[str, Any] = {"client_cert": str(ours.certificate), "client_key": str(ours.key)}
        secret = secret_file(tmp_path / "secret", "bearer = t0ken")
        with web(server.url, ca_bundle=str(authority.bundle), credentials=secret, **said) as upstream:
            read(upstream, "small")
            read(upstream, "small")

    assert ["Authorization" in headers for _, headers in other.headers] == [False]
    assert ["Authorization" in headers for _, headers in server.headers] == [True, True, True]


def test_a_client_certificate_is_not_shown_to_another_host(served: Path, authority: Authority) -> None:
    ours = authority.issue("client")
    with (
        serving(served, tls=authority.server(asks_clients=True)) as server,
        serving(served, tls=authority.server(asks_clients=True)) as other,
    ):
        server.behave("small", Redirect(f"{other.url}/big"))
        said: dict[str, Any] = {"client_cert": str(ours.certificate), "client_key": str(ours.key)}
        with (
            web(server.url, ca_bundle=str(authority.bundle), tries=1, **said) as upstream,
            pytest.raises(UpstreamError),
        ):
            read(upstream, "small")

    assert other.requests == []


def test_a_proxy_from_the_environment_is_asked_with_its_password(served: Path) -> None:
    with serving(served) as proxy:
        environment = {"http_proxy": proxy.url.replace("://", "://bob:pr0xy@")}
        with web("http://mirror.invalid/", environment=environment) as upstream:
            assert read(upstream, "small") == b"a package"

    assert proxy.headers[0][1]["Proxy-Authorization"] == "Basic Ym9iOnByMHh5"


def test_a_proxy_sees_neither_our_password_nor_our_certificate(
    served: Path, authority: Authority, tmp_path: Path
) -> None:
    ours = authority.issue("client")
    text = "username = alice\npassword = s3cret\nproxy_username = bob\nproxy_password = pr0xy\n"
    said: dict[str, Any] = {"client_cert": str(ours.certificate), "client_key": str(ours.key)}
    with serving(served, tls=authority.server(asks_clients=True)) as server, serving(tmp_path) as proxy:
        secret = secret_file(tmp_path / "secret", text)
        with web(server.url, proxy=proxy.url, credentials=secret, ca_bundle=str(authority.bundle), **said) as upstream:
            assert read(upstream, "small") == b"a package"

    assert [path for path, _ in proxy.headers] == [f"CONNECT {server.url.removeprefix('https://')}"]
    assert "Authorization" not in proxy.headers[0][1]
    assert proxy.headers[0][1]["Proxy-Authorization"] == "Basic Ym9iOnByMHh5"
    assert server.headers[0][1]["Authorization"] == "Basic YWxpY2U6czNjcmV0"
    assert "Proxy-Authorization" not in server.headers[0][1]


def test_a_chosen_proxy_goes_before_the_environment(served: Path, tmp_path: Path) -> None:
    with serving(served) as proxy:
        environment = {"http_proxy": "http://127.0.0.1:9"}
        with web("http://mirror.invalid/", proxy=proxy.url, environment=environment) as upstream:
            assert read(upstream, "small") == b"a package"


def test_several_base_urls_are_tried_in_turn(served: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with serving(tmp_path / "empty") as first, serving(served) as second:
        first.behave("big", Answer(500))
        with web(first.url, others=(second.url,)) as upstream:
            assert read(upstream, "small") == b"a package"
            assert len(read(upstream, "big")) == 102400


@pytest.mark.parametrize(
    "said",
    [
        {"jobs": 0},
        {"jobs": 65},
        {"timeout_s": -1.0},
        {"tries": 0},
        {"rate": 0},
        {"proxy": "socks5://h:1"},
        {"proxy": "http://u:p@h:1"},
        {"client_key": "/k"},
        {"others": ("file:///srv",)},
        {"variables": {"releasever": "../9"}},
    ],
    ids=str,
)
def test_choices_that_nobody_can_mean_are_refused(said: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        web("https://host/", **said)
