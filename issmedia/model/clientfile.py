"""The file for dnf: one section a repository, checks written on.

dnf's `gpgcheck` and `repo_gpgcheck` default to off, so ours are always written. `gpgkey` names only keys that
the operator of this site pinned; a key that came on a medium is never offered.
"""

from collections.abc import Iterable
from urllib.parse import quote

import msgspec

from issmedia.model.names import shown


class ClientRepository(msgspec.Struct, frozen=True):
    """One section: `path` is PRODUCT/REPO, `url` where it is served, `key_urls` its pinned keys."""

    path: str
    name: str
    url: str
    signed_metadata: bool
    key_urls: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """Name the section `PRODUCT:REPO`: `:` is in no label, so no two repositories meet."""
        return self.path.replace("/", ":")


def render_client_file(repositories: Iterable[ClientRepository], *, comment: str) -> bytes:
    """Write the `.repo` file, sections in the order given."""
    head = "".join(f"# {line}\n" for line in comment.splitlines())
    return (head + "".join(map(_section, repositories))).encode()


def file_url(path: str) -> str:
    """Write a `file://` URL of an absolute path."""
    return "file://" + quote(path)


def _section(repository: ClientRepository) -> str:
    lines = [
        f"[{repository.id}]",
        f"name={shown(repository.name)}",
        f"baseurl={repository.url}",
        "enabled=1",
        "gpgcheck=1",
        f"repo_gpgcheck={1 if repository.signed_metadata else 0}",
    ]
    if repository.key_urls:
        lines.append("gpgkey=" + "\n       ".join(repository.key_urls))
    return "\n" + "\n".join(lines) + "\n"
