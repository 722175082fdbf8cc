"""Run `ctcdyn ARGUMENTS` in this process, and a study that takes a moment."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path

from ctcdyn.cli import app
from ctcdyn.cli.studies import templates


def command(*arguments: object) -> tuple[int, str, str]:
    """(exit code, stdout, stderr) of one command."""
    out, err = io.StringIO(), io.StringIO()
    code: object = "no exit"
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            app([str(argument) for argument in arguments], prog_name="ctcdyn")
        except SystemExit as end:
            code = end.code or 0
    assert isinstance(code, int), code
    return code, out.getvalue(), err.getvalue()


def small_study(folder: Path) -> Path:
    """The template `direct` with 40 trajectories, 3 kept paths and its result in `folder`."""
    text = templates()["direct"].read_text(encoding="utf-8")
    for old, new in (
        ("trajectories = 2000", "trajectories = 40"),
        ("keep = 50", "keep = 3"),
        ('"direct.h5"', json.dumps(str(folder / "small.h5"))),
    ):
        assert old in text
        text = text.replace(old, new)
    path = folder / "small.toml"
    path.write_text(text, encoding="utf-8")
    return path
