"""Work and precision of ctcdyn beside its peers at one problem: what an answer costs, and how wrong it is.

    python benchmarks/versus.py PROBLEM --kind KIND [--peers NAME,NAME] [--rounds 9] [--record FILE.json]

    PROBLEM   a name of problems.py: five surveillance conjugates linear linear_1000 organs_100 ...
    --kind    ode, jump, tau, langevin or hybrid

Each tool is asked first for an answer whose truth is known, at each setting of its ladder (tolerance, epsilon, step). A
jump process that is not exact is refused; of the others the error is told. Then all are timed in rounds, one after the
other, the order turned from round to round: CPU seconds of one thread for one trajectory, medians, ratios to ctcdyn by
round with a bootstrap interval. Set-up (building and compiling the model, the first run) is told apart.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from measured import header
from numpy.typing import NDArray
from tools import Peer, Session, peers

from problems import PROBLEMS, Problem, error, moments_of, solution

LADDERS = {
    "ode": tuple(10.0**-k for k in range(3, 11)),
    "jump": (0.0,),
    "tau": (0.03,),
    "langevin": (0.01,),
    "hybrid": (0.0,),
}
AT = 1e-5  # the achieved error at which rate equations are compared
CHECKED = {
    "ode": 20,
    "jump": 400,
    "tau": 400,
    "langevin": 400,
    "hybrid": 400,
}  # trajectories of the first answer
EXACT_Z = (
    5.0  # standard errors that the means of an exact method may be off, over all species at the last save
)
WORK, LONG = (
    0.5,
    60.0,
)  # CPU seconds: of one timed piece; a tool that takes longer for one trajectory is told and left out


@dataclass
class Row:
    """One tool, method and setting: what it costs and how wrong it is. `skipped`: why there are no figures."""

    peer: str
    method: str
    setting: float
    versions: str = ""
    error: float = float("nan")
    says: str = ""
    setup: float = float("nan")  # CPU seconds
    trajectories: int = 0  # of one timed piece
    seconds: list[float] = field(default_factory=list)  # CPU seconds a trajectory, by round
    events: float = 0.0  # a trajectory, where the tool tells
    ratio: list[float] = field(default_factory=list)  # median and 95 % interval: times what ctcdyn takes
    skipped: str = ""


def judged(kind: str, found: NDArray[np.float64], exact: list[NDArray[np.float64]]) -> tuple[float, str]:
    """Error and what it says. Errors: RuntimeError if the answer of an exact method is wrong."""
    if not np.isfinite(found).all():
        raise RuntimeError("numbers that are not finite")
    if kind == "ode":
        return error(found, exact[0][: len(found)]), "largest relative error"
    mean, variance = exact[0][-1], exact[1][-1]
    last, n = found[:, -1], len(found)
    off = (last.mean(0) - mean) / np.sqrt(np.maximum(variance, 1e-12) / n)
    # the fourth moment is that of the sample itself
    spread = (last.var(0, ddof=1) - variance) / np.sqrt(((last - last.mean(0)) ** 2).var(0) / n + 1e-12)
    worst, wide = float(np.abs(off).max()), float(np.abs(spread).max())
    if kind == "jump" and max(worst, wide) > EXACT_Z + 0.2 * np.log(len(mean)):
        raise RuntimeError(f"not the exact law: means {worst:.1f}, variances {wide:.1f} standard errors off")
    bias = float(np.max(np.abs(last.mean(0) - mean) / np.sqrt(np.maximum(variance, 1e-12))))
    return bias, f"means {worst:.1f}, variances {wide:.1f} standard errors off"


def first_answer(
    peer: Peer, problem: Problem, kind: str, row: Row, exact: list[NDArray[np.float64]]
) -> Session:
    """A session that gave a right answer and is ready to be timed."""
    session = Session(peer)
    try:
        few = 1 if kind != "ode" else 2
        session.prepare(problem, row.method, row.setting, draws(problem, kind, few), True)
        each = session.run()["seconds"] / few
        if each > LONG:
            raise RuntimeError(f"{each:.0f} s of CPU for one trajectory")
        count = max(few, min(CHECKED[kind], int(LONG / max(each, 1e-9))))
        session.prepare(problem, row.method, row.setting, draws(problem, kind, count), True)
        done = session.run()
        row.error, row.says = judged(kind, session.answer(), exact)
        row.says += f" of {count}"
        row.trajectories = max(few, int(WORK / max(done["seconds"] / count, 1e-9)))
        told = session.prepare(
            problem, row.method, row.setting, draws(problem, kind, row.trajectories), False, seed=2
        )
        row.setup, row.versions = told["setup"], told["versions"]
    except RuntimeError as failed:
        session.close()
        row.skipped = str(failed)
        raise
    return session


def draws(problem: Problem, kind: str, n: int) -> NDArray[np.float64]:
    """Parameters (n, parameters): drawn for rate equations, the nominal ones where chance makes the difference."""
    return problem.draws(n) if kind == "ode" else np.tile(list(problem.parameters.values()), (n, 1))


def compare(problem: Problem, kind: str, chosen: list[Peer], rounds: int) -> list[Row]:
    exact = [solution(problem, CHECKED[kind])] if kind == "ode" else list(moments_of(problem))
    rows: list[Row] = []
    ready: list[tuple[Row, Session]] = []
    for peer in chosen:
        for method in peer.solves.get(kind, ()):
            for setting in LADDERS[kind]:
                row = Row(peer.name, method, setting, skipped=peer.missing())
                rows.append(row)
                if row.skipped:
                    break
                try:
                    ready.append((row, first_answer(peer, problem, kind, row, exact)))
                except RuntimeError:
                    continue
                finally:
                    print(told(row), file=sys.stderr, flush=True)
                if kind == "ode" and row.error < AT / 1e3:
                    break
    for turn in range(rounds):
        shift = turn % max(len(ready), 1)
        for row, session in ready[shift:] + ready[:shift]:
            done = session.run()
            units = done["units"]
            row.seconds.append(done["seconds"] / units["trajectories"])
            row.events = units.get("events", 0) / units["trajectories"]
    for _, session in ready:
        session.close()
    ours = reference(rows, kind)
    for row in rows:
        if ours is not None and row.seconds:
            row.ratio = interval(np.array(row.seconds) / np.array(ours.seconds))
    return rows


def reference(rows: list[Row], kind: str) -> Row | None:
    """What ratios are to: ctcdyn at the loosest setting that reaches AT (rate equations), its fastest else."""
    own = [row for row in rows if row.peer == "ctcdyn" and row.seconds]
    good = [row for row in own if kind != "ode" or row.error <= AT]
    return min(good, key=lambda row: float(np.median(row.seconds)), default=None)


def interval(ratios: NDArray[np.float64], resamples: int = 10_000) -> list[float]:
    """Median and 95 % percentile bootstrap interval."""
    chosen = np.random.default_rng(0).integers(len(ratios), size=(resamples, len(ratios)))
    low, high = np.quantile(np.median(ratios[chosen], axis=1), [0.025, 0.975])
    return [float(np.median(ratios)), float(low), float(high)]


def told(row: Row) -> str:
    name = f"{row.peer:14s} {row.method:20s} {row.setting:<8.3g}"
    if row.skipped:
        return f"{name} left out: {row.skipped}"
    line = f"{name} error {row.error:.2g} ({row.says}), set-up {row.setup:.2f} s"
    if row.seconds:
        line += f", {np.median(row.seconds) * 1e6:.4g} us a trajectory"
    if row.ratio:
        line += f", {row.ratio[0]:.3g} times ctcdyn ({row.ratio[1]:.3g} to {row.ratio[2]:.3g})"
    return line


def main() -> int:
    parser = argparse.ArgumentParser(description="ctcdyn and its peers at one problem.")
    parser.add_argument("problem", choices=sorted(PROBLEMS))
    parser.add_argument("--kind", choices=sorted(LADDERS), required=True)
    parser.add_argument("--peers", help="names with commas; ctcdyn is always among them")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--record", type=Path)
    given = parser.parse_args()
    known = peers()
    names = set(given.peers.split(",")) | {"ctcdyn"} if given.peers else set(known)
    if names - set(known):
        parser.error(f"no peer {', '.join(sorted(names - set(known)))}; there are {', '.join(known)}")
    problem = PROBLEMS[given.problem]()
    rows = compare(problem, given.kind, [known[name] for name in sorted(names)], given.rounds)
    print("\n".join(map(told, rows)))
    if given.record:
        record = header("versus", " ".join(sys.argv[1:])) | {
            "problem": problem.name, "says": problem.says, "kind": given.kind, "rows": [asdict(row) for row in rows],
        }  # fmt: skip
        given.record.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
