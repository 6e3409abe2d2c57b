"""A name server that does not answer: what waits for it holds up nobody else."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.system("unshare", "mount"), pytest.mark.root]

_SCRIPT = """
import socket, sys
from concurrent.futures import ThreadPoolExecutor
from tests.makers.http_server import serving
from tests.makers.webs import read, web
from pathlib import Path
from issmedia.base.errors import UpstreamError
from issmedia.model.transport import Transport
from issmedia.net.connections import Connections
from issmedia.net.upstream import open_upstream

with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as names:
    names.bind(("127.0.0.9", 53))
    with (
        serving(Path(sys.argv[1])) as server,
        Connections() as connections,
        ThreadPoolExecutor(1) as pool,
        open_upstream("http://nowhere.example/", Transport(), connections=connections) as nowhere,
        open_upstream(server.url, Transport(), connections=connections) as good,
    ):
        waiting = pool.submit(read, nowhere, "file")
        names.recv(1000)
        nowhere.interrupt()
        error = waiting.exception(2)
        assert isinstance(error, UpstreamError), error
        assert read(good, "file") == b"here"
print("well")
"""


def test_an_interruption_does_not_wait_until_a_name_is_looked_up(tmp_path: Path) -> None:
    (tmp_path / "web").mkdir()
    (tmp_path / "web/file").write_bytes(b"here")
    (tmp_path / "resolv.conf").write_text("nameserver 127.0.0.9\noptions timeout:30 attempts:1\n")
    (tmp_path / "script.py").write_text(_SCRIPT)
    inside = 'mount --bind "$1" /etc/resolv.conf && exec timeout 20 "$2" "$3" "$4"'
    names = [str(one) for one in (tmp_path / "resolv.conf", sys.executable, tmp_path / "script.py", tmp_path / "web")]

    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", inside, "sh", *names],
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.stdout, done.returncode) == ("well\n", 0), done.stderr
