"""What can go wrong, by name.

Every error says what was wrong, the value, and how to mend it. Each leaf is also the builtin it
resembles, so that ``except ValueError`` keeps working for callers who never import this module.
"""

from __future__ import annotations


class PalateError(Exception):
    """The root of every error that palate raises on purpose."""


class ParameterError(PalateError, ValueError):
    """A setting is outside its range, or two settings contradict each other."""


class PoolError(PalateError, ValueError):
    """A pool, its responses or its features cannot be used as given."""


class AnswerError(PalateError, ValueError):
    """An answer does not fit its query, or contradicts the one already given to it."""


class UnknownQueryError(PalateError, KeyError):
    """A query does not belong to this elicitation."""

    def __str__(self) -> str:
        # KeyError shows the repr of its argument: right for a key, unreadable for a sentence.
        return str(self.args[0]) if self.args else ""


class LogError(PalateError, ValueError):
    """A file of answers cannot be read or written, or its answers do not replay."""


class FingerprintError(LogError):
    """A log of answers was recorded with another pool, other features, strategy or seed."""


class MissingExtraError(PalateError, ImportError):
    """An optional dependency is not installed; the message says what to install."""


class ModelError(PalateError, RuntimeError):
    """A model, or the server that it runs on, did not give what was asked of it."""


class ConflictError(AnswerError):
    """What is asked for contradicts what is recorded already."""


class UnknownIdError(PalateError, KeyError):
    """No person, pool or elicitation has this id."""

    __str__ = UnknownQueryError.__str__


class StoreError(PalateError, RuntimeError):
    """The database of a store cannot be reached, read or written."""
