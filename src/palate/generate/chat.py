"""Pools from a chat model: half of the prompt alone, half by interests that bear on it."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import re
from dataclasses import KW_ONLY, dataclass
from typing import TYPE_CHECKING, Any

from palate import _random
from palate._journal import Journal
from palate.errors import FingerprintError, LogError, ModelError, ParameterError
from palate.generate._interests import answer_request, interests_request
from palate.generate._requests import Request, ask_all
from palate.generate._slots import INTERESTS, Reply, Slot, Slots
from palate.generate.progress import Progress
from palate.pool import Pool, Response

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from pathlib import Path

    from palate.chat import ChatModel, Completion

FORMAT = 1
"""Version of the journal's format, and of the words in which the model is asked."""

_GROWN = re.compile(r"grown-(\d{1,9})")
_FIRST = b'{"generation": '
"""How a journal of a generation begins."""

_NOT_OF_THE_RESPONSES = {"model", "concurrency", "on_progress"}


@dataclass(frozen=True)
class ChatGenerator:
    """Generates pools by USERALIGN's Appendix D.1, or with ``interest_share=0`` by D.2.

    Part of a pool's responses are samples on the prompt alone. For the rest the model is first
    asked for diverse interests that bear on the prompt, and then for one response an interest. The
    baseline is the response at temperature 0. One request is sent for each response; one whose
    answer is empty, or repeats a response but for case and white space, is sent again.

    Args:
        model: the chat model.
        interest_share: share of the responses that are written for an interest, from 0 to 1.
        temperature: at which responses are sampled; None leaves it to the model.
        interest_temperature: at which interests are asked for; None leaves it to the model.
        baseline: whether to ask for a baseline as well.
        baseline_temperature: of the baseline; None leaves it to the model.
        system: a system message before every request for a response, or None.
        seed: at least 0; each request gets a seed of its own, derived from it. None sends none.
        concurrency: the most requests under way at a time.
        on_progress: called after each answer, from the thread that asked for the pool, and at the
            start of a run that goes on with a journal; see :class:`Progress`.

    Raises:
        ParameterError: a setting is outside its range.
    """

    model: ChatModel
    _: KW_ONLY
    interest_share: float = 0.5
    temperature: float | None = 0.5
    interest_temperature: float | None = 0.8
    baseline: bool = True
    baseline_temperature: float | None = 0.0
    system: str | None = None
    seed: int | None = None
    concurrency: int = 8
    on_progress: Callable[[Progress], None] | None = None

    def __post_init__(self) -> None:
        if not 0.0 <= self.interest_share <= 1.0:
            msg = f"interest_share is from 0 to 1, not {self.interest_share}"
            raise ParameterError(msg)
        for name in ("temperature", "interest_temperature", "baseline_temperature"):
            value = getattr(self, name)
            if value is not None and not 0.0 <= value < math.inf:
                msg = f"{name} is at least 0, or None, not {value}"
                raise ParameterError(msg)
        _check_whole("concurrency", self.concurrency, 1)
        if self.seed is not None:
            _check_whole("seed", self.seed, 0)

    def generate(
        self, prompt: str, n: int, *, journal: Path | None = None, resume: bool = False
    ) -> Pool:
        """A pool of n distinct responses to a prompt, without features.

        Responses are named by their place, "plain-1", ..., "interest-1", ..., and come in this
        order. Their metadata say how they were made: ``kind``, ``interest``, ``model``,
        ``temperature``, ``truncated``.

        Args:
            prompt: what is asked.
            n: how many responses.
            journal: a file that keeps each answer as it arrives. It is left in place; remove it
                when the pool has been written.
            resume: go on with the journal, if it exists: what it holds is not asked again. n may
                be another one; fewer takes the first ones.

        Raises:
            ParameterError: n is no whole number of at least 1, or the prompt is empty.
            ModelError: a request failed, or the model repeats itself so much that 3 n + 10
                requests did not give n distinct responses.
            FingerprintError: the journal belongs to another prompt, model or setting.
            LogError: the journal exists and ``resume`` is False, is in use or damaged, or cannot
                be written.
        """
        _check_whole("n", n, 1)
        if not isinstance(prompt, str) or not prompt.strip():
            msg = f"the prompt must be a text that is not empty, not {prompt!r}"
            raise ParameterError(msg)
        for_interests = math.ceil(n * self.interest_share - 0.5)
        slots = Slots(
            [Slot(f"plain-{i + 1}", "plain") for i in range(n - for_interests)]
            + [Slot(f"interest-{i + 1}", "interest", i) for i in range(for_interests)]
            + [Slot("baseline", "baseline")] * self.baseline
        )
        with contextlib.ExitStack() as stack:
            kept: Journal | None = None
            if journal is not None:
                kept = stack.enter_context(self._journal(journal, prompt, resume=resume))
                for number, record in enumerate(kept.records, start=2):
                    try:
                        slots.take(Reply.from_object(record))
                    except LogError as error:
                        msg = f"{journal}, line {number}: {error}"
                        raise LogError(msg) from error
                slots.fruitless = 0  # going on is another chance
            _Run(self, slots, prompt, kept).run()
        if slots.open():
            raise ModelError(_too_few(slots, journal))
        responses = [self._response(slot, slots.filled[slot.id]) for slot in slots.slots]
        baseline = responses.pop() if self.baseline else None
        return Pool(prompt, responses, baseline=baseline)

    def grow(
        self,
        pool: Pool,
        n: int,
        *,
        liked: Sequence[Response] = (),
        disliked: Sequence[Response] = (),
    ) -> list[Response]:
        """At most n new responses to a pool's prompt, near what a person liked.

        The model is asked for variations on what was liked, and then for one response each. They
        are named "grown-1", "grown-2", ..., going on from those that the pool has. Where the model
        repeats itself there are fewer than n.

        Args:
            pool: what there is; neither its ids nor its texts come again.
            n: how many responses to try for.
            liked: responses that the person liked, the best first.
            disliked: responses that they did not.

        Raises:
            ParameterError: n is no whole number of at least 1.
            ModelError: a request failed, or no reply named a variation that could be read.
        """
        _check_whole("n", n, 1)
        numbers = [_GROWN.fullmatch(response.id) for response in pool.responses]
        first = 1 + max((int(number[1]) for number in numbers if number), default=0)
        interests = [response.metadata.get("interest") for response in pool.responses]
        slots = Slots(
            [Slot(f"grown-{first + i}", "grown", i) for i in range(n)],
            [response.text for response in pool.responses if response.text],
            named := [interest for interest in interests if isinstance(interest, str)],
        )
        run = _Run(self, slots, pool.prompt, first=first, named=named)
        run.liked = [response for response in liked if response.text]
        run.disliked = [response for response in disliked if response.text]
        run.run()
        filled = [slot for slot in slots.slots if slot.id in slots.filled]
        return [self._response(slot, slots.filled[slot.id]) for slot in filled]

    def _response(self, slot: Slot, reply: Reply) -> Response:
        temperature = self.baseline_temperature if slot.kind == "baseline" else self.temperature
        metadata: dict[str, Any] = {"kind": slot.kind, "interest": reply.interest}
        metadata |= {"model": reply.model, "temperature": temperature}
        known = {name: value for name, value in metadata.items() if value is not None}
        return Response(slot.id, reply.text, metadata=known | {"truncated": reply.truncated})

    def _journal(self, path: Path, prompt: str, *, resume: bool) -> Journal:
        """The journal of this run, new or gone on with."""
        header: dict[str, Any] = {"generation": FORMAT, "prompt": prompt}
        header["model"] = self.model.identity
        names = [field.name for field in dataclasses.fields(self)]
        header |= {n: getattr(self, n) for n in names if n not in _NOT_OF_THE_RESPONSES}
        if not resume or not path.exists():
            try:
                return Journal.create(path, header)
            except FileExistsError as error:
                msg = f"{path} exists; go on with it by --resume (resume=True), or remove it"
                raise LogError(msg) from error
        journal = Journal.open(path)
        try:
            if not journal.header and _FIRST.startswith(path.read_bytes()[: len(_FIRST)]):
                journal.append(header)  # it was killed before the first line was whole
            else:
                _check_header(path, journal.header, header)
        except LogError:
            journal.close()
            raise
        return journal


@dataclass
class _Run:
    """One run of a generator: what to ask next for the slots, and where the answers go."""

    generator: ChatGenerator
    slots: Slots
    prompt: str
    journal: Journal | None = None
    _: KW_ONLY
    first: int = 0  # number of the first response grown, so that no two growths share seeds
    named: Sequence[str] = ()
    liked: Sequence[Response] = ()
    disliked: Sequence[Response] = ()
    under_way: int = 0
    ending: bool = False

    def __post_init__(self) -> None:
        self.wanted = sum(slot.kind != "baseline" for slot in self.slots.slots)
        self.left = 3 * self.wanted + 10

    def run(self) -> None:
        """Fill the slots as far as the budget of requests goes."""
        if self.slots.replies:
            self._report()
        generator = self.generator
        ask_all(generator.model, generator.concurrency, self.propose, self.take, self.end)

    def propose(self, under_way: Collection[str]) -> Request | None:
        """The next request: interests first, so that what waits for them can begin early."""
        if self.left <= 0:
            return None
        generator = self.generator
        missing = 0 if INTERESTS in under_way else self.slots.interests_missing()
        if missing:
            named = [*self.named, *self.slots.interests]
            content = interests_request(self.prompt, missing, named, self.liked, self.disliked)
            request = self._request(INTERESTS, content, generator.interest_temperature, None)
        else:
            following = self.slots.next(under_way)
            if following is None:
                return None
            slot, interest = following
            content = self.prompt
            if interest is not None:
                content = answer_request(self.prompt, interest, self.liked, self.disliked)
            baseline = slot.kind == "baseline"
            temperature = generator.baseline_temperature if baseline else generator.temperature
            request = self._request(slot.id, content, temperature, interest)
        self.left -= 1
        self.under_way += 1
        return request

    def _request(
        self, slot: str, content: str, temperature: float | None, interest: str | None
    ) -> Request:
        messages = [{"role": "user", "content": content}]
        system, seed = self.generator.system, self.generator.seed
        if system is not None and slot != INTERESTS:
            messages.insert(0, {"role": "system", "content": system})
        if seed is not None:
            rng = _random.generator(seed, slot, self.first, self.slots.replies[slot])
            seed = int(rng.integers(2**31))
        return Request(slot, tuple(messages), temperature, seed, interest)

    def take(self, request: Request, completion: Completion) -> None:
        """Keep an answer, count it, and say so."""
        text, model = completion.text.strip(), completion.model
        reply = Reply(
            request.slot, text, request.interest, model, completion.truncated, completion.usage
        )
        if self.journal is not None:
            self.journal.append(reply.to_object())
        self.slots.take(reply)
        self.under_way -= 1
        self._report()

    def end(self, under_way: int) -> None:
        """Note that the run ends early."""
        self.under_way, self.ending = under_way, True
        self._report()

    def _report(self) -> None:
        slots, tell = self.slots, self.generator.on_progress
        if tell is None:
            return
        progress = Progress(
            slots.had(),
            self.wanted,
            slots.replies.total(),
            slots.usage,
            self.under_way,
            self.ending,
        )
        # Whatever it is that cannot be told must not cost an answer that is paid for.
        with contextlib.suppress(Exception) if self.ending else contextlib.nullcontext():
            tell(progress)


def _check_whole(name: str, value: object, least: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        msg = f"{name} must be a whole number of at least {least}, not {value!r}"
        raise ParameterError(msg)


def _check_header(path: Path, recorded: dict[str, Any], here: dict[str, Any]) -> None:
    if recorded.get("generation") != FORMAT:
        msg = f"{path} is not the journal of a generated pool, format {FORMAT}"
        raise LogError(msg)
    for name, value in here.items():
        if recorded.get(name) != value:
            msg = (
                f"{path} was begun with another {name}: {_short(recorded.get(name))} there, "
                f"{_short(value)} here; go on with the one it was begun with, or remove it"
            )
            raise FingerprintError(msg)


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else text[:77] + "..."


def _too_few(slots: Slots, journal: Path | None) -> str:
    wanted = sum(slot.kind != "baseline" for slot in slots.slots)
    without = " and no baseline" if any(s.kind == "baseline" for s in slots.open()) else ""
    msg = (
        f"{slots.had()} of {wanted} distinct responses{without} after {slots.replies.total()} "
        f"requests ({slots.repeats} repeats, {slots.empty} empty); ask for fewer or raise the "
        "temperature"
    )
    return msg if journal is None else f"{msg}, or go on with --resume: {journal} has them"
