import pytest

from issmedia.base.errors import UsageError
from issmedia.net.proxies import Proxy, parse_proxy, proxy_for

BOTH = {"http_proxy": "http://p:1", "https_proxy": "https://q:2"}


@pytest.mark.parametrize(
    ("url", "environment", "expected"),
    [
        ("http://h/", BOTH, "http://p:1"),
        ("https://h/", BOTH, "https://q:2"),
        ("https://h/", {"HTTPS_PROXY": "p:1"}, "http://p:1"),
        ("http://h/", {"HTTP_PROXY": "http://p:1"}, None),
        ("http://h/", {"all_proxy": "http://p:1"}, "http://p:1"),
        ("http://h/", BOTH | {"no_proxy": "*"}, None),
        ("http://a.example.com/", BOTH | {"no_proxy": "x, .example.com"}, None),
        ("http://example.com/", BOTH | {"NO_PROXY": "example.com:80"}, None),
        ("http://badexample.com/", BOTH | {"no_proxy": "example.com"}, "http://p:1"),
        ("http://10.1.2.3/", BOTH | {"no_proxy": "10.0.0.0/8"}, None),
        ("http://[::1]/", BOTH | {"no_proxy": "::1"}, None),
        ("http://h/", {}, None),
    ],
)
def test_the_environment_names_a_proxy(url: str, environment: dict[str, str], expected: str | None) -> None:
    found = proxy_for(url, environment)

    assert expected == (found and found.url)


def test_credentials_are_kept_apart_from_the_url() -> None:
    found = parse_proxy("http://al%40ice:s3cret@[::1]:3128/")

    assert found == Proxy("http://[::1]:3128", "al@ice", "s3cret")
    assert "s3cret" not in repr(found)


@pytest.mark.parametrize(
    "text", ["socks5://h:1", "http://", "http://h:port", "http://h/path", "http://[bad", "ftp://s3cret@h"]
)
def test_what_is_no_proxy_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_proxy(text)

    assert "s3cret" not in str(caught.value)
