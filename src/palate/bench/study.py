"""Simulated participants of a study, who answer on its pages over HTTP, as people would.

Somebody who plays a persona answers by the persona's ratings. Somebody's own taste is another
persona's, with noise: P(first) = sigmoid(difference of the ratings), on their scale from 0 to 10.
"""

from __future__ import annotations

import html
import http.client
import re
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode, urlsplit

import numpy as np

from palate._random import generator
from palate.errors import ParameterError, StoreError
from palate.serve.markdown import to_html
from palate.serve.study.pages import CHECK

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from palate._typing import FloatArray
    from palate.bench.domains import Domain

_ATTENTION: Final = 0.97  # probability that a simulated participant sees the attention check
_PATIENCE: Final = 60.0  # seconds
_ACTION = re.compile(r'<form[^>]* method="post" action="([^"]+)"')
_HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)"')
_PLAIN = re.compile(r'<p class="plain">(.*?)</p>', re.DOTALL)
_CARD = re.compile(r'<article.*?dir="auto">\n(.*?)\n</div>\n</article>', re.DOTALL)
_CHECK_CARD: Final = to_html(CHECK).strip()


@dataclass(frozen=True, eq=False)
class _Prompt:
    """A prompt as its raters see it.

    Attributes:
        places: of the baseline (0) and the responses, by what the page shows of them.
        ratings: by the persona's text, (1 + N,) each.
    """

    places: dict[str, int]
    ratings: dict[str, FloatArray]


@dataclass(frozen=True, slots=True)
class Simulated:
    """What a simulation took.

    Attributes:
        seconds: wall time.
        requests: that the server answered.
        finished: participants who came to the completion code.
    """

    seconds: float
    requests: int
    finished: int


def simulate_participants(
    url: str,
    ids: Sequence[str],
    domains: Mapping[str, Domain],
    *,
    code: str,
    seed: int = 0,
    together: int = 8,
) -> Simulated:
    """Let simulated participants walk through a study.

    Args:
        url: of the server, http.
        ids: of the participants' links.
        domains: of the study; personas rate in each.
        code: that the last page shows.
        seed: of their tastes and their noise.
        together: how many answer at a time.

    Raises:
        ParameterError: a domain has no ratings, or the URL is not one of http.
        StoreError: the server refuses a request, or does not answer.
    """
    address = urlsplit(url)
    if address.scheme != "http" or address.hostname is None:
        msg = f"simulated participants need a server at http://HOST:PORT, not {url!r}"
        raise ParameterError(msg)
    prompts = _prompts(domains)
    began = time.perf_counter()
    count = 0
    finished = 0

    def walk(i: int) -> tuple[int, bool]:
        person = _Participant(address.netloc, prompts, generator(seed, "study participant", i))
        return person.walk(f"/p/{ids[i]}", code)

    with ThreadPoolExecutor(together) as threads:
        for requests, done in threads.map(walk, range(len(ids))):
            count += requests
            finished += done
    return Simulated(time.perf_counter() - began, count, finished)


class _Participant:
    """One who reads pages, and answers by a table of ratings."""

    def __init__(self, host: str, prompts: Mapping[str, _Prompt], rng: np.random.Generator) -> None:
        self._connection = http.client.HTTPConnection(host, timeout=_PATIENCE)
        self._prompts = prompts
        self._rng = rng
        self._requests = 0
        self._prompt = _Prompt({}, {})
        self._ratings: FloatArray = np.zeros(0)
        self._noise = 0.0

    def walk(self, path: str, code: str) -> tuple[int, bool]:
        """Answer everything: how many requests it took, and whether the code came at the end."""
        try:
            page = self._request("GET", path)
            while (form := _ACTION.search(page)) is not None:
                fields = {name: html.unescape(value) for name, value in _HIDDEN.findall(page)}
                page = self._request("POST", form[1], fields | self._said(form[1], page))
        except (OSError, http.client.HTTPException) as error:
            msg = f"the server does not answer: {error!r}"
            raise StoreError(msg) from error
        finally:
            self._connection.close()
        return self._requests, f"<code>{html.escape(code)}</code>" in page

    def _said(self, action: str, page: str) -> dict[str, str]:
        kind = action.rpartition("/")[2]
        if kind == "consent":
            return {"agree": "yes"}
        if kind == "begin":
            self._read(page)
            return {}
        return {"picked": str(self._pick([card.strip() for card in _CARD.findall(page)]))}

    def _read(self, page: str) -> None:
        """Take in the request, and the persona; or have a taste of one's own."""
        *personas, prompt = (html.unescape(text) for text in _PLAIN.findall(page))
        self._prompt = self._prompts[prompt]
        if personas:
            self._ratings = self._prompt.ratings[personas[0]]
        else:
            tastes = list(self._prompt.ratings.values())
            self._ratings = tastes[int(self._rng.integers(len(tastes)))]
            self._noise = 1.0

    def _pick(self, cards: list[str]) -> int:
        if _CHECK_CARD in cards and self._rng.random() < _ATTENTION:
            return cards.index(_CHECK_CARD)
        if _CHECK_CARD in cards:
            return 1 - cards.index(_CHECK_CARD)
        one, other = (self._ratings[self._prompt.places[card]] for card in cards)
        return int(one - other + self._noise * self._rng.logistic() < 0.0)

    def _request(self, method: str, path: str, fields: Mapping[str, str] | None = None) -> str:
        """The page of an answer, redirections followed."""
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        body = None if fields is None else urlencode(fields)
        self._connection.request(method, path, body, {} if body is None else kind)
        response = self._connection.getresponse()
        content = response.read().decode()
        self._requests += 1
        if response.status == http.client.SEE_OTHER:
            return self._request("GET", response.headers["Location"].partition("#")[0])
        if response.status != http.client.OK:
            msg = f"{method} {path.rpartition('/')[2]} has status {response.status}"
            raise StoreError(msg)
        return content


def _prompts(domains: Mapping[str, Domain]) -> dict[str, _Prompt]:
    """The prompts of domains by their text."""
    prompts = {}
    for name, domain in domains.items():
        if domain.ratings is None:
            msg = f"domain {name!r} has no ratings, by which simulated participants answer"
            raise ParameterError(msg)
        for x, pool in enumerate(domain.pools):
            responses = [r for r in (pool.baseline, *pool.responses) if r is not None]
            places = {to_html(str(r.text)).strip(): i for i, r in enumerate(responses)}
            ratings = {domain.personas[p].text: domain.ratings[x, p] for p in domain.raters(x)}
            prompts[pool.prompt] = _Prompt(places, ratings)
    return prompts
