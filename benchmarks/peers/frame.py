"""What a peer's program is made of: it reads orders, one JSON object a line, and answers each with one.

    {"problem": FILE, "method": M, "setting": X, "parameters": FILE.npy, "seed": S, "paths": true, "slot": K}
        sets up a task and does it once, which compiles what is compiled late -> {"setup": CPU seconds, "first": of
        that once}
    {"run": true, "slot": K}    does the task -> {"seconds": CPU seconds, "units": {"trajectories": N, "events": ...}}
    {"save": FILE.npy}          writes the answer of the last run, float64 (trajectories, saves, species)
    {"drop": true, "slot": K}   forgets a task

So a process stays as long as it is measured, holds several tasks, and two are timed in turn. A peer runs in an
environment of its own: this file asks for numpy alone. CPU time is that of the process, which is told to keep to one
thread, and of the programs it started and waited for. A tool that works in a program that stays tells that program's
CPU time itself: "seconds" among its units.
"""

from __future__ import annotations

import ast
import json
import os
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Task:
    """`problem`: problems.Problem as plain data; `values`: parameters (n, parameters); `setting`: tolerance, step or
    epsilon.

    `paths`: whether an answer of every trajectory is asked for. Where it is not, a tool may reduce as it goes.
    """

    problem: dict[str, Any]
    method: str
    setting: float
    values: np.ndarray
    seed: int
    paths: bool

    @property
    def species(self) -> list[str]:
        return list(self.problem["species"])

    @property
    def start(self) -> np.ndarray:
        return np.array(list(self.problem["species"].values()), dtype=np.float64)

    @property
    def names(self) -> list[str]:
        return list(self.problem["parameters"])

    @property
    def times(self) -> np.ndarray:
        return np.array(self.problem["times"], dtype=np.float64)

    @property
    def count(self) -> int:
        return len(self.values)

    @property
    def nominal(self) -> np.ndarray:
        """Parameters (parameters,) where all trajectories have the same, as in the problems of chance."""
        assert (self.values == self.values[0]).all(), "parameters differ by trajectory"
        return self.values[0]

    @property
    def constants(self) -> list[float]:
        """k of each reaction, all of mass action (numbers a day)."""
        given = dict(zip(self.names, self.nominal.tolist(), strict=True))
        return [given[reaction["constant"]] for reaction in self.problem["reactions"]]

    def rates(self, **spelling: str) -> list[str]:
        """Events a day of each reaction as text over species and parameters, in the language of `spelled`."""
        return [spelled(reaction["rate"], **spelling) for reaction in self.problem["reactions"]]

    def sums(self, rate: str = "rate_{}") -> list[str]:
        """dy/dt of each species as text over the rates of the reactions, named by number."""
        made: dict[str, list[str]] = {name: [] for name in self.species}
        for number, reaction in enumerate(self.problem["reactions"]):
            for name in self.species:
                net = reaction["products"].get(name, 0) - reaction["reactants"].get(name, 0)
                if net:
                    times = "" if abs(net) == 1 else f"{abs(net)}.0 * "
                    made[name].append(f"{'-' if net < 0 else '+'} {times}{rate.format(number)}")
        return [" ".join(terms).removeprefix("+ ") if terms else "0.0" for terms in made.values()]

    def python(self, head: str, tail: str) -> str:
        """Text of a function of `state_` (species) and `given_` (parameters); `tail` says what is done with dy/dt."""
        lines = [f"def {head}:", *(f"    {name} = state_[{i}]" for i, name in enumerate(self.species))]
        lines += [f"    {name} = given_[{i}]" for i, name in enumerate(self.names)]
        lines += [f"    rate_{i} = {rate}" for i, rate in enumerate(self.rates())]
        return "\n".join([*lines, f"    {tail.format(', '.join(self.sums()))}"]) + "\n"

    def c(self) -> str:
        """C statements that read state_ and given_ and write slope_[i]."""
        lines = [f"const double {name} = state_[{i}];" for i, name in enumerate(self.species)]
        lines += [f"const double {name} = given_[{i}];" for i, name in enumerate(self.names)]
        rates = self.rates(power="pow({}, {})", greatest="fmax({}, {})")
        lines += [f"const double rate_{i} = {rate};" for i, rate in enumerate(rates)]
        return "\n".join([*lines, *(f"slope_[{i}] = {total};" for i, total in enumerate(self.sums()))]) + "\n"


SIGNS: Mapping[type, str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}


def spelled(rate: str, power: str = "{} ** {}", greatest: str = "max({}, {})") -> str:
    """A rate in another language: every number a float, each operation in brackets.

    A rate is made of numbers, names, + - * / **, a minus before, and max of two.
    """

    def told(node: ast.expr) -> str:
        match node:
            case ast.Constant(value=value):
                return repr(float(value))
            case ast.Name(id=name):
                return name
            case ast.UnaryOp(op=ast.USub(), operand=inner):
                return f"(-{told(inner)})"
            case ast.BinOp(left=left, op=ast.Pow(), right=right):
                return f"({power.format(told(left), told(right))})"
            case ast.BinOp(left=left, op=op, right=right):
                return f"({told(left)} {SIGNS[type(op)]} {told(right)})"
            case ast.Call(func=ast.Name(id="max"), args=[left, right]):
                return greatest.format(told(left), told(right))
        raise ValueError(f"not in a rate: {ast.unparse(node)}")

    return told(ast.parse(rate, mode="eval").body)


def cpu_seconds() -> float:
    """Of this process and of those it waited for (Windows does not tell those)."""
    if os.name == "nt":
        return time.process_time()
    import resource

    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


Answer = tuple[np.ndarray | None, dict[str, Any]]  # (trajectories, saves, species) or None, and units of work


def serve(prepare: Callable[[Task], Callable[[], Answer]], versions: Callable[[], str]) -> None:
    """Answers orders until the input ends. `prepare(task)` sets up and returns what does the task."""
    work: dict[int, Callable[[], Answer]] = {}
    answer: np.ndarray | None = None
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a tool prints is no reply, be it Python's or C's
    for line in sys.stdin:
        order = json.loads(line)
        slot = order.get("slot", 0)
        try:
            if "problem" in order:
                work.pop(slot, None)
                start = cpu_seconds()
                task = Task(
                    json.loads(Path(order["problem"]).read_text(encoding="utf-8")),
                    order["method"],
                    order["setting"],
                    np.load(order["parameters"]),
                    order["seed"],
                    order["paths"],
                )
                made = prepare(task)
                ready = cpu_seconds()
                answer, _ = made()
                work[slot] = made
                now = cpu_seconds()
                reply: dict[str, Any] = {"setup": now - start, "first": now - ready, "versions": versions()}
            elif "save" in order:
                assert answer is not None, "nothing was kept"
                np.save(order["save"], answer)
                reply = {"saved": order["save"]}
            elif "drop" in order:
                reply = {"dropped": work.pop(slot, None) is not None}
            else:
                assert slot in work, "no task yet"
                start = cpu_seconds()
                answer, units = work[slot]()
                reply = {"seconds": units.pop("seconds", cpu_seconds() - start), "units": units}
        except Exception as error:  # noqa: BLE001 - whatever a tool does wrong is its result
            traceback.print_exc()
            reply = {"failed": " ".join(f"{type(error).__name__}: {error}".split())[:300]}
        print(json.dumps(reply), file=replies, flush=True)
