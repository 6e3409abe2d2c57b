"""Files as file systems are told of them, and as they lie on a disk."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from issmedia.base.digest import Digest, digest_of


@dataclass(frozen=True)
class Lying:
    """A file's path, size and digest."""

    path: str
    size: int
    sha256: Digest


def lying(path: str, size: int, *, like: str | None = None) -> Lying:
    """Describe a file; its bytes are its own, or those of all files that are `like` the same."""
    return Lying(path, size, digest_of(f"{like or path} {size}".encode()))


def lay(root: Path, files: Iterable[Lying]) -> None:
    """Put files of zeros below a directory."""
    for file in files:
        path = root / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
        with path.open("r+b") as out:
            out.truncate(file.size)
