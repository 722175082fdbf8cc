"""What a call of `Model.simulate` costs beside its trajectories, and whether memory grows with calls.

    python benchmarks/calling.py [--calls 20_000]

Each call has other parameters than the one before, as in a fit. CPU time of one call: medians of nine batches; resident
memory (Linux) at call 100 and at the end. After the first call nothing may be compiled: that ends the program.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

BATCHES = 9


@dataclass(frozen=True)
class Case:
    """A model, the solver, trajectories of a call and the times that are saved; `varied`: the parameter that moves."""

    model: str
    method: str
    n: int
    times: tuple[float, ...]
    varied: str

    def caller(self) -> Callable[[int], Any]:
        """call(k): the simulation with the parameter at the k-th of its values."""
        import ctcdyn

        model = ctcdyn.load_model(self.model)
        value = {p.name: p.value for p in model.network.parameters}[self.varied]

        def call(k: int) -> Any:
            given = {self.varied: value * (0.9 + 0.2 * ((k * 0.618034) % 1.0))}
            return model.simulate(
                np.array(self.times), method=self.method, n=self.n, parameters=given, seed=k, threads=1
            )

        return call


CASES = (
    Case("birth_death_immigration", "direct", 1, (0.0, 1.0, 2.0), "birth"),
    Case("birth_death_immigration", "ode", 1, (0.0, 1.0, 2.0), "birth"),
    Case("ctc_linear", "ode", 1, (0.0, 10.0, 100.0), "clearance"),
    Case("human_breast_min", "rodas5p", 1, (0.0, 100.0, 1000.0), "tumor_growth"),
    Case("human_breast_min", "rodas5p", 16, tuple(np.linspace(0.0, 1000.0, 7)), "tumor_growth"),
)


def resident() -> float:
    """MiB of this process that are in memory."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096 / 2**20


def measured(case: Case, calls: int) -> dict[str, Any]:
    """Milliseconds of CPU of a call, and MiB at call 100 and after `calls`."""
    from ctcdyn.codegen import cache

    call = case.caller()
    call(0)
    loaded = len(cache._loaded)
    for k in range(1, 100):
        call(k)
    before, size = resident(), max(1, calls // BATCHES)
    batches = []
    for batch in range(BATCHES):
        start = time.process_time()
        for k in range(size):
            call(100 + batch * size + k)
        batches.append(1e3 * (time.process_time() - start) / size)
    if len(cache._loaded) != loaded:
        raise SystemExit(f"calling: {case.model} was compiled again")
    return {
        "model": case.model, "method": case.method, "n": case.n, "saves": len(case.times), "calls": BATCHES * size,
        "ms": round(statistics.median(batches), 4), "before": round(before, 1), "after": round(resident(), 1),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--calls", type=int, default=20_000)
    calls = parser.parse_args().calls
    for case in CASES:
        row = measured(case, calls)
        print(f"{row['model']:24} {row['method']:8} n = {row['n']:2} {row['ms']:.2f} ms a call, "
              f"{row['before']:.1f} MiB at call 100, {row['after']:.1f} after {row['calls']}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
