"""run(study): the whole data path on one screen."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from ctcdyn.codegen.choose import choose
from ctcdyn.codegen.kernel import Linked, link
from ctcdyn.config import Study, load_study
from ctcdyn.distribution import check_executor, on_cluster
from ctcdyn.ensemble import Ensemble, plan
from ctcdyn.errors import Interrupted
from ctcdyn.estimation import PATIENCE, Estimate, Forecast, Pilot, estimate, refuse
from ctcdyn.execute import local
from ctcdyn.interruption import Interruption
from ctcdyn.model.deadlines import warn_of_late
from ctcdyn.model.load import load_model
from ctcdyn.model.resolve import resolve
from ctcdyn.preparation import describe_end, ensemble_of, failed, packed_range, schema_of
from ctcdyn.progress import Progress, Silent
from ctcdyn.reduction import LEAF
from ctcdyn.results import Results, open_results
from ctcdyn.store import Lock, PathCoder, Schema, assemble, begin, claim, is_finished


def run(
    study: Study | str | os.PathLike[str],
    *,
    threads: int | None = None,
    overwrite: bool = False,
    resume: bool = False,
    shard: tuple[int, int] = (1, 1),
    progress: Progress | None = None,
    lock: Lock | None = None,
    interruption: Interruption | None = None,
    executor: str = "local",
    scheduler: str | None = None,
    meanwhile: Callable[[], object] | None = None,
) -> Results:
    """Run a study (or the path of one) and open its result file. What is finished is committed about once a second.

    `threads`: None takes all cores that the process may use; `resume`: go on with what an earlier run left; `shard`
    (i, n): part i of n, from 1, as a result of its own; `executor` "dask": on the cluster at `scheduler`, or one of
    `threads` processes of this machine; `meanwhile`: called in a thread of its own while the result is written, to load
    what comes next. Raises CtcError: exit 3 for a wrong study or model, before anything is written; 6 where the output
    exists, is being written or cannot be; 5 where disk or memory do not suffice. Interrupted, where `interruption`
    ended it: what is finished is then committed.
    """
    study = study if isinstance(study, Study) else load_study(os.fspath(study))
    progress, threads = progress or Silent(), threads or local.usable_threads()
    check_executor(executor, scheduler)
    linked, ensemble, schema = _plan(study, resume, shard)
    lock = lock or claim(study.output.file, overwrite or resume)
    try:
        if resume and is_finished(study.output.file, schema, lock):
            return open_results(study.output.file)
        needs = refuse(schema, threads, study.output.file, study.limits.memory, study.limits.disk)
    except BaseException:
        lock.release()
        raise
    progress.note(needs.line())
    with begin(study.output.file, schema, lock, overwrite=overwrite, resume=resume) as journal:
        kernel = linked.compile(progress.compiling)
        asked = not isinstance(progress, Silent) and scheduler is None  # read by somebody, about this machine
        pilot = Pilot.of_run(kernel, ensemble, journal.missing()[: None if asked else 0])
        if interruption is not None:
            interruption.stop_by(partial(_stop, pilot, ensemble))
        left = schema.count - journal.rows
        progress.start(left)
        expected = pilot.forecast(left, threads, PATIENCE)
        if expected is not None and not ensemble.halted:
            progress.note(expected.line(left, pilot.size))
        if executor == "dask":
            results = on_cluster(kernel, ensemble, schema, journal.missing(), threads, scheduler, progress.note)
        else:
            run_one = partial(packed_range, kernel, ensemble, PathCoder(schema))
            results = local.execute(run_one, plan(ensemble, threads, journal.missing()), threads, ensemble.stop)
        for packed in results:
            journal.add(packed)  # rows are addressed by id
            progress.advance(len(packed.result.status), failed(packed.result.status))
        journal.commit()
        progress.finish()
        if meanwhile is not None:
            threading.Thread(target=meanwhile).start()
        if ensemble.halted or not assemble(journal, describe_end(threads), overwrite, lambda: ensemble.halted):
            journal.signal = interruption.asked if interruption is not None else ""
            raise Interrupted(f"{journal.rows} of {schema.count} trajectories are committed in {journal.folder}")
        journal.remove()
    return open_results(study.output.file)


def forecast(
    study: Study | str | os.PathLike[str],
    *,
    threads: int | None = None,
    shard: tuple[int, int] = (1, 1),
    patience: float = 5 * PATIENCE,
) -> tuple[Estimate, Forecast | None, int]:
    """What `run` would need, for how long by a pilot (of `patience` seconds at most), and its size."""
    study = study if isinstance(study, Study) else load_study(os.fspath(study))
    threads = threads or local.usable_threads()
    linked, ensemble, schema = _plan(study, False, shard)
    leaves = np.arange(schema.first // LEAF, -(-(schema.first + schema.count) // LEAF))
    pilot = Pilot(linked.compile(), ensemble, leaves)
    expected = pilot.forecast(schema.count, threads, patience)
    return estimate(schema, threads, expected.founded if expected is not None else 0.0), expected, pilot.size


def _stop(*running: Pilot | Ensemble) -> None:
    for one in running:
        one.stop()


def _plan(study: Study, resume: bool, shard: tuple[int, int]) -> tuple[Linked, Ensemble, Schema]:
    """What happens (the model), how it is computed (the kernel), for whom (the ensemble), and what is stored."""
    resolved = resolve(load_model(study.model), study)
    warn_of_late(study, resolved)
    chosen = choose(resolved.network, study)
    resolved = replace(resolved, network=chosen.taken(resolved.network))
    linked = link(resolved.network, chosen.method, Path(study.path).parent, lesion_method=study.lesion.method)
    ensemble = ensemble_of(study, resolved, resume)
    return linked, ensemble, schema_of(study, linked, ensemble, shard)
