"""Where a server is and the key that it takes, checked."""

from __future__ import annotations

from urllib.parse import urlsplit

from palate.errors import ParameterError


def server_of(url: str) -> tuple[str, str | None, int | None]:
    """Scheme, host and port, by which two addresses are on one server or are not."""
    parts = urlsplit(url)
    default = {"http": 80, "https": 443}.get(parts.scheme)
    return parts.scheme, parts.hostname, parts.port or default


def checked_url(url: str) -> str:
    """The base URL without a slash at its end."""
    url = url.strip().rstrip("/")
    try:
        parts = urlsplit(url)
        fits = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # no such port, or half an IPv6 address
        fits = False
    if not fits or not url.isascii() or not url.isprintable() or " " in url:
        msg = f"the base URL must look like http://localhost:11434/v1, not {url!r}"
        raise ParameterError(msg)
    if parts.query or parts.fragment or "@" in parts.netloc:
        # Neither is shown: it may be a key.
        msg = (
            f"the base URL http(s)://{parts.hostname}... must hold no '?', '#' or '@'; give the "
            "key as api_key or in OPENAI_API_KEY"
        )
        raise ParameterError(msg)
    return url


def checked_key(key: str) -> str:
    """The key without the line end that it may have got in a file."""
    key = key.strip()
    if not key.isascii() or not key.isprintable():
        raise ParameterError(
            "the API key holds a line end or a character that no key has; copy it anew into "
            "api_key or OPENAI_API_KEY"
        )
    return key
