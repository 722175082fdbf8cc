"""What the tests of lane functions share: seeds, sweeps over lanes, child processes."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from ctcdyn.kernels.machine import kernel

STRIDE = 64  # rows of a probe's buffers are this far apart, whatever the width
QUIET = {"over": "ignore", "under": "ignore", "invalid": "ignore", "divide": "ignore"}


def generator(test: str) -> np.random.Generator:
    """Random numbers for one test, seeded with the hash of its id."""
    digest = hashlib.sha256(test.encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "little"))


def sweep(body: Callable[..., None], width: int) -> Any:
    """A kernel with one lane loop of literal width around body(w, v, i)."""

    @kernel
    def advance(w, v):
        for i in range(width):
            body(w, v, i)

    return advance


def arithmetic(advance: Any) -> dict[str, int]:
    """How many packed (ymm), scalar and fused floating-point instructions the kernel was compiled to."""
    advance.compile("(float64[::1], uint64[::1])")
    text = advance.inspect_asm(advance.signatures[0])
    return {
        "packed": len(re.findall(r"\bv(?:add|sub|mul|div)pd\s.*%ymm", text)),
        "scalar": len(re.findall(r"\bv(?:add|sub|mul|div)sd\b", text)),
        "fused": len(re.findall(r"\bvfn?m(?:add|sub)", text)),
    }


def child(script: str, *arguments: str, **settings: str) -> str:
    """Run a test file as a program, with other Numba settings; give what it printed."""
    done = subprocess.run(
        [sys.executable, script, *arguments],
        env=os.environ | settings,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
