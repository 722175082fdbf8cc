"""docs/performance.md and the README's speed are what the records give; no figure is measured here."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
RECORD = ROOT / "benchmarks" / "record.py"
PAGE, README = (ROOT / "docs" / "performance.md", ROOT / "README.md")


def marked(path: Path) -> list[str]:
    text = path.read_text(encoding="utf-8")
    return re.findall(r"<!-- (\w+): made by `python benchmarks/record.py \w+`, do not edit -->", text)


def test_pages_are_what_the_records_give() -> None:
    done = subprocess.run([sys.executable, str(RECORD), "--check"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_section_has_its_place_and_every_place_its_section() -> None:
    sections = {path.stem for path in (RECORD.parent / "sections").glob("[a-z]*.py")}
    found = [*marked(PAGE), *marked(README)]
    assert sorted(found) == sorted(sections)


def test_the_check_sees_another_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(RECORD.parent)
    import record

    known = record.sections()
    text = PAGE.read_text(encoding="utf-8")
    assert record.page(text, known) == text
    changed = re.sub(r"\*\*\d[\d.]*\*\*", "**99**", text, count=1)
    assert changed != text
    assert record.page(changed, known) == text


def test_the_readme_has_no_speed_of_its_own() -> None:
    text = README.read_text(encoding="utf-8")
    outside = re.sub(r"<!-- speed:.*?<!-- end of speed -->", "", text, flags=re.DOTALL)
    assert not re.findall(r"\d (?:ns|us) an? \w+|\d \*\*times|\*\*[\d.]+ times\*\*|trajectories a second", outside)
    assert re.search(r"\*\*[\d.]+ times\*\*", text)
