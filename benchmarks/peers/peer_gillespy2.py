"""GillesPy2: its C++ solvers, compiled once for the model; all trajectories by one call of the built program."""

import numpy as np
from frame import Answer, Task, serve

PACKAGES = ("gillespy2==1.8.3", "numpy", "setuptools<80", "scons==4.11.1")
SYSTEM = ("g++",)
SOLVES = {"jump": ("ssa",), "tau": ("tau_leaping",), "hybrid": ("tau_hybrid",)}


def prepare(task: Task):
    import gillespy2 as g

    model = g.Model(name=task.problem["name"])
    species = {
        name: g.Species(
            name=name,
            initial_value=int(number),
            mode="dynamic" if task.method == "tau_hybrid" else "discrete",
        )
        for name, number in task.problem["species"].items()
    }
    model.add_species(list(species.values()))
    model.add_parameter(
        [
            g.Parameter(name, expression=repr(k))
            for name, k in zip(task.names, task.nominal.tolist(), strict=True)
        ]
    )
    for reaction in task.problem["reactions"]:
        given, made = (
            {species[name]: number for name, number in reaction[side].items()}
            for side in ("reactants", "products")
        )
        rate = model.listOfParameters[reaction["constant"]]
        model.add_reaction(
            g.Reaction(name=f"R_{reaction['name']}", reactants=given, products=made, rate=rate)
        )
    model.timespan(g.TimeSpan(task.times))
    solvers = {"ssa": g.SSACSolver, "tau_leaping": g.TauLeapingCSolver, "tau_hybrid": g.TauHybridCSolver}
    solver = solvers[task.method](model=model)
    options = {"tau_tol": task.setting} if task.method == "tau_leaping" else {}

    def work() -> Answer:
        results = solver.run(number_of_trajectories=task.count, seed=task.seed, **options)
        state = None
        if task.paths:
            found = [results] if task.count == 1 else results
            state = np.array([np.array([one[name] for name in task.species]).T for one in found])
        return state, {"trajectories": task.count}

    return work


def versions() -> str:
    from importlib.metadata import version

    return f"gillespy2 {version('gillespy2')}"


if __name__ == "__main__":
    serve(prepare, versions)
