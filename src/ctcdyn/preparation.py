"""From a study and its model to an ensemble and the schema of its result; provenance of a run."""

from __future__ import annotations

import json
import os
import platform
import secrets
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version

import numpy as np
from numpy.typing import NDArray

from ctcdyn.codegen.choose import LOW_COUNT
from ctcdyn.codegen.emit import Emission
from ctcdyn.codegen.kernel import Kernel, Linked
from ctcdyn.codegen.moments import describe_moments
from ctcdyn.config import Study
from ctcdyn.ensemble import DEFAULT_WINDOW, Ensemble, Range, run_range
from ctcdyn.errors import CtcError, Problem, Status
from ctcdyn.model.network import Network
from ctcdyn.model.resolve import Resolved
from ctcdyn.reduction import LEAF, bin_edges, sketch_bits
from ctcdyn.store import Packed, PathCoder, Schema
from ctcdyn.store.journal import SECONDS, seed_of

RNG = "xoshiro256++ keyed by Philox4x32-10 (seed; id // arms, purpose)"


def ensemble_of(study: Study, resolved: Resolved, resume: bool = False) -> Ensemble:
    """What the study asks for.

    Where it gives no seed: with `resume` that of the unfinished run, else one drawn from the system.
    """
    simulate, limits = study.simulate, study.limits
    seed = study.ensemble.seed
    if seed is None and resume:
        seed = seed_of(study.output.file)
    return Ensemble(
        network=resolved.network,
        seed=secrets.randbits(63) if seed is None else seed,
        count=study.count,
        times=np.ascontiguousarray(simulate.times),
        cohort=resolved.cohort,
        lesion_draws=resolved.lesion_draws,
        lesion_table=study.output.lesions,
        replicates=study.replicates,
        arms=len(study.arms),
        given=np.array(study.given, dtype=np.bool_) if study.treatment else None,
        keep=study.kept,
        state_dtype="f8" if study.output.precision == "double" else "f4",
        rtol=simulate.rtol,
        atol=simulate.atol,
        window=DEFAULT_WINDOW if simulate.window is None else simulate.window,
        epsilon=simulate.epsilon,
        longest_step=np.inf if simulate.step is None else simulate.step,
        switch=(simulate.hybrid.switch_up, simulate.hybrid.switch_down),
        max_steps=limits.max_steps_per_trajectory,
        max_events=limits.max_events_per_trajectory,
        sketched=bool(study.output.quantiles) and not resolved.network.tilts,
    )


def part_of(ensemble: Ensemble, shard: tuple[int, int]) -> tuple[int, int]:
    """First id and number of trajectories of shard (i, n), i from 1 to n: whole leaves, as even as they can be."""
    i, n = shard
    if not 1 <= i <= n or n > ensemble.leaves:
        what = f"there is no shard {i}/{n} of {ensemble.leaves} leaves of {LEAF} trajectories"
        raise CtcError(Problem("C117", what, fix=f"give i/N with i from 1 to N and N up to {ensemble.leaves}"))
    first, stop = (ensemble.leaves * k // n * LEAF for k in (i - 1, i))
    return first, min(stop, ensemble.count) - first


def schema_of(study: Study, linked: Linked, ensemble: Ensemble, shard: tuple[int, int] = (1, 1)) -> Schema:
    """What the result file of the study, or of one shard of it, will hold."""
    network = ensemble.network
    provenance: dict[str, str | int | float] = {
        "config_toml": study.text,
        "config_resolved_json": json.dumps(study.resolved(), default=str, sort_keys=True),
        "model_source": network.source_text,
        "kernel_source": linked.text,
        "kernel_sha256": linked.identity,
        "seed": ensemble.seed,
        "rng": RNG,
        "command": " ".join(sys.argv),
        "start": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    whole = make_schema(
        network,
        linked.emission,
        linked.method,
        ensemble,
        arms=study.arms,
        patients=study.patients,
        quantiles=study.output.quantiles,
        provenance=provenance | versions(),
        lesions=study.output.lesions,
        inner=linked.lesion.emission if linked.lesion is not None else None,
    )
    first, count = part_of(ensemble, shard)
    if shard[1] > 1:
        whole = replace(whole, provenance={**whole.provenance, "shard": f"{shard[0]}/{shard[1]}"})
    return replace(whole, first=first, count=count, compressed=study.output.compression == "gzip")


def make_schema(
    network: Network,
    emission: Emission,
    method: str,
    ensemble: Ensemble,
    *,
    arms: tuple[str, ...] = ("control",),
    patients: int | None = None,
    quantiles: tuple[float, ...] = (),
    provenance: dict[str, str | int | float],
    lesions: bool = False,
    inner: Emission | None = None,
) -> Schema:
    """The schema of a result, in a file or in memory; `lesions`: with the table of lesions, `inner`: their kernel's."""
    rules = network.lesion.rules if network.lesion is not None else ()
    units = {o.name: o.unit for o in network.observables}
    if emission.semantics == "moments":
        provenance = provenance | {"method_note": "; ".join(line.strip() for line in describe_moments(network))}
    columns = len(network.species) + len(emission.observables)
    bits = sketch_bits(ensemble.arms * len(ensemble.times) * columns)
    quantiles = () if network.tilts else quantiles
    whole = emission.whole | {f"lesion_{name}" for name in (inner.whole if inner is not None else ())}
    return Schema(
        species=network.species_names,
        species_units=tuple(_unit(s.unit) for s in network.species),
        observables=emission.observables,
        observable_units=tuple(_unit(units.get(name, "1")) for name in emission.observables),
        parameters=network.parameter_names,
        parameter_units=tuple(_unit(p.unit) for p in network.parameters),
        times=ensemble.times,
        count=ensemble.count,
        total=ensemble.count,
        keep=ensemble.keep,
        arms=arms,
        event_kinds=emission.passages,
        replicates=ensemble.replicates,
        patients=patients,
        state_dtype=ensemble.state_dtype,
        quantiles=quantiles,
        method=method,
        bin_edges=bin_edges(bits) if quantiles else None,
        low_count=LOW_COUNT if emission.semantics == "langevin" else 0.0,
        provenance=provenance,
        title=network.title or network.name,
        founder_rules=tuple(rule.name for rule in rules),
        organs=tuple(rule.organ for rule in rules),
        lesions=lesions,
        fates=network.fates,
        weighted=bool(network.tilts),
        whole=tuple(name for name in (*network.species_names, *emission.observables) if name in whole),
    )


def versions() -> dict[str, str | int | float]:
    """Software and machine, as far as they could matter to a number."""
    import llvmlite.binding as llvm

    found: dict[str, str | int | float] = {
        f"{name}_version": version(name) for name in ("ctcdyn", "numpy", "numba", "llvmlite", "h5py")
    }
    return found | {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "host": platform.node(),
        "cpu_name": llvm.get_host_cpu_name(),
        "slurm_job_id": os.environ.get("SLURM_JOB_ID", ""),
    }


def describe_end(threads: int) -> dict[str, str | int | float]:
    """What is known of a run only when it is over."""
    return {"end": datetime.now(UTC).isoformat(timespec="seconds"), "threads": threads}


def packed_range(kernel: Kernel, ensemble: Ensemble, coder: PathCoder, span: Range) -> Iterator[Packed]:
    """Finished leaves of a range about once a second, their paths compressed on the thread that computed them."""
    last = time.monotonic()

    def due() -> bool:
        nonlocal last
        now = time.monotonic()
        if now - last < SECONDS:
            return False
        last = now
        return True

    return map(coder.pack, run_range(kernel, ensemble, span, due))


def failed(status: NDArray[np.uint8]) -> int:
    """How many of these trajectories count as failed."""
    good = [int(s) for s in Status if s.ok]
    return int((~np.isin(status, good)).sum())


def _unit(unit: str) -> str:
    """Cells are a label: a count has the unit 1."""
    return "1" if unit in ("cells", "cell", "") else unit
