"""Every path to the disk: CPU beside `keep = "none"`, and bytes a CPU second. The paths are checked first."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import keeping
import numpy as np
import pytest
from keeping import ROOT

import ctcdyn
from ctcdyn.config import load_study


@pytest.fixture(scope="module")
def same(tmp_path_factory: pytest.TempPathFactory) -> bool:
    """Whether means of the paths that are kept are those that the run reduced."""
    file = tmp_path_factory.mktemp("paths") / "paths.h5"
    changes = [f'output.file="{file}"', 'output.keep="all"', 'output.precision="double"', "population.patients=512"]
    with ctcdyn.run(load_study(ROOT / "configs" / "ctc_five_ode.toml", changes)) as results:
        state = np.asarray(results.state)
        return np.allclose(state.mean(axis=0), results.mean[0, :, : state.shape[2]], rtol=1e-12)


@pytest.mark.parametrize("keep", ["none", "all"])
@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_keeping(keep: str, compression: str, same: bool, measured: Callable[..., None], tmp_path: Path) -> None:
    assert same

    def work() -> tuple[float, float]:
        command = [sys.executable, keeping.__file__, "one", str(tmp_path / "result.h5"), keep, compression, "10 days"]
        told = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        return told["cpu"], told["bytes"]

    measured(work, 3, "byte")
