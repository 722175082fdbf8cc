"""rebop: exact direct method in Rust, by its function API, one call a trajectory."""

import numpy as np
from frame import Answer, Task, serve

PACKAGES = ("rebop==0.9.2", "numpy")
SOLVES = {"jump": ("direct",)}


def prepare(task: Task):
    import rebop

    system = rebop.Gillespie()
    for reaction, constant in zip(task.problem["reactions"], task.constants, strict=True):
        given, made = (
            [name for name, number in reaction[side].items() for _ in range(number)]
            for side in ("reactants", "products")
        )
        system.add_reaction(constant, given, made)
    start = {name: int(number) for name, number in task.problem["species"].items()}
    end, saves = task.times[-1], len(task.times)
    sparse = len(start) > 8  # a sixteenth of the time at 100 species, where it chooses the dense form by itself
    state = np.empty((task.count, saves, len(start))) if task.paths else None

    def work() -> Answer:
        for row in range(task.count):
            found = system.run(start, end, saves - 1, rng=task.seed * 1_000_003 + row, sparse=sparse)
            if state is not None:
                state[row] = np.array([found[name] for name in start]).T
        return state, {"trajectories": task.count}

    return work


def versions() -> str:
    from importlib.metadata import version

    return f"rebop {version('rebop')}"


if __name__ == "__main__":
    serve(prepare, versions)
