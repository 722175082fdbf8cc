"""The emitted and linked text: parts, a module that stands alone, a user's own solver file, what may not be in it."""

from __future__ import annotations

import ast
import builtins
import dis
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import CodeType

import numpy as np
import pytest

import ctcdyn
from commands import command, small_study
from ctcdyn import plugins
from ctcdyn.codegen.emit import emit
from ctcdyn.codegen.kernel import link, solver_facts
from ctcdyn.codegen.link import EXTERNAL
from ctcdyn.errors import CtcError, Exit
from ctcdyn.model import expr
from ctcdyn.model.load import load_model
from ctcdyn.model.network import Observable, Treatment
from ctcdyn.model.rates import parts_of_cells
from instances import SOLVERS, WRITTEN, semantics, small
from networks import network

MODELS = plugins.available("model")
PACKAGE = Path(ctcdyn.__file__).parent


def defined(text: str) -> set[str]:
    """Functions of a text."""
    return {node.name for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("method", SOLVERS)
def test_every_part_is_printable_alone(method: str, tmp_path: Path) -> None:
    """By name from the API and the command line; together they are the emitted text."""
    study = small_study(tmp_path)
    network = load_model("birth_death_immigration").with_values({"birth": 0.9}, {"colony": 5.0})
    parts = link(network, method).emission.parts
    given = ["-s", f"simulate.method={method!r}"]
    if semantics(method) == "langevin":
        given += ["-s", "simulate.step=0.01"]
    assert {"head", "layout", "initial", "coefficients", "observe", "apply"} < set(parts)
    for name, text in parts.items():
        assert text.strip(), name
        ast.parse(text)
    for name in ("apply", list(parts)[-1]):  # each command links anew
        code, out, err = command("codegen", study, "--part", name, *given)
        assert (code, out, err) == (0, parts[name] + "\n", ""), name
    facts = solver_facts(PACKAGE / "solvers" / f"{method}.py")
    emission = emit(network, facts["SEMANTICS"], facts["ALGEBRA"], 16)
    assert emission.source == "\n\n\n".join(emission.parts.values()) + "\n"
    assert defined(emission.source) == {f for text in emission.parts.values() for f in defined(text)}


def test_a_part_that_is_not_there_is_a_usage_error_with_the_names(tmp_path: Path) -> None:
    code, out, err = command("codegen", small_study(tmp_path), "--part", "jacobian")
    assert (code, out) == (int(Exit.USAGE), "")
    assert all(name in err for name in ("rates", "prefix", "observe"))


@pytest.mark.parametrize(
    "model, method",
    [
        *((m, "direct") for m in MODELS),
        *(("human_breast_min", m) for m in SOLVERS if m != "direct"),
        ("recurrence", "backward"),
        ("ctc_linear", "moments"),
    ],
)
def test_a_linked_module_needs_no_ctcdyn(model: str, method: str) -> None:
    """Imports stand at the top, name numpy, numba or llvmlite, and every name that is used is defined."""
    tree = ast.parse(link(small(model)[0], method).source)
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    assert set(imports) <= set(tree.body)
    roots = {(n.module or "") if isinstance(n, ast.ImportFrom) else n.names[0].name for n in imports}
    assert {root.split(".")[0] for root in roots} <= set(EXTERNAL)
    names = [node.id for node in ast.walk(tree) if isinstance(node, ast.Name)]
    assert not set(names) & {"eval", "exec", "open", "compile", "__import__", "ctcdyn"}
    functions = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    assert "run" in functions
    assert len(functions) == len(set(functions))
    code = compile(tree, "kernel.py", "exec")
    made = {i.argval for i in dis.get_instructions(code) if i.opname == "STORE_NAME"}
    assert read_globals(code) <= made | set(dir(builtins))


def read_globals(code: CodeType) -> set[str]:
    """Names that a code object and those in it look up outside of their functions."""
    here = {i.argval for i in dis.get_instructions(code) if i.opname in ("LOAD_GLOBAL", "LOAD_NAME")}
    return here.union(*(read_globals(inner) for inner in code.co_consts if isinstance(inner, CodeType)))


def test_a_linked_module_runs_by_itself(tmp_path: Path) -> None:
    """In a process where ctcdyn cannot be imported, compiled and as plain Python, a rate has its value."""
    source = link(load_model("birth_death_immigration"), "direct").source
    (tmp_path / "alone.py").write_text(source, encoding="utf-8")
    (tmp_path / "use.py").write_text(
        "import sys\nsys.modules['ctcdyn'] = None\nimport numpy as np\nimport alone\n"
        "w = np.zeros(alone.ROWS)\nw[alone.X_colony + 3], w[alone.Q_birth + 3] = 20.0, 0.25\n"
        "print(alone.rate_divide(w, 3, 0.0), callable(alone.run), alone.SPECIES, alone.REACTIONS)\n",
        encoding="utf-8",
    )
    for off in ("0", "1"):
        done = subprocess.run(
            [sys.executable, "-W", "error", "use.py"], cwd=tmp_path, capture_output=True, text=True, check=False,
            env={**os.environ, "NUMBA_DISABLE_JIT": off, "PYTHONPATH": ""}, timeout=120,
        )  # fmt: skip
        assert (done.stdout, done.stderr) == ("5.0 True 1 3\n", "")


@pytest.mark.parametrize("model", WRITTEN)
def test_a_reaction_says_its_equation_law_unit_and_line(model: str) -> None:
    network = load_model(model)
    lines = network.source_text.splitlines()
    rates = ast.parse(link(network, "direct").emission.parts["rates"]).body
    assert [f.name for f in rates if isinstance(f, ast.FunctionDef)] == [
        f"rate_{r.name}" for r in network.reactions
    ]
    for function, reaction in zip(rates, network.reactions, strict=True):
        assert isinstance(function, ast.FunctionDef)
        doc = ast.get_docstring(function) or ""
        assert doc.startswith(reaction.equation + ", ")
        assert re.search(r", (k|rate) = \S.*, events/d \(", doc)
        found = re.search(rf"\({model}\.toml:(\d+)\)$", doc)
        assert found
        before = [k for k, line in enumerate(lines[: int(found.group(1))]) if "[[reaction]]" in line]
        table = "\n".join(lines[before[-1] : int(found.group(1))])
        assert f'name = "{reaction.name}"' in table
        assert f'equation = "{reaction.equation}"' in table


@pytest.mark.parametrize("method", SOLVERS)
def test_the_text_is_stable(method: str) -> None:
    """Read twice it is the same; another width changes the line of the width alone."""
    one, two = (link(load_model("ctc_five"), method, width=width).source for width in (16, 16))
    assert one == two
    wide = link(load_model("ctc_five"), method, width=32).source
    pairs = [p for p in zip(one.splitlines(), wide.splitlines(), strict=True) if p[0] != p[1]]
    assert len(pairs) == 1
    assert [line.split("  #")[0] for line in pairs[0]] == ["W = 16", "W = 32"]


WORDS = [
    '""" + 1',
    '"""\nimport os\nSPRUNG = 1\n"""',
    "\\N{nope} \\",
    "'''",
    "\r# \x0c\nSPRUNG = 1",
    "{name} %s",
]


@pytest.mark.parametrize("method", SOLVERS)
@pytest.mark.parametrize("words", WORDS)
def test_no_words_of_a_model_become_code(words: str, method: str, tmp_path: Path) -> None:
    """In its title, its documentation and the name of its file."""
    text = (PACKAGE / "models" / "birth_death_immigration.toml").read_text(encoding="utf-8")
    usual = ast.parse(link(load_model("birth_death_immigration"), method).source)
    quoted = json.dumps(words)
    text = re.sub(r'^title = ".*"$', lambda _: f"title = {quoted}", text, flags=re.MULTILINE)
    text = re.sub(r'doc = "[^"]*"', lambda _: f"doc = {quoted}", text)
    assert text.count(quoted) == 6
    path = tmp_path / f"{words.replace('/', '')[:20]}.toml"
    path.write_text(text, encoding="utf-8")
    tree = ast.parse(link(load_model(str(path)), method).source)
    assert [ast.dump(n) for n in without_docs(tree)] == [ast.dump(n) for n in without_docs(usual)]


def without_docs(tree: ast.Module) -> list[ast.stmt]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.FunctionDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:]
    return tree.body


DIRECT = (PACKAGE / "solvers" / "direct.py").read_text(encoding="utf-8")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A study of `direct` and beside it a copy of the solver file."""
    (tmp_path / "my_solver.py").write_text(DIRECT, encoding="utf-8")
    small_study(tmp_path)
    return tmp_path


def test_a_solver_file_of_ones_own_works_in_method(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is found from the study's folder, gives the bits of its original, and shares its kernel."""
    monkeypatch.chdir("/")
    study = folder / "small.toml"
    one = ctcdyn.run(study, overwrite=True)["state"]
    text = study.read_text(encoding="utf-8")
    study.write_text(text.replace('method = "direct"', 'method = "./my_solver.py"'), encoding="utf-8")
    with ctcdyn.run(study, overwrite=True) as results:
        assert np.array_equal(results["state"], one)
        assert results.schema.method == "./my_solver.py"
    network = load_model("birth_death_immigration")
    mine, house = link(network, "./my_solver.py", folder), link(network, "direct")
    assert mine.key == house.key
    code, out, _ = command("codegen", study, "--path")
    assert code == 0
    assert house.key in out


def test_a_solver_that_computes_something_else_is_another_kernel(folder: Path) -> None:
    """Half the hazard in the first budget: other paths."""
    changed = DIRECT.replace(
        "w[BUDGET + i] = exponential(v, i)\n", "w[BUDGET + i] = 0.5 * exponential(v, i)\n"
    )
    assert changed != DIRECT
    (folder / "other.py").write_text(changed, encoding="utf-8")
    network = load_model("birth_death_immigration")
    assert link(network, "./other.py", folder).key != link(network, "direct").key


IMPORT = "import numpy as np\n"
WRONG = {
    "other package": (IMPORT, IMPORT + "import pandas\n", "S603", "imports pandas"),
    "second in a line": (IMPORT, "import numpy as np, os\n", "S603", "imports os"),
    "from the library": (IMPORT, IMPORT + "from os import path\n", "S603", "imports os"),
    "from a neighbour": (IMPORT, IMPORT + "from .direct import sweep\n", "S603", "imports"),
    "of the house": (
        IMPORT,
        IMPORT + "from ctcdyn.model.load import load_model\n",
        "S603",
        "imports ctcdyn.model",
    ),
    "a whole module": (
        IMPORT,
        IMPORT + "from ctcdyn.kernels import lanes\n",
        "S603",
        "imports ctcdyn.kernels",
    ),
    "under another name": (
        "exponential, seed_stream",
        "exponential, seed_stream as sow",
        "S603",
        "renames",
    ),
    "everything": ("import EVENTS, exponential, seed_stream", "import *", "S603", "renames"),
    "in a function": (
        "    until = np.inf\n",
        "    import os\n    until = np.inf\n",
        "S603",
        "imports inside",
    ),
    "not there": ("ctcdyn.kernels.streams", "ctcdyn.kernels.rivers", "C113", "rivers"),
    "no run": ("run = loop(", "go = loop(", "S603", "defines no `run`"),
    "no python": ('SEMANTICS = "jump"', "SEMANTICS = = 1", "C113", "cannot be read"),
    "no semantics": ('SEMANTICS = "jump"', "", "C113", "does not define SEMANTICS"),
    "other semantics": ('SEMANTICS = "jump"', 'SEMANTICS = "leap"', "C113", "'leap'"),
    "other algebra": ('("jump",)', '("jump", "os")', "C113", "'os'"),
    "computed semantics": ('SEMANTICS = "jump"', 'SEMANTICS = str("jump")', "C113", "cannot be read"),
    "name of the contract": ("ROWS = OWN + W", "SPECIES = 3\nROWS = OWN + W", "S605", "SPECIES is defined twice"),
}


@pytest.mark.parametrize("fault", WRONG)
def test_a_solver_file_that_cannot_be_linked_is_told(fault: str, folder: Path) -> None:
    """With its file, before anything is written, and by exit code 3; the file is never run."""
    old, new, code, what = WRONG[fault]
    assert old in DIRECT
    text = DIRECT.replace(old, new, 1)
    (folder / "my_solver.py").write_text(text, encoding="utf-8")
    with pytest.raises(CtcError, match=re.escape(what)) as caught:
        link(load_model("birth_death_immigration"), "./my_solver.py", folder).source  # noqa: B018
    (problem,) = caught.value.problems
    assert problem.code == code
    assert problem.fix or fault == "not there"
    ended, out, err = command("run", folder / "small.toml", "-s", "simulate.method='./my_solver.py'")
    assert (ended, out) == (int(Exit.CONFIG), "")
    assert f"error[{code}]" in err
    assert "Traceback" not in err
    assert not (folder / "small.h5").exists()


def test_a_solver_file_that_numba_refuses_is_told_with_the_reason(folder: Path) -> None:
    changed = DIRECT.replace("    until = np.inf\n", "    until = np.no_such_thing\n")
    assert changed != DIRECT
    (folder / "my_solver.py").write_text(changed, encoding="utf-8")
    ended, out, err = command("run", folder / "small.toml", "-s", "simulate.method='./my_solver.py'")
    assert (ended, out) == (int(Exit.CONFIG), "")
    assert "error[S605]: the kernel of my_solver.py does not compile: " in err
    assert "no_such_thing" in err
    assert "Traceback" not in err
    assert not (folder / "small.h5").exists()


def test_mixed_semantics_has_whole_numbers_and_reals() -> None:
    """A pinned species is a real number with powers in its rates, as is a counter of what moves only such ones."""
    counters = tuple(
        Observable(name, None, "flux", {"reaction": r}, "cells", realised="counter")
        for name, r in (("made", "grow"), ("pairs", "pair"))
    )
    halves = tuple((s, expr.parse(f"{name} / 2")) for s, name in enumerate("ab"))
    plain = network(
        "mixed", {"a": 2.5, "b": 3.0}, {"k": 1.0}, {"grow": ("2 a -> 3 a", "k"), "pair": ("2 b -> a", "k")},
        observables=counters, treatments=(Treatment("cut", 1.0, set=halves),),
    )  # fmt: skip
    pinned = replace(plain, species=(replace(plain.species[0], continuous=True), plain.species[1]))
    parts = emit(pinned, "mixed", (), 16).parts
    assert "WHOLE = True" in parts["layout"]
    assert "REAL = (True, False, True, False)" in parts["layout"]
    assert "w[X_a + i] = a__initial" in parts["initial"]
    assert "w[X_b + i] = np.floor(b__initial + 0.5)" in parts["initial"]
    assert parts["apply"].count("np.floor") == 1
    laws = [expr.text(r.propensity("mixed", pinned)) for r in pinned.reactions]
    assert laws == ["k * a**2 / 2", "k * b * (b - 1) / 2"]
    assert [p.word for p in parts_of_cells(plain)] == ["a"]
    assert parts_of_cells(pinned, pinned=True) == []
