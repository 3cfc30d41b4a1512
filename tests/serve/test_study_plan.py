"""Study files: what they mean, what is wrong with them; and that the assignment is balanced."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from study_cases import PLAN

from palate.errors import ParameterError
from palate.serve.study import plan_from_object, read_plan
from palate.serve.study.example import EXAMPLE, example_file
from palate.serve.study.tasks import Persona, Prompt, task_at

if TYPE_CHECKING:
    from pathlib import Path


def test_the_example_is_the_papers_study(tmp_path: Path) -> None:
    path = tmp_path / "study.json"
    path.write_text(example_file())
    plan = read_plan(path)
    assert plan == plan_from_object(EXAMPLE)
    assert [d.name for d in plan.domains] == ["food64d", "travel64d"]
    assert [(d.comparisons, d.early) for d in plan.domains] == [(10, 5)] * 2
    cells = len(plan.domains) * len(plan.methods) * len(plan.conditions)
    assert plan.participants == 120 * cells
    useralign, iidbest = (m.strategy(10).settings() for m in plan.methods)
    assert (useralign["name"], useralign["epsilon"], useralign["max_steps"]) == (
        "useralign",
        None,
        10,
    )
    assert (iidbest["name"], iidbest["max_steps"]) == ("iidbest", 10)


def test_what_is_left_out_has_its_default() -> None:
    needed = {k: PLAN[k] for k in ("title", "consent", "completion_code", "participants")}
    plan = plan_from_object(needed | {"domains": ["a"], "methods": ["eubo"]})
    assert plan.conditions == ("persona", "own")
    assert (plan.random, plan.attention_check, plan.allow, plan.seed) == (True, False, (), 0)
    (domain,) = plan.domains
    assert (domain.prompts, domain.personas, domain.comparisons, domain.early) == (
        None,
        None,
        10,
        5,
    )


def test_a_domain_may_have_its_own_steps() -> None:
    domains = ["text", {"name": "images", "comparisons": 20, "early": 10}, {"name": "one"}]
    domains.append({"name": "short", "comparisons": 2})
    plan = plan_from_object(PLAN | {"domains": domains, "comparisons": 10, "early": 5})
    assert [(d.comparisons, d.early) for d in plan.domains] == [
        (10, 5),
        (20, 10),
        (10, 5),
        (2, None),
    ]
    assert plan_from_object(PLAN | {"early": None}).domains[0].early is None


def test_a_plan_is_the_same_after_a_round_trip_by_json() -> None:
    more = {"allow": ["skip"], "methods": [{"label": "A", "name": "eubo"}], "seed": 2**63 - 1}
    for found in (PLAN, EXAMPLE, PLAN | more, PLAN | {"early": None}):
        plan = plan_from_object(found)
        assert plan_from_object(json.loads(json.dumps(plan.to_object()))) == plan


WRONG: dict[str, tuple[Any, str]] = {
    "no title": ({"title": None}, "title must be a text that is not empty, not null"),
    "blank code": ({"completion_code": " "}, "completion_code must be a text"),
    "no domains": ({"domains": []}, "domains must be a list of at least one"),
    "a number": ({"domains": [3]}, r"domains\[0\] must be a JSON object, not 3"),
    "twice": ({"domains": ["a", "a"]}, "domains: 'a' is there twice"),
    "prompts": ({"domains": [{"name": "a", "prompts": ["x", "x"]}]}, r"domains\[0\].prompts must"),
    "a method": ({"methods": ["best"]}, r"methods\[0\].name: .*'best'"),
    "a setting": ({"methods": [{"name": "eubo", "slow": 1}]}, r"methods\[0\].name: .*slow"),
    "a bad setting": ({"methods": [{"name": "useralign", "delta": 7}]}, r"methods\[0\].name: "),
    "max_steps": ({"methods": [{"name": "eubo", "max_steps": 3}]}, "by its key comparisons"),
    "three at a time": ({"methods": [{"name": "eubo", "options": 3}]}, "options must be 2"),
    "labels": ({"methods": ["eubo", "eubo"]}, "methods: 'eubo' is there twice"),
    "conditions": ({"conditions": ["other"]}, "conditions must be a list of some of persona, own"),
    "no conditions": ({"conditions": []}, "conditions must be"),
    "true": ({"comparisons": True}, "comparisons must be a whole number from 1 to 200, not true"),
    "too many": ({"comparisons": 201}, "comparisons must be"),
    "late": ({"early": 3}, "early must be a whole number from 1 to 2, not 3"),
    "yes": ({"attention_check": "yes"}, "attention_check must be true or false"),
    "allow": ({"allow": ["undo"]}, "allow must be a list of some of tie, skip"),
    "nobody": ({"participants": 0}, "participants must be a whole number from 1"),
    "seed": ({"seed": -1}, "seed must be"),
    "a typing error": ({"comparsions": 3}, "comparsions is not a key of a study; there are allow"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_said_by_key(name: str, tmp_path: Path) -> None:
    change, message = WRONG[name]
    path = tmp_path / "study.json"
    path.write_text(json.dumps(PLAN | change))
    with pytest.raises(ParameterError, match=message) as caught:
        read_plan(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_a_file_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(ParameterError, match="cannot read"):
        read_plan(tmp_path / "no.json")
    path = tmp_path / "study.json"
    for text, message in (("{", "is not JSON"), ("[]", "a study must be a JSON object")):
        path.write_text(text)
        with pytest.raises(ParameterError, match=message):
            read_plan(path)
    for key in ("title", "consent", "domains", "methods", "completion_code", "participants"):
        path.write_text(json.dumps({k: v for k, v in PLAN.items() if k != key}))
        with pytest.raises(ParameterError, match=f"{key} is missing|{key} must be"):
            read_plan(path)


# The assignment


def prompts_for(domains: int, prompts: int, personas: int) -> list[tuple[Prompt, ...]]:
    return [
        tuple(
            Prompt(f"p{d}{p}", "", tuple(Persona(f"s{d}{p}{q}", "") for q in range(personas)))
            for p in range(prompts)
        )
        for d in range(domains)
    ]


@settings(deadline=None, max_examples=25, derandomize=True)
@given(
    sizes=st.tuples(*[st.integers(1, 3)] * 4),
    conditions=st.sampled_from([["persona"], ["own"], ["persona", "own"]]),
    n=st.integers(1, 150),
    seed=st.integers(0, 2**63 - 1),
)
def test_after_any_number_of_participants_all_is_balanced(
    sizes: tuple[int, int, int, int], conditions: list[str], n: int, seed: int
) -> None:
    domains, methods, prompts, personas = sizes
    plan = plan_from_object(
        PLAN
        | {
            "domains": [f"d{i}" for i in range(domains)],
            "methods": [{"label": f"m{i}", "name": "iidbest"} for i in range(methods)],
            "conditions": conditions,
            "seed": seed,
        }
    )
    given_prompts = prompts_for(domains, prompts, personas)
    tasks = [task_at(plan, given_prompts, place) for place in range(n)]
    cells = Counter((t.domain.name, t.method.label, t.condition) for t in tasks)
    possible = domains * methods * len(conditions)
    counts = [*cells.values(), *[0] * (possible - len(cells))]
    assert max(counts) - min(counts) <= 1
    for cell, total in cells.items():
        of_cell = [t for t in tasks if (t.domain.name, t.method.label, t.condition) == cell]
        pairs = Counter((t.prompt.id, t.persona and t.persona.id) for t in of_cell)
        each = prompts * (personas if cell[2] == "persona" else 1)
        assert max(pairs.values()) <= -(-total // each)
        assert all(t.prompt in given_prompts[int(cell[0][1:])] for t in of_cell)
        assert all((t.persona is None) == (cell[2] == "own") for t in of_cell)
        assert all(t.persona is None or t.persona in t.prompt.personas for t in of_cell)


def test_the_assignment_is_random_and_repeats_by_its_seed() -> None:
    def labels(seed: int) -> list[str]:
        plan = plan_from_object(PLAN | {"seed": seed})
        tasks = (task_at(plan, prompts_for(1, 4, 2), place) for place in range(400))
        return [f"{t.method.label} {t.condition} {t.prompt.id}" for t in tasks]

    assert labels(1) == labels(1)
    assert labels(1) != labels(2)
    # Nothing is foreseen within a block: each cell is first about as often as any other.
    first = Counter(label.rpartition(" ")[0] for label in labels(1)[::4])
    assert len(first) == 4
    assert max(first.values()) < 45
