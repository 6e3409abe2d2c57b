"""Throw-away signing keys, the real ssh-keygen and ssh-agent, and an emulated security key."""

import contextlib
import hashlib
import importlib.util
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from issmedia.depot.keys import FileKey
from issmedia.model.sshsig import (
    ED25519,
    SK_ECDSA_P256,
    SK_ED25519,
    PublicKey,
    Signature,
    armored,
    signed_data,
)

BUNDLE = "issmedia-bundle"
NOW = "2026-06-01T12:00:00Z"

needs_ssh_keygen = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="needs ssh-keygen")
needs_ssh_agent = pytest.mark.skipif(shutil.which("ssh-agent") is None, reason="needs ssh-agent")
needs_bcrypt = pytest.mark.skipif(importlib.util.find_spec("bcrypt") is None, reason="needs bcrypt (cryptography[ssh])")


def ssh_keygen(*arguments: str | Path, data: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Run the real ssh-keygen; the caller looks at the exit code."""
    command = ["ssh-keygen", *map(str, arguments)]
    return subprocess.run(command, input=data, capture_output=True, check=False, timeout=60)


def ed25519_key(seed: int, name: str = "key") -> FileKey:
    """Make an Ed25519 key that is the same for the same seed."""
    private = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"%d" % seed).digest())
    return FileKey(name, PublicKey(ED25519, private.public_key().public_bytes_raw()), private)


def ecdsa_key(seed: int, kind: str, name: str = "key") -> FileKey:
    """Make an ECDSA key of `kind` that is the same for the same seed."""
    curve = ec.SECP384R1() if kind.endswith("384") else ec.SECP256R1()
    private = ec.derive_private_key(int.from_bytes(hashlib.sha256(b"%d" % seed).digest(), "big") >> 8, curve)
    return FileKey(name, PublicKey(kind, ec_point(private)), private)


def ec_point(private: ec.EllipticCurvePrivateKey) -> bytes:
    """Give the uncompressed public point."""
    return private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


class Token:
    """A security key in memory: signs as PROTOCOL.u2f says, with the flags and application it is told to."""

    def __init__(self, key: FileKey, application: str = "ssh:") -> None:
        kind = SK_ED25519 if key.public.kind == ED25519 else SK_ECDSA_P256
        self.public = PublicKey(kind, key.public.point, application)
        self._private = key.private

    def sign(self, data: bytes, namespace: str, *, flags: int = 1, counter: int = 7) -> bytes:
        """Give an armored signature."""
        application = (self.public.application or "").encode()
        said = flags.to_bytes(1, "big") + counter.to_bytes(4, "big")
        message = hashlib.sha256(signed_data(namespace, data)).digest()
        value = self._value(hashlib.sha256(application).digest() + said + message)
        return armored(Signature(self.public, namespace, "sha512", self.public.kind, value, flags, counter).blob)

    def _value(self, message: bytes) -> bytes | tuple[int, int]:
        if isinstance(self._private, Ed25519PrivateKey):
            return self._private.sign(message)
        return decode_dss_signature(self._private.sign(message, ec.ECDSA(hashes.SHA256())))


@contextlib.contextmanager
def running_agent() -> Iterator[str]:
    """Run a real ssh-agent; yields the path of its socket, and ends it by its process id."""
    told = subprocess.run(["ssh-agent", "-s"], capture_output=True, check=True, timeout=60).stdout.decode()
    socket = re.search(r"SSH_AUTH_SOCK=([^;]+);", told)
    pid = re.search(r"SSH_AGENT_PID=(\d+);", told)
    assert socket is not None and pid is not None
    try:
        yield socket[1]
    finally:
        os.kill(int(pid[1]), signal.SIGTERM)


def content_of(directory: Path) -> dict[str, bytes]:
    """Read every file of a directory, to compare before and after."""
    return {path.name: path.read_bytes() for path in sorted(directory.iterdir())} if directory.is_dir() else {}
