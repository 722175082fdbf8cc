"""Programs beside Python that some tests need: a test without them is skipped, or fails where they were promised."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest

PROMISED = "CTCDYN_TESTS_NEED"  # names apart by commas, such as "slurm,r": their absence is then a failure


def absent(name: str, reason: str) -> NoReturn:
    """End a test because `name` is not there."""
    if name in os.environ.get(PROMISED, "").split(","):
        pytest.fail(f"{PROMISED} promises {name}: {reason}")
    pytest.skip(reason)
