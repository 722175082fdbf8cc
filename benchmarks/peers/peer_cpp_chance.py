"""Scalar C++ of `reference/`, g++ -O3 -march=native: what a careful person writes for one network, or for any.

`direct` and `graph` take any network of mass action (network.cpp). Written out by hand for `linear`: `unrolled`
(direct.cpp), tau-leaping by the paper's rule and by ours (tau_leap.cpp), Euler-Maruyama (langevin.cpp).
"""

import ctypes
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from frame import Answer, Task, serve

PACKAGES = ()
SYSTEM = ("g++",)
SOLVES = {"jump": ("direct", "graph", "unrolled"), "tau": ("paper", "limited"), "langevin": ("euler",)}
REFERENCE = Path(__file__).parents[1] / "reference"
FOLDER = tempfile.TemporaryDirectory()


def build(source: str, *options: str) -> Path:
    target = Path(FOLDER.name) / Path(source).stem
    command = ["g++", "-O3", "-march=native", *options, "-o", str(target), str(REFERENCE / source)]
    subprocess.run(command, check=True)
    return target


def prepare(task: Task):
    return network(task) if task.method in {"direct", "graph"} else by_hand(task)


def network(task: Task):
    """network.cpp, in this process."""
    library = ctypes.CDLL(str(build("network.cpp", "-shared", "-fPIC")))
    library.run.restype = ctypes.c_uint64
    names, reactions = task.species, task.problem["reactions"]
    places = [[names.index(name) for name in reaction["reactants"]] for reaction in reactions]
    first, second = (
        np.array([place[k] if len(place) > k else len(names) for place in places], dtype=np.int32)
        for k in (0, 1)
    )
    change = [
        [
            (row, reaction["products"].get(name, 0) - reaction["reactants"].get(name, 0))
            for row, name in enumerate(names)
            if reaction["products"].get(name, 0) != reaction["reactants"].get(name, 0)
        ]
        for reaction in reactions
    ]
    start, constant, times = task.start, np.array(task.constants), task.times
    begins = np.cumsum([0, *map(len, change)], dtype=np.int32)
    who = np.array([row for changed in change for row, _ in changed], dtype=np.int32)
    by = np.array([float(number) for changed in change for _, number in changed])
    out = np.empty((task.count if task.paths else 1, len(times), len(names)))
    arrays = [
        ctypes.c_void_p(a.ctypes.data) for a in (start, constant, times, first, second, begins, who, by)
    ]
    sizes = [int(task.method == "graph"), len(names), len(reactions), len(times)]
    held = (start, constant, times, first, second, begins, who, by)

    def work() -> Answer:
        assert held
        events = library.run(
            *map(ctypes.c_int, sizes), *arrays, ctypes.c_int(task.count), ctypes.c_uint64(task.seed),
            ctypes.c_int(task.paths), ctypes.c_void_p(out.ctypes.data),
        )  # fmt: skip
        return out if task.paths else None, {"trajectories": task.count, "events": events}

    return work


def by_hand(task: Task):
    """A program of its own for `linear`: rates in a file, answers in another, at days 1 to 100."""
    assert task.problem["name"].startswith("linear"), f"{task.method} is written for `linear` only"
    assert task.times.tolist() == [float(day) for day in range(101)]
    source = {"unrolled": "direct.cpp", "euler": "langevin.cpp"}.get(task.method, "tau_leap.cpp")
    program, rates = build(source), Path(FOLDER.name) / "rates.txt"
    rates.write_text(" ".join(map(repr, task.constants)), encoding="utf-8")
    target = Path(FOLDER.name) / "answer.bin"
    tail = [str(rates), str(task.count), str(task.seed), str(target)]
    if task.method == "unrolled":
        command, kind, unit = [program, "unrolled", *tail], np.int64, "events"
    elif task.method == "euler":
        command, kind, unit = [program, *tail, str(round(1.0 / task.setting))], np.float64, "steps"
    else:
        turnover = "inf" if task.method == "paper" else "10"
        command, kind, unit = [program, str(task.setting), turnover, *tail], np.int64, ""

    def work() -> Answer:
        printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
        made = int(float(printed[0] if unit else printed[2]))
        state = None
        if task.paths:
            state = np.zeros((task.count, 101, 4))
            state[:, 1:] = np.fromfile(target, kind).reshape(task.count, 100, 4)
        return state, {"trajectories": task.count, unit or "steps": made}

    return work


def versions() -> str:
    return subprocess.run(
        ["g++", "--version"], check=True, capture_output=True, text=True
    ).stdout.splitlines()[0]


if __name__ == "__main__":
    serve(prepare, versions)
