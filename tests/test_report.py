"""The page of a result: the answer with its error, nothing from elsewhere, nothing that a file could smuggle in."""

from __future__ import annotations

import base64
import dataclasses
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from commands import command
from ctcdyn.errors import CtcError, Exit, Status
from ctcdyn.report import report
from ctcdyn.results import Results
from needs import absent
from sights import cohort
from synthetic import Cohort, schema, seeded

VOID = {"meta", "img", "br"}


class Page(HTMLParser):
    """Tags with their attributes in order, text, and whether all that opens closes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] != "style":
            self.text += data

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]


def written(results: Results, folder: Path) -> str:
    return report(results, folder / "page.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def results() -> Results:
    return cohort(200)


@pytest.fixture(scope="module")
def text(results: Results, tmp_path_factory: pytest.TempPathFactory) -> str:
    return written(results, tmp_path_factory.mktemp("page"))


def test_the_answer_is_the_survival_of_the_result(results: Results, text: str) -> None:
    found = results.survival("relapse")
    share = 100 * (1 - found["surgery"].at(found.horizon).value)
    change = found.difference("both")
    said = re.search(
        r"surgery: relapse within 14.5 years after resection in (\S+) ± (\S+) % of 200 patients", text
    )
    assert said is not None
    assert float(said[1]) == pytest.approx(share, abs=0.05)
    assert float(said[2]) == pytest.approx(100 * found["surgery"].at(found.horizon).error, abs=0.05)
    said = re.search(r"both: \S+ ± \S+ %, (\S+) ± (\S+) points fewer\.", text)
    assert said is not None
    assert float(said[1]) == pytest.approx(100 * change.value, abs=0.05)
    assert float(said[2]) == pytest.approx(100 * change.error, abs=0.05)
    assert "600 more patients would halve it" in text
    ratio = found.hazard_ratio("both")
    assert f"{ratio.value:.3g} ({ratio.low:.3g} to {ratio.high:.3g})" in text


def test_the_page_needs_nothing_else_and_reads_without_pictures(text: str) -> None:
    page = Page(text)
    assert {tag for tag, _ in page.tags} & {"script", "link", "iframe", "object", "form"} == set()
    assert [value for _, has in page.tags for name, value in has.items() if name in ("src", "href") and
            not value.startswith("data:image/svg+xml;base64,")] == []  # fmt: skip
    assert "default-src 'none'" in page.all("meta")[-1]["content"]
    assert len(page.all("h1")) == 1
    assert page.all("html") == [{"lang": "en"}]
    ids = [has["id"] for _, has in page.tags if "id" in has]
    assert len(ids) == len(set(ids))
    assert {has["aria-labelledby"] for _, has in page.tags if "aria-labelledby" in has} <= {*ids}
    images = page.all("img")
    assert len(images) >= 6
    assert all(len(image["alt"]) > 30 for image in images)
    for image in images:
        picture = base64.b64decode(image["src"].partition("base64,")[2])
        assert b"<svg" in picture
        assert b'href="http' not in picture
    assert len(page.all("caption")) == len(page.all("table"))
    assert "not for clinical use" in page.text
    assert "@media print" in text
    assert "prefers-color-scheme: dark" in text


def test_what_a_file_says_is_text(tmp_path: Path) -> None:
    nasty = "</title><script>alert(1)</script>"
    results = cohort(
        12,
        ("a<b>", "it's & more"),
        title=nasty,
        lesions=False,
        fates=(),
        provenance={"config_toml": nasty, "seed": 3, "host": nasty},
    )
    page = Page(written(results, tmp_path))
    assert page.all("script") == []
    assert page.text.count(nasty) == 4  # title, head, study, table
    assert "it's & more" in page.text


def test_the_same_result_gives_the_same_bytes(tmp_path: Path) -> None:
    one, two = (
        written(cohort(12, ("all",), seed=5, lesions=False, fates=(), event_kinds=()), tmp_path)
        for _ in range(2)
    )
    assert one == two


def test_failures_come_first(tmp_path: Path) -> None:
    results = cohort(40, lesions=False, event_kinds=("relapse",), fates=())
    results["status"][:3] = int(Status.STEP_LIMIT)
    page = Page(written(results, tmp_path))
    assert page.text.index("3 of 80 trajectories failed") < page.text.index("relapse within")
    assert "step limit" in page.text
    results["status"][:] = int(Status.STEP_LIMIT)
    page = Page(written(results, tmp_path))
    assert "No trajectory ended well" in page.text
    assert page.all("img") == []


def test_results_without_events_say_what_they_have(tmp_path: Path) -> None:
    fates = written(cohort(30, event_kinds=(), lesions=False), tmp_path)
    assert "of all cells shed" not in fates  # of these fates none is the end of the way
    plain = Cohort(schema(count=50, keep=0), seeded("report"))
    rows = {
        name: values for name, values in vars(plain.cut(0, 50)).items() if name not in ("first", "kept_ids")
    }
    rows = {name: values for name, values in rows.items() if not name.startswith("event_")}
    made = Results.from_arrays(
        dataclasses.replace(plain.schema, event_kinds=()), rows, plain.root(), plain.sketch()
    )
    text = written(made, tmp_path)
    assert "Mean of burden on day 60" in text
    assert np.isfinite(made.mean).all()


def test_a_sweep_is_told_by_its_points(tmp_path: Path) -> None:
    span = {"low": "1 /day", "high": "2 /day", "steps": 4}
    study = {"sweep": {"design": "grid", "range": {"tumor_growth": span, "shedding": span}}}
    results = cohort(
        16, ("all",), grid=4, lesions=False, fates=(), provenance={"config_resolved_json": json.dumps(study)}
    )
    text = written(results, tmp_path)
    share = results.event_observed[:, 0]
    assert f"Relapse spans {share.min()} to {share.max()} over 16 points of tumor growth, shedding." in text
    assert "--kind heatmap" in text


def test_the_command_writes_once(tmp_path: Path) -> None:
    plain = Cohort(schema(count=30), seeded("command"))
    file = plain.write(tmp_path / "a.h5")
    assert command("report", file)[0] == 0
    code, _, said = command("report", file)
    assert code == Exit.OUTPUT
    assert "R502" in said
    text = (tmp_path / "a.html").read_text(encoding="utf-8")
    assert "ctcdyn plot a.h5 --kind bands -o bands.svg" in text
    with pytest.raises(CtcError, match="cannot be written"):
        report(cohort(20), tmp_path / "none" / "page.html")


def console(file: Path) -> list[str]:
    """What a browser says of a page on its console: errors, and what the page's policy forbade to load."""
    browser = next(
        (found for name in ("chromium", "google-chrome", "chrome") if (found := shutil.which(name))), None
    )
    if browser is None:
        absent("browser", "no chromium and no chrome")
    options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={file.parent / 'profile'}"]
    options += ["--enable-logging=stderr", "--v=0", "--disable-background-networking", "--dump-dom"]
    done = subprocess.run(
        [browser, *options, file.as_uri()], capture_output=True, text=True, check=True, timeout=120
    )
    assert "</html>" in done.stdout
    return [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def test_a_browser_has_nothing_to_say(tmp_path: Path, text: str) -> None:
    file = tmp_path / "page.html"
    file.write_text(text, encoding="utf-8")
    assert console(file) == []
    file.write_text(
        text.replace("</main>", '<img src="http://127.0.0.1:9/x.png" alt=""></main>'), encoding="utf-8"
    )
    assert any("Content Security Policy" in line for line in console(file))
