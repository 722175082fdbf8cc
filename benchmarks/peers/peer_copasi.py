"""COPASI by its Python bindings: the raw interface, which is faster than basico's tables of every run."""

import numpy as np
from frame import Answer, Task, serve
from sbml import sbml

PACKAGES = ("copasi-basico==0.92", "numpy==2.4.6")
SOLVES = {"ode": ("LSODA", "RADAU5")}
STEPS = 100_000_000  # at the most, as many as it takes


def prepare(task: Task):
    import COPASI

    data = COPASI.CRootContainer.addDatamodel()
    if not data.importSBMLFromString(sbml(task.problem)):
        raise RuntimeError(COPASI.CCopasiMessage.getAllMessageText())
    model = data.getModel()
    course = data.getTask("Time-Course")
    kinds = {"LSODA": COPASI.CTaskEnum.Method_deterministic, "RADAU5": COPASI.CTaskEnum.Method_RADAU5}
    course.setMethodType(kinds[task.method])
    saves = len(task.times)
    plan, method = course.getProblem(), course.getMethod()
    plan.setAutomaticStepSize(False)
    plan.setDuration(float(task.times[-1]))
    plan.setStepNumber(saves - 1)
    plan.setTimeSeriesRequested(True)
    for name, value in (
        ("Relative Tolerance", task.setting),
        ("Absolute Tolerance", task.setting),
        ("Max Internal Steps", STEPS),
    ):
        method.getParameter(name).setValue(value)
    known = {model.getModelValue(i).getObjectName(): model.getModelValue(i) for i in range(model.getNumModelValues())}
    varied = [i for i in range(len(task.names)) if task.names[i] in task.problem["varied"]]
    changed = COPASI.ObjectStdVector()
    for i, name in enumerate(task.names):
        known[name].setInitialValue(float(task.values[0, i]))
        if i in varied:
            changed.append(known[name].getInitialValueReference())
    model.compileIfNecessary()
    out = np.empty((task.count if task.paths else 1, saves, len(task.species)))

    def work() -> Answer:
        columns = None
        for row, values in enumerate(task.values):
            for i in varied:
                known[task.names[i]].setInitialValue(float(values[i]))
            model.updateInitialValues(changed)
            if not course.process(True):
                raise RuntimeError(COPASI.CCopasiMessage.getAllMessageText())
            series = course.getTimeSeries()
            if series.getRecordedSteps() != saves:
                raise RuntimeError(f"{series.getRecordedSteps()} saves")
            if task.paths:
                if columns is None:
                    titles = [series.getTitle(i) for i in range(series.getNumVariables())]
                    columns = [titles.index(name) for name in task.species]
                out[row] = [[series.getData(save, column) for column in columns] for save in range(saves)]
        return out if task.paths else None, {"trajectories": task.count}

    course.initializeRaw(COPASI.CCopasiTask.OUTPUT_UI)
    return work


def versions() -> str:
    import COPASI

    return f"COPASI {COPASI.__version__}"


if __name__ == "__main__":
    serve(prepare, versions)
