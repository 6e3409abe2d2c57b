"""The description of a kickstart tree: `.treeinfo` or `treeinfo`, and the files it names.

INI text: `[checksums]` has `path = type:hex`; `[images-…]` and `[stage2]` have `role = path`; `[variant-…]` have
`repository = path`.
Source: https://productmd.readthedocs.io/en/latest/treeinfo-1.2.html
"""

from typing import TYPE_CHECKING

from issmedia.base.errors import FormatError
from issmedia.model.names import path_fault, shown

if TYPE_CHECKING:
    import configparser

PATHS = (".treeinfo", "treeinfo")
MAX_BYTES = 256 << 10
_MAX_LINE = 1024


def files_named(data: bytes, *, where: str) -> dict[str, tuple[str, str] | None]:
    """List the files a treeinfo names, with checksum (type, hex) or None; paths are as found, unjudged.

    `FormatError` where it is no INI text, names a key twice, or has a line that would keep the parser busy.
    """
    parser = _parsed(data, where=where)
    named: dict[str, tuple[str, str] | None] = {}
    for section in parser.sections():
        if section == "stage2" or section.startswith("images-"):
            named |= dict.fromkeys((path for _, path in parser.items(section) if path), None)
    if parser.has_section("checksums"):
        named |= {path: _checksum(text, where=where) for path, text in parser.items("checksums")}
    return named


def repositories_within(data: bytes, *, where: str) -> list[str]:
    """List where variants have their repositories below the tree, each once; that of the tree itself is none."""
    parser = _parsed(data, where=where)
    variants = (section for section in parser.sections() if section.startswith("variant-"))
    found = (parser.get(section, "repository", fallback="").strip("/") for section in variants)
    return [path for path in dict.fromkeys(found) if path not in ("", ".") and path_fault(path) is None]


def _parsed(data: bytes, *, where: str) -> "configparser.RawConfigParser":
    import configparser  # 2 ms, which a sync of packages alone is spared

    if any(len(line) > _MAX_LINE for line in data.splitlines()):
        raise FormatError(f"a line is longer than {_MAX_LINE} bytes", where=where)
    parser = configparser.RawConfigParser(strict=True, delimiters=("=",), default_section="\0", interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    try:
        parser.read_string(data.decode("utf-8"), source=where)
    except (configparser.Error, UnicodeError) as cause:
        raise FormatError(f"not a treeinfo: {shown(str(cause))}", where=where) from cause
    return parser


def _checksum(text: str, *, where: str) -> tuple[str, str]:
    kind, colon, value = text.partition(":")
    if not colon:
        raise FormatError(f"expected type:checksum, got {shown(text)!r}", where=where)
    return kind.strip().lower(), value.strip().lower()
