"""Responses as safe HTML: Markdown as models write it, without anything that acts or loads.

A response may have been written by anybody, and whoever reads it trusts the page that shows it.
Raw HTML is shown as text; links lead to the web or to mail and say nothing about where they were
followed; images of other hosts would tell them who reads, so they are links. What leaves the
renderer is then cleaned once more by another library, which knows no tags but those made here.
"""

from __future__ import annotations

import functools
import html
from typing import TYPE_CHECKING

from palate.wording import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markdown_it import MarkdownIt
    from markdown_it.renderer import RendererHTML
    from markdown_it.token import Token
    from markdown_it.utils import EnvType, OptionsDict

LONGEST = 20_000
"""Characters up to which a text is read as Markdown; a longer one is shown as it is."""

SCHEMES = frozenset({"http", "https", "mailto"})
"""Where a link may lead."""

_TAGS = set(
    "p br hr h4 h5 h6 em strong s a code pre blockquote ul ol li div table thead tbody tr th "
    "td".split()
)
_ATTRIBUTES = {
    "a": {"href", "title", "target"},
    "ol": {"start"},
    "div": {"class", "role", "aria-label", "tabindex"},
}
_TABLE = '<div class="scroll" role="group" aria-label="table" tabindex="0">'
_REL = "nofollow noopener noreferrer"


@functools.lru_cache(maxsize=1024)
def to_html(text: str) -> str:
    """A text in Markdown as HTML that is safe to show.

    Headings begin at the fourth level, below those of the page.

    Args:
        text: whatever somebody wrote; control characters and halves of emoji are replaced.

    Returns:
        HTML of paragraphs, headings, lists, tables, quotes, code and links, and nothing else; a
        text of more than :data:`LONGEST` characters as one escaped paragraph of class "plain".
    """
    clean = printable(text)
    if len(clean) > LONGEST:
        return f'<p class="plain">{html.escape(clean)}</p>'
    return _cleaned(_markdown().render(clean))


def _cleaned(rendered: str) -> str:
    import nh3  # noqa: PLC0415 - the commands that show no page need it not

    return nh3.clean(
        rendered,
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        url_schemes=set(SCHEMES),
        link_rel=_REL,
        url_relative="deny",
    )


@functools.cache
def _markdown() -> MarkdownIt:
    from markdown_it import MarkdownIt  # noqa: PLC0415 - see above

    # Models break lines where they mean it, as chat windows show it.
    markdown = MarkdownIt("commonmark", {"html": False, "breaks": True})
    markdown.enable(["table", "strikethrough"])
    markdown.validateLink = _may_link  # type: ignore[method-assign]  # meant to be replaced
    markdown.add_render_rule("image", _image)
    markdown.add_render_rule("heading_open", _heading)
    markdown.add_render_rule("heading_close", _heading)
    markdown.add_render_rule("link_open", _link)
    markdown.add_render_rule("table_open", _table)
    markdown.add_render_rule("table_close", _table)
    return markdown


def _may_link(url: str) -> bool:
    """Whether a link's scheme is one of those allowed; a path on this site is not."""
    return url.partition(":")[0].lower() in SCHEMES and ":" in url


def _heading(
    renderer: RendererHTML, tokens: Sequence[Token], i: int, options: OptionsDict, env: EnvType
) -> str:
    token = tokens[i]
    token.tag = f"h{min(6, int(token.tag[1]) + 3)}"
    return renderer.renderToken(tokens, i, options, env)


def _link(
    renderer: RendererHTML, tokens: Sequence[Token], i: int, options: OptionsDict, env: EnvType
) -> str:
    token = tokens[i]
    token.attrSet("target", "_blank")
    opened = renderer.renderToken(tokens, i, options, env)
    if tokens[i + 1].type == "link_close":  # a link must have a name to be read out
        return opened + html.escape(str(token.attrGet("href")))
    return opened


def _image(
    renderer: RendererHTML, tokens: Sequence[Token], i: int, options: OptionsDict, env: EnvType
) -> str:
    token = tokens[i]
    name = html.escape(renderer.renderInlineAsText(token.children, options, env)) or "image"
    before = tokens[:i] if token.level else ()
    if sum((t.type == "link_open") - (t.type == "link_close") for t in before):  # none inside one
        return name
    source = html.escape(str(token.attrGet("src") or ""))
    return f'<a href="{source}" target="_blank">{name}</a>'


def _table(
    renderer: RendererHTML, tokens: Sequence[Token], i: int, options: OptionsDict, env: EnvType
) -> str:
    """A wide table is moved sideways in a box of its own, by keys too."""
    tag = renderer.renderToken(tokens, i, options, env)
    return _TABLE + tag if tokens[i].nesting == 1 else f"{tag}</div>"
