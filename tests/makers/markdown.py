"""Our documents as tests read them: fenced blocks, the examples in them, code spans, tables, headings.

A fenced block that begins with ```` ```console run ```` is executed. In it a line `$ COMMAND` may end with
`# exit code N`; the lines after it are its output, where `…` stands for anything in a line, and alone for any lines.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts.source import ROOT

_FENCE = re.compile(r"^```(?P<info>[^\n]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"\s+# exit code ([0-9]+)\Z")


@dataclass(frozen=True, slots=True)
class Example:
    """A command that a document shows, and what it says comes of it; without output, whatever comes is fine."""

    where: str
    command: str
    code: int
    output: tuple[str, ...]

    def fits(self, said: str) -> bool:
        """Say whether what the command said is what the document shows."""
        return self.output == () or re.fullmatch("".join(map(_pattern, self.output)), said) is not None


def documents() -> list[Path]:
    """List what a stranger reads: README and the other pages at the root, and docs/."""
    return sorted(path for path in [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")] if path.stat().st_size)


def examples(path: Path) -> list[Example]:
    """Read the examples of a document that are to be executed, in order."""
    text = path.read_text()
    found: list[Example] = []
    for fence in _FENCE.finditer(text):
        if fence["info"] == "console run":
            line = text.count("\n", 0, fence.start("body")) + 1
            found += _examples(fence["body"].splitlines(), path.name, line)
    return found


def code(text: str) -> list[str]:
    """List the lines of fenced blocks, and the code spans between them."""
    spans: list[str] = re.findall(r"`([^`]+)`", _FENCE.sub("", text).replace("\n", " "))
    return [line for fence in _FENCE.finditer(text) for line in fence["body"].splitlines()] + spans


def section(text: str, heading: str) -> str:
    """Give what stands below a heading (`## …`, any level) up to the next heading of any level."""
    match = re.search(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#+ |\Z)", text, re.MULTILINE | re.DOTALL)
    assert match, f"no heading {heading!r}"
    return match[1]


def rows(text: str) -> list[list[str]]:
    """Read the rows of all tables in a text, header and rule left out: the cells of each."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    rules = [index for index, line in enumerate(lines) if set(line) <= set("|- ")]
    skipped = {*rules, *(index - 1 for index in rules)}
    return [[cell.strip() for cell in line.strip("|").split("|")] for n, line in enumerate(lines) if n not in skipped]


def _examples(lines: Sequence[str], name: str, first: int) -> Iterator[Example]:
    starts = [index for index, line in enumerate(lines) if line.startswith("$ ")]
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        command = lines[start].removeprefix("$ ")
        exit_code = _CODE.search(command)
        wanted = int(exit_code[1]) if exit_code else 0
        yield Example(f"{name}:{first + start}", _CODE.sub("", command), wanted, tuple(lines[start + 1 : end]))


def _pattern(line: str) -> str:
    if line == "…":
        return r"(?:.*\n)*"
    return ".*".join(map(re.escape, line.split("…"))) + r"\n"
