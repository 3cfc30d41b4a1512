"""Requests to an OpenAI-compatible server that survive what such servers do."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import socket
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Self, TypeVar
from urllib.parse import urljoin

from palate.chat._address import checked_key, checked_url, server_of
from palate.errors import ModelError, ParameterError

if TYPE_CHECKING:
    import httpx

OPENAI = "https://api.openai.com/v1"
LONGEST_WAIT = 60.0
"""Seconds; a server that asks for more is not waited for."""

_TRIES_IN_SILENCE = 3

_FIRST_WAIT, _LAST_WAIT = 0.5, 20.0
_TO_CONNECT = 10.0
_LONGEST_TIMEOUT = 86400.0
_TRANSIENT = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 520, 522, 524, 529})
_OUR_FIELDS = frozenset({"model", "messages", "input", "prompt"})
_OK = 200

Parsed = TypeVar("Parsed")
Body = Mapping[str, Any]


class TransientError(Exception):
    """What may be different next time.

    Args:
        reason: in a few words, for the one line that a user sees.
        wait: seconds that the server asks to wait, or None.
        attempts: the most times that it is worth trying, where that is less than usual.
    """

    def __init__(self, reason: str, wait: float | None = None, attempts: int | None = None) -> None:
        super().__init__(reason)
        self.wait, self.attempts = wait, attempts


class Endpoint:
    """A base URL and a key, and one way to post to it. May be used from several threads."""

    def __init__(
        self,
        base_url: str | None,
        api_key: str | None,
        *,
        timeout: float,
        attempts: int,
        on_wait: Callable[[str], None] | None = None,
    ) -> None:
        import httpx  # noqa: PLC0415 - it takes as long to load as all of numpy

        if not 0.0 < timeout <= _LONGEST_TIMEOUT or attempts < 1:
            msg = (
                f"needs a timeout above 0 and up to {_LONGEST_TIMEOUT:.0f} s, and attempts of at "
                f"least 1, not timeout={timeout}, attempts={attempts}"
            )
            raise ParameterError(msg)
        self.url = checked_url(base_url or os.environ.get("OPENAI_BASE_URL") or OPENAI)
        key = checked_key(api_key or os.environ.get("OPENAI_API_KEY") or "")
        if not key and self.url == OPENAI:
            raise ModelError(
                "no model server: set OPENAI_API_KEY for OpenAI, or OPENAI_BASE_URL for a server "
                "of your own, such as http://localhost:11434/v1"
            )
        self._timeout, self._attempts, self._on_wait = timeout, attempts, on_wait
        self._closing = threading.Event()
        # Waits are spread so that many requests refused at once do not come back at once; nothing
        # that a log or a result depends on is drawn here.
        self._jitter = random.Random()  # noqa: S311
        self._key = key
        self._sockets = weakref.WeakSet[socket.socket]()
        self._lock = threading.Lock()
        headers = {"Content-Type": "application/json"}
        try:
            self._client = httpx.Client(
                headers=headers | ({"Authorization": f"Bearer {key}"} if key else {}),
                timeout=httpx.Timeout(timeout, connect=min(timeout, _TO_CONNECT)),
                limits=httpx.Limits(max_connections=None, max_keepalive_connections=32),
            )
        except (ImportError, ValueError, httpx.InvalidURL) as error:
            msg = f"the proxy that HTTP_PROXY, HTTPS_PROXY or ALL_PROXY names is of no use: {error}"
            raise ModelError(msg) from error

    def post(
        self, path: str, body: Body, parse: Callable[[dict[str, Any], Body], Parsed]
    ) -> Parsed:
        """Send a body and parse the answer; what fails for the moment is tried again.

        Half an emoji, cut off by a limit on tokens, has no UTF-8 and is sent as a question mark.

        Raises:
            ModelError: in one line, what the server said or why it could not be reached.
        """
        return self._tried(lambda: parse(self._post_once(path, body), body))

    def get(self, address: str, parse: Callable[[bytes], Parsed]) -> Parsed:
        """Fetch what an answer refers to and parse it; as :meth:`post`, and with the same key.

        Args:
            address: a URL of this server, in full or from its root.
            parse: from the body to what is wanted.

        Raises:
            ModelError: as :meth:`post`; or the address is another server's, which gets no request.
        """
        url = self._own(address)

        def once() -> Parsed:
            response, content = self._sent("GET", url)
            if response.status_code != _OK:
                raise self._refused(response, response.status_code, content, {})
            return parse(content)

        return self._tried(once)

    def _own(self, address: str) -> str:
        """The full URL of something on this server."""
        try:
            url = urljoin(f"{self.url}/", address.strip())
            own = url.isprintable() and server_of(url) == server_of(self.url)
        except ValueError:
            own = False
        if not own:
            msg = f"{self.url}: its answer refers to another server, which is not asked: {address}"
            raise ModelError(msg[:300])
        return url

    def _tried(self, once: Callable[[], Parsed]) -> Parsed:
        """What a request gives, tried again while it fails for the moment."""
        for attempt in range(1, self._attempts + 1):
            try:
                return once()
            except TransientError as error:
                reason = str(error)
                wait = self._wait(attempt, error.wait)
                left = min(self._attempts, error.attempts or self._attempts) - attempt
            if left <= 0:
                break
            if wait > LONGEST_WAIT:
                msg = f"{self.url}: {reason}; it asks to wait {wait:.0f} s, try again then"
                raise ModelError(msg)
            self._pause(reason, wait)
        times = "once" if attempt == 1 else f"{attempt} times"
        raise ModelError(f"{self.url}: {reason} (tried {times})")

    def close(self) -> None:
        """End requests and waits under way, with a ModelError in their threads."""
        self._closing.set()
        with self._lock:
            for connection in self._sockets:
                _shut(connection)
        self._client.close()

    def _connected(self, event: str, info: Mapping[str, Any]) -> None:
        """Note a connection's socket: to close it would not wake a thread that reads from it."""
        if event.endswith(("connect_tcp.complete", "start_tls.complete")):
            connection = info["return_value"].get_extra_info("socket")
            with self._lock:
                self._sockets.add(connection)
                if self._closing.is_set():
                    _shut(connection)

    def _wait(self, attempt: int, asked: float | None) -> float:
        spread = self._jitter.uniform(0.5, 1.0)
        own = spread * min(_FIRST_WAIT * 2.0 ** (attempt - 1), _LAST_WAIT)
        return own if asked is None else asked + 0.1 * own

    def _pause(self, reason: str, wait: float) -> None:
        if self._on_wait is not None:
            self._on_wait(f"{reason}, trying again in {wait:.1f} s")
        if self._closing.wait(wait):
            raise self._stopped()

    def _stopped(self) -> ModelError:
        return ModelError(f"{self.url}: stopped, the model was closed")

    def _post_once(self, path: str, body: Body) -> dict[str, Any]:
        sent = json.dumps(body, ensure_ascii=False, allow_nan=False).encode(errors="replace")
        response, content = self._sent("POST", self.url + path, sent)
        if response.status_code != _OK:
            raise self._refused(response, response.status_code, content, body)
        answer = _decoded(content, response.headers.get("content-type", ""))
        told = answer.get("error")
        if told and not answer.get("choices"):  # some relay their backend's refusal under 200
            code = told.get("code") if isinstance(told, dict) else None
            raise self._refused(response, code, content, body)
        return answer

    def _sent(
        self, method: str, url: str, sent: bytes | None = None
    ) -> tuple[httpx.Response, bytes]:
        """Send one request: the answer's head, whatever its status, and its body."""
        import httpx  # noqa: PLC0415 - see above

        deadline = time.monotonic() + self._timeout
        content = bytearray()
        try:
            with self._client.stream(
                method, url, content=sent, extensions={"trace": self._connected}
            ) as response:
                for part in response.iter_bytes():
                    content += part
                    if time.monotonic() > deadline:  # each part may come in time, and all too late
                        raise httpx.ReadTimeout("")
        except (httpx.HTTPError, OSError, RuntimeError) as error:
            if self._closing.is_set():  # the client was closed under the request
                raise self._stopped() from error
            if isinstance(error, httpx.TimeoutException):
                msg = f"no answer within {self._timeout:g} s"
            elif isinstance(error, httpx.ConnectError):
                msg = f"cannot be reached ({error}); is it running, and the address right?"
            elif isinstance(error, httpx.HTTPError):
                msg = f"the connection broke off ({str(error) or type(error).__name__})"
            else:
                raise
            # A server that is silent or away is seldom back soon, and each try may take minutes.
            silent = isinstance(error, httpx.TimeoutException | httpx.ConnectError)
            most = _TRIES_IN_SILENCE if silent else None
            raise TransientError(msg, attempts=most) from error
        return response, bytes(content)

    def _refused(
        self, response: httpx.Response, status: object, content: bytes, body: Body
    ) -> TransientError | ModelError:
        said, named = _explanation(content)
        if self._key:
            said = said.replace(self._key, "***")
        label = f"{status} {response.reason_phrase}" if status == response.status_code else "error"
        reason = f"{label}: {said}" if said else label
        if not isinstance(status, int):
            return ModelError(f"{self.url}: {reason}")
        if status in _TRANSIENT and "insufficient_quota" not in named:
            return TransientError(reason, _retry_after(response.headers.get("retry-after")))
        if response.has_redirect_location:
            reason += f"; it redirects to {response.headers['location']}, correct the base URL"
        elif status in {401, 403}:
            reason += "; check OPENAI_API_KEY"
        elif status in {404, 405}:
            reason += "; check the model's name, and that the base URL ends in /v1 if it has to"
        elif status in {400, 422}:
            refused = [name for name in body.keys() - _OUR_FIELDS if _names(name, said, named)]
            if refused:
                reason += f"; it refuses the option {', '.join(sorted(refused))}: leave it out"
        return ModelError(f"{self.url}: {reason}")


class OnServer:
    """What asks a server and lets go of it at the end; works in a ``with`` block.

    Args:
        endpoint: the server.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    def close(self) -> None:
        """End what is under way, waits included, and let go of the connections."""
        self._endpoint.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _shut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):  # it was closed before, or TLS took its place
        connection.shutdown(socket.SHUT_RDWR)


def _decoded(content: bytes, kind: str) -> dict[str, Any]:
    """The body as an object, whether it came whole or as a stream of events.

    Raises:
        TransientError: it is cut off, or no JSON object.
    """
    if "event-stream" in kind or content.lstrip().startswith(b"data:"):
        return _joined(content)
    try:
        answer = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise TransientError("the server's answer was cut off, or is not JSON") from error
    if not isinstance(answer, dict):
        raise TransientError("the server's answer is not a JSON object")
    return answer


def _joined(content: bytes) -> dict[str, Any]:
    """A streamed answer as the object that it would have been whole."""
    text, finish, answer = "", None, dict[str, Any]()
    done = False
    for line in re.split(r"\r\n|\r|\n", content.decode("utf-8", "replace")):
        if not line.startswith("data:"):
            continue
        data = line.removeprefix("data:").strip()
        if data == "[DONE]":
            done = True
            break
        try:
            event = json.loads(data)
            answer |= {k: v for k, v in event.items() if k != "choices" and v is not None}
            for choice in event.get("choices") or ():
                text += (choice.get("delta") or {}).get("content") or ""
                finish = choice.get("finish_reason") or finish
        except (ValueError, AttributeError, TypeError) as error:
            raise TransientError("the server's stream was cut off, or is not JSON") from error
    if not done and finish is None and "error" not in answer:
        raise TransientError("the server's stream was cut off")
    if "error" in answer and not text:
        return answer
    return answer | {"choices": [{"message": {"content": text}, "finish_reason": finish}]}


def _explanation(content: bytes) -> tuple[str, str]:
    """What an error's body says, on one line, and what else it names (parameter, type, code)."""
    text = content.decode("utf-8", "replace")
    named = ""
    try:
        parsed = json.loads(text)
        error = parsed.get("error", parsed.get("detail", parsed.get("message", parsed)))
        if isinstance(error, dict):
            named = " ".join(str(error[k]) for k in ("param", "type", "code") if error.get(k))
            text = str(error.get("message", error))
        else:
            text = str(error)
    except (ValueError, AttributeError):
        text = re.sub(r"<[^>]*>", " ", text)  # an HTML page of some proxy
    text = "".join(c if c.isprintable() else " " for c in text)
    text = " ".join(text.split())
    return (text if len(text) <= 200 else text[:197] + "..."), named


def _names(option: str, said: str, named: str) -> bool:
    return re.search(rf"(?<![\w]){re.escape(option)}(?![\w])", f"{said} {named}") is not None


def _retry_after(header: str | None) -> float | None:
    """Seconds that a Retry-After header asks for, in either of its two forms."""
    if not header:
        return None
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    try:
        at = parsedate_to_datetime(header)
    except (ValueError, OverflowError):
        return None
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    return max(0.0, (at - datetime.now(UTC)).total_seconds())
