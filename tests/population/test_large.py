"""Large models: tokens, losses and margins against naive ones; learning, devices, files."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast, get_args

import numpy as np
import pytest

pytest.importorskip("torch", reason="training large models needs torch")
pytest.importorskip("transformers", reason="training large models needs transformers")
pytest.importorskip("accelerate", reason="training large models needs accelerate")

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from large_cases import FAST, KINDS, backbone, head, other_way, picks, tokenizer
from safetensors.torch import load_file

from palate.errors import ModelError, ParameterError
from palate.feedback import TIE, Comparison
from palate.population import PalB, _large_network, evaluate, locate
from palate.population._large_network import (
    LargeNetwork,
    answer_losses,
    hidden_states,
    hits,
    last_margins,
    token_weights,
)
from palate.population._large_training import _optimiser
from palate.population._tokens import Codec, Corpus, Encoded, Tokens, aligned, batch_of, padded
from palate.population.large import LargeModel, LargeTraining, fit_large

if TYPE_CHECKING:
    from pathlib import Path

    from palate._typing import FloatArray
    from palate.population._tokens import Batch
    from palate.population.large import LargeFit
    from palate.population.networks import Loss

SHORT = replace(FAST, epochs=2, batch=4)


def small(comparisons: list[Comparison] | None = None, **settings: Any) -> LargeFit:
    """A training of a moment."""
    settings = {"training": SHORT, "d_out": 6, "k": 2, **settings}
    model = settings.pop("backbone", None) or backbone("OPT")
    words = settings.pop("tokenizer", None) or tokenizer()
    given = picks(14, 0) if comparisons is None else comparisons
    return fit_large(given, model, words, settings.pop("k"), **settings)


def state(fit: LargeFit) -> FloatArray:
    """All that training moved, as one vector."""
    population = fit.model.population
    assert isinstance(population, PalB)
    parts = [p.detach().double().numpy().ravel() for p in fit.model.backbone.parameters()]
    maps = [w.ravel() for p in (population.f, *population.g) for w in (*p.weights, *p.biases)]  # type: ignore[union-attr]
    return np.concatenate([*parts, *maps, population.weights.ravel(), [population.scale]])


def assert_alike(one: FloatArray, other: FloatArray) -> None:
    """But for rounding, which Adam makes greater where a gradient is next to nothing."""
    np.testing.assert_allclose(one, other, rtol=2e-3, atol=2e-3 * np.abs(other).max())


# Losses


def naive_loss(margins: FloatArray, judged: Any, loss: str, tokens: str) -> float:
    """Of one answer: (R, L) margins, and which of the L tokens count."""
    values = []
    for t in np.flatnonzero(judged):
        m = margins[:, t][np.isfinite(margins[:, t])]
        values.append(
            max(0.0, 1.0 - m.min()) if loss == "hinge" else np.log(1.0 + np.exp(-m).sum())
        )
    n = len(values)
    if tokens == "cumulative":
        return float(sum((t + 1) * v for t, v in enumerate(values)) / (n * (n + 1) / 2))
    return float(np.mean(values) if tokens == "mean" else values[-1])


@pytest.mark.parametrize("loss", ["logistic", "hinge"])
@pytest.mark.parametrize("tokens", ["cumulative", "mean", "last"])
@pytest.mark.parametrize("rejected", [1, 3])
def test_losses_are_those_of_the_paper_without_padding(
    loss: Loss, tokens: Tokens, rejected: int
) -> None:
    rng = np.random.default_rng(0)
    margins, lengths = rng.normal(size=(4, rejected, 7)) * 3.0, np.array([7, 1, 4, 2])
    margins[1, 1:] = np.inf  # a pick of fewer options
    judged = np.arange(7) < lengths[:, None]
    expected = [naive_loss(m, j, loss, tokens) for m, j in zip(margins, judged, strict=True)]
    margins[~judged[:, None].repeat(rejected, axis=1)] = np.nan  # what padding holds is not read
    given = torch.tensor(margins, requires_grad=True)
    got = answer_losses(given, torch.tensor(judged), loss=loss, tokens=tokens)
    np.testing.assert_allclose(got.detach().numpy(), expected, rtol=1e-6)
    got.sum().backward()
    assert bool(given.grad[~torch.isnan(given)].isfinite().all())


def test_one_token_has_the_plain_loss() -> None:
    margins, judged = torch.tensor([[[0.7]]]), torch.tensor([[True]])
    for tokens in get_args(Tokens):
        got = answer_losses(margins, judged, loss="logistic", tokens=tokens)
        assert got.item() == pytest.approx(np.log1p(np.exp(-0.7)))


def test_weights_of_tokens() -> None:
    judged = torch.tensor([[True, True, True, False]])
    assert (token_weights(judged, "cumulative") * 6.0).round().tolist() == [[1.0, 2.0, 3.0, 0.0]]
    assert token_weights(judged, "last").tolist() == [[0.0, 0.0, 1.0, 0.0]]


def test_hits_share_the_credit() -> None:
    margins = torch.tensor([[1.0, 2.0], [0.0, 2.0], [-1.0, 2.0], [0.0, 0.0], [0.0, torch.inf]])
    np.testing.assert_allclose(hits(margins), [1.0, 0.5, 0.0, 1 / 3, 0.5], rtol=1e-6)


# Tokens


def test_texts_are_compared_from_their_first_difference_on() -> None:
    short, long = Encoded([9, 9, 5, 6, 1], 2), Encoded([9, 5, 7, 8, 4, 1], 1)
    # Texts 5 6 1 and 5 7 8 4 1: places 1 to 4 of the text, held at the end of the shorter one.
    assert aligned([short, long], "cumulative").tolist() == [[3, 4, 4, 4], [2, 3, 4, 5]]
    assert aligned([short, long], "last").tolist() == [[4], [5]]
    assert aligned([short, short], "mean").tolist() == [[4], [4]]
    assert aligned([Encoded([3], 0), Encoded([3, 4], 0)], "mean").tolist() == [[0], [1]]
    assert aligned([short, short, long], "cumulative").tolist()[0] == [3, 4, 4, 4]


def test_special_tokens_and_the_end() -> None:
    with_marks, without = (Codec.of(tokenizer(special=special), 40) for special in (True, False))
    assert (with_marks.prefix, with_marks.suffix) == ([2], [3])
    assert (without.prefix, without.suffix) == ([], [1])
    (both,) = with_marks.encode([("the sea\n\n", "red")])
    ids = with_marks.tokenizer.convert_tokens_to_ids(["[CLS]", "the", "sea", "red", "[SEP]"])
    assert (both.ids, both.start) == (ids, 3)


def test_a_tokenizer_without_any_special_token_or_text() -> None:
    words = tokenizer(pad=False)
    words.eos_token = None
    codec = Codec.of(words, 5)
    assert (codec.prefix, codec.suffix, codec.pad) == ([], [], 0)
    assert codec.encode([("", "")]) == [Encoded([0], 0)]
    assert codec.encode([("", "sea \udc80")])[0].ids == [*words("sea")["input_ids"], 0]


def test_long_prompts_lose_their_beginning_and_long_responses_their_end() -> None:
    codec = Codec.of(tokenizer(special=True), 6)
    ids = dict(zip("the sea sky hill old".split(), range(4, 9), strict=True))
    a, b, c = codec.encode(
        [("the sea sky", "hill old"), ("sea", "the sea sky hill old"), ("the sea sky hill old", "")]
    )
    assert a == Encoded([2, ids["sea"], ids["sky"], ids["hill"], ids["old"], 3], 3)
    assert b == Encoded([2, ids["the"], ids["sea"], ids["sky"], ids["hill"], 3], 1)
    assert c == Encoded([2, ids["sea"], ids["sky"], ids["hill"], ids["old"], 3], 5)
    with pytest.raises(ParameterError, match="max_length must be above 2"):
        Codec.of(tokenizer(special=True), 2)


# The network


def batch_and_corpus(
    tokens: Tokens, comparisons: list[Comparison], *, inside: bool, special: bool = False
) -> tuple[Batch, Corpus, Codec]:
    codec = Codec.of(tokenizer(special=special), 40)
    corpus = Corpus.of(comparisons, codec, inside=inside)
    answers = np.arange(len(corpus))
    person = corpus.data.person[corpus.data.starts]
    batch = batch_of(corpus, answers, person, np.ones(len(answers)), tokens=tokens, pad=codec.pad)
    return batch, corpus, codec


def several() -> list[Comparison]:
    """Picks out of two and of four, of different lengths, with texts that come up again."""
    return [
        *picks(5, 3),
        Comparison("describe", ("red", "blue sea sky", "old red", "hill"), 2, "bob"),
        Comparison("describe", ("red", "old sky hill hill"), 0, "ann"),
        Comparison("the sea", ("red", "old sky hill hill"), TIE, "ann"),
    ]


@pytest.mark.parametrize(
    ("kind", "variant"),
    [
        *(("pal-b", {"norm": norm}) for norm in ("each", "mix")),
        *(
            ("pal-a", {"ideal": ideal, "power": power})
            for ideal in ("f(Pw)", "f(P)w", "Pw")
            for power in (1, 2)
        ),
    ],
)
@pytest.mark.parametrize("name", ["OPT", "DistilBert"])
def test_margins_are_those_of_the_model_in_numpy_token_by_token(
    kind: str, variant: dict[str, Any], name: str
) -> None:
    model = backbone(name)
    special, inside = name == "DistilBert", kind == "pal-a"
    batch, corpus, codec = batch_and_corpus("cumulative", several(), inside=inside, special=special)
    dimension = 12 if name == "OPT" else 16
    network = LargeNetwork(model, head(kind, dimension, **variant), train_backbone=True).eval()
    margins = network(batch).detach()
    population = network.head.model(corpus.data.people, np.arange(2))

    def states(sequence: Encoded) -> FloatArray:
        ids, mask = padded([sequence], codec.pad)
        return hidden_states(model, ids, mask)[0].detach().double().numpy()

    data = corpus.data
    for answer in range(len(corpus)):
        options = corpus.options(answer)
        rows = [states(corpus.items[i]) for i in options]
        where = aligned([corpus.items[i] for i in options], "cumulative")
        start = data.starts[answer]
        weights = population.weights[data.person[start]]
        assert int(batch.judged[answer].sum()) == where.shape[1]
        for t in range(where.shape[1]):
            items = np.array([row[at] for row, at in zip(rows, where[:, t], strict=True)])
            prompts = None
            if not inside:
                assert data.prompt is not None
                asked = states(corpus.prompts[data.prompt[start]])[-1]
                prompts = np.tile(asked, (len(options), 1))
            rewards = population.rewards(weights, items, prompts)
            got = margins[answer, : len(options) - 1, t].numpy()
            np.testing.assert_allclose(got, rewards[0] - rewards[1:], rtol=1e-4, atol=2e-5)
    # And whole responses as the model that is kept judges them.
    large = LargeModel(model, codec.tokenizer, population, 40)
    last = last_margins(margins, batch.judged).numpy()
    expected = np.split(large.margins(several()), data.starts[1:])
    for row, m in zip(last, expected, strict=True):
        np.testing.assert_allclose(row[: len(m)], m, rtol=1e-4, atol=2e-5)
        assert np.isinf(row[len(m) :]).all()


@pytest.mark.parametrize("kind", ["pal-a", "pal-b"])
def test_turning_a_pick_around_turns_its_margins_around(kind: str) -> None:
    network = LargeNetwork(backbone("OPT"), head(kind, 12), train_backbone=True).eval()
    given = picks(6, 4)
    turned = [other_way(c) for c in given]
    one, other = (
        network(batch_and_corpus("mean", part, inside=kind == "pal-a")[0])
        for part in (given, turned)
    )
    torch.testing.assert_close(one, -other)


@pytest.mark.parametrize("kind", ["pal-a", "pal-b"])
@pytest.mark.parametrize("name", KINDS)
def test_padding_changes_nothing(kind: str, name: str) -> None:
    comparisons = several()
    model = backbone(name)
    population = head(kind, model.config.hidden_size if name != "OPT" else 12).model(
        ("ann", "bob"), np.arange(2)
    )
    special = name in {"Bert", "DistilBert"}
    expected = LargeModel(model, tokenizer(special=special), population, 40).margins(comparisons)
    alone = [
        LargeModel(model, tokenizer(special=special), population, 40).margins([c])
        for c in comparisons
        if c.picked != TIE
    ]
    np.testing.assert_allclose(np.concatenate(alone), expected, rtol=1e-4, atol=1e-5)
    left = tokenizer(special=special, side="left")
    without = tokenizer(special=special, pad=False)
    for words in (left, without):
        got = LargeModel(model, words, population, 40).margins(comparisons)
        np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("tokens", ["cumulative", "last"])
def test_gradients_reach_everything_but_a_frozen_backbone(tokens: Tokens) -> None:
    for kind in ("pal-a", "pal-b"):
        batch, *_ = batch_and_corpus(tokens, several(), inside=kind == "pal-a")
        for trained in (True, False):
            network = LargeNetwork(backbone("OPT"), head(kind, 12), train_backbone=trained)
            network.train()
            assert network.backbone.training == trained
            losses = answer_losses(network(batch), batch.judged, loss="logistic", tokens=tokens)
            losses.sum().backward()
            for parameter in network.head.parameters():
                assert bool((parameter.grad != 0.0).any())
            moved = [
                p.grad is not None and bool((p.grad != 0.0).any())
                for p in network.backbone.parameters()
            ]
            assert np.mean(moved) > 0.8 if trained else not any(moved)


# Training


def test_every_part_has_its_rate() -> None:
    training = LargeTraining(
        backbone_rate=1.0,
        rate=2.0,
        prototypes_rate=3.0,
        weights_rate=4.0,
        scale_rate=5.0,
        weight_decay=6.0,
    )
    for kind in ("pal-a", "pal-b"):
        network = LargeNetwork(backbone("OPT"), head(kind, 12), train_backbone=True)
        groups = _optimiser(network, training).param_groups
        found = {id(p): (g["lr"], g["weight_decay"]) for g in groups for p in g["params"]}
        maps = [*network.head.f.weights, *(network.head.g.weights if kind == "pal-b" else ())]
        other = network.head.log_scale if kind == "pal-b" else network.head.prototypes
        expected = {id(p): (1.0, 0.0) for p in network.backbone.parameters()}
        expected |= {id(p): (2.0, 0.0) for p in network.head.parameters()}
        expected |= {id(p): (2.0, 6.0) for p in maps}
        expected[id(network.head.mixture.logits)] = (4.0, 0.0)
        expected[id(other)] = (5.0 if kind == "pal-b" else 3.0, 0.0)
        assert found == expected


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("OPT", {"head": "pal-b"}),
        ("DistilBert", {"head": "pal-a", "ideal": "f(P)w"}),
        ("DistilBert", {"head": "pal-b", "tokens": "last"}),
    ],
)
def test_two_tastes_are_learnt_and_somebody_new_is_located(
    name: str, settings: dict[str, Any]
) -> None:
    people = ("ann", "bob", "cid", "dan")
    train, test = picks(160, 1, people), picks(60, 2, people)
    words = tokenizer(special=name == "DistilBert")
    training = replace(FAST, epochs=8)

    def fit(k: int, epochs: int) -> LargeFit:
        return fit_large(
            train,
            backbone(name),
            words,
            k,
            d_out=12,
            training=replace(training, epochs=epochs),
            validation=test,
            **settings,
        )

    two = fit(2, 8)
    first, last = two.history[0], two.history[-1]
    assert last.loss < 0.5 * first.loss
    assert last.accuracy > 0.9 > first.accuracy
    assert evaluate(two.model.population, two.model.preferences(test)[0]).accuracy > 0.95
    assert evaluate_one(fit(1, 2), test) < 0.7  # half the people want the opposite

    # Somebody of the second taste, from five answers; nothing but the weights is new.
    asked = [replace(c, person="eve") for c in picks(200, 3, people) if c.person == "bob"]
    data, left_out = two.model.preferences([*asked[:5], replace(asked[5], picked=TIE)])
    assert left_out == 1
    weights = locate(two.model.population, data).weights
    assert (two.model.margins(asked[6:], weights) > 0.0).mean() > 0.9


def evaluate_one(fit: LargeFit, test: list[Comparison]) -> float:
    return evaluate(fit.model.population, fit.model.preferences(test)[0]).accuracy


def test_the_best_epoch_is_kept_and_training_ends() -> None:
    turned = [other_way(c) for c in picks(14, 0)]
    training = replace(FAST, epochs=30, batch=14, patience=2)
    model = backbone("OPT", dropout=0.3)  # which does not count when it is judged
    fit = small(training=training, validation=turned, backbone=model)
    losses = [step.validation_loss for step in fit.history]
    best = int(np.argmin(np.array(losses, dtype=float)))
    assert fit.converged
    assert len(losses) == best + 1 + 2 < 30
    judged = evaluate(fit.model.population, fit.model.preferences(turned)[0])
    assert judged.log_loss == pytest.approx(losses[best], rel=1e-4)
    assert judged.accuracy == pytest.approx(fit.history[best].validation_accuracy)


def test_people_unknown_to_validation_are_the_average() -> None:
    others = [replace(c, person="zoe") for c in picks(5, 9)]
    fit = small(validation=others, training=replace(SHORT, weights_rate=1.0))
    mean = fit.model.population.mean_weights[None]
    data, _ = fit.model.preferences(others)
    expected = evaluate(fit.model.population, data, mean).log_loss
    assert fit.history[-1].validation_loss == pytest.approx(expected, rel=1e-4)


def test_the_same_seed_gives_the_same_model_and_leaves_torch_alone() -> None:
    before = torch.get_rng_state()
    one, two, other = (
        state(small(backbone=backbone("OPT", dropout=0.3), seed=seed)) for seed in (1, 1, 2)
    )
    assert np.array_equal(one, two)
    assert not np.allclose(one, other)
    assert torch.equal(torch.get_rng_state(), before)


def test_k_of_one_has_no_weights_to_learn() -> None:
    fit = small(k=1)
    assert fit.model.population.weights.tolist() == [[1.0], [1.0]]
    more = small(k=5, comparisons=several())  # more prototypes than people
    assert more.model.population.weights.shape == (2, 5)


def test_a_frozen_backbone_stays_and_can_be_trained_again() -> None:
    model = backbone("OPT", dropout=0.5)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    model.decoder.embed_tokens.weight.requires_grad_(False)
    small(backbone=model, train_backbone=False)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    needed = [p.requires_grad for p in model.parameters()]
    assert not model.decoder.embed_tokens.weight.requires_grad
    assert sum(needed) == len(needed) - 1
    small(backbone=model)
    moved = {k for k, value in model.state_dict().items() if not torch.equal(value, before[k])}
    assert "decoder.embed_tokens.weight" not in moved
    assert len(moved) > 0.8 * len(before)


def test_micro_batches_change_nothing_but_rounding() -> None:
    given = picks(13, 0)  # the last step has fewer answers
    whole, parts = (
        small(given, training=replace(SHORT, batch=5, micro_batch=most)) for most in (None, 2)
    )
    assert_alike(parts.model.margins(several()), whole.model.margins(several()))
    assert parts.history[1].accuracy == pytest.approx(whole.history[1].accuracy)
    assert parts.history[1].loss == pytest.approx(whole.history[1].loss, rel=1e-4)


def test_everybody_counts_the_same_if_balanced() -> None:
    given = [*picks(9, 0, ("ann",)), *picks(3, 1, ("bob",))]
    # At rates of 0 the loss of an epoch is that of the first model.
    still = LargeTraining(
        batch=5, backbone_rate=0, rate=0, prototypes_rate=0, weights_rate=0, scale_rate=0
    )

    def loss(part: list[Comparison], **settings: Any) -> float:
        return small(part, training=still, tokens="last", **settings).history[0].loss

    fit = small(given, training=still, tokens="last", user_balanced=True)
    margins = fit.model.margins(given)
    each = np.log1p(np.exp(-margins))
    assert fit.history[0].loss == pytest.approx((each[:9].mean() + each[9:].mean()) / 2, rel=1e-4)
    assert loss(given) == pytest.approx(each.mean(), rel=1e-4)


@pytest.mark.parametrize("name", KINDS)
def test_any_encoder_or_causal_model(name: str, tmp_path: Path) -> None:
    for kind in ("pal-a", "pal-b"):
        fit = small(backbone=backbone(name), head=kind, loss="hinge", checkpoint=tmp_path / kind)
        assert np.isfinite([step.loss for step in fit.history]).all()
        fit.model.save_pretrained(tmp_path / "model")
        back = LargeModel.from_pretrained(tmp_path / "model")
        assert np.array_equal(back.margins(several()), fit.model.margins(several()))


# Where it is trained


def test_an_accelerator_of_ones_own() -> None:
    assert np.array_equal(state(small(accelerator=Accelerator(cpu=True))), state(small()))


@pytest.mark.parametrize("kind", ["pal-a", "pal-b"])
def test_rewards_have_all_their_digits_in_mixed_precision(
    monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    def undisturbed(*given: Any) -> torch.Tensor:
        with torch.autocast("cpu", enabled=False):
            return hidden_states(*given)

    monkeypatch.setattr(_large_network, "hidden_states", undisturbed)
    batch, *_ = batch_and_corpus("mean", several(), inside=kind == "pal-a")
    network = LargeNetwork(backbone("OPT"), head(kind, 12), train_backbone=True).eval()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = network(batch)
    assert torch.equal(mixed, network(batch))


def test_mixed_precision_is_accelerates(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = Accelerator(cpu=True)
    # Precision is the process's, for as long as it lives.
    monkeypatch.setattr(AcceleratorState, "_shared_state", {})
    half = Accelerator(cpu=True, mixed_precision="bf16")
    given = picks(14, 0)
    still = LargeTraining(backbone_rate=0, rate=0, prototypes_rate=0, weights_rate=0, scale_rate=0)
    words = tokenizer(special=True)

    def loss(kind: str, of: Accelerator) -> float:
        settings = {"head": kind, "training": still, "tokenizer": words, "accelerator": of}
        return small(given, backbone=backbone("DistilBert"), **settings).history[0].loss

    for kind in ("pal-a", "pal-b"):
        exact, rounded = (loss(kind, of) for of in (plain, half))
        assert exact != rounded
        assert rounded == pytest.approx(exact, rel=0.02)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"distributed_type": SimpleNamespace(name="FSDP")}, "not by FSDP"),
        ({"gradient_accumulation_steps": 4}, "must be 1, not 4"),
    ],
)
def test_accelerators_that_cannot_be_used(given: dict[str, Any], said: str) -> None:
    usual = {"distributed_type": SimpleNamespace(name="NO"), "gradient_accumulation_steps": 1}
    with pytest.raises(ParameterError, match=said):
        small(accelerator=SimpleNamespace(**{**usual, **given}))


SCRIPT = """
import sys, warnings
warnings.simplefilter("error")
import numpy as np, torch
from accelerate import debug_launcher
from test_large import several, state, two_processes

def main(file):
    fit, rank = two_processes(), torch.distributed.get_rank()
    steps = [(step.loss, step.accuracy, step.validation_accuracy) for step in fit.history]
    margins = fit.model.margins(several())
    np.savez(f"{file}{rank}.npz", state=state(fit), margins=margins, steps=steps)

torch.set_num_threads(1)
debug_launcher(main, args=(sys.argv[1],), num_processes=2)
"""


def two_processes() -> LargeFit:
    """Of 9 answers, 4 a step: the last step has one answer, and one process none."""
    training = replace(SHORT, micro_batch=1)
    # A BERT has a pooler, whose parameters no gradient reaches.
    return small(picks(9, 0), backbone=backbone("Bert"), training=training, validation=picks(3, 1))


def test_two_processes_take_the_steps_of_one(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(sys.path),
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
    }
    # In a process of its own, since what runs in this one must not be split in two.
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "of")],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    alone = two_processes()
    one, other = (np.load(tmp_path / f"of{rank}.npz") for rank in range(2))
    assert np.array_equal(one["state"], other["state"])
    assert_alike(one["margins"], alone.model.margins(several()))
    assert np.array_equal(one["steps"], other["steps"])
    steps = [(step.loss, step.accuracy, step.validation_accuracy) for step in alone.history]
    np.testing.assert_allclose(one["steps"], np.array(steps, dtype=float), rtol=1e-4)


# Interrupted


class InterruptedHereError(Exception):
    """The process dies."""


def interrupted(after: int, **settings: Any) -> None:
    def stop(done: int, of: int, loss: float) -> None:
        assert of == 8
        assert np.isfinite(loss)
        if done == after:
            raise InterruptedHereError

    with pytest.raises(InterruptedHereError):
        small(on_batch=stop, **settings)


@pytest.mark.parametrize("after", [4, 5, 7])
def test_a_training_that_was_interrupted_goes_on(tmp_path: Path, after: int) -> None:
    def settings() -> dict[str, Any]:
        return {
            "backbone": backbone("OPT", dropout=0.3),
            "training": replace(SHORT, save_every=2),
            "validation": picks(3, 1),
        }

    whole = small(**settings())
    file = tmp_path / "run" / "checkpoint"
    interrupted(after, checkpoint=file, **settings())
    assert file.exists()
    done: list[int] = []
    fit = small(checkpoint=file, on_batch=lambda n, *_: done.append(n), **settings())
    assert done[0] == {4: 3, 5: 5, 7: 7}[after]  # checkpoints stand at steps 2, 4 and 6
    assert np.array_equal(state(fit), state(whole))
    assert fit.history == whole.history
    again = small(checkpoint=file, on_batch=lambda *_: done.append(99), **settings())
    assert 99 not in done
    assert np.array_equal(state(again), state(whole))


def test_a_training_goes_on_to_more_epochs(tmp_path: Path) -> None:
    longer = replace(SHORT, epochs=3)
    small(checkpoint=tmp_path / "c")
    steps: list[int] = []
    fit = small(
        training=longer, checkpoint=tmp_path / "c", on_step=lambda step: steps.append(step.number)
    )
    assert steps == [3]
    assert np.array_equal(state(fit), state(small(training=longer)))
    assert not [file for file in tmp_path.iterdir() if file.name != "c"]


def test_the_best_epoch_outlives_an_interruption(tmp_path: Path) -> None:
    turned = [other_way(c) for c in picks(14, 0)]
    training = replace(FAST, epochs=30, batch=14, patience=4)
    whole = small(training=training, validation=turned)
    small(
        training=replace(training, epochs=len(whole.history) - 1),
        validation=turned,
        checkpoint=tmp_path / "c",
    )
    fit = small(training=training, validation=turned, checkpoint=tmp_path / "c")
    assert fit.history == whole.history
    assert np.array_equal(state(fit), state(whole))


def test_a_checkpoint_is_of_one_training(tmp_path: Path) -> None:
    file = tmp_path / "c"
    small(checkpoint=file)
    for other in (
        {"seed": 1},
        {"tokens": "mean"},
        {"norm": "mix"},
        {"comparisons": picks(14, 5)},
        {"validation": picks(3, 1)},
        {"training": replace(SHORT, rate=1.0)},
    ):
        with pytest.raises(ParameterError, match="of another training"):
            small(checkpoint=file, **cast("Any", other))
    small(checkpoint=file, training=replace(SHORT, micro_batch=1, save_every=1, patience=1))
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(ModelError, match=r"damaged.*remove it to begin anew"):
        small(checkpoint=file)
    blocked = tmp_path / "file"
    blocked.touch()
    with pytest.raises(ModelError, match="cannot save the checkpoint"):
        small(checkpoint=blocked / "c")


# Files


@pytest.fixture(scope="module")
def trained() -> LargeModel:
    return small().model


def test_a_folder_holds_safetensors_and_json(trained: LargeModel, tmp_path: Path) -> None:
    trained.save_pretrained(tmp_path)
    kinds = {file.suffix for file in tmp_path.rglob("*") if file.is_file()}
    assert kinds == {".safetensors", ".json"}
    assert load_file(tmp_path / "backbone" / "model.safetensors")
    back = LargeModel.from_pretrained(tmp_path)
    assert not back.backbone.training
    w = np.array([[0.2, 0.8], [1.0, 0.0]])
    texts = (["the sea", "describe", ""], ["red sky", "", "old blue hill"])
    assert np.array_equal(back.rewards(w, *texts), trained.rewards(w, *texts))
    assert back.rewards(w, *texts).shape == (2, 3)
    assert back.rewards(w[0], [], []).shape == (0,)


def test_half_a_model_is_none(
    trained: LargeModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    trained.save_pretrained(tmp_path)
    monkeypatch.setattr(type(trained.tokenizer), "save_pretrained", full)
    with pytest.raises(ModelError, match=r"cannot save the model in .*: No space left on device"):
        trained.save_pretrained(tmp_path)
    with pytest.raises(ModelError, match="no large model in"):
        LargeModel.from_pretrained(tmp_path)


def test_a_folder_that_cannot_be_used(trained: LargeModel, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no large model in"):
        LargeModel.from_pretrained(tmp_path)
    trained.save_pretrained(tmp_path)
    path = tmp_path / "large.json"
    config = json.loads(path.read_text())
    for changed, said in (
        ({"format": 2}, "has format 2.*install palate"),
        ({"format": None}, "does not describe a large model"),
        ({"backbone": "AutoModel"}, "'AutoModel', which is no model"),
        ({"backbone": "BertModel"}, "damaged: its backbone lacks"),
    ):
        path.write_text(json.dumps(config | changed))
        with pytest.raises(ModelError, match=said):
            LargeModel.from_pretrained(tmp_path)
    path.write_text("{")
    with pytest.raises(ModelError, match="not JSON"):
        LargeModel.from_pretrained(tmp_path)
    path.write_text(json.dumps(config))
    weights = tmp_path / "backbone" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:50])
    with pytest.raises(ModelError, match="damaged"):
        LargeModel.from_pretrained(tmp_path)


def test_a_model_that_transformers_does_not_know_cannot_be_saved(
    trained: LargeModel, tmp_path: Path
) -> None:
    class Own(type(trained.backbone)):  # type: ignore[misc]
        """A user's class, which could not be found again."""

    own = Own(trained.backbone.config)
    with pytest.raises(ParameterError, match="not Own"):
        replace(trained, backbone=own).save_pretrained(tmp_path / "m")
    assert not (tmp_path / "m").exists()


# Mistakes


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"k": 0}, "k and the widths of layers must be at least 1, not 0"),
        ({"d_out": 0}, "not 2 and"),
        ({"residual": True}, "d_out equal to the states' 12, not 6"),
        ({"head": "pal-c"}, "head must be one of pal-a, pal-b, not 'pal-c'"),
        ({"tokens": "first"}, "tokens must be one of cumulative, mean, last"),
        ({"max_length": 41}, "at most 40, as many tokens as the model reads, not 41"),
        ({"comparisons": [Comparison("", ("a", "b"), TIE)]}, "none of the 1 comparisons"),
        ({"backbone": torch.nn.Linear(2, 2)}, "must be a model of transformers, not Linear"),
        ({"training": replace(SHORT, rate=1e30)}, "the loss is .* lower the rates"),
    ],
)
def test_mistakes(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        small(**settings)


def test_backbones_that_cannot_be_trained() -> None:
    half = backbone("OPT").half()
    with pytest.raises(ParameterError, match=r"in torch\.float32, not torch\.float16: load it"):
        small(backbone=half)
    assert small(backbone=half.to(torch.bfloat16), train_backbone=False).history
    other = backbone("OPT")
    other.resize_token_embeddings(8)
    with pytest.raises(ParameterError, match="the backbone knows 8: give the tokenizer"):
        small(backbone=other)
    import transformers  # noqa: PLC0415

    both = transformers.T5Config(
        vocab_size=14, d_model=8, d_kv=4, d_ff=8, num_layers=1, num_heads=2
    )
    with pytest.raises(ParameterError, match="give its encoder alone"):
        small(backbone=transformers.T5Model(both))


@pytest.mark.parametrize(
    ("setting", "value"),
    [("epochs", 0), ("micro_batch", 0), ("rate", -1.0), ("weight_decay", np.inf)],
)
def test_settings_of_training(setting: str, value: float) -> None:
    with pytest.raises(ParameterError, match=f"{setting} must be at least"):
        LargeTraining(**cast("Any", {setting: value}))


def test_a_prompt_for_each_response(trained: LargeModel) -> None:
    with pytest.raises(ParameterError, match="2 for 1"):
        trained.features(["a", "b"], ["c"])


def test_a_language_head_is_left_off() -> None:
    import transformers  # noqa: PLC0415

    whole = transformers.OPTForCausalLM(backbone("OPT").config)
    fit = small(backbone=whole)
    assert fit.model.backbone is whole.model
