from __future__ import annotations

import numpy as np
import pytest

from palate.diversity import Bilinear, bilinear
from palate.diversity.bilinear import heads_of
from palate.diversity.prepare import prepare
from palate.diversity.rows import margins
from palate.errors import ParameterError
from palate.population import LoRe, PalA, PalB, PopulationModel, PreferenceData, Projector, locate

PEOPLE = ("ann", "bob", "zoe")
RNG = np.random.default_rng(0)
WEIGHTS = RNG.dirichlet(np.ones(3), size=3)
LINEAR = Projector((RNG.normal(size=(2, 4)),), (RNG.normal(size=2),))
SQUARE = Projector((RNG.normal(size=(4, 4)),), (None,), residual=True)
DEEP = Projector((RNG.normal(size=(6, 4)), RNG.normal(size=(4, 6))), (RNG.normal(size=6), None))
P = RNG.normal(size=(3, 4))


def with_prompts(*, prompts: bool = False) -> PreferenceData:
    chosen = RNG.integers(12, size=60)
    return PreferenceData.from_arrays(
        RNG.normal(size=(12, 4)),
        [PEOPLE[i] for i in RNG.integers(3, size=60)],
        chosen,
        (chosen + RNG.integers(1, 12, size=60)) % 12,
        prompts=RNG.normal(size=(5, 4)) if prompts else None,
        prompt=RNG.integers(5, size=60) if prompts else None,
    )


def pal_a(f: Projector, **settings: object) -> PalA:
    return PalA(people=PEOPLE, weights=WEIGHTS, f=f, prototypes=P, **settings)  # type: ignore[arg-type]


EXACT: dict[str, PopulationModel] = {
    "lore": LoRe(people=PEOPLE, weights=WEIGHTS, basis=RNG.normal(size=(4, 3)), scale=0.3),
    "pal-a, linear with a bias": pal_a(LINEAR),
    "pal-a, linear and residual": pal_a(SQUARE),
    "pal-a, prototypes in the image": PalA(
        people=PEOPLE, weights=WEIGHTS, f=LINEAR, prototypes=P[:, :2], ideal="Pw"
    ),
}
BY_SCORES: dict[str, PopulationModel] = {
    "pal-a, network": pal_a(DEEP, ideal="f(P)w"),
    "pal-b": PalB(people=PEOPLE, weights=WEIGHTS, f=DEEP, g=(DEEP, SQUARE, DEEP), scale=2.0),
}


@pytest.mark.parametrize("name", [*EXACT, *BY_SCORES])
def test_margins_are_those_of_the_model(name: str) -> None:
    model = (EXACT | BY_SCORES)[name]
    data = with_prompts(prompts=name == "pal-b")
    found = bilinear(model)
    rows = found.rows(data)
    heads = heads_of(model, data)
    np.testing.assert_allclose(margins(rows, heads, found.basis), model.margins(data))
    assert found.people == PEOPLE
    assert ("scores" in found.note) == (name in BY_SCORES)
    if name in BY_SCORES:
        np.testing.assert_array_equal(found.basis, np.eye(3))
    elif name != "lore":
        assert "taken as known" in found.note


@pytest.mark.parametrize("name", [*EXACT, *BY_SCORES])
def test_rewards_of_the_served_are_those_of_the_model_within_a_pool(name: str) -> None:
    model = (EXACT | BY_SCORES)[name]
    pools = [
        (RNG.normal(size=(n, 4)), RNG.normal(size=(n, 4)) if name == "pal-b" else None)
        for n in (3, 5)
    ]
    found = bilinear(model)
    served = found.served(WEIGHTS, pools, people=PEOPLE)
    rewards = served.rewards(found.basis).reshape(3, 8)
    for (items, prompts), part in zip(pools, (rewards[:, :3], rewards[:, 3:]), strict=True):
        expected = model.rewards(WEIGHTS, items, prompts)
        expected = expected - expected[:, :1]
        np.testing.assert_allclose(part - part[:, :1], expected, atol=1e-9)


def test_an_item_is_another_response_under_another_prompt() -> None:
    model, data = BY_SCORES["pal-b"], with_prompts(prompts=True)
    served = prepare(model, data, None, None, 0).served
    assert served is not None
    rewards = served.rewards(np.eye(3))[: 2 * len(data)].reshape(-1, 2)
    np.testing.assert_allclose(rewards[:, 0] - rewards[:, 1], model.margins(data))


@pytest.mark.parametrize(
    "model",
    [pal_a(LINEAR, power=1), pal_a(DEEP), PalB(f=DEEP, g=(DEEP,), norm="mix")],
    ids=["power 1", "f(Pw)", "mix"],
)
def test_a_reward_that_is_not_linear_in_the_weights_is_refused(model: PopulationModel) -> None:
    with pytest.raises(ParameterError, match="not linear in people's weights"):
        bilinear(model)


def test_weights_on_the_simplex_have_full_rank() -> None:
    """They lie in a hyperplane beside the origin: nothing is missing for that."""
    heads = bilinear(EXACT["lore"]).heads
    assert np.linalg.matrix_rank(heads) == 3
    assert np.linalg.matrix_rank(heads - heads.mean(axis=0)) == 2


def test_heads_are_as_trained_or_located() -> None:
    model = EXACT["lore"]
    data = with_prompts()
    data = PreferenceData(
        data.items, data.person, data.chosen, data.rejected, tuple(f"{n}?" for n in data.people)
    )
    np.testing.assert_array_equal(heads_of(model, data), locate(model, data).weights)
    data = PreferenceData(
        data.items, data.person, data.chosen, data.rejected, (data.people[0], "bob", "ann")
    )
    found = heads_of(model, data)
    np.testing.assert_array_equal(found[1:], WEIGHTS[[1, 0]])
    np.testing.assert_allclose(found[0], locate(model, data).weights[0], atol=1e-9)


def test_answers_are_matched_with_heads_by_name() -> None:
    data = with_prompts()
    population = Bilinear(np.eye(3), RNG.normal(size=(3, 4)), PEOPLE)
    case = prepare(population, data, None, None, 0)
    order = [PEOPLE.index(name) for name in data.people]
    np.testing.assert_array_equal(case.heads, np.eye(3)[order])
    few = Bilinear(np.eye(2, 3), np.ones((3, 4)), ("ann", "eve"))
    with pytest.raises(ParameterError, match="no head for them"):
        prepare(few, data, None, None, 0)


@pytest.mark.parametrize(
    ("heads", "basis", "people", "said"),
    [
        (np.ones(3), np.ones((3, 2)), (), "heads are"),
        (np.ones((2, 3)), np.ones((2, 4)), (), "3 dimensions do not go with a basis of 2"),
        (np.full((2, 3), np.inf), np.ones((3, 4)), (), "heads must be finite"),
        (np.ones((2, 3)), np.ones((3, 4)), ("ann", "ann"), "different names"),
        (np.ones((2, 3)), np.ones((3, 4)), ("ann",), "different names"),
    ],
)
def test_a_population_that_does_not_fit_is_refused(
    heads: np.ndarray, basis: np.ndarray, people: tuple[str, ...], said: str
) -> None:
    with pytest.raises(ParameterError, match=said):
        Bilinear(heads, basis, people)
