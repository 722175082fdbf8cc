"""ctcdyn itself, one thread: `run_range`, with means and variances of every save, as `ctcdyn run` does it."""

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from frame import Answer, Task, serve

PACKAGES = ()  # it runs where this program runs
SOLVES = {
    "ode": ("ode", "rodas5p", "tsit5"),  # ode: its own choice
    "jump": ("direct", "logarithmic_direct", "first_order_leap"),
    "tau": ("tau_leap", "first_order_leap"),
    "langevin": ("euler_maruyama", "weak_trapezoidal"),
    "hybrid": ("hybrid", "first_order_leap"),
}
TOGETHER = 1024  # an ensemble: lanes are refilled until none is left, and then wait for the last ones
FIXED = ("first_order_leap",)  # exact in law where every reaction is of first order: what `auto` takes there


def side(counts: dict[str, int]) -> str:
    return " + ".join(name if number == 1 else f"{number} {name}" for name, number in counts.items())


def model(task: Task) -> str:
    """The problem as a model file."""
    given = task.problem
    lines = [
        "schema = 1",
        f'name = "{given["name"]}"',
        f'title = "{given["says"]}"',
        'time_unit = "day"',
        'units = "none"',
    ]
    lines += [
        "[species]",
        *(f"{name} = {{ initial = {value!r} }}" for name, value in given["species"].items()),
    ]
    lines += ["[parameters]"]
    lines += [
        f'{name} = {{ value = {value!r}, source = "problems.py" }}'
        for name, value in given["parameters"].items()
    ]
    for reaction in given["reactions"]:
        sides = f"{side(reaction['reactants'])} -> {side(reaction['products'])}"
        rate = f'k = "{reaction["constant"]}"' if reaction["constant"] else f'rate = "{reaction["rate"]}"'
        lines += ["[[reaction]]", f'name = "{reaction["name"]}"', f'equation = "{sides.strip()}"', rate]
    return "\n".join(lines) + "\n"


def prepare(task: Task):
    from ctcdyn.codegen.choose import choose_ode
    from ctcdyn.codegen.kernel import link
    from ctcdyn.ensemble import Ensemble, plan, run_range
    from ctcdyn.model.load import load_model

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / f"{task.problem['name']}.toml"
        file.write_text(model(task), encoding="utf-8")
        network = load_model(file)
    method = task.method
    if method == "ode":
        method = choose_ode(network, task.times[0], task.times[-1]).method
    kernel = link(network, method).compile()
    names = [p.name for p in network.parameters]
    values = np.empty((task.count, len(names)))
    values[:, [names.index(name) for name in task.names]] = task.values
    ensemble = Ensemble(network, task.seed, task.count, task.times, values=values)
    if task.setting:
        ensemble = replace(ensemble, **setting_of(task))
    ensemble = replace(ensemble, keep=task.count if task.paths else 0, state_dtype="f8", sketched=False)

    def work() -> Answer:
        results = [result for span in plan(ensemble, 1) for result in run_range(kernel, ensemble, span)]
        if any((result.status > 1).any() for result in results):
            raise RuntimeError("a trajectory failed")
        events = sum(int(result.n_reactions.sum()) for result in results)
        steps = sum(int(result.n_steps.astype(np.int64).sum()) for result in results)
        state = np.concatenate([result.state for result in results]) if task.paths else None
        return state, {"trajectories": task.count, "events": events, "steps": steps}

    return work


def setting_of(task: Task) -> dict[str, float]:
    """Fields of an ensemble: tolerance, epsilon or longest step (days)."""
    if task.method in SOLVES["ode"]:
        return {"rtol": task.setting, "atol": task.setting}
    if task.method in FIXED:
        return {}
    return {"epsilon" if task.method in SOLVES["tau"] else "longest_step": task.setting}


def versions() -> str:
    import ctcdyn

    return f"ctcdyn {ctcdyn.__version__}"


if __name__ == "__main__":
    serve(prepare, versions)
