"""Receipts for tests: of any number of repositories, signed by a throw-away key."""

from issmedia.base.digest import Digest, digest_of
from issmedia.model.manifest import LedgerHead, SiteName, Tool
from issmedia.model.receipt import (
    NAMESPACE_RECEIPT,
    ChainEnd,
    Held,
    Receipt,
    Refusal,
    render_receipt,
    tree_mark,
)
from tests.makers.documents import NOW, SITE
from tests.makers.sshkeys import ed25519_key

SIGNER = ed25519_key(3, "lab")

_PRODUCTS = ("alma9", "alma10", "rocky9", "epel9", "fedora42", "oracle9", "suse15", "amazon2023", "stream9", "internal")
_REPOS = ("baseos-x86_64", "appstream-x86_64", "crb-x86_64", "extras-x86_64", "baseos-aarch64")


def tree_of_repository(path: str) -> Digest:
    """Give the digest that stands for a repository's tree."""
    return digest_of(path.encode())


def sample_receipt(repositories: int = 3, *, refused: tuple[Refusal, ...] = ()) -> Receipt:
    """Make the receipt of a site with one chain."""
    paths = [f"{product}/{repo}" for product in _PRODUCTS for repo in _REPOS][:repositories]
    return Receipt(
        format="issmedia-receipt",
        version=1,
        site=SiteName(digest_of(b"lab")[:32], "lab-north"),
        created=NOW,
        tool=Tool("issmedia", "0.1.0"),
        ledger=LedgerHead(1234, digest_of(b"ledger")),
        chains=(ChainEnd(SITE, "lab-north", 41, digest_of(b"bundle"), NOW),),
        repositories=tuple(Held(path, tree_mark(tree_of_repository(path)), 1000 + len(path) ** 2) for path in paths),
        refused=refused,
    )


def signed(receipt: Receipt) -> bytes:
    """Give the receipt's file."""
    document = render_receipt(receipt)
    return document + SIGNER.sign(document, NAMESPACE_RECEIPT)
