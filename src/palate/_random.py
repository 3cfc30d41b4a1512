"""One generator a component, spawned from the seed by name."""

from __future__ import annotations

import zlib

import numpy as np


def generator(seed: int, name: str, *numbers: int) -> np.random.Generator:
    """A generator that depends on the seed, the component's name and the numbers, and on no call.

    The numbers say which draw it is (the question, say), so that a replay draws the same.
    """
    key = (zlib.crc32(name.encode()), *numbers)
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=key)))
