"""Labels, and the grammar of every path in a tree or on a volume.

A path is relative, `/`-separated, NFC, at most 1,024 UTF-8 bytes, 255 a component. No component is
empty, `.` or `..`, begins with `-`, ends with a dot or space, is a DOS device name, or holds a
control, bidi or zero-width character, a backslash, or one of `: < > " | ? *`. So each path means the same file on
every medium we know, and none can leave its root or pass for an option.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator

from issmedia.base.errors import FormatError, Problem, UsageError

MAX_PATH = 1024
MAX_COMPONENT = 255
MAX_VOLUME_PATH = MAX_PATH + len("repos/") + 2 * (128 + 1)
"""A tree path below `repos/PRODUCT/REPO/`, both labels as long as they may be."""

CLIENT_FILE = "issmedia.repo"
"""The file for dnf that lies beside the products' directories."""

_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}\Z")
_PLAIN = re.compile(r"(?:[A-Za-z0-9_+~^%=@,(){}\[\]!#$&'; .-]+/)*[A-Za-z0-9_+~^%=@,(){}\[\]!#$&'; .-]+\Z")
_SUSPECT = re.compile(r"(?:^|/)(?:-|(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.|/|$))|[. ](?:/|$)", re.IGNORECASE)
_FORBIDDEN = frozenset('\\:<>"|?*')
_DEVICE = re.compile(r"(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(?:\.|$)", re.IGNORECASE)
_BAD_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def checked_label(label: str) -> str:
    """Return a product's or repository's label, or raise `UsageError`."""
    if not is_label(label):
        raise UsageError(
            f"{shown(label)!r} is not a label",
            hint="a label is 1 to 128 of A-Z a-z 0-9 . _ -, begins with a letter or digit, ends without a dot",
        )
    return label


def is_label(label: str) -> bool:
    """Say whether `label` is one; names that no medium could carry, and our own client file's, are none."""
    return _LABEL.match(label) is not None and path_fault(label) is None and label.casefold() != CLIENT_FILE


def path_fault(path: str, *, limit: int = MAX_PATH) -> str | None:
    """Say what is wrong with a path, or None. The answer is safe to print."""
    if _PLAIN.match(path) and not _SUSPECT.search(path) and len(path) <= MAX_COMPONENT:
        return None
    try:
        size = len(path.encode())
    except UnicodeEncodeError:
        return "is not valid Unicode"
    if size > limit:
        return f"is {size} bytes long, at most {limit} are allowed"
    if path.startswith("/"):
        return "is absolute"
    faults = (_component_fault(component) for component in path.split("/"))
    return next((fault for fault in faults if fault), None)


def checked_path(path: str, *, limit: int = MAX_PATH) -> str:
    """Return a path that follows the grammar, or raise `FormatError`."""
    if fault := path_fault(path, limit=limit):
        raise FormatError(f"the name {fault}", where=shown(path))
    return path


def folded(name: str) -> str:
    """Fold a name as the media that ignore case do: two names with one folding collide."""
    return name.casefold() if name.isascii() else unicodedata.normalize("NFC", name).casefold()


def collisions(paths: Iterable[str]) -> Iterator[Problem]:
    """Find paths that cannot lie beside each other: equal after folding, or a path below a file.

    Directories count too: `A/x` and `a/y` collide, since a medium that folds case makes them one.
    """
    listed = list(paths)
    folders = parents(listed)
    if len({folded(name) for name in (*listed, *folders)}) < len(listed) + len(folders):
        yield from _described(listed)


def parents(paths: Iterable[str]) -> set[str]:
    """Give the directories that paths lie in, each once."""
    found: set[str] = set()
    for path in paths:
        parent = path.rpartition("/")[0]
        while parent and parent not in found:
            found.add(parent)
            parent = parent.rpartition("/")[0]
    return found


def shown(text: str) -> str:
    """Make hostile text safe for a terminal or a log: control, bidi and odd characters escaped, at most 300 long."""
    if text.isascii() and text.isprintable() and len(text) <= 300:
        return text
    safe = "".join(_escaped(character) for character in text[:300])
    return safe + ("…" if len(text) > 300 else "")


def _escaped(character: str) -> str:
    bad = unicodedata.category(character) in _BAD_CATEGORIES | {"Co", "Cn"}
    return character.encode("unicode_escape").decode() if bad else character


def _component_fault(component: str) -> str | None:
    if component == "":
        return "has an empty component"
    if component in (".", ".."):
        return f"has the component {component!r}"
    if component.startswith("-"):
        return "has a component that begins with '-'"
    if component[-1] in ". ":
        return "has a component that ends with a dot or space"
    if bad := next((c for c in component if c in _FORBIDDEN), None):
        return f"has the character {bad!r}"
    if any(unicodedata.category(c) in _BAD_CATEGORIES for c in component):
        return "has a control, bidi or zero-width character"
    if _DEVICE.match(component):
        return "has a component that is a DOS device name"
    if len(component.encode()) > MAX_COMPONENT:
        return f"has a component of over {MAX_COMPONENT} bytes"
    if unicodedata.normalize("NFC", component) != component:
        return "is not in Unicode normal form C"
    return None


def _described(paths: list[str]) -> Iterator[Problem]:
    """Say which paths collide, now that some do."""
    spelling: dict[str, str] = {}
    files: set[str] = set()
    for path in paths:
        if path in files:
            yield Problem(shown(path), "is named twice")
            continue
        files.add(path)
        yield from _clashes(path, spelling)
    for path in paths:
        if any(parent in files for parent in _parents(path)):
            yield Problem(shown(path), "lies below a path that is a file")


def _parents(path: str) -> Iterator[str]:
    end = path.rfind("/")
    while end > 0:
        yield path[:end]
        end = path.rfind("/", 0, end)


def _clashes(path: str, spelling: dict[str, str]) -> Iterator[Problem]:
    for name in (path, *_parents(path)):
        other = spelling.get(folded(name))
        if other == name and name != path:
            return
        spelling.setdefault(folded(name), name)
        if other not in (None, name):
            yield Problem(shown(path), f"differs from {shown(other)} only in case or form")
            return
