"""What the Jacobian of a large network costs before anything is compiled: our derivative, and SymPy beside it.

    python benchmarks/derivatives.py [--repeats 9]

The network has 36 species and 150 reactions: twelve organs, each with cells in its blood, in its tissue and asleep,
with saturating, fractional and bimolecular rates. Both ways start from the same right-hand sides and end with source
text in which shared subexpressions stand once. Counted is CPU time of the process; operations are those of the text.
"""

from __future__ import annotations

import argparse
import ast
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

from ctcdyn.codegen.drift import right_hand_sides
from ctcdyn.codegen.layout import Layout
from ctcdyn.codegen.writer import Body
from ctcdyn.model.expr import Number, derivative, text
from ctcdyn.model.load import load_model
from ctcdyn.model.network import Network

ORGANS = 12
RATES = (
    ("flow", "blood_{k} -> blood_{next}", "k", "flow"),
    ("leave", "blood_{k} -> tissue_{k}", "k", "leave_{k}"),
    ("clear", "blood_{k} ->", "k", "log(2) / half_life"),
    ("sleep", "tissue_{k} -> dormant_{k}", "k", "sleep"),
    ("wake", "dormant_{k} -> tissue_{k}", "k", "wake"),
    ("divide", "tissue_{k} -> 2 tissue_{k}", "k", "birth"),
    ("die", "tissue_{k} ->", "rate", "death * tissue_{k} * (1 + tissue_{k} / capacity)"),
    ("kill", "tissue_{k} ->", "rate", "kill * hill(tissue_{k}, half, 2)"),
    ("fade", "dormant_{k} ->", "k", "fade"),
    ("shed", "tissue_{k} -> blood_{k}", "rate", "shed * tissue_{k} ** 0.663"),
    ("compete", "tissue_{k} + tissue_{next} -> tissue_{k}", "k", "compete"),
    ("enter", "-> blood_{k}", "k", "enter"),
)  # fmt: skip
SHARED = ("flow", "half_life", "sleep", "wake", "birth", "death", "capacity", "kill", "half", "fade", "shed", "compete",
          "enter")  # fmt: skip


def network_text() -> str:
    """The model file; its figures mean nothing."""
    lines = ["schema = 1", 'name = "organs"', 'time_unit = "day"', 'units = "none"', "[species]"]
    for kind in ("blood", "tissue", "dormant"):
        lines += [f'{kind}_{k} = {{ unit = "cells", initial = 10 }}' for k in range(ORGANS)]
    lines.append("[parameters]")
    for name in (*SHARED, *(f"leave_{k}" for k in range(ORGANS))):
        lines.append(f'{name} = {{ value = 1.5, source = "assumed: a benchmark" }}')
    for k in range(ORGANS):
        for name, equation, kind, law in RATES:
            where = {"k": k, "next": (k + 1) % ORGANS}
            lines += ["[[reaction]]", f'name = "{name}_{k}"', f'equation = "{equation.format(**where)}"']
            lines.append(f'{kind} = "{law.format(**where)}"')
    for k in range(6):  # cells that leave sleep for the blood of the organ opposite
        lines += [
            "[[reaction]]",
            f'name = "escape_{k}"',
            f'equation = "dormant_{k} -> blood_{k + 6}"',
            'k = "wake"',
        ]
    return "\n".join(lines)


def ours(network: Network) -> str:
    """The text of the Jacobian as `ctcdyn.codegen.jacobian` makes it."""
    layout = Layout(network, "ode")
    slopes = {}
    for s, side in enumerate(right_hand_sides(layout)):
        for z, name in enumerate(layout.species):
            slope = derivative(side, name)
            if slope != Number(0.0):
                slopes[s, z] = slope
    body = Body(lambda name: name, slopes.values())
    for (s, z), slope in slopes.items():
        body.lines.append(f"J_{s}_{z} = {body.value(slope)}")
    return "\n".join(body.lines)


def sympys(network: Network) -> str:
    """The same by `diff` and `cse`, of the entries that are not zero by form."""
    import sympy

    layout = Layout(network, "ode")
    symbols = {name: sympy.Symbol(name) for name in layout.species}
    sides = [sympy.sympify(text(side)) for side in right_hand_sides(layout)]
    slopes = {}
    for s, side in enumerate(sides):
        for z, name in enumerate(layout.species):
            if symbols[name] in side.free_symbols:
                slopes[s, z] = side.diff(symbols[name])
    shared, entries = sympy.cse(list(slopes.values()))
    lines = [f"{name} = {sympy.pycode(e)}" for name, e in shared]
    lines += [f"J_{s}_{z} = {sympy.pycode(e)}" for (s, z), e in zip(slopes, entries, strict=True)]
    return "\n".join(lines)


def operations(source: str) -> int:
    """Arithmetic operations and calls in a text."""
    return sum(isinstance(node, ast.BinOp | ast.Call) for node in ast.walk(ast.parse(source)))


def fastest(work: Callable[[], object], repeats: int) -> float:
    """CPU seconds of the fastest of some runs."""
    found = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        found.append(time.process_time() - start)
    return min(found)


def main() -> None:
    parser = argparse.ArgumentParser(
        description="Our derivative and SymPy's, for 36 species and 150 reactions."
    )
    parser.add_argument("--repeats", type=int, default=9)
    repeats = parser.parse_args().repeats
    with TemporaryDirectory() as folder:
        path = Path(folder) / "organs.toml"
        path.write_text(network_text(), encoding="utf-8")
        network = load_model(str(path))
    print(f"{len(network.species)} species, {len(network.reactions)} reactions")
    text_of_ours = ours(network)
    print(
        f"ctcdyn  {1e3 * fastest(lambda: ours(network), repeats):8.1f} ms  {operations(text_of_ours)} operations"
    )
    start = time.process_time()
    import sympy

    loading = time.process_time() - start

    def without_memory() -> None:
        sympy.core.cache.clear_cache()
        sympys(network)

    text_of_sympy = sympys(network)
    seconds = fastest(without_memory, repeats)
    print(
        f"SymPy   {1e3 * seconds:8.1f} ms  {operations(text_of_sympy)} operations  (import {1e3 * loading:.0f} ms)"
    )


if __name__ == "__main__":
    main()
