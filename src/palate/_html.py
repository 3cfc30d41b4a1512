"""Parts of an HTML page that needs nothing beside it; what is plain text is escaped."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>
:root {{ --ink: #1b1b1a; --soft: #5b5a56; --page: #fcfcfb; --card: #f2f1ee; --line: #d6d4ce;
  --good: #0b7a0b; --warn: #8a5a00; --bad: #b3261e; }}
@media (prefers-color-scheme: dark) {{ :root {{ --ink: #efeeea; --soft: #b4b2ab; --page: #1a1a19;
  --card: #262624; --line: #42413d; --good: #5fc75f; --warn: #f0b429; --bad: #ff7b72; }} }}
body {{ font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--page);
  max-width: 52rem; margin: 0 auto; padding: 1rem; overflow-wrap: anywhere; }}
h1 {{ font-size: 1.1rem; color: var(--soft); font-weight: 600; margin: 0; }}
h2 {{ font-size: 1.2rem; margin: 2.2rem 0 0.5rem; }}
.verdict {{ border-left: 0.4rem solid var(--line); background: var(--card); padding: 0.8rem 1rem;
  margin: 0.8rem 0 1.2rem; border-radius: 0.3rem; font-size: 1.35rem; line-height: 1.3; }}
.verdict.good {{ border-color: var(--good); }} .verdict.warn {{ border-color: var(--warn); }}
.verdict.bad {{ border-color: var(--bad); }}
.good {{ color: var(--good); }} .warn {{ color: var(--warn); }} .bad {{ color: var(--bad); }}
.verdict.good, .verdict.warn, .verdict.bad {{ color: var(--ink); }}
li {{ margin: 0.4rem 0; }}
.note, figcaption {{ color: var(--soft); font-size: 0.92rem; }}
.wide {{ overflow-x: auto; }} .wide + .wide {{ margin-top: 1.2rem; }}
table {{ border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 0.92rem;
  width: 100%; }}
th, td {{ border-bottom: 1px solid var(--line); padding: 0.35rem 0.8rem 0.35rem 0;
  text-align: left; vertical-align: top; overflow-wrap: normal; }}
td.text {{ min-width: 12rem; overflow-wrap: anywhere; }}
figure {{ margin: 1rem 0 1.8rem; }}
figure svg {{ width: 100%; height: auto; max-width: 42rem; }}
.bar {{ display: inline-block; width: 6rem; height: 0.7rem; background: var(--card);
  vertical-align: baseline; border-radius: 0.2rem; overflow: hidden; }}
.bar i {{ display: block; height: 100%; background: var(--soft); }}
summary {{ color: var(--soft); font-size: 0.92rem; cursor: pointer; }}
.pair {{ display: grid; grid-template-columns: 1fr 1fr; gap: 0.6rem; margin: 0.5rem 0; }}
.pair > div {{ background: var(--card); border-radius: 0.3rem; padding: 0.5rem 0.7rem;
  font-size: 0.92rem; white-space: pre-line; }}
.pair b {{ display: block; font-size: 0.8rem; color: var(--soft); font-weight: 600; }}
@media (max-width: 34rem) {{ .pair {{ grid-template-columns: 1fr; }} }}
</style>
</head>
<body>
<h1>{title}</h1>
{body}
</body>
</html>
"""


def whole_page(title: str, parts: Iterable[str]) -> str:
    """A page of parts that are HTML already."""
    return _PAGE.format(title=escape(title), body="\n".join(parts))


def section(title: str, *parts: str) -> str:
    """A section under a heading; its parts are HTML already."""
    return "\n".join((f"<section>\n<h2>{escape(title)}</h2>", *parts, "</section>"))


def listed(lines: Iterable[str], kind: str = "ul") -> str:
    """Lines as a list."""
    return f"<{kind}>{''.join(f'<li>{escape(line)}</li>' for line in lines)}</{kind}>"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells that are HTML already; no heading where all its cells are empty."""
    head = "".join(f"<th>{cell}</th>" for cell in header) if any(header) else ""
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    inner = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div class="wide">{inner}</div>'


def note(text: str) -> str:
    """A remark in small print."""
    return f'<p class="note">{escape(text)}</p>'


def share_bar(share: float) -> str:
    """A share between 0 and 1 as a bar and in per cent."""
    return f'<span class="bar"><i style="width:{100 * share:.1f}%"></i></span> {share:.1%}'
