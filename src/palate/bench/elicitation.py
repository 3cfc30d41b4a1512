"""The experiments of the USERALIGN paper, and its peers: what ``palate bench elicitation`` runs."""

from __future__ import annotations

import csv
import json
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from palate._beside import beside
from palate.bench.cast import cast as cast_people
from palate.bench.checks import checks
from palate.bench.domains import SHIPPED_DOMAINS, Domain, read_domain, shipped_domain
from palate.bench.experiment import Cell, run_cells, versions
from palate.bench.methods import BUILT_IN, BY_EPSILON, strategy_for
from palate.bench.page import SUMMARY
from palate.bench.real_pools import alpaca_domain, dsp_domain
from palate.bench.steps import step_times
from palate.bench.tables import (
    EPSILONS,
    by_step,
    grouped,
    quality,
    trade_off,
    versus_iidbest,
    wall_time,
)
from palate.errors import MissingExtraError, ParameterError
from palate.formats._files import cannot, write_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from palate.bench.cast import People, Subject
    from palate.bench.experiment import Outcome
    from palate.bench.tables import Group, Section
    from palate.chat import ChatModel

PAPER_PEOPLE = {"food2d": ("consistent", "btl", "persona"), "dsp": ("consistent",)}
"""Kinds of people by domain where none are named; in the other domains personas."""

JOURNAL = "runs.jsonl"
TABLES = "tables.md"


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run.

    Attributes:
        domains: names of shipped domains, ``alpaca:FOLDER``, ``dsp:FILE``, or a domain's JSON file.
        people: kinds of people, see :data:`palate.bench.cast.People`; by default the paper's.
        methods: names of :mod:`palate.bench.methods`.
        seeds: repetitions of each run.
        max_steps: most questions of a run.
        per_prompt: people a prompt.
        flip: share of answers of simulated people that are turned round.
        pool_size: candidates of a prompt, for pools read by path; by default 20.
        prompts: at most so many of a domain.

    Raises:
        ParameterError: a value is outside its range.
    """

    domains: tuple[str, ...] = SHIPPED_DOMAINS
    people: tuple[str, ...] = ()
    methods: tuple[str, ...] = BUILT_IN
    seeds: int = 5
    max_steps: int = 199
    per_prompt: int = 3
    flip: float = 0.0
    pool_size: int | None = None
    prompts: int | None = None

    def __post_init__(self) -> None:
        for name in ("domains", "methods"):
            if not getattr(self, name):
                msg = f"an experiment needs {name}; name at least one"
                raise ParameterError(msg)
        for name in ("seeds", "max_steps", "per_prompt"):
            if getattr(self, name) < 1:
                msg = f"{name} must be at least 1, not {getattr(self, name)}"
                raise ParameterError(msg)


def subjects_of(plan: Plan, model: ChatModel | None = None) -> tuple[list[Subject], list[str]]:
    """The people of a plan, domain by domain, and what has to be said of the domains.

    Raises:
        PoolError: a domain cannot be read.
        ParameterError: people and domain do not go together.
    """
    subjects, notes = [], []
    for name in plan.domains:
        domain = _domain(name, plan)
        if domain.note:
            notes.append(f"{domain.name}: {domain.note}")
        for kind in plan.people or PAPER_PEOPLE.get(name.partition(":")[0], ("persona",)):
            people = cast_people(
                domain,
                cast("People", kind),
                per_prompt=plan.per_prompt,
                flip_rate=plan.flip,
                model=model,
            )
            accuracy = sum(s.pair_accuracy for s in people) / len(people)
            if kind.startswith("btl"):
                notes.append(
                    f"{domain.name}, {kind}: the better of two responses wins {accuracy:.1%} of "
                    "the time, averaged over pairs and people"
                )
            subjects += people
    return subjects, notes


def _domain(name: str, plan: Plan) -> Domain:
    kind, _, path = name.partition(":")
    if kind == "alpaca" and path:
        return alpaca_domain(Path(path), plan.pool_size or 20, prompts=plan.prompts)
    if kind == "dsp" and path:
        return dsp_domain(Path(path), plan.pool_size or 20, prompts=plan.prompts or 100)
    if plan.pool_size is not None:
        msg = f"the pools of {name} are as they are; --pool-size is for alpaca: and dsp:"
        raise ParameterError(msg)
    if name in SHIPPED_DOMAINS:
        return shipped_domain(name).first(plan.prompts)
    if not name.endswith(".json"):
        msg = (
            f"there is no domain {name!r}; it is {', '.join(SHIPPED_DOMAINS)}, alpaca:FOLDER, "
            "dsp:FILE or a file such as x.json"
        )
        raise ParameterError(msg)
    return read_domain(name).first(plan.prompts)


def run_plan(
    plan: Plan,
    out: Path,
    *,
    jobs: int = 1,
    model: ChatModel | None = None,
    parquet: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> list[Section]:
    """Make the runs of a plan, and write rows, tables, figures and configuration.

    The folder gets ``runs.csv`` (a row a run, those at larger epsilons derived), ``steps.csv`` (a
    row a step), ``tables.md``, ``figures/``, and ``summary.json`` for :func:`palate.bench.page`;
    its ``runs.jsonl`` is what the same command goes on from.

    Args:
        plan: what to run.
        out: a folder.
        jobs: runs at a time.
        model: that plays people.
        parquet: write ``runs.parquet`` and ``steps.parquet`` instead of CSV.
        progress: called with how many runs are done and how many there are.

    Returns:
        The tables.

    Raises:
        PalateError: the plan, a file or a missing library stands in the way.
    """
    began = time.perf_counter()
    subjects, notes = subjects_of(plan, model)
    cells = [
        Cell(subject, method, strategy_for(method, subject, plan.max_steps), seed)
        for subject in subjects
        for method in plan.methods
        if not (method == "oracle" and subject.utilities is None)
        for seed in range(plan.seeds)
    ]
    if not cells:
        raise ParameterError("nothing to run: an oracle cannot know what a played person likes")
    with _writing(out):
        out.mkdir(parents=True, exist_ok=True)
    done = 0

    def count(more: int) -> None:
        nonlocal done
        done += more
        if progress is not None:
            progress(done, len(cells))

    outcomes = run_cells(cells, out / JOURNAL, jobs=jobs, on_done=count)
    cpu = sum(outcome.cpu_seconds for outcome in outcomes)
    spent = (
        f"{cpu:,.0f} CPU seconds in {len(outcomes):,} runs; "
        f"{time.perf_counter() - began:,.0f} s of wall time in this call"
    )
    groups = grouped(outcomes)
    sections = _sections(groups, plan, spent)
    with _writing(out):
        _write_rows(out, outcomes, parquet=parquet)
        figures = _figures(out, groups, plan)
        _write_tables(out, sections, {**asdict(plan), "notes": notes}, figures)
    return sections


@contextmanager
def _writing(out: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise cannot("write to", out, error, ParameterError) from error


def _sections(groups: Sequence[Group], plan: Plan, spent: str) -> list[Section]:
    times = [t for t in map(step_times, groups) if t is not None]
    sections = [
        checks(groups, times, plan.max_steps, spent),
        quality(groups),
        trade_off(groups, plan.max_steps),
        versus_iidbest(groups, plan.max_steps),
        *(section for group in groups for section in by_step(group, plan.max_steps)),
        wall_time(times) if times else None,
    ]
    return [section for section in sections if section is not None]


def _figures(out: Path, groups: Sequence[Group], plan: Plan) -> dict[str, str]:
    """Files and captions of the figures; none where matplotlib is not installed."""
    try:
        from palate.bench.elicitation_plots import plot_groups  # noqa: PLC0415

        return plot_groups(out, groups, plan.max_steps)
    except MissingExtraError:
        return {}


def _write_tables(
    out: Path, sections: Sequence[Section], configuration: dict[str, Any], figures: dict[str, str]
) -> None:
    summary = {
        "title": "Elicitation: " + ", ".join(configuration["domains"]),
        "configuration": configuration,
        "versions": versions(),
        "sections": [asdict(section) for section in sections],
        "figures": figures,
    }
    tables = [
        f"# {summary['title']}",
        "```json\n" + json.dumps(configuration, indent=2, ensure_ascii=False) + "\n```",
        "Versions: " + ", ".join(f"{k} {v}" for k, v in versions().items()) + ".",
        *map(str, sections),
    ]
    for name, text in (
        (SUMMARY, json.dumps(summary, indent=1, ensure_ascii=False)),
        (TABLES, "\n\n".join(tables) + "\n"),
    ):
        with beside(out / name) as path:
            path.write_text(text, encoding="utf-8")


def _write_rows(out: Path, outcomes: Sequence[Outcome], *, parquet: bool) -> None:
    for name, rows in (("runs", _run_rows(outcomes)), ("steps", _step_rows(outcomes))):
        if parquet:
            write_rows(out / f"{name}.parquet", rows, ParameterError)
        else:
            _write_csv(out / f"{name}.csv", rows)


def _write_csv(path: Path, rows: Iterator[dict[str, Any]]) -> None:
    """Rows of the same keys as CSV; the file appears whole or not at all."""
    with beside(path) as name, name.open("x", encoding="utf-8", newline="") as file:
        first = next(rows)
        writer = csv.DictWriter(file, first.keys(), lineterminator="\n")
        writer.writeheader()
        writer.writerow(first)
        writer.writerows(rows)


def _run_rows(outcomes: Sequence[Outcome]) -> Iterator[dict[str, Any]]:
    """A row a run, and one for every larger epsilon where that can be derived."""
    for outcome in outcomes:
        if outcome.method in BY_EPSILON:
            for epsilon in EPSILONS:
                stopped = outcome.trial.stopped_at(epsilon)
                yield _run_row(replace(outcome, trial=stopped), epsilon)
        else:
            yield _run_row(outcome, None)


def _run_row(outcome: Outcome, epsilon: float | None) -> dict[str, Any]:
    subject, trial = outcome.subject, outcome.trial
    return {
        "group": subject.group,
        "person": subject.name,
        "method": outcome.method,
        "epsilon": epsilon,
        "seed": outcome.seed,
        "cost": trial.cost,
        "choice": subject.pool.responses[trial.choices[-1]].id,
        "win": trial.wins[-1],
        "share": outcome.final_share,
        "rank": float(subject.ranks[trial.choices[-1]]),
        "bound": trial.bounds[-1],
        "certified": trial.certified[-1],
        "consistent": trial.consistent[-1],
        "flip_rate": outcome.flip_rate,
        "seconds": sum(trial.seconds),
    }


def _step_rows(outcomes: Sequence[Outcome]) -> Iterator[dict[str, Any]]:
    """A row a step that was looked at; after the last one the choice stands."""
    for outcome in outcomes:
        subject, trial = outcome.subject, outcome.trial
        for place, t in enumerate(trial.steps):
            choice = trial.choices[place]
            yield {
                "group": subject.group,
                "person": subject.name,
                "method": outcome.method,
                "seed": outcome.seed,
                "t": t,
                "choice": subject.pool.responses[choice].id,
                "win": trial.wins[place],
                "share": float(subject.shares[choice]),
                "rank": float(subject.ranks[choice]),
                "best": bool(subject.ranks[choice] == 1.0),
                "bound": trial.bounds[place],
                "certified": trial.certified[place],
                "seconds": trial.seconds[place],
            }
