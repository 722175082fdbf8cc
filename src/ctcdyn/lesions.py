"""The lesions of patients whose own run is over: each is a lane of the lesion's kernel, generation by generation.

A patient's log says when its firings founded lesions; their logs say when they founded others. A lesion is a pure
function of (seed, patient, number of the lesion): its streams have the number pair * 2**20 + lesion, where pair = id //
arms, and a key that no patient has. What lesions come to is added to their patient's rows in the order of their
numbers, so no order of work changes a bit. A patient without lesions costs nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ctcdyn.batch import Batch, Lanes, aligned
from ctcdyn.codegen.kernel import Kernel
from ctcdyn.codegen.layout import extra_values
from ctcdyn.codegen.leaves import leaf_functions
from ctcdyn.errors import Status
from ctcdyn.model.colony import lesion_network, told_times
from ctcdyn.model.expr import evaluate
from ctcdyn.model.lesion import ALIVE, BEGINS, SEEN
from ctcdyn.patients import shaped, shown_parameters
from ctcdyn.reduction import LEAF

if TYPE_CHECKING:
    from ctcdyn.ensemble import Ensemble
    from ctcdyn.harvest import Finished

BYTES = 32 << 20  # of the rows of lesions in one worker
LARGEST = 16  # leaves of lesions in one call of their kernel
NUMBERS = 20  # bits of the number of a lesion
MOST = 1 << 14  # lesions of a patient; more is the status log_full, and keeps memory bounded
KEY = 0x6C6573696F6E7321  # what the key of the streams of lesions differs by from that of patients

GOOD = [int(x) for x in Status if x.ok]

Array = NDArray[Any]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Founders:
    """Lesions that are to be run, in order of (patient, number); `patient` counts from the first of the leaf."""

    patient: Ints
    number: Ints
    parent: Ints  # number of the lesion that shed it, -1: the patient
    rule: Ints
    time: Floats  # days


class Colonies:
    """Buffers and tables of one worker."""

    def __init__(self, kernel: Kernel, patient: Kernel, ensemble: Ensemble) -> None:
        m = kernel.module
        network = ensemble.network
        assert network.lesion is not None
        self.kernel, self.lesion = kernel, network.lesion
        self.network = lesion_network(network)
        self.columns = len(ensemble.times) * (m.SPECIES + m.READINGS)
        self.slots = max(1, min(LARGEST, BYTES // max(8 * LEAF * self.columns, 1)))
        self.lanes, self.out = Lanes(m), np.empty(0)
        known = {name: len(network.parameters) + k for k, name in enumerate(extra_values(network))}
        own = {name: len(network.parameters) + k for k, name in enumerate(extra_values(self.network))}
        self.shared = [(q, known[name]) for name, q in own.items() if name in known]
        first_times = (*patient.emission.passages, *patient.emission.moments)
        self.told = [(own[f"{name}__at"], first_times.index(by)) for name, by in told_times(network)]
        self.founded_at = own[f"{BEGINS}__at"]
        self.begins = {x.name: own[f"{BEGINS}_{x.name}"] for x in self.lesion.species}
        self.base = np.concatenate([network.parameter_values(), list(extra_values(self.network).values()), [0.0]])
        shown = (*network.species_names, *patient.emission.observables)
        names = [f"lesion_{x.name}" for x in self.lesion.species]
        self.place = np.array([shown.index(name) for name in (*names, ALIVE)], np.int64)
        self.seen = shown.index(SEEN) if SEEN in shown else -1
        self.detects = bool(kernel.emission.passages)
        late = {o.name: o.options["lesions"] for o in network.observables if "lesions" in o.options}
        clocks = patient.emission.clocks
        places = [first_times.index(name) for name in late]
        self.late = [(at, int(str(n)), clocks[at]) for at, n in zip(places, late.values(), strict=True)]
        self.size = self.lesion.names.index(self.lesion.size)

    def settle(self, done: Finished, leaf: int, rows: Floats) -> bool:
        """Run all lesions of one leaf of patients, rows (n, T * C), and add up what they come to.

        False where the run was halted: the leaf is not finished then.
        """
        ensemble, first = done.ensemble, done.span.first + leaf * LEAF
        here = slice(leaf * LEAF, leaf * LEAF + len(rows))
        status = done.status[here]
        well = np.isin(status, GOOD)
        of, time, rule = _founders(done.log[here], done.logged[here], well)
        counts = np.zeros(len(rows), np.int64)
        founders = _numbered(of, np.full(len(of), -1), rule, time, counts)
        tables = []
        status[of[status[of] == Status.EXTINCT]] = int(Status.OK)  # what it founded may live
        while len(founders.time):
            status[well & (counts > MOST)] = int(Status.LOG_FULL)
            founders = _kept(founders, np.isin(status, GOOD)[founders.patient])
            following: list[tuple[Array, ...]] = [_nobody()]
            for chunk in self._run(done, here, founders):
                if chunk is None:
                    return False
                table, more = self._take(ensemble, rows, founders, status, *chunk)
                tables.append(table)
                following.append(more)
            of, parent, rule, time = (np.concatenate(x) for x in zip(*following, strict=True))
            founders = _numbered(of, parent, rule, time, counts)
        failed = np.flatnonzero(well & ~np.isin(status, GOOD))
        rows[failed], done.final[here][failed] = np.nan, np.nan
        table = _joined(tables)
        self._pass(done.passed[here], table, failed)
        if ensemble.lesion_table and table:
            keep = ~np.isin(table["trajectory"], failed)
            table = {name: column[keep] for name, column in table.items()}
            table["trajectory"] = table["trajectory"] + first
        done.tables[leaf] = table if ensemble.lesion_table else {}
        return True

    def _values(self, done: Finished, here: slice, founders: Founders) -> Floats:
        """Columns of the lesion's kernel for each founder, the number of its streams last."""
        ensemble, network = done.ensemble, done.ensemble.network
        of = founders.patient
        patients = done.values[here] if len(done.values) > 1 else done.values
        row = of if len(patients) > 1 else np.zeros_like(of)
        values = np.repeat(self.base[None, :], len(of), axis=0)
        values[:, : len(network.parameters)] = patients[row, : len(network.parameters)]
        for column, source in self.shared:
            values[:, column] = patients[row, source]
        for column, source in self.told:
            values[:, column] = done.passed[here][of, source]
        pair = (done.span.first + here.start + of) // ensemble.arms
        number = (pair << NUMBERS) + founders.number
        values[:, -1] = number.view(np.float64)
        if ensemble.lesion_draws:
            uniforms = np.empty((len(of), len(ensemble.lesion_draws)))
            library, seed = leaf_functions(), np.uint64(ensemble.seed ^ KEY).astype(np.int64)
            starts = np.flatnonzero(np.diff(number, prepend=number[0] - 2) != 1)
            for start, stop in zip(starts.tolist(), [*starts[1:].tolist(), len(number)], strict=True):
                library.draw_uniforms(seed, int(number[start]), library.DRAWS, uniforms[start:stop])
            values[:, [draw.parameter for draw in ensemble.lesion_draws]] = shaped(uniforms, ensemble.lesion_draws)
        shown = shown_parameters(network, values, len(values))  # with what the lesion drew
        known = {item.name: shown[:, q] for q, item in enumerate(network.parameters)}
        values[:, self.founded_at] = founders.time
        for k, rule in enumerate(self.lesion.rules):
            mine = np.flatnonzero(founders.rule == k)
            for name, e in rule.begins if len(mine) else ():
                begins = evaluate(e, {q: x[mine] for q, x in known.items()})
                values[mine, self.begins[name]] = np.floor(np.asarray(begins) + 0.5)
        return values

    def _run(
        self, done: Finished, here: slice, founders: Founders
    ) -> Iterator[tuple[int, Floats, Floats, Batch] | None]:
        """Lesions in pieces, in order: (first, rows, values, what became of them); None where it was halted."""
        m, ensemble, total = self.kernel.module, done.ensemble, len(founders.time)
        if not total:
            return
        most = min(self.slots, -(-total // LEAF))
        if len(self.out) < most * LEAF * self.columns:
            self.out = aligned(most * LEAF * self.columns, np.float64)
        times = np.ascontiguousarray(ensemble.times)
        for first in range(0, total, most * LEAF):
            piece = np.arange(first, min(first + most * LEAF, total))
            values = self._values(done, here, _kept(founders, piece))
            leaves = -(-len(piece) // LEAF)  # a buffer for each, so that rows stand in order
            batch = Batch(
                self.lanes, ensemble.setting(), ensemble.caps, ensemble.seed ^ KEY, len(piece), leaves, m.SHOWN
            )
            code = -1
            while code != m.DONE:
                code = batch.advance(values, times, self.out, ensemble.halt)
                if code == m.HALTED and ensemble.halted:
                    yield None
                    return
            yield first, self.out[: len(piece) * self.columns].reshape(len(piece), self.columns), values, batch

    def _take(
        self, ensemble: Ensemble, rows: Floats, founders: Founders, patients: NDArray[np.uint8],
        first: int, own: Floats, values: Floats, batch: Batch,
    ) -> tuple[dict[str, Array], tuple[Array, ...]]:  # fmt: skip
        """A piece of the table, and what its lesions found: (patient, parent, rule, time)."""
        status = batch.status
        here = slice(first, first + len(status))
        of, number = founders.patient[here], founders.number[here]
        detected = batch.passed[:, 0].copy() if self.detects else np.full(len(status), np.inf)
        leaf_functions().add_lesions(
            own, of, self.place, self.size, self.seen, detected, np.ascontiguousarray(ensemble.times), rows
        )
        well = np.isin(status, GOOD)
        patients[of[~well]] = status[~well]
        by, time, rule = _founders(batch.log, batch.logged, well)
        table: dict[str, Array] = {
            "trajectory": of,
            "lesion": number.astype(np.int32),
            "parent": founders.parent[here].astype(np.int32),
            "rule": founders.rule[here].astype(np.uint8),
            "founder_time": founders.time[here],
            "founders": values[:, self.begins[self.lesion.size]],
            "detection_time": np.where(detected < np.inf, detected, np.nan),
            "size": batch.final[:, self.size],
            "status": status,
        }
        return table, (of[by], number[by], rule, time)

    def _pass(self, passed: Floats, table: dict[str, Array], failed: Ints) -> None:
        """First times of events of lesions: when the n-th of a patient was detected, no earlier than its clock."""
        if not self.late or not table:
            return
        known = np.isfinite(table["detection_time"]) & ~np.isin(table["trajectory"], failed)
        of, time = table["trajectory"][known], table["detection_time"][known]
        order = np.lexsort((time, of))
        of, time = of[order], time[order]
        place = _within(of)
        for column, n, clock in self.late:
            chosen = place == n - 1
            began = passed[of[chosen], clock] if clock is not None else np.full(int(chosen.sum()), -np.inf)
            passed[of[chosen], column] = np.maximum(time[chosen], began)  # inf: a clock that never began


def _nobody() -> tuple[Ints, Ints, Ints, Floats]:
    none = np.zeros(0, np.int64)
    return none, none, none, np.zeros(0)


def _founders(log: Floats, logged: Ints, well: NDArray[np.bool_]) -> tuple[Ints, Floats, Ints]:
    """(row, time, rule) of every lesion that logs (n, LOGS * 3) tell of; several of one line stand one by one."""
    entries = log.shape[1] // 3
    counts = np.where(well, np.minimum(logged, entries), 0)
    row = np.repeat(np.arange(len(log)), counts)
    lines = log.reshape(len(log), entries, 3)[row, _within(row)] if len(row) else np.empty((0, 3))
    begins = lines[:, 1] < 0.0
    row, lines = row[begins], lines[begins]
    many = lines[:, 2].astype(np.int64)
    row, lines = np.repeat(row, many), np.repeat(lines, many, axis=0)
    return row, lines[:, 0], (-1.0 - lines[:, 1]).astype(np.int64)


def _within(groups: Ints) -> Ints:
    """Position of each element in its run of equal neighbours."""
    if not len(groups):
        return np.zeros(0, np.int64)
    starts = np.flatnonzero(np.diff(groups, prepend=groups[0] - 1))
    lengths = np.diff(np.append(starts, len(groups)))
    return np.arange(len(groups)) - np.repeat(starts, lengths)


def _numbered(of: Ints, parent: Ints, rule: Ints, time: Floats, counts: Ints) -> Founders:
    """Founders in order of patient, parent and time, with the next numbers of their patient; `counts` follow."""
    order = np.lexsort((rule, time, parent, of))
    of, parent, rule, time = of[order], parent[order], rule[order], time[order]
    number = counts[of] + _within(of)
    counts += np.bincount(of, minlength=len(counts))
    return Founders(of, number, parent, rule, time)


def _kept(founders: Founders, which: NDArray[Any]) -> Founders:
    return Founders(*(getattr(founders, name)[which] for name in ("patient", "number", "parent", "rule", "time")))


def _joined(tables: list[dict[str, Array]]) -> dict[str, Array]:
    if not tables:
        return {}
    whole = {name: np.concatenate([table[name] for table in tables]) for name in tables[0]}
    order = np.lexsort((whole["lesion"], whole["trajectory"]))
    return {name: column[order] for name, column in whole.items()}
