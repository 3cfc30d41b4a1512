"""A study file that works: the study of the USERALIGN paper, on the shipped text domains."""

from __future__ import annotations

import json
from typing import Any, Final

EXAMPLE: Final[dict[str, Any]] = {
    "title": "Which answer would you pick?",
    "consent": (
        "You will read a request to an assistant and compare some of the answers that it could "
        "give. It takes about eight minutes.\n\n"
        "- We keep which answers you pick and how long you take, and nothing that says who you "
        "are.\n"
        "- Taking part is up to you. You can stop at any time by closing the page.\n"
        "- What you pick is used for research, and may be published.\n\n"
        "Replace this text by that of your own study: who runs it, whom to write to, and what "
        "your ethics board asks for."
    ),
    "domains": ["food64d", "travel64d"],
    "methods": [
        {"label": "USERALIGN", "name": "useralign"},
        {"label": "IIDBEST", "name": "iidbest"},
    ],
    "conditions": ["persona", "own"],
    "comparisons": 10,
    "early": 5,
    "random": True,
    "attention_check": True,
    "allow": [],
    "completion_code": "REPLACE-ME",
    "participants": 960,
    "seed": 0,
}
"""960 participants are 120 for each domain, method and condition, as in the paper."""


def example_file() -> str:
    """The same as the text of a file."""
    return json.dumps(EXAMPLE, indent=2, ensure_ascii=False) + "\n"
