"""The large models: a language model trained together with PAL-A or PAL-B (Appendix D.3, "Large").

    model = fit_large(comparisons, backbone, tokenizer, k=2).model
    data, _ = model.preferences(comparisons_of_somebody_new)
    w = locate(model.population, data).weights

Once trained, the language model only makes features: a response is judged by the state of its last
token, and :attr:`LargeModel.population` is a PalA or PalB of such features, for which everything
works that works for small models. Needs the extra ``population``.
"""

from __future__ import annotations

import hashlib
import json
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, TypeAlias, get_args

import numpy as np

from palate import __version__
from palate._random import generator
from palate.errors import MissingExtraError, ModelError, ParameterError
from palate.population.model import IdealPoint, PalA, PalB
from palate.population.projector import Activation
from palate.population.save import from_pretrained, read_config, save_pretrained

try:
    import torch
    import transformers
except ImportError as error:
    msg = 'torch and transformers are not installed: pip install "palate[population]"'
    raise MissingExtraError(msg) from error

from palate.population._heads import Mixture, Network, PalAHead, PalBHead, first_prototypes
from palate.population._large_network import LargeNetwork, last_states
from palate.population._large_training import Answers, Task, train
from palate.population._tokens import Codec, Corpus, Tokens, encode_items, encode_prompts
from palate.population.networks import Loss

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from accelerate import Accelerator
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from palate._typing import FloatArray
    from palate.feedback import Comparison
    from palate.population._tokens import Encoded
    from palate.population.data import PreferenceData
    from palate.population.fit import Step

Head: TypeAlias = Literal["pal-a", "pal-b"]

FORMAT = 1
"""Version of the format; a model of a newer one is refused."""

LONGEST = 512
"""Tokens of a sequence by default, or as many as the model reads if they are fewer."""

_CONFIG, _BACKBONE, _POPULATION = "large.json", "backbone", "population"
_SAMPLE = 256  # texts whose features say where those of all lie
_BATCH = 16
_SHARDED = ("FSDP", "DEEPSPEED", "MEGATRON_LM")


@dataclass(frozen=True, kw_only=True)
class LargeTraining:
    """How a large model is trained: by AdamW, at the rates of Table 4.

    Attributes:
        epochs: at most, passes over all answers.
        batch: answers a step, of all processes together.
        micro_batch: answers at a time on each device; fewer need less memory and change nothing
            else. None: all of the step's.
        backbone_rate: of the language model.
        rate: of f and g.
        prototypes_rate: of PAL-A's prototypes.
        weights_rate: of people's logits.
        scale_rate: of the logarithm of PAL-B's tau.
        weight_decay: of the matrices of f and g, decoupled from the gradient. The paper's 0.01 is
            coupled to it, which can drive PAL-B to say nothing.
        patience: epochs without a lower validation loss before training ends.
        save_every: steps between checkpoints; there is one after each epoch besides.

    Raises:
        ParameterError: a setting is outside its range.
    """

    epochs: int = 1
    batch: int = 4
    micro_batch: int | None = None
    backbone_rate: float = 9.65e-6
    rate: float = 1e-4
    prototypes_rate: float = 5e-3
    weights_rate: float = 5e-3
    scale_rate: float = 0.1
    weight_decay: float = 0.0
    patience: int = 3
    save_every: int = 500

    def __post_init__(self) -> None:
        for name in ("epochs", "batch", "micro_batch", "patience", "save_every"):
            value = getattr(self, name)
            if value is not None and value < 1:
                msg = f"{name} must be at least 1, not {value}"
                raise ParameterError(msg)
        for name in (
            name for name in self.__dataclass_fields__ if name.endswith(("rate", "decay"))
        ):
            if not 0.0 <= getattr(self, name) < np.inf:
                msg = f"{name} must be at least 0 and finite, not {getattr(self, name)}"
                raise ParameterError(msg)


@dataclass(frozen=True, eq=False)
class LargeModel:
    """A language model that makes features of texts, and a population's model of the features.

    Attributes:
        backbone: a transformers model without a language head; move it to another device by its
            own ``to``.
        tokenizer: of the backbone.
        population: a PalA of features of prompt and response together, or a PalB of features of
            each alone.
        max_length: tokens of a sequence. A longer prompt loses its beginning, a longer response
            its end.
    """

    backbone: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase
    population: PalA | PalB
    max_length: int

    @property
    def joined(self) -> bool:
        """Whether a response is read after its prompt, as one text: PAL-A."""
        return isinstance(self.population, PalA)

    def features(
        self, prompts: Sequence[str], responses: Sequence[str], *, batch: int = _BATCH
    ) -> tuple[FloatArray, FloatArray | None]:
        """What :attr:`population` is asked about: states of the last tokens.

        Args:
            prompts: M texts.
            responses: M texts that answer them.
            batch: texts at a time.

        Returns:
            (M, D) features of the responses and, for PAL-B, (M, D) of the prompts, else None.

        Raises:
            ParameterError: there are not as many prompts as responses.
        """
        if len(prompts) != len(responses):
            msg = f"a prompt is needed for each response: {len(prompts)} for {len(responses)}"
            raise ParameterError(msg)
        named = list(zip(responses, prompts if self.joined else [""] * len(prompts), strict=True))
        unique = list(dict.fromkeys(named))
        items = self._states(encode_items(self._codec, unique, inside=self.joined), batch)
        place = {pair: i for i, pair in enumerate(unique)}
        items = items[[place[pair] for pair in named]]
        if self.joined:
            return items, None
        asked = list(dict.fromkeys(prompts))
        states = self._states(encode_prompts(self._codec, asked), batch)
        row = {prompt: i for i, prompt in enumerate(asked)}
        return items, states[[row[prompt] for prompt in prompts]]

    def preferences(
        self, comparisons: Iterable[Comparison], *, batch: int = _BATCH
    ) -> tuple[PreferenceData, int]:
        """Comparisons as features, each text once: to locate people by, and to evaluate on.

        Args:
            comparisons: of anybody.
            batch: texts at a time.

        Returns:
            The preferences, and how many comparisons gave none (ties, skips).

        Raises:
            ParameterError: there is no pick among them.
        """
        corpus = Corpus.of(comparisons, self._codec, inside=self.joined)
        items = self._states(corpus.items, batch)
        if self.joined:
            return replace(corpus.data, items=items), corpus.left_out
        prompts = self._states(corpus.prompts, batch)
        return replace(corpus.data, items=items, prompts=prompts), corpus.left_out

    def rewards(
        self, weights: FloatArray, prompts: Sequence[str], responses: Sequence[str]
    ) -> FloatArray:
        """(M,) rewards of M responses for one person's (K,) weights, or (U, M) of (U, K).

        Higher is better.

        Raises:
            ParameterError: there are not as many prompts as responses.
        """
        return self.population.rewards(weights, *self.features(prompts, responses))

    def margins(
        self, comparisons: Iterable[Comparison], weights: FloatArray | None = None
    ) -> FloatArray:
        """Reward of what was picked less that of each other option: above 0 where it agrees.

        Args:
            comparisons: picks; ties and skips have no margin and are left out.
            weights: (U, K) of the people in the order in which they come up; by default those of
                the people of these names that the model was trained on.

        Returns:
            (n,), K - 1 for a pick out of K.

        Raises:
            ParameterError: there is no pick, or somebody was not trained on.
        """
        return self.population.margins(self.preferences(comparisons)[0], weights)

    def save_pretrained(self, folder: str | Path) -> None:
        """Save it as safetensors and JSON: ``backbone`` and ``population`` are folders inside.

        Where the process dies on the way there is no model in the folder, and no half of one.

        Args:
            folder: made where there is none; a model in it is replaced.

        Raises:
            ParameterError: the backbone's class is not one of transformers.
            ModelError: the folder cannot be written.
        """
        kind = type(self.backbone).__name__
        if getattr(transformers, kind, None) is not type(self.backbone):
            msg = f"only models of transformers can be saved, not {kind}"
            raise ParameterError(msg)
        folder = Path(folder)
        config = {
            "format": FORMAT,
            "palate": __version__,
            "backbone": kind,
            "max_length": self.max_length,
        }
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / _CONFIG).unlink(missing_ok=True)
            self.backbone.save_pretrained(folder / _BACKBONE)
            self.tokenizer.save_pretrained(folder / _BACKBONE)
            save_pretrained(self.population, folder / _POPULATION)
            (folder / _CONFIG).write_text(json.dumps(config, indent=1), encoding="utf-8")
        except OSError as error:
            msg = f"cannot save the model in {folder}: {error.strerror or error}"
            raise ModelError(msg) from error

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> Self:
        """Load what :meth:`save_pretrained` wrote, without a network and on the CPU.

        Raises:
            ModelError: there is no model, it is damaged, or its format is newer than this palate.
        """
        folder = Path(folder)
        config = _config(folder)
        population = from_pretrained(folder / _POPULATION)
        if not isinstance(population, PalA | PalB):
            msg = f"the model in {folder} is damaged: its population is a {population.kind}"
            raise ModelError(msg)
        try:
            backbone, loading = getattr(transformers, config["backbone"]).from_pretrained(
                folder / _BACKBONE,
                local_files_only=True,
                use_safetensors=True,
                output_loading_info=True,
            )
            tokenizer = transformers.AutoTokenizer.from_pretrained(
                folder / _BACKBONE, local_files_only=True
            )
        except Exception as error:  # whatever transformers thinks of a folder that was edited
            said = " ".join(str(error).split()) or type(error).__name__
            msg = f"the model in {folder} is damaged: {said}"
            raise ModelError(msg) from error
        # transformers draws what a file lacks at random, and goes on.
        for name in loading["missing_keys"]:
            msg = f"the model in {folder} is damaged: its backbone lacks {name}"
            raise ModelError(msg)
        return cls(backbone.eval(), tokenizer, population, config["max_length"])

    @cached_property
    def _codec(self) -> Codec:
        return Codec.of(self.tokenizer, self.max_length)

    def _states(self, sequences: list[Encoded], batch: int) -> FloatArray:
        if not sequences:
            return np.zeros((0, self.population.f.d_in))
        return last_states(self.backbone, sequences, pad=self._codec.pad, batch=batch)


@dataclass(frozen=True, eq=False)
class LargeFit:
    """A trained large model.

    Attributes:
        model: of the last epoch, or of the one with the least validation loss.
        history: the epochs; the loss is that over the tokens judged, the accuracy that of whole
            responses, both as met on the way, and those of validation at the epoch's end.
        converged: whether it stopped because the validation loss no longer fell.
        seconds: of wall clock that it took.
    """

    model: LargeModel
    history: tuple[Step, ...]
    converged: bool
    seconds: float


def fit_large(
    comparisons: Iterable[Comparison],
    backbone: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    k: int,
    *,
    head: Head = "pal-b",
    tokens: Tokens = "cumulative",
    loss: Loss = "logistic",
    train_backbone: bool = True,
    hidden: Sequence[int] | None = None,
    d_out: int | None = None,
    activation: Activation = "gelu",
    residual: bool = False,
    ideal: IdealPoint = "f(Pw)",
    power: Literal[1, 2] = 2,
    norm: Literal["each", "mix"] = "each",
    user_balanced: bool = False,
    max_length: int | None = None,
    training: LargeTraining | None = None,
    validation: Iterable[Comparison] | None = None,
    seed: int = 0,
    accelerator: Accelerator | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    on_step: Callable[[Step], None] | None = None,
    on_batch: Callable[[int, int, float], None] | None = None,
) -> LargeFit:
    """Train a language model together with PAL-A or PAL-B (Appendix D.3, "Large").

    PAL-A reads a response after its prompt, as one text; PAL-B reads the response alone, and its
    prompt alone. Two responses are compared token by token, from the first that differs to the end
    of the longer one; one that has ended keeps the state of its last token. People are judged by
    whole responses, once trained: by the state of the last token.

    On several GPUs or hosts, start the script by ``accelerate launch``: every process calls this
    function and ends with the same model. One process or several, the same steps are taken. On the
    CPU the same seed gives the same model, and so does a training that was interrupted and resumed.

    Args:
        comparisons: of many people; those by nobody in particular count as one person's.
        backbone: a transformers encoder or causal language model, in single precision if it is to
            be trained; of a language head only the base is used. It is trained in place.
            Parameters with ``requires_grad`` off stay as they are.
        tokenizer: of the backbone, with a padding token or without.
        k: prototypes, any number of at least 1.
        head: which model; the paper's losses are "logistic" for PAL-B and "hinge" for PAL-A.
        tokens: whose losses count: "cumulative", the t-th of L by ``t / (L (L + 1) / 2)``; "mean",
            all alike; or the "last" alone.
        loss: of a token.
        train_backbone: False trains the head on a backbone that stays as it is. With the last token
            alone that is a small model: :meth:`LargeModel.preferences` and
            :mod:`palate.population.networks` train it without running the backbone every epoch.
        hidden: widths of the hidden layers of f and g, () for none; by default two of ``d_out``.
        d_out: dimensions of their image; by default those of the backbone's states.
        activation: between layers.
        residual: add what goes in to what comes out; ``d_out`` is that of the states then.
        ideal: of PAL-A; with "f(P)w" and "Pw", and squared distances, locating people is convex.
        power: of PAL-A's distances.
        norm: of PAL-B; with "each" locating people is convex.
        user_balanced: everybody counts the same, however much they answered.
        max_length: tokens of a sequence, by default 512 or as many as the backbone reads. A longer
            prompt loses its beginning, a longer response its end.
        training: epochs, rates and the like.
        validation: other comparisons of the same people; anybody else is taken for the average
            person. Training ends when their log loss has not fallen for ``training.patience``
            epochs; the model of the best epoch is returned.
        seed: of the first parameters, the order of answers and dropout.
        accelerator: by default ``accelerate``'s own choice of device and precision. One of yours
            needs ``find_unused_parameters`` where it runs several processes and the backbone has
            parts that are not used, such as a pooler.
        checkpoint: a file; where it is there, the training it is of goes on from it, also to more
            epochs than it was meant for, and as it goes on the file is brought up to date. Several
            hosts must all see it.
        on_step: called at each epoch, by the main process.
        on_batch: called at each step, by the main process, with the number of steps done, that of
            all, and the step's loss.

    Raises:
        ParameterError: there is no pick, a setting is outside its range, the backbone cannot be
            used, the loss is no longer finite, the accelerator splits the model itself or
            accumulates gradients, or the checkpoint is of another training.
        ModelError: the checkpoint is damaged, or cannot be written.
        MissingExtraError: accelerate is not installed.
    """
    began = time.perf_counter()
    training = training or LargeTraining()
    _check_choices(
        head=(head, get_args(Head)),
        tokens=(tokens, get_args(Tokens)),
        loss=(loss, get_args(Loss)),
        activation=(activation, get_args(Activation)),
        ideal=(ideal, get_args(IdealPoint)),
        power=(power, (1, 2)),
        norm=(norm, ("each", "mix")),
    )
    accelerator = _accelerator(accelerator)
    backbone = _base(backbone, train_backbone=train_backbone)
    codec = Codec.of(tokenizer, _longest(backbone, max_length))
    corpora = [
        Corpus.of(given, codec, inside=head == "pal-a")
        for given in (comparisons, validation)
        if given is not None
    ]
    _check_vocabulary(backbone, corpora)
    backbone.to(accelerator.device)
    rng = torch.Generator().manual_seed(int(generator(seed, "large").integers(2**62)))
    corpus = corpora[0]
    people = corpus.data.people
    items = _sample(backbone, corpus.items, codec.pad, seed)
    dimension = items.shape[1]
    width = dimension if d_out is None else d_out
    widths = (dimension, *((width, width) if hidden is None else hidden), width)
    _check_shape(k, widths, residual=residual)

    def maps(copies: int, table: torch.Tensor) -> Network:
        return Network(
            copies, widths, activation=activation, residual=residual, table=table, rng=rng
        )

    mixture, f = Mixture(len(people), k, partition=False, rng=rng), maps(1, items)
    top: PalAHead | PalBHead
    if head == "pal-a":
        prototypes = first_prototypes(items if ideal != "Pw" else f(items)[0].detach(), k, rng)
        top = PalAHead(f, prototypes, mixture, ideal=ideal, power=power)
    else:
        g = maps(k, _sample(backbone, corpus.prompts, codec.pad, seed))
        top = PalBHead(f, g, mixture, norm=norm)
    answers, *judged = (
        _answers(part, people, codec, tokens, user_balanced=user_balanced and part is corpus)
        for part in corpora
    )
    settings = asdict(training) | dict.fromkeys(("epochs", "patience", "save_every", "micro_batch"))
    shape = (head, tokens, loss, train_backbone, k, widths, activation, residual)
    variant = (ideal, power) if head == "pal-a" else norm
    with _frozen(backbone, when=not train_backbone):
        history, converged = train(
            LargeNetwork(backbone, top, train_backbone=train_backbone),
            Task(
                answers=answers,
                validation=judged[0] if judged else None,
                training=training,
                loss=loss,
                seed=seed,
                accelerator=accelerator,
                checkpoint=None if checkpoint is None else Path(checkpoint),
                fingerprint=_fingerprint(
                    (*shape, variant, user_balanced, seed, settings),
                    b"" if train_backbone else items.numpy().tobytes(),
                    corpora,
                ),
            ),
            on_step=on_step,
            on_batch=on_batch,
        )
    model = LargeModel(
        backbone, tokenizer, top.model(people, np.arange(len(people))), codec.max_length
    )
    return LargeFit(model, history, converged, time.perf_counter() - began)


def _accelerator(given: Accelerator | None) -> Accelerator:
    try:
        import accelerate  # noqa: PLC0415 - a model that is trained needs none
    except ImportError as error:
        msg = 'accelerate is not installed: pip install "palate[population]"'
        raise MissingExtraError(msg) from error
    unused = accelerate.DistributedDataParallelKwargs(find_unused_parameters=True)
    accelerator = given or accelerate.Accelerator(kwargs_handlers=[unused])
    if accelerator.distributed_type.name in _SHARDED:
        msg = (
            f"models are trained in parallel by data, each device with all of the model, not by "
            f"{accelerator.distributed_type.name}: configure accelerate for several GPUs without it"
        )
        raise ParameterError(msg)
    if accelerator.gradient_accumulation_steps != 1:
        msg = (
            f"gradient_accumulation_steps must be 1, not {accelerator.gradient_accumulation_steps}:"
            " set micro_batch of LargeTraining instead"
        )
        raise ParameterError(msg)
    return accelerator


def _base(backbone: PreTrainedModel, *, train_backbone: bool) -> PreTrainedModel:
    """The model without its language head."""
    if not isinstance(backbone, transformers.PreTrainedModel):
        msg = f"the backbone must be a model of transformers, not {type(backbone).__name__}"
        raise ParameterError(msg)
    if backbone.config.is_encoder_decoder:
        msg = f"{type(backbone).__name__} is an encoder and a decoder: give its encoder alone"
        raise ParameterError(msg)
    trained = {p.dtype for p in backbone.parameters() if p.requires_grad} if train_backbone else ()
    for dtype in trained:
        if dtype != torch.float32:  # its steps would be lost in rounding
            msg = (
                f"a backbone must be trained in torch.float32, not {dtype}: load it with "
                "dtype=torch.float32, and choose mixed precision by accelerate"
            )
            raise ParameterError(msg)
    return backbone.base_model


def _longest(backbone: PreTrainedModel, wanted: int | None) -> int:
    reads = getattr(backbone.config, "max_position_embeddings", None)
    if wanted is None:
        return LONGEST if reads is None else min(LONGEST, reads)
    if reads is not None and wanted > reads:
        msg = f"max_length must be at most {reads}, as many tokens as the model reads, not {wanted}"
        raise ParameterError(msg)
    return wanted


def _sample(
    backbone: PreTrainedModel, sequences: list[Encoded], pad: int, seed: int
) -> torch.Tensor:
    """(m, D) features of some texts before training, to begin the maps where they lie."""
    some = generator(seed, "sample").permutation(len(sequences))[:_SAMPLE]
    states = last_states(backbone, [sequences[i] for i in some], pad=pad, batch=_BATCH)
    return torch.as_tensor(states, dtype=torch.float32)


def _answers(
    corpus: Corpus, people: tuple[str, ...], codec: Codec, tokens: Tokens, *, user_balanced: bool
) -> Answers:
    data = corpus.data
    place = {name: i for i, name in enumerate(people)}
    places = np.array([place.get(name, len(people)) for name in data.people])
    person = data.person[corpus.starts]
    weight = np.ones(len(person))
    if user_balanced:
        weight = (len(person) / len(people) / data.answers_per_person)[person]
    return Answers(
        corpus=corpus, person=places[person], weight=weight, tokens=tokens, pad=codec.pad
    )


@contextmanager
def _frozen(backbone: PreTrainedModel, *, when: bool) -> Iterator[None]:
    """No parameter of it needs a gradient; afterwards those do that did."""
    needed = [p for p in backbone.parameters() if p.requires_grad] if when else []
    for parameter in needed:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in needed:
            parameter.requires_grad_(True)


def _fingerprint(settings: object, frozen: bytes, corpora: list[Corpus]) -> str:
    digest = hashlib.sha256(repr(settings).encode())
    digest.update(frozen)
    for corpus in corpora:
        data = corpus.data
        digest.update(repr((data.people, len(corpus.items), len(corpus.prompts))).encode())
        for sequence in (*corpus.items, *corpus.prompts):
            digest.update(np.array([sequence.start, *sequence.ids], dtype=np.int64).tobytes())
        for places in (data.person, data.chosen, data.rejected, data.prompt, data.pick):
            digest.update(b"" if places is None else places.astype(np.int64).tobytes())
    return digest.hexdigest()


def _config(folder: Path) -> dict[str, Any]:
    config = read_config(
        folder, _CONFIG, "large model", FORMAT, lambda c: isinstance(c.get("max_length"), int)
    )
    kind = getattr(transformers, str(config.get("backbone")), None)
    if not (isinstance(kind, type) and issubclass(kind, transformers.PreTrainedModel)):
        msg = (
            f"the backbone of the model in {folder} is a {config.get('backbone')!r}, which is no "
            "model of the transformers installed"
        )
        raise ModelError(msg)
    return config


def _check_vocabulary(backbone: PreTrainedModel, corpora: list[Corpus]) -> None:
    known = backbone.get_input_embeddings().num_embeddings
    sequences = (s for corpus in corpora for s in (*corpus.items, *corpus.prompts))
    largest = max(max(sequence.ids) for sequence in sequences)
    if largest >= known:
        msg = (
            f"the tokenizer makes token {largest}, and the backbone knows {known}: give the "
            "tokenizer that belongs to it"
        )
        raise ParameterError(msg)


def _check_shape(k: int, widths: tuple[int, ...], *, residual: bool) -> None:
    if k < 1 or min(widths) < 1:
        msg = f"k and the widths of layers must be at least 1, not {k} and {widths[1:]}"
        raise ParameterError(msg)
    if residual and widths[-1] != widths[0]:
        msg = f"a residual needs d_out equal to the states' {widths[0]}, not {widths[-1]}"
        raise ParameterError(msg)


def _check_choices(**choices: tuple[object, tuple[object, ...]]) -> None:
    for name, (value, known) in choices.items():
        if value not in known:
            msg = f"{name} must be one of {', '.join(map(str, known))}, not {value!r}"
            raise ParameterError(msg)
