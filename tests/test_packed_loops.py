"""Lane loops are packed: counted in machine code for one fixed CPU, whatever the machine and its load.

A loop that LLVM could not vectorise has a scalar instruction for every packed one that it should have, so a single
branch in a rate would show. Where buffers might overlap, LLVM keeps a scalar twin of a packed loop and chooses when it
enters; four lanes fit a register.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

import pytest

from ctcdyn.codegen.kernel import link
from ctcdyn.codegen.vectors import Function, count_instructions
from ctcdyn.model.expr import parse
from ctcdyn.model.load import load_model
from ctcdyn.model.network import Network, Treatment
from networks import network


def forms() -> Network:
    """Every form that a rate may have, each where it could tempt a compiler to branch."""
    return network(
        "forms", {"x": 5.0, "y": 2.0}, {"r": 1.0},
        {
            "grow": ("x -> 2 x", "=r * x * (1 - min(x / 100, 1))"),
            "saturate": ("x -> y", "=hill(y, 5, 2) * x"),
            "choose": ("y ->", "=where((y > 3) and not (x < 1), y, 0.5 * y)"),
            "beat": ("-> y", "=2 * (1 + sin(2 * pi * t))"),
            "begin": ("-> x", "=step(t - 1) * r"),
            "crowd": ("x ->", "=max(x - 10, 0) * r * exp(-y / 10) + abs(x - y) * x ** 0.7"),
        },
        treatments=(Treatment("surgery", parse("(6 * x / pi) ** (1 / 3) >= 20"), set=((0, parse("0.1 * x")),)),),
    )  # fmt: skip


def thirty() -> Network:
    """30 species and 100 reactions, a third of them bimolecular."""
    reactions = {}
    for r in range(100):
        a, b, c = r % 30, (7 * r + 1) % 30, (11 * r + 5) % 30
        left = f"s{a} + s{b}" if r % 3 == 0 and a != b else f"s{a}"
        right = f"s{c}" if c != a else ""
        reactions[f"r{r}"] = (f"{left} -> {right}", f"k{r}")
    rates = {f"k{r}": 0.1 + 0.01 * r for r in range(100)}
    return network("thirty", {f"s{k}": 5.0 for k in range(30)}, rates, reactions)


def beside() -> Network:
    """Counted cells beside pinned species, of which a jump reads one and nobody the others."""
    made = network(
        "beside", {"tumor": 5.0, "blood": 1.0, "drug": 1.0, "dormant": 3.0, "growing": 0.0}, {"r": 1.0},
        {
            "grow": ("tumor -> 2 tumor", "0.1"),
            "shed": ("tumor -> tumor + blood", "r"),
            "clear": ("blood ->", "r"),
            "settle": ("blood -> dormant", "0.1"),
            "fade": ("drug ->", "0.1"),
            "wake": ("dormant -> growing", "0.1"),
            "divide": ("growing -> 2 growing", "=0.3 * growing * max(1 - growing / 1000, 0)"),
            "die": ("growing ->", "0.1"),
        },
    )  # fmt: skip
    pinned = ("tumor", "blood", "drug")
    return replace(made, species=tuple(replace(s, continuous=s.name in pinned) for s in made.species))


NETWORKS = {"beside": beside, "ctc_five": None, "forms": forms, "thirty": thirty}
CASES = [
    ("thirty", "direct"),  # longest first: two are compiled at a time
    ("ctc_five", "rodas5p"),
    ("forms", "tsit5"),
    ("forms", "direct"),
    ("beside", "hybrid"),
]


@pytest.fixture(scope="module")
def counted() -> dict[tuple[str, str], dict[str, list[Function]]]:
    """Functions by name, of every case; stages share a name."""

    def text(name: str, method: str) -> str:
        made = NETWORKS[name]
        return link(made() if made else load_model(name), method).source

    def count(source: str) -> dict[str, list[Function]]:
        found: dict[str, list[Function]] = {}
        for function in count_instructions(source):
            found.setdefault(function.name, []).append(function)
        return found

    texts = {c: text(*c) for c in CASES}  # Python 3.11 cannot parse on two threads at once
    with ThreadPoolExecutor(2) as pool:
        jobs: dict[tuple[str, str], Future[dict[str, list[Function]]]] = {
            c: pool.submit(count, texts[c]) for c in CASES
        }
        return {case: job.result() for case, job in jobs.items()}


@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_nothing_is_fused(case: tuple[str, str], counted: dict) -> None:
    """A multiply-add rounds once where the text rounds twice: the bits would depend on the machine."""
    functions = [f for same in counted[case].values() for f in same]
    assert len(functions) >= 4
    assert sum(f.whole.packed for f in functions) > 100
    assert [f.name for f in functions if f.whole.fused] == []


@pytest.mark.parametrize("case", [c for c in CASES if c[1] not in ("direct", "hybrid")], ids="-".join)
def test_steps_of_the_ode_methods_have_no_scalar_arithmetic(case: tuple[str, str], counted: dict) -> None:
    """Right-hand side, stages, linear algebra: what runs at every step."""
    functions = counted[case]
    hot = [f for name in ("sweep", "prepare", "ready", "stage", "drift") for f in functions.get(name, [])]
    assert len(hot) >= 2
    assert sum(f.whole.packed for f in hot) >= 600
    assert [f.name for f in hot if f.whole.scalar] == []
    control = counted[case]["control"][0]
    assert max(loop.packed for loop in control.loops if loop.scalar == 0) >= 40


@pytest.mark.parametrize("case", [c for c in CASES if c[1] == "direct"], ids="-".join)
def test_a_sweep_of_the_exact_process_is_packed(case: tuple[str, str], counted: dict) -> None:
    """One packed loop with its scalar twin at most, and no more than the odd instruction beside them."""
    (sweep,) = counted[case]["one_event"]
    packed = [loop for loop in sweep.loops if loop.scalar == 0]
    assert sum(loop.packed for loop in packed) >= 25
    assert all(loop.packed == 0 or loop.scalar == 0 for loop in sweep.loops)  # never mixed
    assert sweep.whole.scalar <= 1.1 * sweep.whole.packed + 4


def test_hops_of_hybrid_are_packed(counted: dict) -> None:
    """Species that are walked along, or looked at, from jump to jump, each in a loop over lanes of its own."""
    functions = counted["beside", "hybrid"]
    for name, least in (("walk", 100), ("arrivals", 10), ("turning", 4), ("catch_up", 15)):
        (function,) = functions[name]
        assert function.whole.packed >= least, name
        assert function.whole.scalar == 0, name


def test_every_form_of_a_rate_is_in_the_one_packed_loop(counted: dict) -> None:
    """Hill, min, max, where, step, sine, exponential and power together: far more than a plain network's sixty."""
    (sweep,) = counted["forms", "direct"]["one_event"]
    best = max(sweep.loops, key=lambda loop: loop.packed)
    assert best.packed > 150
    assert best.scalar == 0


@pytest.mark.parametrize(("method", "name"), [("direct", "one_event"), ("tsit5", "control")])
def test_a_condition_is_looked_at_in_a_packed_loop(method: str, name: str, counted: dict) -> None:
    """A cube root after every event or step; a choice between two flags must not become one of two addresses."""
    (function,) = counted["forms", method][name]
    packed = sorted(loop.packed for loop in function.loops if loop.scalar == 0)
    assert packed[-1 if method == "tsit5" else -2] >= 80  # the largest of an event is that of the rates


def test_thirty_species_and_a_hundred_reactions_stay_packed(counted: dict) -> None:
    """Summed and applied in groups of reactions, each a loop of its own."""
    functions = counted["thirty", "direct"]
    for name, least in (("sums", 233), ("changes", 300)):  # 100 products, 33 second factors, 100 sums
        (function,) = functions[name]
        assert function.whole.packed >= least
        assert function.whole.scalar == 0
        assert len(function.loops) >= 4
