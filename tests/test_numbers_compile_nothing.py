"""Numbers are data: no parameter, time, seed, count, grid or tolerance reaches the text of a kernel.

And what the text says is the same for any hash seed, and its key does not see comments, docstrings and lines.
"""

from __future__ import annotations

import ast
import hashlib
import os
import re
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import recurrence
from ctcdyn import simulation
from ctcdyn.codegen import cache
from ctcdyn.codegen.choose import choose, choose_ode
from ctcdyn.codegen.kernel import Linked, link
from ctcdyn.codegen.toy import toy
from ctcdyn.config import load_study
from ctcdyn.ensemble import Range, run_range
from ctcdyn.model.load import load_model
from ctcdyn.model.resolve import resolve
from ctcdyn.simulation import Model
from ctcdyn.study import run
from instances import SOLVERS, Case, small

HERE = Path(__file__).parent
STUDY = """schema = 1
[model]
use = "ctc_linear"
[parameters]
shedding = "30 /day"
[initial]
growing = 3
[simulate]
method = "direct"
t_end = "2 days"
save = { n = 5 }
[ensemble]
trajectories = 20
seed = 4
[output]
file = "x.h5"
picture = false
"""
CHANGES = [
    "parameters.shedding=31.5",
    "parameters.dormancy_exit=0.0",
    "parameters.clearance='0.5 /h'",
    "initial.growing=17",
    "simulate.t_end=3.5",
    "simulate.t_start=0.5",
    "simulate.save={ every = 0.01 }",
    "simulate.save={ at = [0.25, 1.0] }",
    "simulate.rtol=1e-9",
    "simulate.atol=1e-3",
    "simulate.window=0.5",
    "ensemble.seed=5",
    "ensemble.trajectories=700",
    "limits.max_events_per_trajectory=1000000",
    "limits.max_steps_per_trajectory=5000",
    "output.keep='all'",
    "output.quantiles=[0.5]",
    "population={ patients = 30, draw = { clearance = { dist = 'lognormal', median = 16, sigma = 0.5 } } }",
]


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "study.toml").write_text(STUDY, encoding="utf-8")
    return tmp_path / "study.toml"


def linked(path: Path, *changes: str) -> Linked:
    overrides = list(changes)
    if any(change.startswith("population") for change in changes):
        text = path.read_text(encoding="utf-8").replace("trajectories = 20\n", "")
        path.write_text(text, encoding="utf-8")
    study = load_study(path, overrides)
    network = resolve(load_model(study.model), study).network
    return link(network, choose(network, study).method)


def compilations(module: ModuleType) -> dict[str, tuple[int, int, int]]:
    """Of every compiled function: signatures, hits and misses of numba's cache."""
    found = {}
    for name, item in vars(module).items():
        if hasattr(item, "signatures") and hasattr(item, "stats"):
            stats = item.stats
            hits, misses = sum(stats.cache_hits.values()), sum(stats.cache_misses.values())
            found[name] = (len(item.signatures), hits, misses)
    return found


@pytest.mark.parametrize("change", CHANGES)
def test_key_knows_no_number(change: str, path: Path) -> None:
    before = linked(path)
    after = linked(path, change)
    assert after.key == before.key
    assert after.source == before.source


def test_runs_with_other_numbers_compile_nothing(path: Path) -> None:
    """The same functions with the same types: nothing new in any dispatcher, of kernel or reduction."""
    from ctcdyn.codegen.leaves import leaf_functions

    run(load_study(path), overwrite=True).close()
    kernel = linked(path).compile()
    before = compilations(kernel.module), compilations(leaf_functions())
    assert before[0]["run"][0] == 1
    assert sum(before[0]["run"][1:]) == 1
    for change in CHANGES[:-1]:
        run(load_study(path, [change]), overwrite=True).close()
    assert linked(path, CHANGES[-1]).compile().module is kernel.module
    run(load_study(path, [CHANGES[-1]]), overwrite=True).close()
    assert (compilations(kernel.module), compilations(leaf_functions())) == before


def test_simulate_with_other_numbers_compiles_nothing() -> None:
    """Arrays of any layout and type are taken, and none of them reaches the compiler."""
    model = Model(small("ctc_linear")[0])
    model.simulate([0.0, 1.0], method="direct", n=3)
    (kernel,) = model._kernels.values()
    before = compilations(kernel.module)
    clearance = np.linspace(10.0, 20.0, 14)
    for parameters, times in (
        ({"clearance": 3.0}, [0, 1, 2]),
        ({"clearance": clearance}, np.linspace(0, 3, 9)[::2]),
        ({"clearance": clearance[::2], "shedding": clearance.astype(np.float32)[::2]}, (0.5, 0.75)),
        ({"clearance": [1, 2, 3]}, np.arange(4)),
    ):
        model.simulate(times, method="direct", parameters=parameters, initial={"growing": 2}, seed=9)
    assert list(model._kernels.values()) == [kernel]
    assert compilations(kernel.module) == before


@pytest.mark.parametrize("method", ["direct", "ode", "backward"])
def test_a_loop_of_calls_links_once(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """200 calls with other parameters: the text is made once, a solver is chosen once, a module is loaded once."""
    done: Counter[str] = Counter()

    def counted(place: ModuleType, name: str) -> None:
        wrapped = getattr(place, name)

        def call(*given: object, **named: object) -> object:
            done[name] += 1
            return wrapped(*given, **named)

        monkeypatch.setattr(place, name, call)

    model, fixed = Model(small("ctc_linear")[0]), {}
    if method == "backward":
        model, fixed = Model(recurrence.network(removal=10.0)), recurrence.TOY
    for place, name in ((simulation, "link"), (simulation, "choose_ode"), (cache, "load")):
        counted(place, name)
    rates = np.random.default_rng(3).uniform(1.0, 9.0, 200)
    before, seen = {}, set()
    for k, rate in enumerate(rates):
        shed = float(rate)
        given = {**fixed, "clearance": 1.0 + shed / 7.0, "shedding": shed}
        found = model.simulate([0.0, 2.0], method=method, n=1 + k % 3, parameters=given, seed=k)
        seen.add(float(found.state[0, -1].sum()))
        (kernel,) = model._kernels.values()
        before = before or compilations(kernel.module)
    assert compilations(kernel.module) == before
    assert before["run"][0] == 1
    assert done["link"] == 1
    assert done["choose_ode"] == (method == "ode")
    assert done["load"] <= 2  # the kernel, and the reductions that all models share
    assert len(seen) > 15


def test_a_choice_is_made_again_only_where_it_may_differ() -> None:
    """Parameters of a call have no part in it; other initial values and times have."""
    model = Model(small("ctc_linear")[0])
    for growing, end in ((1.0, 3.0), (1.0, 3.0), (2.0, 3.0), (1.0, 4.0)):
        model.simulate([0.0, end], method="ode", parameters={"clearance": end}, initial={"growing": growing})
    assert len(model._chosen) == 3
    asked = choose_ode(model.network.with_values(initial={"growing": 1.0}), 0.0, 3.0).method
    assert model.simulate([0.0, 3.0], method="ode", initial={"growing": 1.0}).schema.method == asked


def test_a_new_process_finds_the_kernel(path: Path) -> None:
    """One hit for the entry point, no miss, no new file."""
    linked(path).compile()
    folder = cache.cache_folder() / linked(path).key
    files = {file: file.stat().st_mtime_ns for file in folder.rglob("*.nb[ic]")}
    assert files
    code = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from pathlib import Path\n"
        "from test_numbers_compile_nothing import compilations, linked\n"
        "said = []\n"
        "kernel = linked(Path(sys.argv[2]), *sys.argv[3:]).compile(lambda cached, _: said.append(cached))\n"
        "print(said, compilations(kernel.module)['run'])\n"
    )
    change = "parameters.shedding=77"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, str(HERE), str(path), change],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("[True] (1, 1, 0)\n", "")
    assert {file: file.stat().st_mtime_ns for file in folder.rglob("*.nb[ic]")} == files


def test_text_is_the_same_for_any_hash_seed() -> None:
    """Sources of every model with every solver, symbolic algebra included, where strings hash differently."""
    code = (
        "import hashlib, sys; sys.path.insert(0, sys.argv[1])\n"
        "from test_numbers_compile_nothing import sources\n"
        "print(hashlib.sha256(repr(sources()).encode()).hexdigest())\n"
    )
    order = [sys.executable, "-c", code, str(HERE)]
    environment = os.environ | {"PYTHONHASHSEED": "20261123"}
    printed = subprocess.run(order, env=environment, capture_output=True, text=True, timeout=120, check=True).stdout
    assert os.environ.get("PYTHONHASHSEED") != "20261123"  # strings hash in another way here
    assert printed.strip() == hashlib.sha256(repr(sources()).encode()).hexdigest()


def sources() -> list[tuple[str, str, str]]:
    """(model, solver, text of the kernel): all solvers with models that hold all of the language."""
    networks = {name: load_model(name) for name in ("ctc_five", "experimental_metastasis")} | {"toy": toy()}
    return [(name, method, link(n, method).source) for name, n in networks.items() for method in SOLVERS]


def test_key_ignores_comments_docstrings_and_lines() -> None:
    text = link(toy(), "direct").source
    key = cache.key_of(text)
    assert cache.key_of("# a comment\n\n\n" + text) == key
    assert cache.key_of(re.sub(r"  #.*", "", text)) == key
    reworded = re.sub(r'^( +)"""[^"\n]+"""$', r'\1"""Something else."""', text, flags=re.MULTILINE)
    assert reworded.count("Something else") > 20
    assert cache.key_of(reworded) == key
    assert cache.key_of(ast.unparse(ast.parse(text))) == key


def test_key_sees_every_number_and_name_of_the_text() -> None:
    text = link(toy(), "direct").source
    changed = text.replace("return 0 if valid(w, i) > 0.0 else", "return 0 if valid(w, i) >= 0.0 else")
    keys = {cache.key_of(text), cache.key_of(changed), cache.key_of(text.replace("W = ", "W = 1 * ", 1))}
    assert len(keys) == 3


def test_key_ignores_the_wording_of_a_model_file(tmp_path: Path) -> None:
    """What a model file says in words, and where its lines are, is not the kernel's business."""
    text = (Path(cache.__file__).parents[1] / "models" / "ctc_linear.toml").read_text(encoding="utf-8")
    other = text.replace("schema = 1", "\n\n# moved down\nschema = 1", 1)
    other = other.replace('doc = "', 'doc = "reworded: ').replace("assumed: ", "assumed: perhaps ")
    (tmp_path / "other.toml").write_text(other, encoding="utf-8")
    for method in SOLVERS:
        one = link(load_model("ctc_linear"), method)
        assert link(load_model(str(tmp_path / "other.toml")), method).key == one.key


def test_two_networks_of_one_key_share_a_kernel_and_keep_their_numbers() -> None:
    """Initial values belong to the network, not to the cached module."""
    network = small("ctc_linear")[0]
    kernels = [link(network.with_values(initial={"growing": x}), "direct").compile() for x in (3.0, 8.0)]
    assert kernels[0].module is kernels[1].module
    model = Model(network)
    found = [model.simulate([0.0, 0.1], method="direct", initial={"growing": x}) for x in (3.0, 8.0)]
    assert [result.state[0, 0, 3] for result in found] == [3.0, 8.0]


def test_a_strided_grid_is_no_new_type() -> None:
    """An array that is not contiguous is another type to numba: it is copied, and what is compiled stays."""
    case = Case("ctc_linear", "direct", 3)
    before = compilations(case.kernel.module)
    list(run_range(case.kernel, replace(case.ensemble(), times=np.linspace(0.0, 4.0, 9)[::2]), Range(0, 3)))
    assert compilations(case.kernel.module) == before
