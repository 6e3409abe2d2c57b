"""The receiver: a process that waits for all sockets of a run at once and lets bytes come in, by libcurl.

`python -m issmedia.net.receiver FD` gets on that descriptor, for each connection, its end of a line and the memory
that is shared with whoever reads (`net.messages`); when the descriptor is closed, it is gone. It can write no file.
"""

import os
import resource
import select
import socket
from mmap import mmap
from typing import NoReturn

from issmedia.base.limits import bound, fall_silent
from issmedia.base.sockets import our_line
from issmedia.net.curl import Transfer
from issmedia.net.loop import Loop
from issmedia.net.messages import ROOM

_MEMORY = 1 << 30
"""Bytes of data, in all."""


def main() -> NoReturn:
    """Receive, until nobody wants it any more."""
    _limit()
    loop = Loop()
    door = our_line()
    loop.watches(door.fileno(), select.EPOLLIN, lambda _: _admit(door, loop))
    fall_silent()  # nobody listens while this runs, and a pipe that is full would hold it up
    loop.run()


def _admit(door: socket.socket, loop: Loop) -> None:
    """Take the end of a new line; without one, nobody is there any more, and whatever is under way is of no use."""
    try:
        said, fds, _, _ = socket.recv_fds(door, 1, 2)
    except OSError:
        said, fds = b"", []
    if not said:
        os._exit(0)
    if len(fds) == 2:
        line, memory = fds
        Transfer(socket.socket(fileno=line), mmap(memory, ROOM), loop)
        fds = [memory]
    for fd in fds:
        os.close(fd)


def _limit() -> None:
    """Forbid this process to write to any file for good, bound its memory, and let it have as many files as it may."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    bound({resource.RLIMIT_DATA: _MEMORY, resource.RLIMIT_FSIZE: 0, resource.RLIMIT_CORE: 0})


if __name__ == "__main__":
    main()
