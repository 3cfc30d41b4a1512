"""``palate population``: models of many people, fitted, measured, and asked about new ones."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from palate.cli.models import BaseUrl, EmbedderName
from palate.cli.options import Seed, show_help_alone

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console
    from rich.status import Status

    from palate._typing import FloatArray
    from palate.feedback import Comparison
    from palate.population import LearningCurve, PopulationModel, PreferenceData
    from palate.population.fit import Step

population = typer.Typer(
    help="Models of many people: fit, evaluate, locate somebody new, prior for align.",
    rich_markup_mode=None,
)

Data = Annotated[
    list[Path],
    typer.Argument(
        metavar="DATA",
        help="Rows of preferences with a user_id (TRL, Arena, PRISM, Reddit TL;DR; JSONL or "
        "parquet), or logs of answers, one a person.",
    ),
]
Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="A model that fit has saved.")]
Kind = Annotated[
    str,
    typer.Option(
        "--model",
        help="pal-a (ideal points), pal-b (networks that map the prompt; needs torch), lore "
        "(linear, low rank) or bt (Bradley-Terry, one reward for everybody).",
    ),
]
PromptsRule = Annotated[
    str | None,
    typer.Option(
        help="inside: prompt and response are one text; separate: each has its features; none: "
        "responses alone. By default separate for pal-b, else inside.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
PriorWeight = Annotated[
    float | None,
    typer.Option(help="Precision of the prior around the average person; 0 for none.", min=0.0),
]

DIRECTIONS = (1, 2, 3, 5, 10)
"""How many directions of taste ``prior`` tells the variance of."""

COUNTS = (0, 1, 2, 5, 10, 20, 50, 100)
"""Answers of a new person that ``evaluate`` tries."""


@population.callback(invoke_without_command=True)
def _root(context: typer.Context) -> None:
    show_help_alone(context)


@population.command()
def fit(
    data: Data,
    output: Annotated[Path, typer.Option("-o", "--output", help="The folder to save it in.")],
    k: Annotated[int | None, typer.Option(help="Prototypes; see select.", min=1)] = None,
    model: Kind = "pal-a",
    embedder: EmbedderName = None,
    prompts: PromptsRule = None,
    base_url: BaseUrl = None,
    validation: Annotated[
        float, typer.Option(help="Share of each person's answers kept to measure by.")
    ] = 0.2,
    seed: Seed = 0,
    *,
    as_json: AsJson = False,
) -> None:
    """Fit a model of many people, measure it on answers that it has not seen, and save it."""
    from palate.cli.measures import evaluation_table, measured
    from palate.cli.people import Features, check_kind, fit_kind, notes_of, options_of, read_answers
    from palate.errors import ParameterError
    from palate.population import base_rate, evaluate, save_pretrained, split

    features = Features.named(embedder, check_kind(model, prompts), base_url)
    if (output / "config.json").exists():
        msg = f"{output} holds a model; name another folder, or move it away"
        raise ParameterError(msg)
    prototypes = _prototypes(model, k)
    console = _console()
    comparisons = read_answers(data)
    answers = _embedded(features.data, comparisons, console, map_of_prompts=model == "pal-b")
    if len(answers.people) < 2 and prototypes > 1:
        msg = f"all answers are {answers.people[0]}'s; name who answered by user_id in each row"
        raise ParameterError(msg)
    parts = split(answers, unseen=0, test=validation, seed=seed)
    if validation and not len(parts.seen_test):
        msg = (
            f"a share of {validation} of each person's answers is less than one; give people more "
            "answers, or keep none by --validation 0"
        )
        raise ParameterError(msg)
    with console.status("") as status:
        fitted = fit_kind(
            model, parts.train, prototypes, seed=seed, on_step=_steps(status, prototypes)
        )
        held_out = reference = None
        if validation:
            if prototypes > 1:
                one = fit_kind(model, parts.train, 1, seed=seed, on_step=_steps(status, 1)).model
                reference = evaluate(one, parts.seen_test)
            rate = base_rate(parts.train, parts.seen_test, options_of(comparisons, answers))
            held_out = evaluate(
                fitted.model,
                parts.seen_test,
                base_rate=rate,
                reference=None if reference is None else reference.accuracy,
            )
    notes = notes_of(features, comparisons, validation, seed)
    save_pretrained(fitted.model, output, notes=notes)
    if as_json:
        _print_json(
            {
                "folder": str(output),
                "model": model,
                "k": prototypes,
                "people": len(answers.people),
                "answers": parts.train.answers,
                "steps": len(fitted.history),
                "converged": fitted.converged,
                "seconds": fitted.seconds,
                "held_out": None if held_out is None else measured(held_out),
            }
        )
        return
    state = "converged" if fitted.converged else "not converged"
    typer.echo(
        f"{model}, K = {prototypes}: {parts.train.answers} answers of {len(answers.people)} people,"
        f" {len(fitted.history)} steps, {state}, {fitted.seconds:.1f} s"
    )
    if held_out is not None:
        typer.echo(evaluation_table(f"K = {prototypes}", held_out, reference))
    typer.echo(f"saved in {output}", err=True)


@population.command()
def prior(
    data: Data,
    output: Annotated[
        Path, typer.Option("-o", "--output", help="The file, such as people.safetensors.")
    ],
    embedder: EmbedderName = None,
    base_url: BaseUrl = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Learn what new people like before they answer: for align --prior.

    A Gaussian of people's weights, from a few answers of each. Responses are embedded alone, as
    those of a pool are.
    """
    from palate.cli.people import Features, read_answers
    from palate.cli.priors import learn
    from palate.errors import ParameterError

    features = Features.named(embedder, "none", base_url)
    if output.exists():
        msg = f"{output} exists; name another file, or move it away"
        raise ParameterError(msg)
    console = _console()
    answers = _embedded(features.data, read_answers(data), console, map_of_prompts=False)
    with console.status(f"learning from {answers.answers} answers"):
        found = learn(answers, features)
    people = found.population
    people.save(output)
    if as_json:
        _print_json(
            {
                "file": str(output),
                "people": people.people,
                "answers": people.answers,
                "evidence": found.evidence,
                "by_chance": found.by_chance,
                "average_person": found.average,
                "directions": found.directions,
            }
        )
        return
    first = ", ".join(f"{sum(found.directions[:n]):.0%} in {n}" for n in DIRECTIONS)
    typer.echo(
        f"{people.answers} answers of {people.people} people\n"
        f"evidence {found.evidence:.4f} nats an answer; guessing has {found.by_chance:.4f}\n"
        f"what all people share makes up {found.average:.0%} of their tastes' variance\n"
        f"the first directions of the rest make up: {first}"
    )
    typer.echo(f"saved in {output}", err=True)


@population.command()
def evaluate(
    folder: Folder,
    data: Data,
    embedder: EmbedderName = None,
    base_url: BaseUrl = None,
    prior_weight: PriorWeight = None,
    seed: Seed = 0,
    *,
    as_json: AsJson = False,
) -> None:
    """Measure a model on answers of people it knows, and of people it does not.

    Given the very data that it was fitted on, the people it knows are measured on the answers that
    were kept back then; any other answers are taken for new ones. New people are located by 0, 1,
    2, 5 and so on of one half of their answers, and predicted on the other.
    """
    from palate.cli.measures import curve_points, curve_table, evaluation_table, measured
    from palate.cli.people import Saved, read_answers
    from palate.errors import ParameterError
    from palate.population import evaluate as measure

    saved = Saved.load(folder, embedder, base_url)
    console = _console()
    comparisons = read_answers(data)
    answers = _embedded(saved.data, comparisons, console)
    known = [i for i, name in enumerate(answers.people) if name in saved.model.people]
    new = sorted(set(range(len(answers.people))) - set(known))
    seen = None
    if known:
        held_out = _held_out(saved.trained_on, comparisons, answers, console).of_people(known)
        if not len(held_out):
            raise ParameterError("no answers were kept back when the model was fitted to this data")
        seen = measure(saved.model, held_out)
    curve = None
    if new:
        curve = _new_people(saved.model, answers.of_people(new), seed, prior_weight)
    if as_json:
        _print_json(
            {
                "seen": None if seen is None else measured(seen),
                "new": None if curve is None else curve_points(curve),
            }
        )
        return
    if seen is not None:
        typer.echo(evaluation_table("people it knows", seen))
    if curve is not None:
        typer.echo(curve_table(curve))
    elif new:
        typer.echo(f"{len(new)} new people have one answer each: none is left to predict", err=True)


@population.command()
def locate(
    folder: Folder,
    data: Annotated[
        list[Path] | None, typer.Argument(metavar="[DATA]", help="Their answers, as for fit.")
    ] = None,
    person: Annotated[str | None, typer.Option(help="One person's name.")] = None,
    embedder: EmbedderName = None,
    base_url: BaseUrl = None,
    prior_weight: PriorWeight = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Find people's weights on the prototypes from their answers.

    The gap is a certificate: what was minimised lies above its least by no more than that. Somebody
    without answers has the weights that they were trained with, or else the average person's.
    """
    from palate.cli.people import Saved, read_answers

    saved = Saved.load(folder, embedder, base_url)
    found = []
    if data:
        comparisons = read_answers(data)
        if person is not None:
            comparisons = [c for c in comparisons if c.person == person]
        if any(c.chosen is not None for c in comparisons):
            found = _located(saved.model, saved.data(comparisons)[0], prior_weight)
    if not found:
        found = [_without_answers(saved.model, person)]
    if as_json:
        _print_json({"kind": saved.model.kind, "k": saved.model.k, "people": found})
        return
    from palate.bench.report import markdown_table

    rows = [
        (
            row["person"] or "anybody",
            str(row["answers"]) if row["answers"] else f"none: {row['from']}",
            " ".join(f"{w:.3f}" for w in row["weights"]),
            "" if row["gap"] is None else f"{row['gap']:.0e}",
            "" if row["log_loss"] is None else f"{row['log_loss']:.3f}",
        )
        for row in found
    ]
    typer.echo(markdown_table(("person", "answers", "weights", "gap", "log loss"), rows))


@population.command()
def select(
    data: Data,
    k: Annotated[str, typer.Option(help="Numbers of prototypes: 1..6, or 1,2,4.")] = "1..6",
    model: Kind = "pal-a",
    embedder: EmbedderName = None,
    prompts: PromptsRule = None,
    base_url: BaseUrl = None,
    folds: Annotated[int, typer.Option(help="Groups of people held out in turn.", min=2)] = 5,
    seed: Seed = 0,
    *,
    as_json: AsJson = False,
) -> None:
    """Choose the number of prototypes by people who were kept from training.

    Chosen is the least number that is not worse than the best by more than a standard error.
    """
    from palate.bench.report import markdown_table
    from palate.cli.people import Features, check_kind, fit_kind, read_answers
    from palate.errors import ParameterError
    from palate.population import select_k

    features = Features.named(embedder, check_kind(model, prompts), base_url)
    if model == "bt":
        raise ParameterError("bt is one reward for everybody; there is no number to choose")
    tried = _numbers(k)
    console = _console()
    answers = _embedded(features.data, read_answers(data), console, map_of_prompts=model == "pal-b")
    with console.status("") as status:

        def train(part: PreferenceData, number: int, /, *, seed: int) -> Any:  # noqa: ANN401
            return fit_kind(model, part, number, seed=seed, on_step=_steps(status, number))

        chosen = select_k(answers, tried, fit=train, folds=folds, seed=seed)
    if as_json:
        _print_json(
            {
                "k": chosen.k,
                "tried": [
                    {"k": int(number), "log_loss": float(loss), "error": float(error)}
                    for number, loss, error in zip(
                        chosen.ks, chosen.log_loss, chosen.error, strict=True
                    )
                ],
                "people": len(chosen.by_person),
            }
        )
        return
    rows = [
        (f"{number}", f"{loss:.4f}", f"{error:.4f}", "chosen" if number == chosen.k else "")
        for number, loss, error in zip(chosen.ks, chosen.log_loss, chosen.error, strict=True)
    ]
    header = ("K", "log loss of people held out", "standard error of the excess", "")
    typer.echo(markdown_table(header, rows))


def _console() -> Console:
    from rich.console import Console

    return Console(stderr=True, highlight=False)


def _embedded(
    embed: Callable[..., tuple[PreferenceData, int]],
    comparisons: list[Comparison],
    console: Console,
    **settings: bool,
) -> PreferenceData:
    with console.status(f"embedding the texts of {len(comparisons)} comparisons"):
        data, left_out = embed(comparisons, **settings)
    if left_out:
        console.print(
            f"{left_out} of {len(comparisons)} comparisons are ties or skips, and are left out",
            style="dim",
            markup=False,
        )
    return data


def _steps(status: Status, k: int) -> Callable[[Step], None]:
    def show(step: Step) -> None:
        status.update(
            f"fitting K = {k}: step {step.number}, loss {step.loss:.3f}, "
            f"{100 * step.accuracy:.1f} % of the training answers"
        )

    return show


def _prototypes(kind: str, k: int | None) -> int:
    from palate.errors import ParameterError

    if kind == "bt":
        if k not in {None, 1}:
            msg = f"bt is one reward for everybody, K = 1, not {k}"
            raise ParameterError(msg)
        return 1
    if k is None:
        raise ParameterError("name the number of prototypes by --k; population select chooses one")
    return k


def _numbers(text: str) -> list[int]:
    from palate.errors import ParameterError

    first, dots, last = text.partition("..")
    try:
        if dots:
            return list(range(int(first), int(last) + 1))
        return [int(part) for part in text.split(",")]
    except ValueError as error:
        msg = f"--k is a range such as 1..6 or a list such as 1,2,4, not {text!r}"
        raise ParameterError(msg) from error


def _held_out(
    trained_on: tuple[str, float, int] | None,
    comparisons: list[Comparison],
    answers: PreferenceData,
    console: Console,
) -> PreferenceData:
    """All answers, or those kept back where they are the very ones that the model comes from."""
    from palate.cli.people import digest_of
    from palate.population import split

    if trained_on is None or trained_on[0] != digest_of(comparisons):
        return answers
    _, validation, seed = trained_on
    console.print(
        "the model was fitted to this data; measured are the answers that were kept back",
        style="dim",
    )
    return split(answers, unseen=0, test=validation, seed=seed).seen_test


def _new_people(
    model: PopulationModel, answers: PreferenceData, seed: int, prior_weight: float | None
) -> LearningCurve | None:
    """New people, located by one half of their answers; None if nobody has two."""
    import numpy as np

    from palate.population import learning_curve, split
    from palate.population.localise import PRIOR_WEIGHT

    halves = split(answers, unseen=0, test=0.5, seed=seed)
    enough = np.flatnonzero(halves.seen_test.per_person)
    if not len(enough):
        return None
    support, held_out = halves.train.of_people(enough), halves.seen_test.of_people(enough)
    most = int(support.answers_per_person.max())
    counts = [count for count in COUNTS if count <= most]
    prior = PRIOR_WEIGHT if prior_weight is None else prior_weight
    return learning_curve(model, support, held_out, counts, seed, prior_weight=prior)


def _located(
    model: PopulationModel, answers: PreferenceData, prior_weight: float | None
) -> list[dict[str, Any]]:
    from palate.population import locate as find
    from palate.population.localise import PRIOR_WEIGHT

    prior = PRIOR_WEIGHT if prior_weight is None else prior_weight
    located = find(model, answers, prior_weight=prior)
    return [
        {
            "person": name,
            "answers": int(answers.answers_per_person[i]),
            "from": "answers",
            "weights": located.weights[i].tolist(),
            "gap": _number(located.gap[i]),
            "log_loss": _number(located.loss[i]),
        }
        for i, name in enumerate(answers.people)
    ]


def _without_answers(model: PopulationModel, person: str | None) -> dict[str, Any]:
    known = person is not None and person in model.people
    weights: FloatArray = model.weights_of(str(person)) if known else model.mean_weights
    return {
        "person": person,
        "answers": 0,
        "from": "training" if known else "the average person",
        "weights": weights.tolist(),
        "gap": None,
        "log_loss": None,
    }


def _number(value: float) -> float | None:
    return float(value) if value == value else None  # noqa: PLR0124 - nan is no JSON


def _print_json(result: dict[str, Any]) -> None:
    import json

    typer.echo(json.dumps(result, ensure_ascii=False, allow_nan=False))
