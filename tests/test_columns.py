"""What a person sees first of a result: lesions, chances and variances, computed numbers without noise."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from ctcdyn.columns import chances, covariances, in_order
from ctcdyn.inspection import inspect, inspection_text
from ctcdyn.plots import draw
from ctcdyn.plots._panels import PANELS
from ctcdyn.results import Results
from ctcdyn.store.layout import Schema
from ctcdyn.summary import summary

COUNT = 200  # 100 patients in two arms
STUDY = {
    "simulate": {"rtol": 1e-6, "atol": 1e-6},
    "event": [{"name": "relapse", "clock": "resection"}],
    "treatment": [{"name": "resection"}],
}
NOBODY = SimpleNamespace(published=())


def results(method: str, species: str, observables: str, last: dict[str, Any], **changes: Any) -> Results:
    """Two saves; `last` gives the values of all trajectories at the last one, those not named are 5."""
    names = (tuple(species.split()), tuple(observables.split()))
    settings: dict[str, Any] = {
        "species": names[0],
        "species_units": ("1",) * len(names[0]),
        "observables": names[1],
        "observable_units": ("1",) * len(names[1]),
        "parameters": ("rate",),
        "parameter_units": ("1/d",),
        "times": np.array([0.0, 3652.5]),
        "count": COUNT,
        "total": COUNT,
        "keep": COUNT,
        "arms": ("surgery", "both"),
        "method": method,
        "state_dtype": "f8",
        "provenance": {"seed": 1, "config_resolved_json": json.dumps(STUDY)},
    }
    schema = Schema(**(settings | changes))
    count, arms = schema.count, len(schema.arms)
    tables = [np.full((count, 2, len(kind)), 5.0) for kind in names]
    for table, kind in zip(tables, names, strict=True):
        for c, name in enumerate(kind):
            table[:, 1, c] = last.get(name, 5.0)
    arrays = {
        "status": np.zeros(count, np.uint8),
        "params": np.arange(count, dtype=np.float64)[:, None] // arms,
        "n_valid": np.full((arms, 2), count // arms, np.uint64),
        "final_state": tables[0][:, -1],
        "p_extinct": np.zeros((arms, 2, len(names[0]))),
    }
    for prefix, table in (("", tables[0]), ("obs_", tables[1])):
        split = table.reshape(count // arms, arms, 2, -1)
        spread = split.var(axis=0, ddof=1) if len(split) > 1 else np.full(split.shape[1:], np.nan)
        arrays |= {f"{prefix}mean": split.mean(axis=0), f"{prefix}var": spread}
    arrays |= {"state": tables[0], "observables": tables[1]} if schema.kept else {}
    return Results.from_arrays(schema, arrays)


def line(text: str, head: str) -> list[str]:
    """The words of the first line that begins with these, behind them."""
    found = next(line for line in text.splitlines() if line.split()[: len(head.split())] == head.split())
    return found.split()[len(head.split()) :]


# -- order -----------------------------------------------------------------------------------------
def of_lesions(**changes: Any) -> Results:
    own = " ".join(f"reading_{k}" for k in range(9))
    after = "founded_settle lesions lesions_detected lesion_cells"
    return results("direct", "tumor blood", f"{own} {after}", {}, founder_rules=("settle",), organs=("",), **changes)


def test_lesions_come_first_and_a_cut_picture_says_so() -> None:
    found = of_lesions()
    names = in_order(found)
    assert names[:4] == ["lesions_detected", "lesions", "lesion_cells", "founded_settle"]
    assert names[4:] == [*(f"reading_{k}" for k in range(9)), "tumor", "blood"]
    figure = draw(found)
    shown = [axes.get_ylabel() for axes in figure.axes]
    assert shown == [f"{name.replace('_', ' ')} (1)" for name in names[:PANELS]]
    assert "12 of 15 columns" in [text.get_text() for text in figure.legends[0].get_texts()]
    whole = draw(found, species=names[:3])
    assert not any("columns" in text.get_text() for text in whole.legends[0].get_texts())
    rows = [row.split()[0] for row in summary(found, NOBODY).splitlines() if row.startswith("  ")]  # type: ignore[arg-type]
    assert [row for row in rows if row in names] == names * 2


def test_no_two_panels_show_the_same_numbers() -> None:
    last = {"cells": 9.0, "twice": 9.0, "tumor": 9.0, "blood": 7.0}
    figure = draw(results("direct", "tumor blood still", "cells twice same", last))  # same and still stay at 5
    assert [axes.get_ylabel().split(" (")[0] for axes in figure.axes] == ["cells", "same", "blood", "still"]
    figure = draw(results("direct", "tumor blood", "cells", last), species=["cells", "tumor"])  # who asks gets both
    assert len(figure.axes) == 2


def test_a_model_without_lesions_may_use_their_words() -> None:
    found = results("direct", "tumor", "share lesions lesion_area", {})
    assert in_order(found) == ["share", "lesions", "lesion_area", "tumor"]


def test_variances_stand_with_their_means_and_covariances_last() -> None:
    moments = "var_blood cov_blood_tissue var_tissue share"
    found = results("moments", "tumor blood tissue", moments, {})
    assert in_order(found) == ["blood", "var_blood", "tissue", "var_tissue", "share", "tumor", "cov_blood_tissue"]
    assert covariances(found) == {"cov_blood_tissue": ("var_blood", "var_tissue")}
    assert in_order(results("direct", "tumor", "var_tumor share", {})) == ["var_tumor", "share", "tumor"]


# -- chances ---------------------------------------------------------------------------------------
def computed(keep: int = COUNT, **last: Any) -> Results:
    """One patient's chance is exp(normal) lower in the second arm; the chance of a cell in blood is tiny."""
    patient = np.repeat(np.linspace(0.05, 0.35, COUNT // 2), 2)
    arm = np.tile([1.0, 0.9], COUNT // 2)
    values = {"chance_relapse": patient * arm, "chance_relapse_of_blood": 1e-8 * arm, "blood": -3e-131} | last
    names = "chance_relapse chance_relapse_of_blood diameter tube"
    return results("backward", "blood cells", names, values, keep=keep)


def test_chances_are_told_for_each_arm_and_between_arms_without_monte_carlo_error() -> None:
    found = computed()
    assert chances(found) == {"relapse": {"": "chance_relapse", "blood": "chance_relapse_of_blood"}}
    text = summary(found, NOBODY)  # type: ignore[arg-type]
    block = text.split("\n\n")[1]
    assert block.startswith("chances up to day 3652.5 (10 years), computed for each patient")
    patients = np.linspace(0.05, 0.35, COUNT // 2)
    error = patients.std(ddof=1) / np.sqrt(COUNT // 2)
    assert line(block, "relapse, from resection on") == ["0.2000", f"{error:.4f}", "0.0575", "to", "0.342"]
    assert line(block, "one cell in blood at the start")[0] == "1e-08"
    difference = line(block, "relapse, both")
    assert [float(x) for x in difference[:2]] == pytest.approx([-0.1 * 0.2, 0.1 * error], abs=6e-5)
    assert difference[2:5] == ["-0.0342", "to", "-0.00575"]
    assert float(difference[5]) == pytest.approx(181, abs=0.5)  # (1 + 0.9**2) / 0.1**2
    assert "MC error" not in text
    assert "chance_relapse" not in text  # they are told once


def test_the_difference_is_exact_where_no_path_was_kept_too() -> None:
    block = summary(computed(keep=0), NOBODY).split("\n\n")[1]  # type: ignore[arg-type]
    assert line(block, "relapse, both") == ["-0.02"]


def test_of_equal_patients_a_chance_is_a_number() -> None:
    found = computed(chance_relapse=np.tile([0.25, 0.125], COUNT // 2), cells=np.full(COUNT, 7.0))
    alike = {name: found[name] for name in ("status", "mean", "var", "obs_mean", "obs_var", "n_valid")}
    same = Results.from_arrays(found.schema, alike | {"params": np.ones((COUNT, 1)), "observables": found.observables})
    text = summary(same, NOBODY)  # type: ignore[arg-type]
    assert line(text, "relapse, from resection on") == ["0.25"]
    assert line(text, "relapse, both") == ["-0.125"]
    assert line(text, "cells") == ["7"]
    assert "±" not in text


@pytest.mark.parametrize("tube", [-4e-134, 1e-14])
def test_what_a_solver_does_not_vouch_for_is_no_number(tube: float) -> None:
    text = summary(computed(tube=tube, cells=3e-7), NOBODY)  # type: ignore[arg-type]
    assert line(text, "blood") == ["<", "1e-06", "0", "to", "0"]
    assert line(text, "cells")[:2] == ["<", "1e-06"]
    assert line(text, "tube")[0] == ("0" if tube < 0 else "1e-14")
    assert "e-13" not in text
    assert "nan" not in text


def test_a_covariance_of_rounding_is_none() -> None:
    values = {"cov_blood_tissue": -4e-17, "cov_blood_cells": -2.5, "cov_tissue_cells": 1e-3}
    names = "var_blood cov_blood_tissue cov_blood_cells var_tissue cov_tissue_cells var_cells"
    found = results("moments", "blood tissue cells", names, values, count=1, total=1, arms=("one",))
    text = summary(found, NOBODY)  # type: ignore[arg-type]
    assert line(text, "cov_blood_tissue") == ["0"]
    assert line(text, "cov_blood_cells") == ["-2.5"]
    assert line(text, "cov_tissue_cells") == ["0.001"]
    assert "±" not in text
    assert "none left" not in text


def test_inspect_tells_chances(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    found = computed()
    path = tmp_path / "made.h5"
    path.write_bytes(b"")
    monkeypatch.setattr("ctcdyn.inspection.open_results", lambda _path: found)
    told = inspect(path)
    first, second = told["chances"]
    assert (first["event"], first["arm"], first["patients"]) == ("relapse", "surgery", 100)
    assert first["chance"] == pytest.approx(0.2)
    assert second["difference"] == pytest.approx(-0.02)
    assert json.loads(json.dumps(told)) == told
    assert "relapse 0.2 (surgery), relapse 0.18 (both)" in inspection_text(told)
