"""run(study): the whole data path on one screen."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

from ctcdyn.codegen.choose import choose
from ctcdyn.codegen.kernel import link
from ctcdyn.config import Study, load_study
from ctcdyn.ensemble import plan
from ctcdyn.errors import Interrupted
from ctcdyn.execute import local
from ctcdyn.interruption import Interruption
from ctcdyn.model.load import load_model
from ctcdyn.model.resolve import resolve
from ctcdyn.preparation import describe_end, ensemble_of, failed, packed_range, schema_of
from ctcdyn.progress import Progress, Silent
from ctcdyn.results import Results, open_results
from ctcdyn.store import Lock, PathCoder, assemble, begin, claim, is_finished


def run(
    study: Study | str | os.PathLike[str],
    *,
    threads: int | None = None,
    overwrite: bool = False,
    resume: bool = False,
    progress: Progress | None = None,
    lock: Lock | None = None,
    interruption: Interruption | None = None,
) -> Results:
    """Run a study (or the path of one) and open its result file. What is finished is committed about once a second.

    `threads`: None takes all cores that the process may use; `resume`: go on with what an earlier run left. Raises
    CtcError: exit 3 for a wrong study or model, before anything is written; 6 where the output exists, is being written
    or cannot be; 5 on a full disk. Interrupted, where `interruption` ended it: what is finished is then committed.
    """
    study = study if isinstance(study, Study) else load_study(os.fspath(study))
    progress = progress or Silent()
    resolved = resolve(load_model(study.model), study)  # what happens
    method = choose(resolved.network, study).method  # how it is computed
    linked = link(resolved.network, method, Path(study.path).parent)
    ensemble = ensemble_of(study, resolved, resume)
    schema = schema_of(study, linked, ensemble)
    lock = lock or claim(study.output.file, overwrite or resume)
    if resume and is_finished(study.output.file, schema, lock):
        return open_results(study.output.file)
    with begin(study.output.file, schema, lock, overwrite=overwrite, resume=resume) as journal:
        kernel = linked.compile(progress.compiling)
        threads = threads or local.usable_threads()
        if interruption is not None:
            interruption.stop_by(ensemble.stop)
        progress.start(ensemble.count - journal.rows)
        run_one = partial(packed_range, kernel, ensemble, PathCoder(schema))
        for packed in local.execute(run_one, plan(ensemble, threads, journal.done()), threads, ensemble.stop):
            journal.add(packed)  # rows are addressed by id
            progress.advance(len(packed.result.status), failed(packed.result.status))
        journal.commit()
        progress.finish()
        if ensemble.halted or not assemble(journal, describe_end(threads), overwrite, lambda: ensemble.halted):
            raise Interrupted(f"{journal.rows} of {ensemble.count} trajectories are committed in {journal.folder}")
        journal.remove()
    return open_results(study.output.file)
