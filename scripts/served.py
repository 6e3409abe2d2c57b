"""A directory served by HTTP on this machine, by a process of its own: nginx, or Python's where there is none."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

_NGINX = """
{user}worker_processes 1; daemon off; pid {here}/pid; error_log {here}/error.log;
events {{ worker_connections 256; }}
http {{
  access_log off; sendfile on; keepalive_requests 100000;
  client_body_temp_path {here}/b; proxy_temp_path {here}/p; fastcgi_temp_path {here}/f; uwsgi_temp_path {here}/u;
  scgi_temp_path {here}/s;
  server {{ listen 127.0.0.1:{port}; root {root}; }}
}}
"""


def server_name() -> str:
    """Say what serves."""
    return "nginx" if shutil.which("nginx") else "python -m http.server"


@contextlib.contextmanager
def served(root: Path, here: Path) -> Iterator[str]:
    """Serve a directory, and give its URL, without a slash at the end; `here` is for what the server writes."""
    here.mkdir(parents=True)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    with (here / "said").open("wb") as said:
        process = subprocess.Popen(_command(root, here, port), stdout=said, stderr=subprocess.STDOUT)
        try:
            _until_answered(port, process)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait()


def _command(root: Path, here: Path, port: int) -> list[str | Path]:
    if server_name() != "nginx":
        bound = ["--bind", "127.0.0.1", "--protocol", "HTTP/1.1", "--directory", str(root)]
        return [sys.executable, "-m", "http.server", *bound, str(port)]
    configuration = here / "nginx.conf"
    user = "user root; " if os.geteuid() == 0 else ""  # others may not enter a temporary directory
    configuration.write_text(_NGINX.format(user=user, here=here, root=root, port=port))
    return ["nginx", "-p", here, "-c", configuration, "-e", here / "error.log"]


def _until_answered(port: int, process: subprocess.Popen[bytes]) -> None:
    while process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
    raise SystemExit(f"{server_name()} did not start")
