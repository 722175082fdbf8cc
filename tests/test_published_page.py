"""`ctcdyn selftest --published` and docs/published.md: three lists, ranges, verdicts; and its predictions by SciPy."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

import oracles
import recurrence
from commands import command
from ctcdyn import study
from ctcdyn.cli import studies
from ctcdyn.cli.published import MADE, judged, page
from ctcdyn.published import MISSED, UNKNOWN, Judged, counted, listed

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/published.md"
LISTS = ("Mathematics verified", "Calibrated to", "Predicted")
YEAR = 365.25


def rows_of(text: str) -> dict[str, list[list[str]]]:
    """List -> the cells of its rows."""
    found: dict[str, list[list[str]]] = defaultdict(list)
    title = ""
    for line in text.splitlines():
        title = line.removeprefix("## ") if line.startswith("## ") else title
        if line.startswith("| ") and not line.startswith("| result"):
            found[title].append([cell.strip() for cell in line.strip("|").split(" | ")])
    return found


PARAMETERS = """schema = 1
[model]
use = "ctc_linear"
[[published]]
name = "half-life in the blood"
used_for = "rate"
value = 1.0
range = [0.9, 1.1]
unit = "hours"
source = "made up"
rests_on = "sets clearance"
expr = "log(2) / clearance"
[[published]]
name = "cells shed an hour"
used_for = "prediction"
range = [80, 90]
unit = "cells/hour"
source = "made up"
rests_on = "a rate"
expr = "shedding * (1 - few)"
read.few = { value = 0.5 }
[[published]]
name = "none known"
used_for = "prediction"
value = 3
source = "made up"
rests_on = "a rate"
expr = "3"
[simulate]
t_end = "1 day"
"""


def figures(folder: Path, text: str = PARAMETERS) -> list[Judged]:
    (folder / "made_up.toml").write_text(text, encoding="utf-8")
    (folder / "extra.model.toml").write_text("not a study", encoding="utf-8")
    ((path, rows),) = judged(folder)
    assert path.name == "made_up.toml"
    return rows


def test_figures_of_parameters_are_judged_without_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(study, "run", None)
    rate, shed, unknown = figures(tmp_path)
    assert rate.here == pytest.approx(24 * math.log(2) / 16)  # ctc_linear: 16 /d
    assert (rate.verdict, rate.failed) == ("met", False)
    assert shed.here == pytest.approx(2000 / 24 / 2)
    assert (shed.verdict, shed.failed, shed.published) == (MISSED, False, "80 to 90 cells/hour")
    assert (unknown.verdict, unknown.range) == (UNKNOWN, None)
    assert counted([rate, shed, unknown]).splitlines() == [
        "mathematics verified: none",
        "calibrated to: 1 met (of 1 source)",
        f"predicted: 1 {MISSED} (of 1 source), 1 {UNKNOWN} (of 1 source)",
        "not for clinical use",
    ]
    text = listed([rate, shed, unknown])
    assert text.index("calibrated to") < text.index("predicted")
    assert "mathematics" not in text


@pytest.mark.parametrize(
    ("old", "new", "verdict"),
    [
        ("range = [0.9, 1.1]", "range = [0.9, 1.0]", MISSED),
        ("range = [0.9, 1.1]", "rtol = 0.05", "met"),
        ("range = [0.9, 1.1]", "rtol = 0.03", MISSED),
        # not a number is no agreement
        ('expr = "log(2) / clearance"', 'expr = "log(shedding / shedding - 2) / clearance"', MISSED),
    ],
)
def test_what_must_be_met_and_is_not_ends_with_7(
    old: str, new: str, verdict: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "published"
    folder.mkdir()
    assert old in PARAMETERS
    assert figures(folder, PARAMETERS.replace(old, new))[0].verdict == verdict
    monkeypatch.setattr(studies, "configs", lambda: tmp_path)
    code, out, err = command("selftest", "--published")
    assert code == (7 if verdict == MISSED else 0)
    assert ("error[B901]" in err and "half-life in the blood" in err) == (verdict == MISSED)
    assert re.search(r"cells shed an hour +80 to 90 cells/hour +41.67 +MISSED", out)  # no failure by itself


def test_counts_have_the_interval_of_a_share(tmp_path: Path) -> None:
    text = PARAMETERS.replace("value = 1.0\nrange = [0.9, 1.1]\n", "counts = [12, 14]\n").replace(
        'unit = "hours"\nsource = "made up"\nrests_on = "sets clearance"\nexpr = "log(2) / clearance"',
        'source = "made up"\nrests_on = "sets clearance"\nexpr = "0.61"',
    )
    rate = figures(tmp_path, text)[0]
    assert rate.range == pytest.approx((0.6006, 0.9599), abs=1e-4)  # Wilson
    assert (rate.verdict, rate.published) == ("met", "12 of 14: 0.857 (0.6 to 0.96)")


def test_another_page_is_not_replaced_and_o_needs_published(tmp_path: Path) -> None:
    mine = tmp_path / "mine.md"
    mine.write_text("mine", encoding="utf-8")
    assert command("selftest", "--published", "-o", mine)[0] == 6
    assert command("selftest", "--published", "-o", tmp_path / "no folder" / "x.md")[0] == 6
    assert command("selftest", "-o", tmp_path / "x.md")[0] == 2
    assert [path.name for path in tmp_path.iterdir()] == ["mine.md"]
    assert mine.read_text(encoding="utf-8") == "mine"


def without_sampled(text: str) -> str:
    """The page without the figures of the two studies that draw: another processor may draw others (verdicts stay)."""
    drawn = ("[avanzini_antal_2019]", "[bottleneck_2020]")
    lines = [line.split(" | ") for line in text.splitlines()]
    return "\n".join(
        " | ".join([*cells[:2], *cells[3:]] if cells[-1].startswith(drawn) else cells) for cells in lines
    )


def test_the_page_is_what_the_command_makes(tmp_path: Path) -> None:
    """All studies, eleven kernels; a warm cache has them."""
    found = list(judged(ROOT / "configs/published"))
    assert without_sampled(page(found)) == without_sampled(PAGE.read_text(encoding="utf-8"))
    assert not any(row.failed for _, mine in found for row in mine)


def test_the_page_has_eight_results_and_five_predictions_inside() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert text.startswith(MADE)
    lists = rows_of(text)
    assert tuple(lists) == LISTS
    where = {cells[0]: title for title, mine in lists.items() for cells in mine}
    assert len(where) == sum(len(mine) for mine in lists.values())  # no figure in two lists
    sources = {title: {cells[6] for cells in mine} for title, mine in lists.items()}
    assert len(set().union(*sources.values())) >= 8
    inside = [cells for cells in lists["Predicted"] if cells[3] == "inside"]
    assert len({cells[6] for cells in inside}) >= 5
    assert all(cells[5] for cells in lists["Predicted"])  # what they rest on
    for title, mine in lists.items():
        for cells in mine:
            assert (ROOT / "docs" / re.findall(r"\((.*?)\)", cells[7])[0]).is_file()
            assert cells[3] in {"Mathematics verified": ("holds",), "Calibrated to": ("met",)}.get(
                title, ("inside", f"**{MISSED}**", f"**{UNKNOWN}**")
            )


def here(name: str) -> float:
    """What the page says is computed for a result."""
    return next(float(cells[2]) for mine in rows_of(PAGE.read_text(encoding="utf-8")).values() for cells in mine
                if cells[0] == name)  # fmt: skip


def test_rate_ratios_of_tamoxifen_by_scipy() -> None:
    """Divisions of metastases 0.9516 times and waking 0.53 times, from 28 days after the operation at 20 mm on."""
    day = float(oracles.human_breast_sizes(20.0, oracles.HUMAN_BREAST)["t"])
    free = recurrence.rates(0.0134)
    treated = free | {"b": free["b"] * 0.9516, "k_R": free["k_R"] * 0.53}
    hazard = {}
    for years in (5, 10):
        begin, end = day + 28, day + 28 + years * YEAR
        parts = [(0.0, begin, free), (begin, end, treated), (end, np.inf, free)]
        for y in (5, 10, 20):
            hazard[years, y] = -math.log1p(-recurrence.chance(parts, recurrence.shed, day, day + y * YEAR))
    for name, first, last in (("years 5 to 9", 5, 10), ("year 10 and later", 10, 20)):
        ratio = (hazard[10, last] - hazard[10, first]) / (hazard[5, last] - hazard[5, first])
        assert ratio == pytest.approx(here(f"tamoxifen, ten years against five (ATLAS), {name}"), abs=1e-3)


def test_chemotherapy_that_begins_later_by_scipy() -> None:
    """Deaths in metastases 1.2983 times for 18 weeks; after year 5 it does nothing: sleepers are not reached."""
    day = float(oracles.human_breast_sizes(20.0, oracles.HUMAN_BREAST)["t"])
    free = recurrence.rates(0.0134)
    treated = free | {"d": free["d"] * 1.2983}
    hazard = {}
    for weeks in (0, 4, 8):
        begin = day + 7 * weeks
        parts = [(0.0, begin, free), (begin, begin + 126, treated if weeks else free), (begin + 126, np.inf, free)]
        for y in (5, 10):
            chance = recurrence.chance(parts, recurrence.shed, day, day + y * YEAR)
            hazard[weeks, y] = -math.log1p(-chance)
    assert hazard[4, 5] / hazard[0, 5] == pytest.approx(here("chemotherapy against none, years 0 to 4"), abs=2e-4)
    later = hazard[8, 5] / hazard[4, 5]
    assert later == pytest.approx(here("chemotherapy four weeks later, seven studies"), abs=1e-3)
    assert hazard[8, 10] / hazard[4, 10] == pytest.approx(1.049, abs=1e-3)
    assert (hazard[4, 10] - hazard[4, 5]) / (hazard[0, 10] - hazard[0, 5]) == pytest.approx(1.0, abs=0.01)


def test_chances_by_size_by_scipy() -> None:
    for mm in (2, 5, 10):
        day = float(oracles.human_breast_sizes(float(mm), oracles.HUMAN_BREAST)["t"])
        parts = [(0.0, np.inf, recurrence.rates(0.0134))]
        chance = recurrence.chance(parts, recurrence.shed, day, day + 25 * YEAR)
        assert chance == pytest.approx(
            here(f"metastasis from a tumour of {mm} mm, within 25 years"), rel=1e-3
        )


def test_founders_of_which_half_get_through_in_closed_form() -> None:
    low, high = (oracles.bottleneck(n, 8.0, 2.0) for n in (18, 20))
    assert here("founders of which half get through") == pytest.approx(
        18 + 2 * (0.5 - low) / (high - low), abs=0.5
    )
