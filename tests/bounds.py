"""Bounds of time-dependent rates against sampled rates: a program, run with NUMBA_DISABLE_JIT set.

For each expression the emitted `window` and `bound` are run as they are over many windows, states and parameters; a
rate above its bound would be a wrong law. Prints what it found as JSON: violations, bounds that are not finite where
the rate is, and by how much the bound of a very short window is above the rate.
"""

from __future__ import annotations

import json
from types import ModuleType

import numpy as np

from ctcdyn.codegen.kernel import link
from ctcdyn.errors import CtcError
from ctcdyn.model.expr import Call, Expr, Name, Number, names, parse, text
from ctcdyn.model.network import Network
from networks import network

WRITTEN = [
    "a * (1 + b * sin(2 * pi * t))", "a * (1 + b * sin(2 * pi * t)) * x", "a * exp(-b * t)", "a * exp(b * t) * x",
    "a + b * t", "a * t ** 2", "a * t ** 3 * x", "a * (t - 1) ** 2", "a * (t - 1) ** 4 + b", "a / (b + t)",
    "a / (b + t ** 2)", "a * t / (b + t)", "max(a - b * t, 0)", "min(a, b * t)", "a * max(sin(2 * pi * t), 0)",
    "a * abs(sin(t))", "a * abs(t - 1)", "a * cos(t) ** 2", "a * where(t < 1, t, 2 - b)", "a * step(t - b)",
    "a * step(sin(2 * pi * t) - 0.3)", "where(sin(t) > b, a, 2 * a)", "a * sqrt(t)", "a * log(1 + t)",
    "a * hill(t, b, 2)", "a * hill(t, b, 3) * x", "a * (1 + t) ** b", "a * (1 + t) ** -0.5", "a * b ** t",
    "a * exp(-((t - 1) / b) ** 2)", "a * x * exp(-b * t) / (1 + x * exp(-b * t))", "a * x / (x + exp(t))",
    "a * (1 + b * sin(t * x))", "a * max(1 - x * exp(-t), 0)", "a * x * (1 - 0.5 * (t > b))", "a * t ** 0",
    "a * (1 + sin(t) * cos(3 * t))", "a * exp(sin(5 * t))", "a / (1.5 + cos(t))", "a * (t - 1) ** -2",
]  # fmt: skip
LEAVES = [Name("t"), Name("t"), Name("a"), Name("b"), Name("x"), Number(0.5), Number(2.0)]


def grown(rng: np.random.Generator, depth: int) -> Expr:
    """A random expression of the whole grammar."""
    if depth == 0 or rng.random() < 0.15:
        return LEAVES[rng.integers(len(LEAVES))]
    op = str(rng.choice(["+", "-", "*", "/", "**", "neg", "min", "max", "exp", "log", "sqrt", "sin", "cos",
                         "abs", "step", "where", "<"]))  # fmt: skip
    if op == "/":  # by a number or a sum: quotients of truth values are no rates
        return Call(op, (grown(rng, depth - 1), LEAVES[rng.integers(len(LEAVES))]))
    if op == "**":
        return Call(op, (grown(rng, depth - 1), Number(float(rng.choice([2.0, 3.0, 0.5, -1.0, -2.0, 1.5])))))
    count = {"where": 3, "+": 2, "-": 2, "*": 2, "min": 2, "max": 2, "<": 2}.get(op, 1)
    args = tuple(grown(rng, depth - 1) for _ in range(count))
    if op == "where":
        args = (Call("<", (args[0], Number(0.7))), *args[1:])
    return Call(op, args)


def expressions() -> list[str]:
    """The written ones, then random ones that depend on t."""
    rng = np.random.default_rng(20)
    found = list(WRITTEN)
    while len(found) < 90:
        law = text(grown(rng, 4))
        try:
            if "t" in names(parse(law)):
                found.append(law)
        except CtcError:
            continue  # a constant part that is no number is refused
    return found


def model(law: str) -> Network:
    return network(
        "law", {"x": 7.0}, {"a": 1.3, "b": 0.6}, {"come": ("-> x", "=" + law), "go": ("x ->", "b")}
    )


def sample(law: str, rng: np.random.Generator) -> dict[str, float]:
    """Worst excess over the bound, windows without a finite bound where the rate is finite, tightness."""
    source = link(model(law), "direct", width=2).source
    m = ModuleType("law")
    exec(compile(source, "law", "exec"), m.__dict__)  # noqa: S102
    worst, loose, bare = -np.inf, 1.0, 0
    w = np.zeros(m.ROWS)
    for _ in range(16):
        start = float(rng.choice([0.0, 0.5, 1.0, rng.uniform(0.0, 4.0)]))
        width = float(rng.choice([1e-7, 1 / 16, 0.5, 3.0]))
        w[m.Q_a], w[m.Q_b] = rng.uniform(0.1, 3.0), rng.uniform(0.1, 1.0)
        m.initial(w, 0)
        m.schedule(w, 0, start)
        m.coefficients(w, 0)
        end = min(start + width, float(m.upcoming(w, 0)))  # a switch is a stop and starts the bound anew
        w[m.X_x], w[m.TIME] = float(rng.integers(0, 9)), start
        w[m.FROM], w[m.TO] = start, start + width
        if m.TIMED:
            m.window(w, 0)
            limit = float(m.bound(w, 0))
        else:  # steps only: the rate stands still until the next switch
            limit = float(m.prefix(w, 0, start)[-1])
        times = [start, *np.sort(rng.uniform(start, end, 25))]
        rates = np.array([float(m.prefix(w, 0, np.float64(t))[-1]) for t in times])
        if not (rates < np.inf).all():
            continue  # negative or infinite somewhere: a status, not a law
        if not limit < np.inf:
            bare += 1
            continue
        worst = max(worst, float((rates - limit).max()))
        if width == 1e-7 and start > 0.0 and rates.max() > 1e-3:
            loose = max(loose, limit / rates.max())
    return {"worst": worst, "bare": bare, "loose": loose}


if __name__ == "__main__":
    with np.errstate(all="ignore"):
        rng = np.random.default_rng(21)
        print(json.dumps({law: sample(law, rng) for law in expressions()}, indent=1))
