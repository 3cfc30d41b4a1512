"""A profile keeps what was answered, once, and gives it back as a past, a prior and texts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from palate import Elicitation, Pool, Profile, Response, SimulatedPerson, UserAlign, WinnerStays
from palate.errors import LogError, ParameterError, PoolError
from palate.formats import trl_rows
from palate.population import GaussianPopulation, with_outsiders
from palate.preference.memory import Remembering
from palate.preference.prior import Features
from palate.strategies import Eubo

if TYPE_CHECKING:
    from pathlib import Path

    from palate._typing import FloatArray
    from palate.feedback import Picked

D = 6
TASTE = np.array([2.0, -1.0, 0.5, 0.0, 0.0, 0.0])


def a_pool(prompt: str = "dinner?", seed: int = 0, n: int = 8, **settings: Any) -> Pool:
    rows = np.random.default_rng(seed).normal(size=(n, D))
    texts = [f"{prompt} text {i}" + " more" * i for i in range(n)]
    return Pool(prompt, texts, rows, **({"scaling": "half", "embedder": "mine"} | settings))


def asked(pool: Pool, *picks: Picked, seed: int = 0, options: int = 2) -> Elicitation:
    elicitation = Elicitation(pool, Eubo(options=options, max_steps=50, tolerance=0.0), seed=seed)
    for number, picked in enumerate(picks):
        query = elicitation.ask()
        assert query is not None
        elicitation.tell(query, picked, at=f"2026-01-0{seed + 1}T00:00:{number:02}.000+00:00")
    return elicitation


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new" / "ann.jsonl"


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def simplified(profile: Profile) -> list[tuple[str, tuple[str, ...], Picked]]:
    return [(a.prompt, tuple(r.id for r in a.options), a.picked) for a in profile.answers()]


# --- remembering --------------------------------------------------------------------------------


def test_what_was_answered_is_remembered_once(path: Path) -> None:
    elicitation = asked(a_pool(), 0, "tie", 1, "skip")
    with Profile.open(path) as profile:
        assert profile.remember(elicitation) == 4
        assert profile.remember(elicitation) == 0
        query = elicitation.ask()
        assert query is not None
        elicitation.tell(query, 1)
        assert profile.remember(elicitation) == 1
        expected = [("dinner?", a.query.ids, a.picked) for a in elicitation.history]
        assert simplified(profile) == expected
    again = Profile.read(path)
    assert simplified(again) == expected
    assert again.records == 5
    assert again.remember(elicitation) == 0
    for kept, answer in zip(again.answers(), elicitation.history, strict=True):
        places = list(answer.query.options)
        features, style = elicitation.pool.features, elicitation.pool.style
        assert features is not None
        assert style is not None
        assert np.array_equal(np.asarray(kept.features), features[places])
        assert np.array_equal(np.asarray(kept.style), style[places])
        assert (kept.embedder, kept.scaling, kept.scale) == ("mine", "half", 0.5)
        assert [r.text for r in kept.options] == [
            elicitation.pool.responses[i].text for i in places
        ]
        assert (kept.at, kept.seconds) == (answer.at, answer.seconds)


def test_undone_answers_are_taken_back_and_stay_in_the_file(path: Path) -> None:
    elicitation = asked(a_pool(), 0, 1, 1)
    with Profile.open(path) as profile:
        profile.remember(elicitation)
        elicitation.undo()
        elicitation.undo()
        assert profile.remember(elicitation) == 2
        assert len(profile.answers()) == 1
        query = elicitation.ask()
        assert query is not None
        elicitation.tell(query, 0)
        assert profile.remember(elicitation) == 1
        expected = simplified(profile)
    assert [picked for *_, picked in expected] == [0, 0]
    assert simplified(Profile.read(path)) == expected
    assert ["undo" in line for line in lines(path)[1:]] == [False] * 3 + [True] * 2 + [False]


def test_an_answer_that_was_changed_between_two_calls_is_changed(path: Path) -> None:
    elicitation = asked(a_pool(), 0, 1)
    with Profile.open(path) as profile:
        profile.remember(elicitation)
        for _ in range(2):
            elicitation.undo()
        for picked in ("tie", 1):
            query = elicitation.ask()
            assert query is not None
            elicitation.tell(query, picked)
        assert profile.remember(elicitation) == 4
        assert [a.picked for a in profile.answers()] == ["tie", 1]


def test_a_run_is_recorded_answer_by_answer(path: Path) -> None:
    """What stands in the file after each answer is what the elicitation holds."""
    elicitation = asked(a_pool())
    replies = iter([0, 1, "undo", "tie", 1, "undo", "undo", 0, "stop"])
    seen: list[tuple[list[Picked], list[Picked]]] = []

    class Person:
        def answer(self, *_: object) -> Any:
            held = [a.picked for a in Profile.read(path).answers()]
            seen.append((held, [a.picked for a in elicitation.history]))
            return next(replies)

    with Profile.open(path) as profile:
        elicitation.run(Person(), record=profile.recorder(elicitation))
    assert len(seen) == 9
    assert all(held == told for held, told in seen)
    assert [a.picked for a in Profile.read(path).answers()] == [0, 0]


def test_runs_are_told_apart_and_a_resumed_one_is_the_same(path: Path) -> None:
    first, second = asked(a_pool(), 0, 1), asked(a_pool(), 0, 1, seed=1)
    again = asked(a_pool(), 0, 1)  # another day, which the time of its first answer tells
    again.undo()
    again.undo()
    later = Elicitation(a_pool(), first.strategy, seed=0)
    query = later.ask()
    assert query is not None
    later.tell(query, 0)
    with Profile.open(path) as profile:
        assert profile.remember(first) == 2
        assert profile.remember(second) == 2
        assert profile.remember(later) == 1
        resumed = Elicitation.from_json(first.to_json(), a_pool())
        assert profile.remember(resumed) == 0
        resumed.undo()
        assert profile.remember(resumed) == 1
        assert len(profile.answers()) == 4
        assert profile.prompts == ("dinner?",)


def test_orders_images_and_pools_without_features(path: Path) -> None:
    images = Pool("which?", [Response("a", image="a.png"), Response("b", image="b.png")])
    with Profile.open(path) as profile:
        profile.remember(asked(a_pool(n=24), (2, 0), (1, 3, 0, 2), 3, options=4))
        elicitation = Elicitation(images, WinnerStays())
        query = elicitation.ask()
        assert query is not None
        elicitation.tell(query, 1)
        profile.remember(elicitation)
    answers = Profile.read(path).answers()
    assert [a.picked for a in answers] == [(2, 0), (1, 3, 0, 2), 3, 1]
    assert [len(a.stages) for a in answers] == [2, 3, 1, 1]
    assert [r.image for r in answers[3].options] == [f"{i}.png" for i in query.ids]
    assert answers[3].features is None
    assert answers[3].style is None
    with pytest.raises(PoolError, match="is an image"):
        Profile.read(path).comparisons()


def test_a_pool_that_grows_is_remembered_as_it_is() -> None:
    elicitation = asked(a_pool(), 0, 1)
    elicitation.extend(["late one", "late two"], features=np.eye(D)[:2])
    profile = Profile()
    profile.remember(elicitation)
    query = elicitation.ask()
    assert query is not None
    elicitation.tell(query, 0)
    assert profile.remember(elicitation) == 1
    assert len(profile.answers()) == 3


def test_half_an_emoji_survives(path: Path) -> None:
    pool = Pool("p", ["cut \ud83d", "whole 🧀"], np.eye(2), embedder="mine")
    with Profile.open(path) as profile:
        profile.remember(asked(pool, 0))
    texts = {r.text for r in Profile.read(path).answers()[0].options}
    assert texts == {"cut \ud83d", "whole 🧀"}


# --- the file -----------------------------------------------------------------------------------


def test_a_file_cut_anywhere_keeps_its_whole_lines(path: Path) -> None:
    elicitation = asked(a_pool(n=3), 0, 1)
    with Profile.open(path) as profile:
        profile.remember(elicitation)
    whole = path.read_bytes()
    ends = [i + 1 for i, byte in enumerate(whole) if byte == ord("\n")]
    for cut in (*range(ends[0], ends[0] + 40), ends[1] - 1, ends[1], ends[2] - 1, ends[2]):
        path.write_bytes(whole[:cut])
        kept = sum(end <= cut for end in ends) - 1
        assert Profile.read(path).records == kept
        assert path.read_bytes() == whole[:cut]
        with Profile.open(path) as profile:
            assert profile.remember(elicitation) == 2 - kept
        assert path.read_bytes() == whole


def test_an_empty_file_is_a_new_profile(path: Path) -> None:
    path.parent.mkdir()
    path.touch()
    with Profile.open(path) as profile:
        profile.remember(asked(a_pool(), 0))
    assert len(Profile.read(path).answers()) == 1


def test_one_holds_it_at_a_time_and_anybody_reads_it(path: Path) -> None:
    with Profile.open(path) as profile:
        profile.remember(asked(a_pool(), 0))
        with pytest.raises(LogError, match="in use by another process"):
            Profile.open(path)
        copy = Profile.read(path)
        copy.remember(asked(a_pool(), 0, 1, seed=1))
        copy.forget()
        assert copy.path is None
    assert len(Profile.read(path).answers()) == 1
    with pytest.raises(LogError, match=r"the profile .*ann\.jsonl is closed"):
        profile.remember(asked(a_pool(), 0))
    with pytest.raises(LogError, match="is closed"):
        profile.forget()
    assert len(profile.answers()) == 1


GOOD: dict[str, Any] = {
    "prompt": "p",
    "run": "r",
    "shown": [{"id": "a", "text": "A"}, {"id": "b", "text": "B"}],
    "answer": "pick",
    "picked": "a",
    "embedder": "mine",
    "scaling": "half",
    "scale": 0.5,
    "features": [[0.5, 0.0], [0.0, 0.5]],
}


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"prompt": None}, "expected a text, not None"),
        ({"run": 3}, "expected a text, not 3"),
        ({"shown": None}, "line 2: no record of a profile"),
        ({"shown": [{"id": "a", "text": "A"}]}, "two or more different responses"),
        ({"shown": [{"id": "a", "text": "A"}] * 2}, "two or more different responses"),
        ({"shown": ["a", "b"]}, "no record of a profile"),
        ({"shown": [{"id": "a"}, {"id": "b", "text": "B"}]}, "'a' is empty"),
        ({"answer": "yes"}, "'pick', 'order', 'tie' or 'skip', not 'yes'"),
        ({"answer": None}, "not None"),
        ({"picked": "c"}, "no record of a profile"),
        ({"answer": "order", "order": ["a", "a"]}, "different positions"),
        ({"answer": "order"}, "it lacks 'order'"),
        ({"features": [[0.5, 0.0]]}, r"shape \(2, d\)"),
        ({"features": [[0.5, 0.0], [0.0, "x"]]}, "no record of a profile"),
        ({"scaling": "thirds"}, "scaled by a rule, not 'thirds'"),
        ({"scale": 0}, "scaled by a rule"),
        ({"embedder": None}, "expected a text, not None"),
        ({"style": [[1.0]]}, r"shape \(2, d\)"),
        ({"undo": "r"}, "is taken back, and there is none"),
    ],
)
def test_a_damaged_record_is_named(path: Path, change: dict[str, Any], match: str) -> None:
    path.parent.mkdir()
    header = json.dumps({"palate-profile": 1})
    path.write_text(f"{header}\n{json.dumps(GOOD)}\n", encoding="utf-8")
    assert len(Profile.read(path).answers()) == 1
    path.write_text(f"{header}\n{json.dumps(GOOD | change)}\n", encoding="utf-8")
    before = path.read_bytes()
    for opened in (Profile.read, Profile.open):
        with pytest.raises(LogError, match=match) as caught:
            opened(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ('{"palate": 1}\n', "is not a profile"),
        ("[]\n", "JSON object"),
        ("notes\n", "line 1: not JSON"),
        ("half a line", "is not a profile"),
        ('{"palate-profile": 2}\n', "format 2, and this palate reads 1"),
        ('{"palate-profile": "x"}\n', "is not a profile"),
    ],
)
def test_another_file_is_refused_and_left_alone(path: Path, content: str, match: str) -> None:
    path.parent.mkdir()
    path.write_text(content, encoding="utf-8")
    for opened in (Profile.read, Profile.open):
        with pytest.raises(LogError, match=match):
            opened(path)
    assert path.read_text(encoding="utf-8") == content
    with pytest.raises(LogError, match="cannot read"):
        Profile.open(path.parent)
    with pytest.raises(LogError, match="cannot write"):
        Profile.open(path / "in a file" / "ann.jsonl")


# --- what follows from it -----------------------------------------------------------------------


def test_a_past_has_the_rows_of_every_stage() -> None:
    profile, pool = Profile(), a_pool("lunch?", seed=3)
    elicitation = asked(a_pool(n=24), 1, "tie", (2, 0), 3, options=4)
    profile.remember(elicitation)
    past = profile.past(pool)
    history = [a for a in elicitation.history if a.stages]
    shown = [i for a in history for i in a.query.options]
    features = elicitation.pool.features
    assert features is not None
    assert np.array_equal(past.features, features[shown])
    expected = [
        (w, v, stage)
        for stage, (w, losers) in enumerate(s for a in history for s in a.stages)
        for v in losers
    ]
    rows = zip(past.winner, past.loser, past.group, strict=True)
    assert [(shown[w], shown[v], int(g)) for w, v, g in rows] == expected
    # A row belongs to the answer that it is about, though a response may be shown in several.
    assert all(w // 4 == v // 4 for w, v in zip(past.winner, past.loser, strict=True))
    assert set(past.age.tolist()) == {1}
    assert past.style is not None
    assert past.style.shape == (12, 7)


def test_age_counts_the_prompts_since() -> None:
    profile = Profile()
    other = a_pool("brunch?", seed=5, embedder="another")
    for number, pool in enumerate([a_pool("a", 1), a_pool("b", 2), other, a_pool("a", 1)]):
        profile.remember(asked(pool, 0, 1, seed=number))
    past = profile.past(a_pool("c", 3))
    # The second run of "a" is one prompt ago; what another embedder made is a prompt, too.
    assert past.age.tolist() == [4] * 4 + [3] * 4 + [1] * 4
    assert profile.past(a_pool("c", 3), upto=4).age.tolist() == [2] * 4 + [1] * 4
    assert profile.past(other).age.tolist() == [2] * 4
    assert len(profile.past(other, upto=0).winner) == 0


@pytest.mark.parametrize("change", [{"embedder": "another"}, {"scaling": "diameter"}])
def test_other_features_are_not_compared(change: dict[str, Any]) -> None:
    profile = Profile()
    profile.remember(asked(a_pool(), 0, 1))
    pool = a_pool("lunch?", 3, **change)
    past = profile.past(pool)
    assert past.features.shape == (0, D)
    assert len(past.winner) == 0
    base = Features()
    assert profile.prior(pool, base) is base
    narrow = Pool("p", ["a", "b"], np.eye(2), embedder="mine", scaling="half")
    assert profile.prior(narrow, base) is base


def test_features_without_a_name_are_kept_out() -> None:
    profile = Profile()
    for pool in (a_pool(embedder=None), Pool("p", ["a", "b"])):
        elicitation = Elicitation(pool, WinnerStays())
        query = elicitation.ask()
        assert query is not None
        elicitation.tell(query, 0)
        profile.remember(elicitation)
        with pytest.raises(PoolError, match="embedder='NAME'"):
            profile.past(pool)
        with pytest.raises(PoolError, match="embedder='NAME'"):
            profile.prior(pool)
    assert [a.features for a in profile.answers()] == [None, None]
    assert len(profile.past(a_pool()).winner) == 0


def test_features_scaled_by_their_pools_are_brought_to_one_scale() -> None:
    rng = np.random.default_rng(0)
    small, large = rng.normal(size=(5, D)), 9.0 * rng.normal(size=(7, D))
    one = Pool("a", [f"a{i}" for i in range(5)], small, scaling="diameter", embedder="mine")
    other = Pool("b", [f"b{i}" for i in range(7)], large, scaling="diameter", embedder="mine")
    profile, elicitation = Profile(), asked(one, 0)
    profile.remember(elicitation)
    shown = list(elicitation.history[0].query.options)
    assert np.allclose(profile.past(other).features, small[shown] * other.scale)
    assert np.allclose(profile.past(one).features, small[shown] * one.scale)


def test_of_many_answers_the_latest_count(monkeypatch: pytest.MonkeyPatch) -> None:
    profile = Profile()
    for number in range(3):
        profile.remember(asked(a_pool(str(number), number), 0, 1, 0, seed=number))
    assert len(profile.past(a_pool()).winner) == 9
    monkeypatch.setattr("palate.profile.past.LATEST", 4)
    past = profile.past(a_pool())
    assert past.age.tolist() == [2] * 2 + [1] * 6
    assert past.group.tolist() == [0, 1, 2, 3]
    monkeypatch.setattr("palate.profile.past.LATEST", 0)
    assert len(profile.past(a_pool()).winner) == 1


def test_without_a_past_the_prior_is_the_base() -> None:
    pool, base = a_pool(), Features(residual=0.7)
    assert Profile().prior(pool, base) is base
    assert isinstance(Profile().prior(pool), Features)
    profile = Profile()
    profile.remember(asked(a_pool("lunch?", 3), "tie", "skip"))
    assert profile.prior(pool, base) is base
    with pytest.raises(ParameterError, match="keep must lie between 0 and 1, not 2"):
        profile.prior(pool, keep=2)


def test_the_prior_is_the_base_and_the_past() -> None:
    profile, pool = Profile(), a_pool("lunch?", 3)
    profile.remember(asked(a_pool(), 0, 1, 0))
    population = GaussianPopulation(np.zeros(D), np.eye(D)[:, :2], people=9, answers=90)
    for base in (Features(residual=0.7), with_outsiders(population)):
        prior = profile.prior(pool, base, keep=0.6)
        assert isinstance(prior, Remembering)
        expected = Remembering(base, profile.past(pool), 0.6)
        assert prior.settings() == expected.settings()
        assert np.array_equal(prior.start(pool).mean(), expected.start(pool).mean())
    before = profile.records
    profile.remember(asked(a_pool("supper?", 4), 1, seed=1))
    now, then = profile.prior(pool), profile.prior(pool, upto=before)
    assert then.settings() != now.settings()
    assert then.settings() == Remembering(Features(), profile.past(pool, upto=before)).settings()
    for upto in (-1, 5):
        with pytest.raises(ParameterError, match=f"has 4 records, and {upto} are to count"):
            profile.prior(pool, upto=upto)


def test_the_first_response_is_personal() -> None:
    """Three prompts of one taste: regret before any question, with a profile and without."""
    known, blank = list[float](), list[float]()
    for person in range(12):
        rng, profile = np.random.default_rng(person), Profile()
        theta = rng.normal(size=D)
        for prompt in range(3):
            pool = a_pool(f"{person} {prompt}", 100 * person + prompt, n=15)
            utilities = np.asarray(pool.features) @ theta
            elicitation = Elicitation(pool, Eubo(profile.prior(pool), max_steps=8), seed=prompt)
            first = utilities.max() - utilities[elicitation.recommend().index]
            (known if prompt else blank).append(float(first / np.ptp(utilities)))
            elicitation.run(
                SimulatedPerson(utilities=utilities), record=profile.recorder(elicitation)
            )
    assert np.mean(known) < 0.7 * np.mean(blank)
    assert np.mean(known) < 0.3


def test_comparisons_are_what_trainers_read() -> None:
    profile = Profile()
    elicitation = asked(a_pool(), 0, "tie", 1)
    profile.remember(elicitation)
    comparisons = profile.comparisons(person="ann")
    assert [c.picked for c in comparisons] == [0, "tie", 1]
    assert {c.person for c in comparisons} == {"ann"}
    first = elicitation.history[0]
    assert comparisons[0].metadata["ids"] == list(first.query.ids)
    assert comparisons[0].metadata["at"] == first.at
    rows, left_out = trl_rows(comparisons)
    assert (len(rows), left_out) == (2, 1)
    assert rows[0]["prompt"] == "dinner?"
    assert rows[0]["chosen"] == elicitation.pool.responses[first.query.options[0]].text


# --- forgetting ---------------------------------------------------------------------------------


def three_prompts(profile: Profile) -> None:
    for number, prompt in enumerate(("dinner?", "lunch?", "dinner?")):
        elicitation = asked(a_pool(prompt, number), 0, 1, seed=number)
        profile.remember(elicitation)
        if number == 1:
            elicitation.undo()
            profile.remember(elicitation)


def test_a_prompt_is_forgotten_and_leaves_no_trace(path: Path) -> None:
    with Profile.open(path) as profile:
        three_prompts(profile)
        assert profile.forget("dinner?") == 4
        assert profile.prompts == ("lunch?",)
        assert profile.records == 3  # with the answer that was taken back
        assert "dinner" not in path.read_text(encoding="utf-8")
        # The file is held from the moment at which it appears, and can be appended to.
        with pytest.raises(LogError, match="in use"):
            Profile.open(path)
        profile.remember(asked(a_pool("supper?", 7), 0, seed=3))
        expected = simplified(profile)
        assert profile.path == path
    assert simplified(Profile.read(path)) == expected
    assert [p.name for p in path.parent.iterdir()] == ["ann.jsonl"]


def test_what_was_taken_back_is_forgotten_too(path: Path) -> None:
    elicitation = asked(a_pool(), 0)
    with Profile.open(path) as profile:
        profile.remember(elicitation)
        elicitation.undo()
        profile.remember(elicitation)
        assert profile.answers() == ()
        assert profile.prompts == ("dinner?",)
        assert profile.forget("dinner?") == 0
        assert lines(path) == [{"palate-profile": 1}]


def test_everything_is_forgotten(path: Path) -> None:
    with Profile.open(path) as profile:
        three_prompts(profile)
        assert profile.forget() == 5
        assert profile.forget() == 0
        assert profile.answers() == ()
        assert lines(path) == [{"palate-profile": 1}]
        base = Features()
        assert profile.prior(a_pool(), base) is base
    assert Profile.read(path).records == 0


def test_what_is_not_there_cannot_be_forgotten(path: Path) -> None:
    with Profile.open(path) as profile:
        three_prompts(profile)
        before = path.read_bytes()
        with pytest.raises(ParameterError, match="nothing is remembered of the prompt 'x'"):
            profile.forget("x")
        assert path.read_bytes() == before


def test_where_the_new_file_cannot_be_written_nothing_is_forgotten(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with Profile.open(path) as profile:
        three_prompts(profile)
        before = path.read_bytes(), simplified(profile)
        for name in ("replace", "open"):
            with monkeypatch.context() as patch:
                patch.setattr(type(path), name, fails)
                with pytest.raises(LogError, match="No space left on device"):
                    profile.forget()
            assert (path.read_bytes(), simplified(profile)) == before
        profile.remember(asked(a_pool("supper?", 7), 0, seed=3))
    assert len(Profile.read(path).answers()) == 6
    assert [p.name for p in path.parent.iterdir()] == ["ann.jsonl"]


def test_any_strategy_can_be_remembered() -> None:
    profile = Profile()
    elicitation = Elicitation(a_pool(), UserAlign(max_steps=3))
    utilities: FloatArray = np.asarray(elicitation.pool.features) @ TASTE
    elicitation.run(SimulatedPerson(utilities=utilities), record=profile.recorder(elicitation))
    assert len(profile.answers()) == 3
