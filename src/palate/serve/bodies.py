"""What is sent and received, as types: they check what comes in and document both."""

from __future__ import annotations

from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, JsonValue, StrictBool, StrictInt, StrictStr

Item = TypeVar("Item")

_LARGEST_POOL = 100_000
_TEXT = 1_000_000  # characters of one text


class Body(BaseModel):
    """What a request says; a field that nobody reads is refused, since it is a misspelt one."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class Problem(BaseModel):
    """What is wrong (RFC 9457)."""

    status: int
    title: str
    detail: str


class NewPerson(Body):
    """Somebody who is to be asked."""

    name: Annotated[StrictStr, Field(min_length=1, max_length=200)] | None = Field(
        None,
        description="The application's own name for them: who has it already is found again.",
        examples=["ann"],
    )


class PersonOut(BaseModel):
    """A person."""

    id: str
    name: str | None
    added_at: str = Field(description="ISO 8601, UTC.")


class LeaningOut(BaseModel):
    """How what was picked is written, beside what it was picked from."""

    words: str = Field(description='Such as "shorter".')
    picks: int = Field(description="How many picks were so, beside the average of those shown.")
    of: int = Field(description="How many picks could tell.")
    chance: float = Field(description="How often chance alone would bring that about.")


class ProfileOut(BaseModel):
    """What is remembered of a person, in numbers and in words: of the latest answers."""

    answers: int = Field(description="How many are remembered, ties and skips among them.")
    undecided: int = Field(description="How many of them are ties or skips.")
    prompts: int = Field(description="How many different prompts they are about.")
    since: str | None = Field(description="Time of the first: ISO 8601, UTC.")
    leanings: list[LeaningOut] = Field(description="In style, those that are hardly chance.")
    best: list[str] = Field(description="First words of what was liked best.")
    least: list[str] = Field(description="First words of what was liked least.")
    contrary: float | None = Field(
        description="Expected share of the latest answers that are contrary to the rest."
    )
    text: str = Field(description="The same in words.")


class Forgotten(BaseModel):
    """Answers enter no later elicitation any more."""

    forgotten: int = Field(description="How many that stand were remembered until now.")


class DeletedOut(BaseModel):
    """A person is deleted, with all that was theirs."""

    elicitations: int
    answers: int = Field(description="How many stood.")


class ResponseIn(Body):
    """A response: a text, an image, or both."""

    id: Annotated[StrictStr, Field(min_length=1, max_length=200)] | None = Field(
        None, description='Unique in the pool; by default "r" and its place, from 1.'
    )
    text: Annotated[StrictStr, Field(max_length=_TEXT)] | None = None
    image: Annotated[StrictStr, Field(min_length=1, max_length=1000)] | None = Field(
        None, description="A file in the folder that the owner shares, by its path from there."
    )
    metadata: dict[str, JsonValue] = Field(default_factory=dict)


class NewPool(Body):
    """Responses that compete for one prompt."""

    prompt: Annotated[StrictStr, Field(max_length=_TEXT)]
    responses: Annotated[
        list[Annotated[StrictStr, Field(max_length=_TEXT)] | ResponseIn],
        Field(min_length=1, max_length=_LARGEST_POOL),
    ]
    features: list[list[float]] | None = Field(
        None,
        description="A row of d numbers a response. By default texts are embedded by the shipped "
        "embedder, 64-d.",
    )
    embedder: Annotated[StrictStr, Field(min_length=1, max_length=200)] | None = Field(
        None,
        description="Name of what made the features that are given. A person's answers count for "
        "later pools whose features have the same name, scaling and number.",
    )
    scaling: Literal["half", "diameter", "none"] | None = Field(
        None,
        description='How features are scaled: "diameter" for those given, "half" for embedded '
        "texts, if left out.",
    )
    style: Annotated[float, Field(ge=0.0, le=1.0)] = Field(
        0.0, description="Weight of length, lists, formality and the like beside the embedding."
    )
    name: Annotated[StrictStr, Field(min_length=1, max_length=200)] | None = None
    baseline: Annotated[StrictStr, Field(min_length=1, max_length=_TEXT)] | None = Field(
        None, description="A text to beat; not a candidate."
    )
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "prompt": "What should I cook tonight?",
                    "responses": ["Miso-glazed salmon with rice.", "Coconut chickpea curry."],
                }
            ]
        }
    )


class PoolOut(BaseModel):
    """A pool, without its responses."""

    id: str
    name: str | None
    prompt: str
    size: int
    embedder: str | None = Field(description="What made its features.")


class ListedPool(PoolOut):
    """A pool in a listing."""

    added_at: str = Field(description="ISO 8601, UTC.")


class ResponseOut(BaseModel):
    """A response. Its text is whatever somebody or a model wrote: escape it where you show it."""

    id: str
    text: str | None
    image: str | None
    metadata: dict[str, Any]


class NewElicitation(Body):
    """One person's run on one pool."""

    person: StrictStr = Field(description="Id of who is asked.")
    pool: StrictStr = Field(description="Id of what they are asked about.")
    strategy: dict[str, JsonValue] | None = Field(
        None,
        description="Name and settings of the rule that picks the questions; by default EUBO, on "
        "what is known of the person and of people.",
        examples=[{"name": "useralign", "epsilon": 0.3, "max_steps": 12}],
    )
    seed: Annotated[StrictInt, Field(ge=0, lt=2**63)] | None = Field(
        None, description="Fixes what is random; by default drawn, and recorded."
    )
    remember: StrictBool | None = Field(
        None,
        description="Whether to begin from what the person answered before, about pools with "
        "comparable features. By default where no strategy is named and it can be done; a strategy "
        "that is named is taken as it is.",
    )


class ElicitationOut(BaseModel):
    """An elicitation as it stands."""

    id: str
    person: str
    pool: str
    strategy: dict[str, Any]
    seed: int
    started_at: str = Field(description="ISO 8601, UTC.")
    answers: int = Field(description="How many stand, skips among them.")
    events: int = Field(description="How many things happened, undos included.")
    remembered: int = Field(description="How many picks of earlier elicitations it began from.")
    page: str = Field(description="Where the person can answer in a browser.")


class QueryOut(BaseModel):
    """K responses, in the order in which they are to be shown."""

    id: str
    number: int = Field(description="How many answers stand before it.")
    responses: list[ResponseOut]


class Asked(BaseModel):
    """The query that waits for its answer; null where nothing is left to ask."""

    query: QueryOut | None
    stopped: Literal["certified", "max_steps", "exhausted"] | None = Field(
        description="Why nothing is asked: the choice is certain enough; the most questions were "
        "asked; or no question is left. Null while there is a query."
    )


class NewAnswer(Body):
    """What the person said."""

    picked: (
        Annotated[StrictInt, Field(ge=0, le=10**6)]
        | Annotated[list[Annotated[StrictInt, Field(ge=0, le=10**6)]], Field(max_length=1000)]
        | Literal["tie", "skip"]
    ) = Field(
        description="A position in the query's responses, from 0; several, as an order, best "
        "first; equally good; or no opinion."
    )
    response_ms: Annotated[StrictInt, Field(ge=0, lt=2**53)] | None = Field(
        None, description="How long the person took, in milliseconds."
    )
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"picked": 0, "response_ms": 5400}, {"picked": "tie"}]}
    )


class Told(BaseModel):
    """An answer is recorded."""

    recorded: bool = Field(
        description="False where this very answer was recorded before, and counts once."
    )
    next: Asked | None = Field(description="What is asked now; null where that was not wanted.")


class NewUndo(Body):
    """Which answer to take back."""

    query: StrictStr | None = Field(
        None,
        description="Id of the query that the last answer is to: sent again, nothing more is "
        "taken back. By default the last answer, whatever it is.",
    )
    events: Annotated[StrictInt, Field(ge=0, lt=2**63)] | None = Field(
        None,
        description="How many events the elicitation had when you looked: where something happened "
        "since, nothing is taken back.",
    )


class Undone(BaseModel):
    """An answer is taken back; its query is asked again, under a new id."""

    undone: bool = Field(
        description="False where that answer was taken back before, or something happened since."
    )
    next: Asked


class RecommendationOut(BaseModel):
    """The best response by the answers so far, and how sure that is."""

    response: ResponseOut
    index: int = Field(description="Its place in the pool.")
    bound: float | None = Field(description="By how much another may still be better, in logits.")
    expected_regret: float | None = Field(
        description="What it is expected to lose to the best, as a share of the pool's range."
    )
    certified: bool
    consistent: bool = Field(description="False where the answers contradict each other.")
    answers: int = Field(description="Questions answered, skips not counted.")
    questions_left: int = Field(description="About how many more would be asked.")


class AnswerOut(BaseModel):
    """An answer that stands."""

    number: int
    shown: list[str] = Field(description="Ids of the responses in the order shown.")
    picked: int | list[int] | Literal["tie", "skip"]
    at: str = Field(description="ISO 8601, UTC.")
    response_ms: int | None


class NewGeneration(Body):
    """A pool that the configured model is to write."""

    prompt: Annotated[StrictStr, Field(min_length=1, max_length=100_000)] = Field(
        examples=["What should I cook tonight?"]
    )
    size: Annotated[StrictInt, Field(ge=2, le=200)] = 20
    interest_share: Annotated[float, Field(ge=0.0, le=1.0)] = Field(
        0.5, description="Share of the responses that are written for an interest of somebody's."
    )
    style: Annotated[float, Field(ge=0.0, le=1.0)] = 0.0
    baseline: StrictBool = Field(
        default=True, description="Whether to ask for the response at temperature 0 as well."
    )


class GenerationOut(BaseModel):
    """A pool that is being written."""

    id: str
    prompt: str
    size: int
    status: Literal["running", "done", "failed"]
    had: int = Field(description="Responses written so far.")
    pool: str | None = Field(description="Id of the pool, once it is done.")
    problem: str | None = Field(description="What went wrong, where it failed.")
    started_at: str = Field(description="ISO 8601, UTC.")


class Page(BaseModel, Generic[Item]):
    """Some rows of a listing, oldest first."""

    items: list[Item]
    after: str | None = Field(
        description="What to pass as after to get the next page; null where this is the last."
    )
