"""Whole commands: CPU until the first range of trajectories is done and until the end, warm and with an empty cache."""

from __future__ import annotations

import functools
from collections.abc import Callable

import pytest
from starting import ROOT, once

from ctcdyn.cli.studies import templates
from ctcdyn.cli.workloads import workloads

QUICKSTART = ROOT / "configs" / "quickstart.toml"


@functools.cache
def right() -> bool:
    """Whether a whole command of this installation gives the exact mean."""
    (command,) = [one for one in workloads() if one.source is None]
    found, allowed = command.check()
    return found <= allowed


@pytest.mark.parametrize("stage", ["checked", "kernel", "first range", "end"])
def test_quickstart_warm(stage: str, measured: Callable[..., None]) -> None:
    assert right()
    once(QUICKSTART, None, None)
    measured(lambda: (once(QUICKSTART, None, None)[stage][0], 1.0), 5, "run")


@pytest.mark.parametrize("stage", ["kernel", "end"])
def test_template_with_an_empty_cache(
    stage: str, measured: Callable[..., None], tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert right()

    def work() -> tuple[float, float]:
        return once(templates()["direct"], str(tmp_path_factory.mktemp("cache")), None)[stage][0], 1.0

    measured(work, 3, "run")
