"""What the documents show must be so: their TOML passes `check`, their Python runs, doctests included."""

from __future__ import annotations

import doctest
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

from commands import command
from ctcdyn.cli import app

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
MODULES = sorted(
    ".".join(path.relative_to(ROOT / "src").with_suffix("").parts).removesuffix(".__init__")
    for path in (ROOT / "src" / "ctcdyn").rglob("*.py")
    if ">>> " in path.read_text(encoding="utf-8")
)


def blocks(language: str) -> list[tuple[str, str]]:
    """(page, text) of every fenced block in a language."""
    fence = re.compile(rf"^```{language}\n(.*?)^```", flags=re.MULTILINE | re.DOTALL)
    return [(page.name, block) for page in PAGES for block in fence.findall(page.read_text(encoding="utf-8"))]


WHOLE = [  # studies that need another file are run by test_guides, beside it
    (page, text)
    for page, text in blocks("toml")
    if re.search(r"^schema = 1", text, flags=re.MULTILINE) and "[model]\nfile" not in text and "\nextends" not in text
]


def test_the_documents_show_a_study_and_a_model() -> None:
    assert any("[simulate]" in text for _, text in WHOLE)
    assert any("[species]" in text for _, text in WHOLE)


@pytest.mark.parametrize(("page", "text"), WHOLE, ids=[f"{page}-{n}" for n, (page, _) in enumerate(WHOLE)])
def test_toml_in_the_documents_passes_check(
    page: str, text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "shown.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SystemExit) as end:
        app(["check", str(path), "--explain"])
    said = capsys.readouterr()
    assert not end.value.code, f"{page}: {said.err}"
    assert "ok  " in said.out


def test_python_in_the_readme_runs(tmp_path: Path) -> None:
    """The loop of one's own is run as it stands; the lines before it need the quickstart's result."""
    shown = next(text for page, text in blocks("python") if page == "README.md" and "load_model" in text)
    loop = shown[shown.index("model = ") :]
    done = subprocess.run(
        [sys.executable, "-c", f"import ctcdyn\n{loop}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    means = [float(line.split("[")[1].split()[0]) for line in done.stdout.splitlines()]
    assert len(means) == 3
    assert means == sorted(means, reverse=True)  # faster clearance, fewer cells in the blood


def test_the_readme_shows_what_the_quickstart_prints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Line by line but for digits, which another processor may round otherwise."""
    monkeypatch.chdir(tmp_path)
    code, out, err = command("run", ROOT / "configs/quickstart.toml", "--progress", "none")
    assert code == 0, err
    shown = next(text for page, text in blocks("text") if page == "README.md" and text.startswith("result   ok"))

    def form(text: str) -> list[str]:
        lines = (re.sub(r"[0-9.]+(?:e[-+][0-9]+)?", "#", line) for line in text.strip().splitlines())
        return [" ".join(line.split()) for line in lines if not line.startswith("next ")]

    assert form(out) == form(shown)


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_are_right(name: str) -> None:
    found = doctest.testmod(importlib.import_module(name))
    assert found.failed == 0
