"""bioscrape: a model in Cython, rate equations by LSODA of SciPy with its compiled right-hand side."""

import numpy as np
from frame import Answer, Task, serve, spelled

PACKAGES = ("bioscrape==1.4.1", "numpy==2.4.6")
SOLVES = {"ode": ("LSODA",)}
STEPS = 1_000_000  # at the most between two saves: as many as it takes


def sides(counts: dict[str, int]) -> list[str]:
    return [name for name, number in counts.items() for _ in range(number)]


def prepare(task: Task):
    from bioscrape.simulator import DeterministicSimulator, ModelCSimInterface
    from bioscrape.types import Model

    reactions = []
    for reaction in task.problem["reactions"]:
        made = (sides(reaction["reactants"]), sides(reaction["products"]))
        if reaction["constant"]:
            reactions.append((*made, "massaction", {"k": reaction["constant"]}))
        else:
            reactions.append((*made, "general", {"rate": spelled(reaction["rate"])}))
    given = list(zip(task.names, task.values[0].tolist(), strict=True))
    model = Model(
        species=task.species,
        parameters=given,
        reactions=reactions,
        initial_condition_dict=dict(zip(task.species, task.start.tolist(), strict=True)),
    )
    model.py_initialize()
    interface = ModelCSimInterface(model)
    interface.py_prep_deterministic_simulation()
    simulator = DeterministicSimulator()
    simulator.py_set_tolerance(task.setting, task.setting)
    simulator.py_set_mxstep(STEPS)
    places = [model.get_species2index()[name] for name in task.species]
    names = model.get_param_list()
    known = model.get_params2index()
    columns = [known[name] for name in task.names]
    values_now = np.array(model.get_parameter_values(), dtype=float)
    times = task.times.copy()
    out = np.empty((task.count if task.paths else 1, len(times), len(task.species)))

    def work() -> Answer:
        assert names
        for row, values in enumerate(task.values):
            values_now[columns] = values
            interface.py_set_param_values(values_now)
            interface.py_set_initial_time(0.0)
            out[row % len(out)] = simulator.py_simulate(interface, times).py_get_result()[:, places]
        return out if task.paths else None, {"trajectories": task.count}

    return work


def versions() -> str:
    from importlib.metadata import version

    return f"bioscrape {version('bioscrape')}"


if __name__ == "__main__":
    serve(prepare, versions)
