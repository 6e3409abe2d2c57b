"""Bundles of small repositories, written and read without a depot: for tests of `bundle` and below."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from issmedia.base import files
from issmedia.base.events import Event, ignore
from issmedia.bundle.planning import plan_bundle
from issmedia.bundle.reader import read
from issmedia.bundle.sets import Destination, finish_set, write_set
from issmedia.bundle.volume import Plan
from issmedia.depot.keyring import Keyring
from issmedia.depot.store import Store
from issmedia.model.manifest import VerifiedBundle
from issmedia.model.trust import NAMESPACE_BUNDLE, SiteState
from issmedia.ops.verify import verify
from tests.makers.documents import NOW, header, target
from tests.makers.sshkeys import ed25519_key

SIGNER = ed25519_key(1)
"""Who signs these bundles."""

LAB = SiteState(name="lab", imported={}, marks={}, floor="")
"""A site that imported nothing yet."""


@dataclass
class Bundle:
    """A planned bundle and the store that its blobs come from."""

    plan: Plan
    store: Store

    def write(self, directory: Path, *, events: list[Event] | None = None) -> Path:
        """Write the volume, or the volumes below `directory`, signed by `SIGNER`."""
        to = Destination(directory)
        write_set(
            self.plan,
            self.store,
            to,
            sign=lambda data: SIGNER.sign(data, NAMESPACE_BUNDLE),
            workers=2,
            report=ignore if events is None else events.append,
        )
        finish_set(self.plan, to)
        return directory


def bundle_of(root: Path, *, keys: tuple[bytes, ...] = (), **repositories: Mapping[str, bytes]) -> Bundle:
    """Plan a bundle of these repositories (label → path → bytes), all of product `p`; its store lies below `root`."""
    store = Store(root / "store")
    with store.writing() as writing:
        for data in (*keys, *(data for content in repositories.values() for data in content.values())):
            writing.add_bytes(data)
    targets = tuple(target(f"p/{label}", content, keys=keys) for label, content in repositories.items())
    return Bundle(plan_bundle(header(), targets), store)


@contextmanager
def verified(root: Path, *volumes: Path, state: SiteState = LAB) -> Iterator[VerifiedBundle]:
    """Read a bundle past steps 1 to 8, as a site that trusts `SIGNER`; its keyring lies below `root`."""
    keyring = Keyring(root / "keyring")
    files.make_directory(keyring.directory)
    if not keyring.trusted():
        keyring.trust("hq", SIGNER.public)
    with read(volumes) as found:
        yield verify(found, keyring, state, now=NOW, report=ignore)


def content_of(directory: Path) -> dict[str, bytes]:
    """Read a small directory: relative path → bytes."""
    found = sorted(path for path in directory.rglob("*") if path.is_file())
    return {path.relative_to(directory).as_posix(): path.read_bytes() for path in found}
