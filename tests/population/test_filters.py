"""Pick-a-Filter: who gets which filter, what it does to an image, and what a model makes of it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
import pytest

from palate.errors import MissingExtraError, ParameterError, PoolError
from palate.feedback import Comparison
from palate.population import from_comparisons
from palate.population.evaluate import evaluate
from palate.population.filters import (
    colour_filter,
    common_pairs,
    filtered_image,
    load_image,
    pick_a_filter,
)
from palate.population.known import known_features
from palate.population.linear import fit_pal_a
from palate.population.splits import split

if TYPE_CHECKING:
    from pathlib import Path

NAMES = [f"i{i}" for i in range(30)]


def pairs(people: int = 6, each: int = 20, seed: int = 0) -> list[Comparison]:
    rng = np.random.default_rng(seed)
    return common_pairs(NAMES, rng.normal(size=len(NAMES)), people, each, seed=seed)


def test_filters_follow_the_paper() -> None:
    plain = pairs()
    made = pick_a_filter(plain, 0.5, seed=3)
    assert Counter(made.groups.values()) == {"cold": 3, "warm": 3}
    seen: Counter[tuple[str, bool]] = Counter()
    for before, after in zip(plain, made.comparisons, strict=True):
        assert (before.person, before.picked) == (after.person, after.picked)
        assert before.person is not None
        changed = [i for i in range(2) if before.options[i] != after.options[i]]
        assert len(changed) <= 1
        for i in changed:
            name, _, tone = after.options[i].partition("#")
            assert name == before.options[i]
            wins = i == after.picked
            assert (tone == made.groups[before.person]) is wins
            seen[before.person, wins] += 1
    # Of everybody's 20 pairs 10 are filtered, 5 on the winner and 5 on the loser.
    assert set(seen.values()) == {5}
    assert len(seen) == 12


@pytest.mark.parametrize(("beta", "filtered"), [(0.0, 0), (1.0, 120), (0.025, 0), (0.075, 12)])
def test_the_mixture_ratio_is_of_each_person(beta: float, filtered: int) -> None:
    made = pick_a_filter(pairs(), beta)
    assert sum("#" in "".join(c.options) for c in made.comparisons) == filtered


def test_a_seed_decides_and_a_person_does_not_depend_on_the_others() -> None:
    plain = pairs()
    made = [pick_a_filter(plain, 0.5, seed=seed).comparisons for seed in (1, 1, 2)]
    assert made[0] == made[1] != made[2]


def test_people_go_into_groups_by_turns_sorted_by_how_much_they_chose() -> None:
    counts = {"a": 2, "b": 5, "c": 3, "d": 4}
    comparisons = [
        Comparison("?", ("x", "y"), 0, who) for who, n in counts.items() for _ in range(n)
    ]
    undecided = [Comparison("?", ("x", "y"), "tie", "a")] * 9
    made = pick_a_filter([*undecided, *comparisons], 1.0)
    assert made.groups == {"b": "cold", "d": "warm", "c": "cold", "a": "warm"}
    assert len(made.comparisons) == 14
    assert set(made.names) == {"x", "y", "x#cold", "x#warm", "y#cold", "y#warm"}


@pytest.mark.parametrize(
    ("comparison", "beta", "message"),
    [
        (Comparison("?", ("a", "b"), 0, "p"), 1.5, r"beta, .* not 1\.5"),
        (Comparison("?", ("a", "b"), 0, "p"), float("nan"), "beta, .* not nan"),
        (Comparison("?", ("a", "b"), 0, None), 0.5, "has 2 and the person None"),
        (Comparison("?", ("a", "b", "c"), 0, "p"), 0.5, "has 3 and the person p"),
        (Comparison("?", ("a#b", "c"), 0, "p"), 0.5, "'a#b' has a '#'"),
    ],
)
def test_what_cannot_be_filtered(comparison: Comparison, beta: float, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        pick_a_filter([comparison], beta)


def test_a_filter_is_a_blend() -> None:
    image = np.array([[[0, 100, 200], [255, 255, 255]]], dtype=np.uint8)
    cold = colour_filter(image, "cold", 0.5)
    assert cold.dtype == np.uint8
    assert cold.tolist() == [[[0, 50, 228], [128, 128, 255]]]
    warm = colour_filter(image[None] / 255.0, "warm", 0.5)
    np.testing.assert_allclose(warm[0, 0, 0], [0.5, 50 / 255, 100 / 255])
    assert colour_filter(image, "warm", 0.0).tolist() == image.tolist()
    assert colour_filter(image.astype(np.float32), "cold", 1.0).dtype == np.float32


@pytest.mark.parametrize(
    ("image", "tone", "strength"),
    [
        (np.zeros((2, 2, 3)), "green", 0.3),
        (np.zeros((2, 2, 3)), "cold", 1.1),
        (np.zeros((2, 2, 4)), "cold", 0.3),
        (np.zeros((2, 3)), "cold", 0.3),
        (np.zeros((2, 2, 3), dtype=np.int64), "cold", 0.3),
    ],
)
def test_what_is_no_image_or_no_filter(image: np.ndarray, tone: str, strength: float) -> None:
    with pytest.raises(ParameterError):
        colour_filter(image, tone, strength)  # type: ignore[arg-type]


def test_an_image_by_its_name() -> None:
    images = {"x": np.full((2, 2, 3), 100, dtype=np.uint8)}
    assert filtered_image("x", images.__getitem__).tolist() == images["x"].tolist()
    assert filtered_image("x#warm", images.__getitem__, 1.0)[0, 0].tolist() == [255, 0, 0]
    with pytest.raises(ParameterError, match="tone is 'cold' or 'warm'"):
        filtered_image("x#pink", images.__getitem__)


def test_image_files(tmp_path: Path) -> None:
    pil = pytest.importorskip("PIL.Image", reason="image files need pillow")
    path = tmp_path / "x.png"
    pil.fromarray(np.full((4, 6, 3), 7, dtype=np.uint8)).save(path)
    assert load_image(path).shape == (4, 6, 3)
    assert load_image(path, 5).shape == (5, 5, 3)
    assert load_image(path).max() == 7
    with pytest.raises(PoolError, match=r"cannot read the image .*: No such file"):
        load_image(tmp_path / "absent.png")
    (tmp_path / "bad.png").write_bytes(b"no image")
    with pytest.raises(PoolError, match="cannot read the image"):
        load_image(tmp_path / "bad.png")


def test_without_pillow_the_message_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "PIL", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'palate\[images\]'"):
        load_image(tmp_path / "x.png")


def test_common_pairs_agree_with_the_utilities() -> None:
    sure = common_pairs(NAMES, 1e6 * np.arange(30.0), 3, 50)
    assert all(int(str(c.chosen)[1:]) > int(c.rejected[0][1:]) for c in sure)
    assert Counter(c.person for c in sure) == {f"person {i}": 50 for i in (1, 2, 3)}
    even = common_pairs(NAMES, np.zeros(30), 1, 2000)
    assert abs(np.mean([c.picked == 0 for c in even]) - 0.5) < 0.05
    for names, utilities in ((["x"], [0.0]), (NAMES, [0.0]), (["x", "y"], [0.0, np.nan])):
        with pytest.raises(ParameterError, match="need a finite utility each"):
            common_pairs(names, utilities, 1, 1)


def thumbnails(names: tuple[str, ...], seed: int = 0) -> np.ndarray:
    """Features of simulated images: the mean colour and the brightness of four quarters."""
    rng = np.random.default_rng(seed)
    images = {name: rng.random((8, 8, 3)) * rng.random(3) for name in NAMES}
    rows = []
    for name in names:
        image = filtered_image(name, images.__getitem__)
        quarters = image.mean(axis=2).reshape(2, 4, 2, 4).mean(axis=(1, 3)).reshape(-1)
        rows.append([*image.mean(axis=(0, 1)), *quarters])
    return np.array(rows)


def test_two_prototypes_tell_the_groups_apart_and_one_cannot() -> None:
    made = pick_a_filter(pairs(12, 60), 1.0)
    embed = known_features(made.names, thumbnails(made.names))
    data, left_out = from_comparisons(made.comparisons, embed, prompts="none")
    assert left_out == 0
    parts = split(data, unseen=0, test=0.3)
    accuracy = []
    for k in (1, 2):
        model = fit_pal_a(parts.train, k, seed=0).model
        accuracy.append(evaluate(model, parts.seen_test).accuracy)
    assert accuracy[1] > 0.9
    assert accuracy[0] < accuracy[1] - 0.15


def test_known_features_refuses_what_it_does_not_know() -> None:
    look_up = known_features(["a", "b"], [[1.0, 2.0], [3.0, 4.0]])
    assert look_up(["b", "a", "b"]).tolist() == [[3.0, 4.0], [1.0, 2.0], [3.0, 4.0]]
    with pytest.raises(ParameterError, match="no features of 'c' and 1 more"):
        look_up(["a", "c", "d"])
    with pytest.raises(ParameterError, match="'a' is there twice"):
        known_features(["a", "b", "a"], np.zeros((3, 1)))
    with pytest.raises(ParameterError, match=r"2 names need \(2, d\) features, not \(3, 1\)"):
        known_features(["a", "b"], np.zeros((3, 1)))
