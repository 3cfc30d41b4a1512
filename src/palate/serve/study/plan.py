"""The study file: what is compared, with whom, and what participants are told."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, get_args

from palate.errors import ParameterError
from palate.strategies import strategy_named

if TYPE_CHECKING:
    from collections.abc import Mapping

    from palate.strategies import Strategy

Condition = Literal["persona", "own"]
CONDITIONS: Final = get_args(Condition)
ANSWERS: Final = ("tie", "skip")
_MOST_COMPARISONS: Final = 200


@dataclass(frozen=True, slots=True)
class StudyDomain:
    """Prompts of a domain and who is to be played.

    Attributes:
        name: of a shipped domain, or the path of a file, from the study file's folder.
        prompts: ids of those to use; None for all.
        personas: ids of those to use; None for all.
        comparisons: of stage 2.
        early: after how many of them the early choice is taken; None for no early choice.
    """

    name: str
    prompts: tuple[str, ...] | None
    personas: tuple[str, ...] | None
    comparisons: int
    early: int | None


@dataclass(frozen=True, slots=True)
class Method:
    """A strategy under a label.

    Attributes:
        label: how the report calls it.
        settings: the strategy's name and settings, but for the number of questions.
    """

    label: str
    settings: Mapping[str, Any]

    def strategy(self, comparisons: int) -> Strategy:
        """The strategy, asking so many questions and no fewer where it can."""
        fixed: dict[str, Any] = {}
        if str(self.settings["name"]).startswith("useralign"):
            fixed["epsilon"] = None  # the paper's variant without a stopping rule
        return strategy_named(fixed | dict(self.settings) | {"max_steps": comparisons})


@dataclass(frozen=True, slots=True)
class StudyPlan:
    """A study, as its file says (USERALIGN, Section 6 and Appendix E).

    Attributes:
        title: shown to participants.
        consent: text that they agree to, in Markdown.
        domains: what is answered about.
        methods: what chooses the comparisons; participants do not learn which.
        conditions: "persona": they play somebody; "own": they answer by their own taste.
        random: whether stage 3 also sets a random candidate against the baseline.
        attention_check: whether stage 3 has one.
        allow: answers of stage 2 beside the two picks: "tie", "skip".
        completion_code: shown at the end.
        participants: how many are to finish; then nobody new is taken in.
        seed: of the assignment.
    """

    title: str
    consent: str
    domains: tuple[StudyDomain, ...]
    methods: tuple[Method, ...]
    conditions: tuple[Condition, ...]
    random: bool
    attention_check: bool
    allow: tuple[str, ...]
    completion_code: str
    participants: int
    seed: int

    def to_object(self) -> dict[str, Any]:
        """As JSON values, which :func:`plan_from_object` reads."""
        methods = [{"label": m.label} | dict(m.settings) for m in self.methods]
        return asdict(self) | {"methods": methods}


def read_plan(path: str | Path) -> StudyPlan:
    """The study of a file.

    Raises:
        ParameterError: the file cannot be read, or a key does not fit; the message names it.
    """
    path = Path(path)
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        msg = f"cannot read {path}: {error.strerror or error}"
        raise ParameterError(msg) from error
    except ValueError as error:
        msg = f"{path} is not JSON: {error}"
        raise ParameterError(msg) from error
    try:
        return plan_from_object(found)
    except ParameterError as error:
        msg = f"{path}: {error}"
        raise ParameterError(msg) from error


def plan_from_object(found: object) -> StudyPlan:
    """The study that JSON values describe; see docs/study.md for the keys.

    Raises:
        ParameterError: a key is missing, unknown or does not fit; the message names it.
    """
    given = _Keys(found, "")
    comparisons = given.whole("comparisons", 10, 1, _MOST_COMPARISONS)
    early = given.early(comparisons, 5 if comparisons > 5 else None)
    domains = tuple(
        _domain(item, f"domains[{i}].", comparisons, early)
        for i, item in enumerate(given.items("domains"))
    )
    methods = tuple(
        _method(item, f"methods[{i}].", domains) for i, item in enumerate(given.items("methods"))
    )
    plan = StudyPlan(
        title=given.text("title"),
        consent=given.text("consent"),
        domains=domains,
        methods=methods,
        conditions=given.choices("conditions", CONDITIONS, CONDITIONS),
        random=given.yes("random", default=True),
        attention_check=given.yes("attention_check", default=False),
        allow=given.choices("allow", ANSWERS, (), empty=True),
        completion_code=given.text("completion_code"),
        participants=given.whole("participants", None, 1, 1_000_000),
        seed=given.whole("seed", 0, 0, 2**63 - 1),
    )
    given.nothing_else()
    _check_unique("domains", [domain.name for domain in domains])
    _check_unique("methods", [method.label for method in methods])
    return plan


def _domain(found: object, at: str, comparisons: int, early: int | None) -> StudyDomain:
    given = _Keys({"name": found} if isinstance(found, str) else found, at)
    number = given.whole("comparisons", comparisons, 1, _MOST_COMPARISONS)
    fits = early is None or early < number
    domain = StudyDomain(
        name=given.text("name"),
        prompts=given.names("prompts"),
        personas=given.names("personas"),
        comparisons=number,
        early=given.early(number, early if fits else None),
    )
    given.nothing_else()
    return domain


def _method(found: object, at: str, domains: tuple[StudyDomain, ...]) -> Method:
    given = _Keys({"name": found} if isinstance(found, str) else found, at)
    name = given.text("name")
    label = given.text("label", name)
    method = Method(label, {k: v for k, v in given.values.items() if k != "label"})
    if "max_steps" in method.settings:
        msg = f"{at}max_steps: the study file says it by its key comparisons; leave it out"
        raise ParameterError(msg)
    if method.settings.get("options", 2) != 2:
        msg = f"{at}options must be 2: a participant compares two, not {given.values['options']!r}"
        raise ParameterError(msg)
    try:
        for domain in domains:
            method.strategy(domain.comparisons)
    except ParameterError as error:
        msg = f"{at}name: {error}"
        raise ParameterError(msg) from error
    return method


def _check_unique(key: str, names: list[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        msg = f"{key}: {twice[0]!r} is there twice; give each a name or label of its own"
        raise ParameterError(msg)


class _Keys:
    """Keys of a JSON object, each read with a check that names it."""

    def __init__(self, found: object, at: str) -> None:
        if not isinstance(found, dict):
            msg = f"{at.rstrip('.') or 'a study'} must be a JSON object, not {_short(found)}"
            raise ParameterError(msg)
        self.values: dict[str, Any] = found
        self._at = at
        self._read: set[str] = set()

    def _get(self, key: str, default: object = None) -> Any:  # noqa: ANN401 - any JSON value
        self._read.add(key)
        return self.values.get(key, default)

    def wrong(self, key: str, wanted: str) -> ParameterError:
        """The error that says what a key must be."""
        if key not in self.values:
            return ParameterError(f"{self._at}{key} is missing; it is {wanted}")
        shown = _short(self.values[key])
        return ParameterError(f"{self._at}{key} must be {wanted}, not {shown}")

    def text(self, key: str, default: str | None = None) -> str:
        value = self._get(key, default)
        if not isinstance(value, str) or not value.strip():
            raise self.wrong(key, "a text that is not empty")
        return value.strip()

    def yes(self, key: str, *, default: bool) -> bool:
        value = self._get(key, default)
        if not isinstance(value, bool):
            raise self.wrong(key, "true or false")
        return value

    def whole(self, key: str, default: int | None, least: int, most: int) -> int:
        value = self._get(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise self.wrong(key, f"a whole number from {least} to {most}")
        return value

    def early(self, comparisons: int, default: int | None) -> int | None:
        if self._get("early", default) is None:
            return None
        if comparisons < 2:
            raise self.wrong("early", "null where there is one comparison")
        return self.whole("early", default, 1, comparisons - 1)

    def items(self, key: str) -> list[Any]:
        value = self._get(key)
        if not isinstance(value, list) or not value:
            raise self.wrong(key, "a list of at least one")
        return value

    def names(self, key: str) -> tuple[str, ...] | None:
        if self._get(key) is None:
            return None
        names = self.items(key)
        if not all(isinstance(name, str) for name in names) or len(set(names)) < len(names):
            raise self.wrong(key, "a list of different ids, or null for all")
        return tuple(names)

    def choices(
        self, key: str, among: tuple[Any, ...], default: tuple[Any, ...], *, empty: bool = False
    ) -> tuple[Any, ...]:
        value = self._get(key, list(default))
        fits = isinstance(value, list) and all(isinstance(one, str) for one in value)
        if not fits or not (value or empty) or set(value) - set(among):
            raise self.wrong(key, f"a list of some of {', '.join(among)}")
        return tuple(one for one in among if one in value)

    def nothing_else(self) -> None:
        """No key that was not asked for.

        Raises:
            ParameterError: there is one.
        """
        for key in self.values:
            if key not in self._read:
                known = ", ".join(sorted(self._read))
                msg = f"{self._at}{key} is not a key of a study; there are {known}"
                raise ParameterError(msg)


def _short(value: object) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."
