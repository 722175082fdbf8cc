"""The peers: which there are, where they are installed, and one of them at work."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from problems import Problem

PEERS = Path(__file__).parent / "peers"
ENVIRONMENTS = Path(os.environ.get("CTCDYN_PEERS", Path(__file__).parent / ".peers"))
ALONE = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"
)
PATIENCE = 300.0  # seconds that an order may take


@dataclass(frozen=True)
class Peer:
    """What the first lines of `peers/peer_NAME.py` say."""

    name: str
    file: Path
    packages: tuple[str, ...]
    solves: dict[str, tuple[str, ...]]
    system: tuple[str, ...]
    fixed: tuple[str, ...]  # methods that take no setting, though their kind has one
    together: int  # trajectories that it wants at once: fewer leave its lanes idle

    @property
    def home(self) -> Path:
        return ENVIRONMENTS / self.name

    @property
    def command(self) -> list[str]:
        """What needs no package runs where this program runs."""
        inside = self.home / ("Scripts" if os.name == "nt" else "bin") / "python"
        return [str(inside) if self.packages else sys.executable, str(self.file)]

    def lacks(self) -> str:
        """Which programs it asks for that are not on this machine."""
        absent = [name for name in self.system if shutil.which(name) is None]
        return f"no {' and no '.join(absent)} on this machine" if absent else ""

    def missing(self) -> str:
        """Why it cannot be asked, or "" where it can."""
        if self.lacks():
            return self.lacks()
        if self.packages and not Path(self.command[0]).exists():
            return f"not installed: python benchmarks/install.py {self.name}"
        return ""


def peers() -> dict[str, Peer]:
    found = {}
    for file in sorted(PEERS.glob("peer_*.py")):
        said: dict[str, Any] = {}
        for line in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(line, ast.Assign) and isinstance(line.targets[0], ast.Name):
                name = line.targets[0].id
                if name in {"PACKAGES", "SOLVES", "SYSTEM", "FIXED", "TOGETHER"}:
                    said[name] = ast.literal_eval(line.value)
        name = file.stem.removeprefix("peer_")
        found[name] = Peer(
            name, file, said["PACKAGES"], said["SOLVES"],
            said.get("SYSTEM", ()), said.get("FIXED", ()), said.get("TOGETHER", 1),
        )  # fmt: skip
    return found


class Session:
    """A peer's process, which answers orders (peers/frame.py) until it is closed; its kernels were in no cache."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.folder = tempfile.TemporaryDirectory()
        self.log = (Path(self.folder.name) / "log").open("w+", encoding="utf-8")
        self.process = subprocess.Popen(
            peer.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
            env=os.environ | ALONE | {"CTCDYN_CACHE": str(Path(self.folder.name) / "cache")},
            cwd=self.folder.name,
        )
        self.setup = 0.0  # CPU seconds of the first task
        self.ended = False

    def ask(self, **order: object) -> dict[str, Any]:
        """The reply. Errors: RuntimeError with what the tool said."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        watch = threading.Timer(PATIENCE, self.process.kill)
        watch.start()
        try:
            print(json.dumps(order), file=self.process.stdin, flush=True)
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        finally:
            watch.cancel()
        if not line:
            self.ended = True
            self.log.seek(0)
            said = "".join(self.log.readlines()[-1:]).strip()[-300:]
            raise RuntimeError(f"{self.peer.name} ended or gave no answer within {PATIENCE:.0f} s: {said}")
        reply: dict[str, Any] = json.loads(line)
        if "failed" in reply:
            raise RuntimeError(f"{self.peer.name}: {reply['failed']}")
        return reply

    def prepare(
        self,
        problem: Problem,
        method: str,
        setting: float,
        values: NDArray[np.float64],
        paths: bool,
        seed: int = 1,
        slot: int = 0,
    ) -> dict[str, Any]:
        """Sets up and does the task once -> {"setup": CPU seconds, "versions": text}"""
        folder = Path(self.folder.name)
        np.save(folder / "values.npy", values)
        written = problem.write(folder / "problem.json")
        return self.ask(
            problem=str(written), method=method, setting=setting,
            parameters=str(folder / "values.npy"), seed=seed, paths=paths, slot=slot,
        )  # fmt: skip

    def run(self, slot: int = 0) -> dict[str, Any]:
        """Does the task of a slot -> {"seconds": CPU seconds, "units": ...}"""
        return self.ask(run=True, slot=slot)

    def answer(self) -> NDArray[np.float64]:
        """(trajectories, saves, species) of the last run."""
        target = Path(self.folder.name) / "answer.npy"
        self.ask(save=str(target))
        return np.asarray(np.load(target), dtype=np.float64)

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()
        self.folder.cleanup()
