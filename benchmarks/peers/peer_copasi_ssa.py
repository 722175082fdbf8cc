"""COPASI by chance: its stochastic methods through the Python bindings; the model is read once."""

import numpy as np
from frame import Answer, Task, serve
from sbml import sbml

PACKAGES = ("copasi-basico==0.92", "python-copasi==4.48.311", "numpy")
SOLVES = {
    "jump": ("directMethod", "stochastic"),  # Gillespie 1977; Gibson and Bruck 2000
    "tau": ("adaptiveSA", "tauLeap"),
    "langevin": ("stochasticRunkeKuttaRI5",),
    "hybrid": ("hybridLSODA", "hybrid"),
}


def prepare(task: Task):
    import basico
    import COPASI

    model = basico.load_model_from_string(sbml(task.problem))
    if task.method in SOLVES["langevin"]:
        for reaction in model.getModel().getReactions():
            reaction.setHasNoise(True)
            reaction.setNoiseExpression(reaction.getDefaultNoiseExpression())  # the square root of the rate
    course = model.getTask("Time-Course")
    course.setMethodType(getattr(COPASI.CTaskEnum, f"Method_{task.method}"))
    problem = course.getProblem()
    problem.setDuration(float(task.times[-1]))
    problem.setStepNumber(len(task.times) - 1)
    problem.setTimeSeriesRequested(True)
    method = course.getMethod()
    known = {method.getParameter(i).getObjectName() for i in range(method.size())}

    def put(name: str, value: object) -> None:
        if name in known:
            parameter = method.getParameter(name)
            if isinstance(value, bool):
                parameter.setBoolValue(value)
            elif isinstance(value, int):
                parameter.setUIntValue(value) or parameter.setIntValue(value)
            else:
                parameter.setDblValue(value)

    put("Use Random Seed", True)
    put("Max Internal Steps", 2_000_000_000)
    put("Epsilon", task.setting)  # tau-leaping
    put("Internal Steps Size", task.setting)  # of the Langevin equation, days
    model.getModel().compileIfNecessary()
    series = course.getTimeSeries()
    columns: list[int] = []
    state = np.empty((task.count, len(task.times), len(task.species))) if task.paths else None

    def work() -> Answer:
        for row in range(task.count):
            put("Random Seed", task.seed * 1_000_003 % 1_000_000_007 + row)
            course.initializeRaw(COPASI.CCopasiTask.ONLY_TIME_SERIES)
            if not course.processRaw(True):
                raise RuntimeError(COPASI.CCopasiMessage.getAllMessageText()[-250:])
            if state is not None:
                if not columns:
                    titles = [series.getTitle(i) for i in range(series.getNumVariables())]
                    columns.extend(titles.index(name) for name in task.species)
                state[row] = [[series.getData(save, i) for i in columns] for save in range(len(task.times))]
        return state, {"trajectories": task.count}

    return work


def versions() -> str:
    import COPASI

    return f"COPASI {COPASI.__version__}"


if __name__ == "__main__":
    serve(prepare, versions)
