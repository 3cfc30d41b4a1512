"""Pictures of prompts by a diffusion model on this machine."""

from __future__ import annotations

import functools
import importlib.util
import io
import json
from typing import TYPE_CHECKING, Any

from palate._cache import digest
from palate.design._pictures import Pictures
from palate.design.render import checked_prompts, response_id
from palate.errors import MissingExtraError, ModelError, ParameterError
from palate.pool import Response

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence


class DiffusersRenderer:
    """Pictures by a pipeline of Hugging Face's diffusers, such as Stable Diffusion.

    A folder is read and the network left alone; a hub's model is downloaded at the first picture
    and read from the hub's cache from then on. Weights must be in safetensors. torch and the model
    are loaded at the first picture. Each picture is kept in a folder and never made again. Its
    noise is drawn from the seed and the prompt, so that it does not depend on the pictures beside
    it. Needs the extra ``images``.

    Args:
        path_or_name: a folder, or a hub's name.
        folder: where pictures are kept.
        size: width and height in pixels, multiples of 8; None leaves them to the model.
        steps: denoising steps; None leaves them to the model.
        seed: of the noise.
        device: where torch runs it; by default a GPU where there is one.
        options: further arguments of the pipeline, such as ``{"guidance_scale": 7.5}``.

    Raises:
        MissingExtraError: diffusers or torch is not installed.
        ParameterError: a setting is outside its range, or there can be no such folder.
    """

    def __init__(
        self,
        path_or_name: str | os.PathLike[str],
        folder: str | os.PathLike[str],
        *,
        size: tuple[int, int] | None = (512, 512),
        steps: int | None = None,
        seed: int = 0,
        device: str | None = None,
        options: dict[str, Any] | None = None,
    ) -> None:
        for module in ("diffusers", "torch"):
            if importlib.util.find_spec(module) is None:
                msg = f'{module} is not installed: pip install "palate[images]"'
                raise MissingExtraError(msg)
        if size is not None and (min(size) < 8 or size[0] % 8 or size[1] % 8):
            msg = f"width and height are multiples of 8, not {size}"
            raise ParameterError(msg)
        if seed < 0 or (steps is not None and steps < 1):
            msg = f"needs steps of at least 1 and a seed of at least 0, not {steps}, {seed}"
            raise ParameterError(msg)
        self._path_or_name, self._device, self._seed = str(path_or_name), device, seed
        width, height = size or (None, None)
        asked = {"width": width, "height": height, "num_inference_steps": steps} | (options or {})
        self._asked = {name: value for name, value in asked.items() if value is not None}
        settings = json.dumps(self._asked | {"seed": seed}, sort_keys=True, default=str)
        self.identity = f"diffusers {self._path_or_name} {settings}"
        self._pictures = Pictures(folder, self.identity)

    def render(self, prompts: Sequence[str]) -> list[Response]:
        """See :meth:`palate.design.Renderer.render`."""
        return [self._shown(prompt) for prompt in checked_prompts(prompts)]

    def _shown(self, prompt: str) -> Response:
        path = self._pictures.find(prompt)
        if path is None:
            path = self._pictures.save(prompt, self._drawn(prompt))
        return Response(response_id(prompt), image=str(path), metadata={"prompt": prompt})

    def _drawn(self, prompt: str) -> bytes:
        import torch  # noqa: PLC0415

        pipeline = self._pipeline
        noise = torch.Generator("cpu").manual_seed(self._number(prompt))
        content = io.BytesIO()
        try:
            made = pipeline(prompt=prompt, generator=noise, **self._asked)
            made.images[0].save(content, format="PNG")
        except Exception as error:  # whatever torch and diffusers think of
            msg = f"{self._path_or_name} could not draw {prompt!r}: {' '.join(str(error).split())}"
            raise ModelError(msg) from error
        return content.getvalue()

    def _number(self, prompt: str) -> int:
        """A seed of the noise for this prompt, below 2^60."""
        return int(digest(str(self._seed), prompt)[:15], 16)

    @functools.cached_property
    def _pipeline(self) -> Any:  # noqa: ANN401 - a diffusers pipeline, imported late
        import torch  # noqa: PLC0415
        from diffusers import DiffusionPipeline  # noqa: PLC0415

        device = self._device or ("cuda" if torch.cuda.is_available() else "cpu")
        try:
            pipeline = DiffusionPipeline.from_pretrained(
                self._path_or_name,
                use_safetensors=True,
                torch_dtype=torch.float32 if device == "cpu" else torch.float16,
            ).to(device)
        except Exception as error:  # whatever torch, diffusers and the hub think of
            msg = f"{self._path_or_name} cannot be loaded: {' '.join(str(error).split())}"
            raise ModelError(msg) from error
        pipeline.set_progress_bar_config(disable=True)
        return pipeline

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._path_or_name!r}, {str(self._pictures.folder)!r})"
