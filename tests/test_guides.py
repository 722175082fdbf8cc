"""The guides do what they say: their files are written down, their commands run in order, their Python too.

A block that begins with `# NAME: ...` or `# NAME` is the file NAME; `$ ctcdyn ...` in a console block is a command,
with `# exits with N` behind it where that is not 0; a Python block without a name is a program, and a block of text
right after it is what it prints. The mouse study runs with fewer mice than shown, and pictures are left
out where no command asks for one.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

import ctcdyn
from commands import command

ROOT = Path(__file__).parents[1]
GUIDES = ("tutorial", "calibration", "extending", "reproducibility", "language", "interruption", "survival")
FEWER = ["-s", "ensemble.trajectories=64", "-s", "output.keep=50"]
NAMED = re.compile(r"# ([\w.]+\.(?:toml|py))\b")


@dataclass
class Guide:
    """What a page holds, and what came of it."""

    folder: Path
    files: list[str] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    programs: int = 0


def follow(page: str, folder: Path) -> Guide:
    """Everything that the page shows, done in its order in an empty folder beside the shipped studies."""
    guide = Guide(folder)
    (folder / "configs").symlink_to(ROOT / "configs")
    text = (ROOT / "docs" / f"{page}.md").read_text(encoding="utf-8")
    printed = None
    for language, block in re.findall(r"^```(\w+)\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL):
        if language == "text" and printed is not None:
            assert block == printed
        printed = None
        name = NAMED.match(block)
        if name is not None:
            (folder / name.group(1)).write_text(block, encoding="utf-8")
            guide.files.append(name.group(1))
        elif language == "console":
            for line in re.findall(r"^\$ (.*)$", block, flags=re.MULTILINE):
                obey(line)
                guide.commands.append(line)
        elif language == "python":
            done = subprocess.run(
                [sys.executable, "-W", "error", "-c", block], capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, f"{block}\n{done.stderr}"
            guide.programs += 1
            printed = done.stdout
    return guide


def obey(line: str) -> None:
    """One command of a page, which must exit as the page says."""
    asked, _, expected = line.partition("# exits with ")
    program, *arguments = shlex.split(asked)
    assert program == "ctcdyn", line
    if arguments[0] == "run":
        fewer = FEWER if "configs/mouse.toml" in arguments and "-s" not in arguments else []
        arguments += [*fewer, "-s", "output.picture=false", "--progress", "none"]
    code, out, err = command(*arguments)
    assert code == int(expected or 0), f"{line}\n{err}"
    assert out or err, line


@pytest.fixture(scope="module", params=GUIDES)
def guide(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, kernel_cache: str
) -> Guide:
    folder = tmp_path_factory.mktemp(request.param)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return follow(request.param, folder)


def test_a_guide_shows_something_that_runs(guide: Guide) -> None:
    assert guide.files or guide.commands or guide.programs
    results = sorted(path.name for path in guide.folder.glob("*.h5"))
    for path in results:
        with ctcdyn.open(guide.folder / path) as found:
            assert all(status.ok for status in found.counts), path
    assert bool(results) == any(line.startswith("ctcdyn run") for line in guide.commands)


def test_the_shown_solver_is_of_its_order(tmp_path: Path) -> None:
    """On the shown model, against a method of order 5: the error falls with the third power of the steps."""
    text = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
    for block in re.findall(r"^```\w+\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL):
        name = NAMED.match(block)
        if name is not None:
            (tmp_path / name.group(1)).write_text(block, encoding="utf-8")
    model = ctcdyn.load_model(tmp_path / "sleepers.model.toml")
    times = np.linspace(0.0, 2.0, 9)
    exact = model.simulate(times, method="rodas5p", rtol=1e-11, atol=1e-11).state
    errors, steps = [], []
    for tolerance in (1e-4, 1e-9):
        solver = str(tmp_path / "bogacki_shampine.py")
        found = model.simulate(times, method=solver, rtol=tolerance, atol=tolerance)
        errors.append(float(np.max(np.abs(found.state - exact) / (1.0 + np.abs(exact)))))
        steps.append(int(found["n_steps"][0]))
    assert errors[0] < 1e-2
    assert errors[1] < 1e-7
    order = np.log(errors[0] / errors[1]) / np.log(steps[1] / steps[0])
    assert 2.5 < order < 4.0, (errors, steps)
