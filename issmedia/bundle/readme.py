"""README.txt on a volume: for people who find the medium in ten years."""

from collections.abc import Sequence

import msgspec

from issmedia.base.units import count_text
from issmedia.model.manifest import RepositoryEntry
from issmedia.model.names import shown
from issmedia.model.target import Header

_TEXT = """\
This medium carries yum repositories across an air gap. It is volume {number} of {count}
of a bundle that site "{site}" made: number {sequence} of its chain, {created}.
{delta}{others}
WHAT IS HERE

{repositories}

  manifest.json       names everything; manifest.json.sig signs it
  SHA256SUMS          the digest of every other file
  repos/              {repos}
  trees/              listings: every path of a repository, with digest and size
  schemas/            the form of the JSON documents
  issmedia.repo       for dnf, with this medium mounted at {mount}

IS IT GENUINE?  Stock tools are enough (OpenSSH 8.1 or newer, coreutils).
Take the sender's public key by another way than this medium, put it into a
file "allowed_signers" as a line "NAME ssh-ed25519 AAAA...", and run here:

  ssh-keygen -Y verify -f allowed_signers -I NAME -n issmedia-bundle \\
      -s manifest.json.sig < manifest.json
  sha256sum --quiet -c SHA256SUMS
  sha256sum SHA256SUMS        # must stand in manifest.json under "sums"

manifest.json.sig may hold several signatures one after another; ssh-keygen
reads the first: cut the file at "-----END SSH SIGNATURE-----" for the others.

HOW TO IMPORT IT

  issmedia verify {mount}
  issmedia import {mount}
{use}"""

_USE = """
HOW TO USE IT WITHOUT IMPORTING, AFTER CHECKING IT

  dnf --setopt=reposdir=/nowhere -c issmedia.repo repolist

Where a repository's metadata are signed (repo_gpgcheck=1 in issmedia.repo),
name the vendor's key file too: --setopt='*.gpgkey=file:///KEY'
"""

_DELTA = """
It is a DELTA. Only a site that holds one of the states it starts from can
import it; any other is told what it lacks. It starts from

{bases}
"""


_OTHERS = """
The others are {others}, of the same medium or another.
Each can be checked, imported and used by itself, in any order.
"""

_PARITY = """
It holds no packages: it is PARITY. With it, as many of the other volumes as
there are parity volumes may be lost or damaged, and can still be imported.
"""


class Here(msgspec.Struct, frozen=True):
    """What of a repository lies on the volume: `packages` of it, None for all of it as upstream has it.

    `described` says that repodata were made for a part.
    """

    entry: RepositoryEntry
    packages: int | None
    described: bool = False

    @property
    def whole(self) -> bool:
        """Say that all of it is here, in place, with upstream's own repodata."""
        return self.packages is None

    @property
    def serves(self) -> bool:
        """Say that clients can use what is here."""
        return self.whole or self.described


def readme(
    header: Header,
    repositories: Sequence[Here],
    mount: str,
    *,
    number: int = 1,
    count: int = 1,
    parity: bool = False,
) -> bytes:
    """Write the text for one volume."""
    bases = "\n".join(f"  {shown(base.name)}, {base.created[:10]}" for base in header.bases)
    others = ", ".join(str(other) for other in range(1, count + 1) if other != number)
    serves = any(one.serves for one in repositories)
    text = _TEXT.format(
        number=number,
        count=count,
        site=shown(header.site.name),
        sequence=header.sequence,
        created=header.created,
        delta=_DELTA.format(bases=bases) if bases else "",
        others=(_PARITY if parity else _OTHERS.format(others=f"volumes {others}")) if count > 1 else "",
        repos="the repositories, each a working yum repository" if serves else "nothing of any repository",
        repositories="\n".join(map(_listed, repositories)) or "  nothing but what helps to mend the others",
        mount=mount,
        use=_USE if serves else "",
    )
    return text.encode()


def _listed(one: Here) -> str:
    count = count_text(one.entry.packages, "package")
    here = count if one.whole else f"{one.packages:,} of {count}"
    return f"  repos/{one.entry.path}/\n      {shown(one.entry.name)}: {here}"
