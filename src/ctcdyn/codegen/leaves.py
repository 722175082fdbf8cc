"""The compiled module of `kernels/leaves.py`: reductions and addressed draws, the same for all models."""

from __future__ import annotations

import functools
from typing import Any

from ctcdyn.codegen import cache
from ctcdyn.codegen.link import library
from ctcdyn.codegen.notes import noted


@functools.cache
def leaf_functions() -> Any:
    """The module, compiled or from the cache; call it before there are threads: Python 3.11 cannot parse on two."""
    return cache.load(noted(lambda: library("leaves", "streams"), "leaves"), _leaf_entries)


def _leaf_entries(_module: Any) -> dict[str, Any]:
    from numba import types

    f2 = types.float64[:, ::1]
    i = types.int64
    return {
        "moments": (f2, i, i, types.float64[::1], f2, f2, f2, f2, f2),
        "add_lesions": (f2, types.int64[::1], types.int64[::1], i, i, types.float64[::1], types.float64[::1], f2),
        "tally": (f2, i, i, types.uint32[:, :, ::1], i, i),
        "places": (f2, i, i, types.uint32[:, ::1], i, i, i),
        "narrow": (f2, types.float32[:, :, ::1], types.float32[:, :, ::1]),
        "draw_uniforms": (i, i, i, f2),
        "draw_column": (i, i, i, i, types.float64[::1]),
    }
