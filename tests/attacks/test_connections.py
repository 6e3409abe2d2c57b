"""Upstreams that would have us ask others in the name of a repository that is not theirs."""

from pathlib import Path

import pytest

from issmedia.base.errors import UpstreamError
from issmedia.model.transport import Transport
from issmedia.net.connections import Connections
from issmedia.net.upstream import open_upstream
from tests.makers.http_server import FOR_EVER, Redirect, serving
from tests.makers.streams import some
from tests.makers.tls import Authority
from tests.makers.webs import secret_file


@pytest.fixture
def served(tmp_path: Path) -> Path:
    """What only we may have."""
    (tmp_path / "web").mkdir()
    (tmp_path / "web/secret.rpm").write_bytes(b"for those who paid")
    return tmp_path / "web"


def test_050_a_redirect_does_not_ride_on_a_connection_that_showed_our_certificate(served: Path, tmp_path: Path) -> None:
    """The attacker's server sends us to a host where another repository's connection stands open, as entitled."""
    authority = Authority(tmp_path / "ca")
    client = authority.issue("client")
    bundle = str(authority.bundle)
    entitled = Transport(client_cert=str(client.certificate), client_key=str(client.key), ca_bundle=bundle)
    with (
        serving(served, tls=authority.server(asks_clients=True)) as vendor,
        serving(tmp_path) as attacker,
        Connections() as connections,
        open_upstream(vendor.url, entitled, connections=connections) as ours,
        open_upstream(attacker.url, Transport(ca_bundle=bundle, tries=1), connections=connections) as theirs,
    ):
        attacker.behave("bait.rpm", Redirect(f"{vendor.url}/secret.rpm", times=FOR_EVER))
        with ours.open("secret.rpm") as stream:
            assert some(stream, 100) == b"for those who paid"

        with pytest.raises(UpstreamError), theirs.open("bait.rpm") as stream:
            some(stream, 100)

        assert vendor.requests == ["secret.rpm"]


def test_050_a_redirect_to_another_repositorys_host_carries_none_of_its_credentials(
    served: Path, tmp_path: Path
) -> None:
    """The attacker's server sends us to a host that another repository sends a token to."""
    authority = Authority(tmp_path / "ca")
    bundle = str(authority.bundle)
    token = secret_file(tmp_path / "token", "bearer = t0ken\n")
    with (
        serving(served, tls=authority.server()) as vendor,
        serving(tmp_path) as attacker,
        Connections() as connections,
        open_upstream(vendor.url, Transport(credentials=token, ca_bundle=bundle), connections=connections) as ours,
        open_upstream(attacker.url, Transport(ca_bundle=bundle), connections=connections) as theirs,
    ):
        vendor.authorization = "Bearer t0ken"
        attacker.behave("bait.rpm", Redirect(f"{vendor.url}/secret.rpm", times=FOR_EVER))
        with ours.open("secret.rpm") as stream:
            some(stream, 100)

        with pytest.raises(UpstreamError, match="401"), theirs.open("bait.rpm") as stream:
            some(stream, 100)

        assert [headers.get("Authorization") for _, headers in vendor.headers] == ["Bearer t0ken", None]
        assert vendor.connections == 2
