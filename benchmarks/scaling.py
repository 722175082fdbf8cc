"""What a second core gives, and whether a trajectory costs the same in a large study as in a small one.

    python benchmarks/scaling.py threads [--rounds 7] [--threads 2] [--solver NAME ...]
    python benchmarks/scaling.py trajectories [--most 10_000_000] [--rounds 3]
    python benchmarks/scaling.py tails [--rounds 5]

`threads`: wall time of the same trajectories in one thread and in several, in turn, for every solver; and in the same
rounds for two loops without any of ours in them (numba, no lock of Python): a chain of operations each of which waits
for the one before it, and packed arithmetic in the first-level cache. Two cores that are two halves of one give 2 for
the first and less for the second, so ratios to them are told as well. Only a machine that does nothing else says
anything. `trajectories`: CPU time of a trajectory of a cheap model, of the whole run from its first trajectory to its
last commit, and of the process that writes the result. `tails`: CPU time of an event where run times differ widely:
lanes wait at the end of a range for the last of them.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from keeping import SMALL

if TYPE_CHECKING:
    from ctcdyn.ensemble import Ensemble

SECONDS = 0.8  # of one thread, for each measurement
GROWTH, GROWING = {"birth": 1.0, "death": 1.2, "immigration": 4000.0}, {"colony": 10_000.0}


@dataclass(frozen=True)
class Load:
    """Work of a solver: `run(threads)` does it, and gives wall and CPU seconds."""

    name: str
    run: Callable[[int], tuple[float, float]]


def ensemble_for(method: str) -> Ensemble:
    """A study that the solver is for, of 256 trajectories."""
    from ctcdyn.ensemble import Ensemble
    from ctcdyn.model.load import load_model

    if method in ("rodas5p", "tsit5"):
        return Ensemble(
            load_model("ctc_five"), 1, 256, np.arange(0.0, 3660.0, 10.0 if method == "rodas5p" else 100.0)
        )
    if method in ("tau_leap", "implicit_tau", "hybrid", "weak_trapezoidal", "implicit_trapezoidal", "moments"):
        network = load_model("birth_death_immigration").with_values(GROWTH, GROWING)
        step = 0.01 if method.endswith("trapezoidal") else np.inf
        return Ensemble(network, 1, 256, np.arange(0.0, 4.0), longest_step=step)
    if method == "backward":
        from pathlib import Path

        from ctcdyn.config import load_study
        from ctcdyn.model.resolve import resolve
        from ctcdyn.preparation import ensemble_of

        study = load_study(Path(__file__).parents[1] / "configs" / "human_breast_relapse.toml")
        return replace(ensemble_of(study, resolve(load_model(study.model), study)), count=256)
    step = 0.01 if method == "euler_maruyama" else np.inf
    days = 101.0 if method == "first_order_leap" else 6.0
    return Ensemble(load_model("ctc_linear"), 1, 256, np.arange(days), longest_step=step)


def load(method: str) -> Load:
    """The work of one solver, of a size that takes SECONDS in one thread."""
    from ctcdyn.codegen.kernel import link
    from ctcdyn.ensemble import plan, run_range
    from ctcdyn.execute import local

    small = replace(ensemble_for(method), keep=0, sketched=False)
    kernel = link(small.network, method).compile()

    def run(ensemble: Ensemble, threads: int) -> tuple[float, float]:
        wall, cpu = time.perf_counter(), time.process_time()
        results = list(
            local.execute(partial(run_range, kernel, ensemble), plan(ensemble, threads), threads, ensemble.stop)
        )
        if any((result.status > 1).any() for result in results):
            raise SystemExit(f"{method}: a trajectory failed")
        return time.perf_counter() - wall, time.process_time() - cpu

    run(small, 1)
    probe = replace(small, count=2048)
    leaves = max(32, round(SECONDS / run(probe, 1)[1] * 8))
    return Load(method, partial(run, replace(small, count=256 * 16 * -(-leaves // 16))))


def controls() -> list[Load]:
    """Two loops that know nothing of ctcdyn."""
    from numba import njit

    @njit("float64(int64)", nogil=True)
    def chain(n: int) -> float:
        x = 1e-6 * n
        for _ in range(n):
            x = x * 0.9999999 + 1e-7
        return x

    @njit("float64(float64[::1], int64)", nogil=True, error_model="numpy")
    def packed(x: Any, n: int) -> float:
        for _ in range(n):
            for i in range(x.size):
                y = x[i]
                x[i] = y * (0.5 - y * (0.125 - y * 0.0625)) + 0.25
        return x[0]

    def run(work: Callable[[int], object], size: int, threads: int) -> tuple[float, float]:
        wall, cpu = time.perf_counter(), time.process_time()
        crew = [threading.Thread(target=work, args=(size // threads,)) for _ in range(threads)]
        for one in crew:
            one.start()
        for one in crew:
            one.join()
        return time.perf_counter() - wall, time.process_time() - cpu

    found = []
    for name, work in (("chain", chain), ("packed", lambda n: packed(np.linspace(0.0, 1.0, 1024), n))):
        start = time.process_time()
        work(20_000)
        size = 2 * round(10_000 * SECONDS / (time.process_time() - start))
        found.append(Load(f"control: {name}", partial(run, work, size)))
    return found


def threads(rounds: int, many: int, solvers: list[str]) -> list[dict[str, Any]]:
    """Rows: of each solver and control, medians over rounds of wall(1) / wall(many) and of the share of time that the
    threads were at work, and that speed-up in units of the packed control's of the same round."""
    from ctcdyn import plugins

    wanted = solvers or list(plugins.available("solver"))
    loads = [*controls(), *map(load, wanted)]
    found: dict[str, list[tuple[float, float, float]]] = {one.name: [] for one in loads}
    for round_ in range(rounds):
        for one in loads if round_ % 2 == 0 else reversed(loads):
            (alone, _), (together, used) = one.run(1), one.run(many)
            again, _ = one.run(1)
            both = 0.5 * (alone + again)
            found[one.name].append((both / together, used / (many * together), both))
        print(f"round {round_ + 1} of {rounds}", file=sys.stderr, flush=True)
    packed = [ratio for ratio, _, _ in found["control: packed"]]
    rows = []
    for name, told in found.items():
        ratios = [ratio for ratio, _, _ in told]
        rows.append({
            "name": name, "threads": many, "speedup": round(statistics.median(ratios), 3),
            "low": round(min(ratios), 3), "high": round(max(ratios), 3),
            "to_control": round(statistics.median(a / b for a, b in zip(ratios, packed, strict=True)), 3),
            "busy": round(statistics.median(busy for _, busy, _ in told), 3),
            "seconds": round(statistics.median(alone for _, _, alone in told), 3), "rounds": rounds,
        })  # fmt: skip
    return rows


def tails(rounds: int) -> list[dict[str, Any]]:
    """Rows: nanoseconds of CPU of an event of the exact process, where all trajectories have as many of them and where
    their number differs by a lognormal factor of log standard deviation 1.5, by size of the study."""
    from ctcdyn.codegen.kernel import link
    from ctcdyn.ensemble import Ensemble, plan, run_range
    from ctcdyn.model.load import load_model

    network = load_model("birth_death_immigration").with_values({"birth": 0.5, "death": 1.5, "immigration": 200.0})
    kernel = link(network, "direct").compile()
    column = network.parameter_names.index("immigration")
    rows = []
    for count in (256, 4096, 32_768):
        values = np.repeat(network.parameter_values()[None, :], count, axis=0)
        spread = values.copy()
        factor = np.exp(1.5 * np.random.default_rng(1).standard_normal(count))
        spread[:, column] *= factor / factor.mean()
        times: list[list[float]] = [[], []]
        for round_ in range(rounds):
            for k in (0, 1) if round_ % 2 == 0 else (1, 0):
                one = Ensemble(network, 1, count, np.array([0.0, 10.0]), values=(values, spread)[k], sketched=False)
                start, events = time.process_time(), 0
                for span in plan(one, 1):
                    events += sum(int(result.n_reactions.sum()) for result in run_range(kernel, one, span))
                times[k].append(1e9 * (time.process_time() - start) / events)
        even, tailed = map(statistics.median, times)
        rows.append({"trajectories": count, "even": round(even, 3), "tailed": round(tailed, 3)})
    return rows


STUDY = SMALL.replace("colony = 5", "colony = 20").replace('"2 days"', '"30 days"')


def one(file: str, count: int, repeats: int) -> None:
    """In a process of its own: CPU seconds of a run to its last commit, and of its assembly, as JSON lines."""
    import resource

    from ctcdyn import study
    from ctcdyn.config import load_study
    from ctcdyn.progress import Silent

    def used(who: int) -> float:
        told = resource.getrusage(who)
        return told.ru_utime + told.ru_stime

    class Watch(Silent):
        began = ended = 0.0

        def start(self, _total: int) -> None:
            self.began = used(resource.RUSAGE_SELF)

        def finish(self) -> None:
            self.ended = used(resource.RUSAGE_SELF)

    for k in range(repeats + 1):
        watch, before = Watch(), used(resource.RUSAGE_CHILDREN)
        plan = load_study(file, [f"ensemble.trajectories={256 if k == 0 else count}"])
        study.run(plan, threads=1, progress=watch, overwrite=True).close()
        if k:  # the first one loads what is needed
            children = used(resource.RUSAGE_CHILDREN) - before
            print(json.dumps({"run": watch.ended - watch.began, "assembly": children}), flush=True)


def trajectories(most: int, rounds: int) -> list[dict[str, Any]]:
    """Rows: for each number of trajectories, microseconds of CPU of one, medians over rounds."""
    from pathlib import Path

    counts = [10**k for k in range(3, 1 + len(str(most)) - 1 + 1) if 10**k <= most]
    found: dict[int, list[dict[str, float]]] = {count: [] for count in counts}
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "small.toml")
        file.write_text(STUDY, encoding="utf-8")
        for round_ in range(rounds):
            for count in counts if round_ % 2 == 0 else reversed(counts):
                if count > 1_000_000 and round_:
                    continue  # minutes each: once is enough
                repeats = max(1, min(15, 300_000 // count))
                command = [sys.executable, __file__, "one", str(file), str(count), str(repeats)]
                told = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout
                found[count] += [json.loads(line) for line in told.splitlines()]
            print(f"round {round_ + 1} of {rounds}", file=sys.stderr, flush=True)
    middle = {
        count: [1e6 * statistics.median(x[key] for x in told) / count for key in ("run", "assembly")]
        for count, told in found.items()
    }
    return [
        {"trajectories": n, "run": round(run, 4), "assembly": round(made, 4)} for n, (run, made) in middle.items()
    ]


def main() -> None:
    if sys.argv[1:2] == ["one"]:
        one(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
        return
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    which = parser.add_subparsers(dest="what", required=True)
    of_threads = which.add_parser("threads")
    of_threads.add_argument("--rounds", type=int, default=7)
    of_threads.add_argument("--threads", type=int, default=2)
    of_threads.add_argument("--solver", nargs="*", default=[])
    of_trajectories = which.add_parser("trajectories")
    of_trajectories.add_argument("--most", type=int, default=10_000_000)
    of_trajectories.add_argument("--rounds", type=int, default=3)
    which.add_parser("tails").add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    if given.what == "tails":
        for row in tails(given.rounds):
            print(f"{row['trajectories']:10} {row['even']:.2f} ns an event, {row['tailed']:.2f} with a heavy tail")
    elif given.what == "threads":
        for row in threads(given.rounds, given.threads, given.solver):
            span = f"{row['low']:.2f} to {row['high']:.2f}"
            told = f"{row['to_control']:.2f} of the packed control, threads at work {row['busy']:.0%}"
            print(f"{row['name']:22} {row['speedup']:.2f} times ({span}), {told}, {row['seconds']:.2f} s in one")
    else:
        for row in trajectories(given.most, given.rounds):
            print(f"{row['trajectories']:10} {row['run']:.3f} us a trajectory, {row['assembly']:.3f} us its assembly")


if __name__ == "__main__":
    main()
