"""A naive exact process: one trajectory, plain Python, the draws of each exact method as it says it.

Nothing is shared with the kernels but the order of reactions in a tree: propensities are read off the network by
`evaluate`, Philox and xoshiro are written in whole numbers, bounds over time by interval arithmetic on the expressions
as they stand.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ctcdyn.codegen.dependency import Graph
from ctcdyn.codegen.layout import Layout
from ctcdyn.model.expr import Call, Expr, Name, Number, evaluate, names
from ctcdyn.model.network import Network

LOW, ALL = 2**32 - 1, 2**64 - 1
SLACK = 1.0 + 2.0**-40  # of a bound, outward
CONDITIONS = ("<", "<=", ">", ">=")


def philox(counter: Sequence[int], key: Sequence[int]) -> list[int]:
    """Philox4x32-10 (Salmon 2011): four words of 32 bits."""
    c, k = list(counter), list(key)
    for _ in range(10):
        p, q = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(q >> 32) ^ c[1] ^ k[0], q & LOW, (p >> 32) ^ c[3] ^ k[1], p & LOW]
        k = [(k[0] + 0x9E3779B9) & LOW, (k[1] + 0xBB67AE85) & LOW]
    return c


class Stream:
    """xoshiro256++ (Blackman and Vigna 2021), its state two Philox blocks of (number, purpose 0)."""

    def __init__(self, seed: int, number: int) -> None:
        key, who = (seed & LOW, seed >> 32), (number & LOW, number >> 32)
        words = [w for half in (0, 1) for w in philox((*who, 0, half), key)]
        self.s = [words[2 * j] | words[2 * j + 1] << 32 for j in range(4)]

    def uniform(self) -> float:
        a, b, c, d = self.s
        r = (a + d) & ALL
        r = ((r << 23 | r >> 41) + a) & ALL
        e, f = c ^ a, d ^ b
        self.s = [a ^ f, b ^ e, e ^ (b << 17 & ALL), (f << 45 | f >> 19) & ALL]
        return (r >> 12) * 2.0**-52

    def exponential(self) -> float:
        return -math.log(self.uniform() + 2.0**-53)


class OneClock:
    """`direct`: one budget for all reactions; a uniform chooses among them, then the next budget is drawn."""

    def __init__(self, seed: int, number: int, reactions: int) -> None:
        self.draw = Stream(seed, number)
        self.budget = self.draw.exponential()

    def wait(self, limits: list[float]) -> float:
        total = sum(limits)
        return self.budget / total if total > 0 else math.inf

    def spend(self, limits: list[float], span: float) -> None:
        self.budget -= sum(limits) * span

    def fire(self, limits: list[float], rates: list[float]) -> int | None:
        level, self.budget, passed = self.draw.uniform() * sum(limits), self.draw.exponential(), 0.0
        for r, rate in enumerate(rates):
            passed += rate
            if level < passed:
                return r
        return None


class ManyClocks:
    """`next_reaction`: a budget for each reaction, its m-th from a block addressed by reaction and m."""

    def __init__(self, seed: int, number: int, reactions: int) -> None:
        self.key, self.who = (seed & LOW, seed >> 32), (number & LOW, number >> 32)
        self.drawn = [0] * reactions
        self.budgets = [self.draw(r)[0] for r in range(reactions)]

    def draw(self, r: int) -> tuple[float, float]:
        m = self.drawn[r]
        a, b, c, d = philox((*self.who, 1 << 31 | (m >> 32) << 24 | r << 8 | 5, m & LOW), self.key)
        self.drawn[r] += 1
        return -math.log((((a | b << 32) >> 12) * 2.0**-52) + 2.0**-53), ((c | d << 32) >> 12) * 2.0**-52

    def wait(self, limits: list[float]) -> float:
        waits = [b / a if a > 0 else math.inf for a, b in zip(limits, self.budgets, strict=True)]
        self.first = waits.index(min(waits))
        return min(waits)

    def spend(self, limits: list[float], span: float) -> None:
        self.budgets = [b - a * span for a, b in zip(limits, self.budgets, strict=True)]

    def fire(self, limits: list[float], rates: list[float]) -> int | None:
        r = self.first
        self.spend(limits, self.budgets[r] / limits[r])
        self.budgets[r], share = self.draw(r)
        return r if share * limits[r] < rates[r] else None


class Tree(OneClock):
    """`logarithmic_direct`: the uniform chooses among the bounds, in the order of the tree; what is left decides."""

    order: Sequence[int] = ()

    def fire(self, limits: list[float], rates: list[float]) -> int | None:
        level, self.budget = self.draw.uniform() * sum(limits), self.draw.exponential()
        for r in self.order:
            if level < limits[r]:
                return r if level < rates[r] else None
            level -= limits[r]
        return None


CLOCKS = {"direct": OneClock, "next_reaction": ManyClocks, "logarithmic_direct": Tree}


@dataclass
class Path:
    """What one trajectory did. Candidates are the firings, unless a rate depends smoothly on time."""

    times: list[float] = field(default_factory=list)
    states: list[list[float]] = field(default_factory=list)
    fired: list[int] = field(default_factory=list)  # by reaction
    passed: dict[str, float] = field(default_factory=dict)
    log: list[tuple[float, float, float]] = field(default_factory=list)
    candidates: int = 0

    def at(self, grid: Sequence[float]) -> np.ndarray:
        """The state at each time of the grid, (T, S)."""
        return np.array([self.states[max(np.searchsorted(self.times, t, "right") - 1, 0)] for t in grid])


def replay(
    net: Network, t_end: float, seed: int, number: int, window: float = 1 / 16, method: str = "direct"
) -> Path:
    """One trajectory from day 0 to `t_end` (days), the network's own numbers, stream `number` of `seed`."""
    values = dict(zip(net.parameter_names, net.parameter_values().tolist(), strict=True))
    x = [math.floor(float(evaluate(s.initial, values)) + 0.5) for s in net.species]
    laws = [r.propensity("jump", net) for r in net.reactions]
    flips = sorted({float(evaluate(e, values)) for law in laws for e in _switches(law)})
    counted = {o.name: o.options["reaction"] for o in net.observables if o.use == "flux"}
    founded = {r: [rule for c, rule in net.founders if counted[c] == x.name] for r, x in enumerate(net.reactions)}
    timed = any("t" in names(_held(law, values, 0.0)) for law in laws)
    due = {k: (float(evaluate(d.at, values)) if isinstance(d.at, Call | Name | Number) else d.at, d.cycles)
           for k, d in enumerate(net.treatments) if not _conditional(d.at)}  # fmt: skip
    held: dict[int, bool] = {k: False for k in range(len(net.treatments)) if k not in due}
    path, clock, t = Path(fired=[0] * len(laws)), CLOCKS[method](seed, number, len(laws)), 0.0
    if isinstance(clock, Tree):
        clock.order = [r for _, r in sorted(Graph(Layout(net, "jump")).slots.items())]

    def state() -> dict[str, float]:
        return values | dict(zip(net.species_names, x, strict=True)) | {"t": t}

    def pass_by() -> None:
        for o in net.observables:
            if o.use == "first_passage" and evaluate(o.options["when"], state()):
                path.passed.setdefault(o.name, t)

    def act() -> None:
        """Passages, then treatments, as they stand at t, then passages that these made true."""
        pass_by()
        for k, d in enumerate(net.treatments):
            if k in due:
                when, cycles = due[k]
                if when > t or not cycles:
                    continue
                due[k] = (when + (d.every or math.inf), cycles - 1)
            else:
                true = bool(evaluate(d.at, state()))
                if not true or held[k]:
                    held[k] = true
                    continue
                held[k] = True
            for s, e in d.set:
                x[s] = math.floor(float(evaluate(e, state())) + 0.5)
            for q, factor in d.scale:
                values[net.parameter_names[q]] *= factor
            path.log.append((t, float(k), float(x[d.set[0][0]]) if d.set else 0.0))
        for k in held:  # a treatment may have ended its own condition
            held[k] = held[k] and bool(evaluate(net.treatments[k].at, state()))
        pass_by()
        path.times.append(t)
        path.states.append(list(x))

    act()
    while t < t_end:
        stop = min([f for f in flips if f > t] + [when for when, left in due.values() if left] + [t_end])
        now = [_held(law, values, t) for law in laws]
        if timed:  # the bound holds up to the next multiple of the window
            k = math.floor(t / window)
            k += (k + 1) * window <= t
            start, end = k * window, (k + 1) * window
            stop = min(stop, end)
            limits = [bound(law, state(), start, end) for law in now]
        else:
            limits = [float(evaluate(law, state())) for law in now]
        wait = clock.wait(limits)
        if t + wait > stop:
            clock.spend(limits, stop - t)
            t = stop
            if t < t_end or any(when <= t and left for when, left in due.values()):
                act()
            continue
        t += wait
        path.candidates += 1
        rates = [float(evaluate(law, state())) for law in now]
        assert sum(rates) <= sum(limits) * (1.0 + 1e-14), (rates, limits)
        r = clock.fire(limits, rates)
        if r is not None:
            for s, change in net.reactions[r].change:
                x[s] += change
            path.fired[r] += 1
            path.log += [(t, -1.0 - rule, 1.0) for rule in founded.get(r, ())]
        act()
    return path


def _conditional(at: object) -> bool:
    return isinstance(at, Call) and at.op in CONDITIONS


def _switches(law: Expr) -> list[Expr]:
    """Times at which comparisons of t with parameters turn."""
    if not isinstance(law, Call):
        return []
    if law.op in CONDITIONS and Name("t") in law.args:
        return [a for a in law.args if a != Name("t")]
    if law.op == "step" and isinstance(law.args[0], Call) and Name("t") in law.args[0].args:
        return [a for a in law.args[0].args if a != Name("t")]
    return [e for a in law.args for e in _switches(a)]


def _held(law: Expr, values: dict[str, float], t: float) -> Expr:
    """The law with every switch as it stands from t on."""
    if not isinstance(law, Call):
        return law
    if _switches(Call("+", (law, Number(0.0)))) and law.op in (*CONDITIONS, "step"):
        return Number(float(evaluate(law, values | {"t": t})))
    return Call(law.op, tuple(_held(a, values, t) for a in law.args))


def bound(law: Expr, state: dict[str, float], start: float, end: float) -> float:
    """What a rate does not exceed on [start, end] while the state stands still."""
    if "t" not in names(law):
        return float(evaluate(law, state))
    return _span(law, state, start, end)[1] * SLACK


def _span(e: Expr, state: dict[str, float], start: float, end: float) -> tuple[float, float]:
    if "t" not in names(e):
        return (float(evaluate(e, state)),) * 2
    if e == Name("t"):
        return start, end
    assert isinstance(e, Call)
    spans = [_span(a, state, start, end) for a in e.args]
    if e.op in ("sin", "cos"):  # it moves no further than its argument does
        low, high = spans[0]
        middle, half = getattr(math, e.op)(0.5 * (low + high)), 0.5 * (high - low)
        return max(-1.0, middle - half), min(1.0, middle + half)
    assert e.op in ("+", "-", "*"), f"the replay has no bound for {e.op}"
    ends = [float(evaluate(Call(e.op, (Number(a), Number(b))), {})) for a in spans[0] for b in spans[1]]
    return min(ends), max(ends)
