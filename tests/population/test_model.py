from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from population_cases import D_X, D, Variant, every_variant, make_data, make_model, mlp

from palate.errors import ParameterError
from palate.population import LoRe, PalA, PalB, PreferenceData, Projector


def swapped(data: PreferenceData) -> PreferenceData:
    return replace(data, chosen=data.rejected, rejected=data.chosen)


@every_variant
def test_swapping_the_options_flips_the_margin(variant: Variant) -> None:
    model, data = make_model(variant), make_data(variant)
    margins = model.margins(data)
    assert np.abs(margins).max() > 1e-3
    np.testing.assert_allclose(model.margins(swapped(data)), -margins, atol=1e-12)
    p = model.predict_proba(data)
    np.testing.assert_allclose(p, 1.0 / (1.0 + np.exp(-margins)))
    np.testing.assert_allclose(p + model.predict_proba(swapped(data)), 1.0)


@every_variant
def test_margins_are_differences_of_rewards(variant: Variant) -> None:
    model, data = make_model(variant), make_data(variant)
    margins = model.margins(data)
    everyone = model.rewards(model.weights, *_shown(data, data.chosen)) - model.rewards(
        model.weights, *_shown(data, data.rejected)
    )
    assert everyone.shape == (4, len(data))
    np.testing.assert_allclose(everyone[data.person, np.arange(len(data))], margins, atol=1e-12)
    for i, person in enumerate(model.people):
        one = model.rewards(model.weights_of(person), *_shown(data, data.chosen))
        assert one.shape == (len(data),)
        np.testing.assert_allclose(
            one, model.rewards(model.weights, *_shown(data, data.chosen))[i], atol=1e-12
        )


def _shown(data: PreferenceData, which: Any) -> tuple[Any, Any]:
    return data.items[which], None if data.prompts is None else data.prompts[data.prompt]


@every_variant
def test_linear_variants_are_linear_and_others_say_that_they_are_not(variant: Variant) -> None:
    model, data = make_model(variant), make_data(variant)
    rng = np.random.default_rng(3)
    w = rng.dirichlet(np.ones(model.k), size=len(model.people))
    chosen, rejected = (_shown(data, which) for which in (data.chosen, data.rejected))
    if not model.linear_in_weights:
        for refused in (lambda: model.linearised(data), lambda: model.scores(*chosen)):
            with pytest.raises(ParameterError, match=r"not linear in the weights; use rewards\(\)"):
                refused()
        return
    b, G = model.linearised(data)
    assert b.shape == (len(data),)
    assert G.shape == (len(data), model.k)
    margins = b + (G * w[data.person]).sum(axis=1)
    np.testing.assert_allclose(margins, model.margins(data, w), atol=1e-12)
    by_rewards = (model.rewards(w, *chosen) - model.rewards(w, *rejected))[
        data.person, np.arange(len(data))
    ]
    np.testing.assert_allclose(margins, by_rewards, atol=1e-12)


def test_which_variants_are_linear() -> None:
    linear = {
        (v.deep, v.ideal, v.power): make_model(v).linear_in_weights
        for v in (
            Variant("pal-a", deep, ideal, power)
            for deep in (False, True)
            for ideal in ("f(Pw)", "f(P)w", "Pw")
            for power in (1, 2)
        )
    }
    not_linear = {(True, "f(Pw)", 2)} | {key for key in linear if key[2] == 1}
    assert {key for key, value in linear.items() if not value} == not_linear


@every_variant
def test_a_corner_of_the_simplex_is_a_prototype(variant: Variant) -> None:
    """One-hot weights give the model of one prototype alone."""
    model, data = make_model(variant), make_data(variant)
    items, prompts = _shown(data, data.chosen)
    for k in range(model.k):
        alone: dict[str, Any] = {"people": (), "weights": np.zeros((0, 1))}
        if isinstance(model, PalA):
            alone["prototypes"] = model.prototypes[[k]]
        elif isinstance(model, PalB):
            alone["g"] = (model.g[k],)
        elif isinstance(model, LoRe):
            alone["basis"] = model.basis[:, [k]]
        np.testing.assert_allclose(
            model.rewards(np.eye(model.k)[k], items, prompts),
            replace(model, **alone).rewards(np.ones(1), items, prompts),
            atol=1e-12,
        )


@every_variant
def test_the_order_of_prototypes_and_people_means_nothing(variant: Variant) -> None:
    model, data = make_model(variant), make_data(variant)
    margins = model.margins(data)
    order = np.roll(np.arange(model.k), 1)
    changed: dict[str, Any] = {"weights": model.weights[:, order]}
    if isinstance(model, PalA):
        changed["prototypes"] = model.prototypes[order]
    elif isinstance(model, PalB):
        changed["g"] = tuple(model.g[k] for k in order)
    elif isinstance(model, LoRe):
        changed["basis"] = model.basis[:, order]
    np.testing.assert_allclose(replace(model, **changed).margins(data), margins, atol=1e-12)
    people = replace(model, people=model.people[::-1], weights=model.weights[::-1])
    np.testing.assert_allclose(people.margins(data), margins, atol=1e-12)
    reordered = data.of_people([3, 1, 0, 2])
    np.testing.assert_allclose(model.margins(reordered), margins, atol=1e-12)


@pytest.mark.parametrize("deep", [False, True])
@pytest.mark.parametrize("ideal", ["f(Pw)", "f(P)w", "Pw"])
def test_plain_and_squared_distances_predict_the_same(deep: bool, ideal: str) -> None:  # noqa: FBT001
    model = make_model(Variant("pal-a", deep, ideal))
    assert isinstance(model, PalA)
    plain, data = replace(model, power=1), make_data(Variant("pal-a"), n=400)
    one, two = plain.margins(data), model.margins(data)
    np.testing.assert_array_equal(np.sign(one), np.sign(two))
    assert np.abs(one - two).max() > 0.1
    # d_r^2 - d_l^2 = (d_r - d_l)(d_r + d_l)
    w = model.weights[data.person]
    u = model.ideal_points(w)
    near = [
        np.linalg.norm(model.f(data.items[i]) - u, axis=1) for i in (data.chosen, data.rejected)
    ]
    np.testing.assert_allclose(two, one * (near[0] + near[1]), atol=1e-9)


def test_pal_a_likes_what_is_near() -> None:
    f = Projector.linear(np.diag([1.0, 2.0]))
    model = PalA(f=f, prototypes=np.array([[1.0, 0.0], [0.0, 1.0]]), weights=np.zeros((0, 2)))
    items = np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]])
    distances = [[0.0, 5.0, 1.25], [5.0, 0.0, 1.25], [1.25, 1.25, 0.0]]
    w = np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]])
    np.testing.assert_allclose(model.rewards(w, items), -np.array(distances))
    scores = model.scores(items).rewards(w)
    np.testing.assert_allclose(
        scores - scores[:, [0]], (-np.array(distances)) + np.array(distances)[:, [0]]
    )


def test_pal_b_likes_what_points_the_same_way() -> None:
    one = Projector.linear(np.eye(2))
    turned = Projector.linear(np.array([[0.0, -5.0], [5.0, 0.0]]))
    model = PalB(f=one, g=(one, turned), scale=7.0, weights=np.zeros((0, 2)))
    items = np.array([[3.0, 0.0], [0.0, 0.1], [-2.0, 0.0]])
    prompts = np.tile([4.0, 0.0], (3, 1))
    w = np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]])
    expected = np.array([[7.0, 0.0, -7.0], [0.0, 7.0, 0.0], [3.5, 3.5, -3.5]])
    np.testing.assert_allclose(model.rewards(w, items, prompts), expected, atol=1e-12)
    # Normalising the mixture instead: the longer mapping counts five times as much.
    mix = replace(model, norm="mix").rewards(w, items, prompts)
    np.testing.assert_allclose(mix[:2], expected[:2], atol=1e-12)
    np.testing.assert_allclose(mix[2], 7.0 * np.array([1.0, 5.0, -1.0]) / np.sqrt(26.0))


def test_lore_is_linear() -> None:
    model = LoRe(basis=np.array([[1.0, 0.0], [0.0, -2.0]]), scale=0.1, weights=np.zeros((0, 2)))
    items = np.array([[1.0, 1.0]])
    np.testing.assert_allclose(model.rewards(np.array([0.25, 0.75]), items), [0.1 * (0.25 - 1.5)])


@pytest.mark.parametrize("kind", ["pal-a", "lore"])
def test_joined_prompts_are_part_of_the_items(kind: str) -> None:
    """A model of [item, prompt] sees the same as one that is given the rows written out."""
    rng = np.random.default_rng(0)
    data = make_data(Variant("pal-b")).joined()
    w = rng.dirichlet(np.ones(2), size=4)
    model: PalA | LoRe = LoRe(people=data.people, weights=w, basis=rng.normal(size=(D + D_X, 2)))
    if kind == "pal-a":
        f = mlp(rng, D + D_X, 6, 3)
        prototypes = rng.normal(size=(2, D + D_X))
        model = PalA(people=data.people, weights=w, f=f, prototypes=prototypes, ideal="f(P)w")
    apart = make_data(Variant("pal-b"))
    assert apart.prompts is not None
    prompts = apart.prompts[apart.prompt]
    rewards = [
        model.rewards(w, np.hstack([apart.items[of], prompts]))[apart.person, np.arange(len(apart))]
        for of in (apart.chosen, apart.rejected)
    ]
    np.testing.assert_allclose(model.margins(data), rewards[0] - rewards[1], atol=1e-12)
    with pytest.raises(ParameterError, match=r"joined\(\)"):
        model.margins(apart)


def test_somebody_unknown_is_named_and_somebody_new_has_the_mean() -> None:
    variant = Variant("lore")
    model = make_model(variant)
    with pytest.raises(ParameterError, match="not trained on anybody named 'zoe'; locate them"):
        model.weights_of("zoe")
    data = make_data(variant, people=("ann", "zoe"))
    with pytest.raises(ParameterError, match="'zoe'"):
        model.margins(data)
    np.testing.assert_allclose(model.mean_weights, model.weights.mean(axis=0))
    margins = model.margins(data, np.tile(model.mean_weights, (2, 1)))
    assert margins.shape == (len(data),)
    nobody = replace(model, people=(), weights=np.zeros((0, 3)))
    np.testing.assert_allclose(nobody.mean_weights, np.full(3, 1 / 3))
    assert model.margins(make_data(variant, n=0)).shape == (0,)


@pytest.mark.parametrize(
    ("variant", "change", "message"),
    [
        (Variant("lore"), {"weights": np.eye(4)}, r"weights of shape \(4, 3\), not \(4, 4\)"),
        (Variant("lore"), {"people": ("a", "a", "b", "c")}, "different names"),
        (Variant("lore"), {"people": (1, 2, 3, 4)}, "names must be texts"),
        (Variant("lore"), {"scale": 0.0}, "scale > 0"),
        (Variant("lore"), {"basis": np.zeros(3)}, "basis"),
        (Variant("pal-a"), {"ideal": "wP"}, "ideal is one of"),
        (Variant("pal-a"), {"power": 3}, "power 1 or 2"),
        (Variant("pal-a"), {"prototypes": np.zeros((3, 9))}, r"shape \(K, 4\), not \(3, 9\)"),
        (Variant("pal-a", ideal="Pw"), {"ideal": "f(P)w"}, r"shape \(K, 4\), not \(3, 3\)"),
        (Variant("pal-b"), {"norm": "all"}, "norm is"),
        (Variant("pal-b"), {"scale": float("nan")}, "scale above 0"),
        (Variant("pal-b"), {"g": ()}, "one or more maps"),
        (Variant("pal-b"), {"f": Projector.linear(np.eye(4))}, "into d = 4"),
    ],
)
def test_models_that_do_not_fit_together(
    variant: Variant, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(ParameterError, match=message):
        replace(make_model(variant), **change)


@every_variant
def test_features_and_weights_of_another_shape(variant: Variant) -> None:
    model, data = make_model(variant), make_data(variant)
    with pytest.raises(ParameterError, match="was trained on d ="):
        model.margins(replace(data, items=np.zeros((12, 9))))
    with pytest.raises(ParameterError, match=r"weights must have shape \(4,"):
        model.margins(data, model.weights[:3])
    if variant.kind == "pal-b":
        with pytest.raises(ParameterError, match="give the features of each item's prompt"):
            model.margins(replace(data, prompts=None, prompt=None))
        with pytest.raises(ParameterError, match="was trained on d ="):
            model.margins(replace(data, prompts=np.zeros((7, 9))))


@pytest.mark.parametrize(
    ("weights", "biases", "change"),
    [
        ((), (), {}),
        ((np.eye(2),), (), {}),
        ((np.eye(2), np.eye(3)), (None, None), {}),
        ((np.eye(2),), (np.zeros(3),), {}),
        ((np.zeros(2),), (None,), {}),
        ((np.zeros((3, 2)),), (None,), {"residual": True}),
        ((np.eye(2),), (None,), {"activation": "tanh"}),
    ],
)
def test_projectors_that_do_not_fit_together(
    weights: tuple[Any, ...], biases: tuple[Any, ...], change: dict[str, Any]
) -> None:
    with pytest.raises(ParameterError):
        Projector(weights, biases, **change)


def test_a_projector_worked_by_hand() -> None:
    weights = (np.array([[1.0, -1.0], [2.0, 0.0]]), np.array([[1.0, 1.0], [0.0, 3.0]]))
    biases = (np.array([0.0, -1.0]), np.array([10.0, 0.0]))
    x = np.array([[1.0, 2.0], [-1.0, 0.0]])
    # The hidden layers are -1 and 1, and -1 and -3.
    relu = Projector(weights, biases, "relu")
    np.testing.assert_allclose(relu(x), [[11.0, 3.0], [10.0, 0.0]])
    np.testing.assert_allclose(replace(relu, residual=True)(x), [[12.0, 5.0], [9.0, 0.0]])
    gelu = Projector(weights, biases, "gelu")
    minus, plus, far = -0.15865525393145707, 0.8413447460685429, -0.004049694094900284
    np.testing.assert_allclose(
        gelu(x), [[10 + minus + plus, 3 * plus], [10 + minus + far, 3 * far]]
    )
    assert not relu.is_linear
    assert Projector.linear(np.eye(2)).is_linear
