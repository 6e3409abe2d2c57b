"""The options that say how upstream's signatures are judged, and the words for keys that are pinned."""

import functools
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import click

from issmedia.cli.clock import proxies
from issmedia.model.documents import Repository
from issmedia.model.names import shown
from issmedia.model.openpgp import grouped
from issmedia.model.pinning import MAX_KEY_FILE, PinnedFile, VendorKey, day
from issmedia.ops.setup import KeyFile, Signatures, key_text

_POLICIES = ("require", "warn", "off", "default")


class _KeyFileType(click.ParamType[KeyFile]):
    """A file of keys, which is read, or a URL, which is not."""

    name = "file|url"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> KeyFile:
        """Read the file."""
        if "://" in value:
            return KeyFile(value)
        file = click.File("rb").convert(value, param, ctx)
        return KeyFile(shown(value), file.read(MAX_KEY_FILE + 1))


_ADDING = (
    click.option(
        "--gpg-key", "keys", multiple=True, type=_KeyFileType(), metavar="FILE|URL", help="Pin the OpenPGP keys in it."
    ),
    click.option("--gpgcheck", type=click.Choice(_POLICIES), help="What packages that are not good do to a sync."),
    click.option("--repo-gpgcheck", type=click.Choice(_POLICIES), help="The same for the signature of repomd.xml."),
)
_CHANGING = (
    click.option("--renew", multiple=True, metavar="FINGERPRINT", help="Let --gpg-key replace this pinned key."),
    click.option("--unpin", multiple=True, metavar="FINGERPRINT", help="Trust this key no longer."),
)


def pinning_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options for a new repository; it gets `signatures`."""
    return _with(function, _ADDING)


def repinning_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command these, and those that take a key back."""
    return _with(function, (*_ADDING, *_CHANGING))


def _with(function: Callable[..., Any], options: Iterable[Callable[..., Any]]) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*arguments: Any, **given: Any) -> Any:
        names = [name for name in ("keys", "renew", "unpin", "gpgcheck", "repo_gpgcheck") if name in given]
        said = {name: given.pop(name) for name in names}
        return function(*arguments, signatures=Signatures(**said, environment=proxies()), **given)

    for option in reversed(list(options)):
        call = option(call)
    return call


def pinned_documents(pinned: Iterable[PinnedFile]) -> list[dict[str, object]]:
    """Describe the keys that are pinned, for JSON; days are UTC."""
    return [one for file in pinned for one in _documents(file)]


def pinned_lines(repository: Repository, pinned: Iterable[PinnedFile]) -> Iterator[str]:
    """Say what is asked of signatures, and by which keys."""
    for file in pinned:
        yield from (f"  key {key_text(key)}" for key in file.keys)
        if not file.keys:
            yield f"  key file {file.blob} cannot be used: {shown(file.fault)} (--unpin {file.blob})"
    asked = (("gpgcheck", repository.gpgcheck), ("repo_gpgcheck", repository.repo_gpgcheck))
    if said := [f"{name} {policy}" for name, policy in asked if policy]:
        yield f"  {', '.join(said)}"


def _documents(file: PinnedFile) -> Iterator[dict[str, object]]:
    for key in file.keys:
        yield {"blob": file.blob, **_facts(key)}
    if not file.keys:
        yield {"blob": file.blob, "fault": shown(file.fault)}


def _facts(key: VendorKey) -> dict[str, object]:
    return {
        "fingerprint": key.fingerprint,
        "shown": grouped(key.fingerprint),
        "user_ids": [shown(one) for one in key.user_ids],
        "created": day(key.created),
        "expires": None if key.expires is None else day(key.expires),
        "revoked": key.revoked,
    }
