"""Where the pool of an elicitation comes from: a file, a prompt, an embedder of the user's choice.

What cost requests or much time is kept in the folder for programs' state, so that the same command
does not pay for it twice, and a log of answers can be gone on with without it.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from rich.text import Text

from palate._cache import digest
from palate.cli.generation import generate_file
from palate.cli.log import Source, state_folder
from palate.cli.session import load_texts, with_style
from palate.embed import CachedEmbedder, Embedder, embedder_named
from palate.errors import ModelError, PoolError
from palate.formats import write_pools
from palate.generate import ChatGenerator, Growth

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rich.console import Console

    from palate.chat import ChatModel
    from palate.elicitation import Elicitation
    from palate.pool import Pool

STATIC = "static"
"""The shipped embedder, by the name that ``--embedder`` takes."""


def generated_pool(
    prompt: str, n: int, model: ChatModel, console: Console, *, fresh: bool = False
) -> Path:
    """The file of a pool for a prompt; generated, unless this model was asked for it before.

    Args:
        prompt: what is asked.
        n: how many responses.
        model: the chat model.
        console: where progress is shown.
        fresh: generate it anew; the one before is kept, for the logs that belong to it.

    Raises:
        ModelError: the pool could not be completed; the same command goes on from what there is.
    """
    key = digest(prompt, str(n), model.identity)
    paths = (_pools() / f"{key}-{number}.jsonl" for number in itertools.count(1))
    before = list(itertools.takewhile(lambda path: path.exists(), paths))
    if before and not fresh:
        line = f"using the pool generated before, {before[-1]}; --fresh makes a new one"
        console.print(Text(line, style="dim"), soft_wrap=True)
        return before[-1]
    path = _pools() / f"{key}-{len(before) + 1}.jsonl"
    again = "the same command goes on from there"
    generate_file(path, prompt, n, model, console, resume=True, again=again)
    return path


def embedded_pool(
    source: Source, spec: str | None, model: ChatModel | None, base_url: str | None
) -> tuple[Source, Pool]:
    """The pool of a source with its features, and the source to find it again with them.

    Args:
        source: the pool.
        spec: as ``--embedder`` takes it; None for the features that the pool brings, or else the
            shipped embedder.
        model: rates the axes, where the embedder is that.
        base_url: of the server, where the embedder is on one.
    """
    texts = load_texts(source)
    if spec is None or (spec == STATIC and texts.features is None):
        return source, with_style(texts, source.style)
    pool = texts.embedded(named_embedder(spec, model, base_url), style=source.style)
    path = _pools() / f"{pool.content_fingerprint}-{pool.features_fingerprint}.jsonl"
    if not path.exists():
        write_pools(path, [pool])
    return Source(str(path), None, 0.0, drop_duplicates=False), pool


def _pools() -> Path:
    """The folder for pools that were generated or embedded."""
    folder = state_folder() / "pools"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def named_embedder(spec: str, model: ChatModel | None, base_url: str | None) -> Embedder:
    """The embedder that ``--embedder`` names; what it made once is kept."""
    found = embedder_named(spec, model=model, base_url=base_url)
    return found if spec == STATIC else CachedEmbedder(found)


def growth_of(
    elicitation: Elicitation,
    model: ChatModel,
    every: int,
    by: int,
    spec: str | None,
    base_url: str | None,
    console: Console,
    tell: Callable[[str], None],
) -> Callable[[Elicitation], None]:
    """What grows the elicitation's pool after every so many answers, and says so.

    A model that fails then costs no answer: it is said, and the questions go on.

    Raises:
        PoolError: the pool brings its features, and nothing makes those of new responses.
    """
    embed = None if spec is None else named_embedder(spec, model, base_url)
    if embed is None and elicitation.pool.features is not None and elicitation.pool.recipe is None:
        raise PoolError(
            "the pool brings its features, so --grow needs --embedder for those of new responses"
        )
    growth = Growth(ChatGenerator(model), every, by, embed)

    def grow(elicitation: Elicitation) -> None:
        try:
            with console.status("asking for more responses"):
                added = growth(elicitation)
        except ModelError as error:
            tell(f"no new responses: {error}")
            return
        if added:
            more = "response" if added == 1 else "responses"
            tell(f"{added} new {more} joined the pool; it holds {len(elicitation.pool)} now")

    return grow
