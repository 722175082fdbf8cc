"""Work and precision of ctcdyn beside its peers at one problem: what an answer costs, and how wrong it is.

    python benchmarks/versus.py PROBLEM --kind KIND [--peers NAME,NAME] [--rounds 9] [--record FILE.json]

    PROBLEM   a name of problems.py: five surveillance conjugates linear linear_1000 organs_100 ...
    --kind    ode, jump, tau, langevin or hybrid

Each tool is asked first for an answer whose truth is known, at each setting of its ladder (tolerance, epsilon, step). A
jump process that is not exact is refused. Of the others the error is told: of a law by how many standard deviations a
mean or a spread surely is off, beyond chance (laws.py). Then all are timed in rounds, one after the other in an order
of chance, on one core: CPU seconds of one thread for one trajectory, in units of fixed arithmetic that is timed in
between; medians, ratios to ctcdyn by round with a bootstrap interval, at equal error (curves.py). Set-up (start of the
tool, building and compiling the model, the first answers) is told apart.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np
from curves import LEVELS, Row, standings, stands, told
from laws import law
from measured import header
from numpy.typing import NDArray
from tools import Peer, Session, peers

from ctcdyn.cli.bench import pace
from problems import PROBLEMS, SEED, Problem, error, moments_of, solution

LADDERS = {
    "ode": tuple(10.0**-k for k in range(3, 11)),
    "jump": (0.0,),
    "tau": (0.1, 0.03, 0.01),
    "langevin": (0.04, 0.02, 0.01, 0.005),
    "hybrid": (0.0,),
}
# trajectories of the first answer
CHECKED = {"ode": 20, "jump": 400, "tau": 10_000, "langevin": 10_000, "hybrid": 10_000}
CHECKING = 4.0  # CPU seconds that a first answer by chance may take: fewer trajectories, and less is seen
WORK = 0.06  # CPU seconds of one timed piece
FILLED = 1.5  # CPU seconds that a piece of a tool that holds many trajectories at once may take, to fill its lanes
LONG = 1.0  # CPU seconds: a tool that takes longer for one trajectory is left out, with this reason


def judged(kind: str, found: NDArray[np.float64], exact: list[NDArray[np.float64]]) -> tuple[float, str]:
    """Error and what it says. Errors: RuntimeError if the answer of an exact method is wrong."""
    if not np.isfinite(found).all():
        raise RuntimeError("numbers that are not finite")
    if kind == "ode":
        return error(found, exact[0][: len(found)]), "largest relative error"
    judgement = law(found, *exact)
    if kind == "jump" and judgement.surely > 0.0:
        raise RuntimeError(f"not the exact law: {judgement}")
    return judgement.surely, str(judgement)


def first_answer(session: Session, problem: Problem, kind: str, row: Row, exact: list[NDArray[np.float64]]) -> None:
    """Its error, its set-up and how many trajectories a timed piece has. Errors: RuntimeError."""
    slot = LADDERS[kind].index(row.setting)
    few = max(2 if kind == "ode" else 1, session.peer.together // 8 if kind != "ode" else 0)
    begun = session.prepare(problem, row.method, row.setting, draws(problem, kind, few), True, slot=slot)
    if not session.setup:
        session.setup = begun["setup"]
    row.setup, row.versions = session.setup, begun["versions"]
    each = session.run(slot)["seconds"] / few
    if each > (LONG if kind == "ode" else CHECKING / 8):
        raise RuntimeError(f"{each:.3g} s of CPU for one trajectory")
    count = max(few, min(CHECKED[kind], int((LONG if kind == "ode" else CHECKING) / max(each, 1e-9))))
    values = draws(problem, kind, count)
    took = session.prepare(problem, row.method, row.setting, values, True, slot=slot)["first"]
    row.error, row.says = judged(kind, session.answer(), exact)
    row.says += f" of {count}"
    each = max(took / count, 1e-9)
    least = 1 if kind == "ode" else few
    row.trajectories = max(least, int(WORK / each), min(session.peer.together, int(FILLED / each)))
    ready(session, problem, kind, row)


def ready(session: Session, problem: Problem, kind: str, row: Row) -> None:
    slot = LADDERS[kind].index(row.setting)
    values = draws(problem, kind, row.trajectories)
    session.prepare(problem, row.method, row.setting, values, False, seed=2, slot=slot)


def draws(problem: Problem, kind: str, n: int) -> NDArray[np.float64]:
    """Parameters (n, parameters): drawn for rate equations, the nominal ones where chance makes the difference."""
    return problem.draws(n) if kind == "ode" else np.tile(list(problem.parameters.values()), (n, 1))


def asked(
    peer: Peer, method: str, problem: Problem, kind: str, exact: list[NDArray[np.float64]]
) -> tuple[list[Row], Session]:
    """A row for each setting, and the process that holds the tasks of those that gave an answer."""
    rows: list[Row] = []
    session = Session(peer)
    for setting in LADDERS[kind]:
        row = Row(peer.name, method, setting)
        try:
            first_answer(session, problem, kind, row, exact)
        except RuntimeError as failed:
            row.skipped = str(failed).partition(" --> ")[0]  # without the path of a file
            if session.ended:  # its other tasks go to a new process
                session.close()
                session = Session(peer)
                for one in rows:
                    if not one.skipped:
                        ready(session, problem, kind, one)
        rows.append(row)
        print(told(row), file=sys.stderr, flush=True)
        if method in peer.fixed or (len(rows) > 1 and row.skipped and rows[-2].skipped):
            break  # it knows no setting, or a tighter one will hardly do
        if kind == "ode" and row.error < LEVELS[kind][-1] / 3.0:
            break
    return rows, session


def compare(problem: Problem, kind: str, chosen: list[Peer], rounds: int) -> list[Row]:
    exact = [solution(problem, CHECKED[kind])] if kind == "ode" else list(moments_of(problem))
    rows: list[Row] = []
    at_work: list[tuple[Row, Session]] = []
    sessions: list[Session] = []
    for peer in chosen:
        for method in peer.solves.get(kind, ()):
            absent = peer.missing()
            if absent:
                rows.append(Row(peer.name, method, LADDERS[kind][0], skipped=absent))
                print(told(rows[-1]), file=sys.stderr, flush=True)
                continue
            some, session = asked(peer, method, problem, kind, exact)
            rows += some
            sessions.append(session)
            at_work += [(row, session) for row in some if not row.skipped]
    shuffled = np.random.default_rng(SEED)
    for _ in range(rounds):
        before = pace()
        for which in shuffled.permutation(len(at_work)):
            row, session = at_work[which]
            done = session.run(LADDERS[kind].index(row.setting))
            after, units = pace(), done["units"]
            row.seconds.append(done["seconds"] / units["trajectories"])
            row.pace.append(0.5 * (before + after))
            row.events = units.get("events", 0) / units["trajectories"]
            before = after
    for session in sessions:
        session.close()
    return rows


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
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})  # one core for all, and for the pace
    rows = compare(problem, given.kind, [known[name] for name in sorted(names)], given.rounds)
    compared = standings(rows, given.kind)
    print("\n".join([*map(told, rows), *map(stands, compared)]))
    if given.record:
        given.record.parent.mkdir(parents=True, exist_ok=True)
        record = header("versus", " ".join(sys.argv[1:])) | {
            "problem": problem.name, "says": problem.says, "kind": given.kind, "rows": [asdict(row) for row in rows],
            "standings": [asdict(standing) for standing in compared],
        }  # fmt: skip
        given.record.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
