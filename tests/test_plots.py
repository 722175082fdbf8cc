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
from ctcdyn.plots import Reference, draw, plot
from ctcdyn.plots._style import PALETTE
from ctcdyn.results import Results
from ctcdyn.scales import choose_scale, write_unit
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
    assert labels == ["burden (mL$^{-1}$)", "tumor (cells)", "ctc (cells)", "drug (nmol mL$^{-1}$)"]
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


def test_scale_follows_the_range(results: Results) -> None:
    steps = np.linspace(0, 1, 21)
    cells = [choose_scale(values, True) for values in (50 + 10 * steps, 30 * steps, np.zeros(21))]
    assert {scale.kind for scale in cells} == {"linear"}
    assert [scale.low for scale in cells] == [0, 0, 0]
    assert choose_scale(10.0 ** (9 * steps), True).kind == "log"
    assert choose_scale(1e-5 * 10.0 ** (4 * steps), False).kind == "log"
    assert choose_scale(np.full(21, np.nan), False).kind == "linear"
    below = choose_scale(-steps, False)
    assert below.kind == "linear"
    assert (below.low, below.high) == pytest.approx((-1.05, 0.05))
    decayed = np.where(steps < 0.5, 10.0 ** (8 * steps), -1e-131)
    assert choose_scale(decayed, False).kind == choose_scale(np.maximum(decayed, 0.0), False).kind == "symlog"
    assert choose_scale(np.where(steps < 0.5, 1e3, -1.0), False).kind == "linear"
    rising = np.where(steps < 0.5, 0, 0.02 * 10.0 ** (9 * (steps - 0.5)))
    grown = choose_scale(rising, True)
    assert (grown.kind, grown.threshold) == ("symlog", 1.0)  # less than a cell lies between none and one
    assert choose_scale(rising, False).threshold == 0.01
    for scale in (*cells, grown):
        assert scale.low <= 0 < scale.high
    for name, values in (("tumor", 10.0 ** (9 * steps)), ("drug", steps)):
        table, column = results.find(name)
        assert table == "species"
        results["mean"][0, :, column] = values
        results["quantiles"][:, 0, :, column] = values
    assert [axes.get_yscale() for axes in draw(results, species=["tumor", "drug"]).axes] == ["log", "linear"]


@pytest.mark.parametrize("first, last", [(-2, 7), (0, 2), (3, 8), (-9, 0)])
def test_log_axes_have_a_few_labels_in_one_style(first: int, last: int) -> None:
    scale = choose_scale(np.logspace(first, last, 21), False)
    assert 3 <= len(scale.ticks) <= 6
    assert all(scale.low < tick < scale.high for tick in scale.ticks)
    styles = {"$" in label for label in scale.labels if label not in ("1", "10")}
    assert len(styles) == 1
    assert choose_scale(np.logspace(0, 2.1, 9), False).labels == ("1", "10", "100")


def test_units_are_written_as_in_papers() -> None:
    written = [write_unit(unit) for unit in ("1", "1/mL", "nmol/mL", "d", "mL/(d*nmol)")]
    assert written == ["", "mL$^{-1}$", "nmol mL$^{-1}$", "d", "mL/(d*nmol)"]


def test_one_trajectory_is_a_line_of_its_own(request: pytest.FixtureRequest) -> None:
    figure = draw(build(Cohort(schema(count=1), seeded(request.node.nodeid))), species=["tumor"])
    (line,) = figure.axes[0].lines
    assert line.get_linestyle() == "-"
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["trajectory", "n = 1"]


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
