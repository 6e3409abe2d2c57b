"""README.txt on a volume: for people who find the medium in ten years."""

from issmedia.base.units import count_text
from issmedia.model.manifest import RepositoryEntry
from issmedia.model.names import shown

_TEXT = """\
This medium carries yum repositories across an air gap. It is volume {number} of {count}
of a bundle that site "{site}" made: number {sequence} of its chain, {created}.

WHAT IS HERE

{repositories}

  manifest.json       names everything; manifest.json.sig signs it
  SHA256SUMS          the digest of every other file
  repos/              the repositories, each a working yum repository
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

HOW TO USE IT WITHOUT IMPORTING, AFTER CHECKING IT

  dnf --setopt=reposdir=/nowhere -c issmedia.repo repolist
"""


def readme(site: str, sequence: int, created: str, repositories: tuple[RepositoryEntry, ...], mount: str) -> bytes:
    """Write the text of a one-volume bundle."""
    listed = "\n".join(
        f"  repos/{repo.path}/\n      {shown(repo.name)}: {count_text(repo.packages, 'package')}"
        for repo in repositories
    )
    text = _TEXT.format(
        number=1,
        count=1,
        site=shown(site),
        sequence=sequence,
        created=created,
        repositories=listed,
        mount=mount,
    )
    return text.encode()
