"""Kernels with one fault each, and the checks that must see it: a program, run with NUMBA_DISABLE_JIT set.

A mutant is a change of the linked text of one model with one solver. It is killed where a check that the
normal suite runs on the real kernel raises AssertionError; another exception means that it is no program.
"""

from __future__ import annotations

import ast
import json
import re
import signal
import sys
import time
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import ModuleType

import checks
from ctcdyn.codegen.cache import with_numpys_numbers
from ctcdyn.codegen.kernel import link
from ctcdyn.codegen.toy import toy
from ctcdyn.model.network import Network
from networks import dimers, rhythm, small_instance
from replay import CLOCKS

WIDTH = 2  # lanes: refill happens, and pure Python is fast enough
MOST = {"tsit5": 420, "rodas5p": 2000}  # steps of the toy; a stale first stage takes more
SECONDS = 60  # of one mutant; what hangs is killed
Edit = Callable[[str], str]


@dataclass(frozen=True)
class Mutant:
    """One fault. `name` says where, `what` says which."""

    name: str
    model: str
    method: str
    what: str
    edit: Edit


@cache
def subject(model: str) -> tuple[Network, float]:
    """The network of a model name and its days."""
    if model == "toy":
        return toy().with_values({"holiday": 3.3, "detectable": 15.0}), 6.0
    if model == "dimers":
        return dimers(), 6.0
    if model == "rhythm":  # its step lies beyond the end: smooth all the way
        return rhythm().with_values({"change": 100.0}), 1.5
    net, days = small_instance(model)
    if model == "kuznetsov_1994":  # a rare reaction made common
        net = net.with_values({"exhaustion": 1e-3})
    return net, days


def change(function: str, old: str, new: str, count: int = 1) -> Edit:
    """Replaces text in one function, by regular expression; it must be there so many times (0: any)."""

    def edit(source: str) -> str:
        start, end = _extent(source, function)
        text, found = re.subn(old, new, source[start:end])
        assert found == count or (count == 0 and found), f"{function}: {old!r} found {found} times"
        return source[:start] + text + source[end:]

    return edit


def constant(name: str, factor: float) -> Edit:
    """Multiplies a number of a method's table."""

    def edit(source: str) -> str:
        tree = ast.parse(source)
        for node in tree.body:
            if not isinstance(node, ast.Assign):
                continue
            target = node.targets[0]
            pairs = [(target, node.value)]
            if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                pairs = list(zip(target.elts, node.value.elts, strict=True))
            for label, value in pairs:
                if isinstance(label, ast.Name) and label.id == name:
                    first = value.elts[0] if isinstance(value, ast.Tuple) else value
                    first = first.operand if isinstance(first, ast.UnaryOp) else first
                    first.value = ast.literal_eval(first) * factor  # type: ignore[attr-defined]
                    return ast.unparse(tree)
        raise AssertionError(f"no constant {name}")

    return edit


def _extent(source: str, function: str) -> tuple[int, int]:
    start = source.index(f"\ndef {function}(")
    following = re.search(r"\n(?=[@A-Z]|def )", source[start + 1 :])
    return start, start + 1 + following.start() if following else len(source)


def by_reaction(model: str) -> Iterator[Mutant]:
    """Rate x 1.02, dropped, and a wrong change, for every reaction of a model."""
    net, _ = subject(model)
    for r, reaction in enumerate(net.reactions):
        rate = f"rate_{reaction.name}"
        where = f"{model} {reaction.name}"
        yield Mutant(f"{where}: rate x 1.02", model, "direct", "2 % too fast",
                     change(rate, r"return (.+)", r"return 1.02 * (\1)"))  # fmt: skip
        yield Mutant(f"{where}: dropped", model, "direct", "never fires",
                     change(rate, r"return (.+)", r"return 0.0 * (\1)"))  # fmt: skip
        yield Mutant(f"{where}: stoichiometry", model, "direct", "one more of a species",
                     lambda source, r=r: with_more(source, model, r))  # fmt: skip


def with_more(source: str, model: str, r: int) -> str:
    """`fire` as it would be emitted if reaction r made one cell more."""
    net, _ = subject(model)
    reaction = net.reactions[r]
    made = dict(reaction.products)
    made[r % len(net.species)] = made.get(r % len(net.species), 0) + 1
    reactions = list(net.reactions)
    reactions[r] = replace(reaction, products=tuple(sorted(made.items())))
    wrong = canonical(link(replace(net, reactions=tuple(reactions)), "direct", width=WIDTH).source)
    (start, end), (first, last) = _extent(source, "fire"), _extent(wrong, "fire")
    return source[:start] + wrong[first:last] + source[end:]


PATIENTS = {  # of the toy: the second starts beyond its condition and is still beyond it after surgery
    "dose_day": [1.0, 2.5, 0.3, 4.0], "shedding": [60.0, 30.0, 90.0, 50.0], "holiday": [3.3, 1.0, 0.0, 50.0],
    "detectable": [15.0, 2.0, 13.0, 40.0], "seeded": [3.0, 25.0, 0.0, 5.0],
}  # fmt: skip
LIST = tomllib.loads((Path(__file__).parent / "data" / "mutants.toml").read_text(encoding="utf-8"))


def every_mutant() -> list[Mutant]:
    """The whole list, in the order in which it is printed."""
    found = [m for model in ("ctc_linear", "kuznetsov_1994", "dimers", "toy") for m in by_reaction(model)]
    for model, method, what, function, old, new, *times in LIST["text"]:
        edit = change(function, old, new, int(times[0]) if times else 1)
        found.append(Mutant(f"{model} {method}: {what}", model, method, function, edit))
    for method, label in LIST["table"]:
        name = f"kuznetsov_1994 {method}: {label} off by 1e-3"
        found.append(Mutant(name, "kuznetsov_1994", method, label, constant(label, 1.001)))
    return found


def canonical(source: str) -> str:
    """The text without comments and line breaks of its own, so that an edit does not hang on them."""
    return ast.unparse(ast.parse(source))


@cache
def text_of(model: str, method: str) -> str:
    """The linked text of a subject."""
    return canonical(link(subject(model)[0], method, width=WIDTH).source)


def check(module: ModuleType, model: str, method: str) -> None:
    """What the normal suite asks of this kernel, the sharpest first."""
    net, days = subject(model)
    if method in CLOCKS:
        checks.check_times(module, net, days)
        checks.check_replay(module, net, days)
        checks.check_grid(module, net, days)
        if model == "toy":
            checks.check_patients(module, net, days, PATIENTS)
        if model == "dimers":
            checks.check_independent(module, net, days)
            checks.check_caps(module, net, days, 12)
        return
    if model != "rhythm":
        checks.check_ode(module, net, days, most=MOST[method])
    if model != "toy":  # whose doses break the steps
        checks.check_order(module, net, days, order=5.0, dense=4.0)


def run(source: str) -> ModuleType:
    """The text as a module."""
    module = ModuleType("mutant")
    exec(compile(source, "mutant", "exec"), module.__dict__)  # noqa: S102
    return with_numpys_numbers(module)


def verdict(mutant: Mutant) -> str:
    """ "killed by ...", "survived", or "broken: ..." where it is no mutant but an error."""
    signal.alarm(SECONDS)
    try:
        source = text_of(mutant.model, mutant.method)
        changed = mutant.edit(source)
        if changed == source:
            return "broken: nothing changed"
        try:
            check(run(changed), mutant.model, mutant.method)
        except AssertionError as error:
            at = error.__traceback__
            names = []
            while at is not None:
                names.append(at.tb_frame.f_code.co_name)
                at = at.tb_next
            return "killed by " + next(name for name in names if name.startswith("check_"))
        except (RuntimeError, TimeoutError) as error:
            return f"killed: {error}"
        return "survived"
    except (AssertionError, ArithmeticError, LookupError, NameError, SyntaxError, TypeError) as error:
        return f"broken: {type(error).__name__} {error}"
    finally:
        signal.alarm(0)


def _hang(*_: object) -> None:
    raise TimeoutError("it hangs")


if __name__ == "__main__":
    import numpy as np

    signal.signal(signal.SIGALRM, _hang)
    mutants = [m for m in every_mutant() if not sys.argv[1:] or sys.argv[1] in m.name]
    with np.errstate(all="ignore"):
        for model, method in dict.fromkeys((m.model, m.method) for m in mutants):
            check(run(text_of(model, method)), model, method)  # the kernels themselves must pass
        found = {}
        for m in mutants:
            started = time.process_time()
            found[m.name] = {"what": m.what, "verdict": verdict(m), "seconds": time.process_time() - started}
        print(json.dumps(found, indent=1))
