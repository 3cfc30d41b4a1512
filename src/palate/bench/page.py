"""The report of an experiment as one HTML page that needs nothing beside it."""

from __future__ import annotations

import base64
import json
from html import escape
from typing import TYPE_CHECKING, Any

from palate.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SUMMARY = "summary.json"
"""Of a folder of results: title, configuration, versions, sections and captions of figures."""

_PAGE = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; color: #1a1a1a; max-width: 75rem; margin: 2rem auto;
  padding: 0 1rem; }}
table {{ border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 0.9rem; }}
th, td {{ border-bottom: 1px solid #ccc; padding: 0.25rem 0.75rem; text-align: left;
  vertical-align: top; }}
th {{ border-bottom: 2px solid #666; }}
.wide {{ overflow-x: auto; }}
figure {{ margin: 1.5rem 0; }}
img {{ max-width: 100%; }}
.note, figcaption {{ color: #555; max-width: 60rem; }}
</style>
</head>
<body>
<h1>{title}</h1>
{body}
</body>
</html>
"""


def page(folder: Path) -> str:
    """The page of a folder that ``palate bench`` has written results to.

    Raises:
        ParameterError: the folder holds no results, or they are damaged.
    """
    try:
        summary = json.loads((folder / SUMMARY).read_text(encoding="utf-8"))
        parts = [_configuration(summary["configuration"], summary["versions"])]
        parts += [_section(section) for section in summary["sections"]]
        parts += [_figure(folder / name, caption) for name, caption in summary["figures"].items()]
        return _PAGE.format(title=escape(summary["title"]), body="\n".join(parts))
    except FileNotFoundError as error:
        msg = f"{error.filename} is missing; write the results by palate bench elicitation --out"
        raise ParameterError(msg) from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        msg = f"the results in {folder} are damaged: {type(error).__name__} {error}"
        raise ParameterError(msg) from error


def _configuration(configuration: Mapping[str, Any], versions: Mapping[str, str]) -> str:
    settings = [[name, _words(value)] for name, value in configuration.items()]
    settings.append(["versions", ", ".join(f"{name} {v}" for name, v in versions.items())])
    rows = {"header": ["setting", "value"], "rows": settings}
    return _section({"title": "Configuration", "note": "", **rows})


def _words(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _section(section: Mapping[str, Any]) -> str:
    head = "".join(f"<th>{escape(cell)}</th>" for cell in section["header"])
    rows = (
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>"
        for row in section["rows"]
    )
    table = f"<table>\n<tr>{head}</tr>\n{chr(10).join(rows)}\n</table>"
    note = f'<p class="note">{escape(section["note"])}</p>' if section["note"] else ""
    return f'<h2>{escape(section["title"])}</h2>\n<div class="wide">{table}</div>\n{note}'


def _figure(path: Path, caption: str) -> str:
    image = base64.b64encode(path.read_bytes()).decode("ascii")
    return (
        f'<figure><img alt="{escape(caption)}" src="data:image/png;base64,{image}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )
