"""The rate equations of the nominal patient in plain Python, for whoever chooses a method: quick enough to be followed.

All but a few rates of a model are a number times a species once its parameters have their values: those are a matrix,
and only the others are worked out as expressions.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ctcdyn.model.expr import Call, Expr, Name, Number, derivative, evaluate, names
from ctcdyn.model.network import Network

Floats = NDArray[np.float64]


class Nominal:
    """Rates (R), right-hand side (S) and Jacobian (S, S) of a network at its nominal parameters; days and cells."""

    def __init__(self, network: Network) -> None:
        values = {p.name: p.value for p in network.parameters}
        self.names = network.species_names
        self.change: Floats = network.stoichiometry().astype(np.float64)
        laws = [_folded(r.propensity("ode", network), values) for r in network.reactions]
        self._linear = np.zeros((len(laws), len(self.names)))
        self._constant = np.zeros(len(laws))
        self._laws: list[tuple[int, Expr]] = []
        self._slopes: list[tuple[int, int, Expr]] = []
        for r, law in enumerate(laws):
            within = names(law)
            read = [s for s, name in enumerate(self.names) if name in within]
            slopes = {s: _folded(derivative(law, self.names[s]), values) for s in read}
            if "t" not in within and all(isinstance(slope, Number) for slope in slopes.values()):
                for s, slope in slopes.items():
                    self._linear[r, s] = slope.value if isinstance(slope, Number) else 0.0
                self._constant[r] = float(evaluate(law, dict.fromkeys(self.names, 0.0)))
            else:
                self._laws.append((r, law))
                self._slopes += [(r, s, slope) for s, slope in slopes.items()]

    def rates(self, x: Floats, t: float) -> Floats:
        """Rates of the reactions, 1/d, (R,)."""
        found: Floats = self._linear @ x + self._constant
        at = self._known(x, t)
        for r, law in self._laws:
            found[r] = float(evaluate(law, at))
        return found

    def drift(self, x: Floats, t: float) -> Floats:
        """dx/dt, (S,), 1/d."""
        found: Floats = self.change @ self.rates(x, t)
        return found

    def slope(self, x: Floats, t: float) -> Floats:
        """The derivative of that by the state, (S, S), 1/d."""
        each = self._linear.copy()
        at = self._known(x, t)
        for r, s, law in self._slopes:
            each[r, s] = float(evaluate(law, at))
        found: Floats = self.change @ each
        return found

    def _known(self, x: Floats, t: float) -> dict[str, float]:
        return {**dict(zip(self.names, x.tolist(), strict=True)), "t": t}


def _folded(e: Expr, values: dict[str, float]) -> Expr:
    """The expression with parameters as numbers, and what is made of numbers worked out."""
    if isinstance(e, Name):
        return Number(values[e.id]) if e.id in values else e
    if isinstance(e, Call):
        parts = tuple(_folded(a, values) for a in e.args)
        whole = Call(e.op, parts)
        return Number(float(evaluate(whole, {}))) if all(isinstance(p, Number) for p in parts) else whole
    return e
