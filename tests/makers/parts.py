"""Parts of a repository: repodata made for what lies on a volume, written where a client can use it."""

import gzip
from collections.abc import Mapping, Sequence
from pathlib import Path

from issmedia.base.events import Report, ignore
from issmedia.content.yum.made import MadeFile
from issmedia.content.yum.partial import Form, Share, partial_repodata
from issmedia.content.yum.reader import Parser
from issmedia.model.tree import Tree
from tests.makers.repos import BuiltRepo
from tests.makers.sink import MemorySink

MOMENT = "2026-06-01T12:00:00Z"


def parts_of(
    tree: Tree, sink: MemorySink, shares: Sequence[Share], *, report: Report = ignore
) -> list[tuple[MadeFile, ...]]:
    """Make the repodata of shares of a tree whose blobs are in a sink."""
    with Parser() as parser:
        return partial_repodata(tree, sink.open, shares, parser=parser, form=Form(MOMENT), report=report)


def share_of(repo: BuiltRepo, *names: str) -> Share:
    """Let the packages of these names, all without any, lie where upstream has them."""
    return {one.href: one.href for one in repo.packages if not names or one.name in names}


def document(files: Sequence[MadeFile], kind: str) -> str:
    """Read one document of a part, unpacked; nothing where it has none."""
    found = next((file for file in files if f"-{kind}." in file.path), None)
    if found is None:
        return ""
    return (gzip.decompress(found.content) if found.path.endswith(".gz") else found.content).decode()


def write_part(directory: Path, files: Sequence[MadeFile], packages: Mapping[str, bytes]) -> Path:
    """Write a part as it lies on a volume: the made files, and packages by their hrefs; give the directory."""
    for path, data in {**packages, **{file.path: file.content for file in files}}.items():
        target = directory / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    return directory
