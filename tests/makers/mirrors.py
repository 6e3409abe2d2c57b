"""Lists of mirrors as mirror managers write them."""

import hashlib
from collections.abc import Sequence


def metalink(bases: Sequence[str], repomd: bytes, *, older: bytes = b"") -> bytes:
    """Write a metalink of repomd.xml at these base URLs, the first preferred; `older` is named as an alternate."""
    urls = "".join(
        f'<url protocol="http" type="http" location="DE" preference="{100 - number}">{base}/repodata/repomd.xml</url>'
        for number, base in enumerate(bases)
    )
    alternates = f"<mm0:alternates><mm0:alternate>{_facts(older)}</mm0:alternate></mm0:alternates>" if older else ""
    return (
        '<?xml version="1.0" encoding="utf-8"?>\n'
        '<metalink version="3.0" xmlns="http://www.metalinker.org/" type="dynamic" '
        'xmlns:mm0="http://fedorahosted.org/mirrormanager"><files><file name="repomd.xml">'
        f'{_facts(repomd)}{alternates}<resources maxconnections="1">{urls}</resources></file></files></metalink>\n'
    ).encode()


def _facts(data: bytes) -> str:
    sums = "".join(f'<hash type="{kind}">{hashlib.new(kind, data).hexdigest()}</hash>' for kind in ("md5", "sha256"))
    return f"<size>{len(data)}</size><verification>{sums}</verification>"
