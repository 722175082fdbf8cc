"""run(study): the whole data path on one screen."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

from ctcdyn.codegen.choose import choose
from ctcdyn.codegen.kernel import Linked, link
from ctcdyn.config import Study, load_study
from ctcdyn.distribution import check_executor, on_cluster
from ctcdyn.ensemble import Ensemble, plan
from ctcdyn.errors import Interrupted
from ctcdyn.estimation import Estimate, estimate, pilot, refuse
from ctcdyn.execute import local
from ctcdyn.interruption import Interruption
from ctcdyn.model.load import load_model
from ctcdyn.model.resolve import resolve
from ctcdyn.preparation import describe_end, ensemble_of, failed, packed_range, schema_of
from ctcdyn.progress import Progress, Silent
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
) -> Results:
    """Run a study (or the path of one) and open its result file. What is finished is committed about once a second.

    `threads`: None takes all cores that the process may use; `resume`: go on with what an earlier run left; `shard`
    (i, n): part i of n, from 1, as a result of its own; `executor` "dask": on the cluster at `scheduler`, or one of
    `threads` processes of this machine. Raises CtcError: exit 3 for a wrong study or model, before
    anything is written; 6 where the output exists, is being written or cannot be; 5 where disk or memory do not
    suffice. Interrupted, where `interruption` ended it: what is finished is then committed.
    """
    study = study if isinstance(study, Study) else load_study(os.fspath(study))
    progress, threads = progress or Silent(), threads or local.usable_threads()
    check_executor(executor, scheduler)
    linked, ensemble, schema = _plan(study, resume, shard)
    needs = estimate(schema, threads)
    progress.note(needs.line())
    refuse(needs, study.output.file, study.limits.memory, study.limits.disk)
    lock = lock or claim(study.output.file, overwrite or resume)
    if resume and is_finished(study.output.file, schema, lock):
        return open_results(study.output.file)
    with begin(study.output.file, schema, lock, overwrite=overwrite, resume=resume) as journal:
        kernel = linked.compile(progress.compiling)
        if interruption is not None:
            interruption.stop_by(ensemble.stop)
        progress.start(schema.count - journal.rows)
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
        if ensemble.halted or not assemble(journal, describe_end(threads), overwrite, lambda: ensemble.halted):
            raise Interrupted(f"{journal.rows} of {schema.count} trajectories are committed in {journal.folder}")
        journal.remove()
    return open_results(study.output.file)


def forecast(
    study: Study | str | os.PathLike[str], *, threads: int | None = None, shard: tuple[int, int] = (1, 1)
) -> tuple[Estimate, float | None]:
    """What `run` would need, and its seconds by a pilot of 64 trajectories (None where that takes too long to wait)."""
    study = study if isinstance(study, Study) else load_study(os.fspath(study))
    threads = threads or local.usable_threads()
    linked, ensemble, schema = _plan(study, False, shard)
    return estimate(schema, threads), pilot(linked.compile(), ensemble, schema.count, threads)


def _plan(study: Study, resume: bool, shard: tuple[int, int]) -> tuple[Linked, Ensemble, Schema]:
    """What happens (the model), how it is computed (the kernel), for whom (the ensemble), and what is stored."""
    resolved = resolve(load_model(study.model), study)
    linked = link(resolved.network, choose(resolved.network, study).method, Path(study.path).parent)
    ensemble = ensemble_of(study, resolved, resume)
    return linked, ensemble, schema_of(study, linked, ensemble, shard)
