"""A cached module of one function, which compiles in a moment; light to import, for processes of their own."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np

from ctcdyn.codegen import cache

TEXT = '''"""A module of one function."""
from numba import njit

STEP = 3.0


@njit(error_model="numpy", nogil=True)
def run(x):
    """Adds."""
    for i in range(len(x)):
        x[i] += STEP * i
'''
KEY = cache.key_of(TEXT)
ANSWER = [1.0, 4.0, 7.0]


def entries(_module: ModuleType) -> dict[str, Any]:
    from numba import types

    return {"run": (types.float64[::1],)}


def load(say: Callable[[bool], None] | None = None) -> list[float]:
    """What the module gives after it was loaded as a new process would; right is ANSWER."""
    cache._loaded.pop(KEY, None)
    x = np.ones(3)
    cache.load(TEXT, entries, say, KEY).run(x)
    return x.tolist()
