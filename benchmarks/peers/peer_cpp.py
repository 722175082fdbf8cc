"""Scalar C++, g++ -O3 -march=native: `reference/scalar.cpp` with rates from the problem, and for `five` one by hand.

`rodas4` has a general LU with partial pivoting, `rodas4 sparse` the elimination written out for the Jacobian's pattern,
`dopri5` is explicit; `five by hand` is `reference/rodas4.cpp` with its general LU, `five by hand sparse` with its own.
"""

import ctypes
import subprocess
import tempfile
from itertools import count, product
from pathlib import Path

import numpy as np
from frame import Answer, Task, serve

PACKAGES = ()  # derivatives are taken by ctcdyn's
SYSTEM = ("g++",)
SOLVES = {"ode": ("rodas4", "rodas4 sparse", "dopri5", "five by hand", "five by hand sparse")}
NUMBERS = {"rodas4": 0, "rodas4 sparse": 1, "dopri5": 2}
DENSE = 120  # species: from here a general LU is no sane choice
REFERENCE = Path(__file__).parents[1] / "reference"
FOLDER = tempfile.TemporaryDirectory()
FRESH = count()  # numbers of files


def c(node) -> str:
    """An expression of ctcdyn in C."""
    from ctcdyn.model.expr import Name, Number

    if isinstance(node, Number):
        return repr(float(node.value))
    if isinstance(node, Name):
        return node.id
    args = [c(arg) for arg in node.args]
    if node.op == "where":
        return f"({args[0]} ? {args[1]} : {args[2]})"
    if node.op == "**":
        return f"({args[0]} * {args[0]})" if args[1] == "2.0" else f"pow({args[0]}, {args[1]})"
    if node.op in {"max", "min"}:
        return f"f{node.op}({args[0]}, {args[1]})"
    if node.op == "neg":
        return f"(-{args[0]})"
    if node.op.isalpha():
        return f"{node.op}({', '.join(args)})"
    return f"({args[0]} {node.op} {args[1]})"


def slopes(task: Task) -> dict[tuple[int, int], str]:
    """(row, column) -> that entry of the Jacobian in C, where it is not always zero."""
    from ctcdyn.model.expr import derivative, names, parse

    entries: dict[tuple[int, int], list[str]] = {}
    for reaction in task.problem["reactions"]:
        rate = parse(reaction["rate"])
        for column in (task.species.index(name) for name in task.species if name in names(rate)):
            change = c(derivative(rate, task.species[column]))
            for row, name in enumerate(task.species):
                net = reaction["products"].get(name, 0) - reaction["reactants"].get(name, 0)
                if net:
                    entries.setdefault((row, column), []).append(f"{float(net)!r} * {change}")
    return {place: " + ".join(terms) for place, terms in entries.items()}


def elimination(n: int, pattern: set[tuple[int, int]]) -> list[tuple[int, list[int], list[int]]]:
    """In which order, by the least fill at each step: (pivot, rows below it, columns right of it)."""
    rows = [{j for i, j in pattern if i == k} - {k} for k in range(n)]
    columns = [{i for i, j in pattern if j == k} - {k} for k in range(n)]
    left, order = set(range(n)), []
    while left:
        pivot = min(left, key=lambda k: (len(rows[k]) * len(columns[k]), k))
        below, right = sorted(columns[pivot]), sorted(rows[pivot])
        order.append((pivot, below, right))
        left.remove(pivot)
        for i, j in product(below, right):
            if i != j:
                rows[i].add(j)
                columns[j].add(i)
        for i in below:
            rows[i].discard(pivot)
        for j in right:
            columns[j].discard(pivot)
    return order


def sparse(n: int, given: list[str], entries: dict[tuple[int, int], str]) -> str:
    """struct Sparse: the elimination of 1/(h gamma) - J, written out."""
    places = sorted(set(entries) | {(k, k) for k in range(n)})
    order = elimination(n, set(places))
    known, factor, forward, back = set(places), [], [], []
    for pivot, below, right in order:
        factor.append(f"w{pivot}_{pivot} = 1 / w{pivot}_{pivot};")
        for i in below:
            factor.append(f"w{i}_{pivot} *= w{pivot}_{pivot};")
            forward.append(f"x[{i}] -= w{i}_{pivot} * x[{pivot}];")
            for j in right:
                assign = "-=" if (i, j) in known else "= -"
                known.add((i, j))
                factor.append(f"w{i}_{j} {assign} w{i}_{pivot} * w{pivot}_{j};")
        terms = "".join(f" - w{pivot}_{j} * x[{j}]" for j in right)
        back.append(f"x[{pivot}] = (x[{pivot}]{terms}) * w{pivot}_{pivot};")
    begin = [
        f"w{i}_{j} = {'g_' if i == j else '0.0'} - ({entries.get((i, j), '0.0')});" for i, j in places
    ]
    members = ", ".join(f"w{i}_{j}" for i, j in sorted(known))
    return "\n".join(
        [
            f"struct Sparse {{ double {members};",
            "Sparse(const double *given_, const double *state_, double g_) {",
            *given, *begin, *factor, "}",
            "void solve(const double *b, double *x) const {",
            f"for (int i = 0; i < {n}; i++) x[i] = b[i];",
            *forward, *reversed(back), "} };",
        ]
    )  # fmt: skip


def header(task: Task) -> str:
    n = len(task.species)
    entries = slopes(task)
    given = task.c().splitlines()
    given = [line for line in given if " rate_" not in line and not line.startswith("slope_")]
    dense = [f"w[{i}][{j}] -= {entry};" for (i, j), entry in entries.items()]
    return "\n".join(
        [
            f"constexpr int N = {n}, P = {len(task.names)}, SAVES = {len(task.times)};",
            f"constexpr double GAP = {float(task.times[1])!r};",
            f"constexpr double START[N] = {{{', '.join(map(repr, task.start.tolist()))}}};",
            "static inline void rates(const double *given_, const double *state_, double *slope_) {",
            task.c(),
            "}",
            "static inline void Dense(const double *given_, const double *state_, double g_, double (*w)[N]) {",
            *given,
            *dense,
            f"for (int k = 0; k < {n}; k++) w[k][k] += g_;",
            "}",
            sparse(n, given, entries),
        ]
    )


def build(task: Task) -> Path:
    folder = Path(FOLDER.name) / task.problem["name"]
    target = folder / "scalar.so"
    if not target.exists():
        folder.mkdir(exist_ok=True)
        (folder / "problem.hpp").write_text(header(task) + "\n", encoding="utf-8")
        options = ["-O3", "-march=native", "-shared", "-fPIC", "-I", str(folder)]
        subprocess.run(["g++", *options, "-o", str(target), str(REFERENCE / "scalar.cpp")], check=True)
    return target


def prepare(task: Task):
    if task.method.startswith("five"):
        return by_hand(task)
    if task.method == "rodas4" and len(task.species) >= DENSE:
        raise RuntimeError(f"a general LU of {len(task.species)} species: see rodas4 sparse")
    run = ctypes.CDLL(str(build(task))).solve
    run.restype = ctypes.c_long
    slots = task.count if task.paths else min(task.count, 64)
    out = np.empty((slots, len(task.times), len(task.species)))
    values = np.ascontiguousarray(task.values)

    def work() -> Answer:
        failed = run(
            NUMBERS[task.method], ctypes.c_long(task.count), ctypes.c_void_p(values.ctypes.data),
            ctypes.c_double(task.setting), ctypes.c_double(task.setting), ctypes.c_void_p(out.ctypes.data),
            ctypes.c_long(slots),
        )  # fmt: skip
        if failed >= 0:
            raise RuntimeError(f"no success at trajectory {failed}")
        return out if task.paths else None, {"trajectories": task.count}

    return work


def by_hand(task: Task):
    """The program that is written for `five`, which tells its CPU time itself."""
    if task.problem["name"] != "five":
        raise RuntimeError("written for the problem five alone")
    program, folder = Path(FOLDER.name) / "rodas4", Path(FOLDER.name)
    if not program.exists():
        source = str(REFERENCE / "rodas4.cpp")
        subprocess.run(["g++", "-O3", "-march=native", "-o", str(program), source], check=True)
    # its parameters in its order
    names = ["r", "K", "k_int", "k_re", "k_sh", "k_nk", "k_ext", "k_d", "k_g", "m_E", "k_w", "m_Q", "r_G", "K_G", "m_G"]
    values = str(folder / f"values{next(FRESH)}")
    np.ascontiguousarray(task.values[:, [task.names.index(name) for name in names]]).tofile(values)
    target = f"{values}.out" if task.paths else "-"
    command = [str(program), "sparse" if task.method.endswith("sparse") else "dense", values, str(task.count)]
    command += [repr(task.setting), repr(task.setting), target]

    def work() -> Answer:
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
        found = None
        if task.paths:
            found = np.fromfile(target).reshape(task.count, len(task.times), len(task.species))
        return found, {"trajectories": task.count, "seconds": float(said[1])}

    return work


def versions() -> str:
    said = subprocess.run(["g++", "-dumpfullversion"], check=True, capture_output=True, text=True).stdout
    return f"g++ {said.strip()}"


if __name__ == "__main__":
    serve(prepare, versions)
