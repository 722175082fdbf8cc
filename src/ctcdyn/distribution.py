"""A run on other machines: what a worker needs to run ranges, and the ranges in pieces that a lost worker may cost."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ctcdyn.codegen import cache
from ctcdyn.codegen.emit import Emission
from ctcdyn.codegen.kernel import Kernel, entries
from ctcdyn.codegen.leaves import leaf_functions
from ctcdyn.ensemble import OPEN_BYTES, Ensemble, Range, run_range
from ctcdyn.errors import CtcError, Exit, Problem
from ctcdyn.execute import cluster
from ctcdyn.reduction import LEAF
from ctcdyn.store import Packed, PathCoder, Schema

LARGEST_TASK = 128  # leaves; each task costs the scheduler and the network some ms
_loading = threading.Lock()  # a worker may have many threads, and all begin with the same kernel
_OF_ONE_PROCESS = ("halt", "workers", "local")  # fields of an ensemble that stay where they are


@dataclass(frozen=True)
class RangeTask:
    """Ranges of one run for workers elsewhere: the kernel as text, the ensemble and the schema; no file is needed."""

    method: str
    emission: Emission
    source: str
    ensemble: Mapping[str, Any]
    schema: Schema
    lesion: RangeTask | None = None  # of which only the kernel matters

    def __call__(self, spans: Sequence[Range], halt: NDArray[np.int64]) -> Iterator[Packed]:
        """Run neighbouring spans as one range each; where `halt` is set, only finished leaves come."""
        ensemble = replace(self._ensemble, halt=halt)  # the buffers of this process, the word of this task
        with _loading:
            kernel, _ = self._kernel, leaf_functions()
        for span in joined(spans):
            yield from map(PathCoder(self.schema).pack, run_range(kernel, ensemble, span))

    @cached_property
    def _kernel(self) -> Kernel:
        """Compiled here, or from the cache of this machine: its key holds the versions and the processor of here."""
        lesion = self.lesion._kernel if self.lesion is not None else None
        return Kernel(self.method, self.emission, self.source, cache.load(self.source, entries), lesion)

    @cached_property
    def _ensemble(self) -> Ensemble:
        return Ensemble(**self.ensemble)


def range_task(kernel: Kernel, ensemble: Ensemble, schema: Schema) -> RangeTask:
    """The task of a run: what it computes for a range is what `packed_range` computes here."""
    kept = {f.name: getattr(ensemble, f.name) for f in fields(ensemble) if f.name not in _OF_ONE_PROCESS}
    schema = replace(schema, provenance={})
    lesion = range_task(kernel.lesion, ensemble, schema) if kernel.lesion is not None else None
    return RangeTask(kernel.method, kernel.emission, kernel.source, kept, schema, lesion)


def joined(spans: Iterable[Range]) -> list[Range]:
    """The same trajectories in as few ranges as there are gaps between them."""
    found: list[Range] = []
    for span in spans:
        if found and found[-1].first + found[-1].count == span.first:
            found[-1] = Range(found[-1].first, found[-1].count + span.count)
        else:
            found.append(span)
    return found


def check_executor(executor: str, scheduler: str | None) -> None:
    """Raise CtcError (S606) where there is no such executor, or the cluster cannot be used."""
    if executor == "dask":
        cluster.check(scheduler)
    elif executor != "local" or scheduler is not None:
        what = f"executor {executor!r}" + (f" with the scheduler {scheduler}" if scheduler else "")
        fix = 'there is "local", and "dask" with or without the address of a scheduler'
        raise CtcError(Problem("S606", what, fix=fix), Exit.CONFIG)


def on_cluster(
    kernel: Kernel,
    ensemble: Ensemble,
    schema: Schema,
    leaves: NDArray[np.int64],
    workers: int,
    scheduler: str | None,
    say: Callable[[str], None],
) -> Iterator[Packed]:
    """Finished ranges of these leaves from a Dask cluster, as they come; see `ctcdyn.execute.cluster.execute`."""
    spans = [Range(leaf * LEAF, min(LEAF, ensemble.count - leaf * LEAF)) for leaf in leaves.tolist()]
    columns = len(ensemble.times) * (len(schema.species) + len(schema.observables))
    return cluster.execute(
        range_task(kernel, ensemble, schema),
        spans,
        most=max(1, min(LARGEST_TASK, OPEN_BYTES // max(8 * LEAF * columns, 1))),
        workers=workers,
        scheduler=scheduler,
        halted=lambda: ensemble.halted,
        say=say,
    )
