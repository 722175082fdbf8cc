"""libroadrunner by chance: its gillespie integrator, the model compiled once, a simulation a trajectory."""

import numpy as np
from frame import Answer, Task, serve
from sbml import sbml

PACKAGES = ("libroadrunner==2.10.0", "numpy")
SOLVES = {"jump": ("gillespie",)}


def prepare(task: Task):
    import roadrunner

    runner = roadrunner.RoadRunner(sbml(task.problem))
    runner.setIntegrator("gillespie")
    integrator = runner.getIntegrator()
    integrator.setValue("variable_step_size", False)
    integrator.setValue("nonnegative", False)
    integrator.setValue("seed", task.seed)
    runner.timeCourseSelections = task.species
    end, saves = float(task.times[-1]), len(task.times)
    state = np.empty((task.count, saves, len(task.species))) if task.paths else None

    def work() -> Answer:
        for row in range(task.count):
            runner.reset()
            found = runner.simulate(0.0, end, saves)
            if state is not None:
                state[row] = found
        return state, {"trajectories": task.count}

    return work


def versions() -> str:
    import roadrunner

    return f"libroadrunner {roadrunner.__version__}"


if __name__ == "__main__":
    serve(prepare, versions)
