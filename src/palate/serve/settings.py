"""How the service is set up: by the command line, and in environment variables for its workers."""

from __future__ import annotations

import dataclasses
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from palate.errors import ParameterError

if TYPE_CHECKING:
    from collections.abc import Mapping

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
"""Names of this machine that no other machine can be reached by."""

_NAME = re.compile(r"[a-z0-9_.-]+|\[[0-9a-f:.]+\]")
_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]{16,512}")
_PREFIX = "PALATE_"
_LEAST_BODY = 1024


@dataclass(frozen=True, slots=True)
class Settings:
    """How the service is set up.

    Attributes:
        db: URL of the store; see :func:`palate.store.open_store`.
        host: address to listen at.
        port: to listen at; 0 for any that is free.
        token: what owners and applications show; None leaves the service open to this machine.
        allowed_hosts: names that it is reached by, beside this machine's own and ``host``; without
            ports, in lower case.
        max_body_bytes: longest body of a request.
        public_url: where people reach it, such as ``https://taste.example.org``, without a slash
            at the end; None where that is the address that it listens at.
        images: folder whose files responses may show, or None: then none shows an image.
        model: the chat model that writes responses, or None: then pools are given, not generated.
        base_url: the model's server; None for ``OPENAI_BASE_URL`` or OpenAI's own.
        prior: file of a population's prior, as ``palate population prior`` writes it, or None.

    Raises:
        ParameterError: a value is outside its range; or the service would listen to other machines
            without a token.
    """

    db: str = "memory:"
    host: str = "127.0.0.1"
    port: int = 8000
    token: str | None = None
    allowed_hosts: tuple[str, ...] = ()
    max_body_bytes: int = 16 * 2**20
    public_url: str | None = None
    images: str | None = None
    model: str | None = None
    base_url: str | None = None
    prior: str | None = None

    def __post_init__(self) -> None:
        _check_numbers(self.port, self.max_body_bytes)
        _check_token(self.token, self.host)
        for name in self.allowed_hosts:
            if not _NAME.fullmatch(name):
                msg = f"an allowed host is a name such as taste.example.org, not {name!r}"
                raise ParameterError(msg)
        if self.public_url is not None:
            _check_url(self.public_url)

    @property
    def url(self) -> str:
        """Where people reach the service, without a slash at the end."""
        return self.public_url or f"http://{_in_url(self.host)}:{self.port}"

    @property
    def hosts(self) -> frozenset[str]:
        """The names that a request may be for, without ports."""
        named = {_in_url(self.host).lower(), *self.allowed_hosts}
        if self.public_url is not None:
            named.add(_in_url(urlsplit(self.public_url).hostname or ""))
        return frozenset({*LOOPBACK, *named} - {"0.0.0.0", "[::]"})  # noqa: S104 - no names

    def to_environment(self) -> dict[str, str]:
        """As environment variables; those that are None are left out."""
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return {
            _PREFIX + name.upper(): ",".join(value) if isinstance(value, tuple) else str(value)
            for name, value in values.items()
            if value is not None
        }

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Settings:
        """From environment variables, ``PALATE_TOKEN`` and the like; others have their defaults.

        Raises:
            ParameterError: as :class:`Settings`; or a number is none.
        """
        given = os.environ if environment is None else environment
        texts = {f.name: given.get(_PREFIX + f.name.upper(), "") for f in dataclasses.fields(cls)}
        found: dict[str, str | int | tuple[str, ...]] = {n: t for n, t in texts.items() if t}
        for name in found.keys() & {"port", "max_body_bytes"}:
            found[name] = _whole(_PREFIX + name.upper(), texts[name])
        if "allowed_hosts" in found:
            names = (name.strip().lower() for name in texts["allowed_hosts"].split(","))
            found["allowed_hosts"] = tuple(name for name in names if name)
        return cls(**found)  # type: ignore[arg-type]  # each has its field's type by now


def is_loopback(host: str) -> bool:
    """Whether what listens at an address is out of reach for other machines."""
    return host in {"localhost", "::1"} or re.fullmatch(r"127(\.\d+){3}", host) is not None


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def _check_numbers(port: int, max_body_bytes: int) -> None:
    if not 0 <= port <= 65535:
        msg = f"the port must be a number from 0 to 65535, not {port}"
        raise ParameterError(msg)
    if max_body_bytes < _LEAST_BODY:
        msg = f"max_body_bytes must be at least {_LEAST_BODY}, not {max_body_bytes}"
        raise ParameterError(msg)


def _check_token(token: str | None, host: str) -> None:
    if token is None and not is_loopback(host):
        msg = (
            f"other machines can reach {host}, so set a token in PALATE_TOKEN; or listen at "
            "127.0.0.1, which they cannot"
        )
        raise ParameterError(msg)
    if token is not None and not _TOKEN.fullmatch(token):
        # The token is not shown: it may be right but for its line end.
        raise ParameterError(
            "a token is 16 to 512 letters, digits and -._~+/=, such as openssl rand -hex 32 prints"
        )


def _check_url(url: str) -> None:
    try:
        parts = urlsplit(url)
        fits = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fits = False
    if not fits or parts.path or parts.query or parts.fragment or "@" in parts.netloc:
        msg = f"the public URL must look like https://taste.example.org, not {url!r}"
        raise ParameterError(msg)


def _whole(name: str, text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        msg = f"{name} must be a whole number, not {text!r}"
        raise ParameterError(msg) from error
