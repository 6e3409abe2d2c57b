"""What an error of a medium means, in words that follow a file's name."""

import errno
import os

_FAULTS = {
    errno.ENOENT: "is missing",
    errno.ELOOP: "is a symbolic link",
    errno.ENOTDIR: "lies below a link or a file",
    errno.EISDIR: "is a directory, not a file",
    errno.ENXIO: "is not a regular file",
    errno.EINVAL: "is not a regular file",
    errno.EXDEV: "lies on another mount",
}


def fault(cause: OSError) -> str:
    """Say what an error of the medium means."""
    code = cause.errno or 0
    return _FAULTS.get(code, f"cannot be read: {os.strerror(code)}")
