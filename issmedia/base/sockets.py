"""Sockets between two processes of ours: they carry bytes and descriptors, have no name, and dial nobody."""

import socket
import sys
from collections.abc import Sequence

Socket = socket.socket

_LENGTH = 8
"""Bytes of the number that says how long a job is."""


def pair() -> tuple[Socket, Socket]:
    """Make both ends of a line."""
    return socket.socketpair()


def our_line() -> Socket:
    """Give the end that a process was started with: its last argument is the descriptor."""
    return socket.socket(fileno=int(sys.argv[-1]))


def line_of(fd: int) -> Socket:
    """Take a descriptor, which is an end, as one."""
    return socket.socket(fileno=fd)


def send_file(line: Socket, fd: int) -> None:
    """Send a descriptor; `OSError` where nobody is there any more."""
    socket.send_fds(line, [b"+"], [fd])


def receive_file(line: Socket) -> int | None:
    """Receive a descriptor; None where there is no other any more."""
    try:
        _, fds, _, _ = socket.recv_fds(line, 1, 1)
    except OSError:
        return None
    return fds[0] if fds else None


def send_job(line: Socket, job: bytes, fds: Sequence[int]) -> None:
    """Send a job of any length, with descriptors; `OSError` where nobody is there any more."""
    socket.send_fds(line, [len(job).to_bytes(_LENGTH)], fds)
    line.sendall(job)


def receive_job(line: Socket, *, most: int, count: int) -> tuple[bytes, list[int]] | None:
    """Receive a job of at most so many bytes, with so many descriptors; None where there is no other any more."""
    try:
        said, fds, _, _ = socket.recv_fds(line, _LENGTH, count)
        if not said or (length := int.from_bytes(said)) > most:
            return None
        job = bytearray(length)
        room = memoryview(job)
        while room:
            if not (came := line.recv_into(room)):
                return None
            room = room[came:]
    except OSError:
        return None
    return bytes(job), fds
