"""A made-up cohort that every kind of picture can be drawn of, and what a picture has on it: no model, no kernel."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.text import Text

from ctcdyn.results import Results
from ctcdyn.store.layout import Schema

FATES = ("shed", "shear", "nk", "arrested")
SPECIES = ("tumor", "ctc", *(f"fate_{name}" for name in FATES))
ORGANS = ("lung", "liver", "bone")
QUANTILES = (0.025, 0.25, 0.5, 0.75, 0.975)
STUDY = {
    "treatment": [{"name": "resection"}],
    "arm": [{"name": "surgery", "treatments": ["resection"]}, {"name": "both", "treatments": ["resection"]}],
    "event": [{"name": "relapse", "clock": "resection"}],
    "population": {"draw": {"tumor_growth": {}, "shedding": {}}},
}


def cohort(
    patients: int = 300,
    arms: tuple[str, ...] = ("surgery", "both"),
    grid: int = 0,
    seed: int = 1,
    **changes: Any,
) -> Results:
    """Twenty years of so many patients in each arm; `grid`: two parameters on a grid of so many values each."""
    rng = np.random.default_rng(seed)
    count, A = patients * len(arms), len(arms)
    settings: dict[str, Any] = {
        "species": SPECIES,
        "species_units": ("1",) * len(SPECIES),
        "observables": ("diameter", "ctc_per_7_5_mL", "found"),
        "observable_units": ("mm", "1", "1"),
        "parameters": ("tumor_growth", "shedding", "clearance"),
        "parameter_units": ("1/d", "1/d", "1/d"),
        "times": np.linspace(0.0, 20 * 365.25, 21),
        "count": count,
        "total": count,
        "keep": count,
        "arms": arms,
        "event_kinds": ("relapse",),
        "quantiles": QUANTILES,
        "method": "direct",
        "whole": ("found", *SPECIES),
        "fates": FATES,
        "founder_rules": tuple(f"seed_{organ}" for organ in ORGANS),
        "organs": ORGANS,
        "lesions": True,
        "provenance": {"seed": seed, "config_resolved_json": json.dumps(STUDY)} | PROVENANCE,
        "title": "made-up cohort",
    }
    schema = Schema(**(settings | changes))
    arm = np.arange(count) % A
    params = np.tile([0.0134, 2000.0, 18.0], (count, 1))
    params[:, :2] *= np.repeat(rng.lognormal(0.0, 0.4, (patients, 2)), A, axis=0)
    if grid:
        cell = (np.arange(count) // A) % grid**2
        params[:, 0], params[:, 1] = 0.005 * (1 + cell % grid), 500.0 * 2.0 ** (cell // grid)
    risk = 0.03 * (params[:, 0] / 0.0134) ** 2 * np.where(arm == 1, 0.6, 1.0)
    when = 365.25 * rng.exponential(1 / risk)
    clock = 2000.0
    end = float(schema.times[-1]) - clock
    T, S = len(schema.times), len(schema.species)
    state = np.zeros((count, T, S))
    state[:, :, 0] = np.exp(np.minimum(params[:, :1] * schema.times * 0.3, 20.0))
    state[:, :, 1] = rng.poisson(2.0, (count, T)) * (rng.random((count, 1)) < 0.7)
    shed = rng.poisson(1e6, count)
    for k, share in enumerate((1.0, 0.6, 0.3, 2e-3)):
        state[:, :, 2 + k] = rng.binomial(shed, share)[:, None] * np.linspace(0, 1, T)
    seen = np.stack(
        [state[:, :, 0] ** (1 / 3), 3.0 + state[:, :, 1], rng.poisson(3.0, (count, T)) - 0.0], axis=2
    )
    observed = (when < end).astype(np.uint8)
    events = {"event_time": np.minimum(when, end)[:, None], "event_observed": observed[:, None]}
    arrays: dict[str, Any] = {
        "status": np.zeros(count, np.uint8),
        "params": params,
        "final_state": state[:, -1],
        **(events if schema.event_kinds else {}),
        "state": state,
        "observables": seen[:, :, : len(schema.observables)],
        "n_valid": np.full((A, T), patients, np.uint64),
    }
    for prefix, table in (("", state), ("obs_", arrays["observables"])):
        split = np.stack([table[arm == a] for a in range(A)])
        arrays |= {f"{prefix}mean": split.mean(axis=1), f"{prefix}var": split.var(axis=1, ddof=1)}
        arrays[f"{prefix}quantiles"] = np.quantile(split, QUANTILES, axis=1)
    lesions = _lesions(rng, count, end) if schema.lesions else None
    return Results.from_arrays(schema, arrays, lesions=lesions)


PROVENANCE = {
    "ctcdyn_version": "0.1.0",
    "config_toml": "schema = 1\n",
    "kernel_hash": "abc",
    "platform": "linux",
}


def _lesions(rng: np.random.Generator, count: int, end: float) -> dict[str, Any]:
    """Some lesions a patient, of which those founded early are detected."""
    number = rng.poisson(4.0, count)
    row = np.repeat(np.arange(count), number)
    founded = np.sort(rng.uniform(0.0, end, len(row)))
    age = end - founded
    size = np.exp(np.minimum(0.0134 * age * rng.lognormal(0, 0.3, len(row)), 25.0)) * (
        rng.random(len(row)) < 0.7
    )
    return {
        "trajectory": row,
        "lesion": np.concatenate([np.arange(k) for k in number]).astype(np.int32),
        "parent": np.full(len(row), -1, np.int32),
        "rule": rng.choice(3, len(row), p=[0.6, 0.3, 0.1]).astype(np.uint8),
        "founder_time": founded,
        "founders": np.ones(len(row)),
        "detection_time": np.where(size > 1e6, founded + 0.8 * age, np.nan),
        "size": np.floor(size),
        "status": np.zeros(len(row), np.uint8),
    }


@contextmanager
def texts_drawn() -> Iterator[list[Text]]:
    """Collects every text that is drawn: tick labels beyond an axis exist, but are not."""
    found: list[Text] = []
    usual = Text.draw

    def draw(self: Text, renderer: Any) -> None:
        if self.get_visible() and self.get_text().strip():
            found.append(self)
        usual(self, renderer)

    Text.draw = draw  # type: ignore[method-assign]
    try:
        yield found
    finally:
        Text.draw = usual  # type: ignore[method-assign]


def texts_of(figure: Figure) -> list[Text]:
    """The texts of a figure, in their places."""
    with texts_drawn() as found:
        figure.canvas.draw()
    return list(dict.fromkeys(found))
