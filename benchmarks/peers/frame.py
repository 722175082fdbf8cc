"""What a peer's program is made of: it reads orders, one JSON object a line, and answers each with one.

    {"problem": FILE, "method": M, "setting": X, "trajectories": N, "parameters": FILE.npy, "seed": S, "paths": true}
        sets up a task and does it once, which compiles what is compiled late -> {"setup": CPU seconds}
    {"run": true}      does the task -> {"seconds": CPU seconds, "units": {"trajectories": N, "events": ...}}
    {"save": FILE.npy} writes the answer of the last run, float64 (trajectories, saves, species)

So a process stays as long as it is measured, and two are timed in turn. A peer runs in an environment of its own:
this file
asks for numpy alone. CPU time is that of the process, which is told to keep to one thread.
"""

from __future__ import annotations

import json
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Task:
    """`problem`: problems.Problem as plain data; `values`: parameters (n, parameters); `setting`: tolerance, step
    or epsilon.

    `paths`: whether an answer of every trajectory is asked for. Where it is not, a tool may reduce as it goes.
    """

    problem: dict[str, Any]
    method: str
    setting: float
    values: np.ndarray
    seed: int
    paths: bool

    @property
    def species(self) -> list[str]:
        return list(self.problem["species"])

    @property
    def start(self) -> np.ndarray:
        return np.array(list(self.problem["species"].values()), dtype=np.float64)

    @property
    def names(self) -> list[str]:
        return list(self.problem["parameters"])

    @property
    def times(self) -> np.ndarray:
        return np.array(self.problem["times"], dtype=np.float64)

    @property
    def count(self) -> int:
        return len(self.values)

    def slopes(self) -> list[str]:
        """dy/dt of each species as text over species and parameters."""
        made: dict[str, list[str]] = {name: [] for name in self.species}
        for reaction in self.problem["reactions"]:
            for name in self.species:
                net = reaction["products"].get(name, 0) - reaction["reactants"].get(name, 0)
                if net:
                    made[name].append(f"{net:+d} * ({reaction['rate']})")
        return [" ".join(terms) if terms else "0.0" for terms in made.values()]


Answer = tuple[np.ndarray | None, dict[str, int]]  # (trajectories, saves, species) or None, and units of work


def serve(prepare: Callable[[Task], Callable[[], Answer]], versions: Callable[[], str]) -> None:
    """Answers orders until the input ends. `prepare(task)` sets up and returns what does the task."""
    work: Callable[[], Answer] | None = None
    answer: np.ndarray | None = None
    replies = sys.stdout
    sys.stdout = sys.stderr  # what a tool prints is no reply
    for line in sys.stdin:
        order = json.loads(line)
        try:
            if "problem" in order:
                start = time.process_time()
                task = Task(
                    json.loads(Path(order["problem"]).read_text(encoding="utf-8")),
                    order["method"],
                    order["setting"],
                    np.load(order["parameters"]),
                    order["seed"],
                    order["paths"],
                )
                work = prepare(task)
                work()
                reply: dict[str, Any] = {"setup": time.process_time() - start, "versions": versions()}
            elif "save" in order:
                assert answer is not None, "nothing was kept"
                np.save(order["save"], answer)
                reply = {"saved": order["save"]}
            else:
                assert work is not None, "no task yet"
                start = time.process_time()
                answer, units = work()
                reply = {"seconds": time.process_time() - start, "units": units}
        except Exception as error:  # noqa: BLE001 - whatever a tool does wrong is its result
            traceback.print_exc()
            reply = {"failed": f"{type(error).__name__}: {error}"[:300]}
        print(json.dumps(reply), file=replies, flush=True)
