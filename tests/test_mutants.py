"""The tests tested: kernels with one fault each, and every one must fail a check of the normal suite.

The list is data/mutants.toml and, for every reaction of four models, rate x 1.02, dropped, and wrong
stoichiometry; `python tests/mutants.py` under NUMBA_DISABLE_JIT=1 prints it with the check that kills each.
The same checks pass on the real kernels in test_replay.py and test_contract.py.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mutants import every_mutant

NAMES = [mutant.name for mutant in every_mutant()]


@pytest.fixture(scope="module")
def verdicts() -> dict[str, dict[str, str]]:
    """What became of each mutant, all run in one process without compiler."""
    here = Path(__file__).parent
    path = os.pathsep.join(filter(None, sys.path))
    environment = os.environ | {"NUMBA_DISABLE_JIT": "1", "PYTHONPATH": path}
    command = [sys.executable, str(here / "mutants.py")]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found: dict[str, dict[str, str]] = json.loads(done.stdout)
    return found


def test_list_is_long_and_complete() -> None:
    assert len(NAMES) == len(set(NAMES))
    assert len(NAMES) >= 60


@pytest.mark.parametrize("name", NAMES)
def test_mutant_is_killed(name: str, verdicts: dict[str, dict[str, str]]) -> None:
    assert verdicts[name]["verdict"].startswith("killed"), verdicts[name]
