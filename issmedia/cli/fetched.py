"""How a repository is fetched, in words and as a document: what was chosen, and of files of secrets the path."""

from collections.abc import Iterator

import msgspec

from issmedia.base.units import bytes_text
from issmedia.model.documents import Repository
from issmedia.model.names import shown
from issmedia.model.transport import Transport


def fetched_document(repository: Repository) -> dict[str, object]:
    """Describe a repository for JSON: what was not chosen is absent, but always there is the kind of its source."""
    transport = repository.transport
    return {
        **msgspec.to_builtins(repository),
        "transport": {"kind": transport.kind, **msgspec.to_builtins(transport)},
    }


def fetched_lines(repository: Repository) -> Iterator[str]:
    """Say how a repository is fetched, a choice a line; nothing of one that came by import and has no choices."""
    transport = repository.transport
    if repository.source is not None:
        yield f"  kind: {transport.kind}"
    yield from (f"  also: {shown(one)}" for one in transport.others)
    yield from (f"  variable: {shown(name)}={shown(value)}" for name, value in sorted(transport.variables.items()))
    yield from (f"  {name}: {shown(text)}" for name, text in _choices(transport) if text)


def _choices(transport: Transport) -> Iterator[tuple[str, str | None]]:
    yield "jobs", str(transport.jobs or "")
    yield "timeout", f"{transport.timeout_s:g} s" if transport.timeout_s else None
    yield "tries", str(transport.tries or "")
    yield "rate", f"{bytes_text(transport.rate)}/s" if transport.rate else None
    yield "proxy", transport.proxy
    yield "CA bundle", transport.ca_bundle
    yield "client certificate", transport.client_cert
    yield "client key", transport.client_key
    yield "credentials", transport.credentials
