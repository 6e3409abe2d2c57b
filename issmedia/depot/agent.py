"""Signing with a key that ssh-agent or a FIDO token holds: by OpenSSH's own `ssh-keygen`, so no socket is ours."""

import subprocess
from pathlib import Path

from issmedia.base.errors import UsageError
from issmedia.model.names import shown

_TIMEOUT_S = 300
"""How long a person has to touch the token or answer the agent."""


def sign_with_agent(public_file: Path, data: bytes, namespace: str) -> bytes:
    """Give the armored signature of `data`; `UsageError` when ssh-keygen is missing or finds no private half."""
    command = ["ssh-keygen", "-q", "-Y", "sign", "-f", str(public_file), "-n", namespace]
    try:
        done = subprocess.run(command, input=data, capture_output=True, timeout=_TIMEOUT_S, check=False)
    except FileNotFoundError as cause:
        raise UsageError(
            "the key is held by ssh-agent, and there is no ssh-keygen to ask it with",
            where=str(public_file),
            hint="install OpenSSH 8.2 or newer",
        ) from cause
    except subprocess.TimeoutExpired as cause:
        raise UsageError(
            f"no signature within {_TIMEOUT_S} seconds",
            where=str(public_file),
            hint="run it again, and touch the security key or answer the agent when it asks",
        ) from cause
    if done.returncode != 0:
        raise UsageError(
            f"ssh-keygen could not sign: {_last_line(done.stderr)}",
            where=str(public_file),
            hint="is the agent running and does it have the key? ssh-add -L lists its keys, SSH_AUTH_SOCK names it",
        )
    return done.stdout


def _last_line(output: bytes) -> str:
    lines = output.decode("utf-8", "replace").strip().splitlines()
    return shown(lines[-1].strip()) if lines else "it did not say why"
