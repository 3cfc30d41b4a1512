"""Training of networks: margins and losses against numpy, learning, seeds, checkpoints."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
import pytest
from population_cases import D_X, PEOPLE, D

from palate.errors import ModelError, ParameterError
from palate.population import PalA, PalB, PreferenceData, evaluate, locate
from palate.population.model import IdealPoint

pytest.importorskip("torch", reason="training networks needs torch")

import torch

from palate.population._batches import Answers
from palate.population._heads import Mixture, Network, PalAHead, PalBHead
from palate.population._training import hits, losses, shuffled
from palate.population.networks import Training, fit_pal_a_network, fit_pal_b

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from palate.population import PopulationModel
    from palate.population.fit import Fit, Step

CPU = torch.device("cpu")
SHORT = Training(epochs=8, batch=3, save_every=3)
BRIEF = Training(epochs=2, batch=3)

VARIANTS: list[dict[str, Any]] = [
    *(
        {"kind": "a", "ideal": ideal, "power": power, "residual": residual, "k": k}
        for ideal in get_args(IdealPoint)
        for power in (1, 2)
        for residual, k in ((True, 3), (False, 1))
    ),
    *({"kind": "b", "norm": norm, "k": k} for norm in ("each", "mix") for k in (3, 1)),
]

every_variant = pytest.mark.parametrize(
    "variant", VARIANTS, ids=lambda v: "-".join(map(str, v.values()))
)


def picks(prompts: bool, seed: int = 0, answers: int = 24) -> PreferenceData:  # noqa: FBT001
    """Picks out of two to four, the third person without any."""
    rng = np.random.default_rng(seed)
    person, chosen, rejected, prompt, pick = [], [], [], [], []
    for answer in range(answers):
        shown = rng.permutation(9)[: rng.integers(2, 5)]
        who, asked = rng.choice([0, 1, 3]), rng.integers(0, 7)
        for other in shown[1:]:
            person.append(who)
            chosen.append(shown[0])
            rejected.append(other)
            prompt.append(asked)
            pick.append(answer)
    return PreferenceData(
        rng.normal(loc=2.0, size=(9, D)),
        np.array(person),
        np.array(chosen),
        np.array(rejected),
        PEOPLE,
        rng.normal(size=(7, D_X)) if prompts else None,
        np.array(prompt) if prompts else None,
        np.array(pick),
    )


def fit(variant: dict[str, Any], data: PreferenceData, **settings: Any) -> Fit[Any]:
    options = {key: value for key, value in variant.items() if key not in {"kind", "k"}}
    options = {"hidden": (6,), "training": SHORT} | options | settings
    which: Callable[..., Fit[Any]] = fit_pal_a_network if variant["kind"] == "a" else fit_pal_b
    return which(data, variant["k"], **options)


def untrained(**rates: float) -> Training:
    """One step with all rates at 0, but for those given."""
    zero: dict[str, Any] = dict.fromkeys(
        ("rate", "prototypes_rate", "weights_rate", "scale_rate"), 0.0
    )
    return Training(epochs=1, batch=None, **(zero | rates))


def head_of(variant: dict[str, Any], data: PreferenceData) -> PalAHead | PalBHead:
    rng = torch.Generator().manual_seed(3)
    k = variant["k"]

    def network(copies: int, table: Any, d_out: int, residual: bool) -> Network:  # noqa: FBT001
        return Network(
            copies,
            (table.shape[1], 6, d_out),
            activation="relu" if residual else "gelu",
            residual=residual,
            table=torch.as_tensor(table, dtype=torch.float32),
            rng=rng,
        )

    mixture = Mixture(3, k, partition=False, rng=rng)
    if variant["kind"] == "a":
        d_out = D if variant["residual"] else 3
        f = network(1, data.items, d_out, variant["residual"])
        prototypes = torch.randn(k, d_out if variant["ideal"] == "Pw" else D, generator=rng)
        return PalAHead(f, prototypes, mixture, ideal=variant["ideal"], power=variant["power"])
    f, g = network(1, data.items, 3, residual=False), network(k, data.prompts, 3, residual=False)
    return PalBHead(f, g, mixture, norm=variant["norm"])


PLACES = np.array([0, 1, 3, 2])  # the third person is nobody's row: they get the mean


@every_variant
def test_torch_and_numpy_agree_on_every_margin(variant: dict[str, Any]) -> None:
    data = picks(variant["kind"] == "b")
    single, double = head_of(variant, data), head_of(variant, data).double()
    model = double.model(data.people, PLACES)
    expected = model.margins(data)
    size = np.abs(expected).max()
    assert size > 0.1
    for row, margin in enumerate(expected):
        one = Answers(replace(data.rows(np.array([row])), pick=None), PLACES, CPU).all()
        np.testing.assert_allclose(single.margins(one).item(), margin, atol=1e-6 * (1.0 + size))
        items = data.items[np.unique([data.chosen[row], data.rejected[row]])]
        one = replace(one, items=torch.tensor(items))
        if data.prompts is not None and data.prompt is not None:
            one = replace(one, prompts=torch.tensor(data.prompts[data.prompt[[row]]]))
        np.testing.assert_allclose(double.margins(one).item(), margin, atol=1e-12 * (1.0 + size))


@every_variant
def test_batches_hold_every_answer_once_and_change_no_loss(variant: dict[str, Any]) -> None:
    data = picks(variant["kind"] == "b", answers=60)
    head = head_of(variant, data)
    answers = Answers(data, PLACES, CPU)
    rng = torch.Generator().manual_seed(0)
    batches = list(shuffled(answers, 3, rng))
    parts = [losses(head.margins(batch), batch, "logistic").detach().numpy() for batch in batches]
    whole = answers.all()
    together = losses(head.margins(whole), whole, "logistic").detach().numpy()
    assert len(together) == 60
    np.testing.assert_allclose(np.sort(np.concatenate(parts)), np.sort(together), atol=2e-5)
    found = evaluate(head.model(data.people, PLACES), data)
    np.testing.assert_allclose(together.mean(), found.log_loss, rtol=1e-5)
    right = hits(head.margins(whole).detach(), whole).numpy()
    np.testing.assert_allclose(right.mean(), found.accuracy)
    for batch in batches:
        assert len(batch.items) == len(np.unique(batch.items.numpy(), axis=0))


def test_every_epoch_has_another_order() -> None:
    answers = Answers(picks(prompts=True, answers=60), PLACES, CPU)
    rng = torch.Generator().manual_seed(0)
    epochs = [[batch.prompts for batch in shuffled(answers, 1, rng)] for _ in range(2)]
    one, other = (
        torch.cat([prompts for prompts in epoch if prompts is not None]) for epoch in epochs
    )
    assert one.shape == (7, D_X)
    assert not torch.equal(one, other)
    assert torch.equal(one.sort(dim=0)[0], other.sort(dim=0)[0])


def test_losses_against_a_loop() -> None:
    data = picks(prompts=True, answers=40)
    batch = Answers(data, PLACES, CPU).all()
    assert batch.rows is not None
    margins = np.random.default_rng(0).normal(size=len(data), scale=3.0)
    margins[:4] = 0.0
    given = torch.as_tensor(margins)
    expected: dict[str, list[float]] = {"logistic": [], "hinge": [], "hits": []}
    for rows in batch.rows.numpy():
        own = margins[[row for row in rows if row < len(data)]]
        expected["logistic"].append(np.log(1.0 + np.exp(-own).sum()))
        expected["hinge"].append(max(0.0, *(1.0 - m for m in own)))
        expected["hits"].append((own >= 0.0).all() / (1.0 + (own == 0.0).sum()))
    np.testing.assert_allclose(losses(given, batch, "logistic"), expected["logistic"])
    np.testing.assert_allclose(losses(given, batch, "hinge"), expected["hinge"])
    np.testing.assert_allclose(hits(given, batch), expected["hits"])
    alone = Answers(replace(data, pick=None), PLACES, CPU).all()
    assert alone.rows is None
    np.testing.assert_allclose(losses(given, alone, "logistic"), np.logaddexp(0.0, -margins))
    np.testing.assert_allclose(losses(given, alone, "hinge"), np.maximum(0.0, 1.0 - margins))
    np.testing.assert_allclose(hits(given, alone), (margins > 0.0) + 0.5 * (margins == 0.0))


@every_variant
@pytest.mark.parametrize("loss", ["logistic", "hinge"])
def test_one_step_raises_the_margin_of_the_one_answer(variant: dict[str, Any], loss: str) -> None:
    data = replace(picks(variant["kind"] == "b").rows(np.array([5])), pick=None)
    rates = ["rate", "prototypes_rate"] if variant["kind"] == "a" else ["rate"]
    before = fit(variant, data, loss=loss, training=untrained()).model.margins(data)
    if loss == "hinge" and before >= 1.0:
        return  # nothing to gain
    for name in [*rates, *(["weights_rate"] if variant["k"] > 1 else [])]:
        after = fit(variant, data, loss=loss, training=untrained(**{name: 1e-4})).model
        assert after.margins(data) > before, name


@every_variant
def test_the_seed_fixes_everything_and_nothing_global_is_touched(variant: dict[str, Any]) -> None:
    data = picks(variant["kind"] == "b")
    state = torch.get_rng_state()
    one, again, other = (fit(variant, data, seed=seed, training=BRIEF) for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), state)
    assert one.history == again.history != other.history
    np.testing.assert_array_equal(one.model.margins(data), again.model.margins(data))
    assert not np.array_equal(one.model.margins(data), other.model.margins(data))
    assert [step.number for step in one.history] == [1, 2]


@pytest.mark.parametrize("stop", [1, 4, 7])
@pytest.mark.parametrize("validated", [False, True])
@pytest.mark.parametrize("variant", [VARIANTS[0], VARIANTS[-2]], ids=["pal-a", "pal-b"])
def test_an_interrupted_training_goes_on_as_if_it_had_not_been(
    variant: dict[str, Any],
    validated: bool,  # noqa: FBT001
    stop: int,
    tmp_path: Path,
) -> None:
    data = picks(variant["kind"] == "b")
    options = {"validation": picks(variant["kind"] == "b", seed=1)} if validated else {}
    if validated:
        options["validation"] = replace(
            options["validation"], items=data.items, prompts=data.prompts
        )
    whole = fit(variant, data, **options)

    def interrupt(step: Step) -> None:
        if step.number == stop:
            raise KeyboardInterrupt

    file = tmp_path / "new" / "checkpoint"
    with pytest.raises(KeyboardInterrupt):
        fit(variant, data, checkpoint=file, on_step=interrupt, **options)
    assert file.exists() == (stop >= SHORT.save_every)
    seen: list[int] = []
    resumed = fit(
        variant, data, checkpoint=file, on_step=lambda step: seen.append(step.number), **options
    )
    assert seen == list(range(stop // 3 * 3 + 1, 9))
    assert resumed.history == whole.history
    assert_same(resumed.model, whole.model)
    finished = fit(variant, data, checkpoint=file, on_step=interrupt, **options)
    assert_same(finished.model, whole.model)
    longer = replace(SHORT, epochs=11)
    assert_same(
        fit(variant, data, checkpoint=file, training=longer, **options).model,
        fit(variant, data, training=longer, **options).model,
    )
    assert [entry.name for entry in file.parent.iterdir()] == ["checkpoint"]


def assert_same(one: PopulationModel, other: PopulationModel) -> None:
    for name in ("weights", "prototypes", "scale"):
        np.testing.assert_array_equal(getattr(one, name, None), getattr(other, name, None))
    for name in ("f", "g"):
        networks = [getattr(model, name, ()) for model in (one, other)]
        pairs = zip(*(net if isinstance(net, tuple) else (net,) for net in networks), strict=True)
        for mine, theirs in pairs:
            for a, b in zip(
                mine.weights + mine.biases, theirs.weights + theirs.biases, strict=True
            ):
                np.testing.assert_array_equal(a, b)


def test_a_checkpoint_of_another_training_is_refused(tmp_path: Path) -> None:
    variant, data, file = VARIANTS[-2], picks(prompts=True), tmp_path / "checkpoint"
    fit(variant, data, checkpoint=file)
    for change in (
        {"seed": 1},
        {"hidden": (5,)},
        {"loss": "hinge"},
        {"training": replace(SHORT, rate=1e-3)},
        {"validation": data},
    ):
        with pytest.raises(ParameterError, match=r"is of another training.* remove it"):
            fit(variant, data, checkpoint=file, **change)
    with pytest.raises(ParameterError, match="is of another training"):
        fit(variant, data.rows(np.arange(30)), checkpoint=file)
    content = file.read_bytes()
    for damaged in (b"", content[:100], content[:-1], b"\x02\x00\x00\x00\x00\x00\x00\x00{}"):
        file.write_bytes(damaged)
        with pytest.raises(ModelError, match="is damaged"):
            fit(variant, data, checkpoint=file)
    (tmp_path / "file").touch()
    with pytest.raises(ModelError, match="cannot save the checkpoint"):
        fit(variant, data, checkpoint=tmp_path / "file" / "checkpoint")


def camps(
    seed: int, answers: int = 1200, people: int = 12
) -> tuple[PreferenceData, PreferenceData]:
    """Two camps who say the opposite about prompts, on which side of a hyperplane they lie.

    Returns:
        What they say to some prompts, and to others.
    """
    rng = np.random.default_rng(seed)
    prompts = rng.normal(size=(120, D_X))
    parts = []
    for low, high in ((0, 90), (90, 120)):
        person, prompt = rng.integers(0, people, answers), rng.integers(low, high, answers)
        yes = (prompts[prompt, 0] > 0.0) ^ (person % 2 == 0)
        parts.append(
            PreferenceData(
                np.eye(2, D),
                person,
                np.where(yes, 0, 1),
                np.where(yes, 1, 0),
                tuple(f"person {i}" for i in range(people)),
                prompts,
                prompt,
            )
        )
    return parts[0], parts[1]


def as_seen_by(variant: dict[str, Any], data: PreferenceData) -> PreferenceData:
    """PAL-A likes what is near: yes and no put the prompt at either side of it."""
    if variant["kind"] == "b":
        return data
    assert data.prompts is not None
    assert data.prompt is not None
    n = len(data.prompts)
    sides = np.concatenate([data.prompts, -data.prompts])
    chosen, rejected = (data.prompt + n * (which == 1) for which in (data.chosen, data.rejected))
    return replace(data, items=sides, chosen=chosen, rejected=rejected, prompts=None, prompt=None)


@pytest.mark.parametrize("loss", ["logistic", "hinge"])
@pytest.mark.parametrize(
    "variant", [VARIANTS[6], VARIANTS[2], VARIANTS[-2]], ids=["f(P)w", "f(Pw)", "pal-b"]
)
def test_two_camps_need_two_prototypes(variant: dict[str, Any], loss: str) -> None:
    train, test = (as_seen_by(variant, part) for part in camps(0))
    training = Training(epochs=30, batch=16, rate=1e-2)
    options = {"hidden": (16, 16), "loss": loss, "training": training}
    accuracies = {}
    for k in (1, 2):
        found = fit(variant | {"k": k}, train, **options)
        assert np.isfinite([step.loss for step in found.history]).all()
        accuracies[k] = evaluate(found.model, test).accuracy
    assert 0.4 < accuracies[1] < 0.6
    assert accuracies[2] > 0.9
    # Somebody new, from twelve answers.
    some = train.of_people([0, 1])
    first = some.rows(np.flatnonzero(np.arange(len(some)) < 24))
    located = locate(found.model, first).weights
    assert evaluate(found.model, test.of_people([0, 1]), located).accuracy > 0.87


def test_everybody_counts_the_same_if_wished() -> None:
    person = np.repeat([0, 1, 2], [90, 10, 10])
    yes = person == 0
    data = PreferenceData(
        np.eye(2, D),
        person,
        np.where(yes, 0, 1),
        np.where(yes, 1, 0),
        ("one", "two", "three"),
        np.ones((1, D_X)),
        np.zeros(110, dtype=np.intp),
    )
    for balanced, expected in ((False, [1.0, 0.0, 0.0]), (True, [0.0, 1.0, 1.0])):
        training = Training(epochs=60, rate=1e-2)
        found = fit_pal_b(data, 1, training=training, user_balanced=balanced)
        assert evaluate(found.model, data).by_person.tolist() == expected


def test_validation_stops_training_and_picks_the_best_epoch() -> None:
    train, test = camps(3, answers=150)
    rng = np.random.default_rng(0)
    noisy = rng.random(len(train)) < 0.3
    train = replace(
        train,
        chosen=np.where(noisy, train.rejected, train.chosen),
        rejected=np.where(noisy, train.chosen, train.rejected),
    )
    training = Training(epochs=60, batch=16, rate=1e-2, patience=5)
    # In another order of people, some of them missing.
    found = fit_pal_b(train, 2, training=training, validation=test.of_people([7, 2, 5, 0]))
    judged = [step.validation_loss or 0.0 for step in found.history]
    best = int(np.argmin(judged))
    assert found.converged
    assert len(judged) == best + 1 + 5 < 60
    evaluation = evaluate(found.model, test.of_people([7, 2, 5, 0]))
    np.testing.assert_allclose(evaluation.log_loss, judged[best], rtol=1e-5)
    assert evaluation.accuracy == pytest.approx(found.history[best].validation_accuracy)
    alone = fit_pal_b(train, 2, training=training)
    assert not alone.converged
    assert len(alone.history) == 60
    assert evaluate(alone.model, test).log_loss > evaluate(found.model, test).log_loss


@every_variant
def test_people_without_answers_and_more_prototypes_than_people(variant: dict[str, Any]) -> None:
    data = picks(variant["kind"] == "b")
    model = fit(variant | {"k": 7}, data, training=BRIEF).model
    w = model.weights
    assert w.shape == (4, 7)
    np.testing.assert_allclose(w[2], w[[0, 1, 3]].mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(w.sum(axis=1), 1.0, atol=1e-12)
    assert isinstance(model, PalA if variant["kind"] == "a" else PalB)
    assert np.isfinite(model.margins(data)).all()
    # Judging it, as what it will be, leaves the training as it is.
    hard = fit(variant | {"k": 7, "partition": True}, data, training=BRIEF, validation=data)
    soft = fit(variant | {"k": 7}, data, training=BRIEF)
    assert [step.loss for step in hard.history] == [step.loss for step in soft.history]
    hard = fit(variant | {"k": 7, "partition": True}, data, training=BRIEF).model
    np.testing.assert_array_equal(np.sort(hard.weights[[0, 1, 3]]), np.eye(7)[[6] * 3])
    np.testing.assert_array_equal(hard.weights[0].argmax(), w[0].argmax())


@every_variant
def test_one_prototype_leaves_nothing_to_weigh(variant: dict[str, Any]) -> None:
    data = picks(variant["kind"] == "b")
    one, other = (
        fit(variant | {"k": 1}, data, training=replace(BRIEF, weights_rate=rate)).model
        for rate in (0.0, 10.0)
    )
    assert_same(one, other)
    np.testing.assert_array_equal(one.weights, np.ones((4, 1)))


def test_answers_that_can_all_be_satisfied_leave_everything_finite() -> None:
    data = camps(1, answers=40)[0]
    data = data.rows(np.flatnonzero(data.person % 2 == 0))
    found = fit_pal_b(data, 3, training=Training(epochs=300, rate=3e-2, scale_rate=1.0))
    assert found.history[-1].accuracy == 1.0
    assert found.model.scale == pytest.approx(100.0)
    assert np.isfinite(found.model.margins(data)).all()
    new = np.random.default_rng(0).normal(size=(120, D_X), scale=100.0)
    assert np.isfinite(found.model.margins(replace(data, prompts=new))).all()


def test_weight_decay_is_decoupled_and_spares_biases() -> None:
    data = picks(prompts=True)
    before = fit_pal_b(data, 2, training=untrained(rate=1e-6)).model
    after = fit_pal_b(data, 2, training=replace(untrained(rate=1e-6), weight_decay=1e5)).model
    np.testing.assert_allclose(after.f.weights[1], 0.9 * before.f.weights[1], atol=1e-5)
    one, other = (np.array(model.f.biases[1]) for model in (after, before))
    np.testing.assert_allclose(one, other, atol=1e-5)
    assert after.scale == pytest.approx(before.scale)


def test_items_that_nobody_compared_change_nothing() -> None:
    data = picks(prompts=False)
    more = replace(data, items=np.concatenate([data.items, [[1e6] * D]]))
    assert_same(fit(VARIANTS[0], data).model, fit(VARIANTS[0], more).model)


def test_features_far_from_the_origin_keep_their_digits() -> None:
    """Squared distances are differences of large numbers unless the images are centred first."""
    data = picks(prompts=False)
    data = replace(data, items=data.items + 1000.0)
    head = head_of(VARIANTS[2], data)
    head.prototypes.data += 1000.0
    batch = Answers(replace(data, pick=None), PLACES, CPU).all()
    found = np.sort(head.margins(batch).detach().numpy())
    expected = np.sort(head.model(data.people, PLACES).margins(data))
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=5e-3)


def test_features_of_any_scale_train_alike() -> None:
    """The networks see shifted and scaled features: rounding apart, only the residual differs."""
    data = picks(prompts=True)
    assert data.prompts is not None
    moved = replace(data, items=100.0 * data.items + 7.0, prompts=data.prompts / 100.0 - 3.0)
    one, other = fit(VARIANTS[-2], data), fit(VARIANTS[-2], moved)
    np.testing.assert_allclose(
        [step.loss for step in one.history], [step.loss for step in other.history], rtol=2e-3
    )
    np.testing.assert_allclose(one.model.margins(data), other.model.margins(moved), atol=0.05)


@pytest.mark.parametrize(
    ("which", "settings", "message"),
    [
        ("a", {"k": 0}, "k and the widths of layers must be at least 1"),
        ("b", {"hidden": (0,)}, "must be at least 1"),
        ("a", {"d_out": 0}, "must be at least 1"),
        ("a", {"loss": "square"}, "loss must be one of logistic, hinge, not 'square'"),
        ("a", {"ideal": "wP"}, "ideal must be one of"),
        ("a", {"power": 3}, "power must be one of 1, 2"),
        ("b", {"norm": "all"}, "norm must be one of each, mix"),
        ("b", {"activation": "tanh"}, "activation must be one of"),
        ("a", {"residual": True, "d_out": 3}, "a residual needs d_out equal"),
        ("b", {"residual": True}, "a residual needs items and prompts of 16 dimensions"),
        ("b", {"device": "nowhere"}, "torch has no device 'nowhere' here"),
        ("b", {"validation": picks(prompts=False)}, "features as the data has"),
        ("b", {"validation": replace(picks(prompts=True), people=("a", "b", "c", "d"))}, "'a'"),
    ],
)
def test_settings_that_make_no_sense(which: str, settings: dict[str, Any], message: str) -> None:
    variant = {"kind": which, "k": settings.pop("k", 2)}
    with pytest.raises(ParameterError, match=message):
        fit(variant, picks(which == "b"), **settings)


def test_data_that_make_no_sense() -> None:
    with pytest.raises(ParameterError, match=r"joined\(\)"):
        fit_pal_a_network(picks(prompts=True), 2)
    with pytest.raises(ParameterError, match="these answers have none"):
        fit_pal_b(picks(prompts=False), 2)
    with pytest.raises(ParameterError, match="no answer to learn from"):
        fit_pal_b(picks(prompts=True).rows(np.arange(0)), 2)
    wrong: list[dict[str, Any]] = [
        {"epochs": 0},
        {"batch": 0},
        {"rate": -1.0},
        {"weight_decay": np.inf},
    ]
    for setting in wrong:
        with pytest.raises(ParameterError, match=next(iter(setting))):
            Training(**setting)
    with pytest.raises(ParameterError, match="lower the rates"):
        fit_pal_a_network(picks(prompts=False), 2, training=Training(rate=1e30))


def test_without_torch_one_line_says_what_to_install() -> None:
    program = (
        "import sys; sys.modules['torch'] = None\n"
        "from palate.errors import MissingExtraError\n"
        "try:\n    import palate.population.networks\n"
        "except MissingExtraError as error:\n    print(error)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert done.stdout == 'torch is not installed: pip install "palate[population]"\n'
