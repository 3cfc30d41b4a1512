"""Style features: how a text is written, which text embeddings lose."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

import numpy as np

from palate.embed._texts import checked_texts
from palate.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike

    from palate._typing import FloatArray

STYLE_NAMES: tuple[str, ...] = (
    "length",
    "sentence_length",
    "lists",
    "markup",
    "numbers",
    "questions_exclamations",
    "formality",
)
"""The columns of :func:`style_features`, in their order."""

# Scripts without spaces between words (kana, Han) count a character as a word.
_WORD = re.compile(
    r"[\u3040-\u30ff\u3400-\u9fff]|[^\W_\u3040-\u30ff\u3400-\u9fff]+(?:['\u2019]\w+)*"
)
_BULLET = re.compile(r"(?:[-*+•‣◦–]|\(?(?:\d{1,3}|[A-Za-z])[.)])\s+")  # noqa: RUF001
_HEADING = re.compile(r"#{1,6}\s|```|~~~")
_SPAN = re.compile(r"\*\*[^*\n]+\*\*|__[^_\n]+__|`[^`\n]+`")
# A full stop inside a number or an address ends no sentence: a space must follow. The
# lookbehind keeps the search linear in the text.
_SENTENCE_END = re.compile(r"(?<![.!?…])[.!?…]+[\"'”’)\]*_]*(?=\s|$)|[。！？]+")  # noqa: RUF001
_ASKS = frozenset("?!？！")  # noqa: RUF001
_EMOJI = re.compile(r"[\u2600-\u27bf\U0001f300-\U0001faff]")


def _words(line: str) -> frozenset[str]:
    return frozenset(line.split())


LONG_WORD = 8
"""Letters from which a word counts as long: Latinate English, in the main."""
FORMAL = _words(
    "accordingly albeit although consequently enable ensure facilitate furthermore hence hereby "
    "herein however moreover nevertheless nonetheless notwithstanding obtain pertaining prior "
    "purchase regarding require shall subsequently therefore thereby thus upon utilize whereas "
    "whereby whether whilst whom"
)
INFORMAL = _words(
    "absolutely actually ah alright anyway awesome aww basically bit buddy bunch cuz damn dude "
    "folks gonna gotta guess guys haha hey hi honestly hmm just kid kids kinda lol lots maybe "
    "mate nah nope oh ok okay omg oops ouch pretty really sorta stuff super sure thanks thing "
    "things though totally ugh um wanna wow ya yay yeah yep yes yum yummy"
)
PERSONAL = _words(
    "i me my mine myself we us our ours ourselves let's you your yours yourself yourselves"
)


def style_features(texts: Sequence[str], *, reference: Sequence[str] | None = None) -> FloatArray:
    """How each text of a pool is written, standardised within the pool.

    The columns, before they are standardised (:data:`STYLE_NAMES`):

    - ``length``: log(1 + words). A Han or kana character is a word.
    - ``sentence_length``: log(1 + words per sentence). The end of a line ends a sentence too.
    - ``lists``: share of non-blank lines that begin with a bullet, or a number or letter and a dot
      or bracket.
    - ``markup``: log(1 + marks per non-blank line), marks being Markdown headings, code fences, and
      spans of bold or code.
    - ``numbers``: share of words that hold a digit.
    - ``questions_exclamations``: share of sentences that end with a question or exclamation mark.
    - ``formality``: formal less informal marks per word, in [-1, 1]. Formal are words such as
      "therefore" and "obtain", and words of 8 letters or more at half weight, since topics bring
      some of their own. Informal are contractions, "I", "we" and "you", colloquial words,
      exclamation marks and emoji. A lexical stand-in for the measure of Heylighen and Dewaele
      (Foundations of Science 7, 2002), which needs parts of speech; English only.

    Every text counts, an empty one too: it scores 0 everywhere before standardising. Features of
    one text depend on the pool, so they cannot be compared between pools.

    Args:
        texts: n texts in any script.
        reference: the pool, where that is not the texts themselves: texts that join a pool later
            are standardised by the means and deviations of those that were there.

    Returns:
        (n, 7) array. Each column has mean 0 and variance 1 over the pool, or is 0 throughout where
        all texts of the pool agree.

    Raises:
        TypeError: a single string, or an element that is no string.
        ParameterError: the reference is empty.
    """
    raw = _raw_table(texts)
    pool = raw if reference is None else _raw_table(reference)
    if not len(pool):
        if reference is not None:
            raise ParameterError("reference holds no text; style is standardised by at least one")
        return raw
    # Not by the standard deviation, which rounding can leave just above 0 where all texts agree.
    differs = np.ptp(pool, axis=0) > 0
    centred = raw - pool.mean(axis=0)
    return np.divide(centred, pool.std(axis=0), out=np.zeros_like(raw), where=differs)


def join_features(embedding: ArrayLike, style: ArrayLike, weight: float) -> FloatArray:
    """An embedding and style features side by side, the style with a given weight.

    The rows of each block are scaled to unit length, then by sqrt(1 - weight) and sqrt(weight). So
    inner products, and squared distances, are those of the blocks mixed in the proportion
    (1 - weight) to weight: neither block wins by its scale or its number of columns. For style it
    means that the direction in which a text departs from the pool's average counts, not how far.
    A joined row has unit length where both blocks are non-zero. A row of zeros in a block stays
    zero there, since it has no direction.

    Args:
        embedding: (n, d) vectors.
        style: (n, m) style features.
        weight: of the style, from 0 (embedding alone) to 1 (style alone).

    Returns:
        (n, d + m) array.

    Raises:
        ParameterError: the weight is outside [0, 1], or the blocks are not two tables of finite
            numbers with equally many rows.
    """
    if not 0.0 <= weight <= 1.0:
        msg = f"style weight is {weight!r}; it must lie in [0, 1]"
        raise ParameterError(msg)
    left, right = np.asarray(embedding, dtype=np.float64), np.asarray(style, dtype=np.float64)
    if left.ndim != 2 or right.ndim != 2 or len(left) != len(right):
        msg = (
            f"embedding {left.shape} and style {right.shape} cannot be joined; "
            "they must be (n, d) and (n, m)"
        )
        raise ParameterError(msg)
    finite = np.isfinite(left).all(axis=1) & np.isfinite(right).all(axis=1)
    if not finite.all():
        row = int(np.argmin(finite))
        msg = f"row {row} of the embedding or style is not finite; only finite numbers can be used"
        raise ParameterError(msg)
    return np.hstack([_unit(left) * math.sqrt(1.0 - weight), _unit(right) * math.sqrt(weight)])


def _unit(rows: FloatArray) -> FloatArray:
    """Rows scaled to unit length; zero rows stay zero."""
    # By the largest entry first, lest squares overflow or vanish.
    peak = np.abs(rows).max(axis=1, initial=0.0, keepdims=True)
    scaled = np.divide(rows, peak, out=np.zeros_like(rows), where=peak > 0)
    return scaled / np.sqrt(np.einsum("nd,nd->n", scaled, scaled).clip(min=1.0))[:, None]


def _raw_table(texts: Sequence[str]) -> FloatArray:
    """The (n, 7) columns of texts, not standardised."""
    rows = [_raw(text) for text in checked_texts(texts)]
    return np.array(rows, dtype=np.float64).reshape(-1, len(STYLE_NAMES))


def _raw(text: str) -> tuple[float, ...]:
    """The columns of one text, in the order of :data:`STYLE_NAMES`."""
    lines = [stripped for line in text.splitlines() if (stripped := line.strip())]
    words = [word.lower().replace("’", "'") for word in _WORD.findall(text)]  # noqa: RUF001
    bullets = sentences = asked = 0
    for line in lines:
        bullet = _BULLET.match(line)
        bullets += bullet is not None
        prose = line[bullet.end() :] if bullet else line  # the dot of "1." ends no sentence
        sentences += sum(1 for piece in _SENTENCE_END.split(prose) if _WORD.search(piece))
        asked += sum(1 for end in _SENTENCE_END.findall(prose) if not _ASKS.isdisjoint(end))
    markup = len(_SPAN.findall(text)) + sum(1 for line in lines if _HEADING.match(line))
    n_lines, n_words, n_sentences = max(len(lines), 1), max(len(words), 1), max(sentences, 1)
    return (
        math.log1p(len(words)),
        math.log1p(len(words) / n_sentences),
        bullets / n_lines,
        math.log1p(markup / n_lines),
        sum(1 for word in words if any(map(str.isdigit, word))) / n_words,
        min(asked / n_sentences, 1.0),
        min(max(_formality(text, words) / n_words, -1.0), 1.0),
    )


def _formality(text: str, words: list[str]) -> float:
    """Formal less informal marks of a text, given its words in lower case."""
    balance = 0.0 - text.count("!") - len(_EMOJI.findall(text))
    for word in words:
        stem = word.split("'", 1)[0]
        if "'" in word and not word.endswith("'s"):
            balance -= 1  # a contraction; "'s" may be a genitive
        if stem in PERSONAL or word in PERSONAL or word in INFORMAL:
            balance -= 1
        elif word in FORMAL:
            balance += 1
        elif len(word) >= LONG_WORD and word.isalpha():
            balance += 0.5
    return balance
