"""From a vocabulary to the prompt that suits somebody, by way of a file of queries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from palate.design import (
    QueryFile,
    best_prompt,
    fit_matched,
    load_vocabulary,
    near,
    plan,
    pose,
    problem_from,
    prompt_text,
    ranked_prompts,
    read_queries,
    sample_queries,
    style_person,
    style_sentences,
    style_theta,
    tokens_of,
)

if TYPE_CHECKING:
    from pathlib import Path


def test_a_sunny_person_gets_a_sunny_prompt(tmp_path: Path) -> None:
    vocabulary = load_vocabulary("balanced")
    problem = problem_from(vocabulary)
    design = plan(problem, n_queries=20, lam=0.16, criterion="D", tol=1e-2)
    planned = sample_queries(design, n_options=4, seed=1)
    asked = pose(problem, planned)
    theta = style_theta(style_sentences("sunny"), strength=20.0)
    person = style_person(asked, problem, theta, seed=2)
    path = tmp_path / "sunny.jsonl"
    settings = {"vocabulary": vocabulary.name, "fingerprint": vocabulary.fingerprint}
    with QueryFile.create(path, planned, asked, settings) as file:
        for query in file.unanswered():
            said = person.answer(query, file.asked.pool)
            assert isinstance(said, int)
            file.tell(query.number, said)
    found = read_queries(path)
    assert found.planned == planned
    estimate = fit_matched(found.asked.options(problem), found.picked())

    def truth(prompt: tuple[int, ...]) -> float:
        rows = (slot.features[i] for slot, i in zip(problem.slots, prompt, strict=True))
        return float(sum(row @ theta for row in rows))

    best, worst = (truth(best_prompt(problem, sign * theta)) for sign in (1, -1))
    reached = (truth(best_prompt(problem, estimate.theta)) - worst) / (best - worst)
    assert reached > 0.9
    close = [prompt_text(tokens_of(problem, p)) for p in near(problem, estimate.theta, 10)]
    assert len(ranked_prompts(close, estimate.theta)) == len(set(close))
