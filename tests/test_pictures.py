"""Every kind of picture, looked at by a machine: texts apart and large enough, units on axes, safe colours."""

from __future__ import annotations

import json
import math
import re
from itertools import combinations
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.artist import Artist
from matplotlib.collections import Collection, QuadMesh
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.text import Text

from ctcdyn import plots
from ctcdyn.errors import CtcError, Exit
from ctcdyn.plots import _style
from ctcdyn.results import Results
from ctcdyn.sensitivity import Effects, Indices
from sights import cohort, texts_of

SAFE = {shade.lower() for shade in (*_style.PALETTE, _style.INK, _style.GREY, _style.RULE, _style.PAPER)}
CASES: dict[str, dict[str, Any]] = {
    "bands": {"kind": "bands", "species": ["tumor"]},
    "bands of all": {"kind": "bands"},
    "paths": {"kind": "paths", "species": ["ctc", "diameter"]},
    "fates": {"kind": "fates"},
    "hist": {"kind": "hist"},
    "hist of all": {"kind": "hist", "species": ["relapse", "ctc", "tumor", "found@7305"]},
    "hist by": {"kind": "hist", "species": ["found"], "by": ["arm", "shedding"]},
    "phase": {"kind": "phase", "species": ["diameter", "ctc_per_7_5_mL"]},
    "km": {"kind": "km"},
    "km by": {"kind": "km", "by": ["arm", "tumor_growth"]},
    "km by a cut": {"kind": "km", "by": ["found@7305>=3"]},
    "hazard": {"kind": "hazard"},
    "heatmap": {"kind": "heatmap"},
    "heatmap of a column": {"kind": "heatmap", "species": ["tumor"]},
    "tornado": {"kind": "tornado"},
    "organs": {"kind": "organs"},
    "organs of columns": {"kind": "organs", "species": ["tumor", "ctc"]},
    "lesions": {"kind": "lesions"},
    "lesions by": {"kind": "lesions", "by": ["tumor_growth"]},
}


@pytest.fixture(scope="module")
def results() -> Results:
    return cohort()


def drawn(results: Results, **asked: Any) -> Figure:
    with mpl.rc_context(_style.STYLE):
        return plots.draw(results, **asked)


def test_every_kind_is_looked_at() -> None:
    assert {case["kind"] for case in CASES.values()} == {*plots.kinds()}


ARMS = ("surgery", "a much longer name of an arm")
ALONE = (
    "bands of all",
    "fates",
    "hist",
    "km",
    "heatmap",
    "tornado",
    "organs",
)  # which look otherwise with one arm


@pytest.mark.parametrize(
    "name, arms", [*((name, ARMS) for name in CASES), *((name, ARMS[:1]) for name in ALONE)]
)
def test_a_picture_reads_well(name: str, arms: tuple[str, ...]) -> None:
    figure = drawn(cohort(120, arms), **CASES[name])
    with mpl.rc_context(_style.STYLE):
        texts = texts_of(figure)
    assert round(25.4 * figure.get_figwidth()) in (85, 175)
    assert min(text.get_fontsize() for text in texts) >= _style.SMALLEST
    assert overlapping(texts) == []
    outside = [text.get_text() for text in texts if not inside(text, figure)]
    assert outside == []
    assert unnamed(figure, texts) == []
    assert strange_colours(figure) == set()
    assert any(text.get_text() == "not for clinical use" for text in texts)


def overlapping(texts: list[Text]) -> list[tuple[str, str]]:
    boxes = [(text.get_text(), text.get_window_extent().padded(-0.5)) for text in texts]
    return [(one, other) for (one, a), (other, b) in combinations(boxes, 2) if a.overlaps(b)]


def inside(text: Text, figure: Figure) -> bool:
    box, page = text.get_window_extent(), figure.bbox
    return bool(box.x0 >= -1 and box.y0 >= -1 and box.x1 <= page.x1 + 1 and box.y1 <= page.y1 + 1)


def unnamed(figure: Figure, texts: list[Text]) -> list[str]:
    """Labels of axes that are drawn and end without a unit in brackets, and axes of numbers without one."""
    wrong = []
    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            text = axis.get_label().get_text()
            if text and re.search(r"\([^()]+\)$", text) is None:
                wrong.append(text)
            mine = [label for label in axis.get_ticklabels() if label in texts]
            numbers = [label for label in mine if re.search(r"\d", label.get_text())]
            beneath = axis is axes.xaxis and any(below(axes, other) for other in figure.axes)
            if len(numbers) > 1 and not text and not beneath:
                wrong.append(f"{axis.axis_name} axis without a label")
    return wrong


def below(axes: Any, other: Any) -> bool:
    """Whether another panel stands under this one and tells what both axes are."""
    one, two = axes.get_position(), other.get_position()
    return bool(two.y1 < one.y0 and abs(two.x0 - one.x0) < 0.05 and other.get_xlabel())


def strange_colours(figure: Figure) -> set[str]:
    found: set[str] = set()
    for artist in figure.findobj(Artist):
        if not artist.get_visible():
            continue
        if isinstance(artist, Line2D | Text):
            found.add(to_hex(artist.get_color()))
        elif isinstance(artist, QuadMesh):
            assert artist.get_cmap().name == _style.SHADES
        elif isinstance(artist, Collection):
            found |= {to_hex(shade[:3]) for shade in (*artist.get_facecolor(), *artist.get_edgecolor())}
        elif isinstance(artist, Patch) and artist.get_fill():
            found.add(to_hex(artist.get_facecolor()[:3]))
    # black and the tints of matplotlib belong to frames that are not seen
    return found - SAFE - {"#000000"}


def test_the_look_sees_what_is_wrong() -> None:
    figure = _style.page(85, 50)
    axes = figure.subplots()
    axes.set_xlabel("time")
    axes.plot([0, 1], [0, 1], color="red")
    for where in (0.5, 0.51):
        axes.text(where, 0.5, "on one another")
    figure.text(1.1, 0.5, "outside")
    texts = texts_of(figure)
    assert overlapping(texts) == [("on one another", "on one another")]
    assert unnamed(figure, texts) == ["time", "y axis without a label"]
    assert strange_colours(figure) == {"#ff0000"}
    assert [text.get_text() for text in texts if not inside(text, figure)] == ["outside"]


# -- what is drawn is what was found ---------------------------------------------------------------
def test_bars_of_a_distribution_are_shares_of_all(results: Results) -> None:
    figure = drawn(results, kind="hist", species=["relapse"], by=["arm"])
    (axes,) = figure.axes
    for number in range(2):
        bars = [
            bar for bar in axes.patches if to_hex(bar.get_facecolor()[:3]) == _style.colour(number).lower()
        ]
        assert sum(bar.get_height() for bar in bars) == pytest.approx(100.0)
        happened = results.event_observed[results["arm_index"] == number, 0].mean()
        none = min(bars, key=lambda bar: bar.get_x())
        assert none.get_height() == pytest.approx(100.0 * (1 - happened))
    assert axes.get_xticklabels()[0].get_text() == "none"


def test_cells_of_a_map_are_means_of_their_trajectories() -> None:
    results = cohort(400, ("all",), grid=4)
    axes, _ = drawn(results, kind="heatmap", species=["relapse"]).axes
    mesh = next(x for x in axes.collections if isinstance(x, QuadMesh))
    growth, shedding = results.params[:, 0], results.params[:, 1]
    chosen = (growth == np.unique(growth)[2]) & (shedding == np.unique(shedding)[1])
    share = 100 * results.event_observed[chosen, 0].mean()
    assert mesh.get_array().reshape(4, 4)[1, 2] == pytest.approx(share)
    assert f"{share:.3g}" in {text.get_text() for text in axes.texts}


def test_rank_correlations_are_those_of_scipy(results: Results) -> None:
    from scipy.stats import spearmanr

    (axes,) = drawn(results, kind="tornado", species=["tumor"]).axes
    names = [text.get_text() for text in axes.get_yticklabels()]
    assert names == ["tumor growth", "shedding"]
    mine = results["arm_index"] == 0
    for k, column in enumerate((0, 1)):
        expected = spearmanr(results.params[mine, column], results.final_state[mine, 0]).statistic
        assert axes.patches[k].get_width() == pytest.approx(expected, abs=1e-12)


SPREAD = np.array([[0.3, 0.5], [0.05, 0.15]])
INDICES = Indices(
    "relapse", ("shedding", "tumor_growth"), np.array([0.4, 0.1]), SPREAD, np.array([0.5, 0.2]), SPREAD + 0.1,
    np.zeros(2), np.zeros(2), math.nan, 1.0, 64, 0, 0.95,
)  # fmt: skip
EFFECTS = Effects("tumor", ("shedding", "tumor_growth"), *(np.array([0.2, 0.7]) for _ in range(5)), 16, 0)


@pytest.mark.parametrize("design, found", [("saltelli", INDICES), ("morris", EFFECTS)])
def test_a_sweep_shows_what_its_design_is_made_for(
    monkeypatch: pytest.MonkeyPatch, design: str, found: Indices | Effects
) -> None:
    results = cohort(
        20, ("all",), provenance={"config_resolved_json": json.dumps({"sweep": {"design": design}})}
    )
    monkeypatch.setattr(Results, "sensitivity", lambda *_, **__: found)
    figure = drawn(results, kind="tornado", species=["tumor"])
    with mpl.rc_context(_style.STYLE):
        texts = texts_of(figure)
    (axes,) = figure.axes
    widths = [bar.get_width() for bar in axes.patches]
    assert widths == ([0.4, 0.1, 0.5, 0.2] if isinstance(found, Indices) else [0.7, 0.2])
    assert (overlapping(texts), unnamed(figure, texts), strange_colours(figure)) == ([], [], set())
    with pytest.raises(CtcError, match="was not swept"):
        drawn(results, kind="tornado", by=["clearance"])


def test_organs_and_sizes_are_those_of_the_table(results: Results) -> None:
    (axes,) = drawn(results, kind="organs").axes
    table = results.lesions.to_pandas()
    mine = table[table.arm == "surgery"]
    shares = mine.organ.value_counts(normalize=True)
    for bar, organ in zip(axes.patches[:3], ("lung", "liver", "bone"), strict=True):
        assert bar.get_width() == pytest.approx(100 * shares[organ])
    _, below = drawn(results, kind="lesions").axes
    x, y = below.lines[0].get_data()
    k = len(x) // 2
    assert y[k] == pytest.approx((mine["size"] >= x[k]).sum() / 300)


def test_survival_is_that_of_the_result(results: Results) -> None:
    above, below = drawn(results, kind="km").axes
    found = results.survival("relapse")
    for line, arm in zip(above.lines, results.arm, strict=True):
        time, value = line.get_data()
        assert value[50] == pytest.approx(100 * found[arm].at(365.25 * time[50] + 1e-6).value)
    told = [text.get_text() for text in below.texts]
    assert told[:2] == ["at risk", "300"]
    ten = found["both"].risk([3652.5])[0]
    assert str(round(ten)) in told
    (axes,) = drawn(results, kind="hazard").axes
    curve = found.hazard("surgery", 0.1 * found.horizon, axes.lines[0].get_xdata() * 365.25)
    np.testing.assert_allclose(axes.lines[0].get_ydata(), curve.hazard * 365.25, rtol=1e-6)


def test_columns_of_a_phase_are_the_kept_paths(results: Results) -> None:
    (axes,) = drawn(results, kind="phase", species=["diameter", "ctc"]).axes
    np.testing.assert_array_equal(axes.lines[0].get_xdata(), results.values("diameter")[0])
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), results.values("ctc")[0])


@pytest.mark.parametrize(
    "kind, asked, changes, told",
    [
        ("phase", {"species": ["tumor"]}, {}, "two columns, not 1"),
        ("phase", {"by": ["arm"]}, {}, "takes no 'by'"),
        ("heatmap", {"by": ["shedding"]}, {}, "two axes, not 1"),
        ("heatmap", {"by": ["shedding", "clearance"]}, {}, "clearance has one value"),
        ("heatmap", {"by": ["shedding", "sheding"]}, {}, 'did you mean "shedding"'),
        ("tornado", {"species": ["tumour"]}, {}, 'did you mean "tumor"'),
        ("tornado", {"species": ["relapse", "ctc"]}, {}, "one outcome, not 2"),
        ("lesions", {}, {"lesions": False}, "no table of lesions"),
        ("organs", {}, {"lesions": False}, "lesions = true"),
        ("organs", {}, {"organs": ("", "", "")}, "one organ"),
        ("organs", {"species": ["tumor"]}, {}, "one column"),
        ("hist", {"species": ["found"]}, {"keep": 0}, "no path of 'found' was kept"),
        ("hist", {"species": ["tumor", "ctc", "relapse", "found", "diameter"]}, {}, "5 panels"),
        ("hist", {"species": ["ctc@noon"]}, {}, "'noon' is no day"),
        ("hist", {"species": ["ctc@3"]}, {}, "day 3 was not saved"),
        ("hist", {"by": ["clearance"]}, {}, "same clearance"),
        ("hist", {"by": ["arm", "shedding", "tumor_growth"]}, {}, "8 groups"),
        ("km", {"species": ["relaps"]}, {}, 'did you mean "relapse"'),
        ("km", {"species": ["relapse", "relapse"]}, {}, "one event, not 2"),
        ("hazard", {}, {"event_kinds": ()}, "no events"),
        ("km", {"by": ["found>=500"]}, {}, "all lie on one side"),
        ("km", {"by": ["found@3>=5"]}, {}, "day 3 was not saved"),
        ("bnads", {}, {}, 'did you mean "bands"'),
    ],
)
def test_what_is_missing_is_told(
    kind: str, asked: dict[str, Any], changes: dict[str, Any], told: str
) -> None:
    with pytest.raises(CtcError, match=told) as caught:
        plots.draw(cohort(20, **changes), kind, **asked)
    assert caught.value.exit is Exit.USAGE
    assert caught.value.problems[0].code in ("R509", "R521")
    assert caught.value.problems[0].fix


PAGE = (Path(__file__).parents[1] / "docs" / "pictures.md").read_text(encoding="utf-8")


def test_the_page_has_every_kind_and_a_file_that_draws(tmp_path: Path, results: Results) -> None:
    assert re.findall(r"^\| `(\w+)`", PAGE, re.MULTILINE) == sorted(
        plots.kinds(), key=lambda kind: PAGE.index(f"| `{kind}`")
    )
    (block,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    file = tmp_path / block.partition("\n")[0].removeprefix("# ")
    file.write_text(block)
    picture = plots.plot(results, str(file), ["tumor", "ctc"], tmp_path / "ends.svg")
    assert picture.read_bytes().startswith(b"<?xml")
