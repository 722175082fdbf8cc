"""libroadrunner: the model compiled by LLVM, CVODE (backward differentiation) for rate equations."""

import numpy as np
from frame import Answer, Task, serve
from sbml import sbml

PACKAGES = ("libroadrunner==2.10.0", "numpy==2.4.6")
SOLVES = {"ode": ("cvode", "cvode adams")}
STEPS = 1_000_000  # at the most between two saves: as many as it takes


def prepare(task: Task):
    import roadrunner

    roadrunner.Logger.setLevel(roadrunner.Logger.LOG_ERROR)
    runner = roadrunner.RoadRunner(sbml(task.problem))
    runner.timeCourseSelections = task.species
    integrator = runner.getIntegrator()
    integrator.setValue("stiff", task.method == "cvode")
    integrator.setValue("relative_tolerance", task.setting)
    integrator.setValue("absolute_tolerance", task.setting)
    integrator.setValue("maximum_num_steps", STEPS)
    model = runner.getModel()
    places = [model.getGlobalParameterIds().index(name) for name in task.names]
    saves, end = len(task.times), float(task.times[-1])
    out = np.empty((task.count if task.paths else 1, saves, len(task.species)))

    def work() -> Answer:
        for row, values in enumerate(task.values):
            runner.reset(roadrunner.SelectionRecord.TIME | roadrunner.SelectionRecord.FLOATING)
            model.setGlobalParameterValues(places, values)
            out[row % len(out)] = runner.simulate(0.0, end, saves)
        return out if task.paths else None, {"trajectories": task.count}

    return work


def versions() -> str:
    import roadrunner

    return f"libroadrunner {roadrunner.__version__}"


if __name__ == "__main__":
    serve(prepare, versions)
