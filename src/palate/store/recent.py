"""Objects that are costly to make, kept while they are used: the least recently used goes first."""

from __future__ import annotations

import contextlib
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator

Value = TypeVar("Value")


@dataclass(slots=True)
class _Place(Generic[Value]):
    lock: threading.Lock = field(default_factory=threading.Lock)
    value: Value | None = None


class Recent(Generic[Value]):
    """At most so many objects by key, each held by one thread at a time.

    Losing one costs the time to make it again.

    Args:
        most: how many, at least 1.
        harmless: errors after which an object is as good as before; any other loses it.
    """

    def __init__(self, most: int, harmless: tuple[type[BaseException], ...] = ()) -> None:
        self._most, self._harmless = most, harmless
        self._places: OrderedDict[Hashable, _Place[Value]] = OrderedDict()
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def held(self, key: Hashable, make: Callable[[], Value]) -> Iterator[Value]:
        """The object of a key, made if need be; other threads that want it wait."""
        place = self._place(key)
        with place.lock:
            try:
                if place.value is None:
                    place.value = make()
                    self._trim()
                yield place.value
            except self._harmless:
                if place.value is None:
                    self._lose(key, place)
                raise
            except BaseException:
                place.value = None
                self._lose(key, place)
                raise

    def get(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """The object of a key, made if need be, for objects that threads may share."""
        with self.held(key, make) as value:
            return value

    def _place(self, key: Hashable) -> _Place[Value]:
        with self._lock:
            place = self._places.setdefault(key, _Place())
            self._places.move_to_end(key)
            return place

    def _trim(self) -> None:
        """Once something was made: a key for which nothing can be made drives out nobody."""
        with self._lock:
            while len(self._places) > self._most:
                self._places.popitem(last=False)

    def _lose(self, key: Hashable, place: _Place[Value]) -> None:
        with self._lock:
            if self._places.get(key) is place:
                del self._places[key]
