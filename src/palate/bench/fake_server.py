"""A server that speaks OpenAI's protocol on loopback, and misbehaves on demand."""

from __future__ import annotations

import base64
import json
import re
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable

Body = dict[str, Any]

PNG = b"\x89PNG\r\n\x1a\n"
"""How a PNG file begins."""


@dataclass
class FakeServer:
    """Answers ``/v1/chat/completions``, ``/v1/embeddings`` and ``/v1/images/generations``.

    It ignores ``n``, as many servers do.

    Attributes:
        reply: text to answer a chat request with, from its body and its number (from 0).
        faults: what goes wrong with the next requests, one each, oldest first:
            "429" (with Retry-After), "429-date", "429-quota", "500", "503", "hang", "trickle",
            "cut" (the connection ends in the middle), "cut-json" (a whole body of half a JSON
            text), "html", "html-502", "redirect", "stream", "stream-cut", "empty", "no-choices",
            "no-usage", "error-200", "401" (which shows the key, as some servers do); of pictures
            "url" (an address instead of the picture), "url-elsewhere", "no-picture",
            "not-a-picture", "not-base64".
            None: nothing goes wrong with that request.
        always: a fault of every request for which ``faults`` holds none.
        known: fields that a request may have; any other is refused by name. None: all.
        api_key: the key that is asked for; None: none.
        delay: seconds that a request takes.
        retry_after: what the header of a "429" says.
        embed: the vector of a text.
        picture: the picture of a prompt.
        requests: bodies of all requests that arrived, refused ones too; ``{"get": path}`` for one
            that fetches a picture.
        times: when each of them arrived, by the monotonic clock.
        served: how many were answered whole.
        at_once: the most requests that were under way at the same time.
        under_way: those that are now.
    """

    reply: Callable[[Body, int], str] = field(default=lambda _, number: f"reply {number}")
    faults: deque[str | None] = field(default_factory=deque)
    always: str | None = None
    known: frozenset[str] | None = None
    api_key: str | None = None
    delay: float = 0.0
    retry_after: str = "0"
    embed: Callable[[str], list[float]] = field(
        default=lambda text: [float(len(text)), float(sum(map(ord, text)) % 97), 1.0]
    )
    picture: Callable[[str], bytes] = field(default=lambda prompt: PNG + prompt.encode())
    requests: list[Body] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    served: int = 0
    at_once: int = 0
    under_way: int = 0

    def __enter__(self) -> Self:
        self._lock = threading.Lock()
        self._ended = threading.Event()
        fake: FakeServer = self

        class Handler(_Handler):
            server_state = fake

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(
            target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        )
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """The base URL, up to and including /v1."""
        return f"http://127.0.0.1:{self._http.server_address[1]}/v1"

    def begin(self, body: Body) -> tuple[int, str | None]:
        """Count a request; its number and what goes wrong with it."""
        with self._lock:
            number = len(self.requests)
            self.requests.append(body)
            self.times.append(time.monotonic())
            self.under_way += 1
            self.at_once = max(self.at_once, self.under_way)
            return number, self.faults.popleft() if self.faults else self.always

    def end(self, *, served: bool) -> None:
        """Count an answer."""
        with self._lock:
            self.under_way -= 1
            self.served += served

    def wait(self, seconds: float) -> None:
        """Sleep, but no longer than the server lives."""
        self._ended.wait(seconds)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_state: FakeServer

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self._do(body, lambda number, fault: self._answer(body, number, fault))

    def do_GET(self) -> None:
        self._do({"get": self.path}, lambda _, fault: self._file(fault))

    def _do(self, body: Body, answer: Callable[[int, str | None], bool]) -> None:
        fake = self.server_state
        number, fault = fake.begin(body)
        served = False
        try:
            served = answer(number, fault)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        finally:
            fake.end(served=served)

    def _answer(self, body: Body, number: int, fault: str | None) -> bool:
        fake = self.server_state
        key = self.headers.get("Authorization", "").removeprefix("Bearer ")
        unknown = sorted(body.keys() - fake.known) if fake.known is not None else []
        if fault == "401" or (fake.api_key and key != fake.api_key):
            message = f"Incorrect API key provided: {key}"
            return self._refuse(401, message, code="invalid_api_key")
        if unknown:
            return self._refuse(400, f"Unrecognized request argument supplied: {unknown[0]}")
        fake.wait(30.0 if fault == "hang" else fake.delay)
        if fault is not None and self._fails(fault):
            return False
        if self.path in {"/v1/embeddings", "/v1/images/generations"}:
            make = self._embeddings if self.path == "/v1/embeddings" else self._pictures
            return make(body, fault)
        if self.path != "/v1/chat/completions":
            return self._refuse(404, "Not found")
        return self._chat(body, number, fault)

    def _fails(self, fault: str) -> bool:
        """Send what goes wrong whatever was asked, if the fault is such a one."""
        if fault in {"429", "429-date"}:
            later = formatdate(time.time() + 1.0, usegmt=True)
            header = later if fault == "429-date" else self.server_state.retry_after
            self._refuse(429, "Rate limit reached", {"Retry-After": header})
        elif fault == "429-quota":
            self._refuse(429, "You exceeded your current quota", code="insufficient_quota")
        elif fault in {"500", "503"}:
            self._refuse(int(fault), "The server had an error")
        elif fault in {"html", "html-502"}:
            status = 200 if fault == "html" else 502
            self._send(b"<html><body>Bad\n<b>gateway</b></body></html>", status, "text/html")
        elif fault == "redirect":
            self._send(b"", 308, headers={"Location": "https://elsewhere.example/v1/chat"})
        elif fault == "error-200":
            error = {"error": {"message": "Provider returned an error", "code": 502}}
            self._send(json.dumps(error).encode())
        else:
            return fault == "hang"
        return True

    def _chat(self, body: Body, number: int, fault: str | None) -> bool:
        fake = self.server_state
        text = "" if fault == "empty" else fake.reply(body, number)
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": text},
            "finish_reason": "stop",
        }
        asked = sum(len(m["content"]) for m in body["messages"])
        answer: Body = {
            "id": f"chatcmpl-{number}",
            "object": "chat.completion",
            "model": body["model"],
            "choices": [] if fault == "no-choices" else [choice],
            "usage": {"prompt_tokens": asked // 4, "completion_tokens": len(text) // 4},
        }
        if fault == "no-usage":
            del answer["usage"]
        if fault in {"stream", "stream-cut"}:
            return self._stream(text, cut=fault == "stream-cut")
        return self._send_json(answer, fault)

    def _embeddings(self, body: Body, fault: str | None) -> bool:
        inputs = body["input"]
        rows = [
            {"object": "embedding", "index": i, "embedding": self.server_state.embed(text)}
            for i, text in enumerate([inputs] if isinstance(inputs, str) else inputs)
        ]
        rows.reverse()  # the protocol gives an index, and promises no order
        if fault == "fewer":
            rows.pop()
        answer = {"object": "list", "model": body["model"], "data": rows}
        return self._send_json(answer, fault)

    def _pictures(self, body: Body, fault: str | None) -> bool:
        encoded = base64.b64encode(self.server_state.picture(body["prompt"])).decode()
        root = self.server_state.url.removesuffix("/v1")
        path = f"/files/{base64.urlsafe_b64encode(body['prompt'].encode()).decode()}.png"
        row = {
            "url": {"url": f"{root}{path}"},
            "url-elsewhere": {"url": f"http://elsewhere.example{path}"},
            "no-picture": {"revised_prompt": body["prompt"]},
            "not-a-picture": {"b64_json": base64.b64encode(b"<html></html>").decode()},
            "not-base64": {"b64_json": "****" + encoded},
        }.get(fault or "", {"b64_json": encoded})
        return self._send_json({"created": 0, "data": [row]}, fault)

    def _file(self, fault: str | None) -> bool:
        fake = self.server_state
        fake.wait(30.0 if fault == "hang" else fake.delay)
        if fault is not None and self._fails(fault):
            return False
        if not self.path.startswith("/files/"):
            return self._refuse(404, "Not found")
        prompt = base64.urlsafe_b64decode(self.path[len("/files/") : -len(".png")]).decode()
        content = b"<html></html>" if fault == "not-a-picture" else fake.picture(prompt)
        return self._send_whole(content, fault, "image/png")

    def _send_json(self, answer: Body, fault: str | None) -> bool:
        return self._send_whole(json.dumps(answer).encode(), fault)

    def _send_whole(
        self, content: bytes, fault: str | None, kind: str = "application/json"
    ) -> bool:
        if fault == "cut-json":
            return self._send(content[: len(content) // 2], kind=kind)
        if fault == "cut":
            self._head(len(content), kind=kind)
            self.wfile.write(content[: len(content) // 2])
            self.wfile.flush()
            self.close_connection = True
            return False
        if fault == "trickle":
            self._head(len(content), kind=kind)
            for byte in content:
                self.wfile.write(bytes([byte]))
                self.wfile.flush()
                self.server_state.wait(0.05)
        else:
            self._send(content, kind=kind)
        return True

    def _stream(self, text: str, *, cut: bool) -> bool:
        pieces = re.findall(r"\S+\s*", text) or [""]
        events: list[Body] = [
            {"choices": [{"index": 0, "delta": {"content": piece}, "finish_reason": None}]}
            for piece in pieces
        ]
        events.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        lines = [f"data: {json.dumps(event)}\n\n" for event in events] + ["data: [DONE]\n\n"]
        if cut:
            lines = lines[: len(pieces) // 2 + 1]
        self._send("".join(lines).encode(), kind="text/event-stream")
        return not cut

    def _refuse(
        self,
        status: int,
        message: str,
        headers: dict[str, str] | None = None,
        code: str | None = None,
    ) -> bool:
        error = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
        self._send(json.dumps({"error": error}).encode(), status=status, headers=headers)
        return False

    def _send(
        self,
        content: bytes,
        status: int = 200,
        kind: str = "application/json",
        headers: dict[str, str] | None = None,
    ) -> bool:
        self._head(len(content), status, kind, headers)
        self.wfile.write(content)
        return False

    def _head(
        self,
        length: int,
        status: int = 200,
        kind: str = "application/json",
        headers: dict[str, str] | None = None,
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(length))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
