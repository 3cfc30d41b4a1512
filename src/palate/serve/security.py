"""What stands before every request, as ASGI middleware; see docs/serve.md for what it is good for.

A request is refused, before anything else looks at it, where it is for a host that is not served
(a name that somebody has pointed at this machine), where its body is too long, where a page of
another site sends it, or where it lacks the token. The owner's pages check that by a cookie.
"""

from __future__ import annotations

import hmac
import logging
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from palate.serve.problems import problem

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from palate.serve.settings import Settings

POLICY = (
    "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
    "object-src 'none'"
)
"""The Content-Security-Policy: nothing inline, nothing from elsewhere, in nobody's frame."""

HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),  # with no-referrer, our own forms have the origin null
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
)
"""What every response carries, unless it has set its own."""

_NOT_KEPT = (b"cache-control", b"no-store")
_HARMLESS = frozenset({"GET", "HEAD", "OPTIONS"})
_NEEDS_TOKEN = ("/api/", "/metrics")
_ONCE = (b"host", b"authorization", b"origin", b"sec-fetch-site")
_HEALTH = "/healthz"  # asked by load balancers, by whatever name


_log = logging.getLogger("palate.serve")


class Security:
    """Refuses what must not pass, and adds the headers that tell browsers what may not happen.

    Args:
        app: what it stands before.
        settings: of the service.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._settings = settings
        self._hosts = settings.hosts
        self._own = urlsplit(settings.url).netloc.lower()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        if len(headers) < len(scope["headers"]):
            headers |= {name: b"" for name in _ONCE if _twice(name, scope)}
        sending = _Sending(send)
        refusal = self._refusal(scope, headers)
        if refusal is None and b"transfer-encoding" in headers:
            buffered = _Buffered(receive, self._settings.max_body_bytes)
            refusal = None if await buffered.filled() else self._too_long()
            receive = buffered
        try:
            await (refusal or self._app)(scope, receive, sending)
        except Exception:
            if sending.begun:
                raise
            _log.exception("unexpected")
            await problem(500, "an error that was not foreseen; see the log")(
                scope, receive, sending
            )

    def _refusal(self, scope: Scope, headers: dict[bytes, bytes]) -> Response | None:
        path = scope["path"]
        host = headers.get(b"host", b"").decode("latin-1").lower()
        if path != _HEALTH and _name(host) not in self._hosts:
            return problem(
                400, f"no service for the host {host[:100]!r} here; the owner can allow it"
            )
        if _length(headers.get(b"content-length", b"0")) > self._settings.max_body_bytes:
            return self._too_long()
        if scope["method"] not in _HARMLESS and not self._from_here(headers, host):
            return problem(403, "another site's page sent this; answer on the service's own pages")
        if path.startswith(_NEEDS_TOKEN) and not self._has_token(headers):
            return problem(
                401,
                "show the token: Authorization: Bearer TOKEN",
                {"WWW-Authenticate": 'Bearer realm="palate"'},
            )
        return None

    def _too_long(self) -> Response:
        most = self._settings.max_body_bytes
        return problem(413, f"a body has at most {most} bytes", {"Connection": "close"})

    def _from_here(self, headers: dict[bytes, bytes], host: str) -> bool:
        """Whether no other site's page sent a request: browsers say so, programs say nothing."""
        site = headers.get(b"sec-fetch-site")
        if site not in {None, b"none", b"same-origin"}:
            return False
        origin = headers.get(b"origin")
        if origin is None or (origin == b"null" and site is not None):
            return True
        try:
            parts = urlsplit(origin.decode("latin-1").lower())
        except ValueError:
            return False
        return parts.scheme in {"http", "https"} and parts.netloc in {host, self._own}

    def _has_token(self, headers: dict[bytes, bytes]) -> bool:
        token = self._settings.token
        kind, _, shown = headers.get(b"authorization", b"").partition(b" ")
        return token is None or (kind.lower() == b"bearer" and same_token(shown.strip(), token))


def same_token(shown: bytes | str, token: str) -> bool:
    """Whether what was shown is the token, in a time that does not tell how much of it is right."""
    given = shown.encode(errors="replace") if isinstance(shown, str) else shown
    return hmac.compare_digest(given, token.encode())


class _Sending:
    """Adds the headers to a response."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.begun = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.begun = True
            headers = list(message.get("headers", ()))
            names = {name.lower() for name, _ in headers}
            headers += [h for h in (*HEADERS, _NOT_KEPT) if h[0] not in names]
            message = {**message, "headers": headers}
        await self._send(message)


class _Buffered:
    """A body of unknown length, read before anything else sees it, so that it can be refused."""

    def __init__(self, receive: Receive, most: int) -> None:
        self._receive = receive
        self._most = most
        self._messages: list[Message] = []

    async def filled(self) -> bool:
        """Whether the body was not too long."""
        length = 0
        while True:
            message = await self._receive()
            self._messages.append(message)
            length += len(message.get("body", b""))
            if length > self._most:
                return False
            if not message.get("more_body", False):
                self._messages.reverse()
                return True

    async def __call__(self) -> Message:
        return self._messages.pop() if self._messages else await self._receive()


def _twice(name: bytes, scope: Scope) -> bool:
    """Whether a request has a header twice, of which others may believe the other one."""
    return sum(given == name for given, _ in scope["headers"]) > 1


def _name(host: str) -> str:
    """The name in a Host header, without the port."""
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdigit() else host


def _length(value: bytes) -> float:
    return int(value) if value.isdigit() else float("inf")
