"""What a file of queries is about: a vocabulary or pools, with features, and how they are shown."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from palate.cli.prepare import STATIC, named_embedder
from palate.cli.session import read_source
from palate.data import SHIPPED_POOLS
from palate.design import (
    DiffusersRenderer,
    ImagesApiRenderer,
    Problem,
    TextRenderer,
    Vocabulary,
    Words,
    load_vocabulary,
    problem_from,
    read_vocabulary,
)
from palate.design.render import response_id
from palate.errors import ParameterError
from palate.pool import Response

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from palate.design import Renderer
    from palate.design.people import Shows
    from palate.design.queries import Feedback
    from palate.embed import Embedder
    from palate.pool import Pool


@dataclass(frozen=True, eq=False)
class Source:
    """A design problem, and where it came from.

    Attributes:
        problem: slots with features.
        settings: JSON values by which :func:`source_of` finds it again.
        embedder: that of the features; None where a pool brought them.
        pools: one a slot; none for a vocabulary.
    """

    problem: Problem
    settings: dict[str, Any]
    embedder: Embedder | None
    pools: tuple[Pool, ...] = ()

    @property
    def name(self) -> str:
        """What to call it."""
        return str(self.settings.get("vocabulary") or self.settings["pool"])

    @property
    def shows(self) -> Shows:
        """What an option is: the prompt so far, or a response of a pool."""
        return "token" if self.pools else "prefix"

    def feedback(self, end: bool) -> Feedback:  # noqa: FBT001
        """What is asked in an episode."""
        return "slots" if self.pools else "end" if end else "truncated"

    def question(self, slot: int) -> str | None:
        """What a question about a slot asks; None for the same always."""
        return self.pools[slot].prompt if self.pools else None

    @contextmanager
    def renderer(self, spec: str, pictures: Path, base_url: str | None) -> Iterator[Renderer]:
        """What makes of a prompt what is shown; responses of pools are shown as they are."""
        if not self.pools:
            with renderer_named(spec, pictures, base_url) as named:
                yield named
            return
        slots = zip(self.problem.slots, self.pools, strict=True)
        yield _Responses(
            {
                token: response
                for slot, pool in slots
                for token, response in zip(slot.tokens, pool.responses, strict=True)
            }
        )


def vocabulary_source(name: str, spec: str | None, base_url: str | None) -> Source:
    """A shipped vocabulary, or one in a JSON file.

    Raises:
        ParameterError: there is no such vocabulary, or the file holds something else.
        ModelError: the embedder failed.
    """
    if name in {"balanced", "redundant"} and not Path(name).exists():
        vocabulary = load_vocabulary(name)  # type: ignore[arg-type]
        noted: dict[str, Any] = {}
    elif Path(name).suffix == ".json" or Path(name).exists():
        vocabulary = read_vocabulary(name)
        noted = {"slots": [[slot.name, *slot.tokens] for slot in vocabulary.slots]}
    else:
        msg = f"there is no vocabulary {name!r}; it is balanced, redundant or a file such as x.json"
        raise ParameterError(msg)
    return _of_vocabulary(vocabulary, noted, spec or STATIC, base_url)


def pool_source(name: str, spec: str | None, base_url: str | None) -> Source:
    """The pools of a file, or a shipped one: one slot each.

    Raises:
        PoolError: there is no such file, or it holds something else.
        ModelError: the embedder failed.
    """
    pools = read_source(name)
    embedder = None
    if spec is not None or any(pool.features is None for pool in pools):
        embedder = named_embedder(spec or STATIC, None, base_url)
        pools = [pool.embedded(embedder) for pool in pools]
    problem = Problem.of_pools(pools)
    if len(pools) > 1:  # two pools may name their responses alike
        slots = (
            replace(slot, tokens=tuple(f"{slot.name}/{token}" for token in slot.tokens))
            for slot in problem.slots
        )
        problem = Problem(tuple(slots))
    settings = {
        "pool": name if name in SHIPPED_POOLS else str(Path(name).resolve()),
        "fingerprint": "-".join(pool.content_fingerprint for pool in pools),
        "embedder": None if embedder is None else spec or STATIC,
    }
    return Source(problem, settings, embedder, tuple(pools))


def source_of(settings: dict[str, Any], where: Path, base_url: str | None) -> Source:
    """The source that a file of queries was planned for.

    Args:
        settings: of the file.
        where: the file, for messages.
        base_url: of the server of the embedder, where it is on one.

    Raises:
        ParameterError: the settings name none, or it has changed since.
        PoolError: the file of the pool is gone.
        ModelError: the embedder failed.
    """
    name, spec = settings.get("vocabulary") or settings.get("pool"), settings.get("embedder")
    if not isinstance(name, str):
        msg = f"{where} does not say what it was planned for; plan it by palate design plan"
        raise ParameterError(msg)
    if "pool" in settings:
        found = pool_source(name, spec, base_url)
    elif "slots" in settings:
        slots = tuple(Words(first, tuple(tokens)) for first, *tokens in settings["slots"])
        found = _of_vocabulary(Vocabulary(name, slots), {}, spec or STATIC, base_url)
    else:
        found = vocabulary_source(name, spec, base_url)
    if found.settings["fingerprint"] != settings.get("fingerprint"):
        msg = f"{name} has changed since {where} was planned; plan it anew"
        raise ParameterError(msg)
    return found


@contextmanager
def renderer_named(spec: str, pictures: Path, base_url: str | None) -> Iterator[Renderer]:
    """The renderer that ``--render`` names; a server is let go of at the end.

    Raises:
        ParameterError: the text names none.
        MissingExtraError, ModelError: as the renderer itself.
    """
    kind, _, name = (part.strip() for part in spec.partition(":"))
    if spec == "text":
        yield TextRenderer()
    elif kind == "images" and name:
        with ImagesApiRenderer(name, pictures, base_url=base_url) as images:
            yield images
    elif kind == "diffusers" and name:
        yield DiffusersRenderer(name, pictures)
    else:
        msg = f"--render is text, images:MODEL or diffusers:PATH_OR_NAME, not {spec!r}"
        raise ParameterError(msg)


def _of_vocabulary(
    vocabulary: Vocabulary, noted: dict[str, Any], spec: str, base_url: str | None
) -> Source:
    embedder = named_embedder(spec, None, base_url)
    settings = {
        "vocabulary": vocabulary.name,
        "fingerprint": vocabulary.fingerprint,
        "embedder": spec,
        **noted,
    }
    return Source(problem_from(vocabulary, embedder), settings, embedder)


class _Responses:
    """Shows the responses of pools, which a plan knows by their ids."""

    identity = "pool"

    def __init__(self, shown: Mapping[str, Response]) -> None:
        self._shown = shown

    def render(self, prompts: Sequence[str]) -> list[Response]:
        """See :meth:`palate.design.Renderer.render`."""
        return [
            Response(
                response_id(prompt),
                self._shown[prompt].text,
                image=self._shown[prompt].image,
                metadata={"prompt": prompt},
            )
            for prompt in prompts
        ]
