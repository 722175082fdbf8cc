"""Pictures: what is drawn, in which units and scales, the same bytes each time."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_hex

from ctcdyn.errors import CtcError, Exit
from ctcdyn.plots import PALETTE, Reference, draw, plot
from ctcdyn.results import Results
from synthetic import Cohort, schema, seeded


@pytest.fixture
def results(request: pytest.FixtureRequest) -> Results:
    return build(Cohort(schema(), seeded(request.node.nodeid)))


def build(cohort: Cohort) -> Results:
    whole = vars(cohort.cut(0, cohort.schema.count))
    rows = {name: values for name, values in whole.items() if name not in ("first", "kept_ids")}
    return Results.from_arrays(cohort.schema, rows, cohort.root(), cohort.sketch())


@pytest.mark.parametrize("suffix, magic", [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF")])
@pytest.mark.parametrize("kind", ["bands", "paths"])
def test_files_of_every_kind_are_the_same_bytes_twice(
    tmp_path: Path, results: Results, kind: str, suffix: str, magic: bytes
) -> None:
    species = ["tumor", "burden"]
    one = plot(results, kind, species, tmp_path / f"one{suffix}").read_bytes()
    two = plot(results, kind, species, tmp_path / f"two{suffix}").read_bytes()
    assert one.startswith(magic)
    assert one == two


def test_panels_units_and_legend(results: Results) -> None:
    figure = draw(results)
    labels = [axes.get_ylabel() for axes in figure.axes]
    assert labels == ["tumor (cells)", "ctc (cells)", "drug (nmol mL$^{-1}$)", "burden (mL$^{-1}$)"]
    assert [axes.get_xlabel() for axes in figure.axes] == ["", "", "time (days)", "time (days)"]
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [
        "2.5–97.5 %", "25–75 %", "median", "mean of all", "n = 1000"
    ]  # fmt: skip


def test_curves_are_the_stored_numbers(results: Results) -> None:
    (axes,) = draw(results, species=["ctc"]).axes
    median, mean = axes.lines
    np.testing.assert_array_equal(median.get_ydata(), results.quantiles[2, 0, :, 1])
    np.testing.assert_array_equal(mean.get_ydata(), results.mean[0, :, 1])
    assert to_hex(median.get_color()) == PALETTE[0].lower()
    assert len(axes.collections) == 2


def test_paths_are_the_kept_ones(results: Results) -> None:
    (axes,) = draw(results, "paths", ["tumor"]).axes
    assert len(axes.lines) == 41
    np.testing.assert_array_equal(axes.lines[3].get_ydata(), results.values("tumor")[3])


@pytest.mark.parametrize(
    "end, unit, last",
    [(0.02, "minutes", 28.8), (1.0, "hours", 24.0), (14.0, "days", 14.0), (3650.0, "years", 10.0)],
)
def test_time_axis_fits_the_length(
    request: pytest.FixtureRequest, end: float, unit: str, last: float
) -> None:
    cohort = Cohort(schema(count=50), seeded(request.node.nodeid))
    cohort.schema = dataclasses.replace(cohort.schema, times=np.linspace(0, end, 21))
    (axes,) = draw(build(cohort), species=["tumor"], reference=[(end / 2, 900.0, "measured", "tumor")]).axes
    assert axes.get_xlabel() == f"time ({unit})"
    assert axes.get_xlim()[1] == pytest.approx(last, rel=0.01)
    (point,) = axes.containers
    assert point[0].get_xdata()[0] == pytest.approx(last / 2, rel=0.01)


def scale_of(results: Results, values: np.ndarray, name: str = "tumor") -> str:
    """Scale chosen for a species whose mean and quantiles are `values` over time."""
    table, column = results.find(name)
    assert table == "species"
    results["mean"][0, :, column] = values
    results["quantiles"][:, 0, :, column] = values
    (axes,) = draw(results, species=[name]).axes
    low, high = axes.get_ylim()
    shown = values[np.isfinite(values)]
    assert low <= shown.min(initial=np.inf) or axes.get_yscale() != "linear"
    assert high >= shown.max(initial=-np.inf)
    return str(axes.get_yscale())


def test_scale_follows_the_range(results: Results) -> None:
    steps = np.linspace(0, 1, 21)
    assert scale_of(results, 50 + 10 * steps) == "linear"
    assert scale_of(results, 30 * steps) == "linear"
    assert scale_of(results, 10.0 ** (9 * steps)) == "log"
    assert scale_of(results, np.where(steps < 0.5, 0, 10.0 ** (9 * steps))) == "symlog"
    assert scale_of(results, np.zeros(21)) == "linear"
    assert scale_of(results, -steps, "drug") == "linear"
    assert scale_of(results, np.full(21, np.nan)) == "linear"
    assert scale_of(results, 1e-5 * 10.0 ** (4 * steps), "drug") == "log"


def test_log_axes_have_few_labels(results: Results) -> None:
    scale_of(results, 10.0 ** np.linspace(-3, 12, 21))
    (axes,) = draw(results, species=["tumor"]).axes
    assert 4 <= len(axes.get_yticks()) <= 7


def test_reference_points_have_error_bars_and_one_key(results: Results) -> None:
    points = [
        Reference(30.0, 900.0, "Luzzi 1998", "tumor", 700.0, 1100.0),
        (60.0, 800.0, "Luzzi 1998", "tumor"),
        (60.0, 120.0, "another", "burden"),
    ]
    figure = draw(results, species=["tumor", "burden"], reference=points)
    tumor, burden = figure.axes
    assert (len(tumor.containers), len(burden.containers)) == (2, 1)
    segments = tumor.containers[0][2][0].get_segments()
    np.testing.assert_allclose(segments[0], [[30, 700], [30, 1100]])
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts.count("Luzzi 1998") == 1
    assert "another" in texts


def test_two_arms_have_two_colours(request: pytest.FixtureRequest) -> None:
    cohort = Cohort(schema(arms=("control", "chemo")), seeded(request.node.nodeid))
    rows = {
        name: values
        for name, values in vars(cohort.cut(0, 1000)).items()
        if name not in ("first", "kept_ids")
    }
    root, sketch = cohort.root(), cohort.sketch()
    two = type(root)(*(np.repeat(values, 2, axis=0) for values in vars(root).values()))
    results = Results.from_arrays(
        cohort.schema, rows, two, type(sketch)(np.repeat(sketch.counts, 2, axis=0), sketch.bin_edges)
    )
    figure = draw(results, "bands", ["tumor"])
    texts = [text.get_text() for text in figure.legends[0].get_texts()]
    assert texts[:2] == ["control", "chemo"]
    assert texts[-1] == "n = 1000 in each arm"
    colours = {to_hex(line.get_color()) for line in figure.axes[0].lines}
    assert colours == {PALETTE[0].lower(), PALETTE[1].lower()}


def test_results_without_quantiles_show_the_mean(request: pytest.FixtureRequest) -> None:
    cohort = Cohort(schema(quantiles=()), seeded(request.node.nodeid))
    (axes,) = draw(build(cohort), species=["tumor"]).axes
    assert len(axes.lines) == 1


def test_what_cannot_be_drawn_is_an_error(tmp_path: Path, results: Results) -> None:
    cases = [
        (lambda: plot(results, output=tmp_path / "a.gif"), "not '.gif'", Exit.USAGE),
        (lambda: plot(results, "pie", output=tmp_path / "a.png"), "no picture of kind 'pie'", Exit.USAGE),
        (lambda: plot(results, species=["tumour"], output=tmp_path / "a.png"), "did you mean", Exit.USAGE),
        (lambda: plot(results, output=tmp_path / "none" / "a.png"), "cannot be written", Exit.OUTPUT),
    ]
    for attempt, message, code in cases:
        with pytest.raises(CtcError, match=message) as caught:
            attempt()
        assert caught.value.exit is code
    assert list(tmp_path.iterdir()) == []


def test_drawing_leaves_matplotlib_as_it_was(tmp_path: Path, results: Results) -> None:
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    plot(results, species=["tumor"], output=tmp_path / "a.png")
    assert dict(mpl.rcParams) == before


def test_no_pyplot_is_loaded() -> None:
    code = "import sys, ctcdyn.plots; print('matplotlib' in sys.modules, 'matplotlib.pyplot' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
