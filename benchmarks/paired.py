"""Two programs timed in interleaved pairs: the median ratio of their CPU times and its bootstrap interval.

    python benchmarks/paired.py WORKLOAD FIRST SECOND [--pairs 9] [--numbalsoda PYTHON]

    WORKLOAD  direct   exact jump process of ctc_linear, 100 days; a unit of work is one event
              leap     counts of ctc_linear at 100 daily saves; a unit is one trajectory
              tau      tau-leaping of ctc_linear with 100 times the shedding; a unit is one step
              colonies birth, death and arrivals, 10 000 to 15 000 cells, 3 days; a unit is one trajectory
              patients human_breast_min to 20 mm, resection, 20 years; a unit is one patient
              langevin Euler-Maruyama of ctc_linear, 100 days in 10 000 steps; a unit is one step
              ode      ctc_five, 3650 days, 366 outputs; a unit is one trajectory at an achieved error of 1e-5
    FIRST, SECOND      programs of that workload, by their names in programs.py; the ratio is FIRST / SECOND

Absolute times of one machine move by tens of per cent within seconds, ratios of neighbours do not: so each
pair runs one after the other, first and second changing places from pair to pair. Counted is the CPU time of
the work alone: not compilation (C++ or JIT), not the start of a process, not reading or writing files. Each
program has to give the right answer before it is timed.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from programs import WORKLOADS, Program


@dataclass(frozen=True)
class Comparison:
    """CPU seconds for one unit of work of two programs, pair by pair."""

    first: np.ndarray
    second: np.ndarray

    @property
    def ratio(self) -> float:
        return float(np.median(self.first / self.second))

    def interval(self, level: float = 0.95, resamples: int = 10_000) -> tuple[float, float]:
        """Percentile bootstrap over pairs; seeded, so one set of times gives one interval."""
        ratios = self.first / self.second
        chosen = np.random.default_rng(0).integers(len(ratios), size=(resamples, len(ratios)))
        low, high = np.quantile(np.median(ratios[chosen], axis=1), [(1 - level) / 2, (1 + level) / 2])
        return float(low), float(high)


def compare(first: Program, second: Program, pairs: int) -> Comparison:
    for program in (first, second):
        program.measure()  # the first run of a program finds cold caches
    times: dict[Program, list[float]] = {first: [], second: []}
    for pair in range(pairs):
        for program in (first, second) if pair % 2 == 0 else (second, first):
            units, seconds = program.measure()
            times[program].append(seconds / units)
    return Comparison(np.array(times[first]), np.array(times[second]))


def report(first: Program, second: Program, found: Comparison, unit: str) -> str:
    lines = []
    for program, times in ((first, found.first), (second, found.second)):
        each = float(np.median(times))
        lines.append(f"{program.name:12s} {each * 1e9:10.4g} ns per {unit}, {1 / each:.4g} per second")
    low, high = found.interval()
    interval = f"95 %: {low:.2f} to {high:.2f}; {len(found.first)} pairs"
    lines.append(f"{first.name} / {second.name} = {found.ratio:.2f} ({interval})")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Time two programs in interleaved pairs.")
    parser.add_argument("workload", choices=sorted(WORKLOADS))
    parser.add_argument("first")
    parser.add_argument("second")
    parser.add_argument("--pairs", type=int, default=9)
    parser.add_argument(
        "--numbalsoda", default=sys.executable, help="Python of an environment with numbalsoda"
    )
    chosen = parser.parse_args(arguments)
    with TemporaryDirectory() as folder:
        workload = WORKLOADS[chosen.workload](Path(folder), chosen.numbalsoda)
        try:
            first, second = workload.program(chosen.first), workload.program(chosen.second)
        except KeyError as unknown:
            print(
                f"paired: no program {unknown} for {chosen.workload}: {', '.join(workload.names)}",
                file=sys.stderr,
            )
            return 2
        for program in (first, second):
            print(f"{program.name:12s} {program.checked}", flush=True)
        print(report(first, second, compare(first, second, chosen.pairs), workload.unit))
    return 0


if __name__ == "__main__":
    sys.exit(main())
