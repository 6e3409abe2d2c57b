"""Pages for people: one HTML file with all it needs in it, without script, that prints well, light or dark.

Whatever text comes in is escaped: first what a reader could not see, then what a browser would not show.
"""

import html
from collections.abc import Iterable, Sequence
from typing import NewType

from issmedia.model.names import shown

Markup = NewType("Markup", str)
"""HTML that is safe to put into a page; only this module makes it."""

_STYLE = """
:root { color-scheme: light dark; --line: #8886; --soft: #8881; --alarm: #c01c28; }
body { font: 15px/1.45 system-ui, sans-serif; max-width: 64rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.2rem; margin: 2rem 0 .25rem; overflow-wrap: anywhere; }
h3 { font-size: 1rem; margin: 1rem 0 .25rem; }
table { border-collapse: collapse; width: 100%; margin: .25rem 0 1rem; }
th, td { text-align: left; vertical-align: top; padding: .2rem .6rem; border-bottom: 1px solid var(--line); }
th { background: var(--soft); font-weight: 600; } td { overflow-wrap: anywhere; }
td:first-child { min-width: 7rem; }
p { margin: .25rem 0; } .note { font-style: italic; }
ul { columns: 19rem; margin: .25rem 0 1rem; padding-left: 1.2rem; } li { overflow-wrap: anywhere; }
.alarm { margin: .75rem 0; padding: .5rem .8rem; font-weight: 700; border: 2px solid var(--alarm); }
.alarm { border-left-width: .6rem; }
h3.loud { color: var(--alarm); }
@media print {
  body { font-size: 10pt; max-width: none; margin: 0; }
  thead { display: table-header-group; } tr, li, .alarm { break-inside: avoid; } h2, h3 { break-after: avoid; }
}
@media (prefers-color-scheme: dark) { :root { --alarm: #ff7b7b; } }
"""

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<h1>{title}</h1>
{body}
</body>
</html>
"""


def page(title: str, parts: Iterable[Markup], *, style: str = "") -> str:
    """Make the whole file, headed by its title; `style` is a constant of ours that comes after the usual one."""
    return _PAGE.format(title=_safe(title), style=_STYLE + style, body="\n".join(parts))


def heading(text: str, level: int = 2, *, loud: bool = False) -> Markup:
    """Head a part of the page, 2, or a part of that, 3."""
    return Markup(f"<h{level}{_kind('loud' if loud else '')}>{_safe(text)}</h{level}>")


def paragraph(text: str, kind: str = "") -> Markup:
    """Write a paragraph; `kind` is "", "note", or "alarm" for what must not be overlooked."""
    return Markup(f"<p{_kind(kind)}>{_safe(text)}</p>")


def listing(items: Iterable[str]) -> Markup:
    """List short texts, in as many columns as there is room for."""
    return Markup("<ul>\n" + "\n".join(f"<li>{_safe(item)}</li>" for item in items) + "\n</ul>")


def grid(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> Markup:
    """Lay out rows of text, under headers where there are any."""
    cells = "".join(f"<th>{_safe(cell)}</th>" for cell in headers)
    head = f"<thead><tr>{cells}</tr></thead>\n" if headers else ""
    body = "\n".join(_row(row) for row in rows)
    return Markup(f"<table>\n{head}<tbody>\n{body}\n</tbody>\n</table>")


def box(kind: str, parts: Iterable[Markup]) -> Markup:
    """Put parts into a box of a kind that the page's style knows."""
    return Markup(f'<div class="{kind}">\n' + "\n".join(parts) + "\n</div>")


def drawing(svg: str) -> Markup:
    """Put a drawing of ours into a page: an SVG element that holds no text."""
    return Markup(svg)


def _row(cells: Sequence[str]) -> str:
    return "<tr>" + "".join(f"<td>{_safe(cell)}</td>" for cell in cells) + "</tr>"


def _kind(name: str) -> str:
    return f' class="{name}"' if name else ""


def _safe(text: str) -> str:
    return html.escape("".join(shown(text[start : start + 300]) for start in range(0, len(text), 300)))
