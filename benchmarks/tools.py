"""The peers: which there are, where they are installed, and one of them at work."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
import tempfile
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


@dataclass(frozen=True)
class Peer:
    """What the first lines of `peers/peer_NAME.py` say."""

    name: str
    file: Path
    packages: tuple[str, ...]
    solves: dict[str, tuple[str, ...]]
    system: tuple[str, ...]
    language: str

    @property
    def home(self) -> Path:
        return ENVIRONMENTS / self.name

    @property
    def command(self) -> list[str]:
        """`ours` and what needs no package run where this program runs."""
        if self.language == "R":
            return ["Rscript", "--vanilla", str(self.file)]
        inside = self.home / ("Scripts" if os.name == "nt" else "bin") / "python"
        return [str(inside) if self.packages else sys.executable, str(self.file)]

    def missing(self) -> str:
        """Why it cannot be asked, or "" where it can."""
        absent = [name for name in self.system if shutil.which(name) is None]
        if absent:
            return f"no {' and no '.join(absent)} on this machine"
        if self.language == "R":
            asked = " && ".join(f'requireNamespace("{name}", quietly = TRUE)' for name in self.packages)
            found = subprocess.run(["Rscript", "--vanilla", "-e", f"quit(status = !({asked}))"], check=False)
            return "" if found.returncode == 0 else f"R has no {', '.join(self.packages)}"
        if self.packages and not Path(self.command[0]).exists():
            return f"not installed: python benchmarks/install.py {self.name}"
        return ""


def peers() -> dict[str, Peer]:
    found = {}
    for file in sorted(PEERS.glob("peer_*.py")) + sorted(PEERS.glob("peer_*.R")):
        said: dict[str, Any] = {}
        text = file.read_text(encoding="utf-8")
        if file.suffix == ".R":  # the same lines, as comments
            text = "\n".join(
                line[2:] for line in text.splitlines() if line.startswith("# ") and " = " in line
            )
        for line in ast.parse(text).body:
            if isinstance(line, ast.Assign) and isinstance(line.targets[0], ast.Name):
                name = line.targets[0].id
                if name in {"PACKAGES", "SOLVES", "SYSTEM", "LANGUAGE"}:
                    said[name] = ast.literal_eval(line.value)
        name = file.stem.removeprefix("peer_")
        found[name] = Peer(
            name,
            file,
            said["PACKAGES"],
            said["SOLVES"],
            said.get("SYSTEM", ()),
            said.get("LANGUAGE", "python"),
        )
    return found


class Session:
    """A peer's process, which answers orders (peers/frame.py) until it is closed."""

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
            env=os.environ | ALONE,
            cwd=self.folder.name,
        )

    def ask(self, **order: object) -> dict[str, Any]:
        """The reply. Errors: RuntimeError with what the tool said."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        try:
            print(json.dumps(order), file=self.process.stdin, flush=True)
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            self.log.seek(0)
            raise RuntimeError(f"{self.peer.name} ended: {self.log.read()[-300:].strip()}")
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
    ) -> dict[str, Any]:
        """Sets up and does the task once -> {"setup": CPU seconds, "versions": text}"""
        folder = Path(self.folder.name)
        np.save(folder / "values.npy", values)
        written = problem.write(folder / "problem.json")
        return self.ask(
            problem=str(written), method=method, setting=setting, trajectories=len(values),
            parameters=str(folder / "values.npy"), seed=seed, paths=paths,
        )  # fmt: skip

    def run(self) -> dict[str, Any]:
        return self.ask(run=True)

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
