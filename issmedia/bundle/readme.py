"""README.txt on a volume: for people who find the medium in ten years."""

from collections.abc import Sequence

from issmedia.base.units import count_text
from issmedia.model.manifest import RepositoryEntry
from issmedia.model.names import shown
from issmedia.model.target import Header

_TEXT = """\
This medium carries yum repositories across an air gap. It is volume {number} of {count}
of a bundle that site "{site}" made: number {sequence} of its chain, {created}.
{delta}
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


def readme(header: Header, repositories: Sequence[RepositoryEntry], mount: str) -> bytes:
    """Write the text of a one-volume bundle."""
    listed = "\n".join(
        f"  repos/{repo.path}/\n      {shown(repo.name)}: {count_text(repo.packages, 'package')}"
        for repo in repositories
    )
    bases = "\n".join(f"  {shown(base.name)}, {base.created[:10]}" for base in header.bases)
    text = _TEXT.format(
        number=1,
        count=1,
        site=shown(header.site.name),
        sequence=header.sequence,
        created=header.created,
        delta=_DELTA.format(bases=bases) if bases else "",
        repos="what is new of each repository" if bases else "the repositories, each a working yum repository",
        repositories=listed,
        mount=mount,
        use="" if bases else _USE,
    )
    return text.encode()
