"""Domains: the shipped ones, files of their form, and pools of real models read by path."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from elicitation_cases import small_record, write_small

from palate import Elicitation, SimulatedPerson, UserAlignLoss
from palate.bench.domains import (
    AXES,
    SHIPPED_DOMAINS,
    Domain,
    Persona,
    read_domain,
    shipped_domain,
)
from palate.bench.exact import NORM_BOUND, random_theta
from palate.bench.real_pools import DSP_PEOPLE, alpaca_domain, dsp_domain
from palate.bench.reference import reference_step
from palate.embed import default_embedder
from palate.embed.style import STYLE_NAMES, style_features
from palate.errors import PoolError
from palate.pool import Pool, diameter
from palate.preference import ChallengerSearch, VersionSpace
from palate.strategies import comparisons

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.mark.parametrize("name", SHIPPED_DOMAINS)
def test_shipped_domains_are_of_the_papers_size_and_people_have_strict_tastes(name: str) -> None:
    domain = shipped_domain(name)
    assert (domain.name, len(domain.pools), domain.size) == (name, 10, 20)
    assert domain.d == (2 if name == "food2d" else 64)
    assert len({pool.id for pool in domain.pools}) == 10
    assert len({pool.prompt for pool in domain.pools}) == 10
    texts = [r.text for pool in domain.pools for r in pool.responses]
    texts += [pool.baseline.text for pool in domain.pools if pool.baseline is not None]
    assert len(set(texts)) == 210
    assert len({persona.id for persona in domain.personas}) == 30
    assert len({persona.text for persona in domain.personas}) == 30
    assert domain.ratings is not None
    for place, pool in enumerate(domain.pools):
        assert [persona.prompt for persona in domain.personas].count(pool.id) == 3
        raters = domain.raters(place)
        assert len(raters) == (3 if name == "food2d" else 30)
        assert [domain.personas[i].prompt for i in raters[:3]] == [pool.id] * 3
        for ratings in domain.ratings[place, raters]:
            assert len(np.unique(ratings)) == 21
            assert 0.0 <= ratings.min() < ratings.max() <= 10.0
            assert np.ptp(ratings) >= 5.0
            assert 1 <= (ratings[1:] > ratings[0]).sum() <= 19
        features = np.asarray(pool.features)
        if name == "food2d":
            raw = np.array([[r.metadata[a] for a in AXES] for r in pool.responses])
            assert np.abs(raw).max() <= 1.0
            assert diameter(features) == pytest.approx(1.0)
            np.testing.assert_allclose(features, raw / diameter(raw))
        else:
            np.testing.assert_allclose((features**2).sum(axis=1), 0.25, rtol=1e-5)


def test_a_domain_of_axes_is_read_with_its_baselines_in_the_pools_scale(tmp_path: Path) -> None:
    record = small_record()
    domain = read_domain(write_small(tmp_path / "small.json"))
    assert (domain.name, len(domain.pools), domain.size, domain.d) == ("small", 2, 5, 2)
    for place, pool in enumerate(domain.pools):
        assert pool.scaling == "diameter"
        prompt = record["prompts"][place]
        raw = np.array([[r[a] for a in AXES] for r in prompt["responses"]])
        np.testing.assert_allclose(np.asarray(pool.features), raw / diameter(raw))
        plain = np.array([prompt["baseline"][a] for a in AXES])
        np.testing.assert_allclose(domain.baselines[place], plain / diameter(raw))
        own = record["ratings"][pool.id]
        assert domain.ratings is not None
        for person, persona in enumerate(domain.personas):
            if persona.id in own:
                np.testing.assert_array_equal(domain.ratings[place, person], own[persona.id])
            else:
                assert np.isnan(domain.ratings[place, person]).all()
        assert domain.raters(place).tolist() == [2 * place, 2 * place + 1]
    first = domain.first(1)
    assert len(first.pools) == len(first.baselines) == 1
    assert first.ratings is not None
    assert first.ratings.shape == (1, 4, 6)


def test_a_domain_of_texts_is_embedded_and_its_baselines_too(tmp_path: Path) -> None:
    record = small_record(1)
    for response in record["prompts"][0]["responses"]:
        del response[AXES[0]]
    (tmp_path / "texts.json").write_text(json.dumps(record), encoding="utf-8")
    domain = read_domain(tmp_path / "texts.json")
    assert domain.pools[0].scaling == "half"
    vectors = default_embedder()([*(f"about p0-{i}" for i in range(5)), "about p0 plain"])
    features = np.asarray(domain.pools[0].features)
    np.testing.assert_allclose(features, 0.5 * vectors[:5], rtol=1e-6)
    np.testing.assert_allclose(domain.baselines[0], 0.5 * vectors[5], rtol=1e-6)


def test_raters_are_those_who_rated_and_the_prompts_own_come_first() -> None:
    pools = tuple(Pool(p, ["a", "b"], [[0.0], [1.0]], id=p) for p in ("p", "q"))
    personas = (Persona("x", "x"), Persona("y", "y", "q"), Persona("z", "z", "p"))
    ratings = np.arange(18.0).reshape(2, 3, 3)
    ratings[0, 1] = np.nan
    domain = Domain("d", pools, np.zeros((2, 1)), personas, ratings)
    assert domain.raters(0).tolist() == [2, 0]
    assert domain.raters(1).tolist() == [1, 0, 2]
    unrated = Domain("d", pools, np.zeros((2, 1)), personas)
    assert unrated.raters(1).tolist() == [1, 0, 2]


def _two_personas(record: dict[str, Any]) -> None:
    record["personas"][1]["id"] = record["personas"][0]["id"]


def _short_pool(record: dict[str, Any]) -> None:
    record["prompts"][1]["responses"].pop()
    record["ratings"] = {}


def _ratings(values: list[float]) -> Callable[[dict[str, Any]], None]:
    def change(record: dict[str, Any]) -> None:
        record["ratings"]["p0"]["p0-ann"] = values

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_two_personas, "two personas have the same id"),
        (_short_pool, r"equally many responses, not \[4, 5\]"),
        (_ratings([1, 2, 3, 4, 5]), "ratings of p0, p0-ann are 6 numbers from 0 to 10"),
        (_ratings([1, 2, 3, 4, 5, 11]), "ratings of p0, p0-ann are 6 numbers from 0 to 10"),
        (_ratings([1, 2, 3, 4, 5, 5]), "ratings of p0, p0-ann hold a number twice"),
        (lambda r: r["ratings"]["p0"].update(eve=[]), "ratings by 'eve', who is not a persona"),
        (lambda r: r["ratings"].update(p9={}), r"not there: \['p9'\]"),
        (lambda r: r["personas"][0].update(prompt="p9"), r"not there: \['p9'\]"),
        (lambda r: r.pop("personas"), r"small\.json is not a domain, .*: 'personas' is missing"),
        (lambda r: r["prompts"][0].update(responses=3), r"small\.json is not a domain, an object"),
    ],
)
def test_a_file_that_is_no_domain_is_refused_in_one_line(
    tmp_path: Path, change: Callable[[dict[str, Any]], object], said: str
) -> None:
    record = small_record()
    change(record)
    path = tmp_path / "small.json"
    path.write_text(json.dumps(record), encoding="utf-8")
    with pytest.raises(PoolError, match=said) as caught:
        read_domain(path)
    assert "\n" not in str(caught.value)


def test_a_domain_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(PoolError, match=r"there is no shipped domain 'food3d'; there are food2d"):
        shipped_domain("food3d")
    with pytest.raises(PoolError, match=r"cannot read .*none\.json"):
        read_domain(tmp_path / "none.json")
    (tmp_path / "torn.json").write_text("{", encoding="utf-8")
    with pytest.raises(PoolError, match=r"cannot read .*torn\.json"):
        read_domain(tmp_path / "torn.json")


@pytest.fixture
def alpaca(tmp_path: Path) -> Path:
    """Two cooking questions and a travel question of the published form, three responses each."""
    rows, ids = [], []
    for number, topic in enumerate(("cooking", "cooking", "travel")):
        texts = [f"{topic} {number} {'word ' * (4 + 3 * i + number)}" for i in range(3)]
        texts[0] += "\n- a\n- b"
        responses = [{"id": f"q{number}-{i}", "text": text} for i, text in enumerate(texts)]
        baseline = {"text_davinci_003": f"plain {topic} {number}", "gpt4_1106_preview": "best"}
        rows.append(
            {
                "qid": f"q{number}",
                "topic": topic,
                "question": f"question {number}",
                "baseline": baseline,
                "responses": responses,
            }
        )
        ids += [f"q{number}-text_davinci_003", *(r["id"] for r in responses)]
    with gzip.open(tmp_path / "alpaca_pools_dev.jsonl.gz", "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    people = [
        {"pid": "short", "topic": "cooking", "text": "short", "style": _style(-1, 0, 0)},
        {"pid": "lists", "topic": "cooking", "text": "lists", "style": _style(0, 1, 0)},
        {"pid": "far", "topic": "travel", "text": "far", "style": _style(0, 0, 0)},
    ]
    (tmp_path / "persona_texts_dev.json").write_text(json.dumps(people), encoding="utf-8")
    rng = np.random.default_rng(1)
    np.savez(
        tmp_path / "alpaca_pools_dev_emb.npz",
        ids=np.array(ids),
        minilm=rng.normal(size=(len(ids), 5)).astype(np.float16),
        pids=np.array([p["pid"] for p in people]),
        p_minilm=rng.normal(size=(3, 5)).astype(np.float16),
    )
    return tmp_path


def _style(length: int, bullets: int, formality: int) -> dict[str, int]:
    return {"length": length, "bullets": bullets, "formality": formality}


def _z(values: np.ndarray[Any, Any], pool: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return (values - pool.mean()) / pool.std()


def test_alpaca_people_judge_by_content_and_style_within_the_pool(alpaca: Path) -> None:
    domain = alpaca_domain(alpaca, 3, style_weight=0.7)
    assert (domain.name, domain.note, domain.d) == ("alpaca", "", 64)
    assert domain.ratings is not None
    assert [pool.id for pool in domain.pools] == ["q0", "q1", "q2"]
    assert [domain.raters(i).tolist() for i in range(3)] == [[0, 1], [0, 1], [2]]
    with np.load(alpaca / "alpaca_pools_dev_emb.npz") as vectors:
        rows = vectors["minilm"].astype(float)
        tastes = vectors["p_minilm"].astype(float)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    tastes /= np.linalg.norm(tastes, axis=1, keepdims=True)
    pool = domain.pools[1]
    texts = [str(r.text) for r in pool.responses]
    cosine = rows[4:8] @ tastes[0]
    lengths = style_features(texts)[:, STYLE_NAMES.index("length")]
    expected = _z(cosine, cosine[1:])[1:] - 0.7 * lengths
    np.testing.assert_allclose(domain.ratings[1, 0, 1:], expected, rtol=1e-9)
    of_baseline = style_features([str(pool.baseline.text)], reference=texts)  # type: ignore[union-attr]
    length = of_baseline[0, STYLE_NAMES.index("length")]
    expected = _z(cosine, cosine[1:])[0] - 0.7 * length
    assert domain.ratings[1, 0, 0] == pytest.approx(float(expected))
    bullets = style_features(texts)[:, STYLE_NAMES.index("lists")]
    content = rows[5:8] @ tastes[1]
    np.testing.assert_allclose(
        domain.ratings[1, 1, 1:], _z(content, content) + 0.7 * bullets, rtol=1e-9
    )
    assert len(alpaca_domain(alpaca, 2, prompts=1).pools) == 1


def test_a_large_pool_takes_other_prompts_responses_and_says_so(alpaca: Path) -> None:
    domain = alpaca_domain(alpaca, 7)
    assert domain.name == "alpaca (7 across prompts)"
    assert "come from other prompts" in domain.note
    ids = [r.id for r in domain.pools[0].responses]
    assert ids[:3] == ["q0-0", "q0-1", "q0-2"]
    assert len(set(ids)) == 7
    assert domain.ratings is not None
    assert np.isfinite(domain.ratings[0, 0]).all()
    first = alpaca_domain(alpaca, 7, prompts=1)
    assert [[r.id for r in pool.responses] for pool in first.pools] == [ids]
    with pytest.raises(PoolError, match="there are 9 different responses, not 10"):
        alpaca_domain(alpaca, 10)
    few = [[r.id for r in alpaca_domain(alpaca, 2, seed=s).pools[0].responses] for s in range(9)]
    assert few[0] == [r.id for r in alpaca_domain(alpaca, 2, seed=0).pools[0].responses]
    assert len(set(map(tuple, few))) > 1


def test_folders_without_alpaca_pools(alpaca: Path, tmp_path: Path) -> None:
    with pytest.raises(PoolError, match="alpaca_pools_heldout"):
        alpaca_domain(alpaca, 3, part="heldout")
    with pytest.raises(PoolError, match="does not hold AlpacaEval pools with their people"):
        alpaca_domain(alpaca, 3, baseline="gpt5")
    (tmp_path / "persona_texts_dev.json").write_text("[{}]", encoding="utf-8")
    with pytest.raises(PoolError, match="does not hold AlpacaEval pools with their people"):
        alpaca_domain(tmp_path, 3)


def test_dsp_pools_have_their_four_domains_first_and_nobodys_ratings(tmp_path: Path) -> None:
    path = tmp_path / "dsp.jsonl"
    rows = [
        {
            "qid": q,
            "query": f"question {q}",
            "responses": {name: f"{name} on {q}" for name in ("normal", *DSP_PEOPLE)},
        }
        for q in range(4)
    ]
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    domain = dsp_domain(path, 6, prompts=3)
    assert domain.ratings is None
    assert len(domain.pools) == 3
    for pool in domain.pools:
        assert [r.text for r in pool.responses[:4]] == [f"{n} on {pool.id}" for n in DSP_PEOPLE]
        assert pool.baseline is not None
        assert pool.baseline.text == f"normal on {pool.id}"
        assert len(pool) == 6
    assert [p.id for p in domain.personas] == list(DSP_PEOPLE)
    assert dsp_domain(path, 4).note == ""
    path.write_text('{"qid": 1, "query": "q", "responses": {}}', encoding="utf-8")
    with pytest.raises(PoolError, match="is not the DSP data set: a row has no 'normal'"):
        dsp_domain(path)


def test_the_loss_binds_on_food2d_and_is_solved_as_cvxpy_does() -> None:
    pool = shipped_domain("food2d").pools[0]
    features = np.asarray(pool.features, dtype=np.float64)
    theta = random_theta(np.random.default_rng(0), 2)
    elicitation = Elicitation(pool, UserAlignLoss(epsilon=None, max_steps=199), seed=1)
    elicitation.run(SimulatedPerson(theta))
    bounds = []
    for t in (10, 100, 199):
        differences, _ = comparisons(elicitation.history[:t], features)
        space = VersionSpace(differences, NORM_BOUND, consistent=False)
        assert space.loss_can_bind == (t > 10)
        incumbent, challenger, bound = reference_step(
            features, differences, NORM_BOUND, 0.05, consistent=False
        )
        assert incumbent == np.argmax(features @ space.estimate)
        found = ChallengerSearch(features, NORM_BOUND).search(space, incumbent)
        assert found.index == challenger
        assert found.value == pytest.approx(bound, abs=1e-6)
        bounds.append(found.value)
    # The ball alone would leave the bound where it was.
    assert bounds[0] > 2.0 * bounds[2]
