"""From a prompt's text to what the person is shown: the text itself, or a picture of it.

Pictures come from a server or from a model on this machine::

    TextRenderer().render(["a castle, golden hour glow"])
    ImagesApiRenderer("gpt-image-1", "pictures").render(prompts)
    DiffusersRenderer("stable-diffusion-v1-5/stable-diffusion-v1-5", "pictures").render(prompts)
"""

from __future__ import annotations

import base64
import binascii
import json
from typing import TYPE_CHECKING, Any, Protocol

from palate._cache import digest
from palate._parallel import in_parallel
from palate.chat._endpoint import Endpoint, OnServer, TransientError
from palate.design._pictures import Pictures, suffix_of
from palate.errors import ParameterError
from palate.pool import Response

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Mapping, Sequence


class Renderer(Protocol):
    """Makes of a prompt what is shown for it."""

    @property
    def identity(self) -> str:
        """What tells what it makes from what another renderer makes; a file of queries says it."""
        ...

    def render(self, prompts: Sequence[str]) -> list[Response]:
        """What to show for some prompts.

        Args:
            prompts: texts, none of them blank; they may repeat.

        Returns:
            A response for each, in order, with :func:`response_id` as its id and the prompt as
            ``metadata["prompt"]``. The same prompt always gives the same response.

        Raises:
            ParameterError: a prompt is blank.
            ModelError: something could not be made; what was made before is kept.
        """
        ...


class TextRenderer:
    """Shows the prompt as it is."""

    identity = "text"

    def render(self, prompts: Sequence[str]) -> list[Response]:
        """See :meth:`Renderer.render`."""
        return [
            Response(response_id(prompt), prompt, metadata={"prompt": prompt})
            for prompt in checked_prompts(prompts)
        ]


class ImagesApiRenderer(OnServer):
    """Pictures by a model on a server that speaks OpenAI's protocol (``/images/generations``).

    The server may send a picture within its answer or as an address of its own; no other server is
    asked. Requests fail and are tried again as those of :class:`palate.chat.OpenAIModel`. Each
    picture is in the folder as soon as it is there and never asked for again, so that a run that
    was interrupted goes on where it was.

    Args:
        model: the model's name on the server.
        folder: where pictures are kept.
        size: width x height, such as "512x512"; by default it is left to the model.
        base_url: up to and including "/v1"; by default ``OPENAI_BASE_URL``, or OpenAI's own.
        api_key: by default ``OPENAI_API_KEY``; local servers need none.
        concurrency: requests under way at once.
        timeout: seconds that one request may take.
        attempts: how often a request is sent before it counts as failed.
        options: further fields of the request, such as ``{"response_format": "b64_json"}``, sent
            as they are; a value of None leaves one out.
        on_wait: called with a line such as "429 Too Many Requests, trying again in 2 s".

    Raises:
        ModelError: there is neither a key nor a base URL.
        ParameterError: a setting is outside its range, or there can be no such folder.
    """

    def __init__(
        self,
        model: str,
        folder: str | os.PathLike[str],
        *,
        size: str | None = None,
        base_url: str | None = None,
        api_key: str | None = None,
        concurrency: int = 2,
        timeout: float = 180.0,
        attempts: int = 6,
        options: Mapping[str, Any] | None = None,
        on_wait: Callable[[str], None] | None = None,
    ) -> None:
        if not model:
            raise ParameterError("name an image model, such as gpt-image-1")
        if concurrency < 1:
            msg = f"concurrency is at least 1, not {concurrency}"
            raise ParameterError(msg)
        fields = {"model": model, "n": 1, "size": size} | dict(options or {})
        self._fields = {name: value for name, value in fields.items() if value is not None}
        try:
            asked = json.dumps(self._fields, sort_keys=True, allow_nan=False)
        except (TypeError, ValueError) as error:
            msg = f"the options go into the request as JSON, and {options!r} cannot: {error}"
            raise ParameterError(msg) from error
        super().__init__(
            Endpoint(base_url, api_key, timeout=timeout, attempts=attempts, on_wait=on_wait)
        )
        self.identity = f"{self._endpoint.url} {asked}"
        self._concurrency = concurrency
        self._pictures = Pictures(folder, self.identity)

    def render(self, prompts: Sequence[str]) -> list[Response]:
        """See :meth:`Renderer.render`."""
        distinct = list(dict.fromkeys(checked_prompts(prompts)))
        shown = dict(
            zip(distinct, in_parallel(self._shown, distinct, self._concurrency), strict=True)
        )
        return [shown[prompt] for prompt in prompts]

    def _shown(self, prompt: str) -> Response:
        path = self._pictures.find(prompt)
        if path is None:
            body = self._fields | {"prompt": prompt}
            made = self._endpoint.post("/images/generations", body, _picture)
            content = self._endpoint.get(made, _checked) if isinstance(made, str) else made
            path = self._pictures.save(prompt, content)
        return Response(response_id(prompt), image=str(path), metadata={"prompt": prompt})

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._fields['model']!r}, {str(self._pictures.folder)!r})"


def response_id(prompt: str) -> str:
    """The id of what is shown for a prompt, the same in every file and run."""
    return f"p-{digest(prompt)[:12]}"


def checked_prompts(prompts: Sequence[str]) -> list[str]:
    """The prompts as a list.

    Raises:
        ParameterError: a single string, or a prompt that is blank or no text.
    """
    if isinstance(prompts, str):
        raise ParameterError("prompts are a list of texts, not a single text")
    for prompt in prompts:
        if not isinstance(prompt, str) or not prompt.strip():
            msg = f"a prompt is a text that is not blank, not {prompt!r}"
            raise ParameterError(msg)
    return list(prompts)


def _picture(answer: dict[str, Any], _: Mapping[str, Any]) -> bytes | str:
    """The picture that an answer holds, or its address."""
    data = answer.get("data")
    if not isinstance(data, list) or not data or not isinstance(data[0], dict):
        raise TransientError("the server's answer holds no picture")
    encoded, address = data[0].get("b64_json"), data[0].get("url")
    if isinstance(encoded, str) and encoded:
        try:
            return _checked(base64.b64decode(encoded, validate=True))
        except (binascii.Error, ValueError) as error:
            raise TransientError("the server's picture is cut off, or is not base64") from error
    if isinstance(address, str) and address:
        return address
    raise TransientError("the server's answer holds no picture")


def _checked(content: bytes) -> bytes:
    if suffix_of(content) is None:
        raise TransientError("what the server sent is no PNG, JPEG, GIF or WebP picture")
    return content
