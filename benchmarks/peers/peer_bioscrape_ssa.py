"""bioscrape by chance: its compiled direct method on one interface, a call a trajectory."""

import numpy as np
from frame import Answer, Task, serve

PACKAGES = ("bioscrape==1.4.1", "numpy")
SOLVES = {"jump": ("direct",)}


def prepare(task: Task):
    from bioscrape.random import py_seed_random
    from bioscrape.simulator import ModelCSimInterface, SSASimulator
    from bioscrape.types import Model

    reactions = [
        (
            *(
                [name for name, number in reaction[side].items() for _ in range(number)]
                for side in ("reactants", "products")
            ),
            "massaction",
            {"k": constant},
        )
        for reaction, constant in zip(task.problem["reactions"], task.constants, strict=True)
    ]
    model = Model(species=task.species, reactions=reactions, initial_condition_dict=task.problem["species"])
    interface, simulator = ModelCSimInterface(model), SSASimulator()
    interface.py_set_initial_time(0.0)
    order = [model.get_species2index()[name] for name in task.species]
    state = np.empty((task.count, len(task.times), len(order))) if task.paths else None
    py_seed_random(task.seed)

    def work() -> Answer:
        for row in range(task.count):
            found = simulator.py_simulate(interface, task.times).py_get_result()
            if state is not None:
                state[row] = found[:, order]
        return state, {"trajectories": task.count}

    return work


def versions() -> str:
    from importlib.metadata import version

    return f"bioscrape {version('bioscrape')}"


if __name__ == "__main__":
    serve(prepare, versions)
