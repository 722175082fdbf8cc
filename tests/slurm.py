"""What tests of submission share: a study with odd names, and a real SLURM of one node for the test that needs one.

That test is skipped, with the reason, where SLURM is not installed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from needs import absent

SCRIPT = Path(__file__).with_name("slurm_node.sh")
DAEMONS = ("slurmctld", "slurmd", "munged")

STUDY = """schema = 1
[model]
use = "ctc_linear"
[population]
patients = PATIENTS
[population.draw]
clearance = { dist = "lognormal", median = "16 /day", sigma = 0.3 }
[simulate]
method = "direct"
t_end = "T_END days"
save = { every = "1 day" }
[ensemble]
replicates = 4
SEED
[output]
file = 'its "odd" $name `here`.h5'
keep = 100
picture = false
"""


def written(folder: Path, patients: int = 192, t_end: int = 2, seed: str = "seed = 5") -> Path:
    """The study of this module as a file whose name needs quoting."""
    text = STUDY.replace("PATIENTS", str(patients)).replace("T_END", str(t_end)).replace("SEED", seed)
    path = folder / "my 'own' study $HOME.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a running SLURM whose commands the test can use."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"], "/usr/sbin", "/sbin"])
    missing = [name for name in DAEMONS if shutil.which(name, path=path) is None]
    if missing:
        absent("slurm", f"{', '.join(missing)} not found: apt-get install slurm-wlm munge")
    folder = tmp_path_factory.mktemp("slurm")
    monkeypatch.setenv("PATH", path)
    try:
        started = subprocess.run(["bash", SCRIPT, "start", folder], capture_output=True, text=True, check=False)
        assert started.returncode == 0, started.stderr
        monkeypatch.setenv("SLURM_CONF", started.stdout.strip())
        yield folder
    finally:
        subprocess.run(["bash", SCRIPT, "stop", folder], capture_output=True, check=False)


def until(what: Callable[[], bool], seconds: float) -> bool:
    """Whether something becomes true in time."""
    end = time.monotonic() + seconds
    while not (found := what()) and time.monotonic() < end:
        time.sleep(0.2)
    return found


def queued() -> list[str]:
    """What the scheduler still has: one "state name" a line."""
    line = ["squeue", "-h", "-r", "-o", "%T %j"]
    return subprocess.run(line, capture_output=True, text=True, check=True).stdout.splitlines()
