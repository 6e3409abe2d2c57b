"""Which releases of libraries are installed, from the names of their `.dist-info` directories.

The standard library reads all that a package says of itself, its long description too: 40 ms for six of them.
Format: https://packaging.python.org/en/latest/specifications/recording-installed-packages/
"""

import contextlib
import os
import sys
from collections.abc import Iterable, Iterator

_END = ".dist-info"


def versions(names: Iterable[str]) -> dict[str, str]:
    """Give name → version of installed distributions; `PackageNotFoundError` where there is no such one."""
    here: dict[str, str] = {}
    for directory in sys.path:
        for name, version in _installed(directory or "."):
            here.setdefault(name, version)
    return {name: here[name] if name in here else _declared(name) for name in names}


def _installed(directory: str) -> Iterator[tuple[str, str]]:
    with contextlib.suppress(OSError), os.scandir(directory) as entries:
        for entry in entries:
            if entry.name.endswith(_END):
                name, _, version = entry.name.removesuffix(_END).partition("-")
                yield name.lower().replace("_", "-").replace(".", "-"), version


def _declared(name: str) -> str:
    """Ask for one that was installed in an older way."""
    from importlib.metadata import version

    return version(name)
