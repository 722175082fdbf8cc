"""run(study): the whole data path on one screen."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

from ctcdyn.codegen.choose import choose
from ctcdyn.codegen.kernel import link
from ctcdyn.config import Study, load_study
from ctcdyn.ensemble import completed, plan, run_range
from ctcdyn.execute import local
from ctcdyn.model.load import load_model
from ctcdyn.model.resolve import resolve
from ctcdyn.preparation import describe_end, ensemble_of, failed, schema_of
from ctcdyn.progress import Progress, Silent
from ctcdyn.results import Results, open_results
from ctcdyn.store import Store


def run(
    study: Study | str | os.PathLike[str],
    *,
    threads: int | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Results:
    """Run a study (or the path of one) and open its result file.

    `threads`: None takes all cores that the process may use. Raises CtcError: exit 3 for a wrong study or model, before
    anything is written; 6 where the output exists or cannot be written; 5 on a full disk.
    """
    study = study if isinstance(study, Study) else load_study(os.fspath(study))
    progress = progress or Silent()
    resolved = resolve(load_model(study.model), study)  # what happens
    network = resolved.network
    method = choose(network, study).method  # how it is computed
    linked = link(network, method, Path(study.path).parent)
    ensemble = ensemble_of(study, resolved)
    with Store.open(study.output.file, schema_of(study, linked, ensemble), overwrite) as store:
        kernel = linked.compile(progress.compiling)
        tree, threads = ensemble.tree(), threads or local.usable_threads()
        progress.start(ensemble.count)
        run_one = partial(run_range, kernel, ensemble)
        for result in map(completed, local.execute(run_one, plan(ensemble, threads), threads, ensemble.stop)):
            tree.add_all(result.nodes)
            store.append(result)  # rows are addressed by id
            progress.advance(len(result.status), failed(result.status))
        progress.finish()
        store.finish(tree.root(), ensemble.sketch(), describe_end(threads))
    return open_results(study.output.file)
