import pytest

from issmedia.base.errors import FormatError, UsageError
from issmedia.model.repofile import MAX_FILE, RepoSection, read_repofile
from issmedia.model.transport import Kind, Transport

FULL = b"""\
[main]
gpgcheck=1

[rhel-9-baseos]
name = Red Hat BaseOS
baseurl = https://cdn.example/$releasever/os
          https://other.example/$releasever/os, https://third.example/os
enabled = 1
gpgcheck = 1
repo_gpgcheck = no
gpgkey = file:///etc/pki/one
         https://keys.example/two
sslverify = 1
sslcacert = /etc/rhsm/ca.pem
sslclientcert = /etc/pki/entitlement/1.pem
sslclientkey = /etc/pki/entitlement/1-key.pem
proxy = http://proxy.example:3128
proxy_username = bob
proxy_password = pr0xy
username = alice
password = a%b=c
timeout = 20
throttle = 500k
max_parallel_downloads = 3
retries = 0
priority = 5
mystery = 1
"""


def one(text: str) -> RepoSection:
    """Read the only section of a file."""
    (found,) = read_repofile(f"[r]\n{text}\n".encode(), where="x.repo")
    return found


def test_all_that_says_how_it_is_fetched_is_read() -> None:
    (found,) = read_repofile(FULL, where="x.repo")

    assert (found.id, found.name, found.enabled) == ("rhel-9-baseos", "Red Hat BaseOS", True)
    assert (found.gpgcheck, found.repo_gpgcheck) == (True, False)
    assert found.gpgkeys == ("file:///etc/pki/one", "https://keys.example/two")
    assert found.source == "https://cdn.example/$releasever/os"
    assert found.transport == Transport(
        others=("https://other.example/$releasever/os", "https://third.example/os"),
        jobs=3,
        timeout_s=20.0,
        rate=500 * 1024,
        proxy="http://proxy.example:3128",
        client_cert="/etc/pki/entitlement/1.pem",
        client_key="/etc/pki/entitlement/1-key.pem",
        ca_bundle="/etc/rhsm/ca.pem",
    )
    assert found.secrets == {
        "username": "alice",
        "password": "a%b=c",
        "proxy_username": "bob",
        "proxy_password": "pr0xy",
    }
    assert found.passed_over == ("mystery",)
    assert "a%b=c" not in repr(found)


@pytest.mark.parametrize(
    ("text", "kind", "source"),
    [
        ("metalink=https://m/?a=1\nmirrorlist=https://l\nbaseurl=https://b", Kind.METALINK, "https://m/?a=1"),
        ("mirrorlist=https://l/?a=1&b=2\nbaseurl=https://b", Kind.MIRRORLIST, "https://l/?a=1&b=2"),
        ("mirrorlist=https://l/metalink?x", Kind.METALINK, "https://l/metalink?x"),
        ("baseurl=https://b\nproxy=_none_", Kind.PLAIN, "https://b"),
    ],
)
def test_lists_go_before_base_urls(text: str, kind: Kind, source: str) -> None:
    found = one(text)

    assert (found.transport, found.source) == (Transport(kind=kind), source)


def test_what_is_not_enabled_says_so() -> None:
    assert not one("baseurl=https://b\nenabled=0").enabled


@pytest.mark.parametrize("value", ["0", "no", "false", "off", "False"])
def test_a_file_that_believes_any_server_is_refused(value: str) -> None:
    with pytest.raises(UsageError, match="sslverify=0"):
        one(f"baseurl=https://b\nsslverify={value}")


@pytest.mark.parametrize(
    "text", ["name=x", "baseurl=https://b\nenabled=maybe", "baseurl=https://b\ntimeout=soon", "baseurl=a\nbaseurl=b"]
)
def test_a_section_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(FormatError):
        one(text)


@pytest.mark.parametrize("data", [b"password=s3cret", b"[r]\npassword s3cret", b"[a\n", b"\xff", b"#" * (MAX_FILE + 1)])
def test_what_is_no_repo_file_is_refused_and_not_repeated(data: bytes) -> None:
    with pytest.raises(FormatError) as caught:
        read_repofile(data, where="x.repo")

    assert "s3cret" not in f"{caught.value} {caught.value.hint} {caught.value.problems}"
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"password=s3cret", "line 1 stands before any [section]"),
        (b"[r]\npassword s3cret", "line 2 is no [section] and no NAME=VALUE"),
        (b"[r]\na=1\n[r]", "line 3 gives a name a second time"),
        (b"[r]\na=1\na=2", "line 3 gives a name a second time"),
        (b"\xff", "is not UTF-8"),
    ],
)
def test_the_line_that_is_wrong_is_named(data: bytes, why: str) -> None:
    with pytest.raises(FormatError, match=r"not a \.repo file") as caught:
        read_repofile(data, where="x.repo")

    assert ([one.message for one in caught.value.problems], bool(caught.value.hint)) == ([why], True)


@pytest.mark.parametrize("data", [b"", b"# nothing\n", b"[main]\ngpgcheck=1\n"])
def test_a_file_of_no_repository_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError, match="describes no repository"):
        read_repofile(data, where="x.repo")


ODD = b"[good]\nbaseurl=https://b\n[odd]\nsslverify=0\n"


@pytest.mark.parametrize(("more", "only"), [(b"enabled=0\n", ()), (b"enabled=0\n", ("good",)), (b"", ("good",))])
def test_a_section_that_nobody_asked_for_stops_nothing(more: bytes, only: tuple[str, ...]) -> None:
    good, odd = read_repofile(ODD + more, where="x.repo", only=only)

    assert ((good.id, good.enabled), (odd.id, odd.enabled)) == (("good", True), ("odd", False))


@pytest.mark.parametrize("more", [b"", b"enabled=0\n"])
def test_a_section_that_was_asked_for_by_name_is_read_in_full(more: bytes) -> None:
    with pytest.raises(UsageError, match="sslverify=0"):
        read_repofile(ODD + more, where="x.repo", only=("odd",))
